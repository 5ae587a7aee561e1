"""A contact over a real link, byte by byte: handshake, records, frames, and where it is cut.

A *turn* delivers some of the bytes that one side has sent; then whoever has none
under way any more sends again, as a stream does.  However the bytes of a turn are
split, no more is sent meanwhile, so the same seed sends the same bytes again.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from meshnews.crypto.entropy import SeededEntropy, below
from meshnews.ids import BundleRef, LinkId
from meshnews.link.rendezvous import Mode
from meshnews.link.session import LinkSession
from meshnews.node.event import Carrier
from meshnews.node.links.carriage import CARRIAGES, pace_on
from meshnews.node.links.conversation import Conversation
from meshnews.store.age import Moment
from meshnews.store.memory import MemoryCarry
from meshnews.store.port import Entry
from meshnews.sync.event import Arrived, Carried
from meshnews.sync.layout import decode_message
from meshnews.sync.machine import SyncMachine
from meshnews.sync.messages import Data
from tests.link.neighbours import Guard, meeting
from tests.sync.world import MOMENT, Node, Sample

IDLE_S = 0.5
"""What the clock gains in a turn in which nothing is under way."""


class CountingCarry(MemoryCarry):
    """Counts how often each body is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written: Counter[BundleRef] = Counter()

    def add(self, entry: Entry, body: bytes) -> None:
        if body:
            self.written[entry.ref] += 1
        super().add(entry, body)


@dataclass
class Watch:
    """The clock of both nodes, which the bytes move on."""

    lived_s: float = MOMENT.lived_s

    @property
    def moment(self) -> Moment:
        return replace(MOMENT, lived_s=self.lived_s)


@dataclass
class Account:
    """What crossed in all contacts of two nodes, as far as it was of bundles.

    Attributes:
        came: bytes of blocks that arrived, for each node and bundle, one flag for each.
        payload_bytes: of blocks that arrived in whole messages.
        again_bytes: those of them that had arrived at that node before.
        in_vain_bytes: of the streams that crossed but completed no message when they were
            cut: the record that was not whole, and the message begun in those before it.
        in_vain_most_bytes: the most of these that one way lost at one cut.
        cuts: how many contacts were cut.
    """

    came: dict[tuple[str, BundleRef], bytearray] = field(default_factory=dict)
    payload_bytes: int = 0
    again_bytes: int = 0
    in_vain_bytes: int = 0
    in_vain_most_bytes: int = 0
    cuts: int = 0
    arrived: Counter[tuple[str, BundleRef]] = field(default_factory=Counter)
    """How often a node reported that it has verified and kept a bundle."""
    carried: Counter[tuple[str, BundleRef]] = field(default_factory=Counter)
    """How often a node was told STORED, by the name of the other."""

    def block(self, node: str, sample: Sample, data: Data) -> None:
        """Take note of a block that has arrived."""
        flags = self.came.setdefault((node, sample.ref), bytearray(sample.bundle.size))
        place = slice(data.offset, data.offset + len(data.block))
        self.again_bytes += flags[place].count(1)
        self.payload_bytes += len(data.block)
        flags[place] = bytes([1]) * len(data.block)

    @property
    def twice_bytes(self) -> int:
        """Bytes that crossed to no use, or for the second time."""
        return self.again_bytes + self.in_vain_bytes


