"""Beacons as DNS-SD services on the local network (RFC 6762, RFC 6763).

Each beacon is one service of a neutral type.  Its instance and its host are one
random label, made afresh with every beacon; the machine's own name is never
used.  Its only TXT entry is ``v=`` and the 48 bytes.  The port it names is
drawn at random too: the real one is inside the beacon, for those it is for.

Every interface has a responder of its own, with labels of its own, that names the
addresses of that interface only: who is on one network learns nothing of the others.

A beacon that takes another's place is registered, and the other withdrawn, each
at a time of its own, so that nobody sees one turn into the other.

zeroconf runs its own thread; what it does for us it is asked from threads, and
what it tells us comes over in one hop.
"""

import contextlib
import functools
import ipaddress
import math
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import trio
from zeroconf import (
    ServiceBrowser,
    ServiceInfo,
    ServiceStateChange,
    Zeroconf,
)

from meshnews.crypto.entropy import Entropy, below, between
from meshnews.link.beacon import BEACON_BYTES
from meshnews.node.event import Address, Heard
from meshnewsd.discovery.claim import NameWatch, label_of
from meshnewsd.discovery.interface import Health, Hear, Shown, reachable
from meshnewsd.platform.entropy import OsEntropy
from meshnewsd.platform.interfaces import AddressWatch, InterfaceAddress, list_connected
from meshnewsd.platform.logs import Log
from meshnewsd.supervise import supervise

DOMAIN: Final = "local."
TXT_KEY: Final = b"v"
LABEL_BYTES: Final = 6
TTL_S: Final = 60
"""Records of a machine that has gone are forgotten after this."""

RESOLVE_MS_MAX: Final = 1500
RESOLVERS: Final = 2
NAMES_QUEUED_MAX: Final = 64
"""Services waiting to be looked at; more at once is no neighbourhood but a flood."""

ADDRESSES_HEARD_MAX: Final = 8
BEACONS_HEARD_MAX: Final = 4
CLOSE_S_MAX: Final = 1.0

WITHDRAWN_S_MAX: Final = 4.0
REGISTERED_S: Final = (6.0, 10.0)
"""After a change of beacons the old is withdrawn and the new registered, at times of their own:
never are both there, or one answer to a query would hold the two."""

_IPV4_BYTES: Final = 4

_log = Log("mdns")


