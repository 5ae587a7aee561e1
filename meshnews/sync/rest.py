"""When a peer is asked for nothing: it was silent too long, or names what it does not hold.

    asked --owes something for STALL_S and is silent--> rests until it speaks, or for a while
          --names in vain-----------------------------> rests for VAIN_REST_S

Whoever stays silent is asked again ever later: what it owes was asked of others meanwhile, and
would be kept from them each time.
"""

from typing import Final

from meshnews.limits import STALL_S

STALL_REST_S_MAX: Final = 480.0
"""The longest rest of a silent peer; the first is STALL_S, each after it twice the last."""

VAIN_NAMES_MAX: Final = 4096
"""Names that may turn out not to be held, before the peer is asked for nothing for a while."""

VAIN_REST_S: Final = 15.0
VAIN_NAMES_AGAIN: Final = 256
"""How long that while is, and how many names may be vain after it before the next."""


class Rest:
    """Whether one peer is asked for anything now.  Times are in seconds of life."""

    def __init__(self) -> None:
        self._silent_until_s: float | None = None
        self._silence_s = STALL_S
        self._distrusts_until_s: float | None = None
        self._vain_left = VAIN_NAMES_MAX

    def __bool__(self) -> bool:
        return self.until_s is not None

    @property
    def until_s(self) -> float | None:
        """When to `look`; None while it is asked."""
        times = [s for s in (self._silent_until_s, self._distrusts_until_s) if s is not None]
        return min(times, default=None)

    def look(self, now_s: float) -> None:
        """Take note of the time: a rest may be over."""
        if self._silent_until_s is not None and now_s >= self._silent_until_s:
            self._silent_until_s = None
        if self._distrusts_until_s is not None and now_s >= self._distrusts_until_s:
            self._distrusts_until_s = None

    def silent(self, now_s: float) -> None:
        """Take note that the peer owes something and has been silent."""
        self._silent_until_s = now_s + self._silence_s
        self._silence_s = min(2 * self._silence_s, STALL_REST_S_MAX)

    def spoke(self) -> None:
        """Take note that the peer sent something of what it was asked for."""
        self._silent_until_s, self._silence_s = None, STALL_S

    def named_in_vain(self, now_s: float) -> None:
        """Count a name that led to nothing; after too many, the peer is asked for nothing.

        It is still given what it lacks.  Were the link ended instead, the side that calls would be
        back within seconds, and all of it compared and asked for once more.
        """
        self._vain_left -= 1
        if self._vain_left <= 0:
            self._distrusts_until_s = now_s + VAIN_REST_S
            self._vain_left = VAIN_NAMES_AGAIN
