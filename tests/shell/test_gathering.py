"""A crowd's events gather; where few streams are open nobody waits."""

import pytest
import trio
from trio.testing import MockClock

from meshnewsd.gathering import REST_S, REST_S_MAX, STREAMS_FEW, Gathering

LONG_AGO_S = 100.0


async def apart_s(streams: int) -> float:
    """Return how far apart two batches begin that have nothing to wait for."""
    gathering = Gathering(lambda: streams)
    await trio.sleep(LONG_AGO_S)
    await gathering.rest()
    since_s = trio.current_time()
    await gathering.rest()
    return trio.current_time() - since_s


@pytest.mark.parametrize("streams", [0, 1, STREAMS_FEW])
async def test_with_few_streams_open_nobody_waits(streams: int, autojump_clock: MockClock) -> None:
    assert await apart_s(streams) == 0


async def test_the_more_streams_are_open_the_longer_what_comes_gathers(
    autojump_clock: MockClock,
) -> None:
    assert await apart_s(STREAMS_FEW + 10) == pytest.approx(10 * REST_S)
    assert await apart_s(1000) == pytest.approx(REST_S_MAX)


async def test_what_comes_after_a_quiet_while_is_handled_at_once(
    autojump_clock: MockClock,
) -> None:
    gathering = Gathering(lambda: 1000)
    await gathering.rest()
    await trio.sleep(REST_S_MAX)
    since_s = trio.current_time()
    await gathering.rest()
    assert trio.current_time() == since_s
