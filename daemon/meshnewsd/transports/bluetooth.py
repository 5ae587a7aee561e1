"""Streams over Bluetooth LE: L2CAP channels, driven by trio like any other socket.

An address is ``kind.address:psm``, such as ``random.c4.1f.00.11.22.33:144``; the
machine behind a random one changes it every quarter of an hour.  Bulk never
crosses D-Bus.

A channel has no half that can be closed by itself: who ends its direction ends
the stream, once what it sent has left.  What the other side had under way is lost,
which a link, where both sides say BYE, does not mind.  See docs/bluetooth.md.
"""

import contextlib
import errno
import fcntl
import socket
import struct
import termios
from typing import Final

import trio

from meshnews.crypto.entropy import Entropy, shuffled
from meshnews.node.event import Address, Carrier
from meshnewsd.platform.entropy import OsEntropy
from meshnewsd.platform.l2cap import (
    BACKLOG,
    PACKET_BYTES_MAX,
    PSM_FIRST,
    PSM_LAST,
    Adapter,
    Kernel,
    Kind,
    LinuxKernel,
    Place,
    choose,
    is_address,
)
from meshnewsd.platform.logs import Log
from meshnewsd.transports.interface import SCARCE, SCARCITY_S, Take, Unreachable

ADAPTERS_POLL_S: Final = 2.0
"""How soon an adapter that was plugged in, powered or pulled out is noticed."""

STREAMS_MAX: Final = 6
"""Streams at once; few controllers carry more, and all share one radio."""

FLUSH_S_MAX: Final = 3.0
FLUSH_POLL_S: Final = 0.02
"""How long, and how often, the end of a stream looks whether all has left."""

CONNECT_S_MAX: Final = 45.0
"""The kernel gives up a connection that it cannot make after 40 s at the latest."""

SETTLE_S: Final = 1.0
"""How long the kernel is left alone with a channel that was lost."""

_BAD_LISTENER: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EBADFD})

_log = Log("bluetooth")


class BluetoothTransport:
    """Meets `meshnewsd.transports.interface.Transport`.

    Args:
        adapter: the only adapter to use, such as ``hci1``; empty: the first that is powered.
        kernel: the sockets; tests have others.
        entropy: for the ports.
    """

    name = "bluetooth"
    carrier = Carrier.BLUETOOTH

    def __init__(
        self, *, adapter: str = "", kernel: Kernel | None = None, entropy: Entropy | None = None
    ) -> None:
        self._air = _Air(adapter, kernel or LinuxKernel())
        self._entropy = entropy or OsEntropy()

    async def bind(self, port: int) -> "BluetoothDoorway":
        """Take `port`, 0 for any; waits as long as there is no adapter.  See the protocol."""
        adapter = await self._air.powered()
        if port:
            return BluetoothDoorway(self._air, port, self._air.kernel.bind(adapter, port))
        for psm in shuffled(self._entropy, range(PSM_FIRST, PSM_LAST + 1)):
            try:
                return BluetoothDoorway(self._air, psm, self._air.kernel.bind(adapter, psm))
            except OSError as exc:
                if exc.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, "every port of the adapter is taken")

    async def open(self, where: str) -> "PacketStream":
        """Connect; see the protocol."""
        place, psm = split_where(where)
        adapter = self._air.adapter()
        if adapter is None:
            raise Unreachable("no adapter")
        if not self._air.has_room:
            raise Unreachable("as many streams as the radio carries")
        try:
            sock = await self._connect(adapter, place, psm)
        except OSError as exc:
            raise Unreachable("nobody answers") from exc
        return PacketStream(self._air, sock)

    async def _connect(self, adapter: Adapter, place: Place, psm: int) -> socket.socket:
        sock = self._air.kernel.bind(adapter, 0)
        try:
            self._air.kernel.connect(sock, place, psm)
            await trio.lowlevel.wait_writable(sock)
            _check_connected(sock)
        except BaseException:
            trio.lowlevel.spawn_system_task(_let_go_later, sock)
            raise
        return sock


class _Air:
    """One machine's Bluetooth: its adapters, and the streams that share its radio."""

    def __init__(self, wanted: str, kernel: Kernel) -> None:
        self.kernel = kernel
        self._wanted = wanted
        self.streams: set[PacketStream] = set()

    @property
    def has_room(self) -> bool:
        """Whether the radio can carry one stream more."""
        return len(self.streams) < STREAMS_MAX

    def adapter(self) -> Adapter | None:
        """Return the adapter to use now."""
        return choose(self.kernel.adapters(), self._wanted)

    async def powered(self) -> Adapter:
        """Wait for an adapter that is powered."""
        while (adapter := self.adapter()) is None:  # noqa: ASYNC110  the kernel calls nobody
            await trio.sleep(ADAPTERS_POLL_S)
        await trio.lowlevel.checkpoint()
        return adapter

    async def changed(self, before: Adapter) -> None:
        """Wait until another adapter is to be used than `before`, or none."""
        while self.adapter() == before:  # noqa: ASYNC110  the kernel calls nobody
            await trio.sleep(ADAPTERS_POLL_S)


