"""Streams over Bluetooth: what the suite of all transports does not ask."""

import contextlib
import math
import struct
from collections.abc import AsyncIterator, Sequence

import pytest
import trio
import trio.testing

from meshnews.node.event import Address
from meshnewsd.platform.l2cap import Adapter, Kind, LinuxKernel, Place, choose, read_facts
from meshnewsd.transports.bluetooth import (
    ACCEPTED_MAX,
    ACCEPTED_MAX_EACH,
    ADAPTERS_POLL_S,
    STREAMS_MAX,
    BluetoothTransport,
    join_where,
    split_where,
)
from meshnewsd.transports.interface import Doorway, Unreachable
from meshnewsd.transports.packet_stream import FLUSH_S_MAX, PacketStream
from tests.shell.fake_kernel import HERE, THERE, FakeAir, FakeKernel

OFF = Adapter(0, "hci0", HERE.address, is_up=False)


class TwoMachines:
    """Two machines, one adapter each."""

    def __init__(self) -> None:
        self.shared = FakeAir()
        self.kernels = FakeKernel(self.shared, (HERE,)), FakeKernel(self.shared, (THERE,))
        self.here, self.there = (BluetoothTransport(kernel=each) for each in self.kernels)
        self.guests: list[trio.abc.HalfCloseableStream] = []

    def take(self, stream: trio.abc.HalfCloseableStream, _: Address) -> None:
        self.guests.append(stream)

    @staticmethod
    def where(port: int) -> str:
        return f"public.{HERE.address}:{port}"

    def machine(self, number: int) -> BluetoothTransport:
        """One machine more in reach."""
        adapter = Adapter(0, "hci0", f"00.1b.dc.00.01.{number:02x}", is_up=True)
        return BluetoothTransport(kernel=FakeKernel(self.shared, (adapter,)))


@pytest.fixture
def air() -> TwoMachines:
    return TwoMachines()


@contextlib.asynccontextmanager
async def serving(
    air: TwoMachines, machine: BluetoothTransport | None = None
) -> AsyncIterator[Doorway]:
    """Accept on a machine, or the first; close at the end what was accepted."""
    doorway = await (machine or air.here).bind(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, air.take)
        await trio.testing.wait_all_tasks_blocked()
        yield doorway
        await close_all(air.guests)
        nursery.cancel_scope.cancel()
    await doorway.aclose()


async def close_all(streams: Sequence[trio.abc.AsyncResource]) -> None:
    for stream in streams:
        await trio.aclose_forcefully(stream)


def test_an_address_survives_the_way_there_and_back() -> None:
    place = Place("c4.1f.00.11.22.33", Kind.RANDOM)
    assert split_where(join_where(place, 144)) == (place, 144)


@pytest.mark.parametrize(
    "where",
    [
        "random.c4.1f.00.11.22.33:127",
        "random.c4.1f.00.11.22.33:256",
        "random.c4.1f.00.11.22:144",
        "static.c4.1f.00.11.22.33:144",
        "random.C4.1F.00.11.22.33:144",
        "random.c4.1f.00.11.22.33.44:144",
    ],
)
def test_words_that_are_no_place_on_the_air_are_unreachable(where: str) -> None:
    with pytest.raises(Unreachable):
        split_where(where)


def test_the_first_adapter_that_is_powered_is_used_or_the_one_asked_for() -> None:
    assert choose((OFF, THERE), "") == THERE
    assert choose((HERE, THERE), "") == HERE
    assert choose((HERE, THERE), "hci1") == THERE
    assert choose((OFF, THERE), "hci0") is None
    assert choose((), "") is None


@pytest.mark.parametrize(
    ("flags", "feature", "is_up"), [(1, 0x40, True), (0, 0x40, False), (1, 0, False)]
)
def test_an_adapter_that_is_off_or_without_low_energy_is_not_up(
    flags: int, feature: int, *, is_up: bool
) -> None:
    """Those of before 2010 have none, and BlueZ shows no adverts on them."""
    address = bytes.fromhex(HERE.address.replace(".", ""))[::-1]
    facts = struct.pack("<H8s6sIB4xB3x", 0, b"hci0", address, flags, 0, feature) + bytes(63)
    assert read_facts(facts) == Adapter(0, "hci0", HERE.address, is_up=is_up)


def test_a_kernel_without_bluetooth_has_no_adapters() -> None:
    assert isinstance(LinuxKernel().adapters(), tuple)


async def test_nobody_is_reached_without_an_adapter(air: TwoMachines) -> None:
    air.kernels[1].found = ()
    with pytest.raises(Unreachable):
        await air.there.open(air.where(144))


async def test_a_port_is_taken_once_there_is_an_adapter(
    air: TwoMachines, autojump_clock: trio.testing.MockClock
) -> None:
    air.kernels[0].found = (OFF,)
    with trio.move_on_after(60):
        await air.here.bind(0)
        pytest.fail("there was no adapter to take it on")
    air.kernels[0].found = (HERE,)
    with trio.fail_after(ADAPTERS_POLL_S + 1):
        doorway = await air.here.bind(0)
    await doorway.aclose()


async def test_a_doorway_follows_the_adapter(
    air: TwoMachines, autojump_clock: trio.testing.MockClock
) -> None:
    other = Adapter(3, "hci3", "00.1b.dc.00.00.09", is_up=True)
    doorway = await air.here.bind(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, air.take)
        await trio.testing.wait_all_tasks_blocked()
        air.kernels[0].found = ()
        await trio.sleep(3 * ADAPTERS_POLL_S)
        with pytest.raises(Unreachable):
            await air.there.open(air.where(doorway.port))
        air.kernels[0].found = (other,)
        await trio.sleep(3 * ADAPTERS_POLL_S)
        stream = await air.there.open(f"public.{other.address}:{doorway.port}")
        await trio.testing.wait_all_tasks_blocked()
        for each in (stream, *air.guests):
            await trio.aclose_forcefully(each)
        nursery.cancel_scope.cancel()
    await doorway.aclose()


