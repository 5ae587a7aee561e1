"""The daemon, whole: one node, its streams, its finders, its control server.

    main ── serve ─┬─ host          the node, on the worker's thread
                   ├─ doors         ports, listening: open, by radio, behind TLS
                   ├─ finders       beacons
                   ├─ cables        which networks there are
                   ├─ disk, watchdog
                   └─ parts         control server, dead drops

Everything runs in one nursery and ends with it, within two seconds of a signal.
"""

import functools
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import trio

from meshnews.errors import LocalMisuse, StoreFull
from meshnews.node.event import (
    Advertise,
    Beckon,
    Carrier,
    Changed,
    Close,
    Dial,
    Effect,
    FreeSpace,
    Heard,
    Network,
    Networks,
    Relisten,
    Send,
    Wake,
)
from meshnews.node.settings import Visibility
from meshnews.store.age import Clock
from meshnewsd.compose import ClosableStores, Composition, Launch, Part
from meshnewsd.config import Config
from meshnewsd.discovery.interface import Finder, Hear, Outlook, Shown
from meshnewsd.discovery.registry import make_finders
from meshnewsd.host import Host, NodeFailed, NodeMachine
from meshnewsd.peers.doors import Doors
from meshnewsd.peers.peers import Peers
from meshnewsd.platform.clock import ClockTrust, MachineClock
from meshnewsd.platform.interfaces import AddressWatch, list_connected
from meshnewsd.platform.logs import Log
from meshnewsd.platform.networks import find_networks
from meshnewsd.platform.paths import free_bytes
from meshnewsd.platform.systemd import READY, STOPPING, WATCHDOG, Notifier
from meshnewsd.platform.worker import ThreadWorker, Worker
from meshnewsd.storage.fault import damaged
from meshnewsd.supervise import TooManyFailures, supervise
from meshnewsd.transports.interface import Caller, Transport
from meshnewsd.transports.registry import make_tls_hosts, make_transports
from meshnewsd.uplinks.registry import make_uplinks

DISK_POLL_S: Final = 60.0

NETWORKS_POLL_S: Final = 5.0
"""How soon a router is noticed that became known after its network had come."""

EXIT_FAILED: Final = 70
"""The node failed again and again (sysexits.h: EX_SOFTWARE)."""

_log = Log("app")

MakeFinders = Callable[[Config, Visibility, Hear], list[Finder]]


