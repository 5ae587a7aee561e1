"""A whole mesh in one process, one heap and one seed.

The nodes are those the daemon runs, over the memory stores.  A run is a pure
function of its seed: time is a number, streams have a rate and a delay, and
every draw comes from the seed.
"""

import hashlib
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from meshnews.crypto.entropy import SeededEntropy, between
from meshnews.ids import LinkId
from meshnews.node.event import (
    Accepted,
    Address,
    Advertise,
    Beckon,
    Changed,
    Close,
    Dial,
    DialFailed,
    Dialled,
    Drained,
    Effect,
    Event,
    Listening,
    Lost,
    Network,
    Networks,
    Received,
    Relisten,
    Send,
    Tick,
    Wake,
)
from meshnews.node.node import Node
from meshnews.sim.air import PORT, Air
from meshnews.sim.machine import Machine, PowerCut
from meshnews.sim.stream import CUT_S_MAX, Stream, Way
from meshnews.store.age import DAY_ZERO_S, Clock

Answer = TypeVar("Answer")

START_S: Final = 2000 * 86400.0
"""When worlds begin that are told nothing else: in June 2025."""

UNREACHED_S: Final = 1.0
"""How long a call to nobody takes."""


@dataclass
class World:
    """Machines, meetings and a clock.

    Attributes:
        now_s: seconds since 2020-01-01 UTC.
        has_air: whether those near hear each other's beacons; else only known
            addresses are called.
        knows_networks: whether machines are told that there is a new network when
            somebody comes within reach, as a daemon is.
        is_traced: whether `trace` is written.
        trace: every effect of every node, with a hash of the bytes it sends.
        watch: called when a node says that something has changed.
        moved: called with the bytes that were sent over a way.
        handled: called after each thing that a node was handed.
        stopwatch: returns the CPU seconds of this process; None: costs are not measured.
    """

    seed: int
    rate: float = 2e6
    delay_s: float = 0.005
    has_air: bool = False
    knows_networks: bool = False
    now_s: float = START_S
    machines: dict[str, Machine] = field(default_factory=dict)
    is_traced: bool = True
    trace: list[str] = field(default_factory=list)
    watch: Callable[[Machine, Changed], None] = lambda *_: None
    moved: Callable[[Machine, Way, int], None] = lambda *_: None
    handled: Callable[[Machine], None] = lambda _: None
    stopwatch: Callable[[], float] | None = None

    def __post_init__(self) -> None:
        self.luck = SeededEntropy.of_words(f"world {self.seed}")
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._links = itertools.count(1)
        self._air = Air(self)

    # Machines -------------------------------------------------------------

    def add(self, machine: Machine) -> Machine:
        """Add a machine that is switched off.

        Raises:
            Nothing.
        """
        self.machines[machine.name] = machine
        return machine

    def boot(self, machine: Machine) -> None:
        """Switch a machine on.

        Raises:
            Nothing.
        """
        machine.boot_id = self.luck.draw(16)
        machine.booted_s = self.now_s
        self.restart(machine)

    def restart(self, machine: Machine) -> None:
        """Start its daemon.

        Raises:
            Nothing.
        """
        since_s = self.stopwatch() if self.stopwatch else 0.0
        try:
            with machine.transaction():
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
        machine.by_stopwatch(self.stopwatch, since_s)
        self._perform(machine, effects)
        self.post(machine, Listening("tcp", PORT))
        self._tell_networks(machine)

    def crash(self, machine: Machine) -> None:
        """End its daemon as SIGKILL would: the stores keep what was committed.

        Raises:
            Nothing.
        """
        machine.node, machine.shown = None, Advertise(())
        for stream in list(machine.streams.values()):
            self._close(stream)

    def clock(self, machine: Machine) -> Clock:
        """Return what the machine's clocks say now.

        Raises:
            Nothing.
        """
        wall_s = machine.wall_stands_s
        if wall_s is None:
            wall_s = self.now_s + DAY_ZERO_S + machine.wall_offset_s
        return Clock(
            boot_s=self.now_s - machine.booted_s,
            boot_id=machine.boot_id,
            wall_s=wall_s,
            wall_is_trusted=machine.wall_is_trusted,
        )

    # Meetings -------------------------------------------------------------

    def meet(self, *names: str, way: Way | None = None) -> None:
        """Bring machines within reach of each other; streams are as the world's, or as `way`.

        Raises:
            Nothing.
        """
        way = way or Way(self.rate, self.delay_s)
        machines = [self.machines[name] for name in names]
        for left, right in itertools.combinations(machines, 2):
            left.near[right.name] = right.near[left.name] = way
        for machine in machines:
            shown = machine.shown
            self._air.call_out(machine, (*shown.beacons, *shown.seeks))
            self._tell_networks(machine)

    def part(self, *names: str) -> None:
        """Take machines out of each other's reach.

        Raises:
            Nothing.
        """
        for left, right in itertools.combinations([self.machines[name] for name in names], 2):
            left.near.pop(right.name, None)
            right.near.pop(left.name, None)
            for stream in list(left.streams.values()):
                if right in stream.ends:
                    self._close(stream)
            self._tell_networks(left)
            self._tell_networks(right)

    def _tell_networks(self, machine: Machine) -> None:
        """Let a machine know that there are others: each meeting is a network of its own."""
        if self.knows_networks:
            here = tuple(Network(f"to {name}", b"") for name in sorted(machine.near))
            self.post(machine, Networks(here))

    # Running --------------------------------------------------------------

    def run(self, seconds: float) -> None:
        """Let this much time pass.

        Raises:
            Nothing.
        """
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
        since_s = self.stopwatch() if self.stopwatch else 0.0
        clock = self.clock(machine)
        try:
            with machine.transaction():
                node.at(clock)
                answer = question(node)
                effects = node.settle(clock)
        except PowerCut:
            self.crash(machine)
            raise
        machine.by_stopwatch(self.stopwatch, since_s)
        self.handled(machine)
        self._perform(machine, effects)
        return answer

    def post(self, machine: Machine, event: Event) -> None:
        """Hand an event to a node, in a transaction of its own.

        Raises:
            Nothing.
        """
        node = machine.node
        if node is None:
            return
        since_s = self.stopwatch() if self.stopwatch else 0.0
        clock = self.clock(machine)
        try:
            with machine.transaction():
                effects = node.handle(event, clock)
        except PowerCut:
            self.crash(machine)
            return
        machine.by_stopwatch(self.stopwatch, since_s)
        self.handled(machine)
        self._perform(machine, effects)

    def later(self, after_s: float, act: Callable[[], None]) -> None:
        """Let something happen in so many seconds.

        Raises:
            Nothing.
        """
        heapq.heappush(self._queue, (self.now_s + after_s, next(self._order), act))

    def _perform(self, machine: Machine, effects: list[Effect]) -> None:
        for effect in effects:
            if self.is_traced:
                self._write_down(machine, effect)
            match effect:
                case Send(link, data):
                    self._send(machine, link, data)
                case Close(link, after_s):
                    self.later(after_s, partial(self._close_link, machine, link))
                case Dial():
                    self._dial(machine, effect)
                case Wake(after_s):
                    self._wake(machine, after_s)
                case Changed():
                    self.watch(machine, effect)
                case Advertise() | Beckon() | Relisten():
                    self._air.obey(machine, effect)

    def _write_down(self, machine: Machine, effect: Effect) -> None:
        what = repr(effect)
        if isinstance(effect, Send):
            digest = hashlib.blake2b(effect.data, digest_size=16).hexdigest()
            what = f"sends {len(effect.data)} bytes {digest} on {effect.link}"
        self.trace.append(f"{self.now_s:.6f} {machine.name} {what}")

    def _wake(self, machine: Machine, after_s: float) -> None:
        machine.wake += 1
        mine, node = machine.wake, machine.node

        def tick() -> None:
            if machine.wake == mine and machine.node is node:
                self.post(machine, Tick())

        self.later(after_s, tick)

    # Streams ----------------------------------------------------------------

    def _dial(self, caller: Machine, dial: Dial) -> None:
        node = caller.node
        for address in dial.addresses:
            name = address.where.rsplit(":", 1)[0]
            called, way = self.machines.get(name), caller.near.get(name)
            if called is not None and called.node is not None and way is not None:
                call = partial(self._open, caller, called, dial.attempt, address)
                self.later(way.delay_s, partial(self._for, caller, node, call))
                return
        fail = partial(self.post, caller, DialFailed(dial.attempt))
        self.later(UNREACHED_S, partial(self._for, caller, node, fail))

    @staticmethod
    def _for(machine: Machine, node: Node | None, act: Callable[[], None]) -> None:
        """Act if the machine's daemon is still the one that asked for it."""
        if machine.node is node:
            act()

    def _open(self, caller: Machine, called: Machine, attempt: int, address: Address) -> None:
        way = caller.near.get(called.name)
        if way is None or called.node is None:
            self.post(caller, DialFailed(attempt))
            return
        links = LinkId(next(self._links)), LinkId(next(self._links))
        stream = Stream((caller, called), links, way)
        caller.streams[links[0]] = called.streams[links[1]] = stream
        if self.is_traced:
            self.trace.append(f"{self.now_s:.3f} {caller.name} -> {called.name}")
        self._doom(stream)
        self.post(called, Accepted(links[1], way.carrier, Address("tcp", caller.name)))
        if stream.is_open:
            self.post(caller, Dialled(attempt, links[0], way.carrier, address))
        else:
            self.post(caller, DialFailed(attempt))

    def _doom(self, stream: Stream) -> None:
        """Draw what becomes of a new stream."""
        faults = stream.way.faults
        if faults.cut and between(self.luck, 0, 1) < faults.cut:
            self.later(between(self.luck, 0, CUT_S_MAX), partial(self._close, stream))
        if faults.half_open and between(self.luck, 0, 1) < faults.half_open:
            self.later(between(self.luck, 0, CUT_S_MAX), partial(_silence, stream))

    def _send(self, machine: Machine, link: LinkId, data: bytes) -> None:
        stream = machine.streams.get(link)
        if stream is None or not stream.is_open:
            return
        end = stream.links.index(link)
        done_s = max(self.now_s, stream.free_s[end]) + len(data) / stream.way.rate
        stream.free_s[end] = done_s
        self.moved(machine, stream.way, len(data))
        drained = partial(self._drained, stream, end)
        self.later(max(0.0, done_s - stream.way.ahead_s(len(data)) - self.now_s), drained)
        arrived = partial(self._arrived, stream, end, data)
        self.later(done_s - self.now_s + stream.way.delay_s, arrived)

    def _drained(self, stream: Stream, end: int) -> None:
        if stream.is_open:
            self.post(stream.ends[end], Drained(stream.links[end]))

    def _arrived(self, stream: Stream, end: int, data: bytes) -> None:
        if stream.way.faults.spoils_bytes:
            data = stream.spoilt(end, data, self.luck)
        cut = len(data) // 2 + 1 if between(self.luck, 0, 1) < 0.1 else len(data)
        for piece in (data[:cut], data[cut:]):
            if piece and stream.is_open and not stream.is_silent:
                self.post(stream.ends[1 - end], Received(stream.links[1 - end], piece))

    def _close_link(self, machine: Machine, link: LinkId) -> None:
        stream = machine.streams.get(link)
        if stream is not None:
            self._close(stream)

    def _close(self, stream: Stream) -> None:
        if not stream.is_open:
            return
        stream.is_open = False
        for end, link in zip(stream.ends, stream.links, strict=True):
            end.streams.pop(link, None)
        if stream.is_silent:
            # Nobody hears of the end of a stream that has fallen silent.
            return
        for end, link in zip(stream.ends, stream.links, strict=True):
            self.post(end, Lost(link))


def _silence(stream: Stream) -> None:
    stream.is_silent = True
