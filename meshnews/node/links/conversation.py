"""One stream to another machine: its session, and what is spoken inside it.

    handshaking --the session stands--> open --an error, an hour, an end--> gone

A neighbour *talks* when what is spoken is a sync conversation; a joiner or the
desk's machine, enrolling, is no neighbour.

Bytes are made only when the transport has taken all before them, and never
more than it takes in a tenth of a second, so what is urgent waits no longer
than that.
"""

import heapq
import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.entropy import Entropy, between
from meshnews.ids import BundleRef, LinkId
from meshnews.limits import FRAME_S_MAX, HANDSHAKE_S_MAX, LINK_S_MAX
from meshnews.link.session import LinkSession
from meshnews.node.event import Address, Carrier, Send, Trouble
from meshnews.node.links.carriage import CARRIAGES
from meshnews.node.links.target import Target
from meshnews.node.speaker import Speaker
from meshnews.store.age import Moment
from meshnews.sync.machine import SyncMachine
from meshnews.sync.messages import Reason

ROOM_BYTES_MIN: Final = 1024
"""Least of a send, four small records: an eighth of a second at 64 kbit/s.  What is urgent and
every answer of a comparison wait for the send that is on its way."""
ROOM_BYTES_FIRST: Final = 8 * 1024
ROOM_BYTES_MAX: Final = 1024 * 1024
ROOM_BYTES_MIN_BLUETOOTH: Final = 4 * 1024
ROOM_BYTES_FIRST_UPLINK: Final = 2 * 1024
"""First of a send over an uplink: a second at 16 kbit/s."""
_ROOM_BYTES: Final = {
    Carrier.LAN: (ROOM_BYTES_MIN, ROOM_BYTES_FIRST),
    Carrier.BLUETOOTH: (ROOM_BYTES_MIN_BLUETOOTH, ROOM_BYTES_FIRST),
    Carrier.UPLINK: (ROOM_BYTES_MIN, ROOM_BYTES_FIRST_UPLINK),
}
WAITING_BYTES: Final = 64 * 1024
"""What a conversation with more to say is taken to have: enough for large records."""
ROOM_S: Final = 0.1
"""A send holds what the stream carries in this time, within the two bounds.

A stream that was not measured yet is taken to carry its first send in this time: at the 8 kB/s
of a bad uplink a record of the largest size would take eight seconds, in which nothing urgent
could step in."""
MEASURE_S: Final = 0.1
"""A stream has to be kept full for this long before its rate is known.  Its transport takes
some thousand bytes at once into a queue of its own: one send tells how long that queue is."""
MEASURE_BYTES: Final = 128 * 1024
"""Or until it has taken this much: no such queue is as long."""
UNHEARD_S: Final = 30.0
UNHEARD_BYTES: Final = 128 * 1024
"""A collector that owes an answer has so long for it, and as long as this much takes: what lies
between may have it in a queue.  Something on the way may take all, and pass on nothing."""
LAST_LOOK_S: Final = 5.0
"""Then it is looked at once more: on a machine that is busy what came may not be read yet."""


