"""A small SOCKS5 proxy (RFC 1928) that remembers which names it was asked for."""

import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import trio

NAME, IPV4 = 3, 1
UNREACHABLE, REFUSED = 4, 5


@dataclass
class Proxy:
    """Takes CONNECT only; names that end in `.onion` or `.invalid` lead nowhere."""

    port: int = 0
    names: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._serve, listeners)
            yield
            nursery.cancel_scope.cancel()

    async def _serve(self, stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                await self._converse(stream)

    async def _converse(self, stream: trio.SocketStream) -> None:
        _, methods = await _read(stream, 2)
        await _read(stream, methods)
        await stream.send_all(b"\x05\x00")
        *_, kind = await _read(stream, 4)
        if kind == NAME:
            host = (await _read(stream, (await _read(stream, 1))[0])).decode()
            self.names.append(host)
        else:
            host = str(ipaddress.ip_address(await _read(stream, 4 if kind == IPV4 else 16)))
        port = int.from_bytes(await _read(stream, 2), "big")
        if host.endswith((".onion", ".invalid")):
            await stream.send_all(_reply(UNREACHABLE))
            return
        try:
            onward = await trio.open_tcp_stream(host, port)
        except OSError:
            await stream.send_all(_reply(REFUSED))
            return
        async with onward:
            # The first bytes of the far side often come with the reply.
            await stream.send_all(_reply(0))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_pass_on, stream, onward)
                nursery.start_soon(_pass_on, onward, stream)


def _reply(code: int) -> bytes:
    return bytes([5, code, 0, IPV4]) + bytes(6)


async def _read(stream: trio.SocketStream, size: int) -> bytes:
    read = bytearray()
    while len(read) < size:
        some = await stream.receive_some(size - len(read))
        if not some:
            raise trio.BrokenResourceError
        read += some
    return bytes(read)


async def _pass_on(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    try:
        while data := await source.receive_some(65536):
            await sink.send_all(data)
        await sink.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        # A reset goes on as a reset.
        linger = b"\1\0\0\0\0\0\0\0"
        with contextlib.suppress(OSError, trio.ClosedResourceError):
            sink.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await trio.aclose_forcefully(sink)
