"""The sync conversation with one neighbour; see docs/protocol/sync.md.

    GREETING --HELLO--> OPEN --BYE from the peer, an error, the end of the link--> ENDED
        |                 |                                                          ^
        +---we say BYE----+--> LEAVING --BYE from the peer---------------------------+

Both ends run this machine.  It is fed whole messages and pulled for whole
messages, so nothing is made before there is room for it on the link.  What goes
on in OPEN is `meshnews.sync.talk`.
"""

import enum
from collections import deque
from collections.abc import Sequence
from typing import Final

from meshnews.bundle.receipt import Receipt
from meshnews.crypto.entropy import Entropy
from meshnews.errors import OutOfTurn, PeerError
from meshnews.ids import BundleRef, TrafficClass
from meshnews.limits import STALL_S
from meshnews.store.age import Moment
from meshnews.store.custody import Custody
from meshnews.sync.compare import EVER, Sides
from meshnews.sync.event import Greeted, SyncEvent
from meshnews.sync.greeting import greeting, horizon
from meshnews.sync.layout import decode_message, encode_message
from meshnews.sync.messages import INSTANCE_BYTES, NONCE_BYTES, Bye, Hello, Message, Reason
from meshnews.sync.pace import Pace
from meshnews.sync.request import Wish
from meshnews.sync.routing import Routing
from meshnews.sync.salt import Salt
from meshnews.sync.schedule import InFlight
from meshnews.sync.talk import Talk

_CREDIT_BYTES: Final = 64 * 1024
"""How far control messages may run ahead of their quarter, or data behind its share."""

_EARLY_MAX: Final = 1024
"""News remembered between our HELLO and the peer's."""


class SyncState(enum.Enum):
    """Where the conversation stands, as seen from our side."""

    GREETING = "greeting"
    OPEN = "open"
    LEAVING = "leaving"
    ENDED = "ended"