class BluetoothDoorway:
    """Meets `meshnewsd.transports.interface.Doorway`."""

    def __init__(self, air: _Air, psm: int, sock: socket.socket) -> None:
        self._air = air
        self._held: socket.socket | None = sock
        self.port = psm

    async def serve(self, take: Take, interfaces: tuple[str, ...] | None = None) -> None:
        """Accept until cancelled, on whichever adapter there is; see the protocol."""
        if interfaces is not None:
            await trio.sleep_forever()
        try:
            while True:
                await self._serve_on(await self._air.powered(), take)
        finally:
            with contextlib.suppress(OSError):
                self._hold()

    async def aclose(self) -> None:
        """Give the port back."""
        self._let_go()
        await trio.lowlevel.checkpoint()

    async def _serve_on(self, adapter: Adapter, take: Take) -> None:
        self._let_go()
        with self._air.kernel.bind(adapter, self.port) as listener:
            listener.listen(BACKLOG)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._accept, listener, take)
                await self._air.changed(adapter)
                nursery.cancel_scope.cancel()

    async def _accept(self, listener: socket.socket, take: Take) -> None:
        while True:
            await trio.lowlevel.wait_readable(listener)
            try:
                sock, place = self._air.kernel.accept(listener)
            except OSError as exc:
                if exc.errno in _BAD_LISTENER:
                    raise
                if exc.errno in SCARCE:
                    _log.warning("no room for another stream", cause=exc)
                    await trio.sleep(SCARCITY_S)
                continue
            if not self._air.has_room:
                _log.info("neighbour turned away", streams=STREAMS_MAX)
                sock.close()
                continue
            take(PacketStream(self._air, sock), Address("bluetooth", join_where(place, self.port)))

    def _hold(self) -> None:
        """Keep the port ours while nobody is accepted, only not listened at."""
        adapter = self._air.adapter()
        if adapter is not None:
            self._held = self._air.kernel.bind(adapter, self.port)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


class PacketStream(trio.abc.HalfCloseableStream):
    """A stream of bytes over a socket of packets; owns the socket."""

    def __init__(self, air: _Air, sock: socket.socket) -> None:
        self._air = air
        self._packet_bytes = air.kernel.packet_bytes(sock)
        self._idle_queue = _queue(sock)
        self._socket = trio.socket.from_stdlib_socket(sock)
        self._rest = b""
        self._lost: OSError | None = None
        self._is_lost = False
        self._is_ending = False
        air.streams.add(self)

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
        try:
            packet = await self._socket.recv(PACKET_BYTES_MAX)
        except OSError as exc:
            self._check_open()
            if self._lost is not None:
                raise trio.BrokenResourceError("the channel is gone") from exc
            # The kernel says this before it gives what came in earlier.
            self._lost, self._is_lost = exc, True
            return await self._receive_packet()
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
            self._air.streams.discard(self)
            if self._is_lost:
                trio.lowlevel.spawn_system_task(_let_go_later, self._socket.dup())
            self._socket.close()

    async def _flush(self) -> None:
        """Wait until all has left, no longer than `FLUSH_S_MAX`."""
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(FLUSH_S_MAX):
            while not self._is_flushed:  # noqa: ASYNC110  the kernel calls nobody
                await trio.sleep(FLUSH_POLL_S)

    @property
    def _is_flushed(self) -> bool:
        return self.is_closed or _queue(self._socket) == self._idle_queue

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


async def _let_go_later(sock: "socket.socket | trio.socket.SocketType") -> None:
    """Close a socket once the kernel is done with what went wrong.

    Linux 6.1 takes a channel apart twice when its socket is closed while it is itself
    giving up the connection below, and then ends whoever closed it.
    """
    with sock:
        with trio.move_on_after(CONNECT_S_MAX):
            await trio.lowlevel.wait_writable(sock)
        await trio.sleep(SETTLE_S)


def _check_connected(sock: socket.socket) -> None:
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, "not connected")


def split_where(where: str) -> tuple[Place, int]:
    """Return place and port of an address.

    Raises:
        Unreachable: it is not one.
    """
    host, _, digits = where.rpartition(":")
    kind, _, address = host.partition(".")
    if kind.upper() not in Kind.__members__ or not is_address(address):
        raise Unreachable("not a Bluetooth address")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 3):
        raise Unreachable("not a port")
    if not PSM_FIRST <= int(digits) <= PSM_LAST:
        raise Unreachable("no such port")
    return Place(address, Kind[kind.upper()]), int(digits)


def join_where(place: Place, psm: int) -> str:
    """Return the address that leads to a place on the air; port 0 where it is not known yet."""
    return f"{place.kind.name.lower()}.{place.address}:{psm}"
