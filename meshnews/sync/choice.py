"""How a day is compared: by which codec, how fine, with how many cells.

The rules are one machine's choice and no part of the protocol: whoever gets a message
takes its parameters from it.  Figures and reasons: docs/decisions/0121.
"""

from dataclasses import dataclass
from math import ceil, log, log2
from typing import Final

from meshnews.limits import CELLS_MAX, GRID_BITS_MAX, PART_BITS_MAX
from meshnews.sync.compare import Manner
from meshnews.sync.messages import SHORT_BYTES
from meshnews.sync.question import CELL_BYTES

_SMALL: Final = 32
"""A day of at most so many elements on both sides is listed at once: at most 300 bytes."""

_PART_DIFFERENCES: Final = 48
"""For so many a part is made: more would need fewer cells and more work."""

_CELLS_PER_DIFFERENCE: Final = 1.5
_CELLS_LEAST: Final = 6
_LISTED_BYTES: Final = 8.25


@dataclass(frozen=True, slots=True)
class Cut:
    """Into `2 ** bits` parts a bucket is cut, and how many cells each is given at first."""

    bits: int
    cells: int


def is_best_listed(ours: int, theirs: int) -> bool:
    """Tell whether a dialler of `ours` elements should list a day at once.

    So it is when few are there, or so different numbers that cells for what differs
    would take more.

    Raises:
        Nothing.
    """
    if max(ours, theirs) <= _SMALL:
        return True
    return _LISTED_BYTES * ours <= _cells_bytes(abs(ours - theirs), 1)


def grid_bits(elements: int, manner: Manner) -> int:
    """Return into how fine a grid a bucket of so many elements is cut, as a power of two.

    Raises:
        Nothing.
    """
    if elements <= manner.range_elements:
        return 0
    return min(GRID_BITS_MAX, ceil(log2(elements / manner.range_elements)))


def differences(*, differing: int, ranges: int, least: int) -> int:
    """Return about how many elements differ when so many of all ranges do.

    Each falls into one range, as if by lot; when none is equal, the least number that
    makes that likely.  `least` is known to differ in any case.

    Raises:
        Nothing.
    """
    equal = max(ranges - differing, 0.5)
    return max(least, ceil(-ranges * log(equal / ranges)) if ranges > 1 else 1, differing)


def cut_of(count: int, *, listed: int, manner: Manner) -> Cut | None:
    """Return how to make cells for about `count` differences, or None.

    None when a list of `listed` elements takes less.

    Raises:
        Nothing.
    """
    bits = min(PART_BITS_MAX, max(0, round(log2(count / _PART_DIFFERENCES))))
    if _LISTED_BYTES * listed <= _cells_bytes(count, 1 << bits):
        return None
    each = count / (1 << bits)
    cells = ceil(manner.surplus * _CELLS_PER_DIFFERENCE * each) + _CELLS_LEAST
    return Cut(bits, min(CELLS_MAX, cells))


def more_cells(cells: int, expected: float | None) -> int:
    """Return how many cells a part should have next that differs in about `expected` elements.

    None stands for far more than there are cells.

    Raises:
        Nothing.
    """
    wanted = 4 * cells if expected is None else ceil(_CELLS_PER_DIFFERENCE * expected) + 2
    return min(CELLS_MAX, max(wanted, cells + 2 + cells // 8))


def _cells_bytes(count: int, parts: int) -> float:
    """Return about what cells for so many differences take, and the keys told then."""
    cells = _CELLS_PER_DIFFERENCE * count + _CELLS_LEAST * parts
    return CELL_BYTES * cells + SHORT_BYTES * count / 2
