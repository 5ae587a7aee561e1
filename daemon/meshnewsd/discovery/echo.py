"""What our own calls, and those of others, tell of firewalls and networks.

The kernel brings every call to everybody back to its sender, through the same
firewall by which others' calls come in.  So a call of ours that does not come
back means that others' do not come in either, by that way on that interface.
What comes back by every way while others' calls come by one of them only is
kept away by the network.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from meshnewsd.discovery.air import Way

ECHO_S_MAX: Final = 1.0
"""The kernel brings a call back at once."""

REMEMBERED_S: Final = 600.0
HEARD_MIN: Final = 2
"""So many calls by one way and none by the other are hardly an accident: each is sent by both."""

_PAIRED: Final = ((Way.BROADCAST, Way.MULTICAST), (Way.MULTICAST, Way.BROADCAST))
"""Whoever has IPv4 calls by both of these; who has IPv6 besides cannot be known."""

Place = tuple[str, Way]


class Echoes:
    """Remembers, for each interface and way, what was sent, what came back, and what came.

    Args:
        now_s: the time, in seconds from any moment.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._waiting: dict[Place, float] = {}
        """Since when a call has not come back."""
        self._returned: set[Place] = set()
        self._others: dict[Place, deque[float]] = {}

    def sent(self, interface: str, way: Way) -> None:
        """A call is about to be sent."""
        self._waiting.setdefault((interface, way), self._now_s())

    def failed(self, interface: str, way: Way) -> None:
        """It was not sent after all."""
        self._waiting.pop((interface, way), None)

    def returned(self, interface: str, way: Way) -> None:
        """A call of ours came back."""
        self._waiting.pop((interface, way), None)
        self._returned.add((interface, way))

    def came(self, interface: str, way: Way) -> None:
        """A call of somebody else came."""
        self._others.setdefault((interface, way), deque(maxlen=HEARD_MIN)).append(self._now_s())

    def forget(self, interfaces: Iterable[str]) -> None:
        """These are gone, and what was known of them is worth nothing when they come again."""
        gone = set(interfaces)
        self._waiting = {at: value for at, value in self._waiting.items() if at[0] not in gone}
        self._others = {at: value for at, value in self._others.items() if at[0] not in gone}
        self._returned = {at for at in self._returned if at[0] not in gone}

    def open(self) -> frozenset[Place]:
        """Return the ways by which calls are known to come in."""
        deaf = {at for at in self._waiting if self._is_deaf(at)}
        return frozenset(self._returned - deaf | {at for at in self._others if self._recent(at)})

    def pending(self) -> frozenset[Place]:
        """Return the ways by which a call has not come back and still may."""
        return frozenset(at for at in self._waiting if not self._is_deaf(at))

    def deaf(self) -> frozenset[Place]:
        """Return the ways by which our own calls do not come back, nor anybody else's come."""
        return frozenset(at for at in self._waiting if self._is_deaf(at) and not self._recent(at))

    def missing(self) -> frozenset[Place]:
        """Return the ways by which the network brings nothing, though it does by another."""
        return frozenset(
            (interface, lacking)
            for present, lacking in _PAIRED
            for interface, way in self._others
            if way is present
            and self._is_regular((interface, present))
            and not self._recent((interface, lacking))
            and (interface, lacking) not in self.deaf()
        )

    def _is_deaf(self, at: Place) -> bool:
        since_s = self._waiting.get(at)
        return since_s is not None and self._now_s() - since_s > ECHO_S_MAX

    def _is_regular(self, at: Place) -> bool:
        return len(self._recent(at)) >= HEARD_MIN

    def _recent(self, at: Place) -> list[float]:
        since_s = self._now_s() - REMEMBERED_S
        return [time_s for time_s in self._others.get(at, ()) if time_s >= since_s]
