"""Comparison by plain lists: short identifiers and states of every day that differs.

    dialler                              answerer
    SPANS   per class, 10 digests  --->
                                   <---  DAYS   which differ, and their days
    LIST    one range of one day   --->
                                   <---  (names, receipts), REPLY
    … until no day and no class is left

See docs/protocol/sync.md, "Comparison".
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshnews.errors import Malformed, OutOfTurn
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import (
    DAYS_SPANNED_MAX,
    LIST_IDS_MAX,
    LISTS_OPEN_MAX,
    RECONCILE_BYTES_BASE,
    RECONCILE_BYTES_PER_BUNDLE,
)
from meshnews.store.port import State
from meshnews.sync.budget import LISTED_BYTES, Budget
from meshnews.sync.compare import Findings, Sides, Snapshot
from meshnews.sync.messages import (
    CLASSES,
    DAY_FINGERPRINT_BYTES,
    SPAN_BYTES,
    SPANS,
    Answer,
    Days,
    Flag,
    List,
    Reply,
    Spans,
)
from meshnews.sync.salt import span_of

_ACKED: Final = frozenset({State.ACKED, State.ACKED_WITH_BODY})
_SNAPSHOTS_MAX: Final = 2
_NAMED_AT_ONCE_MAX: Final = 2 * LIST_IDS_MAX
"""A range that grew beyond any honest list is named as far as this; its rest is told by HAVE."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A LIST that waits for its REPLY."""

    asked: List
    listed: tuple[tuple[BundleId, State], ...]


