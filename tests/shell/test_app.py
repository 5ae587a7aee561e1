import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from meshnews.errors import Refusal
from meshnews.ids import LinkId
from meshnews.node.event import (
    Accepted,
    Address,
    Advertise,
    Beckon,
    Close,
    Dial,
    DialFailed,
    Dialled,
    Effect,
    Event,
    FreeSpace,
    Heard,
    Listening,
    Received,
    Send,
)
from meshnews.node.settings import Visibility
from meshnewsd.app import EXIT_FAILED, Surroundings, serve_on
from meshnewsd.compose import ClosableStores, Composition, Launch, Part
from meshnewsd.config import Config
from meshnewsd.discovery.interface import Finder, Health, Hear, Outlook, Shown
from meshnewsd.host import Host, NodeMachine
from meshnewsd.platform.systemd import Notifier
from meshnewsd.transports.bluetooth import BluetoothTransport
from meshnewsd.transports.interface import Transport
from meshnewsd.transports.memory import MemoryNetwork
from tests.shell.fake_kernel import HERE, FakeAir, FakeKernel
from tests.shell.fakes import FakeNode, FakeStores, InlineWorker, React, trio_clock

BEACON = bytes(48)
OTHER = bytes(range(48))


class FakeFinder:
    name = "fake"

    def __init__(self, hear: Hear) -> None:
        self.hear = hear
        self.shown: list[Shown] = []
        self.beckoned: list[tuple[tuple[bytes, ...], float]] = []
        self.is_running = False

    def show(self, shown: Shown) -> None:
        self.shown.append(shown)

    @property
    def health(self) -> Health:
        return Health()

    def beckon(self, beacons: tuple[bytes, ...], after_s: float) -> None:
        self.beckoned.append((beacons, after_s))

    async def run(self) -> None:
        self.is_running = True
        try:
            await trio.sleep_forever()
        finally:
            self.is_running = False


class FakeNotifier(Notifier):
    def __init__(self, *, watchdog_s: float | None = None) -> None:
        super().__init__({})
        self.watchdog_s = watchdog_s
        self.said: list[str] = []

    def say(self, word: str) -> None:
        self.said.append(word)


@dataclass
class Daemon:
    """A daemon of fakes on a network of memory."""

    network: MemoryNetwork
    place: str
    home: Path
    react: React = field(default=lambda _: ())
    config: Config = field(default_factory=Config)
    visibility: Visibility = Visibility.OPEN
    once_fd: int | None = None
    parts: Sequence[Part] = ()
    stores: FakeStores = field(default_factory=FakeStores)
    nodes: list[FakeNode] = field(default_factory=list)
    finders: list[FakeFinder] = field(default_factory=list)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    radios: dict[str, Transport] = field(default_factory=dict)
    hosts: list["Host[Any]"] = field(default_factory=list)
    status: int | None = None

    @property
    def node(self) -> FakeNode:
        return self.nodes[-1]

    def told(self, kind: type) -> list[Any]:
        return [each for each in self.node.seen if isinstance(each, kind)]

    @property
    def address(self) -> Address:
        return Address("memory", f"{self.place}:{self.told(Listening)[0].port}")

    def _build(self, stores: ClosableStores) -> NodeMachine:
        self.nodes.append(FakeNode(self.stores, self._react))
        return self.node

    def _react(self, event: Event) -> Sequence[Effect]:
        shows = isinstance(event, Listening) and self.visibility is Visibility.OPEN
        return [*([Advertise((BEACON,))] if shows else []), *self.react(event)]

    def _parts(self, host: "Host[Any]", outlook: Outlook) -> Sequence[Part]:
        self.hosts.append(host)
        return self.parts

    def _finders(self, config: Config, visibility: Visibility, hear: Hear) -> list[Finder]:
        self.finders = [FakeFinder(hear)] if visibility is Visibility.OPEN else []
        return [*self.finders]

    async def run(self) -> None:
        memory: Transport = self.network.transport(self.place)
        transports = {"memory": memory, **self.radios}
        surroundings = Surroundings(
            make_transports=lambda config: transports,
            make_finders=self._finders,
            make_clock=lambda config: trio_clock,
            notifier=self.notifier,
            signals=(),
        )
        composition = Composition(
            open_stores=lambda: self.stores,
            build=self._build,
            visibility=lambda stores: self.visibility,
            parts=self._parts,
        )
        launch = Launch(self.home, self.config, self.once_fd, lambda: None)
        self.status = await serve_on(InlineWorker(), launch, composition, surroundings)


