"""Some elements of one bucket by position, as they were when they were first looked at.

    key    = position, its lowest bit replaced by 1 when acked, else 0         8 bytes
    record = position 8 ‖ id 32 ‖ state 1, one behind the other in order of position

A key names an element and says whether it is acked, so two keys that differ in the
lowest bit only are one bundle that one side knows as acked.  Kept this way an element
takes 49 bytes; as objects it would take four times as much.

    fingerprint of a range = bits 32 … 63 of the sum of key² over its keys
"""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from meshnews.ids import BundleId, Day, TrafficClass
from meshnews.store.bucket import runs
from meshnews.store.port import State
from meshnews.sync.compare import Elements
from meshnews.sync.messages import ID_BYTES, SHORT_BYTES
from meshnews.sync.question import RANGE_BYTES
from meshnews.sync.salt import Salt

ACKED: Final = frozenset({State.ACKED, State.ACKED_WITH_BODY})
POSITION_BITS: Final = 8 * SHORT_BYTES
_STATE_AT: Final = SHORT_BYTES + ID_BYTES
_RECORD: Final = _STATE_AT + 1
_MARKS: Final = tuple(bytes((state,)) for state in State)
_STATES: Final = tuple(State)
assert tuple(_STATES[:4]) == (State.HELD, State.LACKING, *sorted(ACKED)), "acked ones come last"


class Snapshot:
    """Elements of one bucket, in order of position."""

    def __init__(self, elements: Iterable[tuple[BundleId, State]], salt: Salt) -> None:
        position = salt.position
        records = [position(id_) + id_ + _MARKS[state] for id_, state in elements]
        records.sort()
        self._records = b"".join(records)
        self._sums: array[int] | None = None
        self._keys = array("Q")
        self._keys.frombytes(_without_lowest_bits([record[:SHORT_BYTES] for record in records]))
        if sys.byteorder == "little":
            self._keys.byteswap()
        for at, state in enumerate(self._records[_STATE_AT::_RECORD]):
            if state >= State.ACKED:
                self._keys[at] |= 1

    def __len__(self) -> int:
        return len(self._keys)

    def between(self, bits: int, prefix: int) -> tuple[int, int]:
        """Return where the elements begin and end whose positions begin with a prefix."""
        shift = POSITION_BITS - bits
        start = bisect_left(self._keys, prefix << shift)
        if prefix + 1 >> bits:
            return start, len(self._keys)
        return start, bisect_left(self._keys, prefix + 1 << shift, lo=start)

    def keys(self, start: int, end: int) -> Sequence[int]:
        """Return the keys of the elements `start` … `end` - 1."""
        return self._keys[start:end]

    def fingerprint(self, bits: int, prefix: int) -> bytes:
        """Return the 4 bytes that two equal ranges share."""
        start, end = self.between(bits, prefix)
        if self._sums is None:
            # Summed up once: else a small question about a large range would cost all of it.
            squares = (key * key for key in self._keys)
            self._sums = array("Q", accumulate(squares, _add, initial=0))
        total = self._sums[end] - self._sums[start]
        return (total >> 32 & 0xFFFFFFFF).to_bytes(RANGE_BYTES, "big")

    def short(self, at: int) -> bytes:
        """Return the position of an element."""
        start = at * _RECORD
        return self._records[start : start + SHORT_BYTES]

    def element(self, at: int) -> tuple[BundleId, State]:
        """Return an element."""
        start = at * _RECORD
        identifier = self._records[start + SHORT_BYTES : start + _STATE_AT]
        return BundleId(identifier), _STATES[self._records[start + _STATE_AT]]

    def find(self, key: int) -> int | None:
        """Return where the element is that has this key, or has it but for its lowest bit."""
        at = bisect_left(self._keys, key & ~1)
        if at < len(self._keys) and self._keys[at] | 1 == key | 1:
            return at
        return None

    def has(self, key: int) -> bool:
        """Tell whether there is an element with exactly this key."""
        at = bisect_left(self._keys, key)
        return at < len(self._keys) and self._keys[at] == key

    def get(self, short: bytes) -> tuple[BundleId, State] | None:
        """Return the element at a position, or None."""
        at = self.find(int.from_bytes(short, "big"))
        if at is None or self.short(at) != short:
            return None
        return self.element(at)


def _add(total: int, square: int) -> int:
    return total + square & 0xFFFFFFFFFFFFFFFF


def _without_lowest_bits(positions: list[bytes]) -> bytes:
    """Return the positions one behind the other, the lowest bit of each cleared.

    As one large number: that takes a tenth of the time.
    """
    mask = (b"\xff" * (SHORT_BYTES - 1) + b"\xfe") * len(positions)
    cleared = int.from_bytes(b"".join(positions), "big") & int.from_bytes(mask, "big")
    return cleared.to_bytes(len(mask), "big")


def snapshot_of(
    elements: Elements, salt: Salt, traffic: TrafficClass, day: Day, pages: Iterable[int]
) -> Snapshot:
    """Return a snapshot of some pages of a bucket, given in ascending order.

    Raises:
        Nothing.
    """
    return Snapshot(
        (
            element
            for first, end in runs(pages)
            for element in elements.elements(traffic, day, first=first, end=end)
        ),
        salt,
    )
