"""Beacons as datagrams to everybody on the link.

Each beacon is one datagram of 48 bytes, sent to 255.255.255.255, 224.0.0.1 and
ff02::1 on every interface where it may be shown, from the beacon port to the
beacon port.  Every machine is in these groups already: none is ever joined, so
the kernel reports nothing about us.

Sent every 20 to 36 seconds, at once on an interface that comes up or when
something is shown for the first time; after a change of beacons at a time drawn
afresh, so that the rhythm of the old ones does not go on in the new.
See docs/protocol/discovery.md.
"""

import errno
import ipaddress
import math
import socket
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import trio

from meshnews.crypto.entropy import Entropy, between
from meshnews.link.beacon import BEACON_BYTES
from meshnews.node.event import Address, Heard
from meshnewsd.discovery.interface import Health, Hear, Shown, reachable
from meshnewsd.platform.entropy import OsEntropy
from meshnewsd.platform.interfaces import AddressWatch, InterfaceAddress, list_connected
from meshnewsd.platform.logs import Log

EVERY_S: Final = (20.0, 36.0)
AFTER_CHANGE_S: Final = (0.0, 20.0)

HEARD_AGAIN_S: Final = 10.0
"""A beacon from the same address within this time is the same news."""

HEARD_REMEMBERED_MAX: Final = 1024
HEARD_PER_S_MAX: Final = 64
"""More datagrams than this in a second are left to the kernel, which drops them."""

ECHO_S_MAX: Final = 1.0
"""The kernel brings our own calls back at once, unless a firewall keeps them away."""

ERRANDS_MAX: Final = 32
TRIES: Final = 5
TRY_AGAIN_S: Final = 0.7

BROADCAST: Final = "255.255.255.255"
ALL_HOSTS_4: Final = "224.0.0.1"
ALL_HOSTS_6: Final = "ff02::1"

_IP_PKTINFO: Final = 8
"""Linux's number; Python's socket module has no name for it on every version."""

_IN_PKTINFO: Final = struct.Struct("=i4s4s")
_NO_SUCH_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})

_log = Log("udp")


