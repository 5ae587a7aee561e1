"""Calling to everybody on a link, and by which way each call came: the kernel's side of it.

Every machine is in the groups that are called already: none is ever joined, so
the kernel reports nothing about us.  Which way a datagram came is read from the
packet's destination (ip(7), IP_PKTINFO; RFC 3542, section 6.2).
"""

import contextlib
import enum
import functools
import ipaddress
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import trio

from meshnewsd.platform.interfaces import InterfaceAddress, list_connected

_IP_PKTINFO: Final = 8
"""Linux's number; Python's socket module has no name for it on every version."""

_IN_PKTINFO: Final = struct.Struct("=i4s4s")
"""Interface, local address, destination in the header."""
_IN6_PKTINFO: Final = struct.Struct("=16sI")
"""Destination in the header, interface."""
_ANCILLARY_BYTES: Final = 256
SENDERS_REMEMBERED_MAX: Final = 256


class Way(enum.StrEnum):
    """How a call reaches everybody."""

    BROADCAST = "broadcast"
    MULTICAST = "multicast"
    MULTICAST_6 = "multicast-6"


GROUPS: Final[Mapping[Way, str]] = {
    Way.BROADCAST: "255.255.255.255",
    Way.MULTICAST: "224.0.0.1",
    Way.MULTICAST_6: "ff02::1",
}
WAYS: Final[Mapping[int, tuple[Way, ...]]] = {
    int(socket.AF_INET): (Way.BROADCAST, Way.MULTICAST),
    int(socket.AF_INET6): (Way.MULTICAST_6,),
}
"""By which ways everybody is called in each family."""

_WAY_TO: Final = {ipaddress.ip_address(group).packed: way for way, group in GROUPS.items()}


class Datagram(NamedTuple):
    """One datagram that came."""

    data: bytes
    source: str | None
    """Where its sender can be called, port 0; None where it cannot."""
    interface: int
    """The number of the interface it came in by; 0: the kernel does not tell."""
    way: Way | None
    """None: it was sent to this machine alone, or the kernel does not tell."""


class DatagramSocket(Protocol):
    """One family's way to everybody."""

    async def receive(self, size: int) -> Datagram:
        """Return the next datagram, cut to `size`.

        Raises:
            OSError: what befell a datagram of ours, or the socket.
        """
        ...

    async def send(self, data: bytes, way: Way, interface: int) -> None:
        """Call to everybody on one interface.

        Raises:
            OSError: the network takes nothing.
        """
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
        return _KernelSocket(_open_socket(family, port), family, port)


class _KernelSocket:
    def __init__(self, sock: trio.socket.SocketType, family: int, port: int) -> None:
        self._socket = sock
        self._family = family
        self._port = port

    async def receive(self, size: int) -> Datagram:
        data, beside, _, sockaddr = await self._socket.recvmsg(size, _ANCILLARY_BYTES)
        assert isinstance(sockaddr, tuple), "what the families we open give"
        interface, way = _read_ancillary(beside)
        return Datagram(data, source_of(self._family, sockaddr), interface, way)

    async def send(self, data: bytes, way: Way, interface: int) -> None:
        if way is Way.MULTICAST_6:
            await self._socket.sendto(data, (GROUPS[way], self._port, 0, interface))
            return
        where = _IN_PKTINFO.pack(interface, bytes(4), bytes(4))
        beside = [(socket.IPPROTO_IP, _IP_PKTINFO, where)]
        await self._socket.sendmsg([data], beside, 0, (GROUPS[way], self._port))

    def close(self) -> None:
        self._socket.close()


def _read_ancillary(beside: Iterable[tuple[int, int, bytes]]) -> tuple[int, Way | None]:
    for level, kind, value in beside:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            interface, _, destination = _IN_PKTINFO.unpack(value)
            return interface, _WAY_TO.get(destination)
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
            destination, interface = _IN6_PKTINFO.unpack(value)
            return interface, _WAY_TO.get(destination)
    return 0, None


def _open_socket(family: int, port: int) -> trio.socket.SocketType:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    with contextlib.ExitStack() as undo:
        undo.callback(sock.close)
        # Several homes on one machine all hear what is said to everybody.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            sock.bind(("::", port))
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            sock.bind(("", port))
        undo.pop_all()
    return trio.socket.from_stdlib_socket(sock)


def source_of(family: int, sockaddr: Sequence[Any]) -> str | None:
    """Return where the sender of a datagram can be called, port 0; None where it cannot."""
    host = str(sockaddr[0]).partition("%")[0]
    address = _read(host)
    if address.is_multicast or address.is_unspecified or host == GROUPS[Way.BROADCAST]:
        return None
    if family == socket.AF_INET:
        return f"{host}:0"
    if not address.is_link_local:
        return f"[{host}]:0"
    try:
        return f"[{host}%{socket.if_indextoname(int(sockaddr[3]))}]:0"
    except OSError:
        return None


@functools.lru_cache(SENDERS_REMEMBERED_MAX)
def _read(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address: in a crowd this is much of what hearing a datagram costs."""
    return ipaddress.ip_address(host)
