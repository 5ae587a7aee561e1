"""A crowd comes back after a blackout, in a model that no other work on this machine disturbs.

    python -m tests.bench.crowd_model [--gateways 200] [--within 60] [--kbit 256] [--slower 1]

The nodes are the real ones; lines, clocks and waiting are the simulator's.  The collector
takes events in turns and in batches as its daemon does, and is busy for as long as each
batch costs in CPU time here, `--slower` times over; what comes meanwhile waits.  What a
disk costs is not in it.
"""

import argparse
import random
import statistics
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from meshnews.bundle.format import Bundle
from meshnews.crypto.entropy import SeededEntropy
from meshnews.ids import BundleId, TrafficClass
from meshnews.node.event import (
    Accepted,
    Carrier,
    Dialled,
    Effect,
    Event,
    Network,
    Networks,
    Received,
)
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.node.settings import Settings
from meshnews.sim.machine import Machine
from meshnews.sim.stream import Way
from meshnews.sim.world import World
from meshnews.store.memory import MemoryCarry
from meshnewsd.host import BYTES_PER_BATCH_MAX, EVENTS_PER_BATCH_MAX
from meshnewsd.turns import Turns
from tests.bench.crowd import SHELVES, backlog, is_in_order
from tests.bench.load import Press
from tests.node.newsroom import TODAY, enrolled, make_desk

DELAY_S: Final = 0.04
GIVE_UP_S: Final = 1800.0
EVENT_S: Final = 0.002
"""What an event costs the collector, where no clock is to be asked."""
NAME: Final = "collector-1"

Rows = list[tuple[str, bytes, bytes]]


@dataclass
class Crowd(World):
    """A world in which one machine's work takes time.

    Attributes:
        slower: how much slower the collector is than this machine.
        event_s: what each event costs it; None: what it costs here.
        busy_s: how long it has been at work.
        began: when each gateway had its first stream.
    """

    slower: float = 1.0
    event_s: float | None = None
    busy_s: float = 0.0
    began: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._turns: Turns[Event] = Turns()
        self._is_busy = False

    def post(self, machine: Machine, event: Event) -> None:
        """Hand an event to a node; to the collector when it is its turn."""
        if isinstance(event, Dialled):
            self.began.setdefault(machine.name, self.now_s)
        if machine.name != NAME:
            super().post(machine, event)
            return
        if isinstance(event, Accepted):
            # Its own end of an uplink is a port like any other.
            event = replace(event, carrier=Carrier.LAN)
        size = len(event.data) if isinstance(event, Received) else 0
        self._turns.put(getattr(event, "link", None), event, size)
        if not self._is_busy:
            self._serve(machine)

    def _serve(self, machine: Machine) -> None:
        node, batch, size = machine.node, list[Event](), 0
        assert node is not None
        while self._turns and len(batch) < EVENTS_PER_BATCH_MAX and size < BYTES_PER_BATCH_MAX:
            event = self._turns.take()
            batch.append(event)
            size += len(event.data) if isinstance(event, Received) else 0
        since_s = 0.0 if self.event_s else time.thread_time()
        with machine.transaction():
            effects = node.handle_all(batch, self.clock(machine))
        if self.event_s is None:
            took_s = (time.thread_time() - since_s) * self.slower
        else:
            took_s = self.event_s * len(batch)
        self.busy_s += took_s
        self._is_busy = True
        self.later(took_s, partial(self._served, machine, effects))

    def _served(self, machine: Machine, effects: list[Effect]) -> None:
        self._is_busy = False
        self._perform(machine, effects)
        if self._turns and not self._is_busy:
            self._serve(machine)


@dataclass
class Gateway:
    """One machine, what it holds, and when all of it was taken."""

    machine: Machine
    classes: dict[BundleId, TrafficClass]
    taken: list[TrafficClass] = field(default_factory=list)
    took_s: float | None = None

    def come_back(self, world: Crowd, way: Way) -> None:
        """Meet the collector, and look on."""
        machine = self.machine
        node = machine.node
        assert node is not None
        carried = node.work.carried

        def note(ref: object, *, at_collector: bool) -> None:
            carried(ref, at_collector=at_collector)  # type: ignore[arg-type]  # what it was given
            traffic = self.classes.pop(ref.id, None)  # type: ignore[attr-defined]  # a reference
            if traffic is not None:
                self.taken.append(traffic)
                if not self.classes:
                    self.took_s = world.now_s - world.began[machine.name]

        node.work.carried = note  # type: ignore[method-assign]  # only looking on
        world.meet(NAME, machine.name, way=way)
        world.post(machine, Networks((Network("wan0", b""),)))