class DatagramSocket(Protocol):
    """What is used of a socket of trio's."""

    def recvfrom(self, size: int, /) -> Awaitable[tuple[bytes, Any]]:
        """Return the next datagram, cut to `size`, and where it came from."""
        ...

    async def sendto(self, data: bytes, where: tuple[str, int, int, int], /) -> int:
        """Send a datagram."""
        ...

    async def sendmsg(
        self,
        parts: Iterable[bytes],
        ancillary: Iterable[tuple[int, int, bytes]],
        flags: int,
        where: tuple[str, int],
        /,
    ) -> int:
        """Send a datagram with words to the kernel beside it."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Air:
    """The networks, as the kernel offers them; tests have others."""

    def look(self) -> frozenset[InterfaceAddress]:
        """Return the addresses of interfaces that have a carrier."""
        return list_connected()

    def open(self, family: int, port: int) -> DatagramSocket:
        """Return a socket at `port` that may call to everybody.

        Raises:
            OSError: there is no such family, or the port cannot be had.
        """
        return _open_socket(family, port)


class DatagramFinder:
    """Meets `meshnewsd.discovery.interface.Finder`.

    Args:
        port: where beacons are sent from and to.
        hear: told what was heard.
        addresses: of the interfaces to use; None: all but loopback.
        entropy: for the times.
        air: opens the sockets, and tells which interfaces there are.
    """

    name = "udp"

    def __init__(
        self,
        *,
        port: int,
        hear: Hear,
        addresses: Sequence[str] | None = None,
        entropy: Entropy | None = None,
        air: "Air | None" = None,
    ) -> None:
        self._port = port
        self._hear = hear
        self._addresses = addresses
        self._entropy = entropy or OsEntropy()
        self._air = air or Air()
        self._shown = Shown()
        self._own: frozenset[bytes] = frozenset()
        self._once: list[_Errand] = []
        self._next_s = math.inf
        self._changed = trio.Event()
        self._links: list[_Link] = []
        self._sockets: dict[int, DatagramSocket] = {}
        self._recent: OrderedDict[tuple[bytes, str], float] = OrderedDict()
        self._sent_s = self._echoed_s = -math.inf
        self.troubles: dict[str, str] = {}
        """Interfaces on which the last attempt to send failed, and why."""

    # What is shown ----------------------------------------------------------

    def show(self, shown: Shown) -> None:
        """Show these from now on; see the protocol."""
        before, self._shown = self._shown, shown
        if shown == before:
            return
        # What meant nothing under the keys of before may mean something now.
        self._recent.clear()
        self._own = frozenset((*shown.beacons, *shown.seeks))
        now_s = trio.current_time()
        if not shown.beacons:
            self._next_s = math.inf
        elif not before.beacons or before.interfaces != shown.interfaces:
            self._next_s = now_s
        elif shown.beacons != before.beacons:
            self._next_s = now_s + between(self._entropy, *AFTER_CHANGE_S)
        # At a new epoch all seeks are new and none is sent again: how many there
        # are would tell whose the beacons are.
        if shown.beacons == before.beacons or not before.seeks:
            self._send_once(tuple(one for one in shown.seeks if one not in before.seeks), now_s)
        self._wake()

    def beckon(self, beacons: tuple[bytes, ...], after_s: float) -> None:
        """Send these once more; see the protocol."""
        self._send_once(beacons, trio.current_time() + after_s)
        self._wake()

    def _send_once(
        self,
        beacons: tuple[bytes, ...],
        at_s: float,
        links: "Sequence[_Link] | None" = None,
        tries: int = TRIES,
    ) -> None:
        if beacons and tries and len(self._once) < ERRANDS_MAX:
            self._once.append(_Errand(at_s, beacons, links, tries))

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    @property
    def health(self) -> Health:
        """What could not be sent, and whether our own calls come back; see the protocol."""
        was_sent = math.isfinite(self._sent_s)
        waited = was_sent and trio.current_time() - self._sent_s > ECHO_S_MAX
        return Health(dict(self.troubles), is_deaf=waited and self._echoed_s < self._sent_s)

    # Running ------------------------------------------------------------------

    async def run(self) -> None:
        """Show and listen until cancelled; see the protocol."""
        watch = AddressWatch(self._air.look)
        self._links = _links(reachable(watch.addresses, self._addresses))
        try:
            self._open()
            async with trio.open_nursery() as nursery:
                for family, sock in self._sockets.items():
                    nursery.start_soon(self._listen, family, sock)
                nursery.start_soon(self._send_in_time)
                nursery.start_soon(self._follow_interfaces, watch)
        finally:
            for sock in self._sockets.values():
                sock.close()
            self._sockets.clear()

    def _open(self) -> None:
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                self._sockets[family] = self._air.open(family, self._port)
            except OSError as exc:
                if exc.errno not in _NO_SUCH_FAMILY:
                    raise
        if not self._sockets:
            raise OSError(errno.EAFNOSUPPORT, "neither IPv4 nor IPv6 is here")

    async def _follow_interfaces(self, watch: AddressWatch) -> None:
        while True:
            found = await watch.changed()
            before, self._links = self._links, _links(reachable(found, self._addresses))
            new = [link for link in self._links if link not in before]
            beacons = (*self._shown.beacons, *self._shown.seeks)
            self._send_once(beacons, trio.current_time(), new)
            self._wake()
            gone = {link.interface for link in before} - {link.interface for link in self._links}
            for interface in gone:
                self.troubles.pop(interface, None)

    async def _send_in_time(self) -> None:
        while True:
            changed, now_s = self._changed, trio.current_time()
            if now_s >= self._next_s:
                self._next_s = now_s + between(self._entropy, *EVERY_S)
                self._send_once(self._shown.beacons, now_s)
            due = [errand for errand in self._once if errand.at_s <= now_s]
            self._once = [errand for errand in self._once if errand.at_s > now_s]
            for errand in due:
                await self._run_errand(errand)
            next_s = min([self._next_s, *(errand.at_s for errand in self._once)])
            with trio.move_on_at(next_s):
                await changed.wait()

    # Sending --------------------------------------------------------------------

    async def _run_errand(self, errand: "_Errand") -> None:
        """Send on every interface concerned, and once more where that failed.

        An address that has just come is not good for sending at once (RFC 4862,
        section 5.4).
        """
        failed: list[_Link] = []
        for link in self._links if errand.links is None else errand.links:
            sock = self._sockets.get(link.family)
            if sock is not None and self._shown.is_on(link.interface):
                sent = [await self._send_on(sock, link, one) for one in errand.beacons]
                if not all(sent):
                    failed.append(link)
        if failed:
            again_s = trio.current_time() + TRY_AGAIN_S
            self._send_once(errand.beacons, again_s, failed, errand.tries - 1)

    async def _send_on(self, sock: "DatagramSocket", link: "_Link", beacon: bytes) -> bool:
        began_s = trio.current_time()
        try:
            if link.family == socket.AF_INET6:
                await sock.sendto(beacon, (ALL_HOSTS_6, self._port, 0, link.number))
            else:
                where = _IN_PKTINFO.pack(link.number, bytes(4), bytes(4))
                ancillary = [(socket.IPPROTO_IP, _IP_PKTINFO, where)]
                for group in (BROADCAST, ALL_HOSTS_4):
                    await sock.sendmsg([beacon], ancillary, 0, (group, self._port))
        except OSError as exc:
            # One network that takes nothing is no reason to be mute on the others.
            if self.troubles.get(link.interface) != (cause := exc.strerror or str(exc)):
                _log.info("cannot send", interface=link.interface, cause=cause)
            self.troubles[link.interface] = cause
            return False
        self.troubles.pop(link.interface, None)
        self._sent_s = began_s
        return True

    # Listening --------------------------------------------------------------------

    async def _listen(self, family: int, sock: "DatagramSocket") -> None:
        second, count = math.floor(trio.current_time()), 0
        while True:
            try:
                data, sockaddr = await sock.recvfrom(BEACON_BYTES + 1)
            except OSError as exc:
                # What befell a datagram of ours is reported here too.
                if exc.errno in {errno.EBADF, errno.ENOTSOCK}:
                    raise
                continue
            now_s = trio.current_time()
            if math.floor(now_s) != second:
                second, count = math.floor(now_s), 0
            count += 1
            if count > HEARD_PER_S_MAX:
                await trio.sleep_until(second + 1)
                continue
            if data in self._own:
                self._echoed_s = now_s
            elif len(data) == BEACON_BYTES:
                self._heard(family, data, sockaddr, now_s)

    def _heard(self, family: int, data: bytes, sockaddr: Sequence[str | int], now_s: float) -> None:
        where = source_of(family, sockaddr)
        if where is None:
            return
        key = (data, where)
        before_s = self._recent.pop(key, -math.inf)
        self._recent[key] = now_s if now_s - before_s >= HEARD_AGAIN_S else before_s
        if len(self._recent) > HEARD_REMEMBERED_MAX:
            self._recent.popitem(last=False)
        if self._recent[key] == now_s:
            self._hear(Heard(data, (Address("tcp", where),)))


class _Errand(NamedTuple):
    """Something to be sent once."""

    at_s: float
    beacons: tuple[bytes, ...]
    links: "Sequence[_Link] | None"
    """On these only; None: on all that there are then."""
    tries: int


class _Link(NamedTuple):
    """One interface in one address family: what a datagram is sent to everybody on."""

    interface: str
    number: int
    family: int


def _links(found: Iterable[InterfaceAddress]) -> list[_Link]:
    """Return the interfaces that have an address, once for each family."""
    links = set()
    for each in found:
        is_six = len(each.packed) == 16
        # All hosts of a link are reached from its own kind of address only.
        if is_six and not ipaddress.ip_address(each.address).is_link_local:
            continue
        family = socket.AF_INET6 if is_six else socket.AF_INET
        links.add(_Link(each.interface, each.index, int(family)))
    return sorted(links)


def _open_socket(family: int, port: int) -> trio.socket.SocketType:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        # Several homes on one machine all hear what is said to everybody.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
            sock.bind(("::", port))
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sock.bind(("", port))
        return trio.socket.from_stdlib_socket(sock)
    except BaseException:
        sock.close()
        raise


def source_of(family: int, sockaddr: Sequence[str | int]) -> str | None:
    """Return where the sender of a datagram can be called, port 0; None where it cannot."""
    host = str(sockaddr[0]).partition("%")[0]
    address = ipaddress.ip_address(host)
    if address.is_multicast or address.is_unspecified or host == BROADCAST:
        return None
    if family == socket.AF_INET:
        return f"{host}:0"
    if not address.is_link_local:
        return f"[{host}]:0"
    try:
        return f"[{host}%{socket.if_indextoname(int(sockaddr[3]))}]:0"
    except OSError:
        return None
