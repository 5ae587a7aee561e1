"""Some elements of one bucket by position, as they were when they were first looked at.

    key    = position, its lowest bit replaced by 1 when acked, else 0         8 bytes
    positions 8 and records (id 32 ‖ state 1), each one behind the other as they were read
    keys in ascending order, and for each where it was read

A key names an element and says whether it is acked, so two keys that differ in the
lowest bit only are one bundle that one side knows as acked.  Kept this way an element
takes 53 bytes; as objects it would take four times as much.

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
from meshnews.store.port import ACKED, State
from meshnews.sync.compare import Elements
from meshnews.sync.messages import ID_BYTES, SHORT_BYTES
from meshnews.sync.question import RANGE_BYTES
from meshnews.sync.salt import Salt

POSITION_BITS: Final = 8 * SHORT_BYTES
_RECORD: Final = ID_BYTES + 1
_PART_BITS: Final = 4
_MARKS: Final = tuple(bytes((state,)) for state in State)
_BITS: Final = tuple(int(state in ACKED) for state in State)
_STATES: Final = tuple(State)


class Snapshot:
    """Elements of one bucket, in order of position."""

    def __init__(self, elements: Iterable[tuple[BundleId, State]], salt: Salt) -> None:
        position = salt.position
        positions, records, acked = bytearray(), bytearray(), bytearray()
        for identifier, state in elements:
            positions += position(identifier)
            records += identifier
            records += _MARKS[state]
            acked.append(_BITS[state])
        self._positions, self._records = positions, records
        read = array("Q", _without_lowest_bits(positions))
        if sys.byteorder == "little":
            read.byteswap()
        if any(acked):
            for at, bit in enumerate(acked):
                read[at] |= bit
        self._order = _in_order(read)
        self._keys = array("Q", map(read.__getitem__, self._order))
        self._sums: array[int] | None = None

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
        start = self._order[at] * SHORT_BYTES
        return bytes(self._positions[start : start + SHORT_BYTES])

    def element(self, at: int) -> tuple[BundleId, State]:
        """Return an element."""
        start = self._order[at] * _RECORD
        end = start + ID_BYTES
        return BundleId(bytes(self._records[start:end])), _STATES[self._records[end]]

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


def _in_order(keys: "array[int]") -> "array[int]":
    """Return where the keys stand, in ascending order of the keys.

    A part at a time: sorting makes an object of each, and of a million these are 100 MB.
    """
    parts = [array("I") for _ in range(1 << _PART_BITS)]
    shift = POSITION_BITS - _PART_BITS
    for at, key in enumerate(keys):
        parts[key >> shift].append(at)
    order = array("I")
    for part in parts:
        order.extend(sorted(part, key=keys.__getitem__))
    return order


def _without_lowest_bits(positions: bytes | bytearray) -> bytes:
    """Return positions one behind the other, the lowest bit of each cleared.

    As one large number: that takes a tenth of the time.
    """
    mask = (b"\xff" * (SHORT_BYTES - 1) + b"\xfe") * (len(positions) // SHORT_BYTES)
    cleared = int.from_bytes(positions, "big") & int.from_bytes(mask, "big")
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
