"""A file service that says what a test wants it to say."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import trio

Serve = Callable[[trio.SocketStream], Awaitable[None]]


@contextlib.asynccontextmanager
async def service(serve: Serve) -> AsyncIterator[int]:
    """Answer every call with `serve`; yields the port."""

    async def contain(stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                await serve(stream)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, contain, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def request(stream: trio.SocketStream) -> bytes:
    """Return the head of a request."""
    read = bytearray()
    while b"\r\n\r\n" not in read:
        some = await stream.receive_some(65536)
        if not some:
            raise trio.BrokenResourceError
        read += some
    return bytes(read)


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer in HTTP/1.1."""
    head = [f"HTTP/1.1 {status} so", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + body


async def says(words: bytes, stream: trio.SocketStream) -> None:
    """Say the same to everybody, and hang up."""
    await request(stream)
    await stream.send_all(words)