class PlainDialler:
    """Drives a comparison by plain lists."""

    def __init__(self, sides: Sides) -> None:
        self._sides = sides
        self._classes = deque(CLASSES)
        self._asked: Spans | None = None
        self._more: Spans | None = None
        self._days: deque[tuple[TrafficClass, Day, int]] = deque()
        self._ranges: Iterator[tuple[List, _Open]] | None = None
        self._open: deque[_Open] = deque()
        # We stop at half of what the answerer allows, so that it never has to cut us.
        self._left = RECONCILE_BYTES_BASE // 2

    @property
    def finished(self) -> bool:
        """Nothing is left to compare."""
        return not (
            self._classes or self._asked or self._more or self._days or self._open or self._ranges
        )

    @property
    def is_opening(self) -> bool:
        """All of one class is compared and nothing of the next has begun."""
        return not (self._asked or self._more or self._days or self._open or self._ranges)

    def credit_bundle(self) -> None:
        """Count a bundle that the peer has stored."""
        self._left += RECONCILE_BYTES_PER_BUNDLE

    def propose(self) -> Spans | List | None:
        """Return the next SPANS or LIST that may be sent now, or None."""
        if self._asked or len(self._open) >= LISTS_OPEN_MAX:
            return None
        if (listing := self._next_list()) is not None:
            return listing
        if self._open:
            return None
        if self._more is not None:
            self._asked, self._more = self._more, None
            return self._asked
        while self._classes:
            traffic = self._classes.popleft()
            bounds = self._sides.bounds(traffic)
            if bounds is not None:
                self._asked = self._spans(traffic, *bounds)
                return self._asked
        return None

    def receive(self, message: Spans | Days | List | Reply) -> Findings:
        """Take in DAYS or REPLY.

        Raises:
            PeerError: it answers nothing that was asked, or contradicts itself.
        """
        match message:
            case Days():
                self._take_days(message)
                return Findings()
            case Reply():
                return self._take_reply(message)
            case _:
                raise OutOfTurn(f"{type(message).__name__} from the side that answers")

    def _spans(self, traffic: TrafficClass, newest: Day, oldest: Day) -> Spans:
        digests = self._sides.elements.digests(traffic, newest, oldest)
        return Spans(traffic, newest, oldest, self._sides.salt.span_digests(digests, newest=newest))

    def _take_days(self, message: Days) -> None:
        asked = self._asked
        if asked is None or asked.traffic is not message.traffic:
            raise OutOfTurn("Days that were not asked for")
        self._asked = None
        for day in message.days:
            inside = asked.oldest <= day <= asked.newest
            if not inside or not message.differing >> span_of(day, asked.newest) & 1:
                raise Malformed("a day outside the spans that differ")
        lowest = asked.oldest
        if len(message.days) == DAYS_SPANNED_MAX and message.days[-1] > asked.oldest:
            lowest = message.days[-1]
            newest = Day(lowest - 2)
            if newest >= asked.oldest:
                self._more = self._spans(asked.traffic, newest, asked.oldest)
        theirs = dict(_fingerprints(message))
        for day, digest in self._sides.elements.digests(asked.traffic, asked.newest, lowest):
            if message.differing >> span_of(day, asked.newest) & 1:
                fingerprint, count = theirs.get(day, (b"", 0))
                if fingerprint == self._sides.salt.fingerprint(digest):
                    del theirs[day]
                else:
                    theirs[day] = b"", count
        self._days.extend(
            (asked.traffic, day, theirs[day][1]) for day in sorted(theirs, reverse=True)
        )

    def _next_list(self) -> List | None:
        while True:
            if self._ranges is None:
                if not self._days:
                    return None
                self._ranges = self._lists_of(*self._days.popleft())
            for message, waiting in self._ranges:
                self._left -= 32 + LISTED_BYTES * len(message.shorts)
                if self._left < 0:
                    # The peer takes so little of what we have that it would
                    # soon refuse to compare: leave the rest to another contact.
                    self._days.clear()
                    break
                self._open.append(waiting)
                return message
            self._ranges = None

    def _lists_of(
        self, traffic: TrafficClass, day: Day, count: int
    ) -> Iterator[tuple[List, _Open]]:
        self._left += LISTED_BYTES * count
        snapshot = Snapshot(self._sides.elements.elements(traffic, day), self._sides.salt)
        bits = snapshot.bits_for(count)
        for prefix in range(1 << bits):
            shorts = snapshot.within(bits, prefix)[:LIST_IDS_MAX]
            listed = tuple([pair for short in shorts if (pair := snapshot.get(short))])
            states = tuple([state for _, state in listed])
            message = List(traffic, day, bits, prefix, tuple(shorts), states)
            yield message, _Open(message, listed)

    def _take_reply(self, reply: Reply) -> Findings:
        if not self._open:
            raise OutOfTurn("Reply that was not asked for")
        waiting = self._open.popleft()
        asked = waiting.asked
        if (reply.traffic, reply.day, reply.bits, reply.prefix) != (
            *(asked.traffic, asked.day, asked.bits, asked.prefix),
        ) or len(reply.answers) != len(waiting.listed):
            raise OutOfTurn("Reply to another list")
        findings = Findings()
        for answer, (identifier, state) in zip(reply.answers, waiting.listed, strict=True):
            if answer is Answer.NOTHING:
                continue
            ref = BundleRef(asked.traffic, asked.day, identifier)
            if answer is Answer.NAME and state in {State.HELD, State.ACKED_WITH_BODY}:
                findings.names.append(ref)
            elif answer is Answer.SHORT_RECEIPT and state in _ACKED:
                findings.short_receipts.append(ref)
            elif answer is Answer.FULL_RECEIPT and state in _ACKED:
                findings.full_receipts.append(ref)
            else:
                raise Malformed("a reply that asks for what was not listed")
        return findings


def _fingerprints(message: Days) -> Iterator[tuple[Day, tuple[bytes, int]]]:
    for at, (day, count) in enumerate(zip(message.days, message.counts, strict=True)):
        start = at * DAY_FINGERPRINT_BYTES
        yield day, (message.fingerprints[start : start + DAY_FINGERPRINT_BYTES], count)


