"""Who follows is told what differs, soon, seldom enough, and nothing that is not so."""

import datetime as dt
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial

import msgspec
import pytest
import trio
from trio.testing import MockClock

from meshnews.bundle.statement import Priority, Role
from meshnews.control.fact import (
    CarrierName,
    DispatchState,
    DispatchStatus,
    LinkStatus,
    Neighbour,
    NeighbourKind,
    Visibility,
)
from meshnews.control.fact import Priority as PriorityWord
from meshnews.control.reply import DispatchNews, Event, NeighbourListing, NeighbourNews
from meshnews.control.request import Follow
from meshnews.errors import Refusal
from meshnews.ids import BundleRef, LinkId, TrafficClass
from meshnews.node.dispatches.filing import Filed
from meshnews.node.identity import Role as HomeRole
from meshnews.node.links.traffic import Traffic
from meshnews.node.node import Node
from meshnewsd.control.following import (
    ALONE_S,
    APART_S,
    LINKED_S,
    FollowDesk,
    Link,
    Sight,
    View,
)
from tests.control.rig import CountingAsker, Daemon, running
from tests.node.newsroom import Machine, enrolled, make_desk

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
BIG = bytes(5 * 65536)


@pytest.fixture(scope="module")
def made() -> Machine:
    editor, _ = make_desk()
    return enrolled(editor, "reporter-1", HomeRole.REPORTER)


@pytest.fixture
def reporter(made: Machine) -> Machine:
    return deepcopy(made)


def file(node: Node, *, now: bool = True, size: int = len(BIG)) -> Filed:
    """File a text with an attachment; of five chunks, it is six bundles."""
    draft = node.filing.begin(Priority.ROUTINE)
    if size:
        node.filing.attach(draft, "video.mp4", size=size, role=Role.FILE)
        node.filing.add(draft, BIG[:size])
        node.filing.end_attachment(draft)
    return node.filing.finish(draft, text="A fire.", slug="fire", now=now, forget=False)


def pieces(node: Node) -> list[BundleRef]:
    """Return the bundles of the only attachment that was filed."""
    (progress,) = node.dispatches.all()
    carry = node.home.carry
    refs = [
        BundleRef(traffic, day, identifier)
        for traffic in TrafficClass
        for day in carry.days(traffic)
        for identifier, _ in carry.elements(traffic, day)
    ]
    return [ref for ref in refs if ref != progress.dispatch.ref]


def carried(node: Node, ref: BundleRef) -> None:
    """Let another machine say that it has a bundle."""
    node.work.carried(ref, at_collector=False)


def receipted(node: Node, ref: BundleRef) -> None:
    """Let the desk's receipt for a bundle come."""
    node.work.receipted(ref)


@dataclass
class Follower:
    """Somebody who follows, and what he was told and when."""

    daemon: Daemon
    request: Follow = field(default_factory=Follow)
    told: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.asker = CountingAsker(self.daemon.host, once=False)

    async def run(self) -> None:
        await FollowDesk(self.asker).follow(self.request, (), self._hear)

    async def _hear(self, event: Event) -> None:
        self.told.append(event)

    @property
    def dispatches(self) -> list[DispatchStatus]:
        return [event.dispatch for event in self.told if isinstance(event, DispatchNews)]


@asynccontextmanager
async def following(daemon: Daemon, item: str | None = None) -> AsyncIterator[Follower]:
    follower = Follower(daemon, Follow(item))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follower.run)
        await trio.testing.wait_all_tasks_blocked()
        yield follower
        nursery.cancel_scope.cancel()


# With a real node


async def test_first_everything_is_told_the_oldest_first_then_what_changed(
    reporter: Machine, autojump_clock: MockClock
) -> None:
    async with running(reporter) as daemon:
        old = await daemon.do(file)
        await trio.sleep(10)
        new = await daemon.do(file)
        async with following(daemon) as follower:
            assert [one.id for one in follower.dispatches] == [old.ref.id.hex(), new.ref.id.hex()]
            assert isinstance(follower.told[-1], NeighbourNews)
            (part,) = follower.dispatches[0].parts
            assert (part.name, part.size) == ("video.mp4", len(BIG))
            assert (part.pieces, part.carried, part.received) == (6, 0, 0)
            follower.told.clear()
            await daemon.do(partial(receipted, ref=new.ref))
            await trio.sleep(2 * APART_S)
            (told,) = follower.told
            assert isinstance(told, DispatchNews)
            assert told.dispatch.state is DispatchState.RECEIVED


