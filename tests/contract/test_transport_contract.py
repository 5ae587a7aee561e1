"""What every transport does, asked of the real one and of the one for tests."""

import contextlib
import functools
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import trio

from meshnews.node.event import Address
from meshnewsd.transports.bluetooth import BluetoothTransport
from meshnewsd.transports.interface import Doorway, Transport, Unreachable
from meshnewsd.transports.memory import MemoryNetwork
from meshnewsd.transports.tcp import TcpTransport
from tests.shell.fake_kernel import HERE, RADIO_VARIABLE, THERE, FakeAir, FakeKernel

HAS_RADIO = RADIO_VARIABLE in os.environ
DEADLINE_S = 40 if HAS_RADIO else 10


@dataclass
class Pair:
    """Two ends of one transport: `here` listens, `there` dials."""

    here: Transport
    there: Transport
    where: Callable[[int], str]
    much: int = 2 << 20
    """Bytes of which it can carry as many in a few seconds."""


def tcp_pair(address: str, where: str) -> Pair:
    transport = TcpTransport(addresses=[address])
    return Pair(transport, transport, where.format)


def memory_pair() -> Pair:
    network = MemoryNetwork()
    return Pair(network.transport("here"), network.transport("there"), "here:{}".format)


def bluetooth_pair() -> Pair:
    air = FakeAir()
    here = BluetoothTransport(kernel=FakeKernel(air, (HERE,)))
    there = BluetoothTransport(kernel=FakeKernel(air, (THERE,)))
    return Pair(here, there, f"public.{HERE.address}:{{}}".format)


def real_radio_pair() -> Pair:
    here, there = BluetoothTransport(adapter="hci3"), BluetoothTransport(adapter="hci2")
    return Pair(here, there, f"{os.environ[RADIO_VARIABLE]}:{{}}".format, much=128 << 10)


PAIRS: dict[str, Callable[[], Pair]] = {
    "tcp on IPv4": functools.partial(tcp_pair, "127.0.0.1", "127.0.0.1:{}"),
    "tcp on IPv6": functools.partial(tcp_pair, "::1", "[::1]:{}"),
    "memory": memory_pair,
    "bluetooth on a fake kernel": bluetooth_pair,
}

if HAS_RADIO:
    PAIRS["bluetooth on a real kernel"] = real_radio_pair


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]()


class Guests:
    """Keeps what a doorway hands over."""

    def __init__(self) -> None:
        self._in, self._out = trio.open_memory_channel[
            tuple[trio.abc.HalfCloseableStream, Address]
        ](16)

    def take(self, stream: trio.abc.HalfCloseableStream, address: Address) -> None:
        self._in.send_nowait((stream, address))

    async def next(self) -> tuple[trio.abc.HalfCloseableStream, Address]:
        with trio.fail_after(DEADLINE_S):
            return await self._out.receive()


@contextlib.asynccontextmanager
async def serving(pair: Pair) -> AsyncIterator[tuple[Doorway, Guests]]:
    doorway = await pair.here.bind(0)
    guests = Guests()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(doorway.serve, guests.take)
            await trio.testing.wait_all_tasks_blocked()
            yield doorway, guests
            nursery.cancel_scope.cancel()
    finally:
        await doorway.aclose()


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    whole = bytearray()
    with trio.fail_after(DEADLINE_S):
        while data := await stream.receive_some(65536):
            whole += data
    return bytes(whole)


async def send_for_ever(stream: trio.abc.SendStream) -> None:
    with trio.fail_after(DEADLINE_S):
        while True:
            await stream.send_all(bytes(65536))


async def test_bytes_go_both_ways(pair: Pair) -> None:
    async with serving(pair) as (doorway, guests):
        ours = await pair.there.open(pair.where(doorway.port))
        theirs, _ = await guests.next()
        async with ours, theirs:
            await ours.send_all(b"to you")
            assert await theirs.receive_some(100) == b"to you"
            await theirs.send_all(b"and back")
            assert await ours.receive_some(100) == b"and back"


