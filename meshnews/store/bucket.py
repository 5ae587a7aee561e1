"""One bucket of the compared set, class and day: its elements in order, and their digests.

A digest of the whole bucket would have to be made anew, from all its elements,
after every bundle that arrives.  So a bucket has 256 pages, by the first byte of
the identifier: an arrival costs one page.  Whoever chooses identifiers can crowd
a page, which then costs as much as a bucket without pages.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.ids import BundleId
from meshnews.store.port import COMPARED, PAGES, Page, State

EMPTY_DIGEST: Final = bytes(32)
"""The digest of a bucket without elements."""

_MARKS: Final = (b"\0", b"\0", b"\1", b"\1")
"""What the digest says of each compared state: acked, or not."""

_READ_AT_ONCE: Final = 16
"""Pages read in one go: of a bucket of a million elements some 8 MB."""


def page_of(elements: Sequence[tuple[BundleId, State]]) -> Page:
    """Return the page that has these elements, in order of identifier.

    Source: `meshnews.store.port.Page`.

    Raises:
        Nothing.
    """
    listed = b"".join([id_ + _MARKS[state] for id_, state in elements])
    return Page(b2(Label.BUCKET_PAGE, listed), len(elements))


def digest_of(pages: Mapping[int, Page]) -> bytes:
    """Return the digest of a bucket with these pages.

    Source: `meshnews.store.port.Carry.bucket_digest`.

    Raises:
        Nothing.
    """
    if not pages:
        return EMPTY_DIGEST
    return b2(Label.BUCKET, b"".join([bytes((at,)) + pages[at].digest for at in sorted(pages)]))


class PageIndex:
    """The pages of one bucket, each read when it is asked for after a change.

    `read` returns the compared elements of the pages from its first argument up
    to, and without, its second.
    """

    def __init__(self, read: Callable[[int, int], Sequence[tuple[BundleId, State]]]) -> None:
        self._read = read
        self._pages: dict[int, Page] = {}
        self._changed = set(range(PAGES))
        self._digest: bytes | None = None

    def touch(self, number: int) -> None:
        """Take note that a page has changed, or may have."""
        self._changed.add(number)
        self._digest = None

    def pages(self) -> Mapping[int, Page]:
        """Return the pages that have elements, ascending."""
        if self._changed:
            for first, end in runs(sorted(self._changed)):
                self._look(first, end)
            self._changed.clear()
            self._pages = dict(sorted(self._pages.items()))
        return self._pages

    def digest(self) -> bytes:
        """Return the digest of the bucket."""
        if self._digest is None:
            self._digest = digest_of(self.pages())
        return self._digest

    def _look(self, first: int, end: int) -> None:
        elements = self._read(first, end)
        start = 0
        for number in range(first, end):
            following = bisect_left(elements, number + 1, lo=start, key=_page)
            if following > start:
                self._pages[number] = page_of(elements[start:following])
            else:
                self._pages.pop(number, None)
            start = following


def _page(element: tuple[BundleId, State]) -> int:
    return element[0][0]


def runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the runs of ascending pages that follow each other, cut to what is read at once.

    Raises:
        Nothing.
    """
    first = end = -1
    for number in numbers:
        if number == end and end - first < _READ_AT_ONCE:
            end += 1
            continue
        if end > first:
            yield first, end
        first, end = number, number + 1
    if end > first:
        yield first, end


@dataclass(slots=True)
class Bucket:
    """The entries of one class and day, of any state."""

    states: dict[BundleId, State] = field(default_factory=dict)
    ids: list[BundleId] = field(default_factory=list)
    compared: int = 0
    """How many are in the compared set."""
    index: PageIndex = field(init=False)

    def __post_init__(self) -> None:
        # A method, and no lambda: of a bucket that is copied the copy's own is copied with it.
        self.index = PageIndex(self.elements)

    def set(self, id: BundleId, state: State | None) -> None:  # noqa: A002  the protocol's word
        """Give `id` a state, or with None take it out."""
        self.index.touch(id[0])
        self.compared += (state in COMPARED) - (self.states.get(id) in COMPARED)
        if state is None:
            del self.states[id]
            del self.ids[bisect_left(self.ids, id)]
            return
        if id not in self.states:
            insort(self.ids, id)
        self.states[id] = state

    def elements(self, first: int, end: int) -> list[tuple[BundleId, State]]:
        """Return the compared elements of the pages `first` … `end` - 1, in order."""
        low = bisect_left(self.ids, bytes((first,)))
        high = bisect_left(self.ids, bytes((end,))) if end < PAGES else len(self.ids)
        states = ((id_, self.states[id_]) for id_ in self.ids[low:high])
        return [(id_, state) for id_, state in states if state in COMPARED]
