"""Streams over Bluetooth LE: L2CAP channels, driven by trio like any other socket.

An address is ``kind.address:psm``, such as ``random.c4.1f.00.11.22.33:144``; the
machine behind a random one changes it every quarter of an hour.  Bulk never
crosses D-Bus.

A radio carries few streams, so whoever has other machines call has a part of them
only, each address a part of that, and a stream that nobody waits for any more makes
room for the next.  See docs/bluetooth.md.
"""

import contextlib
import errno
import socket
from collections.abc import Iterable
from typing import Final

import trio

from meshnews.crypto.entropy import Entropy, shuffled
from meshnews.node.event import Address, Carrier
from meshnewsd.platform.entropy import OsEntropy
from meshnewsd.platform.l2cap import (
    BACKLOG,
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
from meshnewsd.transports.packet_stream import PacketStream, let_go_later

ADAPTERS_POLL_S: Final = 2.0
"""How soon an adapter that was plugged in, powered or pulled out is noticed."""

STREAMS_MAX: Final = 6
"""Streams at once; few controllers carry more, and all share one radio."""

ACCEPTED_MAX: Final = 4
"""Of these, as many may be others' calls: whoever opens channels and says nothing takes none of
the rest from our own calls."""

ACCEPTED_MAX_EACH: Final = 2
"""Streams accepted from one address: a pair has two for a moment when it meets anew."""

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

    async def open(self, where: str) -> PacketStream:
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
        stream = self._air.stream(sock)
        if stream is None:
            raise Unreachable("gone again at once")
        return stream

    async def _connect(self, adapter: Adapter, place: Place, psm: int) -> socket.socket:
        sock = self._air.kernel.bind(adapter, 0)
        try:
            self._air.kernel.connect(sock, place, psm)
            await trio.lowlevel.wait_writable(sock)
            _check_connected(sock)
        except BaseException:
            let_go_later(sock)
            raise
        return sock


class _Air:
    """One machine's Bluetooth: its adapters, and the streams that share its radio."""

    def __init__(self, wanted: str, kernel: Kernel) -> None:
        self.kernel = kernel
        self._wanted = wanted
        self._streams: dict[PacketStream, None] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def _forget(self, stream: PacketStream) -> None:
        self._streams.pop(stream, None)

    @property
    def has_room(self) -> bool:
        """Whether the radio can carry one stream more."""
        return len(self._streams) < STREAMS_MAX

    def stream(self, sock: socket.socket, caller: Place | None = None) -> PacketStream | None:
        """Return the stream over a channel; None: whoever is at the other end has ended it."""
        try:
            packet_bytes = self.kernel.packet_bytes(sock)
        except OSError:
            let_go_later(sock)
            return None
        stream = PacketStream(sock, packet_bytes=packet_bytes, caller=caller, closed=self._forget)
        self._streams[stream] = None
        return stream

    def make_room_for(self, caller: Place) -> bool:
        """Tell whether a stream may be accepted from a place, once others have made room."""
        accepted = [each for each in self._streams if each.caller is not None]
        of_caller = [each for each in accepted if each.caller == caller]
        if len(of_caller) >= ACCEPTED_MAX_EACH:
            return _end_spared(of_caller)
        if len(accepted) >= ACCEPTED_MAX or not self.has_room:
            return _end_spared(accepted)
        return True

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
            if not self._air.make_room_for(place):
                _log.debug("neighbour turned away", streams=len(self._air))
                sock.close()
            elif (stream := self._air.stream(sock, place)) is not None:
                take(stream, Address("bluetooth", join_where(place, self.port)))

    def _hold(self) -> None:
        """Keep the port ours while nobody is accepted, only not listened at."""
        adapter = self._air.adapter()
        if adapter is not None:
            self._held = self._air.kernel.bind(adapter, self.port)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


def _end_spared(streams: Iterable[PacketStream]) -> bool:
    """End one of these that nobody waits for; tell whether there was one."""
    for stream in streams:
        if stream.is_spared:
            stream.close()
            return True
    return False


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
