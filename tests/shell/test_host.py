import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from meshnews.errors import Refusal, StoreFull
from meshnews.ids import BundleId, BundleRef, Day, LinkId, TrafficClass
from meshnews.node.event import (
    Accepted,
    Address,
    Carrier,
    Changed,
    Effect,
    Event,
    FreeSpace,
    Heard,
    Listening,
    Received,
    Send,
    Topic,
    Wake,
)
from meshnewsd.host import (
    BYTES_PER_BATCH_MAX,
    CHANGES_HELD_MAX,
    EVENTS_PER_BATCH_MAX,
    EVENTS_QUEUED_MAX,
    TICK_S_MAX,
    Host,
    NodeFailed,
    NodeMachine,
    Watch,
)
from meshnewsd.storage.fault import StoreDamaged
from meshnewsd.supervise import TooManyFailures
from meshnewsd.turns import TURN_BYTES
from tests.shell.fakes import FakeNode, FakeStores, InlineWorker, React, trio_clock

LINK = LinkId(1)


@dataclass
class Rig:
    """A host round a fake node, and a record of what it lets out."""

    react: React = field(default=lambda _: ())
    on_start: Sequence[Effect] = ()
    stores: FakeStores = field(default_factory=FakeStores)
    nodes: list[FakeNode] = field(default_factory=list)
    performed: list[Effect] = field(default_factory=list)
    forgotten: int = 0
    standing: tuple[Event, ...] = ()
    streams: int = 0
    before_build: Callable[[], None] = field(default=lambda: None)

    def __post_init__(self) -> None:
        self.host: Host[FakeNode] = Host(
            worker=InlineWorker(), stores=self.stores, build=self._build, read_clock=trio_clock
        )
        self.host.attach(
            perform=self.performed.append,
            forget_streams=self._forget,
            standing=lambda: self.standing,
            streams=lambda: self.streams,
        )

    @property
    def node(self) -> FakeNode:
        return self.nodes[-1]

    def _build(self) -> FakeNode:
        self.before_build()
        self.nodes.append(FakeNode(self.stores, self.react, self.on_start))
        return self.node

    def _forget(self) -> None:
        self.forgotten += 1

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.host.run)
            await self.host.started.wait()
            await wait_all_tasks_blocked()
            yield
            nursery.cancel_scope.cancel()


def refusal() -> Refusal:
    return Refusal("no-card", what="No card.", meaning="None.", remedy="Enrol.")


def heard(number: int) -> Heard:
    return Heard(number.to_bytes(48, "big"), ())


async def test_effects_leave_after_the_transaction_and_in_order() -> None:
    rig = Rig(react=lambda event: [Send(LINK, b"1"), Send(LINK, b"2")] if _is_heard(event) else ())
    async with rig.running():
        rig.host.post(heard(1))
        await wait_all_tasks_blocked()
    assert rig.performed == [Send(LINK, b"1"), Send(LINK, b"2")]


def _is_heard(event: Event) -> bool:
    return isinstance(event, Heard)


async def test_what_a_node_wants_at_its_start_is_done() -> None:
    rig = Rig(on_start=[Send(LINK, b"hello")])
    async with rig.running():
        assert rig.performed == [Send(LINK, b"hello")]


async def test_events_that_gathered_are_one_transaction() -> None:
    rig = Rig()
    async with rig.running():
        before = rig.stores.transactions
        for number in range(100):
            rig.host.post(heard(number))
        await wait_all_tasks_blocked()
        assert rig.stores.transactions == before + 1
        assert rig.node.seen == [heard(number) for number in range(100)]


async def test_what_a_crowd_says_one_after_the_other_is_one_transaction(
    autojump_clock: MockClock,
) -> None:
    rig = Rig(streams=200)
    async with rig.running():
        rig.host.post(heard(0))
        await trio.sleep(1.0)
        before = rig.stores.transactions
        for number in range(20):
            rig.host.post(heard(number))
            await trio.sleep(0.001)
        await trio.sleep(1.0)
        assert rig.stores.transactions == before + 2
        assert rig.node.seen[-20:] == [heard(number) for number in range(20)]


