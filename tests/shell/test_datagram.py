"""Beacons as datagrams: what is sent where and when, and what is heard."""

import errno
import itertools
import math
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from meshnews.crypto.entropy import SeededEntropy
from meshnews.node.event import Address, Heard
from meshnewsd.discovery.air import GROUPS, WAYS, Air, Datagram, Way, source_of
from meshnewsd.discovery.datagram import (
    AFTER_CHANGE_S,
    EVERY_S,
    HEARD_AGAIN_S,
    HEARD_PER_S_MAX,
    HEARD_REMEMBERED_MAX,
    TRIES,
    TRY_AGAIN_S,
    DatagramFinder,
)
from meshnewsd.discovery.interface import Shown
from meshnewsd.platform.interfaces import POLL_TOLD_S, InterfaceAddress

PORT = 48721
FIRST, SECOND, SEEK = bytes([1]) * 48, bytes([2]) * 48, bytes([3]) * 48
LOOPBACK = InterfaceAddress("lo", 1, "127.0.0.1")
CABLE_4 = InterfaceAddress("eth0", 2, "192.0.2.5")
CABLE_6 = InterfaceAddress("eth0", 2, "fe80::5")
CABLE_GLOBAL = InterfaceAddress("eth0", 2, "2001:db8::5")
RADIO_4 = InterfaceAddress("wlan0", 3, "198.51.100.5")


@dataclass(frozen=True)
class Sent:
    """One datagram."""

    at_s: float
    data: bytes
    host: str
    interface: int


class FakeSocket:
    def __init__(self, air: "FakeAir", family: int) -> None:
        self._air = air
        self._family = family
        self.tell, self._told = trio.open_memory_channel[Datagram](math.inf)
        self.is_closed = False

    async def receive(self, size: int) -> Datagram:
        datagram = await self._told.receive()
        return datagram._replace(data=datagram.data[:size])

    async def send(self, data: bytes, way: Way, interface: int) -> None:
        assert way in WAYS[self._family]
        await self._air.sent_by(data, GROUPS[way], interface)

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeAir(Air):
    """Interfaces that come and go, and what was sent on them."""

    here: set[InterfaceAddress] = field(default_factory=lambda: {LOOPBACK, CABLE_4, CABLE_6})
    families: tuple[int, ...] = (socket.AF_INET, socket.AF_INET6)
    failing: dict[int, OSError] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    sockets: dict[int, FakeSocket] = field(default_factory=dict)

    def look(self) -> frozenset[InterfaceAddress]:
        return frozenset(self.here)

    def open(self, family: int, port: int) -> FakeSocket:
        assert port == PORT
        if family not in self.families:
            raise OSError(errno.EAFNOSUPPORT, "no such family")
        self.sockets[family] = FakeSocket(self, family)
        return self.sockets[family]

    async def sent_by(self, data: bytes, host: str, interface: int) -> None:
        await trio.lowlevel.checkpoint()
        if interface in self.failing:
            raise self.failing[interface]
        self.sent.append(Sent(trio.current_time(), data, host, interface))

    def say(
        self, data: bytes, host: str = "192.0.2.9", way: Way = Way.BROADCAST, interface: int = 2
    ) -> None:
        said = Datagram(data, f"{host}:0", interface, way)
        self.sockets[socket.AF_INET].tell.send_nowait(said)

    def times(self, data: bytes, host: str = GROUPS[Way.BROADCAST]) -> list[float]:
        return [each.at_s for each in self.sent if each.data == data and each.host == host]


@dataclass
class Place:
    air: FakeAir
    finder: DatagramFinder
    heard: list[Heard]


Open = Callable[..., AbstractAsyncContextManager[Place]]


@pytest.fixture
def open_place() -> Open:
    @asynccontextmanager
    async def open_it(
        air: FakeAir | None = None, shown: Shown | None = None
    ) -> AsyncIterator[Place]:
        air = air or FakeAir()
        heard: list[Heard] = []
        finder = DatagramFinder(
            port=PORT, hear=heard.append, entropy=SeededEntropy(b"times"), air=air
        )
        if shown is not None:
            finder.show(shown)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(finder.run)
            await wait_all_tasks_blocked()
            yield Place(air, finder, heard)
            nursery.cancel_scope.cancel()
        assert all(each.is_closed for each in air.sockets.values())

    return open_it