def _read_config_clock(config: Config) -> Callable[[], Clock]:
    return MachineClock(ClockTrust(config.clock))


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the daemon finds round it; tests give it another world."""

    make_transports: Callable[[Config], Mapping[str, Transport]] = make_transports
    make_uplinks: Callable[[], Mapping[str, Caller]] = make_uplinks
    make_finders: MakeFinders = make_finders
    make_clock: Callable[[Config], Callable[[], Clock]] = _read_config_clock
    notifier: Notifier = field(default_factory=Notifier)
    signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)


async def serve(
    launch: Launch, composition: Composition, surroundings: Surroundings | None = None
) -> int:
    """Run a daemon until it is told to end; return its exit status.

    Raises:
        Refusal: the home cannot be opened, or what is in it cannot be read.
    """
    with ThreadWorker() as worker:
        return await serve_on(worker, launch, composition, surroundings or Surroundings())


async def serve_on(
    worker: Worker, launch: Launch, composition: Composition, surroundings: Surroundings
) -> int:
    """Run a daemon whose stores belong to `worker`; see `serve`."""
    stores = await worker.run(composition.open_stores)
    try:
        visibility = launch.config.visibility
        if visibility is None:
            visibility = await worker.run(
                lambda: stores.transact(lambda: composition.visibility(stores))
            )
        host = Host(
            worker=worker,
            stores=stores,
            build=lambda: composition.build(stores),
            read_clock=surroundings.make_clock(launch.config),
        )
        app = _App(launch, host, visibility, surroundings)
        return await app.run(functools.partial(composition.parts, host))
    finally:
        with trio.CancelScope(shield=True):
            await worker.run(functools.partial(_close, stores))


def _close(stores: ClosableStores) -> None:
    stores.close()


class _App:
    def __init__(
        self,
        launch: Launch,
        host: Host[NodeMachine],
        visibility: Visibility,
        surroundings: Surroundings,
    ) -> None:
        self._config = launch.config
        self._home = launch.home
        self._has_network = launch.once_fd is None
        self._host = host
        self._visibility = visibility
        self._surroundings = surroundings
        self._networks: tuple[Network, ...] = ()
        self._status = 0
        self._scope = trio.CancelScope()

    async def run(self, make_parts: Callable[[Outlook], Sequence[Part]]) -> int:
        with self._scope:
            async with trio.open_nursery() as nursery:
                parts = make_parts(self._attach(nursery))
                nursery.start_soon(self._end_on_signal)
                nursery.start_soon(self._run_host)
                nursery.start_soon(self._watch_disk)
                await self._host.started.wait()
                for part in parts:
                    nursery.start_soon(self._run_part, part)
                self._surroundings.notifier.say(READY)
                nursery.start_soon(self._keep_watchdog_quiet)
                _log.info("running", visibility=self._visibility)
        self._surroundings.notifier.say(STOPPING)
        if self._host.damage is not None:
            raise damaged(self._home, self._host.damage)
        return self._status

    def _attach(self, nursery: trio.Nursery) -> Outlook:
        """Give the node's effects somebody who carries them out; return how finders fare."""
        config, host = self._config, self._host
        is_on = self._has_network
        transports = self._surroundings.make_transports(config) if is_on else {}
        uplinks = self._surroundings.make_uplinks() if is_on else {}
        peers = Peers(
            nursery=nursery,
            transports={**uplinks, **transports},
            post=host.post,
            has_room=lambda: host.has_room,
            streams_max=config.streams_max,
        )
        # A radio that is not there must not keep the networks' doors shut.
        networks = _by_carrier(transports, is_radio=False)
        ports = (config.port, *config.extra_ports)
        doors = Doors(transports=networks, ports=ports, peers=peers, post=host.post)
        radios = _by_carrier(transports, is_radio=True)
        radio_doors = Doors(transports=radios, ports=(0,), peers=peers, post=host.post)
        # The desk says where these are; no beacon names them, so the node need not know.
        hidden_doors = Doors(
            transports=make_tls_hosts(config, transports, self._home),
            ports=config.tls_ports,
            peers=peers,
            post=lambda *_: None,
        )
        make_finders = self._surroundings.make_finders
        finders = make_finders(config, self._visibility, self._hear) if is_on else []
        outside = _Outside(peers, (doors, hidden_doors), radio_doors, finders)
        host.attach(
            perform=outside.perform,
            forget_streams=peers.forget_all,
            standing=lambda: (
                Networks(self._networks),
                *doors.listening,
                *radio_doors.listening,
            ),
            streams=lambda: len(peers),
        )
        outlook = Outlook(finders, port=config.beacon_port, missing_ports=lambda: doors.missing)
        if not is_on:
            return outlook
        runs: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("doors", doors.run),
            ("radio doors", radio_doors.run),
            *([("tls doors", hidden_doors.run)] if config.tls_ports else []),
            ("cables", functools.partial(self._watch_cables, peers)),
            *((finder.name, finder.run) for finder in finders),
        ]
        for name, run in runs:
            nursery.start_soon(functools.partial(supervise, name, run, weather=(OSError,)))
        return outlook

    async def _watch_cables(self, peers: Peers) -> None:
        """End streams whose interface has lost its carrier; tell the node which networks there are.

        A router may become known, or be another, while no address changes.
        """
        watch = AddressWatch(list_connected)
        while True:
            self._networks = find_networks(watch.addresses)
            self._host.offer(Networks(self._networks))
            before, now = watch.addresses, None
            while now is None and find_networks(before) == self._networks:
                with trio.move_on_after(NETWORKS_POLL_S):
                    now = await watch.changed()
            if now is not None:
                peers.cut_from({each.address for each in before - now})

    def _hear(self, heard: Heard) -> None:
        # What is refused now is said again by its beacon.
        self._host.offer(heard)

    async def _run_host(self) -> None:
        try:
            await self._host.run()
        except TooManyFailures:
            _log.error("the node keeps failing; giving up")
            self._status = EXIT_FAILED
        self._scope.cancel()

    async def _run_part(self, part: Part) -> None:
        await supervise(part.name, part.run)
        if part.ends_all:
            self._scope.cancel()

    async def _end_on_signal(self) -> None:
        if not self._surroundings.signals:
            return
        with trio.open_signal_receiver(*self._surroundings.signals) as arrivals:
            async for number in arrivals:
                _log.info("ending", signal=signal.Signals(number).name)
                self._scope.cancel()

    async def _watch_disk(self) -> None:
        await supervise("disk", functools.partial(watch_disk, self._home, self._host.offer))

    async def _keep_watchdog_quiet(self) -> None:
        """Tell the service manager that the node still does what it is asked."""
        within_s = self._surroundings.notifier.watchdog_s
        if within_s is None:
            return
        while True:
            await trio.sleep(within_s / 2)
            try:
                await self._host.call(lambda _node, _clock: None)
            except NodeFailed:
                continue
            except StoreFull:
                # A restart makes no room.
                pass
            self._surroundings.notifier.say(WATCHDOG)


@dataclass(frozen=True, slots=True)
class _Outside:
    """Carries out what the node wants done."""

    peers: Peers
    doors: Sequence[Doors]
    radio_doors: Doors
    finders: Sequence[Finder]

    def perform(self, effect: Effect) -> None:
        match effect:
            case Send():
                self.peers.send(effect)
            case Close():
                self.peers.close(effect)
            case Dial():
                self.peers.dial(effect)
            case Advertise() | Beckon():
                self._advertise(effect)
            case Relisten(keep_s):
                for doors in (*self.doors, self.radio_doors):
                    doors.relisten(keep_s)
            case Wake() | Changed():
                raise LocalMisuse("the host keeps these to itself")

    def _advertise(self, effect: Advertise | Beckon) -> None:
        if isinstance(effect, Advertise):
            for doors in self.doors:
                doors.show(effect)
            self.radio_doors.show(Advertise(effect.short))
        for finder in self.finders:
            if isinstance(effect, Advertise):
                finder.show(Shown(effect.beacons, effect.interfaces, effect.seeks, effect.short))
            else:
                finder.beckon(effect.beacons, effect.after_s)


def _by_carrier(transports: Mapping[str, Transport], *, is_radio: bool) -> dict[str, Transport]:
    return {
        name: transport
        for name, transport in transports.items()
        if (transport.carrier is Carrier.BLUETOOTH) is is_radio
    }


async def watch_disk(home: Path, tell: Callable[[FreeSpace], object]) -> None:
    """Say once a minute how much room there is under the home."""
    while True:
        tell(FreeSpace(free_bytes(home)))
        await trio.sleep(DISK_POLL_S)
