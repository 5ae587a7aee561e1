"""Control messages on their way to one peer, made when there is room for them.

    first   STORED, CANCEL, NOTHELD     what keeps the other side's window open
    then    news: HAVE, ACKED           of what arrived while in contact
    then    the comparison              in the order in which it was found; names that are put off,
                                        behind it
    last    ACKED in full               receipts of bundles that the peer never had

References wait here, never the messages made of them; both their number and
the size of each message are bounded.  See docs/protocol/sync.md, "Order".
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.receipt import Receipt
from meshnews.errors import Exceeded
from meshnews.ids import BundleRef, Day, TrafficClass
from meshnews.limits import (
    GROUPS_PER_MESSAGE_MAX,
    RECEIPTS_PER_MESSAGE_MAX,
    REPLIES_QUEUED_MAX,
    WANTS_PER_MESSAGE_MAX,
)
from meshnews.store.age import Moment
from meshnews.store.custody import Custody
from meshnews.store.port import Entry, State
from meshnews.sync.give import Giver
from meshnews.sync.layout import encode_message
from meshnews.sync.messages import Acked, Cancel, Group, Have, Name, NotHeld, Stored
from meshnews.sync.routing import Gate

_NAMES_AT_ONCE: Final = GROUPS_PER_MESSAGE_MAX
"""Names in one HAVE of ours: in the worst case each is of another bucket."""

_FULL_AT_ONCE: Final = 16
"""Full receipts in one message of what a comparison found: on Bluetooth a fifth of a second."""

Reference = tuple[TrafficClass, Day, bytes]
"""Class, day and short identifier."""


@dataclass(frozen=True, slots=True)
class _Names:
    refs: Sequence[BundleRef]


@dataclass(frozen=True, slots=True)
class _Receipts:
    refs: Sequence[BundleRef]
    full: bool


class Outbox:
    """The control messages of one link that are not yet sent.

    Args:
        custody: what is named.
        giver: who is told what was named.
        gate: which bulk may go.
        puts_off: names wait while much that is more urgent is being given.
    """

    def __init__(self, custody: Custody, giver: Giver, gate: Gate, *, puts_off: bool) -> None:
        self._custody = custody
        self._giver = giver
        self._gate = gate
        self._stored: deque[Reference] = deque()
        self._stored_receipts: deque[Reference] = deque()
        self._cancelled: deque[Reference] = deque()
        self._news: deque[BundleRef] = deque()
        self._news_receipts: deque[tuple[BundleRef, bool]] = deque()
        self._jobs: deque[bytes | _Names | _Receipts] = deque()
        self._puts_off = puts_off
        self._late: dict[TrafficClass, deque[BundleRef]] = {}
        self._unsaid = 0
        self._full_receipts: deque[_Receipts] = deque()
        self._waiting = 0

    @property
    def is_empty(self) -> bool:
        """Nothing waits but what the giver misses."""
        return not (
            self._jobs
            or self.holds_names
            or self._full_receipts
            or self._stored
            or self._cancelled
            or self._stored_receipts
            or self._news
            or self._news_receipts
        )

    @property
    def holds_names(self) -> bool:
        """Names of what a comparison found, or of news put off, are yet to be said."""
        return self._unsaid > 0

    @property
    def waiting(self) -> int:
        """How many names, receipts and messages of the comparison wait."""
        return self._waiting

    # Putting in

    def message(self, body: bytes) -> None:
        """Queue an encoded message behind all of the comparison.

        Raises:
            PeerError: the peer asks and does not read.
        """
        self._count(1)
        self._jobs.append(body)

    def names(self, refs: Sequence[BundleRef], moment: Moment) -> None:
        """Queue names of bodies that the peer may want, of one day the youngest first.

        Bundles of one class, day and size are asked for and given in the order of their
        names: so pieces of one file come together, and those of yesterday's behind them.

        Raises:
            PeerError: the peer asks and does not read.
        """
        self._count(len(refs))
        self._unsaid += len(refs)
        ordered = sorted(refs, key=lambda ref: (ref.traffic, -ref.day, self._age_s(ref, moment)))
        for at in range(0, len(ordered), _NAMES_AT_ONCE):
            self._jobs.append(_Names(ordered[at : at + _NAMES_AT_ONCE]))

    def _age_s(self, ref: BundleRef, moment: Moment) -> int:
        """Return the age that will be said beside the body: the order says no more."""
        entry = self._custody.entry(ref)
        return 0 if entry is None else self._custody.age_to_say(entry, moment)

    def receipts(self, refs: Sequence[BundleRef], *, full: bool) -> None:
        """Queue receipts that the peer lacks.

        Those in full wait behind everything, and nothing for them: they are large, may be
        thousands, and are of bundles that the peer does not even know.

        Raises:
            PeerError: the peer asks and does not read.
        """
        if full:
            for at in range(0, len(refs), _FULL_AT_ONCE):
                self._full_receipts.append(_Receipts(refs[at : at + _FULL_AT_ONCE], full=True))
            return
        self._count(len(refs))
        for at in range(0, len(refs), RECEIPTS_PER_MESSAGE_MAX):
            self._jobs.append(_Receipts(refs[at : at + RECEIPTS_PER_MESSAGE_MAX], full=False))

    def hand_over(self, receipts: Sequence[Receipt]) -> None:
        """Queue receipts whose safe arrival the peer is to confirm."""
        for at in range(0, len(receipts), RECEIPTS_PER_MESSAGE_MAX):
            part = receipts[at : at + RECEIPTS_PER_MESSAGE_MAX]
            encodings = tuple([receipt.encode() for receipt in part])
            self._waiting += 1
            self._jobs.append(encode_message(Acked(confirm=True, full=encodings)))

    def tell(self, ref: BundleRef) -> None:
        """Queue the name of a bundle that has just arrived; beyond the bound it is dropped."""
        if len(self._news) < REPLIES_QUEUED_MAX:
            self._news.append(ref)

    def tell_receipt(self, ref: BundleRef, *, full: bool) -> None:
        """Queue a receipt that has just arrived; beyond the bound it is dropped."""
        if len(self._news_receipts) < REPLIES_QUEUED_MAX:
            self._news_receipts.append((ref, full))

    def stored(self, reference: Reference) -> None:
        """Queue that a bundle was kept."""
        self._stored.append(reference)

    def stored_receipt(self, reference: Reference) -> None:
        """Queue that a receipt handed over was kept.

        Raises:
            PeerError: the peer hands over and does not read.
        """
        if len(self._stored_receipts) >= REPLIES_QUEUED_MAX:
            raise Exceeded("more answers than it reads")
        self._stored_receipts.append(reference)

    def cancelled(self, reference: Reference) -> None:
        """Queue that a bundle came and was not kept."""
        self._cancelled.append(reference)

    def cancel(self, groups: Iterable[Group]) -> None:
        """Queue that bundles are wanted no longer."""
        for group in groups:
            self._cancelled.extend((group.traffic, group.day, short) for short in group.shorts)

    def _count(self, units: int) -> None:
        self._waiting += units
        if self._waiting > REPLIES_QUEUED_MAX:
            raise Exceeded("more answers than it reads")

    # Taking out

    def urgent(self) -> bytes | None:
        """Return a message that keeps the other side's window open, or None."""
        if self._stored or self._stored_receipts:
            bundles = _take_groups(self._stored)
            receipts = _take_groups(self._stored_receipts)
            return encode_message(Stored(bundles, receipts))
        if self._cancelled:
            return encode_message(Cancel(_take_groups(self._cancelled)))
        missing = deque(self._giver.take_missing(GROUPS_PER_MESSAGE_MAX))
        if missing:
            return encode_message(NotHeld(_take_groups(missing)))
        return None

    def other(self, moment: Moment) -> bytes | None:
        """Return a message of news or of the comparison, or None."""
        while self._news:
            part = [self._news.popleft() for _ in range(min(len(self._news), _NAMES_AT_ONCE))]
            if (body := self._have(self._timely(part), moment)) is not None:
                return body
        while self._news_receipts:
            if (body := self._next_receipts()) is not None:
                return body
        while self._jobs:
            if (body := self._next_job(moment)) is not None:
                return body
        return self._last(moment)

    def _last(self, moment: Moment) -> bytes | None:
        for traffic, refs in sorted(self._late.items()):
            while refs and self._may_name(traffic):
                job = _Names([refs.popleft() for _ in range(min(len(refs), _NAMES_AT_ONCE))])
                if (body := self._names_of(job, moment)) is not None:
                    return body
        while self._full_receipts:
            if (body := self._acked(self._full_receipts.popleft().refs, full=True)) is not None:
                return body
        return None

    def _next_job(self, moment: Moment) -> bytes | None:
        match job := self._jobs.popleft():
            case _Names():
                traffic = job.refs[-1].traffic
                if self._may_name(traffic):
                    return self._names_of(job, moment)
                self._late.setdefault(traffic, deque()).extend(job.refs)
                return None
            case _Receipts(refs, full):
                self._waiting -= len(refs)
                return self._acked(refs, full=full)
            case bytes():
                self._waiting -= 1
                return job

    def _may_name(self, traffic: TrafficClass) -> bool:
        if not self._puts_off or not self._giver.has_data:
            return True
        return self._giver.bytes_before(traffic) <= self._giver.little_bytes

    def _timely(self, news: Sequence[BundleRef]) -> list[BundleRef]:
        """Return of some news what may be told now; the rest is put off, up to the bound."""
        timely: list[BundleRef] = []
        for ref in news:
            if self._may_name(ref.traffic):
                timely.append(ref)
            elif self._waiting < REPLIES_QUEUED_MAX:
                self._waiting += 1
                self._unsaid += 1
                self._late.setdefault(ref.traffic, deque()).append(ref)
        return timely

    def _names_of(self, job: _Names, moment: Moment) -> bytes | None:
        self._waiting -= len(job.refs)
        self._unsaid -= len(job.refs)
        return self._have(job.refs, moment)

    def _next_receipts(self) -> bytes | None:
        full = self._news_receipts[0][1]
        refs: list[BundleRef] = []
        while self._news_receipts and len(refs) < RECEIPTS_PER_MESSAGE_MAX:
            if self._news_receipts[0][1] is not full:
                break
            refs.append(self._news_receipts.popleft()[0])
        return self._acked(refs, full=full)

    def _have(self, refs: Iterable[BundleRef], moment: Moment) -> bytes | None:
        names: list[Name] = []
        for ref in refs:
            entry = self._custody.entry(ref)
            if entry is None or entry.state not in {State.HELD, State.ACKED_WITH_BODY}:
                continue
            if self._may_go(entry, moment):
                name = Name(ref, entry.size, entry.state is State.ACKED_WITH_BODY)
                self._giver.name(name)
                names.append(name)
        return encode_message(Have(tuple(names))) if names else None

    def _may_go(self, entry: Entry, moment: Moment) -> bool:
        """Tell whether the peer is to have a copy; of what is more urgent than bulk, always."""
        if entry.ref.traffic is not TrafficClass.BULK:
            return True
        return self._gate.lets(entry.ref, self._custody.age_to_say(entry, moment))

    def _acked(self, refs: Iterable[BundleRef], *, full: bool) -> bytes | None:
        fulls: list[bytes] = []
        shorts: list[Reference] = []
        for ref in refs:
            receipt = self._custody.receipt_for(ref)
            if receipt is None:
                continue
            if not isinstance(receipt, Receipt):
                # Who does not know the bundle cannot use the short form.
                if not full:
                    shorts.append((ref.traffic, ref.day, receipt.encode()))
            elif full:
                fulls.append(receipt.encode())
            else:
                shorts.append((ref.traffic, ref.day, receipt.short.encode()))
        if not fulls and not shorts:
            return None
        return encode_message(Acked(confirm=False, full=tuple(fulls), short=tuple(shorts)))


def _take_groups(waiting: deque[Reference]) -> tuple[Group, ...]:
    """Take out as many references as one message holds, grouped by bucket."""
    groups: dict[tuple[TrafficClass, Day], list[bytes]] = {}
    for _ in range(min(len(waiting), WANTS_PER_MESSAGE_MAX)):
        traffic, day, short = waiting[0]
        bucket = traffic, day
        if bucket not in groups and len(groups) >= GROUPS_PER_MESSAGE_MAX:
            break
        groups.setdefault(bucket, []).append(short)
        waiting.popleft()
    return tuple([Group(*bucket, tuple(shorts)) for bucket, shorts in groups.items()])
