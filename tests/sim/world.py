"""A whole mesh in one process, one heap and one seed.

The nodes are those the daemon runs, over the memory stores.  A run is a pure
function of its seed: time is a number, streams have a rate and a delay, and
every draw comes from the seed.
"""

import contextlib
import hashlib
import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from meshnews.crypto.entropy import SeededEntropy, between
from meshnews.ids import LinkId
from meshnews.node.event import (
    Accepted,
    Address,
    Advertise,
    Beckon,
    Carrier,
    Changed,
    Close,
    Dial,
    DialFailed,
    Dialled,
    Drained,
    Effect,
    Event,
    Heard,
    Listening,
    Lost,
    Received,
    Relisten,
    Send,
    Tick,
    Wake,
)
from meshnews.node.node import Node
from meshnews.node.settings import Settings
from meshnews.store.age import Clock
from meshnews.store.memory import MemoryCarry, MemoryVault

Answer = TypeVar("Answer")

START_S = 2000 * 86400.0
"""2020-01-01 plus 2000 days, in the clock of nodes, as seconds since then."""
DAY_ZERO_S = 18262 * 86400.0
PORT = 7117


@dataclass
class Machine:
    """One machine: its stores outlive its node.

    Attributes:
        is_locked: its next node is made without the vault.
        tears_in: the power fails when so many more transactions have written to the
            vault: between the vault's commit and carry's.  None: it does not.
    """

    name: str
    carry: MemoryCarry
    vault: MemoryVault | None
    entropy: SeededEntropy
    settings: Settings
    node: Node | None = None
    boot_id: bytes = bytes(16)
    booted_s: float = 0.0
    wall_offset_s: float = 0.0
    wall_is_trusted: bool = True
    is_locked: bool = False
    tears_in: int | None = None
    wake: int = 0
    changed: list[Changed] = field(default_factory=list)
    shown: Advertise = field(default_factory=lambda: Advertise(()))


class PowerCut(Exception):
    """A machine lost its power in the middle of a transaction."""


@contextlib.contextmanager
def transaction(machine: Machine) -> Iterator[None]:
    """Do what follows wholly or not at all; the vault is committed first, as on a disk.

    Raises:
        PowerCut: the vault was committed, and carry was not.
    """
    with machine.carry.transaction():
        if machine.vault is None:
            yield
            return
        with machine.vault.transaction():
            yield
            has_written = bool(machine.vault._journal._undo)
        if machine.tears_in is not None and has_written:
            machine.tears_in -= 1
            if machine.tears_in <= 0:
                machine.tears_in = None
                raise PowerCut


@dataclass(frozen=True, slots=True)
class Way:
    """What streams between two machines are like: bytes a second, and how late they come."""

    rate: float
    delay_s: float


@dataclass
class Stream:
    """One open stream: at each end a machine and its name for the stream."""

    ends: tuple[Machine, Machine]
    links: tuple[LinkId, LinkId]
    way: Way
    free_s: list[float] = field(default_factory=lambda: [0.0, 0.0])
    is_open: bool = True


