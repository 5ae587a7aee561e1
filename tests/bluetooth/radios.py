"""In the virtual machine, without daemons: one connection between two adapters, held up."""

import asyncio
import contextlib
import os
import select
import statistics
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import trio
import trio.testing

from meshnews.node.event import Address
from meshnewsd.discovery.advert import Shape, dress, undress
from meshnewsd.discovery.bluez import Bluez, BluezAdapter, make_scanner
from meshnewsd.platform.l2cap import PACKET_BYTES_MAX, Adapter, LinuxKernel
from meshnewsd.transports.bluetooth import STREAMS_MAX, BluetoothTransport, split_where
from meshnewsd.transports.interface import Unreachable
from meshnewsd.transports.packet_stream import PacketStream

HERE: Final = "hci3"
THERE: Final = "hci2"
"""The adapter that shows itself and listens, and the one that calls."""

PSM: Final = 0xF0
BYTES: Final = 200_000
ROUNDS: Final = 24
"""Taken in turns, so that whatever else the machine does falls on both alike."""

PIECE: Final = bytes(4000)

SILENT_S: Final = 3.0


@contextlib.contextmanager
def shown(adapter: str, beacon: bytes, seen_by: str = "") -> Iterator[list[str]]:
    """Show an advert; yield where the other adapter, if one is named, saw it."""
    done, up = threading.Event(), threading.Event()
    seen: list[str] = []

    def advertised(address: str, kind: str, content: Mapping[int, bytes]) -> None:
        if beacon in undress(content) and not seen:
            seen.append(f"{kind}.{address.lower().replace(':', '.')}")
            up.set()

    async def show() -> None:
        bluez = await Bluez.open()
        try:
            adapters: dict[str, BluezAdapter] = {}
            while not {adapter, seen_by or adapter} <= set(adapters):
                await asyncio.sleep(0.2)
                adapters = {each.name: each for each in await bluez.adapters()}
            company, content = dress(beacon, Shape.IBEACON)
            await bluez.show(adapters[adapter], "ours", company=company, content=content)
            if seen_by:
                await _look(adapters[seen_by])
            up.set()
            while not done.is_set():  # noqa: ASYNC110  the other side is another thread
                await asyncio.sleep(0.2)
        finally:
            bluez.close()

    async def _look(other: BluezAdapter) -> None:
        async with make_scanner(other, advertised, sends=True):
            while not up.is_set():  # noqa: ASYNC110  bleak's own thread sets it
                await asyncio.sleep(0.1)

    thread = threading.Thread(target=lambda: asyncio.run(show()), daemon=True)
    thread.start()
    assert up.wait(40), "nothing is shown, or nobody sees it"
    try:
        yield seen
    finally:
        done.set()
        thread.join(10)


@dataclass
class Held:
    """A connection of the radio: where it leads, and the adapters at its two ends."""

    where: str
    here: Adapter
    there: Adapter


@contextlib.contextmanager
def held_connection() -> Iterator[Held]:
    """Connect two adapters and keep them so: channels then open at once."""
    kernel = LinuxKernel()
    adapters = {each.name: each for each in kernel.adapters()}
    here, there = adapters[HERE], adapters[THERE]
    with contextlib.ExitStack() as closing:
        listener = closing.enter_context(kernel.bind(here, PSM))
        listener.listen(1)
        (where,) = closing.enter_context(shown(HERE, os.urandom(20), seen_by=THERE))
        place, _ = split_where(f"{where}:{PSM}")
        caller = closing.enter_context(kernel.bind(there, 0))
        kernel.connect(caller, place, PSM)
        assert select.select([listener], [], [], 20)[0], "nobody calls"
        closing.enter_context(kernel.accept(listener)[0])
        yield Held(where, here, there)


_Carry = Callable[[Held], Awaitable[float]]


async def compare_with_bare_loop(held: Held) -> dict[str, object]:
    """Return what a stream carries, and a bare loop over the same kind of socket, in kB/s.

    Each is the median of its rounds; who is first changes from round to round.
    """
    took_s: dict[_Carry, list[float]] = {_bare: [], _stream: []}
    with trio.fail_after(600):
        # BlueZ asks whom it meets for its services: by the end of this that is over.
        await _bare(held)
        for number in range(ROUNDS):
            for carry in sorted(took_s, key=lambda each: each is _bare, reverse=bool(number % 2)):
                took_s[carry].append(await carry(held))
    bare, stream = ([BYTES / 1000 / each for each in took_s[which]] for which in (_bare, _stream))
    return {
        "bare_kB_per_s": round(statistics.median(bare), 1),
        "stream_kB_per_s": round(statistics.median(stream), 1),
        "share": round(statistics.median(stream) / statistics.median(bare), 2),
        "rounds_kB_per_s": {"bare": [*map(round, bare)], "stream": [*map(round, stream)]},
    }


async def silent_channels(adapter: str, where: str) -> int:
    """Open as many channels as may be, say nothing; return how many the other side keeps."""
    stranger = BluetoothTransport(adapter=adapter)
    ended: list[bool] = []

    async def wait_for_end(stream: trio.abc.ReceiveStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.receive_some()
        ended.append(True)

    with trio.fail_after(60):
        streams: list[PacketStream] = []
        for _ in range(STREAMS_MAX):
            # Who is turned away may learn of it before it knows that it was connected.
            with contextlib.suppress(Unreachable):
                streams.append(await stranger.open(where))
    with trio.move_on_after(SILENT_S):
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(wait_for_end, stream)
    for stream in streams:
        await trio.aclose_forcefully(stream)
    return len(streams) - len(ended)


async def _bare(held: Held) -> float:
    kernel = LinuxKernel()
    listener = kernel.bind(held.here, PSM + 1)
    listener.listen(1)
    caller = kernel.bind(held.there, 0)
    place, _ = split_where(f"{held.where}:{PSM + 1}")
    kernel.connect(caller, place, PSM + 1)
    await trio.lowlevel.wait_readable(listener)
    taker, _ = kernel.accept(listener)
    await trio.lowlevel.wait_writable(caller)
    longest = kernel.packet_bytes(caller)
    sending, taking = map(trio.socket.from_stdlib_socket, (caller, taker))

    async def send() -> None:
        left = BYTES
        while left:
            left -= await sending.send(bytes(min(longest, left)))

    with listener, sending, taking:
        began, left = trio.current_time(), BYTES
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            while left:
                left -= len(await taking.recv(PACKET_BYTES_MAX))
        return trio.current_time() - began


async def _stream(held: Held) -> float:
    here, there = BluetoothTransport(adapter=HERE), BluetoothTransport(adapter=THERE)
    guests_in, guests = trio.open_memory_channel[trio.abc.HalfCloseableStream](1)

    def take(stream: trio.abc.HalfCloseableStream, _: Address) -> None:
        guests_in.send_nowait(stream)

    doorway = await here.bind(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, take)
        await trio.testing.wait_all_tasks_blocked()
        ours = await there.open(f"{held.where}:{doorway.port}")
        theirs = await guests.receive()

        async def send() -> None:
            for _ in range(0, BYTES, len(PIECE)):
                await ours.send_all(PIECE)

        began, left = trio.current_time(), BYTES // len(PIECE) * len(PIECE)
        nursery.start_soon(send)
        while left:
            left -= len(await theirs.receive_some(65536))
        took_s = trio.current_time() - began
        await trio.aclose_forcefully(ours)
        await trio.aclose_forcefully(theirs)
        nursery.cancel_scope.cancel()
    await doorway.aclose()
    return took_s