async def test_each_piece_that_another_machine_stored_is_counted(
    reporter: Machine, autojump_clock: MockClock
) -> None:
    async with running(reporter) as daemon:
        await daemon.do(file)
        async with following(daemon) as follower:
            for ref in await daemon.do(pieces):
                await daemon.do(partial(carried, ref=ref))
                await trio.sleep(2 * APART_S)
            for ref in await daemon.do(pieces):
                await daemon.do(partial(receipted, ref=ref))
                await trio.sleep(2 * APART_S)
        seen = [(one.parts[0].carried, one.parts[0].received) for one in follower.dispatches]
        assert seen == [(n, 0) for n in range(7)] + [(6, n) for n in range(1, 7)]
        assert follower.dispatches[-1].attachments_received == 1


async def test_however_much_happens_nobody_looks_more_than_twice_a_second(
    reporter: Machine, autojump_clock: MockClock
) -> None:
    async with running(reporter) as daemon:
        await daemon.do(file)
        refs = await daemon.do(pieces)
        async with following(daemon) as follower:
            for _ in range(200):
                for ref in refs:
                    await daemon.do(partial(carried, ref=ref))
                await trio.sleep(0.05)
        times = follower.asker.times
        apart = [later - earlier for earlier, later in itertools.pairwise(times)]
        assert min(apart) >= APART_S
        assert len(times) <= 10 / APART_S + 1


async def test_with_nothing_to_see_it_is_looked_for_once_a_minute(
    reporter: Machine, autojump_clock: MockClock
) -> None:
    async with running(reporter) as daemon:
        await daemon.do(file)
        async with following(daemon) as follower:
            follower.told.clear()
            looks = len(follower.asker.times)
            await trio.sleep(3600)
            assert len(follower.asker.times) - looks <= 3600 / ALONE_S
            assert follower.told == [], "nothing is told twice"


async def test_the_end_of_a_hold_is_told_though_the_node_says_nothing(
    reporter: Machine, autojump_clock: MockClock
) -> None:
    async with running(reporter) as daemon:
        await daemon.do(partial(file, now=False))
        async with following(daemon) as follower:
            (held,) = follower.dispatches
            assert held.release_at is not None
            await trio.sleep(24 * 3600)
            assert [one.release_at is None for one in follower.dispatches] == [False, True]


async def test_of_one_dispatch_nothing_is_told_of_others(
    reporter: Machine, autojump_clock: MockClock
) -> None:
    async with running(reporter) as daemon:
        one, other = await daemon.do(file), await daemon.do(file)
        async with following(daemon, one.ref.id.hex()[:12]) as follower:
            await daemon.do(partial(receipted, ref=other.ref))
            await daemon.do(partial(receipted, ref=one.ref))
            await trio.sleep(2 * APART_S)
            assert {told.id for told in follower.dispatches} == {one.ref.id.hex()}
            assert follower.dispatches[-1].state is DispatchState.RECEIVED


async def test_more_changes_than_are_kept_leave_nothing_out(
    reporter: Machine, autojump_clock: MockClock
) -> None:
    async with running(reporter) as daemon:
        filed = [await daemon.do(partial(file, size=0)) for _ in range(70)]
        async with following(daemon) as follower:
            for one in filed:
                await daemon.do(partial(receipted, ref=one.ref))
            await trio.sleep(2 * APART_S)
            received = {
                one.id for one in follower.dispatches if one.state is DispatchState.RECEIVED
            }
            assert received == {one.ref.id.hex() for one in filed}


async def test_what_is_not_there_cannot_be_followed(
    reporter: Machine, autojump_clock: MockClock
) -> None:
    async with running(reporter) as daemon:
        with pytest.raises(Refusal):
            await Follower(daemon, Follow("beef")).run()