Running = Callable[..., "contextlib.AbstractAsyncContextManager[Daemon]"]


@pytest.fixture
def running(tmp_path: Path, autojump_clock: MockClock) -> Running:
    @contextlib.asynccontextmanager
    async def run(
        network: MemoryNetwork | None = None, place: str = "here", **changes: object
    ) -> AsyncIterator[Daemon]:
        made = Daemon(network or MemoryNetwork(), place, tmp_path)
        daemon: Daemon = replace(made, **changes)  # type: ignore[arg-type]  # by name, as wanted
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await wait_all_tasks_blocked()
            yield daemon
            nursery.cancel_scope.cancel()
        assert not daemon.stores.is_open

    return run


def echo(event: Event) -> Sequence[Effect]:
    return [Send(event.link, event.data.upper())] if isinstance(event, Received) else ()


async def test_the_node_is_told_of_its_port_and_of_the_room_on_the_disk(
    running: Running, autojump_clock: MockClock
) -> None:
    async with running() as daemon:
        assert len(daemon.told(Listening)) == 1
        assert daemon.told(FreeSpace)[0].bytes_free > 0
        await trio.sleep(121)
        assert len(daemon.told(FreeSpace)) == 3


async def test_a_guest_is_served_by_the_node(running: Running, autojump_clock: MockClock) -> None:
    async with running(react=echo) as daemon:
        guest = await daemon.network.transport("guest").open(daemon.address.where)
        await guest.send_all(b"hello")
        assert await guest.receive_some() == b"HELLO"
        assert len(daemon.told(Accepted)) == 1


async def test_two_daemons_talk_and_part(running: Running, autojump_clock: MockClock) -> None:
    network = MemoryNetwork(delay_s=0.05)

    def caller(event: Event) -> Sequence[Effect]:
        match event:
            case Heard(_, addresses):
                return [Dial(1, addresses)]
            case Dialled(_, link, _, _):
                return [Send(link, b"are you there?")]
            case Received(link, b"ARE YOU THERE?"):
                return [Close(link, 0.0)]
            case _:
                return ()

    async with (
        running(network, "right", react=echo) as right,
        running(network, "left", react=caller) as left,
    ):
        left.finders[0].hear(Heard(BEACON, (right.address,)))
        await trio.sleep(5)
        words = [type(event).__name__ for event in left.node.seen]
        assert words[-4:] == ["Dialled", "Drained", "Received", "Lost"]
        assert [type(event).__name__ for event in right.node.seen][-4:-1] == [
            "Accepted",
            "Received",
            "Drained",
        ]


async def test_finders_show_what_the_node_wants_shown(
    running: Running, autojump_clock: MockClock
) -> None:
    def react(event: Event) -> Sequence[Effect]:
        shown = Advertise((BEACON,), ("eth0",), (OTHER,))
        return [shown] if isinstance(event, Listening) else ()

    async with running(react=react) as daemon:
        (finder,) = daemon.finders
        assert finder.is_running
        assert finder.shown[-1] == Shown((BEACON,), ("eth0",), (OTHER,))


async def test_finders_beckon_when_the_node_asks(
    running: Running, autojump_clock: MockClock
) -> None:
    def react(event: Event) -> Sequence[Effect]:
        return [Beckon((BEACON,), 0.5)] if isinstance(event, Listening) else ()

    async with running(react=react) as daemon:
        assert daemon.finders[0].beckoned[0] == ((BEACON,), 0.5)


async def test_the_configuration_comes_before_the_role(
    running: Running, autojump_clock: MockClock
) -> None:
    async with running(config=Config(visibility=Visibility.VEILED)) as daemon:
        assert daemon.finders == []


