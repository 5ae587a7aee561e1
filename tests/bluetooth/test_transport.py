"""Streams over Bluetooth: what the suite of all transports does not ask."""

import math

import pytest
import trio
import trio.testing

from meshnews.node.event import Address
from meshnewsd.platform.l2cap import Adapter, Kind, LinuxKernel, Place, choose
from meshnewsd.transports.bluetooth import (
    ADAPTERS_POLL_S,
    STREAMS_MAX,
    BluetoothTransport,
    join_where,
    split_where,
)
from meshnewsd.transports.interface import Unreachable
from tests.shell.fake_kernel import HERE, THERE, FakeAir, FakeKernel

OFF = Adapter(0, "hci0", HERE.address, is_up=False)


class TwoMachines:
    """Two machines, one adapter each."""

    def __init__(self) -> None:
        air = FakeAir()
        self.kernels = FakeKernel(air, (HERE,)), FakeKernel(air, (THERE,))
        self.here, self.there = (BluetoothTransport(kernel=each) for each in self.kernels)
        self.guests: list[trio.abc.HalfCloseableStream] = []

    def take(self, stream: trio.abc.HalfCloseableStream, _: Address) -> None:
        self.guests.append(stream)

    @staticmethod
    def where(port: int) -> str:
        return f"public.{HERE.address}:{port}"


@pytest.fixture
def air() -> TwoMachines:
    return TwoMachines()


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
    doorway = await air.here.bind(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, air.take)
        await trio.testing.wait_all_tasks_blocked()
        streams = [await air.there.open(air.where(doorway.port)) for _ in range(STREAMS_MAX)]
        with pytest.raises(Unreachable):
            await air.there.open(air.where(doorway.port))
        await trio.aclose_forcefully(streams.pop())
        streams.append(await air.there.open(air.where(doorway.port)))
        await trio.testing.wait_all_tasks_blocked()
        assert len(air.guests) == STREAMS_MAX
        for stream in (*streams, *air.guests):
            await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()
    await doorway.aclose()


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


async def test_a_home_that_is_silent_on_the_air_accepts_nobody(air: TwoMachines) -> None:
    doorway = await air.here.bind(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, air.take, ())
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(Unreachable):
            await air.there.open(air.where(doorway.port))
        nursery.cancel_scope.cancel()
    await doorway.aclose()