# Sending


async def test_a_beacon_goes_to_everybody_on_every_interface_at_once(
    open_place: Open, autojump_clock: MockClock
) -> None:
    air = FakeAir({LOOPBACK, CABLE_4, CABLE_6, CABLE_GLOBAL, RADIO_4})
    async with open_place(air, Shown((FIRST,))):
        where = {(each.host, each.interface) for each in air.sent}
        assert where == {
            ("255.255.255.255", 2),
            ("224.0.0.1", 2),
            ("ff02::1", 2),
            ("255.255.255.255", 3),
            ("224.0.0.1", 3),
        }
        assert {each.data for each in air.sent} == {FIRST}
        assert len(air.sent) == len(where)


async def test_it_is_sent_again_and_again_at_times_nobody_can_foretell(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place(shown=Shown((FIRST,))) as place:
        await trio.sleep(2000)
        times = place.air.times(FIRST)
        gaps = {round(b - a, 3) for a, b in itertools.pairwise(times)}
        assert min(gaps) >= EVERY_S[0]
        assert max(gaps) <= EVERY_S[1]
        assert len(gaps) > 50


async def test_who_shows_nothing_sends_nothing(open_place: Open, autojump_clock: MockClock) -> None:
    async with open_place() as place:
        place.finder.show(Shown(()))
        place.air.say(FIRST)
        await trio.sleep(500)
        assert place.air.sent == []
        assert len(place.heard) == 1


async def test_who_falls_silent_sends_no_more(open_place: Open, autojump_clock: MockClock) -> None:
    async with open_place(shown=Shown((FIRST,))) as place:
        place.finder.show(Shown(()))
        place.air.sent.clear()
        await trio.sleep(500)
        assert place.air.sent == []


async def test_an_answer_that_was_due_is_not_sent_by_who_has_fallen_silent(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place(shown=Shown((FIRST,), seeks=(SEEK,))) as place:
        await trio.sleep(1)
        place.finder.beckon((FIRST,), 0.5)
        place.finder.beckon((SEEK,), 9.0)
        place.finder.show(Shown())
        place.air.sent.clear()
        await trio.sleep(20)
        assert place.air.sent == []


async def test_nothing_is_sent_where_nothing_may_be_shown(
    open_place: Open, autojump_clock: MockClock
) -> None:
    air = FakeAir({CABLE_4, RADIO_4})
    shown = Shown((FIRST,), interfaces=("wlan0",), seeks=(SEEK,))
    async with open_place(air, shown) as place:
        place.finder.beckon((FIRST,), 0.5)
        await trio.sleep(500)
        assert {each.interface for each in air.sent} == {3}


async def test_the_beacons_of_a_new_epoch_keep_no_rhythm_with_the_old(
    open_place: Open, autojump_clock: MockClock
) -> None:
    waits: list[float] = []
    async with open_place(shown=Shown((FIRST,))) as place:
        for number in range(10, 90):
            await trio.sleep(60)
            beacon, changed_s = bytes([number]) * 48, trio.current_time()
            place.finder.show(Shown((beacon,)))
            await trio.sleep(60)
            waits.append(place.air.times(beacon)[0] - changed_s)
    assert max(waits) <= AFTER_CHANGE_S[1]
    assert min(waits) < 2
    assert max(waits) > 18


async def test_seeks_are_sent_once_and_not_again_at_a_new_epoch(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place(shown=Shown((FIRST,), seeks=(SEEK,))) as place:
        await trio.sleep(100)
        assert len(place.air.times(SEEK)) == 1
        place.finder.show(Shown((SECOND,), seeks=(bytes([4]) * 48,)))
        await trio.sleep(100)
        assert place.air.times(bytes([4]) * 48) == []
        place.finder.show(Shown((SECOND,), seeks=(bytes([4]) * 48, bytes([5]) * 48)))
        await trio.sleep(1)
        assert len(place.air.times(bytes([5]) * 48)) == 1


async def test_a_joiner_that_shows_nothing_still_seeks(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place() as place:
        place.finder.show(Shown((), seeks=(SEEK,)))
        await trio.sleep(100)
        assert len(place.air.times(SEEK)) == 1


async def test_an_interface_that_comes_up_is_called_into_at_once(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place(FakeAir({CABLE_4}), Shown((FIRST,), seeks=(SEEK,))) as place:
        await trio.sleep(1)
        place.air.sent.clear()
        place.air.here.add(RADIO_4)
        await trio.sleep(POLL_TOLD_S + 3)
        sent = [(each.data, each.interface) for each in place.air.sent if each.host[0] == "2"]
        assert set(sent) == {(FIRST, 3), (SEEK, 3)}
        # What is said in the first moments may go nowhere, and nobody hears of that.
        for data in (FIRST, SEEK):
            first_s, second_s, third_s = place.air.times(data)
            assert 0.3 <= second_s - first_s <= 0.7
            assert 1.2 <= third_s - first_s <= 2.0


async def test_what_is_said_again_on_a_new_interface_is_what_is_shown_by_then(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place(FakeAir(set()), Shown((FIRST,), seeks=(SEEK,))) as place:
        place.air.here.add(RADIO_4)
        while not place.air.times(FIRST):  # noqa: ASYNC110  the air tells nobody
            await trio.sleep(0.01)
        place.finder.show(Shown((SECOND,)))
        await trio.sleep(2)
        assert len(place.air.times(FIRST)) == len(place.air.times(SEEK)) == 1
        assert len(place.air.times(SECOND)) >= 2


async def test_an_interface_that_takes_nothing_yet_is_tried_again(
    open_place: Open, autojump_clock: MockClock
) -> None:
    air = FakeAir({CABLE_6, RADIO_4})
    air.failing[2] = OSError(errno.EADDRNOTAVAIL, "tentative")
    async with open_place(air, Shown((FIRST,))) as place:
        assert {each.interface for each in air.sent} == {3}
        assert place.finder.troubles == {"eth0": "tentative"}
        del air.failing[2]
        await trio.sleep(1)
        assert {each.interface for each in air.sent} == {2, 3}
        assert place.finder.troubles == {}


async def test_an_interface_is_called_at_fault_only_when_it_goes_on_refusing(
    open_place: Open, autojump_clock: MockClock
) -> None:
    air = FakeAir({CABLE_4})
    air.failing[2] = OSError(errno.ENETUNREACH, "unreachable")
    async with open_place(air, Shown((FIRST,))) as place:
        assert place.finder.troubles == {"eth0": "unreachable"}
        assert place.finder.health.troubles == {}
        await trio.sleep(TRIES * TRY_AGAIN_S)
        assert place.finder.health.troubles == {"eth0": "unreachable"}


async def test_an_interface_that_never_takes_anything_does_not_keep_us_busy(
    open_place: Open,
    autojump_clock: MockClock,
) -> None:
    air = FakeAir({CABLE_4})
    air.failing[2] = OSError(errno.EPERM, "not permitted")
    async with open_place(air, Shown((FIRST,))) as place:
        await trio.sleep(300)
        assert place.finder.troubles == {"eth0": "not permitted"}
        air.here.clear()
        await trio.sleep(POLL_TOLD_S + 1)
        assert place.finder.troubles == {}


async def test_an_answer_is_sent_once_when_it_is_due(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place(shown=Shown((FIRST,))) as place:
        await trio.sleep(1)
        place.air.sent.clear()
        place.finder.beckon((FIRST,), 0.5)
        await trio.sleep(0.4)
        assert place.air.sent == []
        await trio.sleep(0.2)
        assert len(place.air.times(FIRST)) == 1


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
async def test_one_family_is_enough(
    open_place: Open, autojump_clock: MockClock, family: int
) -> None:
    async with open_place(FakeAir(families=(family,)), Shown((FIRST,))) as place:
        assert place.air.sent


# Listening


async def test_a_beacon_is_heard_with_where_it_came_from(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place() as place:
        place.air.say(SECOND)
        await wait_all_tasks_blocked()
        assert place.heard == [Heard(SECOND, (Address("tcp", "192.0.2.9:0"),))]


async def test_what_is_no_beacon_and_our_own_is_not_heard(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place(shown=Shown((FIRST,), seeks=(SEEK,))) as place:
        for data in (b"", bytes(47), bytes(49), bytes(1400), FIRST, SEEK):
            place.air.say(data)
        await wait_all_tasks_blocked()
        assert place.heard == []


async def test_the_same_news_is_told_once_in_a_while(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place() as place:
        for _ in range(5):
            place.air.say(SECOND)
            await trio.sleep(1)
        place.air.say(SECOND, "192.0.2.10")
        await trio.sleep(HEARD_AGAIN_S)
        place.air.say(SECOND)
        await wait_all_tasks_blocked()
        assert len(place.heard) == 3


async def test_a_flood_is_left_to_the_kernel(open_place: Open, autojump_clock: MockClock) -> None:
    async with open_place() as place:
        for number in range(10_000):
            place.air.say(number.to_bytes(48, "big"))
        await trio.sleep(0.5)
        assert len(place.heard) <= HEARD_PER_S_MAX
        await trio.sleep(30)
        assert len(place.heard) <= 31 * HEARD_PER_S_MAX
        assert len(place.finder._recent) <= HEARD_REMEMBERED_MAX


async def test_what_is_no_beacon_takes_the_place_of_none(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place() as place:
        for number in range(10 * HEARD_PER_S_MAX):
            place.air.say(bytes(47 + number % 2 * 2))
        place.air.say(SECOND)
        await wait_all_tasks_blocked()
        assert [heard.beacon for heard in place.heard] == [SECOND]


@given(st.binary(max_size=64), st.ip_addresses(v=4).map(str))
def test_no_datagram_from_anywhere_breaks_anything(data: bytes, host: str) -> None:
    assert source_of(socket.AF_INET, (host, PORT)) in {None, f"{host}:0"}


@pytest.mark.parametrize(
    ("sockaddr", "expected"),
    [
        (("2001:db8::9", PORT, 0, 0), "[2001:db8::9]:0"),
        (("fe80::9", PORT, 0, 1), "[fe80::9%lo]:0"),
        (("fe80::9%lo", PORT, 0, 1), "[fe80::9%lo]:0"),
        (("fe80::9", PORT, 0, 99999), None),
        (("ff02::1", PORT, 0, 1), None),
        (("::", PORT, 0, 1), None),
    ],
)
def test_a_link_local_sender_is_called_with_its_interface(
    sockaddr: tuple[str, int, int, int], expected: str | None
) -> None:
    assert source_of(socket.AF_INET6, sockaddr) == expected


# How it fares


async def test_calls_that_do_not_come_back_mean_a_firewall(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place(FakeAir({CABLE_4}), Shown((FIRST,))) as place:
        assert place.finder.health.deaf == frozenset()
        await trio.sleep(5)
        both = {("eth0", Way.BROADCAST), ("eth0", Way.MULTICAST)}
        assert place.finder.health.deaf == both
        for way in (Way.BROADCAST, Way.MULTICAST):
            place.air.say(FIRST, way=way)
        await wait_all_tasks_blocked()
        assert place.finder.health.deaf == frozenset()
        assert place.finder.health.open == both


async def test_a_firewall_on_one_interface_is_told_from_none_on_another(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place(FakeAir({CABLE_4, RADIO_4}), Shown((FIRST,))) as place:
        for way in (Way.BROADCAST, Way.MULTICAST):
            place.air.say(FIRST, way=way, interface=3)
        await trio.sleep(5)
        assert {interface for interface, _ in place.finder.health.deaf} == {"eth0"}
        assert {interface for interface, _ in place.finder.health.open} == {"wlan0"}


async def test_who_sends_nothing_cannot_tell_of_a_firewall(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place() as place:
        await trio.sleep(100)
        assert place.finder.health.deaf == place.finder.health.open == frozenset()


async def test_who_hears_somebody_knows_that_calls_come_in(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place() as place:
        place.air.say(SECOND)
        await wait_all_tasks_blocked()
        assert place.finder.health.open == {("eth0", Way.BROADCAST)}


async def test_what_could_not_be_sent_is_not_missed(
    open_place: Open, autojump_clock: MockClock
) -> None:
    air = FakeAir({CABLE_4})
    air.failing[2] = OSError(errno.EPERM, "not permitted")
    async with open_place(air, Shown((FIRST,))) as place:
        await trio.sleep(5)
        assert place.finder.health.deaf == frozenset()


async def test_an_interface_that_has_gone_is_not_spoken_of(
    open_place: Open, autojump_clock: MockClock
) -> None:
    async with open_place(FakeAir({CABLE_4}), Shown((FIRST,))) as place:
        await trio.sleep(5)
        place.air.here.clear()
        await trio.sleep(POLL_TOLD_S + 1)
        assert place.finder.health.deaf == frozenset()
