"""Keeps the parts of the daemon going: what fails is logged and begun again.

This is the one place that catches every exception.  A part that fails never
takes another with it; it is started again after a delay that doubles from
`BACKOFF_S_MIN` to `BACKOFF_S_MAX` and falls back once the part has held.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio

from meshnews.errors import StoreFull
from meshnewsd.platform.logs import Log

BACKOFF_S_MIN: Final = 0.5
BACKOFF_S_MAX: Final = 60.0

_log = Log("supervise")


class TooManyFailures(Exception):
    """A part failed so often that going on makes no sense."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures within how many seconds are borne."""

    failures: int
    within_s: float


async def supervise(
    name: str,
    start: Callable[[], Awaitable[None]],
    *,
    patience: Patience | None = None,
    weather: tuple[type[Exception], ...] = (StoreFull,),
) -> None:
    """Run ``start()`` until it returns, starting it again whenever it raises.

    Args:
        name: what the log calls the part.
        start: gives a fresh run of the part.
        patience: when to give up; None: never.
        weather: exceptions that are nobody's fault: logged without a traceback
            and not counted.

    Raises:
        TooManyFailures: `patience` is at its end.
    """
    backoff = Backoff()
    failures: deque[float] = deque()
    while True:
        began_s = trio.current_time()
        try:
            await start()
        except weather as storm:
            _log.warning("part stopped by weather", name=name, cause=storm)
        except Exception as fault:  # noqa: BLE001  supervision is for what nobody foresaw
            _log.error("part failed", cause=fault, name=name)
            _count(failures, patience, name)
        else:
            return
        await trio.sleep(backoff.next_s(held_s=trio.current_time() - began_s))


async def contain(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run ``run()`` once; whatever it raises is logged and goes no further."""
    try:
        await run()
    except Exception as fault:  # noqa: BLE001  one stream that fails must not end the others
        _log.error("task failed", cause=fault, name=name)


class Backoff:
    """Delays between attempts, twice as long each time until one has held."""

    def __init__(self) -> None:
        self._delay_s = BACKOFF_S_MIN

    def next_s(self, *, held_s: float) -> float:
        """Return how long to wait after an attempt that held for `held_s`."""
        if held_s > BACKOFF_S_MAX:
            self._delay_s = BACKOFF_S_MIN
        delay_s = self._delay_s
        self._delay_s = min(delay_s * 2, BACKOFF_S_MAX)
        return delay_s


def _count(failures: deque[float], patience: Patience | None, name: str) -> None:
    if patience is None:
        return
    now_s = trio.current_time()
    failures.append(now_s)
    while failures[0] <= now_s - patience.within_s:
        failures.popleft()
    if len(failures) >= patience.failures:
        raise TooManyFailures(name)
