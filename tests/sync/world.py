"""Nodes with stores of real bundles, and contacts between them, in one process."""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from meshnews.bundle.format import Bundle, Head, assemble, commitment
from meshnews.bundle.postage import ByPostage, issue
from meshnews.bundle.receipt import Receipt, receipt_of
from meshnews.bundle.shape import shape_of
from meshnews.crypto.entropy import Entropy, SeededEntropy, below
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, PostageKey
from meshnews.ids import AuthKind, BundleRef, Day, IssuerId, TrafficClass
from meshnews.limits import POSTAGE_IDS_MAX, STANZA_BYTES
from meshnews.store.age import Moment
from meshnews.store.custody import Custody
from meshnews.store.memory import MemoryCarry
from meshnews.store.port import State
from meshnews.store.terms import Terms
from meshnews.sync.event import SyncEvent
from meshnews.sync.layout import decode_message
from meshnews.sync.machine import SyncMachine
from meshnews.sync.messages import CLASSES, Data
from meshnews.sync.pace import Pace
from meshnews.sync.routing import Flooding, Routing
from meshnews.sync.schedule import InFlight

TODAY = Day(2100)
MOMENT = Moment(lived_s=1000.0, floor_day=TODAY, today=TODAY)
ISSUER = Ed25519Secret(b"i" * 32)
LAN = Pace(block_bytes=32 * 1024, window_bytes=1024 * 1024)
SMALL = Pace(block_bytes=1024, window_bytes=16 * 1024)


def issuers(_: IssuerId) -> Sequence[tuple[Ed25519Public, Day]]:
    """Know one issuer."""
    return [(ISSUER.public, Day(TODAY + 400))]


@dataclass(frozen=True)
class Sample:
    """A bundle nobody can open, and the receipt for it."""

    bundle: Bundle
    receipt: Receipt | None

    @property
    def ref(self) -> BundleRef:
        return self.bundle.ref


class Press:
    """Makes bundles; the same seed makes the same ones."""

    def __init__(self, seed: int) -> None:
        self.entropy: Entropy = SeededEntropy(b"press" + seed.to_bytes(8, "big"))
        self._keys: list[PostageKey] = []
        self._left = 0

    def make(
        self,
        traffic: TrafficClass = TrafficClass.ROUTINE,
        *,
        size: int = 2048,
        life: int = 14,
        day: int = TODAY,
    ) -> Sample:
        shape = shape_of(size, AuthKind.POSTAGE, traffic, life, day)
        draw = self.entropy.draw
        purge = draw(32)
        stanzas = draw(STANZA_BYTES * shape.stanza_count)
        head = Head(shape, pc=commitment(purge), ephemeral=draw(32), stanzas=stanzas)
        bundle = assemble(head, draw(shape.padded_bytes + 16), self._franker())
        notice = traffic is TrafficClass.NOTICE
        return Sample(bundle, None if notice else receipt_of(bundle, purge))

    def _franker(self) -> ByPostage:
        if not self._left:
            self._left = POSTAGE_IDS_MAX
            self._keys = issue(
                ISSUER,
                self.entropy,
                expiry_day=Day(TODAY + 400),
                traffic=TrafficClass.NOTICE,
                n=POSTAGE_IDS_MAX,
                count=1,
            )
        self._left -= 1
        return ByPostage(self._keys[0])

    def some(self, count: int) -> list[Sample]:
        """Make bundles of all classes, days and sizes that a mesh may hold."""
        samples: list[Sample] = []
        for _ in range(count):
            traffic = CLASSES[below(self.entropy, 4)]
            sizes = (2048, 2048, 8192, 32768, 66560)
            size = sizes[below(self.entropy, 2 if traffic is TrafficClass.FLASH else 5)]
            day = TODAY - 2 * below(self.entropy, 8)
            samples.append(self.make(traffic, size=size, day=day))
        return samples


