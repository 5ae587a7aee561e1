"""Comparing what differs of a day by cells, part by part; see `meshnews.sync.cells`.

                                           <---  CELLS  of the first parts, after GRID
    MORE  cells of further parts, or
          further cells of some            --->
                                           <---  CELLS
    TELL  keys that only the answerer has  --->
                                           <---  (names, receipts), TOLD

A part that cannot be read, or only by more bytes than a list takes, is listed.  See
docs/protocol/sync.md, "Cells".
"""

from collections import deque
from collections.abc import Sequence

from meshnews.errors import Malformed, OutOfTurn
from meshnews.limits import CELLS_BYTES_MAX, PARTS_ASKED_MAX
from meshnews.sync.budget import LISTED_BYTES
from meshnews.sync.cells import Peeler, Reading, cells_of, unpack_cells
from meshnews.sync.choice import more_cells
from meshnews.sync.compare import Findings
from meshnews.sync.question import CELL_BYTES, Cells, More, Question, Reaction, Reply
from meshnews.sync.snapshot import POSITION_BITS, Snapshot
from meshnews.sync.way import HEAD_BYTES, DaySides, Settlement
from meshnews.sync.way_list import ListWay


class CellsWay:
    """Compares a snapshot by cells, cut into parts as the answer to GRID says."""

    def __init__(self, day: DaySides, snapshot: Snapshot, first: Cells) -> None:
        self._day = day
        self._snapshot = snapshot
        self._theirs = first.count
        self._bits = first.bits
        self._peelers = {part: self._peeler(part) for part in range(1 << first.bits)}
        """Those of the parts not read yet."""
        self._wants = dict.fromkeys(self._peelers, first.end)
        """How many cells a part is to have next; none while they are asked for."""
        self._open: deque[More] = deque()
        self._settlement = Settlement(day)
        self._unread: list[int] = []
        self._list: ListWay | None = None

    def _peeler(self, part: int) -> Peeler:
        shift = POSITION_BITS - self._bits
        return Peeler(self._snapshot.has, lambda key: key >> shift == part)

    @property
    def finished(self) -> bool:
        """All parts are read and settled, or given up."""
        if self._peelers or self._unread or self._open:
            return False
        return self._settlement.finished and (self._list is None or self._list.finished)

    # Asking

    def propose(self) -> Question | None:
        """Return the next question that may be asked now, or None."""
        if self._wants:
            return self._more()
        if self._unread and not self._peelers:
            parts, self._unread = sorted(self._unread), []
            self._list = ListWay(
                self._day, self._snapshot, theirs=self._theirs, bits=self._bits, prefixes=parts
            )
        if self._list is not None and (question := self._list.propose()) is not None:
            return question
        return self._settlement.propose()

    def _more(self) -> More | None:
        """Ask for the cells of some parts that have, and want, as many as one of them."""
        start, end = min((self._peelers[part].cells, end) for part, end in self._wants.items())
        each = CELL_BYTES * (end - start)
        parts = [
            part
            for part, wanted in sorted(self._wants.items())
            if wanted == end and self._peelers[part].cells == start
        ][: min(PARTS_ASKED_MAX, CELLS_BYTES_MAX // each)]
        if not self._day.share.spend(HEAD_BYTES + (each + 3) * len(parts)):
            # The rest is left to another contact.
            for part in self._wants:
                del self._peelers[part]
            self._wants.clear()
            return None
        for part in parts:
            del self._wants[part]
        question = More(self._day.traffic, self._day.day, start, end, tuple(parts))
        self._open.append(question)
        return question

    # Answers

    def begin(self, first: Cells) -> Findings:
        """Read the cells that came with the answer to GRID: of as many parts as fitted.

        Raises:
            Malformed: they are cells of no whole parts, or of more than there are.
        """
        each = CELL_BYTES * first.end
        count, rest = divmod(len(first.sums), each)
        if rest or first.start or not 1 <= count <= len(self._peelers):
            raise Malformed("cells of no whole parts")
        for part in range(count):
            del self._wants[part]
        return self._read(first, range(count))

    def receive(self, answer: Reaction) -> Findings:
        """Take in CELLS, REPLY or TOLD.

        Raises:
            PeerError: it is not the answer to what was asked.
        """
        if isinstance(answer, Reply) and self._list is not None:
            return self._list.receive(answer)
        if not isinstance(answer, Cells):
            return self._settlement.receive(answer)
        if not self._open:
            raise OutOfTurn("Cells that were not asked for")
        asked = self._open.popleft()
        if (answer.start, answer.end, answer.bits) != (asked.start, asked.end, self._bits):
            raise OutOfTurn("other cells than were asked for")
        if len(answer.sums) != CELL_BYTES * (asked.end - asked.start) * len(asked.parts):
            raise Malformed("cells of other parts than were asked for")
        return self._read(answer, asked.parts)

    def _read(self, answer: Cells, parts: Sequence[int]) -> Findings:
        theirs = unpack_cells(answer.sums)
        each = answer.end - answer.start
        findings = Findings()
        for at, part in enumerate(parts):
            peeler = self._peelers[part]
            ours = self._snapshot.keys(*self._snapshot.between(self._bits, part))
            peeler.extend(
                theirs[at * each : (at + 1) * each], cells_of(ours, answer.start, answer.end)
            )
            self._judge(part, peeler, len(ours), findings)
        return findings

    def _judge(self, part: int, peeler: Peeler, listed: int, findings: Findings) -> None:
        reading = peeler.peel()
        following = more_cells(peeler.cells, peeler.expected())
        if reading is Reading.COMPLETE:
            del self._peelers[part]
            self._settlement.add(
                self._snapshot,
                only_ours=peeler.only_ours,
                only_theirs=peeler.only_theirs,
                into=findings,
            )
        elif (
            reading is Reading.BROKEN
            or following <= peeler.cells
            or CELL_BYTES * following > LISTED_BYTES * (listed + HEAD_BYTES)
        ):
            del self._peelers[part]
            self._unread.append(part)
        else:
            self._wants[part] = following
