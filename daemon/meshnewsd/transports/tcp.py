"""Streams over TCP, IPv4 and IPv6 on the same port number.

An address is ``host:port`` or ``[host%scope]:port``.  IPv6 sockets take IPv6
only, so that both families can have the port; link-local addresses keep their
scope, without which they lead nowhere.
"""

import contextlib
import errno
import ipaddress
import socket
import struct
from collections.abc import Sequence
from typing import Final

import trio

from meshnews.node.event import Address, Carrier, Trouble
from meshnewsd.platform.logs import Log
from meshnewsd.transports.interface import SCARCE, SCARCITY_S, Take, Unreachable

BACKLOG: Final = 64
"""Streams that the kernel holds for us while we look away."""

NOTSENT_LOWAT_BYTES: Final = 64 * 1024
"""Unsent bytes that the kernel keeps at most; with less a fast way is waited for too often."""
NOTSENT_LOWAT_BYTES_MIN: Final = 2 * 1024
"""And at least: a little more than a packet."""

NEAR_RTT_S: Final = 0.01
"""An answer within this is that of a neighbour on a cable or a radio of this building."""
NEAR_RECEIVE_BYTES_MIN: Final = 32 * 1024
NEAR_RECEIVE_BYTES_MAX: Final = 64 * 1024
"""Half of what of a near neighbour may be on its way to us or wait in the kernel, which doubles it.

Left alone, the kernel lets it grow to megabytes. Whatever is urgent would wait behind them, a
process that is killed would lose them, and thirty streams would fill a small machine.
What comes from farther is left to the kernel."""
NEAR_BYTES_PER_S: Final = 16_000_000
"""Half of what it carries between the two: 32 MB/s over 4 ms, and over 10 ms still 13 MB/s."""

KEEPALIVE_IDLE_S: Final = 20
KEEPALIVE_EVERY_S: Final = 5
KEEPALIVE_TRIES: Final = 3
UNHEARD_S: Final = 20
"""A neighbour that walked away closes nothing: its stream ends after some 35 s of
silence, or 20 s in which it took nothing, so that it can be met afresh."""

BIND_ATTEMPTS: Final = 16
"""Free ports tried until one is free in both families."""

_NOT_HERE: Final = frozenset(
    {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT, errno.ENODEV}
)
"""This machine has no such family, address or interface."""
_NO_WAY: Final = frozenset({errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL})
_TCP_INFO_RTT: Final = struct.Struct("=68xI")
"""`struct tcp_info` of Linux up to the smoothed time of a round trip, in microseconds."""
_TCP_NOTSENT_LOWAT: Final = 25
"""Linux's number; Python's socket module has no name for it on every version."""

SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""What getaddrinfo returns; the last form is that of a family which Python cannot read."""

_log = Log("tcp")


class TcpTransport:
    """Meets `meshnewsd.transports.interface.Transport`."""

    name = "tcp"
    carrier = Carrier.LAN

    def __init__(self, *, addresses: Sequence[str]) -> None:
        self._addresses = tuple(addresses)

    async def bind(self, port: int) -> "TcpDoorway":
        """Take `port`, 0 for any free one, on every address; see the protocol."""
        for attempt in range(BIND_ATTEMPTS):
            try:
                sockets = await _bind_all(self._addresses, port)
            except OSError as exc:
                is_last = attempt == BIND_ATTEMPTS - 1
                if port != 0 or exc.errno != errno.EADDRINUSE or is_last:
                    raise
            else:
                return TcpDoorway(self._addresses, sockets)
        raise AssertionError("the last attempt returns or raises")

    async def open(self, where: str) -> trio.SocketStream:
        """Connect; see the protocol."""
        return await connect(*split_where(where))


async def connect(host: str, port: int) -> trio.SocketStream:
    """Return a stream to the first address of `host` that answers; the caller sets the deadline.

    Raises:
        Unreachable: none does.
    """
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise Unreachable("the name leads nowhere", Trouble.NO_NAME) from exc
    last: OSError | None = None
    for family, kind, protocol, _, sockaddr in found:
        try:
            return await _connect(family, kind, protocol, sockaddr)
        except OSError as exc:
            last = exc
    raise Unreachable("nobody answers", _trouble(last)) from last


def _trouble(cause: OSError | None) -> Trouble:
    number = None if cause is None else cause.errno
    if number in _NO_WAY:
        return Trouble.NO_NETWORK
    if number == errno.ECONNRESET:
        return Trouble.CUT
    return Trouble.REFUSED if number == errno.ECONNREFUSED else Trouble.NO_ANSWER


class TcpDoorway:
    """Meets `meshnewsd.transports.interface.Doorway`."""

    def __init__(self, addresses: Sequence[str], sockets: list[trio.socket.SocketType]) -> None:
        self._addresses = addresses
        self._sockets = sockets
        self.port: int = sockets[0].getsockname()[1]

    async def serve(self, take: Take, interfaces: tuple[str, ...] | None = None) -> None:
        """Accept until cancelled; see the protocol.

        The port stays ours while nobody is accepted, only not listened at, so that
        a silent machine answers as one without a service.
        """
        if interfaces is not None:
            self._close()
            self._sockets = await _bind_on(interfaces, self._addresses, self.port)
        elif not self._sockets:
            self._sockets = await _bind_all(self._addresses, self.port)
        try:
            for sock in self._sockets:
                sock.listen(BACKLOG)
            async with trio.open_nursery() as nursery:
                for sock in self._sockets:
                    nursery.start_soon(_accept, sock, take)
                await trio.sleep_forever()
        finally:
            self._close()
            with trio.CancelScope(shield=True):
                await self._take_again()

    async def aclose(self) -> None:
        """Give the port back."""
        self._close()
        await trio.lowlevel.checkpoint()

    def _close(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets = []

    async def _take_again(self) -> None:
        try:
            self._sockets = await _bind_all(self._addresses, self.port)
        except OSError as exc:
            _log.warning("port could not be kept", port=self.port, cause=exc)


def split_where(where: str) -> tuple[str, int]:
    """Return host and port of an address.

    Raises:
        Unreachable: it is not one.
    """
    host, _, digits = where.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise Unreachable("an IPv6 address needs brackets")
    if not (host and digits.isascii() and digits.isdecimal() and len(digits) <= 5):
        raise Unreachable("not host:port")
    port = int(digits)
    if not 0 < port <= 65535:
        raise Unreachable("no such port")
    return host, port


def join_where(sockaddr: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """Return the address that leads back to a socket address."""
    host, port = sockaddr[0], sockaddr[1]
    if len(sockaddr) == 2:
        return f"{host}:{port}"
    scope = sockaddr[3]
    if scope and "%" not in host:
        try:
            host = f"{host}%{socket.if_indextoname(scope)}"
        except OSError:
            host = f"{host}%{scope}"
    return f"[{host}]:{port}"


async def _bind_all(addresses: Sequence[str], port: int) -> list[trio.socket.SocketType]:
    """Return sockets bound to one port number on every address that this machine can have."""
    sockets: list[trio.socket.SocketType] = []
    try:
        for address in addresses:
            sock = await _bind_one(address, port)
            if sock is not None:
                sockets.append(sock)
                port = sock.getsockname()[1]
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    if not sockets:
        raise OSError(errno.EADDRNOTAVAIL, "none of the configured addresses is here")
    return sockets


async def _bind_on(
    interfaces: Sequence[str], addresses: Sequence[str], port: int
) -> list[trio.socket.SocketType]:
    """Return sockets bound to a port on some interfaces only; none for one that is not there."""
    sockets: list[trio.socket.SocketType] = []
    try:
        for interface in interfaces:
            for address in addresses:
                sock = await _bind_one(address, port, interface)
                if sock is not None:
                    sockets.append(sock)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


async def _bind_one(address: str, port: int, interface: str = "") -> trio.socket.SocketType | None:
    is_six = ipaddress.ip_address(address.partition("%")[0]).version == 6
    family = socket.AF_INET6 if is_six else socket.AF_INET
    try:
        sock = trio.socket.socket(family, socket.SOCK_STREAM)
    except OSError as exc:
        if exc.errno in _NOT_HERE:
            return None
        raise
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if interface:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        if is_six:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        await sock.bind((address, port))
    except OSError as exc:
        sock.close()
        if exc.errno in _NOT_HERE:
            return None
        raise
    return sock


async def _accept(listener: trio.socket.SocketType, take: Take) -> None:
    while True:
        try:
            sock, sockaddr = await listener.accept()
        except OSError as exc:
            if exc.errno in SCARCE:
                _log.warning("no room for another stream", cause=exc)
                await trio.sleep(SCARCITY_S)
            elif exc.errno in {errno.EBADF, errno.EINVAL, errno.ENOTSOCK}:
                raise
            # Anything else befell the stream that was about to be accepted (accept(2)).
            continue
        try:
            stream = _tune(sock)
        except OSError:
            sock.close()
            continue
        take(stream, Address("tcp", join_where(sockaddr)))


async def _connect(
    family: int, kind: int, protocol: int, sockaddr: SocketAddress
) -> trio.SocketStream:
    sock = trio.socket.socket(family, kind, protocol)
    try:
        await sock.connect(sockaddr)
        return _tune(sock)
    except BaseException:
        sock.close()
        raise


def _tune(sock: trio.socket.SocketType) -> trio.SocketStream:
    """Return a stream that sends at once and keeps little waiting (it sets TCP_NODELAY itself)."""
    stream = trio.SocketStream(sock)
    stream.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_EVERY_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_TRIES)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_S * 1000)
    round_trip_s = _round_trip_s(stream)
    if round_trip_s < NEAR_RTT_S:
        size = near_receive_bytes(round_trip_s)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    return stream


def near_receive_bytes(round_trip_s: float) -> int:
    """Return what to ask of the kernel to keep for a neighbour who answers so soon."""
    carried = int(round_trip_s * NEAR_BYTES_PER_S)
    return min(max(carried, NEAR_RECEIVE_BYTES_MIN), NEAR_RECEIVE_BYTES_MAX)


def _round_trip_s(stream: trio.SocketStream) -> float:
    """Return how long the handshake of a stream took to be answered, as the kernel knows."""
    info = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_RTT.size)
    (microseconds,) = _TCP_INFO_RTT.unpack(info)
    return float(microseconds) / 1e6


def keep_little_unsent(stream: trio.abc.HalfCloseableStream, size: int) -> None:
    """Let the kernel take no more of a TCP stream ahead of the network than about `size` bytes.

    What is urgent waits behind that.  Between the two bounds; does
    nothing to other streams, and to one that has ended.
    """
    stream = getattr(stream, "carried_by", stream)
    if isinstance(stream, trio.SocketStream):
        size = min(max(size, NOTSENT_LOWAT_BYTES_MIN), NOTSENT_LOWAT_BYTES)
        with contextlib.suppress(OSError):
            stream.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, size)


def own_host(stream: trio.abc.HalfCloseableStream) -> str | None:
    """Return the address of our end of a TCP stream, without scope; None for other streams."""
    stream = getattr(stream, "carried_by", stream)
    if not isinstance(stream, trio.SocketStream):
        return None
    try:
        name = stream.socket.getsockname()
    except OSError:
        return None
    return str(name[0]).partition("%")[0] if name else None