@dataclass
class Conversation:
    """What the switchboard keeps about one stream.

    Attributes:
        target: whom we called; None when we were called.
        greeting: the caller's first bytes, until they are sent.
        frame_since_s: since when a message has been coming in and is not whole.
        speaker: what is spoken, once the session stands.
        instance, own_instance: what the neighbour, and we, are called on this stream.
        sent, received: bytes so far, records and handshake included.
        trial_until_s: until when it is looked at, as one more than were wanted, who goes for it.
        unheard_since_s: since when nothing has come, after all that was said was taken; None:
            something has, since anything was last said.
        is_doubted: nothing came in time, and the last look is still to come.
        trouble: why the handshake was never completed, or the call given up.
        broke: what it said under the session broke the protocol, and we ended it.
        was_useful: something crossed it, whole, that one of the two did not have.
        held: what the neighbour is to be told of, and when; a heap, the soonest first.
        rate: bytes a second that the stream took lately; 0: it has not been filled yet.
    """

    link: LinkId
    session: LinkSession
    carrier: Carrier
    opened_s: float
    address: Address | None = None
    target: Target | None = None
    speaker: Speaker | None = None
    instance: bytes = b""
    own_instance: bytes = b""
    talking_since_s: float = 0.0
    frame_since_s: float | None = None
    trial_until_s: float = math.inf
    greeting: bytes = b""
    sent: int = 0
    received: int = 0
    unheard_since_s: float | None = None
    is_doubted: bool = False
    trouble: Trouble | None = None
    broke: bool = False
    was_useful: bool = False
    rate: int = 0
    held: list[tuple[float, BundleRef]] = field(default_factory=list)
    _brought: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=256))
    _waiting: int = 0
    _room: int = 0
    _measured: int = 0
    _full_since_s: float = 0.0
    _drained_at_s: float = 0.0

    def __post_init__(self) -> None:
        _, self._room = _ROOM_BYTES[self.carrier]

    @property
    def is_slow(self) -> bool:
        """What it runs over is so slow that a little of it takes long."""
        return self.carrier is Carrier.BLUETOOTH

    @property
    def is_watched(self) -> bool:
        """We called it by a secret that was replaced since: whoever was recalled knows it too."""
        target = self.target
        if target is None or target.relay is None or not self.session.established:
            return False
        return self.session.peer.rendezvous != target.rendezvous

    @property
    def where(self) -> str:
        """From where we were called; empty when we called."""
        return "" if self.address is None else self.address.where

    @property
    def is_open(self) -> bool:
        """The session stands."""
        return self.speaker is not None

    @property
    def machine(self) -> SyncMachine | None:
        """The sync conversation, if that is what is spoken."""
        return self.speaker if isinstance(self.speaker, SyncMachine) else None

    @property
    def is_talking(self) -> bool:
        """It is a neighbour: the session stands, and both synchronise."""
        return self.machine is not None

    @property
    def is_finished(self) -> bool:
        """There is nothing more to say, and all of ours is with the transport."""
        speaker = self.speaker
        if speaker is None or not speaker.is_over:
            return False
        return not (self._waiting or self.session.queued_bytes or speaker.queued)

    @property
    def is_leaving(self) -> bool:
        """One side has said BYE, but not all of ours is on its way."""
        return self.machine is not None and self.machine.is_over

    @property
    def was_crowded_out(self) -> bool:
        """The other side said that it has no room for us now."""
        return self.machine is not None and self.machine.dismissed is Reason.FULL

    @property
    def is_at_collector(self) -> bool:
        """We called this machine, and the desk says that it is a collector."""
        return self.target is not None and self.target.is_collector

    @property
    def answer_by_s(self) -> float:
        """By when a collector that we called has to say something; never, if it owes nothing."""
        since_s = self.unheard_since_s
        if since_s is None or not self.is_at_collector or self.machine is None:
            return math.inf
        if not self.machine.is_owed:
            return math.inf
        patience_s = UNHEARD_S + (UNHEARD_BYTES / self.rate if self.rate else 0.0)
        return since_s + patience_s + (LAST_LOOK_S if self.is_doubted else 0.0)

    @property
    def deadline_s(self) -> float:
        """By when it has to be over, or something new to have come."""
        if not self.is_open:
            return self.opened_s + HANDSHAKE_S_MAX
        until_s = min(self.talking_since_s + LINK_S_MAX, self.answer_by_s)
        if self.frame_since_s is None:
            return until_s
        return min(until_s, self.frame_since_s + FRAME_S_MAX)

    @property
    def due_s(self) -> float:
        """When something is to be done about it, in seconds of life, if nothing happens before."""
        due_s = min(self.deadline_s, self.trial_until_s)
        if self.held:
            due_s = min(due_s, self.held[0][0])
        speaker_s = None if self.speaker is None else self.speaker.deadline_s
        return due_s if speaker_s is None else min(due_s, speaker_s)

    def watch_frame(self, now_s: float, *, has_ended: bool) -> None:
        """Take note of whether a message has come in part; `has_ended`: one is whole now."""
        if not self.session.is_inside_message:
            self.frame_since_s = None
        elif has_ended or self.frame_since_s is None:
            # On a busy link one message ends and the next begins in a single record.
            self.frame_since_s = now_s

    def heard(self, size: int) -> None:
        """Take note that bytes came in."""
        self.received += size
        self.unheard_since_s, self.is_doubted = None, False

    def begin(self, speaker: Speaker, moment: Moment) -> None:
        """Let `speaker` speak: the session stands."""
        self.speaker, self.talking_since_s = speaker, moment.lived_s
        self._pace(self._room / ROOM_S)
        speaker.start(moment)

    def brought(self, now_s: float, size: int) -> None:
        """Take note of a verified new bundle from this neighbour."""
        self._brought.append((now_s, size))

    def fresh_bytes(self, since_s: float) -> int:
        """Return how many bytes of new bundles it brought since then."""
        return sum(size for moment_s, size in self._brought if moment_s >= since_s)

    def tell(self, ref: BundleRef, moment: Moment, entropy: Entropy) -> None:
        """Tell the neighbour of a bundle that entered the set.

        Over an uplink a little later, each at a time of its own: what was made here comes
        in no order that tells it from what was brought.
        """
        hold_s_max = CARRIAGES[self.carrier].hold_s_max
        if hold_s_max:
            at_s = moment.lived_s + between(entropy, 0.0, hold_s_max)
            heapq.heappush(self.held, (at_s, ref))
        elif self.machine is not None:
            self.machine.announce(ref, moment)

    def tell_held(self, moment: Moment) -> None:
        """Tell the neighbour of what was held back, as far as its time has come."""
        while self.held and self.held[0][0] <= moment.lived_s:
            _, ref = heapq.heappop(self.held)
            if self.machine is not None:
                self.machine.announce(ref, moment)

    def drained(self, now_s: float) -> None:
        """Take note that the transport has taken the last send, and learn its rate."""
        if self.session.established and self._waiting >= self._room // 2:
            self._measured += self._waiting
            self._measure(now_s)
        else:
            # A stream that is not kept full tells nothing of its rate.
            self._measured = 0
        self._waiting, self._drained_at_s = 0, now_s
        if self.unheard_since_s is not None:
            self.unheard_since_s = now_s

    def _measure(self, now_s: float) -> None:
        took_s = now_s - self._full_since_s
        if took_s < MEASURE_S and self._measured < MEASURE_BYTES:
            return
        rate = self._measured / max(took_s, 0.001)
        self.rate = int(rate)
        self._pace(rate)
        least, _ = _ROOM_BYTES[self.carrier]
        self._room = min(max(int(rate * ROOM_S), least), ROOM_BYTES_MAX)
        self._measured = 0

    def _pace(self, rate: float) -> None:
        self.session.pace(rate)
        if self.machine is not None:
            self.machine.pace(rate)

    def next_send(self, moment: Moment) -> Send | None:
        """Return the next bytes for the stream, or None: nothing to say, or not yet."""
        if self._waiting:
            return None
        data, self.greeting = self.greeting, b""
        if not data:
            self._fill(moment)
            if not self.session.queued_bytes:
                return None
            waiting = WAITING_BYTES if self.speaker is not None and self.speaker.queued else 0
            data = self.session.take(self._room, waiting_bytes=waiting)
        if not self._measured or moment.lived_s - self._drained_at_s > ROOM_S:
            self._measured, self._full_since_s = 0, moment.lived_s
        self._waiting = len(data)
        self.unheard_since_s = moment.lived_s
        self.sent += len(data)
        return Send(self.link, data)

    def _fill(self, moment: Moment) -> None:
        if self.speaker is None:
            return
        room = self._room - self.session.queued_bytes
        if room > 0:
            for message in self.speaker.pull(room, moment):
                self.session.queue(message)
