"""The answerer's side of a comparison; the questions are in `meshnews.sync.dial`.

Every question is judged before anything is read for it.  What one contact can cost
is bounded: each bucket is read once, its cells are made once, and no more of it is
told than it has elements; whatever makes us read or make it again is charged.  See
docs/protocol/sync.md, "Limits".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from meshnews.errors import Exceeded, Malformed, OutOfTurn
from meshnews.ids import BundleRef, Day, TrafficClass
from meshnews.limits import (
    BUCKET_ELEMENTS_MAX,
    CELLS_BYTES_MAX,
    COMPARED_AT_ONCE_MAX,
    DAYS_SPANNED_MAX,
    LIST_IDS_MAX,
    PART_KEYS_MAX,
    PARTS_KEYS_MAX,
)
from meshnews.store.port import ACKED, PAGES, State
from meshnews.sync.budget import LISTED_BYTES, Budget
from meshnews.sync.cells import cells_of, pack_cells
from meshnews.sync.choice import Cut, cut_of, differences
from meshnews.sync.compare import Findings, Sides
from meshnews.sync.messages import SHORT_BYTES
from meshnews.sync.question import (
    CELL_BYTES,
    RANGE_BYTES,
    SPAN_BYTES,
    Answer,
    Cells,
    Days,
    Grid,
    List,
    Method,
    Mode,
    More,
    Parts,
    Question,
    Reaction,
    Reply,
    Spans,
    Split,
    Tell,
    Told,
)
from meshnews.sync.salt import span_of, spans_between
from meshnews.sync.snapshot import Snapshot, snapshot_of
from meshnews.sync.verdict import answer_known, answer_unknown, tell
from meshnews.sync.way_grid import pages_in
from meshnews.sync.way_split import children

_NAMED_AT_ONCE_MAX: Final = 2 * LIST_IDS_MAX
"""A range that grew beyond any honest list is named as far as this; its rest is told by HAVE."""

Bucket = tuple[TrafficClass, Day]


@dataclass(slots=True)
class _Taken:
    """A bucket that the dialler has taken up.

    Attributes:
        pages: those that are compared.
        untold: how many of its elements may still be told.
        bits: into how many parts it is cut for cells, as a power of two; -1 for none.
        made: how many cells of each part were made already.
    """

    pages: Sequence[int]
    untold: int
    bits: int = -1
    made: dict[int, int] = field(default_factory=dict)


class Answerer:
    """Answers a comparison; obeys `meshnews.sync.compare.Comparison`."""

    def __init__(self, sides: Sides, budget: Budget) -> None:
        self._sides = sides
        self._budget = budget
        self._asked: dict[TrafficClass, Spans] = {}
        self._lowest: dict[TrafficClass, Day] = {}
        self._taken: dict[Bucket, _Taken] = {}
        self._snapshots: dict[Bucket, Snapshot] = {}

    @property
    def finished(self) -> bool:
        """The answerer never knows: the dialler says DONE."""
        return False

    @property
    def opening(self) -> None:
        """The answerer opens nothing."""
        return

    @property
    def asking(self) -> None:
        """The answerer asks about nothing."""
        return

    @property
    def is_cut_short(self) -> bool:
        """The answerer never knows."""
        return False

    @property
    def is_asking(self) -> bool:
        """The answerer asks nothing."""
        return False

    def credit_bundle(self) -> None:
        """Count nothing: what we allow is in the budget."""

    def propose(self) -> None:
        """Return nothing: the dialler drives."""
        return

    def receive(self, message: Question | Reaction) -> Findings:
        """Take in a question.

        Raises:
            PeerError: it is about a class not opened, contradicts itself, or asks too much.
        """
        match message:
            case Spans():
                return self._on_spans(message)
            case Grid():
                return self._on_grid(message)
            case More():
                return self._on_more(message)
            case Split():
                return self._on_split(message)
            case List():
                return self._on_list(message)
            case Tell():
                return self._on_tell(message)
            case _:
                raise OutOfTurn(f"{type(message).__name__} from the side that asks")

    # Days

    def _on_spans(self, asked: Spans) -> Findings:
        # Each bucket is looked at once, or small questions would cost us whole stores.
        if asked.newest >= self._lowest.get(asked.traffic, asked.newest + 1):
            raise OutOfTurn("Spans of days that were compared already")
        self._asked[asked.traffic] = asked
        salt, elements = self._sides.salt, self._sides.elements
        digests = elements.digests(asked.traffic, asked.newest, asked.oldest)
        ours = salt.span_digests(digests, newest=asked.newest, oldest=asked.oldest)
        differing = 0
        for span in range(spans_between(asked.newest, asked.oldest)):
            part = slice(span * SPAN_BYTES, (span + 1) * SPAN_BYTES)
            differing |= (ours[part] != asked.digests[part]) << span
        days = sorted(
            (
                (day, digest)
                for day, digest in digests
                if differing >> span_of(day, asked.newest) & 1
            ),
            reverse=True,
        )[:DAYS_SPANNED_MAX]
        self._lowest[asked.traffic] = days[-1][0] if days else asked.oldest
        answer = Days(
            asked.traffic,
            differing,
            tuple([day for day, _ in days]),
            b"".join(salt.fingerprint(digest) for _, digest in days),
            tuple([min(self._count(asked.traffic, day), BUCKET_ELEMENTS_MAX) for day, _ in days]),
        )
        return Findings(answer=answer)

    def _count(self, traffic: TrafficClass, day: Day) -> int:
        return sum(page.count for page in self._sides.elements.pages(traffic, day).values())

    # Buckets

    def _take_up(self, bucket: Bucket, pages: Sequence[int]) -> _Taken:
        """Let a bucket be compared, or some pages of it."""
        opened = self._asked.get(bucket[0])
        if opened is None or not opened.oldest <= bucket[1] <= opened.newest:
            raise OutOfTurn("a question about a day that was not opened")
        held = self._count(*bucket)
        self._budget.allow_listing(held)
        self._taken[bucket] = taken = _Taken(pages, held + LIST_IDS_MAX)
        self._snapshots[bucket] = self._read(bucket, taken)
        return taken

    def _of(self, bucket: Bucket) -> tuple[_Taken, Snapshot]:
        taken = self._taken.get(bucket)
        if taken is None:
            raise OutOfTurn("a question about a day that was not taken up")
        snapshot = self._snapshots.pop(bucket, None)
        if snapshot is None:
            snapshot = self._read(bucket, taken)
            # Buckets taken by turns would have us sort each anew for every message.
            self._budget.charge(LISTED_BYTES * len(snapshot))
        self._snapshots[bucket] = snapshot
        return taken, snapshot

    def _read(self, bucket: Bucket, taken: _Taken) -> Snapshot:
        while len(self._snapshots) >= COMPARED_AT_ONCE_MAX:
            del self._snapshots[next(iter(self._snapshots))]
        return snapshot_of(self._sides.elements, self._sides.salt, *bucket, taken.pages)

    def _tell(
        self, bucket: Bucket, snapshot: Snapshot, indexes: Sequence[int], findings: Findings
    ) -> None:
        """Tell of elements that the dialler does not know."""
        self._count_told(bucket, len(indexes))
        for at in indexes:
            identifier, state = snapshot.element(at)
            tell(self._sides, BundleRef(*bucket, identifier), state, findings)

    def _count_told(self, bucket: Bucket, number: int) -> None:
        taken = self._taken[bucket]
        taken.untold -= number
        if taken.untold < 0:
            raise Exceeded("more told of a day than it has")

    # Grid and cells

    def _on_grid(self, asked: Grid) -> Findings:
        bucket = asked.traffic, asked.day
        if bucket in self._taken:
            raise OutOfTurn("a grid of a day that was taken up already")
        pages = self._sides.elements.pages(*bucket)
        ours = self._sides.salt.ranges(pages, asked.bits)
        mask = 0
        for at in range(1 << asked.bits):
            part = slice(at * RANGE_BYTES, (at + 1) * RANGE_BYTES)
            mask |= (ours[part] != asked.fingerprints[part]) << at
        differing = mask.to_bytes(max(1, (1 << asked.bits) // 8), "little")
        taken = self._take_up(bucket, pages_in(differing, asked.bits))
        snapshot = self._snapshots[bucket]
        counted = min(len(snapshot), BUCKET_ELEMENTS_MAX)
        cut = self._cut_of(asked, mask, held=sum(page.count for page in pages.values()))
        if cut is None:
            return Findings(answer=Cells(*bucket, differing, counted, 0, 0, 0, b""))
        taken.bits = cut.bits
        parts = min(1 << cut.bits, CELLS_BYTES_MAX // (CELL_BYTES * cut.cells))
        sums = self._cells(taken, snapshot, range(parts), 0, cut.cells)
        return Findings(answer=Cells(*bucket, differing, counted, cut.bits, 0, cut.cells, sums))

    def _cut_of(self, asked: Grid, mask: int, *, held: int) -> Cut | None:
        """Return how to make cells for the ranges in `mask`; None: there shall be none."""
        # What was missing may have come from elsewhere since the day was opened, or it lied.
        if not mask or not self._sides.both_know(Method.CELLS):
            return None
        ranges, differing = 1 << asked.bits, mask.bit_count()
        least = abs(asked.count - held)
        return cut_of(
            differences(differing=differing, ranges=ranges, least=least),
            listed=round(asked.count * differing / ranges),
            manner=self._sides.manner,
        )

    def _on_more(self, asked: More) -> Findings:
        bucket = asked.traffic, asked.day
        taken, snapshot = self._of(bucket)
        if taken.bits < 0 or asked.parts[-1] >> taken.bits:
            raise OutOfTurn("cells of a day that was not cut so")
        if (asked.end - asked.start) * len(asked.parts) * CELL_BYTES > CELLS_BYTES_MAX:
            raise Exceeded("more cells than a message holds")
        sums = self._cells(taken, snapshot, asked.parts, asked.start, asked.end)
        return Findings(answer=Cells(*bucket, b"", 0, taken.bits, asked.start, asked.end, sums))

    def _cells(
        self, taken: _Taken, snapshot: Snapshot, parts: Sequence[int], start: int, end: int
    ) -> bytes:
        for part in parts:
            if taken.made.get(part, 0) != start:
                raise OutOfTurn("cells that were asked for already, or not in their order")
            taken.made[part] = end
        self._budget.charge(CELL_BYTES * (end - start) * len(parts))
        return b"".join(
            pack_cells(cells_of(snapshot.keys(*snapshot.between(taken.bits, part)), start, end))
            for part in parts
        )

    # Splits

    def _on_split(self, asked: Split) -> Findings:
        bucket = asked.traffic, asked.day
        _, snapshot = self._of(bucket)
        modes: list[Mode] = []
        counts: list[int] = []
        keys: list[bytes] = []
        ranges = children(asked.prefixes, asked.bits, asked.fan)
        for at, (bits, prefix) in enumerate(ranges):
            theirs = asked.fingerprints[at * RANGE_BYTES : (at + 1) * RANGE_BYTES]
            if snapshot.fingerprint(bits, prefix) == theirs:
                modes.append(Mode.EQUAL)
                continue
            start, end = snapshot.between(bits, prefix)
            held = end - start
            most = min(self._sides.manner.listed_max, PART_KEYS_MAX, PARTS_KEYS_MAX - len(keys))
            if held > most:
                modes.append(Mode.DIFFERS)
                continue
            modes.append(Mode.LISTED)
            counts.append(held)
            keys += [key.to_bytes(SHORT_BYTES, "big") for key in snapshot.keys(start, end)]
        self._budget.charge(len(modes) // 4 + len(counts) + SHORT_BYTES * len(keys))
        return Findings(answer=Parts(*bucket, tuple(modes), bytes(counts), tuple(keys)))

    # Lists

    def _on_list(self, asked: List) -> Findings:
        bucket = asked.traffic, asked.day
        if asked.traffic is TrafficClass.NOTICE and not ACKED.isdisjoint(asked.states):
            raise Malformed("a notice with a receipt")
        if bucket not in self._taken:
            self._take_up(bucket, range(PAGES))
        _, snapshot = self._of(bucket)
        findings = Findings()
        answers: list[Answer] = []
        for short, theirs in zip(asked.shorts, asked.states, strict=True):
            ours = snapshot.get(short)
            if ours is None:
                answers.append(answer_unknown(self._sides, asked.traffic, theirs))
                continue
            identifier, state = ours
            if state in ACKED and theirs not in ACKED:
                findings.short_receipts.append(BundleRef(*bucket, identifier))
            answers.append(answer_known(self._sides, asked.traffic, state, theirs))
        self._count_told(bucket, len(findings.short_receipts))
        listed = set(asked.shorts)
        unlisted = (
            at
            for at in range(*snapshot.between(asked.bits, asked.prefix))
            if snapshot.short(at) not in listed
        )
        self._tell(bucket, snapshot, list(islice(unlisted, _NAMED_AT_ONCE_MAX)), findings)
        findings.answer = Reply(*bucket, asked.bits, asked.prefix, tuple(answers))
        return findings

    # Keys

    def _on_tell(self, asked: Tell) -> Findings:
        bucket = asked.traffic, asked.day
        _, snapshot = self._of(bucket)
        findings = Findings()
        # What is found by no key was read from cells that lied by chance.
        unknown, receipts, states = (
            [snapshot.find(int.from_bytes(key, "big")) for key in keys]
            for keys in (asked.unknown, asked.receipts, asked.asked)
        )
        self._tell(bucket, snapshot, [at for at in unknown if at is not None], findings)
        owed = [snapshot.element(at) for at in receipts if at is not None]
        self._count_told(bucket, len(owed))
        findings.short_receipts += [
            BundleRef(*bucket, identifier) for identifier, state in owed if state in ACKED
        ]
        findings.answer = Told(
            *bucket,
            tuple([State.ACKED if at is None else snapshot.element(at)[1] for at in states]),
        )
        return findings