class Node:
    """One node's store and its table of what is in flight."""

    def __init__(
        self,
        name: str,
        *,
        desk: bool = False,
        quota_bytes: int = 1 << 30,
        carry: MemoryCarry | None = None,
        routing: Routing | None = None,
    ) -> None:
        self.name = name
        self.desk = desk
        self.carry = carry or MemoryCarry()
        self.routing = routing or Flooding()
        self.custody = Custody(
            self.carry,
            Terms(quota_bytes=quota_bytes, collector=False, desk=desk),
            SeededEntropy(name.encode()),
            issuers,
        )
        self.inflight = InFlight()
        self._links = 0

    def restarted(self) -> "Node":
        """Return the node that begins with what this one has on its disk."""
        return Node(self.name, desk=self.desk, carry=self.carry)

    def keep(self, *samples: Sample) -> None:
        for sample in samples:
            self.custody.accept(sample.bundle.wire, age_s=0, moment=MOMENT)

    def acknowledge(self, *samples: Sample) -> None:
        for sample in samples:
            assert sample.receipt is not None
            self.custody.acknowledge(sample.receipt, MOMENT)

    def state(self, sample: Sample) -> State | None:
        return self.carry.state(sample.ref)

    def contents(self) -> dict[BundleRef, State]:
        return {
            BundleRef(traffic, day, identifier): state
            for traffic in CLASSES
            for day in self.carry.days(traffic)
            for identifier, state in self.carry.elements(traffic, day)
        }

    def machine(self, *, dialler: bool, session: bytes, pace: Pace = LAN) -> SyncMachine:
        self._links += 1
        return SyncMachine(
            self.custody,
            self.inflight,
            dialler=dialler,
            session=session,
            instance=self.name.encode().ljust(16, b"."),
            entropy=SeededEntropy(f"{self.name} {self._links}".encode() + session[:16]),
            pace=pace,
            routing=self.routing,
            desk=self.desk,
        )


@dataclass
class Contact:
    """Two machines and the two directions of the stream between them."""

    left: Node
    right: Node
    pace: Pace = LAN
    paces: tuple[Pace, Pace] | None = None
    """Of each side, where the two differ."""
    session: bytes = b"s" * 64
    room_bytes: int = 64 * 1024
    moment: Moment = MOMENT
    sent_bytes: list[int] = field(default_factory=lambda: [0, 0])
    given: Counter[tuple[int, bytes]] = field(default_factory=Counter)
    trace: list[bytes] = field(default_factory=list)
    events: tuple[list[SyncEvent], list[SyncEvent]] = field(default_factory=lambda: ([], []))

    def __post_init__(self) -> None:
        left, right = self.paces or (self.pace, self.pace)
        self.machines = (
            self.left.machine(dialler=True, session=self.session, pace=left),
            self.right.machine(dialler=False, session=self.session, pace=right),
        )
        self.wires: tuple[deque[bytes], deque[bytes]] = (deque(), deque())
        for machine in self.machines:
            machine.start(self.moment)

    def pull(self, side: int) -> int:
        bodies = self.machines[side].pull(self.room_bytes, self.moment)
        for body in bodies:
            self.sent_bytes[side] += len(body)
            self.trace.append(body)
            if body[1] == 10:
                message = decode_message(body)
                assert isinstance(message, Data)
                if message.offset == 0:
                    self.given[side, message.short] += 1
        self.wires[side].extend(bodies)
        return len(bodies)

    def deliver(self, side: int, *, at_most: int = 1 << 30) -> int:
        """Hand over what `side` has sent."""
        delivered = 0
        while self.wires[side] and delivered < at_most:
            body = self.wires[side].popleft()
            self.events[1 - side].extend(self.machines[1 - side].receive(body, self.moment))
            delivered += 1
        return delivered

    def run(self, *, messages_max: int = 1 << 30) -> bool:
        """Let both talk until nothing moves, or so many messages have arrived."""
        moved = 0
        while True:
            before = moved
            for side in (0, 1):
                if not self.wires[side]:
                    self.pull(side)
                moved += self.deliver(side, at_most=messages_max - moved)
                if moved >= messages_max:
                    return False
            for side in (0, 1):
                if self.machines[side].deadline_s == 0.0:
                    self.events[side].extend(self.machines[side].tick(self.moment))
            if moved == before and not any(machine.queued for machine in self.machines):
                return True

    def end(self) -> None:
        for machine in self.machines:
            machine.ended()