class PlainAnswerer:
    """Answers a comparison by plain lists."""

    def __init__(self, sides: Sides, budget: Budget) -> None:
        self._sides = sides
        self._budget = budget
        self._asked: dict[TrafficClass, Spans] = {}
        self._lowest: dict[TrafficClass, Day] = {}
        self._listed: set[tuple[TrafficClass, Day]] = set()
        self._snapshots: dict[tuple[TrafficClass, Day], Snapshot] = {}

    @property
    def finished(self) -> bool:
        """The answerer never knows: the dialler says DONE."""
        return False

    @property
    def is_opening(self) -> bool:
        """The answerer opens nothing."""
        return False

    def credit_bundle(self) -> None:
        """Count nothing: what we allow is in the budget."""

    def propose(self) -> None:
        """Return nothing: the dialler drives."""
        return

    def receive(self, message: Spans | Days | List | Reply) -> Findings:
        """Take in SPANS or LIST.

        Raises:
            PeerError: it lists a class not opened, or contradicts itself.
        """
        match message:
            case Spans():
                return Findings(answer=self._days(message))
            case List():
                return self._answer(message)
            case _:
                raise OutOfTurn(f"{type(message).__name__} from the side that asks")

    def _open_class(self, asked: Spans) -> None:
        if asked.newest < asked.oldest:
            raise Malformed("spans that end before they begin")
        # Each bucket is looked at once, or small questions would cost us whole stores.
        if asked.newest >= self._lowest.get(asked.traffic, asked.newest + 1):
            raise OutOfTurn("Spans of days that were compared already")
        self._asked[asked.traffic] = asked

    def _days(self, asked: Spans) -> Days:
        salt, elements = self._sides.salt, self._sides.elements
        self._open_class(asked)
        digests = elements.digests(asked.traffic, asked.newest, asked.oldest)
        ours = salt.span_digests(digests, newest=asked.newest)
        differing = 0
        for span in range(SPANS):
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
        return Days(
            asked.traffic,
            differing,
            tuple([day for day, _ in days]),
            b"".join(salt.fingerprint(digest) for _, digest in days),
            tuple([len(elements.elements(asked.traffic, day)) for day, _ in days]),
        )

    def _snapshot(self, traffic: TrafficClass, day: Day) -> Snapshot:
        bucket = traffic, day
        snapshot = self._snapshots.get(bucket)
        if snapshot is None:
            if len(self._snapshots) >= _SNAPSHOTS_MAX:
                del self._snapshots[next(iter(self._snapshots))]
            snapshot = Snapshot(self._sides.elements.elements(traffic, day), self._sides.salt)
            self._snapshots[bucket] = snapshot
            if bucket not in self._listed:
                self._listed.add(bucket)
                self._budget.allow_listing(len(snapshot))
            else:
                # Buckets taken by turns would have us sort each anew for every message.
                self._budget.charge(LISTED_BYTES * len(snapshot))
        return snapshot

    def _answer(self, asked: List) -> Findings:
        opened = self._asked.get(asked.traffic)
        if opened is None or not opened.oldest <= asked.day <= opened.newest:
            raise OutOfTurn("List of a day that was not opened")
        if asked.traffic is TrafficClass.NOTICE and not _ACKED.isdisjoint(asked.states):
            raise Malformed("a notice with a receipt")
        snapshot = self._snapshot(asked.traffic, asked.day)
        findings = Findings()
        answers: list[Answer] = []
        for short, theirs in zip(asked.shorts, asked.states, strict=True):
            ours = snapshot.get(short)
            if ours is None:
                answers.append(self._answer_unknown(asked.traffic, theirs))
                continue
            identifier, state = ours
            if state in _ACKED and theirs not in _ACKED:
                findings.short_receipts.append(BundleRef(asked.traffic, asked.day, identifier))
            answers.append(self._answer_known(asked.traffic, state, theirs))
        listed = set(asked.shorts)
        for short in snapshot.within(asked.bits, asked.prefix)[:_NAMED_AT_ONCE_MAX]:
            if short not in listed and (pair := snapshot.get(short)) is not None:
                self._tell(BundleRef(asked.traffic, asked.day, pair[0]), pair[1], findings)
        findings.answer = Reply(asked.traffic, asked.day, asked.bits, asked.prefix, tuple(answers))
        return findings

    def _answer_unknown(self, traffic: TrafficClass, theirs: State) -> Answer:
        wanted = Flag.WANTS if theirs is State.HELD else Flag.WANTS_ACKED
        if theirs in {State.HELD, State.ACKED_WITH_BODY} and self._sides.we_want(traffic, wanted):
            return Answer.NAME
        return Answer.FULL_RECEIPT if theirs in _ACKED else Answer.NOTHING

    def _answer_known(self, traffic: TrafficClass, ours: State, theirs: State) -> Answer:
        if theirs not in _ACKED or ours in _ACKED:
            return Answer.NOTHING
        if (
            ours is State.LACKING
            and theirs is State.ACKED_WITH_BODY
            and self._sides.we_want(traffic, Flag.WANTS_ACKED)
        ):
            return Answer.NAME
        return Answer.SHORT_RECEIPT

    def _tell(self, ref: BundleRef, state: State, findings: Findings) -> None:
        if state is State.LACKING:
            return
        wanted = Flag.WANTS if state is State.HELD else Flag.WANTS_ACKED
        if state is not State.ACKED and self._sides.they_want(ref.traffic, wanted):
            findings.names.append(ref)
        elif state is not State.HELD:
            findings.full_receipts.append(ref)
