"""Of an attachment that is not complete no more is said to be here than there is."""

import itertools

import pytest

from meshnews.bundle.tree import leaf_bytes, leaves_of
from meshnews.limits import CHUNK_BYTES
from meshnewsd.control.reading import bytes_here


@pytest.mark.parametrize(
    "size", [1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES - 1, 4 * CHUNK_BYTES]
)
def test_whichever_leaves_are_here_they_hold_at_least_so_much(size: int) -> None:
    leaves = leaves_of(size)
    held = [leaf_bytes(position, size) for position in range(leaves)]
    for count in range(leaves + 1):
        least = min(sum(some) for some in itertools.combinations(held, count))
        assert bytes_here(size, leaves=leaves, here=count) == least