class SyncMachine:
    """One sync conversation.

    Attributes are for logs and tests.  `session` is the handshake hash of the
    link, the same on both sides; `instance` is random, and one for all streams that the
    peer is to see as of one node; `desk` is true at each of a desk's machines, its
    collectors too: they take bundles that were received already, and compare further back.
    """

    def __init__(
        self,
        custody: Custody,
        inflight: InFlight,
        *,
        dialler: bool,
        session: bytes,
        instance: bytes,
        entropy: Entropy,
        pace: Pace,
        routing: Routing,
        desk: bool,
    ) -> None:
        assert len(instance) == INSTANCE_BYTES, "an instance is 16 bytes"
        self._custody = custody
        self._inflight = inflight
        self._dialler = dialler
        self._session = session
        self._instance = instance
        self._entropy = entropy
        self._pace = pace
        self._routing = routing
        self._desk = desk
        self.dismissed: Reason | None = None  # why the peer said BYE, once it has
        self._state = SyncState.GREETING
        self._hello: Hello | None = None
        self._horizon = EVER
        self._greet_by_s: float | None = None
        self._talk: Talk | None = None
        self._bytes_per_s: float | None = None
        self._first: list[bytes] = []
        self._reports: list[SyncEvent] = []
        self._early: deque[BundleRef] = deque(maxlen=_EARLY_MAX)
        self._early_receipts: deque[BundleRef] = deque(maxlen=_EARLY_MAX)
        self._credit = _CREDIT_BYTES
        self._is_quiet = False  # the last pull found nothing, and nothing has come in since
        self.takes_bulk = pace.takes_bulk
        self._most = pace.most

    @property
    def state(self) -> SyncState:
        """Where the conversation stands."""
        return self._state

    @property
    def talk(self) -> Talk | None:
        """What goes on once both have said HELLO; None before and after."""
        return self._talk

    @property
    def in_sync(self) -> bool:
        """All classes are compared."""
        return self._talk is not None and self._talk.in_sync

    @property
    def is_idle(self) -> bool:
        """All is compared and moved, and its fate told, as far as this side knows."""
        talk = self._talk
        if talk is None or not talk.in_sync:
            return False
        return talk.taker.is_idle and talk.giver.is_idle and not self.queued

    @property
    def is_owed(self) -> bool:
        """The other side has yet to answer to something."""
        return self._talk is not None and self._talk.is_owed

    @property
    def is_over(self) -> bool:
        """One side has said BYE; nothing is to be said after what is queued."""
        return self._state is SyncState.LEAVING or self._state is SyncState.ENDED

    @property
    def queued(self) -> bool:
        """There may be something to send; a `pull` can still come back empty."""
        if self._is_quiet:
            # Mostly so, and asked of every stream at every event.
            return False
        if self._first:
            return True
        talk = self._talk
        return talk is not None and (talk.giver.has_data or talk.has_control)

    @property
    def deadline_s(self) -> float | None:
        """When to call `tick`, in seconds of the node's life; 0 for at once."""
        if self._talk is None:
            return self._greet_by_s if self._state is SyncState.GREETING else None
        if self._reports or self._talk.taker.is_weighing:
            return 0.0
        return self._talk.taker.deadline_s

    # Starting and ending

    def start(self, moment: Moment) -> None:
        """Begin: both sides say HELLO."""
        assert self._hello is None, "a conversation starts once"
        self._is_quiet = False
        self._horizon = horizon(moment, desk=self._desk)
        self._hello = greeting(
            self._custody,
            # Who calls may be nameless: the called one's day is enough for both.
            oldest=EVER if self._dialler else self._horizon,
            desk=self._desk,
            nonce=self._entropy.draw(NONCE_BYTES),
            instance=self._instance,
            bulk_flags=self._routing.flags,
            most=self._most,
        )
        self._greet_by_s = moment.lived_s + STALL_S
        self._first.append(encode_message(self._hello))

    def leave(self, reason: Reason = Reason.FINISHED) -> None:
        """Say BYE; what the peer still sends is ignored."""
        if self._state in {SyncState.GREETING, SyncState.OPEN}:
            self._leave(reason)

    def ended(self) -> None:
        """Let go of everything: the link is gone.  What was being fetched is free for others."""
        self._is_quiet = False
        talk, self._talk = self._talk, None
        self._state = SyncState.ENDED
        self._first.clear()
        if talk is not None:
            talk.taker.end()

    def _dismiss(self, bye: Bye) -> None:
        self.dismissed = bye.reason
        self.ended()

    def _leave(self, reason: Reason) -> None:
        self.ended()
        self._first.append(encode_message(Bye(reason)))
        self._state = SyncState.LEAVING

    # Taking in

    def receive(self, message: bytes, moment: Moment) -> list[SyncEvent]:
        """Advance on one message from the peer.

        Raises:
            PeerError: it is malformed, has no place in this state, is forged, or
                is too much.  The conversation has ended; `harvest` has what happened
                before the fault.
        """
        self._is_quiet = False
        try:
            self._receive(decode_message(message), len(message), moment)
        except PeerError:
            self.ended()
            raise
        return self.harvest()

    def harvest(self) -> list[SyncEvent]:
        """Return what has happened and was not yet told.

        Whatever fault a peer commits, what it brought before is in the store: were that
        not told of, a bundle would lie there that nobody ever opens.
        """
        happened = self._reports[:]
        self._reports.clear()
        return happened

    def _receive(self, message: Message, size: int, moment: Moment) -> None:
        talk = self._talk
        if talk is not None:
            if type(message) is Bye:
                self._dismiss(message)
                return
            talk.receive(message, size=size, moment=moment)
            talk.advance(moment)
            return
        match self._state, message:
            case SyncState.GREETING, Hello() if self._hello is not None:
                self._greeted(self._hello, message, moment)
            case SyncState.GREETING | SyncState.LEAVING, Bye() as bye:
                self._dismiss(bye)
            case SyncState.LEAVING, _:
                pass
            case _:
                raise OutOfTurn(f"{type(message).__name__} while {self._state.value}")

    def _greeted(self, ours: Hello, theirs: Hello, moment: Moment) -> None:
        self._reports.append(Greeted(theirs))
        if theirs.instance == ours.instance:
            self._leave(Reason.MYSELF)
            return
        dialling, answering = (ours, theirs) if self._dialler else (theirs, ours)
        salt = Salt(
            session=self._session, dialler_nonce=dialling.nonce, acceptor_nonce=answering.nonce
        )
        self._talk = Talk(
            self._custody,
            self._inflight,
            sides=Sides(
                self._custody, salt, ours, theirs, self._pace.manner, horizon=self._horizon
            ),
            dialler=self._dialler,
            pace=self._pace,
            fetcher=self,
            reports=self._reports,
            gate=self._routing.meet(theirs.classes[TrafficClass.BULK].flags),
        )
        self._talk.taker.takes_bulk = self.takes_bulk
        if self._bytes_per_s is not None:
            self._talk.giver.pace(self._bytes_per_s)
        self._state = SyncState.OPEN
        for ref in self._early:
            self._talk.announce(ref)
        for ref in self._early_receipts:
            self._talk.announce_receipt(ref)
        self._talk.advance(moment)

    def tick(self, moment: Moment) -> list[SyncEvent]:
        """Do what time demands: give up what the peer is too late with.

        Raises:
            PeerError: the peer never said HELLO, or a question of it that had to
                wait contradicts itself.
        """
        self._is_quiet = False
        greet_by_s = self._greet_by_s
        is_late = greet_by_s is not None and moment.lived_s >= greet_by_s
        if is_late and self._state is SyncState.GREETING:
            self.ended()
            raise OutOfTurn("no HELLO in time")
        talk = self._talk
        if talk is not None:
            talk.outbox.cancel(talk.taker.give_up_late(moment))
            talk.advance(moment)
            if talk.is_worth_again:
                self.leave()
        return self.harvest()

    # Giving out

    def pull(self, room_bytes: int, moment: Moment) -> list[bytes]:
        """Return messages for about `room_bytes`, at least one if any is ready.

        What keeps the other side going comes first, and control messages take
        at most about a quarter while data waits.

        Raises:
            PeerError: what the peer asked for cannot be answered.
        """
        bodies: list[bytes] = []
        if self._is_quiet:
            return bodies
        while room_bytes > 0:
            body = self._next(moment)
            if body is None:
                # What the taker has yet to look at may lead to a request.
                self._is_quiet = self._talk is None or not self._talk.taker.is_weighing
                break
            bodies.append(body)
            room_bytes -= len(body)
        return bodies

    def _next(self, moment: Moment) -> bytes | None:
        if self._first:
            return self._first.pop(0)
        talk = self._talk
        if talk is None:
            return None
        if not talk.in_sync:
            talk.advance(moment)
        data_waits = talk.giver.has_data
        if self._credit >= 0 or not data_waits:
            body = talk.next_control(moment)
            if body is not None:
                if data_waits:
                    self._credit = max(self._credit - 3 * len(body), -_CREDIT_BYTES)
                return body
        if not data_waits:
            return None
        body = talk.giver.next(moment)
        if body is None:
            return talk.next_control(moment)
        self._credit = min(self._credit + len(body), _CREDIT_BYTES)
        return body

    # News, and what other links give up

    def announce(self, ref: BundleRef, moment: Moment) -> None:  # noqa: ARG002  news may need it
        """Tell the peer of a bundle that has just entered the set."""
        if ref.traffic > self._most:
            return
        self._is_quiet = False
        if self._talk is not None:
            self._talk.announce(ref)
        elif self._state is SyncState.GREETING:
            # It may be newer than anything that our HELLO spoke of.
            self._early.append(ref)

    def announce_receipt(self, ref: BundleRef) -> None:
        """Tell the peer of a bundle that has just become acked."""
        self._is_quiet = False
        if self._talk is not None:
            self._talk.announce_receipt(ref)
        elif self._state is SyncState.GREETING:
            self._early_receipts.append(ref)

    def hand_over(self, receipts: Sequence[Receipt]) -> None:
        """Give receipts to the peer, a collector, to release; `HandedOver` comes for each.

        Only after `Greeted`: what is handed over before is not sent.
        """
        self._is_quiet = False
        if self._talk is not None:
            self._talk.hand_over(receipts)

    def pace(self, bytes_per_s: float) -> None:
        """Choose blocks for a carrier that was measured at this rate, from the greeting on."""
        self._bytes_per_s = bytes_per_s
        if self._talk is not None:
            self._talk.giver.pace(bytes_per_s)

    def take_bulk(self) -> None:
        """Ask for bulk from now on; on a slow carrier it waits for this."""
        self._is_quiet = False
        self.takes_bulk = True
        if self._talk is not None:
            self._talk.taker.takes_bulk = True

    def wish_for_refused(self) -> None:
        """Ask once more for notices that were refused: more is known of the desk now."""
        self._is_quiet = False
        if self._talk is not None:
            self._talk.wish_for_refused()

    def wish_again(self, wish: Wish) -> None:
        """Wish for a bundle that another link gave up; the peer of this one has it too."""
        self._is_quiet = False
        if self._talk is not None:
            self._talk.taker.wish(wish)
