"""How long what arrives may gather before it is handled: a crowd's events share a transaction.

    begun ──> batch ──> rest until begun + (streams - FEW) * REST_S ──> begun ──> …

Each batch ends with a commit, a change of threads and a look at every stream.  A few streams are
served at once.  Of hundreds, each on a line of its own, something arrives every few
milliseconds: one batch for each would cost more than what it brings.
"""

from collections.abc import Callable
from typing import Final

import trio

STREAMS_FEW: Final = 8
"""With no more streams than this nobody waits."""

REST_S: Final = 0.0005
"""For each stream beyond, two batches begin so far apart."""

REST_S_MAX: Final = 0.025
"""And never farther: a round trip over any line out of a blackout takes longer."""


class Gathering:
    """Keeps batches apart while many streams are open.

    Args:
        streams: how many are open now.
    """

    def __init__(self, streams: Callable[[], int]) -> None:
        self._streams = streams
        self._begun_s = 0.0

    async def rest(self) -> None:
        """Return when the next batch may begin, and take that to be now."""
        apart_s = min((self._streams() - STREAMS_FEW) * REST_S, REST_S_MAX)
        if apart_s > 0:
            await trio.sleep_until(self._begun_s + apart_s)
        self._begun_s = trio.current_time()
