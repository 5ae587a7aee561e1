"""Tells progress a few times a second at most: whoever hears it can do no more with it."""

from typing import TYPE_CHECKING, Final

import trio

from meshnews.control.reply import Progress

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit

APART_S: Final = 0.25
"""Between two tellings of one file."""


class Sparing:
    """Passes on of each file's progress the first, the last, and some of what is between."""

    def __init__(self, emit: "Emit") -> None:
        """Take what sends an event to the asker."""
        self._emit = emit
        self._quiet_until_s = 0.0

    async def tell(self, progress: Progress) -> None:
        """Pass `progress` on, unless another was passed on just now.

        Raises:
            HungUp: the asker has gone or does not take it in time.
        """
        is_between = 0 < progress.done < progress.total
        now_s = trio.current_time()
        if is_between and now_s < self._quiet_until_s:
            return
        self._quiet_until_s = now_s + APART_S
        await self._emit(progress)
