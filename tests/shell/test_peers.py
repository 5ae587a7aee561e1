import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from meshnews.ids import LinkId
from meshnews.node.event import (
    Accepted,
    Address,
    Advertise,
    Carrier,
    Close,
    Dial,
    DialFailed,
    Dialled,
    Drained,
    Listening,
    Lost,
    Received,
    Send,
    Trouble,
)
from meshnewsd.peers.dialler import DIAL_S_MAX, STAGGER_S, dial
from meshnewsd.peers.doors import GENERATIONS_MAX, TRY_AGAIN_S, Doors
from meshnewsd.peers.peers import DIALS_MAX, Peers
from meshnewsd.transports.interface import Take, Unreachable
from meshnewsd.transports.memory import MemoryNetwork, MemoryStream, MemoryTransport
from tests.shell.fakes import Postbox

SHOWN = Advertise((bytes(48),))


@dataclass
class Place:
    """One machine: its streams, its doors, and what its node was told."""

    network: MemoryNetwork
    peers: Peers
    doors: Doors
    box: Postbox
    has_room: list[bool]

    def told(self, *kinds: type) -> list[object]:
        return [each for each in self.box.events if isinstance(each, kinds)]

    @property
    def address(self) -> Address:
        return Address("memory", f"here:{self.doors.listening[-1].port}")


@contextlib.asynccontextmanager
async def open_place(
    *, streams_max: int = 8, is_shown: bool = True, network: MemoryNetwork | None = None
) -> AsyncIterator[Place]:
    network = network or MemoryNetwork()
    box, has_room = Postbox(), [True]
    transports = {"memory": network.transport("here")}
    async with trio.open_nursery() as nursery:
        peers = Peers(
            nursery=nursery,
            transports=transports,
            post=box.post,
            has_room=lambda: has_room[0],
            streams_max=streams_max,
        )
        doors = Doors(transports=transports, ports=(0, 443), peers=peers, post=box.post)
        if is_shown:
            doors.show(SHOWN)
        nursery.start_soon(doors.run)
        await wait_all_tasks_blocked()
        yield Place(network, peers, doors, box, has_room)
        nursery.cancel_scope.cancel()


async def call(place: Place) -> MemoryStream:
    stream = await place.network.transport("there").open(place.address.where)
    await wait_all_tasks_blocked()
    return stream


# Coming in


async def test_the_node_is_told_of_every_port_that_was_taken() -> None:
    async with open_place() as place:
        ports = [each.port for each in place.doors.listening]
        assert ports[0] == 443, "beacons name the one that is told last"
        assert place.box.events == [Listening("memory", port) for port in ports]


async def test_a_port_that_is_taken_keeps_no_other_shut(autojump_clock: MockClock) -> None:
    network = MemoryNetwork()
    other = await network.transport("here").bind(443)
    async with open_place(network=network) as place:
        assert len(place.doors.listening) == 1
        assert place.doors.missing == (443,)
        await call(place)
        assert len(place.told(Accepted)) == 1
        await other.aclose()
        await trio.sleep(TRY_AGAIN_S + 1)
        assert not place.doors.missing
        assert Listening("memory", 443) in place.told(Listening)
        await network.transport("there").open("here:443")
        await wait_all_tasks_blocked()
        assert len(place.told(Accepted)) == 2


async def test_a_port_that_is_lost_is_taken_again(autojump_clock: MockClock) -> None:
    async with open_place() as place:
        door = place.network.doorways["here:443"]
        door.lose()
        await wait_all_tasks_blocked()
        assert place.doors.missing == (443,)
        assert len(place.doors.listening) == 1
        await call(place)
        await trio.sleep(TRY_AGAIN_S + 1)
        assert not place.doors.missing


async def test_a_guest_is_accepted_heard_answered_and_lost() -> None:
    async with open_place() as place:
        guest = await call(place)
        (accepted,) = place.told(Accepted)
        assert isinstance(accepted, Accepted)
        assert accepted.carrier is Carrier.LAN
        await guest.send_all(b"hello")
        await wait_all_tasks_blocked()
        assert place.told(Received) == [Received(accepted.link, b"hello")]
        place.peers.send(Send(accepted.link, b"welcome"))
        assert await guest.receive_some() == b"welcome"
        await wait_all_tasks_blocked()
        assert place.told(Drained) == [Drained(accepted.link)]
        await guest.aclose()
        await wait_all_tasks_blocked()
        assert place.told(Lost) == [Lost(accepted.link)]
        assert len(place.peers) == 0


async def test_effects_for_a_link_that_is_no_more_are_harmless() -> None:
    async with open_place() as place:
        place.peers.send(Send(LinkId(99), b"x"))
        place.peers.close(Close(LinkId(99), 1.0))


