"""Cells: sums over a set from which two machines read in what their sets differ.

Both sides make cells of their sets; what they share cancels when one side's cells are
put on the other's, and of d elements that are not shared some 1.5 d cells tell every
one, however large the sets are.  More cells can always follow those sent before (a
rateless invertible Bloom lookup table; Yang, Gilad, Alizadeh, "Practical Rateless Set
Reconciliation", 2024).

    cell  = key 8 ‖ check 3                                      11 bytes, big endian
    check = bits 40 … 63 of key²
    a cell is the exclusive or of the (key ‖ check) of the elements that are in it

An element is in cell i with probability 2 / (2 + i), by itself for each cell: all are in
the first.  Cells come in chunks of 32.  Chunk c has 1,024 patterns; an element has

    slot    = the 10 bits of its key from bit 1 + 10 · (c mod 5) on, inverted if bit 0 is 1
    pattern = b2('sync-cells', c u8 ‖ slot u16, n = 64): 32 numbers u16, and it is in cell
              32·c + j when (2 + 32·c + j) · number j < 2^17

(One bundle that is acked on one side only is there with two keys that differ in bit 0
alone: in the same cells they would cancel but for that bit, and never be read.)

So an element costs one exclusive or a chunk: it goes to its slot, and slots are spread
over the cells in the end.  Keys are salted and random to whoever chose the identifiers:
neither patterns nor check need to resist anybody.  See docs/protocol/sync.md, "Cells".
"""

import enum
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from math import log
from struct import iter_unpack, unpack
from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.limits import CELLS_MAX
from meshnews.sync.question import CELL_BYTES

CHUNK: Final = 32
_SLOT_BITS: Final = 10
_SLOTS: Final = 1 << _SLOT_BITS
_SLICES: Final = 5
_FEW: Final = 512
"""Fewer elements than this go into their cells one by one."""

_CHECK_BITS: Final = 24
_CHECK_MASK: Final = (1 << _CHECK_BITS) - 1


class Reading(enum.Enum):
    """What came of peeling the cells of one part."""

    COMPLETE = "complete"
    WANTS_MORE = "wants more"
    BROKEN = "broken"
    """The cells contradict themselves: no further ones will help."""


