"""Pages of a bucket: only what changed is read again."""

import copy

from hypothesis import given
from hypothesis import strategies as st

from meshnews.ids import BundleId
from meshnews.store.bucket import EMPTY_DIGEST, Bucket, PageIndex, digest_of, page_of, runs
from meshnews.store.port import State


def element(page: int, number: int = 0) -> tuple[BundleId, State]:
    return BundleId(bytes((page, number)) + bytes(30)), State.HELD


class Shelf:
    """Elements, and what was read of them."""

    def __init__(self, *elements: tuple[BundleId, State]) -> None:
        self.elements = sorted(elements)
        self.read: list[tuple[int, int]] = []
        self.index = PageIndex(self._read)

    def _read(self, first: int, end: int) -> list[tuple[BundleId, State]]:
        self.read.append((first, end))
        return [one for one in self.elements if first <= one[0][0] < end]


def test_an_arrival_makes_one_page_be_read_again() -> None:
    shelf = Shelf(*[element(page) for page in range(256)])
    before = shelf.index.digest()
    assert shelf.index.digest() == before
    shelf.read.clear()
    shelf.elements = sorted([*shelf.elements, element(7, 1)])
    shelf.index.touch(7)
    assert shelf.index.digest() != before
    assert shelf.read == [(7, 8)]
    assert shelf.index.pages()[7].count == 2


def test_a_page_that_became_empty_is_none() -> None:
    shelf = Shelf(element(7))
    assert set(shelf.index.pages()) == {7}
    shelf.elements = []
    shelf.index.touch(7)
    assert shelf.index.digest() == EMPTY_DIGEST
    assert not shelf.index.pages()


def test_a_large_bucket_is_read_in_pieces() -> None:
    shelf = Shelf(element(7))
    shelf.index.pages()
    assert all(end - first <= 16 for first, end in shelf.read)


@given(st.sets(st.integers(0, 255)))
def test_runs_are_the_pages_in_their_order(pages: set[int]) -> None:
    found = list(runs(sorted(pages)))
    assert [page for first, end in found for page in range(first, end)] == sorted(pages)
    assert all(0 < end - first <= 16 for first, end in found)


def test_a_copy_is_compared_by_its_own_elements() -> None:
    """It was by those of the bucket that it had been copied from, as far as they went."""
    original = Bucket()
    original.set(*element(7))
    original.index.digest()
    bucket = copy.deepcopy(original)
    bucket.set(*element(9))
    both = {7: page_of([element(7)]), 9: page_of([element(9)])}
    assert bucket.index.digest() == digest_of(both)
    assert original.index.digest() == digest_of({7: both[7]})
