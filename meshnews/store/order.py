"""The orders that a store keeps its entries in, and where an entry stands in each.

A key is a tuple of numbers that ends in the entry's arrival number, so no two
are alike and ties fall the same way in every store.
"""

from bisect import bisect_left, insort
from typing import Final

from meshnews.ids import AuthKind, TrafficClass
from meshnews.store.port import WITH_BODY, Entry, State

ORDERS: Final = ("release", "dying", "acked", "expiry", "going", "lacking", "unseen")
"""One for each question of the port that asks for entries in an order."""

EVICTION_END: Final = (4,)
"""Above every key of the order of eviction."""


class Order:
    """Keys in order, each ending in an arrival number."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: list[tuple[float, ...]] = []

    def put(self, key: tuple[float, ...]) -> None:
        """Take in a key."""
        insort(self._keys, key)

    def take(self, key: tuple[float, ...]) -> None:
        """Take out a key that is there."""
        del self._keys[bisect_left(self._keys, key)]

    def first(self) -> tuple[float, ...] | None:
        """Return the lowest key."""
        return self._keys[0] if self._keys else None

    def between(
        self, low: tuple[float, ...], high: tuple[float, ...], at_most: int | None = None
    ) -> list[int]:
        """Return the arrival numbers of keys low ≤ key < high."""
        first, end = bisect_left(self._keys, low), bisect_left(self._keys, high)
        if at_most is not None:
            end = min(end, first + at_most)
        return [int(key[-1]) for key in self._keys[first:end]]


def keys_of(entry: Entry, arrival: int) -> list[tuple[str, tuple[float, ...]]]:
    """Return under which key an entry stands in which order.

    Raises:
        Nothing.
    """
    traffic, day, state = entry.ref.traffic, entry.ref.day, entry.state
    keys: list[tuple[str, tuple[float, ...]]] = []
    if state is State.WITHHELD:
        keys.append(("release", (entry.release_at_s, arrival)))
    if state in {State.HELD, State.LACKING}:
        keys.append(("dying", (entry.dies_at_s, arrival)))
    if state is State.LACKING:
        keys.append(("lacking", (traffic, -day, arrival)))
    if state is State.ACKED and not entry.had_body:
        keys.append(("unseen", (traffic, -day, arrival)))
    if entry.pinned or state not in WITH_BODY:
        return keys
    keys.append(("expiry", (entry.expiry_day, arrival)))
    if state is State.ACKED_WITH_BODY:
        keys.append(("acked", (entry.acked_at_s, arrival)))
    if traffic is not TrafficClass.NOTICE and state is not State.WITHHELD:
        rank = eviction_rank(entry), TrafficClass.BULK - traffic
        keys.append(("going", (*rank, entry.standing_day, -entry.copies, arrival)))
    return keys


def eviction_rank(entry: Entry) -> int:
    """Return in which of the four groups of `Carry.first_to_go` a body stands.

    Raises:
        Nothing.
    """
    if entry.state is State.ACKED_WITH_BODY:
        return 0
    if entry.auth is AuthKind.STAMP:
        return 1
    return 2 if entry.state is State.AGED else 3


def up_to(now_s: float) -> tuple[float, float]:
    """Return a key above all that begin with `now_s`, and below the next number.

    Raises:
        Nothing.
    """
    return (now_s, float("inf"))