def desk() -> tuple[Crowd, Rows, Press]:
    """Return a world with a collector in it, what makes a gateway, and who seals its backlog."""
    editor, _ = make_desk()
    collector = enrolled(editor, NAME, Role.RELAY, endpoint=True)
    editor.ask(lambda node: node.endpoints.add(NAME, NAME, (7117,)))
    relay = enrolled(editor, "relay-1", Role.RELAY)
    assert editor.vault is not None
    issuer = DeskKeys(editor.vault, editor.entropy).issuer()
    assert issuer is not None
    world = Crowd(1, now_s=TODAY * 86400.0, is_traced=False)
    world.boot(
        world.add(Machine(NAME, collector.carry, None, SeededEntropy(b"collector"), Settings()))
    )
    rows = [(name, key, value) for name in SHELVES for key, value in relay.carry.scan(name)]
    return world, rows, Press(issuer, TODAY)


def gateway(world: Crowd, rows: Rows, number: int, bundles: list[Bundle]) -> Gateway:
    """Return a machine that is on, far from everybody, and holds these bundles."""
    carry = MemoryCarry()
    with carry.transaction():
        for name, key, value in rows:
            carry.put(name, key, value)
    name = f"gateway-{number}"
    machine = world.add(Machine(name, carry, None, SeededEntropy(name.encode()), Settings()))
    world.boot(machine)

    def keep(node: Node) -> None:
        for bundle in bundles:
            node.home.custody.keep_own(bundle, node.home.moment, release_after_s=0.0, pinned=False)

    world.ask(machine, keep)
    return Gateway(machine, {bundle.ref.id: bundle.ref.traffic for bundle in bundles})


def play(
    number: int,
    *,
    within_s: float,
    kbit: float,
    slower: float = 1.0,
    event_s: float | None = None,
) -> list[Gateway]:
    """Let so many come back; return what became of them, and print what it cost."""
    world, rows, press = desk()
    world.slower, world.event_s = slower, event_s
    luck, way = random.Random(1), Way(kbit * 125, DELAY_S, carrier=Carrier.UPLINK)
    gateways = [gateway(world, rows, each, backlog(press)) for each in range(number)]
    for one in gateways:
        world.later(luck.uniform(0, within_s), partial(one.come_back, world, way))
    began_s, world.busy_s = world.now_s, 0.0
    while any(one.took_s is None for one in gateways) and world.now_s < began_s + GIVE_UP_S:
        world.run(1.0)
    print(f"{number} gateways on {kbit:.0f} kbit/s each, back within {within_s:.0f} s")
    print(f"all taken after {world.now_s - began_s:.0f} s; collector busy {world.busy_s:.1f} s")
    return gateways


def visit(flashes: int, *, kbit: float) -> Gateway:
    """Let one come to a collector that already holds so many flashes; return what became of it."""
    world, rows, press = desk()
    world.event_s = EVENT_S
    collector = world.machines[NAME]
    held = [press.text(each, TrafficClass.FLASH) for each in range(flashes)]

    def keep(node: Node) -> None:
        for bundle in held:
            node.home.custody.keep_own(bundle, node.home.moment, release_after_s=0.0, pinned=False)

    world.ask(collector, keep)
    one = gateway(world, rows, 0, backlog(press))
    began_s = world.now_s
    one.come_back(world, Way(kbit * 125, DELAY_S, carrier=Carrier.UPLINK))
    while one.took_s is None and world.now_s < began_s + GIVE_UP_S:
        world.run(1.0)
    return one


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crowd_model")
    parser.add_argument("--gateways", type=int, default=200)
    parser.add_argument("--within", type=float, default=60.0)
    parser.add_argument("--kbit", type=float, default=256.0)
    parser.add_argument("--slower", type=float, default=1.0)
    asked = parser.parse_args()
    gateways = play(asked.gateways, within_s=asked.within, kbit=asked.kbit, slower=asked.slower)
    took = sorted(one.took_s for one in gateways if one.took_s is not None)
    print(
        f"fastest {took[0]:.2f} s, median {statistics.median(took):.2f} s, "
        f"slowest {took[-1]:.2f} s: {took[-1] / took[0]:.1f} times; {len(took)} done"
    )
    print(f"flash, routine, bulk in order: {sum(is_in_order(one.taken) for one in gateways)}")


if __name__ == "__main__":
    main()