@lru_cache(maxsize=-(-CELLS_MAX // CHUNK))
def _patterns(chunk: int) -> tuple[tuple[int, ...], ...]:
    """Return for each slot in which cells of the chunk it is."""
    first = chunk * CHUNK + 2
    patterns: list[tuple[int, ...]] = []
    for slot in range(_SLOTS):
        seed = b2(Label.SYNC_CELLS, bytes((chunk,)) + slot.to_bytes(2, "big"), size=2 * CHUNK)
        numbers = enumerate(unpack(f">{CHUNK}H", seed))
        patterns.append(tuple([at for at, n in numbers if (first + at) * n < 1 << 17]))
    return tuple(patterns)


def _shift(chunk: int) -> int:
    """Return where in a key its slot of a chunk begins: not in the bit that says acked."""
    return 1 + _SLOT_BITS * (chunk % _SLICES)


def _marked(key: int) -> int:
    """Return a key with its check behind it."""
    return key << _CHECK_BITS | key * key >> 40 & _CHECK_MASK


def cells_of(keys: Iterable[int], start: int, end: int) -> list[int]:
    """Return the cells `start` … `end` - 1 of a set of keys.

    Source: docs/protocol/sync.md, "Cells".

    Raises:
        Nothing.
    """
    listed = list(keys)
    marked = [key << 24 | key * key >> 40 & 0xFFFFFF for key in listed]
    cells: list[int] = []
    sources = [~key if key & 1 else key for key in listed]
    for chunk in range(start // CHUNK, -(-end // CHUNK)):
        cells += _chunk_of(sources, marked, chunk)
    skipped = start // CHUNK * CHUNK
    return cells[start - skipped : end - skipped]


def _chunk_of(sources: list[int], marked: list[int], chunk: int) -> list[int]:
    cells = [0] * CHUNK
    shift, patterns = _shift(chunk), _patterns(chunk)
    if len(sources) < _FEW:
        for source, value in zip(sources, marked, strict=True):
            for at in patterns[source >> shift & 1023]:
                cells[at] ^= value
        return cells
    slots = [0] * _SLOTS
    for source, value in zip(sources, marked, strict=True):
        slots[source >> shift & 1023] ^= value
    for slot, value in enumerate(slots):
        for at in patterns[slot]:
            cells[at] ^= value
    return cells


def pack_cells(cells: Iterable[int]) -> bytes:
    """Return the bytes of cells.

    Raises:
        Nothing.
    """
    return b"".join([cell.to_bytes(CELL_BYTES, "big") for cell in cells])


def unpack_cells(packed: bytes) -> list[int]:
    """Return the cells that `pack_cells` packed; `packed` is a whole number of them.

    Raises:
        Nothing.
    """
    return [int.from_bytes(cell, "big") for (cell,) in iter_unpack(f"{CELL_BYTES}s", packed)]


class Peeler:
    r"""Reads from the cells of one part what two sets do not share.

    extend(theirs, ours) --peel--> COMPLETE: `only_ours` and `only_theirs` are everything
            ^                \--> WANTS_MORE --+
            +----------------------------------+
    """

    def __init__(self, is_ours: Callable[[int], bool], is_inside: Callable[[int], bool]) -> None:
        self._is_ours = is_ours
        self._is_inside = is_inside
        self._cells: list[int] = []
        self._came_empty: list[bool] = []
        self._found: set[int] = set()
        self.only_ours: list[int] = []
        self.only_theirs: list[int] = []

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self._cells)

    @property
    def found(self) -> int:
        """How many elements were read already."""
        return len(self._found)

    def expected(self) -> float | None:
        """Return about how many elements differ, or None for far more than there are cells.

        Of the cells in the second half, as they came, so many are empty as chance leaves
        with d elements: exp(-2 d / (2 + i)) of those at i.
        """
        end = len(self._came_empty)
        start = end // 2
        empty = sum(self._came_empty[start:])
        if not empty:
            return None
        return -log(empty / (end - start)) * (2 + (start + end) / 2) / 2

    def extend(self, theirs: Iterable[int], ours: Iterable[int]) -> None:
        """Add the next cells of both sides."""
        start = len(self._cells)
        self._cells += [one ^ other for one, other in zip(theirs, ours, strict=True)]
        self._came_empty += [not cell for cell in self._cells[start:]]
        for key in self._found:
            value = _marked(key)
            for at in _places(key, start, len(self._cells)):
                self._cells[at] ^= value

    def peel(self) -> Reading:
        """Read what can be read."""
        cells = self._cells
        waiting = list(range(len(cells)))
        while waiting:
            at = waiting.pop()
            value = cells[at]
            key = value >> _CHECK_BITS
            if not value or _marked(key) != value:
                continue
            places = list(_places(key, 0, len(cells)))
            if at not in places:
                continue
            # Each element is read once, so lies end after as many steps as there are cells.
            if key in self._found or not self._is_inside(key) or self.found >= len(cells):
                return Reading.BROKEN
            self._found.add(key)
            (self.only_ours if self._is_ours(key) else self.only_theirs).append(key)
            for place in places:
                cells[place] ^= value
            waiting += places
        return Reading.WANTS_MORE if any(cells) else Reading.COMPLETE


def _places(key: int, start: int, end: int) -> Iterator[int]:
    """Yield in which of the cells `start` … `end` - 1 an element is."""
    source = ~key if key & 1 else key
    for chunk in range(start // CHUNK, -(-end // CHUNK)):
        for at in _patterns(chunk)[source >> _shift(chunk) & 1023]:
            if start <= chunk * CHUNK + at < end:
                yield chunk * CHUNK + at