class Cable:
    """Two conversations, and the bytes under way between them."""

    def __init__(
        self,
        left: Node,
        right: Node,
        samples: Iterable[Sample],
        *,
        number: int,
        carrier: Carrier = Carrier.LAN,
        bytes_per_s: float = 1e6,
        watch: Watch,
        account: Account,
    ) -> None:
        self.nodes = left, right
        self.watch, self.account = watch, account
        self.delivered = [0, 0]
        self.recording: list[tuple[int, bytes]] = []
        """What was delivered, turn by turn, and by which side it was sent."""
        self.told = 0
        """Messages handed to either machine."""
        self._rate = bytes_per_s
        self._samples = list(samples)
        self._by_short: dict[bytes, Sample] = {}
        self._turns = SeededEntropy(b"turns %d" % number)
        self._under_way = bytearray(), bytearray()
        sessions = _sessions(number, carrier)
        self.talks = tuple(
            Conversation(LinkId(number), session, carrier, watch.lived_s) for session in sessions
        )
        # The economy of the node lets bulk wait on a slow carrier; here it may go at once.
        self._pace = replace(pace_on(carrier, is_metered=False), takes_bulk=True)
        self.talks[0].greeting = sessions[0].start()
        self._send()

    # What is under way

    @property
    def under_way(self) -> int:
        """Bytes that were sent and are not delivered."""
        return sum(map(len, self._under_way))

    @property
    def is_done(self) -> bool:
        """All is compared and moved, and both sides know."""
        machines = [talk.machine for talk in self.talks]
        return not self.under_way and all(one is not None and one.is_idle for one in machines)

    def _send(self) -> None:
        for talk, under_way in zip(self.talks, self._under_way, strict=True):
            if not under_way:
                talk.drained(self.watch.lived_s)
                send = talk.next_send(self.watch.moment)
                under_way.extend(b"" if send is None else send.data)

    # Turns

    def run(self, *, bytes_max: int = 1 << 62, each: Callable[[], None] | None = None) -> bool:
        """Let both talk until nothing moves, or so many bytes have crossed in all.

        With `each`, bytes come one by one, and it is called after every one.

        Returns:
            Whether nothing moves any more.
        """
        while sum(self.delivered) < bytes_max:
            if not self._turn(bytes_max - sum(self.delivered), each):
                return True
        return False

    def _turn(self, room: int, each: Callable[[], None] | None) -> bool:
        sides = [side for side in (0, 1) if self._under_way[side]]
        if not sides:
            return self._tick()
        side = sides[below(self._turns, len(sides))]
        stream = self._under_way[side]
        # Now and then the other side's bytes come in between.
        size = len(stream) if below(self._turns, 2) else 1 + below(self._turns, len(stream))
        size = min(size, room)
        piece = bytes(stream[:size])
        del stream[:size]
        self.recording.append((side, piece))
        if each is None:
            self._deliver(1 - side, piece)
        else:
            for at in range(size):
                self._deliver(1 - side, piece[at : at + 1])
                each()
        self.watch.lived_s += size / self._rate
        self._send()
        return True

    def _tick(self) -> bool:
        """Let time do what waits for it; tell whether anything came of it."""
        self.watch.lived_s += IDLE_S
        for side, talk in enumerate(self.talks):
            if talk.machine is not None and talk.machine.deadline_s == 0.0:
                self._note(side, talk.machine)
        self._send()
        return bool(self.under_way)

    def _deliver(self, side: int, part: bytes) -> None:
        talk = self.talks[side]
        self.delivered[side] += len(part)
        messages = talk.session.receive(part)
        if talk.session.established and talk.speaker is None:
            machine = self.nodes[side].machine(
                dialler=side == 0, session=talk.session.session_id, pace=self._pace
            )
            talk.begin(machine, self.watch.moment)
        for message in messages:
            self.told += 1
            self._look(side, message)
            assert talk.machine is not None
            self._take_events(side, talk.machine.receive(message, self.watch.moment))

    def _note(self, side: int, machine: SyncMachine) -> None:
        self._take_events(side, machine.tick(self.watch.moment))

    def _take_events(self, side: int, events: Iterable[object]) -> None:
        for event in events:
            match event:
                case Arrived(bundle):
                    self.account.arrived[self.nodes[side].name, bundle.ref] += 1
                case Carried(ref):
                    self.account.carried[self.nodes[1 - side].name, ref] += 1
                case _:
                    pass

    def _look(self, side: int, message: bytes) -> None:
        if message[1] != 10:
            return
        data = decode_message(message)
        assert isinstance(data, Data)
        if not self._by_short:
            machine = self.talks[side].machine
            assert machine is not None
            assert machine.talk is not None
            salt = machine.talk.giver._salt
            self._by_short = {salt.position(one.ref.id): one for one in self._samples}
        self.account.block(self.nodes[side].name, self._by_short[data.short], data)

    # Endings

    def cut(self, *, dead: int | None = None) -> None:
        """End the contact where it is: what is under way is lost.  A dead side knows of nothing."""
        self.account.cuts += 1
        lost = [_useless_bytes(talk) for talk in self.talks]
        self.account.in_vain_bytes += sum(lost)
        self.account.in_vain_most_bytes = max(self.account.in_vain_most_bytes, *lost)
        self.end(dead=dead)

    def end(self, *, dead: int | None = None) -> None:
        for side, talk in enumerate(self.talks):
            if talk.speaker is not None and side != dead:
                talk.speaker.ended()


def _sessions(number: int, carrier: Carrier) -> tuple[LinkSession, LinkSession]:
    met, sizes = meeting(Mode.RELAY, number), CARRIAGES[carrier].records
    return (
        LinkSession.initiate(met.target, entropy=met.entropy, sizes=sizes),
        LinkSession.respond(met.keys, replay=Guard(), entropy=met.entropy, sizes=sizes),
    )


def _useless_bytes(talk: Conversation) -> int:
    """Return how many bytes came to one side in what is no whole message."""
    session = talk.session
    if session._reader is None:
        return 0
    return len(session._reader._buffer) + len(session._frames._part)
