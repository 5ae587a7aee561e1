"""Progress is told a few times a second, and its ends always."""

from trio.testing import MockClock

from meshnews.control.fact import Phase
from meshnews.control.reply import Event, Progress
from meshnewsd.control.sparing import APART_S, Sparing


async def test_between_the_first_and_the_last_little_is_told(mock_clock: MockClock) -> None:
    told: list[int] = []

    async def emit(event: Event) -> None:
        assert isinstance(event, Progress)
        told.append(event.done)

    sparing = Sparing(emit)
    for done in range(1001):
        await sparing.tell(Progress(Phase.SEALING, 0, done, 1000))
        mock_clock.jump(APART_S / 100)
    assert (told[0], told[-1]) == (0, 1000)
    assert len(told) == 11


async def test_work_that_is_done_at_once_is_told_twice(mock_clock: MockClock) -> None:
    told: list[int] = []

    async def emit(event: Event) -> None:
        assert isinstance(event, Progress)
        told.append(event.done)

    sparing = Sparing(emit)
    for done in range(11):
        await sparing.tell(Progress(Phase.SEALING, 0, done, 10))
    assert told == [0, 10]
