"""What goes on once both sides have said HELLO; see docs/protocol/sync.md.

The comparison finds names and receipts, the taker fetches what is named to us,
the giver gives what is asked of us.  A step of the comparison is taken only
when little is left to move of what it found before, so that a short contact
goes to what is most urgent; a question of the peer waits here so long.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from meshnews.bundle.receipt import Receipt, decode_receipt, decode_short_receipt
from meshnews.errors import Malformed, OutOfTurn
from meshnews.ids import BundleId, BundleRef, TrafficClass
from meshnews.limits import (
    FRAME_BYTES_MAX,
    LACKING_ASKED_MAX,
    QUESTIONS_OPEN_MAX,
)
from meshnews.store.age import Moment
from meshnews.store.custody import Custody
from meshnews.store.terms import Acknowledged, Judgement
from meshnews.sync.answer import Answerer
from meshnews.sync.budget import Budget, ReceiptQuota
from meshnews.sync.compare import Comparison, Findings, Sides
from meshnews.sync.dial import Dialler
from meshnews.sync.event import Arrived, Carried, HandedOver, InSync, Receipted, SyncEvent
from meshnews.sync.give import Giver
from meshnews.sync.layout import encode_message
from meshnews.sync.messages import (
    CLASSES,
    Acked,
    Cancel,
    Data,
    Done,
    Flag,
    Have,
    Message,
    Name,
    NotHeld,
    OfferMessage,
    Stored,
    Want,
)
from meshnews.sync.outbox import Outbox
from meshnews.sync.pace import Pace
from meshnews.sync.question import (
    Cells,
    Days,
    Grid,
    List,
    More,
    Parts,
    Question,
    Reply,
    Spans,
    Split,
    Tell,
    Told,
)
from meshnews.sync.request import Wish, unlisted
from meshnews.sync.routing import Gate
from meshnews.sync.schedule import Fetcher, InFlight
from meshnews.sync.take import Taken, Taker

_WISHES_AHEAD_MAX: Final = 4096
"""Wishes beyond which no further list is asked for or answered."""

WORTH_AGAIN: Final = 64
"""Bundles that have to cross before a comparison that was cut short is worth another contact."""

_KNOWN_THERE_MAX: Final = 8192
"""Bundles remembered as known to the peer, so that news is not told back to it."""

_REFUSED_MAX: Final = 64
"""Notices of one peer that were refused and are asked for again when the desk is known better."""

_DATA_HEAD_BYTES: Final = 64
"""More than a DATA message has beside its block."""


class Talk:
    """One conversation between two HELLOs and the end.

    What happens is appended to `reports` at once: it stands, whatever fault the peer
    commits next, in the same message even.
    """

    def __init__(
        self,
        custody: Custody,
        inflight: InFlight,
        *,
        sides: Sides,
        dialler: bool,
        pace: Pace,
        fetcher: Fetcher,
        reports: list[SyncEvent],
        gate: Gate,
    ) -> None:
        self._custody = custody
        self._reports = reports
        self._sides = sides
        self._salt = sides.salt
        self._window = pace.window_bytes
        self._unloads = pace.unloads
        self._budget = Budget()
        frame = min(FRAME_BYTES_MAX, sides.theirs.frame_bytes_max)
        self.giver = Giver(
            custody, salt=sides.salt, block_bytes=min(pace.block_bytes, frame - _DATA_HEAD_BYTES)
        )
        self.taker = Taker(
            custody,
            inflight,
            salt=sides.salt,
            budget=self._budget,
            window_bytes=pace.window_bytes,
            fetcher=fetcher,
        )
        self._gate = gate
        self.outbox = Outbox(custody, self.giver, gate, puts_off=dialler)
        self._comparison: Comparison = Dialler(sides) if dialler else Answerer(sides, self._budget)
        self._dialler = dialler
        self.in_sync = False
        self._questions: deque[Question] = deque()
        self._known_there: dict[BundleId, bool] = {}
        self._handed: dict[bytes, BundleRef] = {}
        self._receipts = ReceiptQuota()
        self._refused: list[Name] = []
        self._has_told = False
        self._crossed = 0

    @property
    def is_worth_again(self) -> bool:
        """The comparison was cut short, all that it found is across, and that was much.

        A contact that begins anew may find as much again; one that found little would not.
        """
        if not self._comparison.is_cut_short or self._crossed < WORTH_AGAIN:
            return False
        is_idle = self.taker.is_idle and self.giver.is_idle and self.outbox.is_empty
        return self.in_sync and is_idle

    @property
    def is_owed(self) -> bool:
        """The other side has yet to answer: news, a question, or for what it was given."""
        return self._has_told or self._comparison.is_asking or self.giver.is_owed

    # Taking in

    def receive(  # noqa: C901, PLR0912  one flat row per message
        self, message: Message, *, size: int, moment: Moment
    ) -> None:
        """Take in a message of `size` bytes; what it makes happen is reported.

        Raises:
            PeerError: it has no place now, is not what it claims, or is too much.
        """
        self._has_told = False
        match message:
            case Data():
                self._on_data(message, moment)
            case Stored():
                self._on_stored(message)
            case Want():
                self.giver.want(message)
            case Have():
                self._on_have(message)
            case Acked():
                self._on_acked(message, moment)
            case OfferMessage():
                refused = self.taker.take_offer(message, moment)
                if refused is not None:
                    self.outbox.cancel([refused])
            case NotHeld():
                self.taker.not_held(message.groups, moment)
            case Cancel():
                self.giver.cancel(message.groups)
            case Spans() | Grid() | More() | Split() | List() | Tell() if not self._dialler:
                self._on_question(message, size)
            case Done() if not self._dialler:
                self._on_done(moment)
            case Days() | Cells() | Parts() | Reply() | Told() if self._dialler:
                self._queue(self._comparison.receive(message), moment)
            case _:
                raise OutOfTurn(f"{type(message).__name__} to the wrong side, or twice")

    def _on_data(self, message: Data, moment: Moment) -> None:
        taken = self.taker.take_data(message, moment)
        if taken is None:
            return
        if taken.outcome is Judgement.WANTED:
            self._reports.append(Arrived(taken.bundle))
            self._crossed += 1
        bundle, reference = taken.bundle, (message.traffic, message.day, taken.short)
        self._note_known(bundle.id, acked=False)
        if taken.outcome in {Judgement.WANTED, Judgement.KNOWN}:
            self.outbox.stored(reference)
        else:
            self.outbox.cancelled(reference)
            self._note_refused(taken)

    def _note_refused(self, taken: Taken) -> None:
        """Remember a notice whose issuer may be in a manifest that is still on its way."""
        ref, is_refused = taken.bundle.ref, taken.outcome is Judgement.REFUSED
        is_notice = ref.traffic is TrafficClass.NOTICE
        if is_refused and is_notice and len(self._refused) < _REFUSED_MAX:
            self._refused.append(Name(ref, taken.bundle.size, acked=False))

    def wish_for_refused(self) -> None:
        """Ask once more for the notices that were refused: more is known of the desk now."""
        refused, self._refused = self._refused, []
        for name in refused:
            self.taker.wish(Wish(name))

    def _on_stored(self, message: Stored) -> None:
        acked: list[BundleRef] = []
        for ref, is_acked in self.giver.stored(message.bundles):
            self._reports.append(Carried(ref))
            self._crossed += 1
            if ref.id not in self._known_there:
                # One more machine has it.  Asked for again, it is the same machine.
                self._custody.stored_by_peer(ref)
                if ref.traffic is TrafficClass.BULK:
                    self._gate.took(ref)
            self._note_known(ref.id, acked=False)
            self._comparison.credit_bundle()
            if is_acked:
                acked.append(ref)
        self.outbox.receipts(acked, full=False)
        for group in message.receipts:
            for short in group.shorts:
                handed = self._handed.pop(short, None)
                if handed is None:
                    raise OutOfTurn("Stored of a receipt that was not handed over")
                self._reports.append(HandedOver(handed))

    def _on_have(self, message: Have) -> None:
        for name in message.names:
            self._note_known(name.ref.id, acked=name.acked)
            flag = Flag.WANTS_ACKED if name.acked else Flag.WANTS
            if flag in self._sides.ours.classes[name.ref.traffic].flags:
                self.taker.wish(Wish(name))

    def _on_acked(self, message: Acked, moment: Moment) -> None:
        for raw in message.full:
            receipt = decode_receipt(raw)
            outcome = self._custody.acknowledge(receipt, moment)
            self._after_receipt(receipt.ref, outcome, message)
        for traffic, day, raw in message.short:
            if traffic is TrafficClass.NOTICE:
                raise Malformed("a receipt for a notice")
            short = decode_short_receipt(raw)
            ref = BundleRef(traffic, day, short.id)
            outcome = self._custody.acknowledge_short(ref, short, moment)
            self._after_receipt(ref, outcome, message)

    def _after_receipt(self, ref: BundleRef, outcome: Acknowledged, message: Acked) -> None:
        self._note_known(ref.id, acked=True)
        if outcome is Acknowledged.NEW:
            self._reports.append(Receipted(ref))
        if message.confirm and outcome not in {Acknowledged.REFUSED, Acknowledged.NO_ROOM}:
            self.outbox.stored_receipt((ref.traffic, ref.day, self._salt.position(ref.id)))

    # The comparison

    def _on_question(self, message: Question, size: int) -> None:
        self._budget.charge(size)
        if self.in_sync or len(self._questions) >= QUESTIONS_OPEN_MAX:
            raise OutOfTurn("more questions than may be open")
        self._questions.append(message)

    def _on_done(self, moment: Moment) -> None:
        if self.in_sync or self._questions:
            raise OutOfTurn("Done before all was answered, or twice")
        self._finish(moment)

    def advance(self, moment: Moment) -> None:
        """Take what steps of the comparison may be taken now; its end is reported.

        Raises:
            PeerError: a question that had to wait contradicts itself.
        """
        while self._questions and self._may_compare(opening=_opened_by(self._questions[0])):
            self._queue(self._comparison.receive(self._questions.popleft()), moment)
        if not self._dialler or self.in_sync:
            return
        while self._may_compare(opening=self._comparison.opening) and not self._gives_urgent():
            step = self._comparison.propose()
            if step is None:
                break
            self.outbox.message(encode_message(step))
        if self._comparison.finished and not self.outbox.holds_names:
            self.outbox.message(encode_message(Done()))
            self._finish(moment)

    def _may_compare(self, *, opening: TrafficClass | None) -> bool:
        if self.taker.wishes > _WISHES_AHEAD_MAX or self.outbox.waiting > _WISHES_AHEAD_MAX:
            return False
        if opening is None:
            return True
        # News of large files may stream in all the while: what is more urgent is compared first.
        is_given = self.giver.bytes_before(opening) <= self._window
        return is_given and (self._unloads or self.taker.is_ready_for(opening))

    def _gives_urgent(self) -> bool:
        """Tell whether what is given is more urgent than the next question, and takes seconds.

        The list of a film is as much as seconds of a bad line.
        """
        asking = self._comparison.asking
        return asking is not None and self.giver.bytes_before(asking) > self.giver.little_bytes

    def _queue(self, findings: Findings, moment: Moment) -> None:
        self.outbox.names(findings.names, moment)
        self.outbox.receipts(findings.short_receipts, full=False)
        full = self._receipts.admit(findings.full_receipts)
        self.outbox.receipts(full, full=True)
        if findings.answer is not None:
            self.outbox.message(encode_message(findings.answer))

    def _finish(self, moment: Moment) -> None:
        self.in_sync = True
        room = LACKING_ASKED_MAX
        for traffic in CLASSES:
            if not self._sides.we_want(traffic, Flag.WANTS):
                continue
            # A desk goes without nothing that a collector has.
            desk = self._sides.we_want(traffic, Flag.WANTS_ACKED)
            at_most = _WISHES_AHEAD_MAX if desk else room
            for entry in self._custody.missing(traffic, moment, at_most=at_most):
                self.taker.wish(unlisted(entry.ref, entry.size))
                room -= 1
        self._reports.append(InSync())

    # News

    def announce(self, ref: BundleRef) -> None:
        """Tell the peer of a new bundle, if it takes such and does not know it."""
        wants = Flag.WANTS in self._sides.theirs.classes[ref.traffic].flags
        if wants and ref.id not in self._known_there:
            self.outbox.tell(ref)
            self._has_told = True

    def announce_receipt(self, ref: BundleRef) -> None:
        """Pass a receipt on to the peer, unless it came from there."""
        acked = self._known_there.get(ref.id)
        if not acked:
            self.outbox.tell_receipt(ref, full=acked is None)

    def hand_over(self, receipts: Sequence[Receipt]) -> None:
        """Give receipts to a collector, which confirms each."""
        for receipt in receipts:
            self._handed[self._salt.position(receipt.ref.id)] = receipt.ref
        self.outbox.hand_over(receipts)

    def _note_known(self, identifier: BundleId, *, acked: bool) -> None:
        known = self._known_there
        if identifier not in known and len(known) >= _KNOWN_THERE_MAX:
            del known[next(iter(known))]
        known[identifier] = acked or known.get(identifier, False)

    # Giving out

    @property
    def has_control(self) -> bool:
        """A control message may be ready."""
        return not self.outbox.is_empty or self.giver.has_misses or self.taker.can_ask

    def next_control(self, moment: Moment) -> bytes | None:
        """Return the next control message, encoded, or None.

        Raises:
            PeerError: a question that had to wait contradicts itself.
        """
        while True:
            before = self.taker.wishes, self.outbox.waiting
            body = self._next_control(moment)
            is_left = before == (self.taker.wishes, self.outbox.waiting)
            if body is not None or is_left or self.taker.is_weighing:
                return body
            # What the comparison waited for was let go without a word: another link fetches it,
            # or it is gone.
            self.advance(moment)

    def _next_control(self, moment: Moment) -> bytes | None:
        urgent = self.outbox.urgent()
        if urgent is not None:
            return urgent
        if self.taker.can_ask:
            want = self.taker.next_want(moment)
            if want is not None:
                return encode_message(want)
        return self.outbox.other(moment)


def _opened_by(question: Question) -> TrafficClass | None:
    return question.traffic if isinstance(question, Spans) else None