async def test_a_failure_of_the_node_ends_streams_and_not_the_daemon(
    running: Running, autojump_clock: MockClock
) -> None:
    def react(event: Event) -> Sequence[Effect]:
        if isinstance(event, Received):
            raise ZeroDivisionError
        return ()

    async with running(react=react) as daemon:
        guest = await daemon.network.transport("guest").open(daemon.address.where)
        await guest.send_all(b"poison")
        assert await guest.receive_some() == b""
        await trio.sleep(5)
        assert len(daemon.nodes) == 2
        assert type(daemon.node.seen[0]) is Listening
        guest = await daemon.network.transport("guest").open(daemon.address.where)
        await wait_all_tasks_blocked()
        assert len(daemon.told(Accepted)) == 1


async def test_a_node_that_keeps_failing_ends_the_daemon_with_its_status(
    running: Running,
    autojump_clock: MockClock,
) -> None:
    def react(event: Event) -> Sequence[Effect]:
        raise ZeroDivisionError

    async with running(react=react) as daemon:
        await trio.sleep(60)
        assert daemon.status == EXIT_FAILED
        assert not daemon.stores.is_open


async def test_a_part_runs_beside_the_node_and_may_end_all(
    running: Running, autojump_clock: MockClock
) -> None:
    ready = trio.Event()
    part = Part("control", ready.wait, ends_all=True)
    async with running(parts=[part], once_fd=3) as daemon:
        assert daemon.status is None
        ready.set()
        await trio.sleep(1)
        assert daemon.status == 0


async def test_a_part_that_fails_is_started_again(
    running: Running, autojump_clock: MockClock
) -> None:
    starts: list[float] = []

    async def fail() -> None:
        starts.append(trio.current_time())
        raise ValueError

    async with running(parts=[Part("control", fail)]) as daemon:
        await trio.sleep(10)
        assert len(starts) == 5
        assert daemon.status is None


async def test_a_run_for_one_caller_has_no_network(
    running: Running, autojump_clock: MockClock
) -> None:
    dials = [Dial(1, (Address("memory", "anywhere:1"),))]

    def react(event: Event) -> Sequence[Effect]:
        return [dials.pop()] if dials else ()

    async with running(once_fd=3, react=react) as daemon:
        await trio.sleep(70)
        assert daemon.told(Listening) == []
        assert daemon.told(DialFailed) == [DialFailed(1)]
        assert daemon.finders == []
        assert daemon.network.doorways == {}


async def test_the_service_manager_hears_of_the_start_and_of_life(
    running: Running, autojump_clock: MockClock
) -> None:
    notifier = FakeNotifier(watchdog_s=20)
    async with running(notifier=notifier):
        assert notifier.said == ["READY=1"]
        await trio.sleep(31)
        assert notifier.said == ["READY=1"] + ["WATCHDOG=1"] * 3


async def test_a_home_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    def refuse() -> ClosableStores:
        raise Refusal("no-home", what="No home.", meaning="Nothing.", remedy="Make one.")

    composition = Composition(
        open_stores=refuse,
        build=lambda stores: FakeNode(FakeStores()),
        visibility=lambda stores: Visibility.OPEN,
        parts=lambda host, outlook: (),
    )
    launch = Launch(tmp_path, Config(), None, lambda: None)
    with pytest.raises(Refusal):
        await serve_on(InlineWorker(), launch, composition, Surroundings())


async def test_effects_for_strange_links_do_no_harm(
    running: Running, autojump_clock: MockClock
) -> None:
    def react(event: Event) -> Sequence[Effect]:
        link = LinkId(4711)
        return [Send(link, b"x"), Close(link, 1.0)] if isinstance(event, Listening) else ()

    async with running(react=react) as daemon:
        await trio.sleep(10)
        assert len(daemon.nodes) == 1


async def test_calls_reach_the_node(running: Running, autojump_clock: MockClock) -> None:
    async with running() as daemon:
        ask = functools.partial(daemon.hosts[0].call, lambda node, clock: len(node.seen))
        assert await ask() == len(daemon.node.seen)


async def test_a_radio_that_is_not_there_keeps_no_other_door_shut(
    running: Running, autojump_clock: MockClock
) -> None:
    kernel = FakeKernel(FakeAir(), ())
    radios = {"bluetooth": BluetoothTransport(kernel=kernel)}
    async with running(radios=radios) as daemon:
        assert [each.transport for each in daemon.told(Listening)] == ["memory"]
        kernel.found = (HERE,)
        await trio.sleep(5)
        assert [each.transport for each in daemon.told(Listening)] == ["memory", "bluetooth"]