class MdnsFinder:
    """Meets `meshnewsd.discovery.interface.Finder`: a responder for every interface.

    Args:
        service_type: such as ``_relay._tcp``.
        hear: told what was heard.
        interfaces: addresses of the interfaces to use; None: all but loopback.
        entropy: for the labels.
    """

    name = "mdns"

    def __init__(
        self,
        *,
        service_type: str,
        hear: Hear,
        interfaces: Sequence[str] | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self._type = f"{service_type}.{DOMAIN}"
        self._hear = hear
        self._interfaces = None if interfaces is None else list(interfaces)
        self._entropy = entropy or OsEntropy()
        self._shown = Shown()
        self._responders: dict[str, Responder] = {}

    def show(self, shown: Shown) -> None:
        """Show these from now on; see the protocol."""
        self._shown = shown
        for responder in self._responders.values():
            responder.show(shown)

    def beckon(self, beacons: tuple[bytes, ...], after_s: float) -> None:
        """Do nothing: whoever looks asks by itself."""

    @property
    def health(self) -> Health:
        """Who answers under a name of ours; what else fails here fails aloud."""
        return Health(rivals=frozenset().union(*(r.rivals for r in self._responders.values())))

    async def run(self) -> None:
        """Show and browse until cancelled; see the protocol."""
        watch = AddressWatch(list_connected)
        scopes: dict[str, trio.CancelScope] = {}
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    places = self._places(watch.addresses)
                    for name, responder in tuple(self._responders.items()):
                        if places.get(name) != responder.place:
                            scopes.pop(name).cancel()
                            del self._responders[name]
                    for name in sorted(places.keys() - self._responders.keys()):
                        scopes[name] = trio.CancelScope()
                        self._responders[name] = self._responder(places[name])
                        nursery.start_soon(_run_in, scopes[name], self._responders[name])
                    await watch.changed()
        finally:
            self._responders.clear()

    def _places(
        self, addresses: Iterable[InterfaceAddress]
    ) -> dict[str, tuple[InterfaceAddress, ...]]:
        """Return the addresses to be shown, by the interface on which they are."""
        found = reachable(addresses, self._interfaces)
        names = {each.interface for each in found}
        return {
            name: tuple(each for each in found if each.interface == name) for name in sorted(names)
        }

    def _responder(self, place: tuple[InterfaceAddress, ...]) -> "Responder":
        responder = Responder(
            service_type=self._type,
            place=place,
            hear=self._hear,
            is_own=self._is_own,
            entropy=self._entropy,
        )
        responder.show(self._shown)
        return responder

    def _is_own(self, name: str) -> bool:
        return any(name in responder.names for responder in self._responders.values())


async def _run_in(scope: trio.CancelScope, responder: "Responder") -> None:
    with scope:
        await supervise("mdns responder", responder.run, weather=(OSError,))


class Responder:
    """Shows and browses on one interface, and tells nothing there of the others.

    Args:
        service_type: with its domain.
        place: the interface's addresses; when they change, another responder takes over.
        hear: told what was heard.
        is_own: tells whether a service is one of this machine's, on any interface.
        entropy: for the labels.
    """

    def __init__(
        self,
        *,
        service_type: str,
        place: tuple[InterfaceAddress, ...],
        hear: Hear,
        is_own: Callable[[str], bool],
        entropy: Entropy,
    ) -> None:
        self.place = place
        self._type = service_type
        self._hear = hear
        self._is_own = is_own
        self._entropy = entropy
        self._shown = Shown()
        self._services: dict[bytes, ServiceInfo] = {}
        """What is registered, by beacon."""
        self._plans: dict[bytes, float] = {}
        """When to register what is shown and is not, and to withdraw what is and is not shown."""
        self._names = NameWatch()
        self._changed = trio.Event()

    def show(self, shown: Shown) -> None:
        """Show these from now on."""
        self._shown = shown
        self._changed.set()

    @property
    def names(self) -> frozenset[str]:
        """The services that this one shows."""
        return frozenset(service.name for service in self._services.values())

    @property
    def rivals(self) -> frozenset[str]:
        """Labels of ours under which somebody else answers."""
        labels = {label_of(service) for service in self._services.values()}
        return frozenset(labels & self._names.taken)

    async def run(self) -> None:
        """Show and browse until cancelled.

        Raises:
            OSError: nothing can be sent or heard here.
        """
        zeroconf = await trio.to_thread.run_sync(self._open)
        self._services.clear()
        self._plans.clear()
        self._names = NameWatch()
        try:
            names_in, names = trio.open_memory_channel[str](NAMES_QUEUED_MAX)
            handlers = [self._notice_into(names_in, trio.lowlevel.current_trio_token())]
            browse = functools.partial(ServiceBrowser, zeroconf, self._type, handlers)
            await trio.to_thread.run_sync(browse)
            await trio.to_thread.run_sync(zeroconf.add_listener, self._names, None)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._publish, zeroconf)
                for _ in range(RESOLVERS):
                    nursery.start_soon(self._resolve, zeroconf, names)
        finally:
            with trio.move_on_after(CLOSE_S_MAX, shield=True):
                await trio.to_thread.run_sync(zeroconf.close, abandon_on_cancel=True)

    def _open(self) -> Zeroconf:
        four = [each.address for each in self.place if len(each.packed) == _IPV4_BYTES]
        six = sorted({each.index for each in self.place if len(each.packed) != _IPV4_BYTES})
        try:
            zeroconf = Zeroconf(interfaces=[*four, *six])
        except OSError:
            if not (four and six):
                raise
            zeroconf = Zeroconf(interfaces=[*four])
        # A socket hears what any other of the machine asked for, and would answer
        # somebody on another network.
        try:
            for end in (*zeroconf.engine.readers, *zeroconf.engine.senders):
                _keep_to(end.sock, self.place[0].interface)
        except OSError:
            zeroconf.close()
            raise
        return zeroconf

    async def _publish(self, zeroconf: Zeroconf) -> None:
        while True:
            self._changed = trio.Event()
            self._plan(trio.current_time())
            due = [each for each, at_s in self._plans.items() if at_s <= trio.current_time()]
            for beacon in due:
                del self._plans[beacon]
                if beacon in self._shown.beacons:
                    await self._register(zeroconf, beacon)
                else:
                    service = self._services.pop(beacon)
                    await trio.to_thread.run_sync(zeroconf.unregister_service, service)
                    self._names.release(service)
            with trio.move_on_at(min(self._plans.values(), default=math.inf)):
                await self._changed.wait()

    def _plan(self, now_s: float) -> None:
        """Choose when to do what is to be done, each by itself."""
        shown, known = set(self._shown.beacons), set(self._services)
        undone = shown ^ known
        self._plans = {each: at_s for each, at_s in self._plans.items() if each in undone}
        for beacon in sorted(undone - set(self._plans)):
            after_s = self._after_s(is_new=beacon in shown, is_first=not known)
            self._plans[beacon] = now_s + after_s

    def _after_s(self, *, is_new: bool, is_first: bool) -> float:
        if is_first:
            return 0.0
        return between(self._entropy, *(REGISTERED_S if is_new else (0.0, WITHDRAWN_S_MAX)))

    async def _register(self, zeroconf: Zeroconf, beacon: bytes) -> None:
        label = self._entropy.draw(LABEL_BYTES).hex()
        port = below(self._entropy, 65535) + 1
        service = self._services[beacon] = self._describe(label, beacon, port)
        # Twelve random digits need no probing for a namesake, which would only
        # make the beacon late.
        register = functools.partial(
            zeroconf.register_service, service, cooperating_responders=True
        )
        await trio.to_thread.run_sync(register)

    def _describe(self, label: str, beacon: bytes, port: int) -> ServiceInfo:
        service = ServiceInfo(
            self._type,
            f"{label}.{self._type}",
            port=port,
            addresses=sorted(each.packed for each in self.place),
            server=f"{label}.{DOMAIN}",
            properties={TXT_KEY: beacon},
            host_ttl=TTL_S,
            other_ttl=TTL_S,
        )
        self._names.claim(service)
        return service

    def _notice_into(
        self, names: trio.MemorySendChannel[str], token: trio.lowlevel.TrioToken
    ) -> Callable[..., None]:
        """Return what zeroconf calls, in its own thread, when a service comes, changes or goes."""

        def notice(name: str) -> None:
            if self._is_own(name):
                return
            try:
                names.send_nowait(name)
            except trio.WouldBlock:
                _log.debug("too many services at once")

        def change(*, name: str, state_change: ServiceStateChange, **_: object) -> None:
            # A service that goes needs no word: its beacon dies by itself.
            if state_change is not ServiceStateChange.Removed:
                with contextlib.suppress(trio.RunFinishedError):
                    token.run_sync_soon(notice, name)

        return change

    async def _resolve(self, zeroconf: Zeroconf, names: trio.MemoryReceiveChannel[str]) -> None:
        async for name in names:
            ask = functools.partial(zeroconf.get_service_info, self._type, name, RESOLVE_MS_MAX)
            service = await trio.to_thread.run_sync(ask)
            if service is not None:
                for heard in read_service(service, loopback=self.place[0].is_loopback):
                    self._hear(heard)