async def test_strangers_beyond_the_bound_are_turned_away() -> None:
    async with open_place(streams_max=8) as place:
        guests = [await call(place) for _ in range(500)]
        assert len(place.told(Accepted)) == 8
        assert len(place.peers) == 8
        for late in guests[8:]:
            assert await late.receive_some() == b""


async def test_the_one_in_silence_longest_makes_room_for_a_newcomer() -> None:
    async with open_place(streams_max=3) as place:
        guests = [await call(place) for _ in range(3)]
        links = [each.link for each in place.told(Accepted) if isinstance(each, Accepted)]
        place.peers.close(Close(links[1], 60.0))
        place.peers.close(Close(links[2], 60.0))
        await call(place)
        assert place.told(Lost) == [Lost(links[1])]
        assert len(place.told(Accepted)) == 4
        assert await guests[1].receive_some() == b""


async def test_nobody_is_let_in_while_the_node_does_not_keep_up() -> None:
    async with open_place() as place:
        place.has_room[0] = False
        guest = await call(place)
        assert place.told(Accepted) == []
        assert await guest.receive_some() == b""


async def test_forgetting_all_ends_every_stream_without_a_word() -> None:
    async with open_place(streams_max=2) as place:
        guests = [await call(place), await call(place)]
        place.box.events.clear()
        place.peers.forget_all()
        await wait_all_tasks_blocked()
        assert place.box.events == []
        for guest in guests:
            assert await guest.receive_some() == b""
        await call(place)
        assert len(place.told(Accepted)) == 1


async def test_links_are_never_named_alike() -> None:
    async with open_place(streams_max=2) as place:
        for _ in range(5):
            await (await call(place)).aclose()
            await wait_all_tasks_blocked()
        links = [each.link for each in place.told(Accepted) if isinstance(each, Accepted)]
        assert len(set(links)) == 5


# Doors of a silent home


async def test_streams_are_accepted_only_while_a_beacon_is_shown() -> None:
    async with open_place(is_shown=False) as place:
        with pytest.raises(Unreachable):
            await call(place)
        place.doors.show(SHOWN)
        await wait_all_tasks_blocked()
        guest = await call(place)
        place.doors.show(Advertise(()))
        await wait_all_tasks_blocked()
        with pytest.raises(Unreachable):
            await call(place)
        await guest.send_all(b"a stream that is open stays open")
        await wait_all_tasks_blocked()
        assert len(place.told(Received)) == 1


async def test_streams_are_accepted_only_where_a_beacon_is_shown() -> None:
    async with open_place() as place:
        place.doors.show(Advertise(SHOWN.beacons, interfaces=("elsewhere",)))
        await wait_all_tasks_blocked()
        with pytest.raises(Unreachable):
            await call(place)
        place.doors.show(Advertise(SHOWN.beacons, interfaces=("elsewhere", "here")))
        await wait_all_tasks_blocked()
        await call(place)
        place.doors.show(Advertise(SHOWN.beacons, interfaces=()))
        await wait_all_tasks_blocked()
        with pytest.raises(Unreachable):
            await call(place)


async def test_each_epoch_has_a_port_of_its_own_and_the_old_one_is_kept_a_while(
    autojump_clock: MockClock,
) -> None:
    async with open_place() as place:
        old = place.address
        place.doors.relisten(60.0)
        await wait_all_tasks_blocked()
        assert place.address != old
        assert place.told(Listening)[-1] == place.doors.listening[-1]
        await call(place)
        await place.network.transport("there").open(old.where)
        await trio.sleep(61)
        with pytest.raises(Unreachable):
            await place.network.transport("there").open(old.where)
        await place.network.transport("there").open("here:443")
        await call(place)


async def test_ports_of_many_epochs_are_not_kept_for_ever() -> None:
    async with open_place() as place:
        first = place.address
        for _ in range(GENERATIONS_MAX):
            place.doors.relisten(3600.0)
            await wait_all_tasks_blocked()
        assert len(place.network.doorways) == GENERATIONS_MAX + 1
        with pytest.raises(Unreachable):
            await place.network.transport("there").open(first.where)


# Dialling


class Faulty(MemoryTransport):
    """A transport with a bug."""

    async def open(self, where: str) -> MemoryStream:
        raise RuntimeError("a bug")


async def test_a_bug_of_a_transport_fails_the_dial_and_nothing_else() -> None:
    box = Postbox()
    async with trio.open_nursery() as nursery:
        peers = Peers(
            nursery=nursery,
            transports={"memory": Faulty(MemoryNetwork(), "here")},
            post=box.post,
            has_room=lambda: True,
            streams_max=1,
        )
        peers.dial(Dial(7, (Address("memory", "there:1"),)))
    assert box.events == [DialFailed(7)]


