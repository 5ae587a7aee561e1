"""A crowd comes back after a blackout: many gateways, one collector, one minute, on loopback.

    python -m tests.bench.crowd [--gateways 200] [--within 60] [--kbit 256] [--stay]
                                [--processes 2]

The collector is a real daemon.  The gateways are whole nodes over real TCP, in a few
processes, all of them there before the first comes back: one process would make them wait
for each other, as machines of their own do not.  Each has a backlog of its own, its own moment
of coming back, and a line of its own of so many kbit/s (0: as fast as this machine).  While
it is there it is given what the others brought; it leaves when all of its own was taken, or
with `--stay` when all of everybody's was.  Prints the collector's memory and CPU, how long
each gateway took from its first stream to the last bundle taken, and whether classes arrived
in their order.
"""

import argparse
import contextlib
import functools
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Final, TypeVar

import trio

from meshnews.bundle.format import Bundle
from meshnews.crypto.keys import Ed25519Secret
from meshnews.ids import BundleId, Day, TrafficClass
from meshnews.node import shelf
from meshnews.node.event import Close, Dial, Dialled, Effect, Event, Network, Networks, Send
from meshnews.node.node import Node
from meshnews.node.settings import Settings
from meshnews.store.memory import MemoryCarry
from meshnewsd.compose import open_home
from meshnewsd.host import Host
from meshnewsd.peers.peers import Peers
from meshnewsd.platform.clock import ClockTrust, MachineClock
from meshnewsd.platform.entropy import OsEntropy
from meshnewsd.transports.interface import Caller
from meshnewsd.uplinks.registry import make_uplinks
from tests.bench.__main__ import BenchRoom, cpu_s, rss_mb
from tests.bench.load import Press, issuer_of
from tests.bench.narrow import NarrowCaller
from tests.demo.stage import LoopbackMachine, LoopbackWorld
from tests.e2e.world import PASSPHRASE

GATEWAYS: Final = 200
WITHIN_S: Final = 60.0
"""They come back at random moments of this time."""

KBIT: Final = 256.0
"""The line of each: what one would have in such an hour."""

GIVE_UP_S: Final = 210.0
TEXTS, CHUNKS_BYTES = 8, 200_000
SHELVES: Final = (shelf.SELF, shelf.RELAY, shelf.DESK)

T = TypeVar("T")


class Inline:
    """Works at once: one process, one thread."""

    async def run(self, work: Callable[[], T]) -> T:
        await trio.lowlevel.checkpoint()
        return work()


@dataclass
class MemoryStores:
    """Stores of a gateway that keeps nothing."""

    carry: MemoryCarry

    def transact(self, work: Callable[[], T]) -> T:
        with self.carry.transaction():
            return work()


@dataclass
class Gateway:
    """One node, what it holds, and when which of it was taken."""

    stores: MemoryStores
    classes: dict[BundleId, TrafficClass] = field(default_factory=dict)
    taken: list[TrafficClass] = field(default_factory=list)
    began_s: float | None = None
    took_s: float = 0.0
    done: trio.Event = field(default_factory=trio.Event)

    def build(self) -> Node:
        node = Node(carry=self.stores.carry, vault=None, entropy=OsEntropy(), settings=Settings())
        carried = node.work.carried

        def note(ref: object, *, at_collector: bool) -> None:
            carried(ref, at_collector=at_collector)  # type: ignore[arg-type]  # what it was given
            traffic = self.classes.pop(ref.id, None)  # type: ignore[attr-defined]  # a reference
            if traffic is not None and self.began_s is not None:
                self.taken.append(traffic)
                if not self.classes:
                    self.took_s = time.monotonic() - self.began_s
                    self.done.set()

        node.work.carried = note  # type: ignore[method-assign]  # only looking on
        return node

    async def run(
        self, *, after_s: float, callers: Mapping[str, Caller], until: trio.Event
    ) -> None:
        """Come back after a while, and stay until this one has given what it had, and `until`."""
        await trio.sleep(after_s)
        clock = MachineClock(ClockTrust("trusted"))
        host = Host(worker=Inline(), stores=self.stores, build=self.build, read_clock=clock)

        def post(event: Event, done: Callable[[], None] | None = None) -> None:
            if isinstance(event, Dialled) and self.began_s is None:
                self.began_s = time.monotonic()
            host.post(event, done)

        async with trio.open_nursery() as nursery:
            peers = Peers(
                nursery=nursery,
                transports=callers,
                post=post,
                has_room=lambda: True,
                streams_max=8,
            )

            def perform(effect: Effect) -> None:
                match effect:
                    case Send():
                        peers.send(effect)
                    case Close():
                        peers.close(effect)
                    case Dial():
                        peers.dial(effect)
                    case _:
                        pass

            host.attach(
                perform=perform,
                forget_streams=peers.forget_all,
                standing=lambda: (Networks((Network("lo", b""),)),),
            )
            nursery.start_soon(host.run)
            await self.done.wait()
            await until.wait()
            nursery.cancel_scope.cancel()