def _keep_to(sock: socket.socket, interface: str) -> None:
    """Let a socket hear and say nothing but on one interface (socket(7), Linux 5.7)."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
    except PermissionError:
        _log.warning("an old kernel: others' networks may hear of this one", interface=interface)


def read_service(service: ServiceInfo, *, loopback: bool = False) -> list[Heard]:
    """Return what a service may be saying to us; nothing when it is somebody else's.

    Args:
        service: as resolved.
        loopback: let addresses of this very machine count.
    """
    values = [value for value in service.properties.values() if value is not None]
    beacons = [value for value in values if len(value) == BEACON_BYTES][:BEACONS_HEARD_MAX]
    if not beacons:
        return []
    addresses = []
    for text in service.parsed_scoped_addresses():
        where = _where(text, loopback=loopback)
        if where is not None:
            addresses.append(Address("tcp", where))
    found = tuple(addresses[:ADDRESSES_HEARD_MAX])
    return [Heard(beacon, found) for beacon in beacons] if found else []


def _where(text: str, *, loopback: bool) -> str | None:
    """Return an address without a port: that is inside the beacon."""
    host, _, scope = text.partition("%")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if address.is_multicast or address.is_unspecified or (address.is_loopback and not loopback):
        return None
    if address.version == 4:
        return f"{address}:0"
    if not address.is_link_local:
        return f"[{address}]:0"
    # A link-local address without its scope leads nowhere.
    return f"[{address}%{scope}]:0" if scope else None