async def test_a_guest_comes_with_an_address_of_this_transport(pair: Pair) -> None:
    async with serving(pair) as (doorway, guests):
        ours = await pair.there.open(pair.where(doorway.port))
        theirs, address = await guests.next()
        async with ours, theirs:
            assert address.transport == pair.here.name
            assert int(address.where.rpartition(":")[2]) > 0


async def test_much_arrives_whole_and_in_order(pair: Pair) -> None:
    much = bytes(range(256)) * (pair.much // 256)
    async with serving(pair) as (doorway, guests):
        ours = await pair.there.open(pair.where(doorway.port))
        theirs, _ = await guests.next()
        async with ours, theirs, trio.open_nursery() as nursery:

            async def send() -> None:
                await ours.send_all(much)
                await ours.send_eof()

            nursery.start_soon(send)
            assert await read_all(theirs) == much


async def test_the_end_of_one_direction_leaves_the_other_open(pair: Pair) -> None:
    async with serving(pair) as (doorway, guests):
        ours = await pair.there.open(pair.where(doorway.port))
        theirs, _ = await guests.next()
        async with ours, theirs:
            await ours.send_eof()
            assert await read_all(theirs) == b""
            await theirs.send_all(b"still here")
            assert await ours.receive_some(100) == b"still here"


async def test_closing_is_the_end_for_the_other_side(pair: Pair) -> None:
    async with serving(pair) as (doorway, guests):
        ours = await pair.there.open(pair.where(doorway.port))
        theirs, _ = await guests.next()
        async with theirs:
            await ours.send_all(b"last words")
            await ours.aclose()
            assert await read_all(theirs) == b"last words"


async def test_sending_to_one_who_is_gone_breaks(pair: Pair) -> None:
    async with serving(pair) as (doorway, guests):
        ours = await pair.there.open(pair.where(doorway.port))
        theirs, _ = await guests.next()
        await theirs.aclose()
        async with ours:
            with pytest.raises(trio.BrokenResourceError):
                await send_for_ever(ours)


async def test_a_closed_stream_gives_nothing_more(pair: Pair) -> None:
    async with serving(pair) as (doorway, guests):
        ours = await pair.there.open(pair.where(doorway.port))
        theirs, _ = await guests.next()
        await ours.aclose()
        await theirs.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await ours.receive_some(1)


async def test_a_port_that_is_only_taken_answers_nobody(pair: Pair) -> None:
    doorway = await pair.here.bind(0)
    with pytest.raises(Unreachable):
        await pair.there.open(pair.where(doorway.port))
    await doorway.aclose()


async def test_a_doorway_that_was_shut_answers_nobody_and_can_be_opened_again(pair: Pair) -> None:
    doorway = await pair.here.bind(0)
    guests = Guests()
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(doorway.serve, guests.take)
            await trio.testing.wait_all_tasks_blocked()
            ours = await pair.there.open(pair.where(doorway.port))
            theirs, _ = await guests.next()
            nursery.cancel_scope.cancel()
        with pytest.raises(Unreachable):
            await pair.there.open(pair.where(doorway.port))
        # What is open stays open when the door is shut.
        await ours.send_all(b"still")
        assert await theirs.receive_some(100) == b"still"
        await ours.aclose()
        await theirs.aclose()
    await doorway.aclose()


async def test_two_doorways_never_share_a_port(pair: Pair) -> None:
    first = await pair.here.bind(0)
    second = await pair.here.bind(0)
    assert first.port != second.port
    await first.aclose()
    await second.aclose()


async def test_a_port_that_somebody_listens_at_cannot_be_taken(pair: Pair) -> None:
    async with serving(pair) as (doorway, _):
        with pytest.raises(OSError, match=r"taken|in use"):
            await pair.here.bind(doorway.port)


@pytest.mark.parametrize("where", ["", ":", "nowhere", "here:", "here:0", "here:70000", "here:-1"])
async def test_words_that_name_no_place_are_unreachable(pair: Pair, where: str) -> None:
    with pytest.raises(Unreachable):
        await pair.there.open(where)