# What differs, look by look


NEAR = Neighbour(
    kind=NeighbourKind.RELAY,
    name="bakery",
    carrier=CarrierName.LAN,
    since=NOON,
    bytes_received=0,
    bytes_sent=0,
    bytes_per_s=0,
)
HELD = DispatchStatus(
    id="aa" * 32,
    slug="fire",
    priority=PriorityWord.ROUTINE,
    state=DispatchState.FILED,
    filed_at=NOON,
    release_at=NOON,
)


def seen(at_s: float, *links: Link, dispatches: tuple[DispatchStatus, ...] = ()) -> View:
    neighbours = tuple(link.neighbour for link in links)
    listing = NeighbourListing(visibility=Visibility.VEILED, neighbours=neighbours)
    return View(at_s, dispatches, listing, links)


def link(number: int = 1, traffic: Traffic | None = None, **more: object) -> Link:
    neighbour = msgspec.structs.replace(NEAR, **more)
    return Link(LinkId(number), neighbour, traffic or Traffic())


def links_told(sight: Sight, view: View) -> tuple[LinkStatus, ...]:
    (news,) = sight.news(view)
    assert isinstance(news, NeighbourNews)
    return news.neighbours


def test_how_fast_it_goes_is_measured_between_two_looks_and_not_guessed_before() -> None:
    sight = Sight()
    (first,) = links_told(sight, seen(100.0, link(bytes_sent=50_000)))
    assert (first.sent_per_s, first.received_per_s) == (None, None)
    (second,) = links_told(sight, seen(102.0, link(bytes_sent=250_000, bytes_received=10)))
    assert (second.sent_per_s, second.received_per_s) == (100_000, 5)
    (third,) = links_told(sight, seen(102.5, link(bytes_sent=250_000, bytes_received=10)))
    assert (third.sent_per_s, third.received_per_s) == (0, 0)


def test_a_neighbour_that_came_meanwhile_has_no_speed_yet() -> None:
    sight = Sight()
    list(sight.news(seen(1.0, link(1))))
    _, new = links_told(sight, seen(2.0, link(1), link(2, bytes_sent=7)))
    assert new.link == 2
    assert new.sent_per_s is None


def test_a_link_at_rest_is_told_once_and_looked_at_seldom() -> None:
    sight = Sight()
    assert sight.rest_s == ALONE_S
    list(sight.news(seen(1.0, link())))
    list(sight.news(seen(2.0, link(bytes_sent=9))))
    assert sight.rest_s == APART_S
    list(sight.news(seen(3.0, link(bytes_sent=9))))
    assert sight.rest_s == LINKED_S
    # Its mean goes down and its age, in whole seconds, jumps: neither is news.
    later = NOON + dt.timedelta(seconds=1)
    assert list(sight.news(seen(5.0, link(bytes_sent=9, bytes_per_s=3, since=later)))) == []


def test_what_is_under_way_is_told_as_it_was_seen() -> None:
    sight = Sight()
    traffic = Traffic(to_send=5, to_receive=7, compared=True)
    (told,) = links_told(sight, seen(1.0, link(traffic=traffic)))
    assert (told.to_send, told.to_receive, told.compared) == (5, 7, True)
    assert told.name == "bakery"


def test_neighbours_that_go_are_told() -> None:
    sight = Sight()
    list(sight.news(seen(1.0, link())))
    assert links_told(sight, seen(2.0)) == ()
    assert sight.rest_s == ALONE_S


def test_a_hold_that_ends_a_second_later_than_was_reckoned_is_no_news() -> None:
    sight = Sight()
    list(sight.news(seen(1.0, dispatches=(HELD,))))
    assert sight.held == {bytes.fromhex(HELD.id)}
    later = msgspec.structs.replace(HELD, release_at=NOON + dt.timedelta(seconds=1))
    assert list(sight.news(seen(2.0, dispatches=(later,)))) == []
    free = msgspec.structs.replace(HELD, release_at=None)
    assert list(sight.news(seen(3.0, dispatches=(free,)))) == [DispatchNews(free)]
    assert sight.held == frozenset()
