"""Who is served next: streams take turns, so that nobody waits for another's flood.

    stream 7    event, event, event …   |  a turn: TURN_BYTES of one lane, then
    stream 9    event                   |  the next lane, in the order in which
    all else    event, call, event …    |  each began to wait

Within a lane the order is kept.  A stream with something to say waits for one
turn of each of the others at most, however much they have waiting.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable, Iterator
from typing import Final, Generic, TypeVar

TURN_BYTES: Final = 64 * 1024
"""What a lane may say before the next one's turn: one read of a fast stream."""

ENTRY_BYTES: Final = 1024
"""What an entry costs besides the bytes it brings: small ones keep the node busy too."""

T = TypeVar("T")


class Turns(Generic[T]):
    """Entries that wait, in lanes that are served in turn."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[Hashable, deque[tuple[T, int]]] = OrderedDict()
        self._waiting = 0
        self._left_bytes = TURN_BYTES

    def __len__(self) -> int:
        return self._waiting

    def __iter__(self) -> Iterator[T]:
        """Yield what waits, lane by lane."""
        return (entry for lane in self._lanes.values() for entry, _ in lane)

    def put(self, lane: Hashable, entry: T, size: int = 0) -> None:
        """Let `entry` wait behind all others of its lane.

        Args:
            lane: whose turn it is part of.
            entry: what waits.
            size: the bytes it brings.
        """
        self._lanes.setdefault(lane, deque()).append((entry, size + ENTRY_BYTES))
        self._waiting += 1

    def put_first(self, lane: Hashable, entry: T) -> None:
        """Let `entry` be the next of all, and its lane's turn begin with it."""
        self._lanes.setdefault(lane, deque()).appendleft((entry, ENTRY_BYTES))
        self._lanes.move_to_end(lane, last=False)
        self._waiting += 1
        self._left_bytes = TURN_BYTES

    def peek(self) -> T | None:
        """Return what `take` would return; None: nothing waits."""
        for lane in self._lanes.values():
            return lane[0][0]
        return None

    def take(self) -> T:
        """Take out the next entry.

        Raises:
            LookupError: nothing waits.
        """
        name, lane = next(iter(self._lanes.items()), (None, deque[tuple[T, int]]()))
        entry, size = lane.popleft()
        self._waiting -= 1
        self._left_bytes -= size
        if not lane:
            del self._lanes[name]
        elif self._left_bytes <= 0:
            self._lanes.move_to_end(name)
        if not lane or self._left_bytes <= 0:
            self._left_bytes = TURN_BYTES
        return entry
