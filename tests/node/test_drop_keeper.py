"""Who goes to a dead drop again and again, by which way, and what is said of it."""

import functools
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
import trio
from trio.testing import MockClock

from meshnews.bundle.statement import Priority
from meshnews.errors import StoreFull
from meshnews.node.event import Trouble
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnewsd.config import Config, DropPlace
from meshnewsd.platform.entropy import OsEntropy
from meshnewsd.uplinks.drop import DropLost, DropService
from meshnewsd.uplinks.drops import AFTER_LOST_S, DropKeeper, ways_to
from tests.contract.memory_drop import MemoryDrop
from tests.node.newsroom import Machine, enrolled, make_desk

T = TypeVar("T")
PLACE = DropPlace(kind="webdav", url="https://files.example/folder", every_s=300.0)
PROXIES = ("127.0.0.1:9050", "127.0.0.1:9150")


@dataclass
class Asked:
    """The way to a machine's node, as the daemon has it; with no room for objects on demand."""

    machine: Machine
    is_full: bool = False

    async def ask(self, question: Callable[[Node], T]) -> T:
        await trio.lowlevel.checkpoint()
        if self.is_full and isinstance(question, functools.partial):
            raise StoreFull("the disk has no room")
        return self.machine.ask(question)


@dataclass
class Road:
    """A service, and which ways lead to it.

    Attributes:
        open_ways: those that do.
        tried: by which way it was called, in order, one for each visit.
    """

    drop: MemoryDrop = field(default_factory=MemoryDrop)
    open_ways: set[str] = field(default_factory=set)
    tried: list[str] = field(default_factory=list)

    def make(self, place: DropPlace, *, proxy: str) -> DropService:
        return _ByWay(self, proxy)


class _ByWay:
    def __init__(self, road: Road, way: str) -> None:
        self._road = road
        self._way = way

    async def names(self) -> AsyncGenerator[str]:
        self._road.tried.append(self._way)
        if self._way not in self._road.open_ways:
            await trio.lowlevel.checkpoint()
            raise DropLost("cut", Trouble.CUT)
        async for name in self._road.drop.names():
            yield name

    async def read(self, name: str) -> bytes | None:
        return await self._road.drop.read(name)

    async def write(self, name: str, data: bytes) -> None:
        await self._road.drop.write(name, data)

    async def remove(self, name: str) -> None:
        await self._road.drop.remove(name)

    async def aclose(self) -> None:
        await self._road.drop.aclose()


@pytest.fixture(scope="module")
def machines() -> Sequence[Machine]:
    editor, _ = make_desk()
    reporter = enrolled(editor, "near", Role.REPORTER)

    def file(node: Node) -> None:
        draft = node.filing.begin(Priority.FLASH)
        node.filing.finish(draft, text="Атыс.", slug="s", now=True, forget=False)

    reporter.ask(file)
    collector = enrolled(editor, "far", Role.RELAY, endpoint=True)
    return reporter, collector, enrolled(editor, "new", Role.RELAY)


async def let_run(keeper: DropKeeper, seconds: float) -> None:
    with trio.move_on_after(seconds):
        await keeper.run()


# Ways --------------------------------------------------------------------------


def test_a_drop_is_called_as_collectors_are() -> None:
    assert ways_to(PLACE, Config()) == [""]
    assert ways_to(PLACE, Config(proxies=PROXIES)) == ["", *PROXIES]


def test_where_nothing_may_be_called_directly_no_drop_is() -> None:
    assert ways_to(PLACE, Config(proxies=PROXIES, direct=False)) == [*PROXIES]
    assert ways_to(PLACE, Config(direct=False)) == []


def test_a_name_that_only_a_proxy_can_resolve_is_asked_of_nobody_else() -> None:
    hidden = DropPlace(kind="s3", url="http://hidden.onion:80/bucket")
    assert ways_to(hidden, Config(proxies=PROXIES)) == [*PROXIES]


async def test_when_one_way_is_cut_the_next_is_taken_at_once(
    machines: Sequence[Machine], autojump_clock: MockClock
) -> None:
    road = Road(open_ways={PROXIES[1]})
    ways = ["", *PROXIES]
    keeper = DropKeeper(PLACE, ways, Asked(machines[1]), OsEntropy(), road.make)
    await let_run(keeper, 1)
    assert road.tried == ways
    assert keeper.standing.proxy == PROXIES[1]
    assert keeper.standing.trouble is None


async def test_the_way_that_led_there_last_is_taken_first(
    machines: Sequence[Machine], autojump_clock: MockClock
) -> None:
    road = Road(open_ways={PROXIES[0]})
    keeper = DropKeeper(PLACE, ["", *PROXIES], Asked(machines[1]), OsEntropy(), road.make)
    await let_run(keeper, PLACE.every_s * 2.1)
    assert road.tried[:2] == ["", PROXIES[0]]
    assert set(road.tried[2:]) == {PROXIES[0]}


async def test_one_that_was_not_reached_is_tried_again_soon(
    machines: Sequence[Machine], autojump_clock: MockClock
) -> None:
    road = Road()
    keeper = DropKeeper(PLACE, [""], Asked(machines[1]), OsEntropy(), road.make)
    await let_run(keeper, AFTER_LOST_S * 3)
    assert 3 <= len(road.tried) <= 6
    assert keeper.standing.trouble is Trouble.CUT


async def test_where_no_way_is_allowed_it_says_so_and_waits(
    machines: Sequence[Machine], autojump_clock: MockClock
) -> None:
    road = Road(open_ways={""})
    keeper = DropKeeper(PLACE, [], Asked(machines[1]), OsEntropy(), road.make)
    await let_run(keeper, 100)
    assert road.tried == []
    assert keeper.standing.trouble is Trouble.NO_NETWORK


# What is said of it ----------------------------------------------------------------


async def test_a_visit_counts_what_it_moved(
    machines: Sequence[Machine], autojump_clock: MockClock
) -> None:
    reporter, collector, _ = machines
    road = Road(open_ways={""})
    here = DropKeeper(PLACE, [""], Asked(reporter), OsEntropy(), road.make)
    there = DropKeeper(PLACE, [""], Asked(collector), OsEntropy(), road.make)
    await let_run(here, 1)
    assert here.standing.written == len(road.drop.files) == 1
    assert here.standing.visited_s is not None
    assert here.standing.proven_s is None, "nobody has said that it was received"
    await let_run(there, 1)
    assert (there.standing.objects, there.standing.read) == (1, 1)
    assert there.standing.proven_s is not None


async def test_what_finds_no_room_here_is_left_there_and_read_again(
    machines: Sequence[Machine], autojump_clock: MockClock
) -> None:
    reporter, _, fresh = machines
    road = Road(open_ways={""})
    await let_run(DropKeeper(PLACE, [""], Asked(reporter), OsEntropy(), road.make), 1)
    asked = Asked(fresh, is_full=True)
    keeper = DropKeeper(PLACE, [""], asked, OsEntropy(), road.make)
    await let_run(keeper, 1)
    assert keeper.standing.trouble is None
    for is_full, read in ((True, 1), (False, 1), (False, 0)):
        asked.is_full = is_full
        await let_run(keeper, 1)
        assert keeper.standing.read == read
