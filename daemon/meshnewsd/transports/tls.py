"""Streams inside TLS, and the doorway that accepts them.

TLS hides here what the protocol looks like, not what it says: secrecy and
identity are made above it, with a key that the desk's card names.  So nobody's
authority is asked: who calls compares the certificate, byte for byte, with the
one that the desk published (docs/protocol/uplinks.md).
"""

import ssl
from collections.abc import Callable
from typing import Final

import trio

from meshnews.link.crowding import makes_room
from meshnews.node.event import Address, Carrier
from meshnewsd.transports.interface import Doorway, Host, Take

HANDSHAKE_S_MAX: Final = 10.0
"""How long a stranger may take to begin TLS; a slow line needs some seconds."""

HANDSHAKES_MAX: Final = 64
"""Streams that have not begun TLS yet; a further one pushes out one of whoever has most."""

_BROKEN: Final = (trio.BrokenResourceError, trio.ClosedResourceError)


class TlsStream(trio.abc.HalfCloseableStream):
    """A stream inside TLS.

    TLS cannot end one direction and leave the other open, so `send_eof` says nothing:
    the other side learns of the end when the stream is closed.
    """

    def __init__(self, inner: trio.SSLStream[trio.SocketStream]) -> None:
        self._inner = inner

    @property
    def carried_by(self) -> trio.SocketStream:
        """The stream that it runs over."""
        return self._inner.transport_stream

    @property
    def certificate(self) -> bytes:
        """The other side's certificate (DER); empty when it showed none."""
        return self._inner.getpeercert(binary_form=True) or b""

    async def begin(self) -> None:
        """Do the handshake; see `trio.SSLStream.do_handshake` for what is raised."""
        await self._inner.do_handshake()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything."""
        await self._inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room."""
        await self._inner.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Say nothing; see the class."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has arrived; nothing at the end."""
        return bytes(await self._inner.receive_some(max_bytes))

    async def aclose(self) -> None:
        """End both directions."""
        await self._inner.aclose()


def answer(stream: trio.SocketStream, context: ssl.SSLContext) -> TlsStream:
    """Return the side that was called."""
    return TlsStream(trio.SSLStream(stream, context, server_side=True, https_compatible=True))


class TlsHost:
    """Accepts streams inside TLS; meets `meshnewsd.transports.interface.Host`.

    Args:
        under: what accepts the streams that TLS runs over.
        make_context: returns the certificate and key to show; called at each `bind`.
    """

    name = "tls"
    carrier = Carrier.LAN

    def __init__(self, under: Host, make_context: Callable[[], ssl.SSLContext]) -> None:
        self._under = under
        self._make_context = make_context

    async def bind(self, port: int) -> "TlsDoorway":
        """Take a port; see the protocol.

        Raises:
            OSError: the port, or the certificate, cannot be had.
        """
        return TlsDoorway(await self._under.bind(port), self._make_context())


class TlsDoorway:
    """Meets `meshnewsd.transports.interface.Doorway`."""

    def __init__(self, under: Doorway, context: ssl.SSLContext) -> None:
        self._under = under
        self._context = context
        self._waiting: dict[trio.CancelScope, str] = {}

    @property
    def port(self) -> int:
        """See the protocol."""
        return self._under.port

    async def serve(self, take: Take, interfaces: tuple[str, ...] | None = None) -> None:
        """Accept until cancelled; see the protocol."""
        async with trio.open_nursery() as nursery:

            def begin(stream: trio.abc.HalfCloseableStream, address: Address) -> None:
                nursery.start_soon(self._begin, stream, address, take)

            await self._under.serve(begin, interfaces)

    async def _begin(
        self, stream: trio.abc.HalfCloseableStream, address: Address, take: Take
    ) -> None:
        assert isinstance(stream, trio.SocketStream), "TLS runs over TCP"
        inside = answer(stream, self._context)
        self._make_room()
        with trio.move_on_after(HANDSHAKE_S_MAX) as scope:
            self._waiting[scope] = address.where
            try:
                await inside.begin()
            except _BROKEN:
                pass
            else:
                take(inside, Address(TlsHost.name, address.where))
                return
            finally:
                self._waiting.pop(scope, None)
        await trio.aclose_forcefully(inside)

    def _make_room(self) -> None:
        if len(self._waiting) >= HANDSHAKES_MAX:
            crowding = list(self._waiting)[makes_room(list(self._waiting.values()))]
            del self._waiting[crowding]
            crowding.cancel()

    async def aclose(self) -> None:
        """Give the port back."""
        await self._under.aclose()
