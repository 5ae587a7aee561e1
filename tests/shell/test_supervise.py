import logging

import pytest
import trio
from trio.testing import MockClock

from meshnews.errors import StoreFull
from meshnewsd.supervise import (
    BACKOFF_S_MAX,
    BACKOFF_S_MIN,
    Patience,
    TooManyFailures,
    contain,
    supervise,
)


class Part:
    """Fails as often as it is told, after holding for a while."""

    def __init__(self, *faults: Exception, holds_s: float = 0.0) -> None:
        self.faults = list(faults)
        self.holds_s = holds_s
        self.starts_s: list[float] = []

    async def run(self) -> None:
        self.starts_s.append(trio.current_time())
        await trio.sleep(self.holds_s)
        if self.faults:
            raise self.faults.pop(0)

    @property
    def gaps_s(self) -> list[float]:
        pairs = zip(self.starts_s, self.starts_s[1:], strict=False)
        return [later - earlier - self.holds_s for earlier, later in pairs]


async def test_a_part_that_returns_is_done(autojump_clock: MockClock) -> None:
    part = Part()
    await supervise("part", part.run)
    assert len(part.starts_s) == 1


async def test_a_failing_part_is_started_again_with_doubling_delays(
    autojump_clock: MockClock,
) -> None:
    part = Part(*(ValueError() for _ in range(10)))
    await supervise("part", part.run)
    assert part.gaps_s[:4] == pytest.approx([0.5, 1, 2, 4])
    assert part.gaps_s[0] == pytest.approx(BACKOFF_S_MIN)
    assert max(part.gaps_s) == pytest.approx(BACKOFF_S_MAX)


async def test_the_delay_falls_back_once_a_part_has_held(autojump_clock: MockClock) -> None:
    part = Part(*(ValueError() for _ in range(3)), holds_s=BACKOFF_S_MAX + 1)
    await supervise("part", part.run)
    assert part.gaps_s == pytest.approx([0.5, 0.5, 0.5])


async def test_a_failure_never_takes_another_part_with_it(autojump_clock: MockClock) -> None:
    failing, steady = Part(ValueError(), KeyError(b"k")), Part(holds_s=1000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervise, "failing", failing.run)
        nursery.start_soon(supervise, "steady", steady.run)
    assert len(failing.starts_s) == 3
    assert len(steady.starts_s) == 1


async def test_patience_ends_after_enough_failures_in_a_while(autojump_clock: MockClock) -> None:
    part = Part(*(ValueError() for _ in range(99)))
    with pytest.raises(TooManyFailures):
        await supervise("part", part.run, patience=Patience(failures=5, within_s=60))
    assert len(part.starts_s) == 5


async def test_failures_far_apart_are_borne(autojump_clock: MockClock) -> None:
    part = Part(*(ValueError() for _ in range(20)), holds_s=61)
    await supervise("part", part.run, patience=Patience(failures=2, within_s=60))
    assert len(part.starts_s) == 21


async def test_weather_is_not_counted_and_leaves_no_traceback(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    part = Part(*(StoreFull("no room") for _ in range(20)))
    with caplog.at_level(logging.DEBUG, logger="meshnewsd"):
        await supervise("part", part.run, patience=Patience(failures=2, within_s=1e6))
    assert len(part.starts_s) == 21
    assert {record.levelname for record in caplog.records} == {"WARNING"}


async def test_cancelling_is_no_failure() -> None:
    part = Part(holds_s=1000)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervise, "part", part.run)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    assert len(part.starts_s) == 1


async def test_what_is_contained_goes_no_further(caplog: pytest.LogCaptureFixture) -> None:
    part = Part(ValueError())
    await contain("task", part.run)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
