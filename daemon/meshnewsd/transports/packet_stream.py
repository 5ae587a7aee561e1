"""A stream of bytes over a socket of packets, such as a channel of Bluetooth.

A channel has no half that can be closed by itself: who ends its direction ends
the stream, once what it sent has left.  What the other side had under way is lost,
which a link, where both sides say BYE, does not mind.  See docs/decisions/0154.
"""

import contextlib
import errno
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Final

import trio

from meshnewsd.platform.l2cap import PACKET_BYTES_MAX, Place

FLUSH_S_MAX: Final = 3.0
"""How long the end of a stream waits for one who takes nothing more of it."""
FLUSH_POLL_S: Final = 0.02
"""How often it looks whether all has left."""

CONNECT_S_MAX: Final = 45.0
"""The kernel gives up a connection that it cannot make after 40 s at the latest."""

SETTLE_S: Final = 1.0
"""How long the kernel is left alone with a channel that was lost."""


class PacketStream(trio.abc.HalfCloseableStream):
    """A stream of bytes over a socket of packets; owns the socket.

    Args:
        sock: what carries it.
        packet_bytes: how long a packet to the other side may be.
        caller: who opened it; None: this machine did.
        closed: told once this end is closed.

    Attributes:
        is_spared: nobody waits for it any more: it may be closed when room is short.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        packet_bytes: int,
        caller: Place | None,
        closed: Callable[["PacketStream"], object],
    ) -> None:
        self.caller = caller
        self.is_spared = False
        self._closed = closed
        self._packet_bytes = packet_bytes
        self._idle_queue = _queue(sock)
        self._bare, self._socket = sock, trio.socket.from_stdlib_socket(sock)
        self._rest = b""
        self._lost: OSError | None = None
        self._is_lost = False
        self._is_over = False
        self._is_ending = False

    @property
    def is_closed(self) -> bool:
        """Whether this end was closed."""
        return self._socket.fileno() == -1

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything, in packets as long as the other side takes; see trio."""
        await trio.lowlevel.checkpoint()
        with memoryview(data) as view:
            for start in range(0, len(view), self._packet_bytes):
                self._check_open(is_enough=not self._is_ending)
                try:
                    await self._socket.send(view[start : start + self._packet_bytes])
                except OSError as exc:
                    self._check_open()
                    self._is_lost = True
                    raise trio.BrokenResourceError("the channel is gone") from exc

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel takes more; see trio."""
        self._check_open()
        await trio.lowlevel.wait_writable(self._socket)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has arrived; nothing at the end.  See trio."""
        await trio.lowlevel.checkpoint()
        self._check_open()
        packet = self._rest or await self._receive_packet()
        cut = len(packet) if max_bytes is None else max_bytes
        self._rest = packet[cut:]
        return packet[:cut]

    async def _receive_packet(self) -> bytes:
        """Return the next packet, whole: the kernel throws away what does not fit."""
        if not self._is_over:
            try:
                if packet := await self._socket.recv(PACKET_BYTES_MAX):
                    return packet
            except OSError as exc:
                self._check_open()
                self._lost, self._is_lost = exc, True
            self._is_over = True
        return self._receive_rest()

    def _receive_rest(self) -> bytes:
        """Return what came in before it was over: the kernel tells of that first.

        By an end, when the other side closed the channel, and by an error, when the connection
        was lost.  Of a loss it tells but once, and to wait for more is to wait for ever.
        """
        try:
            packet = self._bare.recv(PACKET_BYTES_MAX)
        except OSError as exc:
            raise trio.BrokenResourceError("the connection was lost") from exc
        if not packet and self._lost is not None and self._lost.errno != errno.ECONNRESET:
            raise trio.BrokenResourceError("the connection was lost") from self._lost
        return packet

    async def send_eof(self) -> None:
        """End the stream once all that was sent has left: there are no halves."""
        self._check_open()
        self._is_ending = True
        await self._flush()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        """Close once all that was sent has left, or at once when cancelled."""
        if self.is_closed:
            await trio.lowlevel.checkpoint()
            return
        try:
            await self._flush()
        finally:
            self.close()

    def close(self) -> None:
        """Close at once; whoever waits for something of it meets `trio.ClosedResourceError`."""
        if self.is_closed:
            return
        self._closed(self)
        if self._is_lost:
            let_go_later(self._socket.dup())
        self._socket.close()

    def spare(self) -> None:
        """Take note that nobody waits for it any more; see the class."""
        self.is_spared = True

    async def _flush(self) -> None:
        """Wait until all has left, or nothing more does for `FLUSH_S_MAX`.

        What a kernel holds can be seconds of a slow channel.
        """
        await trio.lowlevel.checkpoint()
        before = None
        with trio.move_on_after(FLUSH_S_MAX) as patience:
            while not self.is_closed and (queue := _queue(self._socket)) != self._idle_queue:
                if queue != before:
                    before, patience.deadline = queue, trio.current_time() + FLUSH_S_MAX
                await trio.sleep(FLUSH_POLL_S)

    def _check_open(self, *, is_enough: bool = True) -> None:
        if self.is_closed or not is_enough:
            raise trio.ClosedResourceError("closed by this end")


def _queue(sock: "socket.socket | trio.socket.SocketType") -> int:
    """Return what the kernel says of the queue to be sent: by family the bytes in it, or the room.

    Either way it is, for an empty queue, what it was at the start.
    """
    try:
        (said,) = struct.unpack("=i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
    except OSError:
        return -1
    return int(said)


def let_go_later(sock: "socket.socket | trio.socket.SocketType") -> None:
    """Have a socket closed once the kernel is done with what went wrong.

    Linux 6.1 takes a channel apart twice when its socket is closed while it is itself
    giving up the connection below, and then ends whoever closed it.
    """
    trio.lowlevel.spawn_system_task(_let_go, sock)


async def _let_go(sock: "socket.socket | trio.socket.SocketType") -> None:
    with sock:
        with trio.move_on_after(CONNECT_S_MAX):
            await trio.lowlevel.wait_writable(sock)
        await trio.sleep(SETTLE_S)
