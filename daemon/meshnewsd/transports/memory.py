"""Streams inside one process, with a delay and with loss of connection: for tests.

All transports of one `MemoryNetwork` reach each other.  An address is
``name:port``.  What is under way takes `delay_s`; `cut` breaks every stream, or
those of one place, as a pulled cable would.
"""

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import trio

from meshnews.node.event import Address, Carrier
from meshnewsd.transports.interface import Take, Unreachable

PIPE_BYTES_MAX: Final = 64 * 1024
"""What one direction holds before its sender waits."""

FIRST_FREE_PORT: Final = 49152


@dataclass
class MemoryNetwork:
    """Places that can reach each other."""

    delay_s: float = 0.0
    doorways: dict[str, "MemoryDoorway"] = field(default_factory=dict)
    streams: list["MemoryStream"] = field(default_factory=list)
    _ports: "itertools.count[int]" = field(default_factory=lambda: itertools.count(FIRST_FREE_PORT))

    def transport(self, place: str) -> "MemoryTransport":
        """Return the transport of one place."""
        return MemoryTransport(self, place)

    def cut(self, place: str | None = None) -> None:
        """Break every stream, or every stream of one place."""
        for stream in tuple(self.streams):
            if place is None or place in stream.places:
                stream.cut()

    def free_port(self) -> int:
        """Return a port that nobody had."""
        return next(self._ports)


class _Pipe:
    """One direction of a stream."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._parts: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._changed = trio.Event()
        self.is_ended = False
        self.is_broken = False

    def touch(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def put(self, data: bytes) -> None:
        while self._held >= PIPE_BYTES_MAX and not self.is_broken:
            await self._changed.wait()
        if self.is_broken:
            raise trio.BrokenResourceError
        self._parts.append((trio.current_time() + self._delay_s, data))
        self._held += len(data)
        self.touch()

    async def take(self, size: int) -> bytes:
        while True:
            if self.is_broken:
                raise trio.BrokenResourceError
            if self._parts:
                ready_s, data = self._parts[0]
                wait_s = ready_s - trio.current_time()
                if wait_s <= 0:
                    return self._pop(data, size)
                with trio.move_on_after(wait_s):
                    await self._changed.wait()
            elif self.is_ended:
                return b""
            else:
                await self._changed.wait()

    def _pop(self, data: bytes, size: int) -> bytes:
        ready_s, _ = self._parts.popleft()
        if len(data) > size:
            self._parts.appendleft((ready_s, data[size:]))
            data = data[:size]
        self._held -= len(data)
        self.touch()
        return data


class MemoryStream(trio.abc.HalfCloseableStream):
    """One end of a stream."""

    def __init__(
        self, network: MemoryNetwork, places: tuple[str, str], incoming: _Pipe, outgoing: _Pipe
    ) -> None:
        self.places = places
        self._network = network
        self._incoming = incoming
        self._outgoing = outgoing
        self._is_closed = False
        network.streams.append(self)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything, waiting while the pipe is full."""
        await trio.lowlevel.checkpoint()
        if self._is_closed or self._outgoing.is_ended:
            raise trio.ClosedResourceError
        whole = bytes(data)
        for start in range(0, len(whole), PIPE_BYTES_MAX):
            await self._outgoing.put(whole[start : start + PIPE_BYTES_MAX])

    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: `send_all` does the waiting."""
        await trio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        """Say that nothing more follows."""
        await trio.lowlevel.checkpoint()
        self._outgoing.is_ended = True
        self._outgoing.touch()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what has arrived; nothing at the end."""
        await trio.lowlevel.checkpoint()
        if self._is_closed:
            raise trio.ClosedResourceError
        return await self._incoming.take(max_bytes or PIPE_BYTES_MAX)

    async def aclose(self) -> None:
        """Close this end; the other reads what was sent, and may send no more."""
        if not self._is_closed:
            self._is_closed = True
            self._outgoing.is_ended = True
            self._incoming.is_broken = True
            self._outgoing.touch()
            self._incoming.touch()
            self._network.streams.remove(self)
        await trio.lowlevel.checkpoint()

    def cut(self) -> None:
        """Break both directions; what was under way is lost."""
        for pipe in (self._incoming, self._outgoing):
            pipe.is_broken = True
            pipe.touch()


class MemoryDoorway:
    """Meets `meshnewsd.transports.interface.Doorway`."""

    def __init__(self, network: MemoryNetwork, place: str, port: int) -> None:
        self.port = port
        self.place = place
        self.take: Take | None = None
        self._network = network
        self._lost = trio.Event()

    @property
    def where(self) -> str:
        """How it is dialled."""
        return f"{self.place}:{self.port}"

    async def serve(self, take: Take, interfaces: tuple[str, ...] | None = None) -> None:
        """Accept until cancelled; see the protocol.  A place is its own only interface."""
        self.take = take if interfaces is None or self.place in interfaces else None
        self._lost = trio.Event()
        try:
            await self._lost.wait()
            raise OSError("the port was lost")
        finally:
            self.take = None

    def lose(self) -> None:
        """Let `serve` raise OSError, as when another program took the port meanwhile."""
        self._lost.set()

    async def aclose(self) -> None:
        """Give the port back."""
        self._network.doorways.pop(self.where, None)
        await trio.lowlevel.checkpoint()


class MemoryTransport:
    """Meets `meshnewsd.transports.interface.Transport`."""

    name = "memory"
    carrier = Carrier.LAN

    def __init__(self, network: MemoryNetwork, place: str) -> None:
        self._network = network
        self._place = place

    async def bind(self, port: int) -> MemoryDoorway:
        """Take `port`, 0 for any; see the protocol."""
        await trio.lowlevel.checkpoint()
        doorway = MemoryDoorway(self._network, self._place, port or self._network.free_port())
        if doorway.where in self._network.doorways:
            raise OSError("the port is taken")
        self._network.doorways[doorway.where] = doorway
        return doorway

    async def open(self, where: str) -> MemoryStream:
        """Connect; see the protocol."""
        await trio.sleep(self._network.delay_s)
        doorway = self._network.doorways.get(where)
        if doorway is None or doorway.take is None:
            raise Unreachable("nobody answers")
        there, back = _Pipe(self._network.delay_s), _Pipe(self._network.delay_s)
        places = (self._place, doorway.place)
        ours = MemoryStream(self._network, places, incoming=back, outgoing=there)
        theirs = MemoryStream(self._network, places, incoming=there, outgoing=back)
        caller = f"{self._place}:{self._network.free_port()}"
        doorway.take(theirs, Address(self.name, caller))
        return ours