def copy_home(home: Path) -> list[tuple[str, bytes, bytes]]:
    """Return what makes a relay's home that relay."""
    with contextlib.closing(open_home(home, passphrase=None)) as opened:
        return [
            (name, key, value) for name in SHELVES for key, value in opened.store.carry.scan(name)
        ]


def gateway(rows: list[tuple[str, bytes, bytes]], bundles: list[Bundle]) -> Gateway:
    """Return a gateway that holds these bundles."""
    carry = MemoryCarry()
    with carry.transaction():
        for name, key, value in rows:
            carry.put(name, key, value)
        node = Node(carry=carry, vault=None, entropy=OsEntropy(), settings=Settings())
        node.at(MachineClock(ClockTrust("trusted"))())
        for bundle in bundles:
            node.home.custody.keep_own(bundle, node.home.moment, release_after_s=0.0, pinned=False)
    made = Gateway(MemoryStores(carry))
    made.classes = {bundle.ref.id: bundle.ref.traffic for bundle in bundles}
    return made


def backlog(press: Press) -> list[Bundle]:
    """Return flashes, routine texts and pieces of a large file."""
    flashes = [press.text(number, TrafficClass.FLASH) for number in range(2)]
    texts = [press.text(number) for number in range(TEXTS)]
    return [*flashes, *texts, *press.attachment(CHUNKS_BYTES)]


def callers(kbit: float) -> Mapping[str, Caller]:
    """Return ways to a collector over lines of this rate."""
    if not kbit:
        return make_uplinks()
    return {name: NarrowCaller(each, kbit * 125) for name, each in make_uplinks().items()}


@dataclass(frozen=True, slots=True)
class Seen:
    """What one process saw of its gateways: how long each took, what of each was taken, its CPU."""

    took_s: list[float]
    taken: list[list[TrafficClass]]
    cpu_s: float


async def come_back(gateways: list[Gateway], asked: argparse.Namespace, all_done: Barrier) -> None:
    """Let these come back, until all of theirs was taken."""
    may_leave = trio.Event()
    if not asked.stay:
        may_leave.set()
    with trio.move_on_after(GIVE_UP_S):
        async with trio.open_nursery() as nursery:
            for each in gateways:
                run = functools.partial(each.run, callers=callers(asked.kbit), until=may_leave)
                after_s = random.uniform(0, asked.within)
                nursery.start_soon(functools.partial(run, after_s=after_s))
            for each in gateways:
                await each.done.wait()
            if asked.stay:
                await trio.to_thread.run_sync(all_done.wait, abandon_on_cancel=True)
            nursery.cancel_scope.cancel()