@dataclass
class World:
    """Machines, meetings and a clock.

    Attributes:
        trace: every effect of every node, with a hash of the bytes it sends.
        watch: called when a node says that something has changed.
    """

    seed: int
    rate: float = 2e6
    delay_s: float = 0.005
    has_air: bool = False
    """Whether those near hear each other's beacons; else only known addresses are called."""
    now_s: float = START_S
    machines: dict[str, Machine] = field(default_factory=dict)
    trace: list[str] = field(default_factory=list)
    watch: Callable[[Machine, Changed], None] = lambda *_: None

    def __post_init__(self) -> None:
        self.luck = SeededEntropy(f"world {self.seed}".encode())
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._links = itertools.count(1)
        self._near: dict[frozenset[str], Way] = {}
        self._streams: dict[LinkId, Stream] = {}

    # Machines -------------------------------------------------------------

    def add(self, machine: Machine) -> Machine:
        """Add a machine that is switched off."""
        self.machines[machine.name] = machine
        return machine

    def boot(self, machine: Machine) -> None:
        """Switch a machine on."""
        machine.boot_id = self.luck.draw(16)
        machine.booted_s = self.now_s
        self.restart(machine)

    def restart(self, machine: Machine) -> None:
        """Start its daemon."""
        try:
            with transaction(machine):
                node = machine.node = Node(
                    carry=machine.carry,
                    vault=None if machine.is_locked else machine.vault,
                    entropy=machine.entropy,
                    settings=machine.settings,
                )
                effects = node.start(self.clock(machine))
        except PowerCut:
            self.crash(machine)
            return
        self._perform(machine, effects)
        self.post(machine, Listening("tcp", PORT))

    def crash(self, machine: Machine) -> None:
        """End its daemon as SIGKILL would: the stores keep what was committed."""
        machine.node, machine.shown = None, Advertise(())
        for stream in list(self._streams.values()):
            if machine in stream.ends:
                self._close(stream)

    def clock(self, machine: Machine) -> Clock:
        """Return what the machine's clocks say now."""
        return Clock(
            boot_s=self.now_s - machine.booted_s,
            boot_id=machine.boot_id,
            wall_s=self.now_s + DAY_ZERO_S + machine.wall_offset_s,
            wall_is_trusted=machine.wall_is_trusted,
        )

    # Meetings -------------------------------------------------------------

    def meet(self, *names: str, way: Way | None = None) -> None:
        """Bring machines within reach of each other; streams are as the world's, or as `way`."""
        for left, right in itertools.combinations(names, 2):
            self._near[frozenset((left, right))] = way or Way(self.rate, self.delay_s)
        for machine in [self.machines[name] for name in names if self.has_air]:
            shown = machine.shown
            self._call_out(machine, (*shown.beacons, *shown.seeks))

    def part(self, *names: str) -> None:
        """Take machines out of each other's reach."""
        for left, right in itertools.combinations(names, 2):
            pair = frozenset((left, right))
            self._near.pop(pair, None)
            for stream in list(self._streams.values()):
                if {end.name for end in stream.ends} == pair:
                    self._close(stream)

    # Running --------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let this much time pass."""
        end_s = self.now_s + seconds
        while self._queue and self._queue[0][0] <= end_s:
            self.now_s, _, act = heapq.heappop(self._queue)
            act()
        self.now_s = end_s

    def ask(self, machine: Machine, question: Callable[[Node], Answer]) -> Answer:
        """Ask something of a node, as its control socket would.

        Raises:
            PowerCut: there is no answer, for the machine is off now.
        """
        node = machine.node
        assert node is not None, f"{machine.name} is off"
        clock = self.clock(machine)
        try:
            with transaction(machine):
                node.at(clock)
                answer = question(node)
                effects = node.settle(clock)
        except PowerCut:
            self.crash(machine)
            raise
        self._perform(machine, effects)
        return answer

    def post(self, machine: Machine, event: Event) -> None:
        """Hand an event to a node, in a transaction of its own."""
        node = machine.node
        if node is None:
            return
        clock = self.clock(machine)
        try:
            with transaction(machine):
                effects = node.handle(event, clock)
        except PowerCut:
            self.crash(machine)
            return
        self._perform(machine, effects)

    def _later(self, after_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now_s + after_s, next(self._order), act))

    def _perform(self, machine: Machine, effects: list[Effect]) -> None:
        for effect in effects:
            self._trace(machine, effect)
            match effect:
                case Send(link, data):
                    self._send(machine, link, data)
                case Close(link, after_s):
                    self._later(after_s, partial(self._close_link, link))
                case Dial():
                    self._dial(machine, effect)
                case Wake(after_s):
                    self._wake(machine, after_s)
                case Changed():
                    machine.changed.append(effect)
                    self.watch(machine, effect)
                case Relisten():
                    self.post(machine, Listening("tcp", PORT))
                case Advertise():
                    self._show(machine, effect)
                case Beckon(beacons, after_s):
                    self._later(after_s, partial(self._call_out, machine, beacons))

    def _trace(self, machine: Machine, effect: Effect) -> None:
        what = repr(effect)
        if isinstance(effect, Send):
            digest = hashlib.blake2b(effect.data, digest_size=16).hexdigest()
            what = f"sends {len(effect.data)} bytes {digest} on {effect.link}"
        self.trace.append(f"{self.now_s:.6f} {machine.name} {what}")

    # Beacons ----------------------------------------------------------------

    def _show(self, machine: Machine, shown: Advertise) -> None:
        was_silent, machine.shown = not machine.shown.beacons, shown
        if shown.seeks:
            self._later(0.0, partial(self._call_out, machine, shown.seeks))
        if shown.beacons and was_silent and self.has_air:
            self._later(0.0, partial(self._show_again, machine))

    def _show_again(self, machine: Machine) -> None:
        if machine.shown.beacons and machine.node is not None:
            self._call_out(machine, machine.shown.beacons)
            self._later(between(self.luck, 20, 40), partial(self._show_again, machine))

    def _call_out(self, machine: Machine, beacons: tuple[bytes, ...]) -> None:
        """Let everybody near hear these beacons, if there is air between them."""
        if not self.has_air or machine.node is None:
            return
        where = (Address("tcp", f"{machine.name}:0"),)
        for name in sorted(self.machines):
            if frozenset((machine.name, name)) in self._near:
                for beacon in beacons:
                    self.post(self.machines[name], Heard(beacon, where))

    def _wake(self, machine: Machine, after_s: float) -> None:
        machine.wake += 1
        mine, node = machine.wake, machine.node

        def tick() -> None:
            if machine.wake == mine and machine.node is node:
                self.post(machine, Tick())

        self._later(after_s, tick)

    def _dial(self, caller: Machine, dial: Dial) -> None:
        node = caller.node
        for address in dial.addresses:
            name = address.where.split(":")[0]
            called = self.machines.get(name)
            way = self._near.get(frozenset((caller.name, name)))
            if called is not None and called.node is not None and way is not None:
                call = partial(self._open, caller, called, dial.attempt, address)
                self._later(way.delay_s, partial(self._for, caller, node, call))
                return
        fail = partial(self.post, caller, DialFailed(dial.attempt))
        self._later(1.0, partial(self._for, caller, node, fail))

    @staticmethod
    def _for(machine: Machine, node: Node | None, act: Callable[[], None]) -> None:
        """Act if the machine's daemon is still the one that asked for it."""
        if machine.node is node:
            act()

    def _open(self, caller: Machine, called: Machine, attempt: int, address: Address) -> None:
        way = self._near.get(frozenset((caller.name, called.name)))
        if way is None or called.node is None:
            self.post(caller, DialFailed(attempt))
            return
        links = LinkId(next(self._links)), LinkId(next(self._links))
        stream = Stream((caller, called), links, way)
        for link in links:
            self._streams[link] = stream
        self.trace.append(f"{self.now_s:.3f} {caller.name} -> {called.name}")
        self.post(called, Accepted(links[1], Carrier.LAN, Address("tcp", caller.name)))
        if stream.is_open:
            self.post(caller, Dialled(attempt, links[0], Carrier.LAN, address))
        else:
            self.post(caller, DialFailed(attempt))

    def _send(self, machine: Machine, link: LinkId, data: bytes) -> None:
        stream = self._streams.get(link)
        if stream is None or not stream.is_open:
            return
        end = stream.links.index(link)
        start_s = max(self.now_s, stream.free_s[end])
        done_s = start_s + len(data) / stream.way.rate
        stream.free_s[end] = done_s
        other, its = stream.ends[1 - end], stream.links[1 - end]

        def drained() -> None:
            if stream.is_open:
                self.post(machine, Drained(link))

        def arrived() -> None:
            cut = len(data) // 2 + 1 if between(self.luck, 0, 1) < 0.1 else len(data)
            for piece in (data[:cut], data[cut:]):
                if piece and stream.is_open:
                    self.post(other, Received(its, piece))

        self._later(done_s - self.now_s, drained)
        self._later(done_s - self.now_s + stream.way.delay_s, arrived)

    def _close_link(self, link: LinkId) -> None:
        stream = self._streams.get(link)
        if stream is not None:
            self._close(stream)

    def _close(self, stream: Stream) -> None:
        if not stream.is_open:
            return
        stream.is_open = False
        for end, link in zip(stream.ends, stream.links, strict=True):
            self._streams.pop(link, None)
            self.post(end, Lost(link))
