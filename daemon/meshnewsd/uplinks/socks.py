"""A collector called through a SOCKS5 proxy such as Tor's (RFC 1928).

An address is ``proxy:port`` and then the address of the driver that goes through
it, divided by a space.  The proxy is a number, and names are given to it as they
are: this machine resolves none, and asks nobody about a collector.
"""

import ipaddress
from typing import Final

import trio

from meshnews.node.event import Carrier, Trouble
from meshnewsd.transports import tcp
from meshnewsd.transports.interface import Unreachable
from meshnewsd.transports.tls import TlsStream
from meshnewsd.uplinks import direct, tls

ANSWER_S_MAX: Final = 20.0
"""How long the proxy may take: Tor builds a circuit first."""

NAME_BYTES_MAX: Final = 255

_VERSION: Final = 5
_NO_AUTHENTICATION: Final = 0
_CONNECT: Final = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_ADDRESS_BYTES: Final = {_IPV4: 4, _IPV6: 16}
_REPLIES: Final = {
    3: Trouble.NO_NETWORK,
    4: Trouble.NO_ANSWER,
    5: Trouble.REFUSED,
    6: Trouble.NO_ANSWER,
}


class SocksUplink:
    """Plain TCP through a proxy; meets `meshnewsd.transports.interface.Caller`."""

    name = "socks"
    carrier = Carrier.UPLINK

    async def open(self, where: str) -> trio.SocketStream:
        """Connect; see the protocol."""
        proxy, _, place = where.partition(" ")
        return await connect(proxy, place)


class SocksTlsUplink:
    """TLS through a proxy; meets `meshnewsd.transports.interface.Caller`."""

    name = "socks-tls"
    carrier = Carrier.UPLINK

    async def open(self, where: str) -> TlsStream:
        """Connect and begin TLS; see the protocol."""
        proxy, _, rest = where.partition(" ")
        place, pin, name = tls.split_where(rest)
        return await tls.begin(await connect(proxy, place), pin=pin, name=name)


async def connect(proxy: str, place: str) -> trio.SocketStream:
    """Return a stream to ``host:port`` that the proxy opened.

    Raises:
        Unreachable: by our side, the proxy's, or from there on.
    """
    request = _request(*tcp.split_where(place))
    host, port = tcp.split_where(proxy)
    _require_number(host)
    try:
        stream = await direct.connect(host, port)
    except Unreachable as exc:
        raise Unreachable("no proxy", Trouble.PROXY_GONE) from exc
    try:
        with trio.fail_after(ANSWER_S_MAX):
            await _ask(stream, request)
    except trio.TooSlowError as exc:
        await trio.aclose_forcefully(stream)
        raise Unreachable("the proxy says nothing", Trouble.PROXY_REFUSED) from exc
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)
        raise
    return stream


def _require_number(host: str) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise Unreachable("a proxy is named by its number", Trouble.PROXY_GONE) from None


def _request(host: str, port: int) -> bytes:
    """Return the request to connect: VER CMD RSV ATYP DST.ADDR DST.PORT."""
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna" if not host.isascii() else "ascii")
        if not 0 < len(name) <= NAME_BYTES_MAX:
            raise Unreachable("a name too long for a proxy") from None
        address = bytes([_NAME, len(name)]) + name
    else:
        address = bytes([_IPV4 if number.version == 4 else _IPV6]) + number.packed
    return bytes([_VERSION, _CONNECT, 0]) + address + port.to_bytes(2, "big")


async def _ask(stream: trio.SocketStream, request: bytes) -> None:
    try:
        await stream.send_all(bytes([_VERSION, 1, _NO_AUTHENTICATION]))
        if await _exactly(stream, 2) != bytes([_VERSION, _NO_AUTHENTICATION]):
            raise Unreachable("the proxy wants what we have not", Trouble.PROXY_REFUSED)
        await stream.send_all(request)
        version, reply, _, kind = await _exactly(stream, 4)
        if version != _VERSION or reply != 0:
            raise Unreachable("refused by the proxy", _REPLIES.get(reply, Trouble.PROXY_REFUSED))
        size = _ADDRESS_BYTES.get(kind)
        if size is None:
            size = (await _exactly(stream, 1))[0]
        await _exactly(stream, size + 2)
    except trio.BrokenResourceError as exc:
        raise Unreachable("the proxy hung up", Trouble.PROXY_REFUSED) from exc


async def _exactly(stream: trio.SocketStream, size: int) -> bytes:
    """Return so many bytes and not one more: what follows is the collector's."""
    read = bytearray()
    while len(read) < size:
        some = await stream.receive_some(size - len(read))
        if not some:
            raise Unreachable("the proxy hung up", Trouble.PROXY_REFUSED)
        read += some
    return bytes(read)
