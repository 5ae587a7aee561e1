"""A line as narrow as that of a gateway: streams that carry so many bytes a second, each way."""

import socket
from dataclasses import dataclass
from typing import Final

import trio

from meshnews.node.event import Carrier
from meshnewsd.transports.interface import Caller

PIECE_S: Final = 0.1
"""What crosses at once is what the line carries in this time."""

QUEUE_S: Final = 0.5
"""What waits before the line, towards us, is what it carries in this time; this machine's own
buffers would hold minutes of it, behind which a question waits."""


class NarrowStream(trio.abc.HalfCloseableStream):
    """A stream that takes its time."""

    def __init__(self, inner: trio.abc.HalfCloseableStream, bytes_per_s: float) -> None:
        self._inner = inner
        self._bytes_per_s = bytes_per_s
        self._piece = max(1, int(bytes_per_s * PIECE_S))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send; returns when the line has carried all of it."""
        view = memoryview(data)
        for at in range(0, len(view), self._piece):
            piece = view[at : at + self._piece]
            await trio.sleep(len(piece) / self._bytes_per_s)
            await self._inner.send_all(piece)

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive what the line carries in a moment, at most."""
        data = await self._inner.receive_some(min(max_bytes or self._piece, self._piece))
        await trio.sleep(len(data) / self._bytes_per_s)
        return data

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for the stream inside."""
        await self._inner.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """End our half."""
        await self._inner.send_eof()

    async def aclose(self) -> None:
        """End both."""
        await self._inner.aclose()


@dataclass(frozen=True, slots=True)
class NarrowCaller:
    """Meets `Caller`; its streams are narrow."""

    inner: Caller
    bytes_per_s: float

    @property
    def name(self) -> str:
        """The word of the driver inside."""
        return self.inner.name

    @property
    def carrier(self) -> Carrier:
        """The carrier of the driver inside."""
        return self.inner.carrier

    async def open(self, where: str) -> NarrowStream:
        """Connect; see the protocol.

        Raises:
            Unreachable: nobody answers.
        """
        stream = await self.inner.open(where)
        assert isinstance(stream, trio.SocketStream), "a line to a collector over plain TCP"
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(self.bytes_per_s * QUEUE_S))
        return NarrowStream(stream, self.bytes_per_s)