def look_on(
    gateways: list[Gateway], asked: argparse.Namespace, all_done: Barrier, told: Connection
) -> None:
    """Be the process of these gateways; tell what was seen of them."""
    since_s = time.process_time()
    trio.run(come_back, gateways, asked, all_done)
    done = [one.took_s for one in gateways if one.done.is_set()]
    taken = [one.taken for one in gateways]
    told.send(Seen(done, taken, time.process_time() - since_s))


def play(gateways: list[Gateway], pid: int, asked: argparse.Namespace) -> tuple[list[Seen], float]:
    """Let all come back; return what was seen, and the most memory that the collector had."""
    fork = multiprocessing.get_context("fork")
    all_done = fork.Barrier(asked.processes)
    most_mb, seen, waiting = 0.0, list[Seen](), list[Connection]()
    for number in range(asked.processes):
        told, telling = fork.Pipe(duplex=False)
        part = gateways[number :: asked.processes]
        fork.Process(target=look_on, args=(part, asked, all_done, telling), daemon=True).start()
        waiting.append(told)
    for told in waiting:
        while not told.poll(0.5):
            most_mb = max(most_mb, rss_mb(pid))
        seen.append(told.recv())
    return seen, most_mb


def is_in_order(taken: list[TrafficClass]) -> bool:
    return taken == sorted(taken)


def set_up(folder: Path) -> tuple[BenchRoom, list[tuple[str, bytes, bytes]], Ed25519Secret]:
    room = BenchRoom(LoopbackWorld(folder))
    editor = room.add("editor-1", "editor")
    room.found(editor)
    collector = room.add("collector-1", "relay", endpoint=True)
    room.enrol(editor, collector)
    port = collector.settings["port"]
    editor.cli("desk", "endpoint", "add", "collector-1", collector.address, "--port", port)
    relay = room.add("relay-1", "relay")
    room.enrol(editor, relay)
    return room, copy_home(relay.home), issuer_of(editor.home, PASSPHRASE)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.crowd")
    parser.add_argument("--gateways", type=int, default=GATEWAYS)
    parser.add_argument("--within", type=float, default=WITHIN_S)
    parser.add_argument("--kbit", type=float, default=KBIT)
    parser.add_argument("--stay", action="store_true")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="crowd") as folder:
        room, rows, issuer = set_up(Path(folder))
        try:
            press = Press(issuer, Day(int(time.time() - 18262 * 86400) // 86400))
            gateways = [gateway(rows, backlog(press)) for _ in range(asked.gateways)]
            measure(room.machines["collector-1"], gateways, asked)
        finally:
            room.world.close()


def measure(collector: LoopbackMachine, gateways: list[Gateway], asked: argparse.Namespace) -> None:
    each = len(gateways[0].classes)
    collector.start(ready_within_s=60)
    assert collector.process is not None
    pid = collector.process.pid
    idle_mb, idle_s, began_s = rss_mb(pid), cpu_s(pid), time.monotonic()
    seen, most_mb = play(gateways, pid, asked)
    took = sorted(took_s for one in seen for took_s in one.took_s)
    taken = [classes for one in seen for classes in one.taken]
    print(f"{len(gateways)} gateways, {each} bundles each, {asked.kbit:.0f} kbit/s each")
    print(f"all taken of {len(took)} after {time.monotonic() - began_s:.1f} s")
    print(
        f"{os.cpu_count()} cores for all; the gateways: {sum(one.cpu_s for one in seen):.1f} s "
        f"of CPU in {len(seen)} processes"
    )
    print(
        f"collector: {idle_mb:.0f} MB idle, {most_mb:.0f} MB at most, "
        f"{cpu_s(pid) - idle_s:.1f} s of CPU"
    )
    print(
        f"fastest {took[0]:.2f} s, median {statistics.median(took):.2f} s, "
        f"slowest {took[-1]:.2f} s: {took[-1] / took[0]:.1f} times"
    )
    ordered = sum(map(is_in_order, taken))
    print(f"flash, routine, bulk in order: {ordered} of {len(gateways)}", flush=True)


if __name__ == "__main__":
    main()