class Host:
    """A transport whose places answer as they are told."""

    name = "odd"
    carrier = Carrier.UPLINK

    def __init__(self, answers: dict[str, tuple[float, bool]]) -> None:
        self.answers = answers
        self.tried: list[tuple[str, float]] = []
        self.network = MemoryNetwork()

    async def bind(self, port: int) -> "NoDoor":
        raise OSError("nothing to listen at")

    async def open(self, where: str) -> trio.abc.HalfCloseableStream:
        self.tried.append((where, trio.current_time()))
        after_s, is_there = self.answers[where]
        await trio.sleep(after_s)
        if not is_there:
            raise Unreachable(where)
        doorway = await self.network.transport(where).bind(0)
        doorway.take = lambda stream, address: None
        return await self.network.transport("us").open(doorway.where)


class NoDoor:
    port = 0

    async def serve(self, take: Take, interfaces: tuple[str, ...] | None = None) -> None: ...
    async def aclose(self) -> None: ...


def addresses(*places: str) -> tuple[Address, ...]:
    return tuple(Address("odd", place) for place in places)


@dataclass
class Case:
    answers: dict[str, tuple[float, bool]]
    winner: str | None
    after_s: float
    tried: Sequence[str] = field(default=())


CASES = {
    "the first answers": Case({"a": (0.1, True), "b": (0.0, True)}, "a", 0.1, ["a"]),
    "the first is slow": Case({"a": (1.0, True), "b": (0.1, True)}, "b", STAGGER_S + 0.1),
    "the first fails at once": Case({"a": (0.0, False), "b": (0.1, True)}, "b", 0.1),
    "all fail": Case({"a": (0.1, False), "b": (0.1, False)}, None, 0.2),
    "nobody says anything": Case({"a": (1e9, True), "b": (1e9, True)}, None, DIAL_S_MAX),
    "no address": Case({}, None, 0.0),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_dial_takes_the_first_that_answers(autojump_clock: MockClock, case: Case) -> None:
    host = Host(case.answers)
    began_s = trio.current_time()
    found = await dial({"odd": host}, addresses(*case.answers))
    assert (None if isinstance(found, Trouble) else found[0].where) == case.winner
    assert trio.current_time() - began_s == pytest.approx(case.after_s)
    if case.tried:
        assert [where for where, _ in host.tried] == case.tried


async def test_an_address_of_an_unknown_transport_is_passed_over() -> None:
    host = Host({"a": (0.0, True)})
    found = await dial({"odd": host}, (Address("pigeon", "loft"), *addresses("a")))
    assert not isinstance(found, Trouble)


async def test_a_dial_that_reaches_somebody_is_a_link() -> None:
    async with open_place() as place:
        other = await place.network.transport("there").bind(0)
        taken: list[trio.abc.HalfCloseableStream] = []
        other.take = lambda stream, address: taken.append(stream)
        place.peers.dial(Dial(7, (Address("memory", other.where),)))
        await wait_all_tasks_blocked()
        (dialled,) = place.told(Dialled)
        assert isinstance(dialled, Dialled)
        assert (dialled.attempt, dialled.carrier) == (7, Carrier.LAN)
        await taken[0].send_all(b"hello")
        await wait_all_tasks_blocked()
        assert place.told(Received) == [Received(dialled.link, b"hello")]


async def test_a_dial_that_reaches_nobody_is_told_in_time(autojump_clock: MockClock) -> None:
    async with open_place() as place:
        place.peers.dial(Dial(7, (Address("memory", "nowhere:1"),)))
        await trio.sleep(DIAL_S_MAX)
        assert place.told(DialFailed) == [DialFailed(7)]


async def test_dials_under_way_end_when_all_is_forgotten(autojump_clock: MockClock) -> None:
    network = MemoryNetwork(delay_s=2.0)
    async with open_place(network=network) as place:
        for attempt in range(DIALS_MAX + 4):
            place.peers.dial(Dial(attempt, (Address("memory", "nowhere:1"),)))
        await wait_all_tasks_blocked()
        # One more, whose task has not even begun.
        place.peers.dial(Dial(99, (Address("memory", place.address.where),)))
        place.peers.forget_all()
        await trio.sleep(2 * DIAL_S_MAX)
        assert place.told(DialFailed, Dialled) == []


async def test_dialled_streams_do_not_count_against_guests() -> None:
    async with open_place(streams_max=1) as place:
        other = await place.network.transport("there").bind(0)
        other.take = lambda stream, address: None
        for attempt in range(3):
            place.peers.dial(Dial(attempt, (Address("memory", other.where),)))
        await wait_all_tasks_blocked()
        await call(place)
        assert len(place.told(Accepted)) == 1
        assert len(place.told(Dialled)) == 3