async def test_the_radio_carries_so_many_streams_and_no_more(air: TwoMachines) -> None:
    async with serving(air) as doorway:
        streams = [await air.there.open(air.where(doorway.port)) for _ in range(STREAMS_MAX)]
        with pytest.raises(Unreachable):
            await air.there.open(air.where(doorway.port))
        await trio.aclose_forcefully(streams.pop())
        streams.append(await air.there.open(air.where(doorway.port)))
        await close_all(streams)


async def test_whoever_opens_channels_and_says_nothing_takes_no_more_than_two(
    air: TwoMachines,
) -> None:
    async with serving(air) as doorway:
        streams = [await air.there.open(air.where(doorway.port)) for _ in range(STREAMS_MAX)]
        await trio.testing.wait_all_tasks_blocked()
        assert len(air.guests) == ACCEPTED_MAX_EACH
        with trio.fail_after(10):
            for late in streams[ACCEPTED_MAX_EACH:]:
                assert await late.receive_some() == b""
        await close_all(streams)


async def test_strangers_of_many_addresses_leave_room_for_our_own_calls(air: TwoMachines) -> None:
    async with serving(air) as doorway:
        callers = [air.machine(number) for number in range(STREAMS_MAX)]
        streams = [await each.open(air.where(doorway.port)) for each in callers]
        await trio.testing.wait_all_tasks_blocked()
        assert len(air.guests) == ACCEPTED_MAX
        async with serving(air, air.there) as other:
            where = f"public.{THERE.address}:{other.port}"
            ours = [await air.here.open(where) for _ in range(STREAMS_MAX - ACCEPTED_MAX)]
            with pytest.raises(Unreachable):
                await air.here.open(where)
            await close_all([*ours, *streams])


async def test_a_stream_that_nobody_waits_for_makes_room_for_a_newcomer(air: TwoMachines) -> None:
    async with serving(air) as doorway:
        callers = [air.machine(number) for number in range(ACCEPTED_MAX + 1)]
        *streams, late = callers
        held = [await each.open(air.where(doorway.port)) for each in streams]
        await trio.testing.wait_all_tasks_blocked()
        spared = air.guests[1]
        assert isinstance(spared, PacketStream)
        spared.spare()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_closed, spared)
            held.append(await late.open(air.where(doorway.port)))
        assert await held[1].receive_some() == b""
        assert len(air.guests) == ACCEPTED_MAX + 1
        await close_all(held)


async def expect_closed(stream: trio.abc.ReceiveStream) -> None:
    with trio.fail_after(10), pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()


async def test_a_channel_that_has_gone_before_it_is_looked_at_harms_nobody(
    air: TwoMachines, autojump_clock: trio.testing.MockClock
) -> None:
    async with serving(air) as doorway:
        air.kernels[0].gone = True
        ours = await air.there.open(air.where(doorway.port))
        await trio.testing.wait_all_tasks_blocked()
        assert not air.guests
        air.kernels[0].gone = False
        air.kernels[1].gone = True
        with pytest.raises(Unreachable):
            await air.there.open(air.where(doorway.port))
        air.kernels[1].gone = False
        again = await air.there.open(air.where(doorway.port))
        await trio.testing.wait_all_tasks_blocked()
        assert air.guests
        await close_all([ours, again])


async def test_a_reader_who_asks_for_little_loses_nothing_of_a_packet(air: TwoMachines) -> None:
    doorway = await air.here.bind(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, air.take)
        await trio.testing.wait_all_tasks_blocked()
        ours = await air.there.open(air.where(doorway.port))
        await ours.send_all(bytes(range(256)))
        await trio.testing.wait_all_tasks_blocked()
        (theirs,) = air.guests
        pieces = [await theirs.receive_some(10) for _ in range(math.ceil(256 / 10))]
        assert b"".join(pieces) == bytes(range(256))
        for stream in (ours, theirs):
            await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()
    await doorway.aclose()


async def test_a_stream_ends_when_all_has_left_however_slow_the_channel_is(
    air: TwoMachines, autojump_clock: trio.testing.MockClock
) -> None:
    packets, pause_s = 8, FLUSH_S_MAX / 2
    came = bytearray()

    async def read_slowly(stream: trio.abc.ReceiveStream) -> None:
        while len(came) < packets:
            await trio.sleep(pause_s)
            came.extend(await stream.receive_some())

    async with serving(air) as doorway:
        ours = await air.there.open(air.where(doorway.port))
        await trio.testing.wait_all_tasks_blocked()
        for number in range(packets):
            await ours.send_all(bytes([number]))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_slowly, air.guests[0])
            await ours.aclose()
            assert len(came) >= packets - 1
    assert came == bytes(range(packets))


async def test_a_stream_whose_neighbour_takes_nothing_more_ends_nevertheless(
    air: TwoMachines, autojump_clock: trio.testing.MockClock
) -> None:
    async with serving(air) as doorway:
        ours = await air.there.open(air.where(doorway.port))
        await trio.testing.wait_all_tasks_blocked()
        await ours.send_all(b"unheard")
        began_s = trio.current_time()
        await ours.aclose()
        assert FLUSH_S_MAX <= trio.current_time() - began_s < 2 * FLUSH_S_MAX


async def test_a_home_that_is_silent_on_the_air_accepts_nobody(air: TwoMachines) -> None:
    doorway = await air.here.bind(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, air.take, ())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Unreachable):
            await air.there.open(air.where(doorway.port))
        nursery.cancel_scope.cancel()
    await doorway.aclose()