async def test_a_transaction_has_bounds_in_events_and_bytes() -> None:
    rig = Rig()
    async with rig.running():
        before = rig.stores.transactions
        for number in range(2 * EVENTS_PER_BATCH_MAX):
            rig.host.post(heard(number))
        await wait_all_tasks_blocked()
        assert rig.stores.transactions == before + 2
        for _ in range(4):
            rig.host.post(Received(LINK, bytes(BYTES_PER_BATCH_MAX // 2)))
        await wait_all_tasks_blocked()
        assert rig.stores.transactions == before + 4


async def test_a_stream_that_says_little_is_in_the_next_batch_however_much_another_says() -> None:
    rig, flood, quiet = Rig(), LinkId(1), LinkId(2)
    for _ in range(4 * BYTES_PER_BATCH_MAX // TURN_BYTES):
        rig.host.post(Received(flood, bytes(TURN_BYTES)))
    rig.host.post(Received(quiet, b"a flash"))
    async with rig.running():
        await wait_all_tasks_blocked()
    assert rig.node.seen[1] == Received(quiet, b"a flash")


async def test_a_call_waits_for_a_turn_of_each_stream_and_no_longer() -> None:
    rig = Rig()
    seen: list[int] = []

    async def ask() -> None:
        seen.append(await rig.host.call(lambda node, _: len(node.seen)))

    for number in range(40):
        rig.host.post(Received(LinkId(1 + number % 2), bytes(TURN_BYTES)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        async with rig.running():
            await wait_all_tasks_blocked()
    assert seen == [2]


async def test_done_is_called_once_the_event_is_on_disk() -> None:
    rig = Rig()
    done: list[int] = []
    async with rig.running():
        rig.host.post(heard(1), lambda: done.append(rig.stores.transactions))
        before = rig.stores.transactions
        await wait_all_tasks_blocked()
    assert done == [before + 1]


async def test_a_wish_to_be_woken_is_met_and_replaced_by_a_later_one(
    autojump_clock: MockClock,
) -> None:
    rig = Rig(react=lambda event: [Wake(30.0), Wake(5.0)] if _is_heard(event) else ())
    async with rig.running():
        rig.node.ticks.clear()
        began_s = trio.current_time()
        rig.host.post(heard(1))
        await trio.sleep(20)
    assert rig.node.ticks == [pytest.approx(began_s + 5.0)]


async def test_a_node_hears_a_tick_even_when_nothing_happens(autojump_clock: MockClock) -> None:
    rig = Rig()
    async with rig.running():
        rig.node.ticks.clear()
        await trio.sleep(3 * TICK_S_MAX + 1)
    assert len(rig.node.ticks) == 3


async def test_a_tick_is_not_starved_by_events(autojump_clock: MockClock) -> None:
    rig = Rig(react=lambda event: [Wake(2.0)] if event == heard(0) else ())
    async with rig.running():
        rig.node.ticks.clear()
        for number in range(10):
            rig.host.post(heard(number))
            await trio.sleep(0.5)
    assert len(rig.node.ticks) == 1


async def test_a_call_returns_what_the_work_returned_and_its_effects_follow() -> None:
    rig = Rig()
    async with rig.running():
        wanted: list[Effect] = []
        rig.node.react = lambda _: [wanted.pop()] if wanted else ()

        def work(node: FakeNode, clock: object) -> str:
            wanted.append(Send(LINK, b"filed"))
            return "an id"

        assert await rig.host.call(work) == "an id"
        await wait_all_tasks_blocked()
    assert rig.performed == [Send(LINK, b"filed")]


async def test_a_call_keeps_its_place_among_events() -> None:
    rig = Rig()
    seen: list[int] = []

    async def ask() -> None:
        seen.append(await rig.host.call(lambda node, _: len(node.seen)))

    rig.host.post(heard(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        rig.host.post(heard(2))
        async with rig.running():
            await wait_all_tasks_blocked()
    assert seen == [1]
    assert len(rig.node.seen) == 2


async def test_a_refusal_reaches_the_caller_undoes_its_writing_and_harms_nobody() -> None:
    rig = Rig()
    async with rig.running():

        def work(node: FakeNode, clock: object) -> None:
            node.stores.written.append("half")
            raise refusal()

        with pytest.raises(Refusal) as caught:
            await rig.host.call(work)
        assert caught.value.code == "no-card"
        assert rig.stores.written == []
        assert len(rig.nodes) == 1
        assert rig.forgotten == 0


async def test_a_fault_in_a_call_is_told_and_the_node_is_built_again(
    autojump_clock: MockClock,
) -> None:
    rig = Rig()
    async with rig.running():

        def work(node: FakeNode, clock: object) -> None:
            node.stores.written.append("half")
            raise ValueError

        with pytest.raises(NodeFailed):
            await rig.host.call(work)
        assert rig.stores.written == []
        assert await rig.host.call(lambda node, _: 7) == 7
        assert len(rig.nodes) == 2
        assert rig.forgotten == 1


async def test_a_full_store_reaches_the_caller(autojump_clock: MockClock) -> None:
    rig = Rig()
    async with rig.running():

        def work(node: NodeMachine, clock: object) -> None:
            raise StoreFull("no room")

        with pytest.raises(StoreFull):
            await rig.host.call(work)
        assert await rig.host.call(lambda node, _: 7) == 7


async def test_a_caller_who_has_left_causes_nothing() -> None:
    rig = Rig()
    done = []
    async with rig.running():
        with trio.CancelScope() as scope:
            scope.cancel()
            await rig.host.call(lambda node, _: done.append(True))
        await wait_all_tasks_blocked()
    assert done == []


class Bad:
    """Lets a node fail at one event, so many times."""

    def __init__(self, times: int, fault: Exception) -> None:
        self.times = times
        self.fault = fault

    def __call__(self, event: Event) -> Sequence[Effect]:
        if event == heard(666) and self.times:
            self.times -= 1
            raise self.fault
        return [Send(LINK, b"x")] if isinstance(event, Heard | FreeSpace) else ()


async def test_who_waits_for_a_node_that_has_ended_is_told_so(autojump_clock: MockClock) -> None:
    def is_never_built() -> None:
        raise ZeroDivisionError

    rig = Rig(before_build=is_never_built)
    told: list[bool] = []

    async def tidy_up() -> None:
        # As cleanup does: nothing but an answer ends it.
        with trio.CancelScope(shield=True), pytest.raises(NodeFailed):
            await rig.host.call(lambda node, clock: None)
        told.append(True)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(rig.host.run)
        nursery.start_soon(tidy_up)
        await trio.sleep(1)
        assert not told
        nursery.cancel_scope.cancel()
    await tidy_up()
    assert told == [True, True]


async def test_who_asks_while_there_is_no_room_to_start_is_told_so_until_there_is(
    autojump_clock: MockClock,
) -> None:
    full = [True]

    def find_room() -> None:
        if full[0]:
            raise StoreFull("no room")

    rig = Rig(before_build=find_room)
    async with rig.running():
        for _ in range(2):
            with pytest.raises(StoreFull):
                await rig.host.call(lambda node, clock: 1)
            await trio.sleep(10)
        full[0] = False
        await trio.sleep(60)
        assert await rig.host.call(lambda node, clock: 1) == 1


async def test_stores_that_are_damaged_at_the_first_start_end_the_host_at_once(
    autojump_clock: MockClock,
) -> None:
    def cannot_read() -> None:
        raise StoreDamaged("a page is broken")

    rig = Rig(before_build=cannot_read)
    await rig.host.run()
    assert trio.current_time() < 0.1
    assert rig.host.started.is_set()
    assert str(rig.host.damage) == "a page is broken"
    with pytest.raises(NodeFailed):
        await rig.host.call(lambda node, clock: 1)


async def test_stores_that_fail_later_are_tried_again(autojump_clock: MockClock) -> None:
    rig = Rig(react=Bad(1, StoreDamaged("a read failed")))
    async with rig.running():
        rig.host.post(heard(666))
        await trio.sleep(5)
        assert await rig.host.call(lambda node, clock: 1) == 1
    assert rig.host.damage is None


@pytest.mark.parametrize("fault", [ValueError("bug"), StoreFull("no room")])
async def test_a_batch_that_fails_leaves_no_mark_and_no_effect(
    autojump_clock: MockClock, fault: Exception
) -> None:
    rig = Rig(react=Bad(1, fault), standing=(Listening("tcp", 7117),))
    async with rig.running():
        for event in (heard(1), heard(666), heard(2)):
            rig.host.post(event)
        await trio.sleep(10)
        assert rig.performed == []
        assert rig.forgotten == 1
        assert len(rig.nodes) == 2
        rig.host.post(heard(3))
        await wait_all_tasks_blocked()
    assert rig.node.seen == [Listening("tcp", 7117), heard(3)]
    assert rig.stores.written[-2:] == [Listening("tcp", 7117), heard(3)]
    assert heard(1) not in rig.stores.written


async def test_events_of_streams_that_came_while_the_node_was_away_reach_the_next(
    autojump_clock: MockClock,
) -> None:
    rig = Rig(react=Bad(1, ValueError()))
    newcomer = Accepted(LinkId(9), Carrier.LAN, Address("tcp", "192.0.2.1:1"))
    async with rig.running():
        rig.host.post(heard(666))
        await wait_all_tasks_blocked()
        assert rig.forgotten == 1
        rig.host.post(newcomer)
        await trio.sleep(10)
    assert rig.node.seen == [newcomer]


async def test_five_failures_within_a_minute_are_too_many(autojump_clock: MockClock) -> None:
    rig = Rig(react=Bad(99, ValueError()))
    with pytest.RaisesGroup(TooManyFailures):
        async with rig.running():
            for _ in range(5):
                rig.host.post(heard(666))
                await trio.sleep(9)
    assert len(rig.nodes) == 5


async def test_a_full_store_is_weather_however_often(autojump_clock: MockClock) -> None:
    rig = Rig(react=Bad(20, StoreFull("no room")))
    async with rig.running():
        for _ in range(20):
            rig.host.post(heard(666))
            await trio.sleep(61)
        rig.host.post(heard(1))
        await wait_all_tasks_blocked()
        assert rig.node.seen == [heard(1)]


async def test_stores_that_cannot_be_read_are_tried_again(autojump_clock: MockClock) -> None:
    faults = [OSError("disk"), OSError("disk")]

    def fail() -> None:
        if faults:
            raise faults.pop()

    rig = Rig(before_build=fail)
    async with rig.running():
        assert len(rig.nodes) == 1


async def test_calls_survive_a_failure_of_the_node(autojump_clock: MockClock) -> None:
    rig = Rig(react=Bad(1, ValueError()))
    async with rig.running():
        rig.host.post(heard(666))
        assert await rig.host.call(lambda node, _: len(rig.nodes)) == 2


async def test_strangers_are_not_heard_while_too_much_waits() -> None:
    rig = Rig()
    for number in range(EVENTS_QUEUED_MAX):
        assert rig.host.offer(heard(number))
    assert not rig.host.offer(heard(0))
    assert not rig.host.has_room
    async with rig.running():
        await wait_all_tasks_blocked()
        assert rig.host.offer(heard(0))


async def test_a_watcher_sees_what_changes_and_a_slow_one_at_least_where() -> None:
    rig = Rig(react=lambda event: [Changed(Topic.INBOX)] if _is_heard(event) else ())
    async with rig.running():
        with rig.host.watch() as watch:
            rig.host.post(heard(1))
            assert await watch.next() == (Changed(Topic.INBOX),)
            for _ in range(3):
                rig.host.post(heard(1))
            await wait_all_tasks_blocked()
            assert await watch.next() == (Changed(Topic.INBOX),)
        rig.host.post(heard(1))
        await wait_all_tasks_blocked()


async def test_a_watch_holds_no_more_than_its_bound() -> None:
    watch = Watch()
    for number in range(10 * CHANGES_HELD_MAX):
        ref = BundleRef(TrafficClass.BULK, Day(2), BundleId(number.to_bytes(32, "big")))
        watch.add(Changed(Topic.DISPATCH, ref))
    changes = await watch.next()
    assert len(changes) <= CHANGES_HELD_MAX
    assert Changed(Topic.DISPATCH) in changes
