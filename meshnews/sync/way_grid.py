"""Comparing a day by a grid of its pages, and then what differs by a finer codec.

    GRID  fingerprints of ranges of pages  --->
                                           <---  CELLS  which differ; cells of the first parts
    then MORE, SPLIT or LIST, and TELL

Pages go by the first byte of the identifier, which can be chosen, but their digests
cannot be made alike; so nothing is read of ranges that are equal.  See
docs/protocol/sync.md, "Grid".
"""

from meshnews.errors import Malformed, OutOfTurn
from meshnews.limits import BUCKET_ELEMENTS_MAX
from meshnews.store.port import PAGES
from meshnews.sync.choice import grid_bits
from meshnews.sync.compare import Findings
from meshnews.sync.question import Cells, Grid, Method, Question, Reaction
from meshnews.sync.snapshot import snapshot_of
from meshnews.sync.way import HEAD_BYTES, DaySides, Way
from meshnews.sync.way_cells import CellsWay
from meshnews.sync.way_list import ListWay
from meshnews.sync.way_split import SplitWay


class GridWay:
    """Compares a day by GRID, and hands what differs over to cells, splits or a list."""

    def __init__(self, day: DaySides) -> None:
        self._day = day
        self._bits = -1
        self._asked = False
        self._then: Way | None = None
        self._done = False

    @property
    def finished(self) -> bool:
        """The day is compared, or given up."""
        return self._done or (self._then is not None and self._then.finished)

    def propose(self) -> Question | None:
        """Return the next question that may be asked now, or None."""
        if self._then is not None:
            return self._then.propose()
        if self._asked or self._done:
            return None
        day = self._day
        pages = day.sides.elements.pages(day.traffic, day.day)
        count = sum(page.count for page in pages.values())
        self._bits = grid_bits(max(count, day.theirs), day.sides.manner)
        fingerprints = day.sides.salt.ranges(pages, self._bits)
        if not day.share.spend(HEAD_BYTES + len(fingerprints)):
            self._done = True
            return None
        self._asked = True
        count = min(count, BUCKET_ELEMENTS_MAX)
        return Grid(day.traffic, day.day, self._bits, count, fingerprints)

    def receive(self, answer: Reaction) -> Findings:
        """Take in an answer.

        Raises:
            PeerError: it is none, or contradicts itself.
        """
        if self._then is not None:
            return self._then.receive(answer)
        if not isinstance(answer, Cells) or not self._asked:
            raise OutOfTurn(f"{type(answer).__name__} in place of Cells")
        pages = pages_in(answer.differing, self._bits)
        if not pages:
            # The day changed meanwhile, or its fingerprint did not lie and this one did.
            self._done = True
            return Findings()
        day = self._day
        snapshot = snapshot_of(day.sides.elements, day.sides.salt, day.traffic, day.day, pages)
        if answer.sums:
            self._then = cells = CellsWay(day, snapshot, answer)
            return cells.begin(answer)
        if day.sides.both_know(Method.SPLITS) and not day.sides.both_know(Method.CELLS):
            self._then = SplitWay(day, snapshot)
        else:
            self._then = ListWay(day, snapshot, theirs=answer.count)
        return Findings()


def pages_in(differing: bytes, bits: int) -> list[int]:
    """Return the pages of the ranges in a bitmap, ascending.

    Raises:
        Malformed: it has another length, or bits behind the last range.
    """
    ranges = 1 << bits
    mask = int.from_bytes(differing, "little")
    if len(differing) != max(1, ranges // 8) or mask >> ranges:
        raise Malformed("a bitmap of other ranges than were asked for")
    width = PAGES >> bits
    return [page for page in range(PAGES) if mask >> page // width & 1]
