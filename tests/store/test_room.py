"""Quota, partitions, and who goes first."""

import pytest

from meshnews.errors import StoreFull
from meshnews.ids import AuthKind, TrafficClass
from meshnews.store.memory import MemoryCarry
from meshnews.store.port import State
from meshnews.store.room import RESERVE_BYTES, Room
from meshnews.store.terms import Judgement, Terms
from tests.store.kit import DAY_S, TODAY, Keeper, Press, at, body_of, entry_of

NOTICE, FLASH, ROUTINE, BULK = TrafficClass


@pytest.fixture
def press() -> Press:
    return Press()


def full(*samples_per_2k: int) -> int:
    """Return the quota that so many bundles of 2048 bytes fill."""
    return sum(samples_per_2k) * 2048


# Room


def test_a_desks_machine_full_of_what_it_keeps_still_takes_texts(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(2), desk=True)
    for sample in (kept := [press.make(BULK), press.make(BULK)]):
        keeper.take(sample)
        keeper.custody.pin(sample.ref)
    keeper.custody.free_space(RESERVE_BYTES + full(2))
    assert keeper.take(press.make(BULK)) is Judgement.NO_ROOM
    texts = [press.make(FLASH), press.make(ROUTINE)]
    assert [keeper.take(text) for text in texts] == [Judgement.WANTED] * 2
    # Beyond the quota they stay while the disk bears them, until they are acked.
    keeper.custody.sweep(at())
    assert keeper.states(texts) == [State.HELD] * 2
    assert keeper.take(press.make(ROUTINE, day=TODAY - 2)) is Judgement.NO_ROOM
    keeper.custody.acknowledge(texts[1].receipt, at())
    keeper.custody.sweep(at(DAY_S))
    assert keeper.states([*kept, *texts]) == [State.HELD] * 3 + [State.ACKED]


def test_others_keep_to_the_quota_whatever_the_disk_bears(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(1))
    keeper.custody.free_space(RESERVE_BYTES + full(9))
    assert keeper.take(press.make(FLASH)) is Judgement.WANTED
    assert keeper.take(press.make(FLASH)) is Judgement.NO_ROOM


def test_a_store_is_stuck_when_hardly_anything_would_make_way(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(10), desk=True)
    samples = [press.make(BULK) for _ in range(10)]
    for number, sample in enumerate(samples):
        keeper.take(sample)
        assert not keeper.custody.is_stuck(0.1), number
    for sample in samples[:9]:
        keeper.custody.pin(sample.ref)
    assert not keeper.custody.is_stuck(0.1)
    keeper.custody.pin(samples[9].ref)
    assert keeper.custody.is_stuck(0.1)


def test_what_finds_no_room_is_noted_as_lacking(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(1))
    first, second, offered = press.make(), press.make(), press.make()
    assert keeper.take(first) is Judgement.WANTED
    assert keeper.take(second) is Judgement.NO_ROOM
    assert keeper.custody.judge(offered.bundle.offer, at()) is Judgement.NO_ROOM
    assert keeper.states([first, second, offered]) == [State.HELD, State.LACKING, State.LACKING]
    assert not keeper.custody.wants(second.ref, State.HELD, at())
    assert keeper.custody.free_bytes() == 0


def test_what_is_lacking_is_asked_for_when_there_is_room(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(2))
    samples = [press.make(day=TODAY - 2 * number) for number in range(5)]
    outcomes = [keeper.take(sample) for sample in samples]
    assert outcomes.count(Judgement.NO_ROOM) == 3
    assert not keeper.custody.missing(ROUTINE, at(), at_most=9)
    keeper.custody.forget(samples[0].ref)
    missing = keeper.custody.missing(ROUTINE, at(), at_most=2)
    assert [entry.ref for entry in missing] == [samples[2].ref, samples[3].ref]
    assert keeper.custody.wants(samples[4].ref, State.HELD, at())
    assert keeper.take(samples[4]) is Judgement.WANTED
    assert keeper.state(samples[4]) is State.HELD


def test_what_is_more_urgent_displaces_what_is_less(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(3))
    bulk = [press.make(BULK, day=day) for day in (TODAY, TODAY - 2, TODAY - 4)]
    for sample in bulk:
        keeper.take(sample)
    assert keeper.take(press.make(FLASH, day=TODAY - 8)) is Judgement.WANTED
    assert keeper.states(bulk) == [State.HELD, State.HELD, State.LACKING]
    assert keeper.take(press.make(ROUTINE, day=TODAY - 8)) is Judgement.WANTED
    assert keeper.states(bulk) == [State.HELD, State.LACKING, State.LACKING]
    assert keeper.take(press.make(BULK, day=TODAY - 2)) is Judgement.NO_ROOM


def test_within_a_class_the_older_day_makes_way(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(2))
    old, new = press.make(day=TODAY - 4), press.make(day=TODAY - 2)
    keeper.take(old)
    keeper.take(new)
    assert keeper.take(press.make(day=TODAY - 4)) is Judgement.NO_ROOM
    assert keeper.take(press.make(day=TODAY)) is Judgement.WANTED
    assert keeper.states([old, new]) == [State.LACKING, State.HELD]


def test_the_most_copied_makes_way_first(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(3))
    samples = [press.make(day=TODAY - 2) for _ in range(3)]
    for copies, sample in enumerate(samples):
        keeper.take(sample)
        for _ in range(copies):
            keeper.custody.stored_by_peer(sample.ref)
    keeper.take(press.make())
    assert keeper.states(samples) == [State.HELD, State.HELD, State.LACKING]


def test_acked_bodies_go_before_all_others(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(2))
    flash, bulk = press.make(FLASH), press.make(BULK, day=TODAY - 8)
    keeper.take(flash)
    keeper.take(bulk)
    keeper.custody.acknowledge(flash.receipt, at())
    assert keeper.take(press.make(BULK, day=TODAY - 10)) is Judgement.WANTED
    assert keeper.states([flash, bulk]) == [State.ACKED, State.HELD]


def test_an_aged_body_goes_and_leaves_no_mark(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(1))
    aged = press.make(life=1)
    keeper.take(aged, at(0.0))
    keeper.custody.sweep(at(DAY_S))
    assert keeper.state(aged) is State.AGED
    assert keeper.take(press.make(BULK), at(DAY_S)) is Judgement.WANTED
    assert keeper.state(aged) is None


def test_what_the_floor_left_behind_goes_first_when_space_is_short(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(2))
    over, acked = press.make(FLASH, life=1), press.make(life=14)
    keeper.take(over)
    keeper.take(acked)
    keeper.custody.acknowledge(acked.receipt, at())
    jumped = at(1000.0, TODAY + 7, settled_day=TODAY)
    keeper.custody.sweep(jumped)
    assert keeper.states([over, acked]) == [State.HELD, State.ACKED_WITH_BODY]
    assert keeper.take(press.make(BULK), jumped) is Judgement.WANTED
    assert keeper.states([over, acked]) == [State.LACKING, State.ACKED_WITH_BODY]


def test_who_does_not_find_all_the_room_displaces_nothing(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(4) + 66560)
    bulk = press.make(BULK)
    flashes = [press.make(FLASH) for _ in range(3)]
    large = press.make(ROUTINE, size=66560)
    for sample in (bulk, *flashes, large):
        assert keeper.take(sample) is Judgement.WANTED
    another = press.make(ROUTINE, size=66560)
    assert keeper.custody.judge(another.bundle.offer, at()) is Judgement.NO_ROOM
    assert keeper.take(another) is Judgement.NO_ROOM
    assert keeper.states([bulk, large]) == [State.HELD, State.HELD]


def test_a_large_one_displaces_as_many_small_ones_as_it_needs(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(40))
    for _ in range(40):
        keeper.take(press.make(BULK))
    assert keeper.take(press.make(ROUTINE, size=66560)) is Judgement.WANTED
    usage = keeper.carry.usage()
    assert usage.by_class[ROUTINE] == 66560
    assert usage.by_class[BULK] == 7 * 2048


def test_pinned_bodies_and_notices_are_never_displaced(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(2))
    pinned, notice = press.make(BULK, day=TODAY - 14), press.make(NOTICE, day=TODAY - 14)
    keeper.take(pinned)
    keeper.take(notice)
    keeper.custody.pin(pinned.ref)
    assert keeper.take(press.make(FLASH)) is Judgement.NO_ROOM
    keeper.custody.unpin(pinned.ref, at())
    assert keeper.take(press.make(FLASH)) is Judgement.WANTED
    assert keeper.states([pinned, notice]) == [State.LACKING, State.HELD]


def test_a_notice_comes_in_though_nothing_makes_way(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(1))
    keeper.take(press.make(NOTICE))
    assert keeper.take(press.make(NOTICE)) is Judgement.WANTED


def test_own_work_comes_in_though_the_quota_is_full(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(1))
    bulk, own = press.make(BULK), press.make(FLASH)
    keeper.take(bulk)
    keeper.custody.keep_own(own.bundle, at(), release_after_s=0)
    assert keeper.states([own, bulk]) == [State.HELD, State.LACKING]
    second = press.make(BULK, size=66560)
    keeper.custody.keep_own(second.bundle, at(), release_after_s=0)
    assert keeper.states([own, second]) == [State.HELD, State.HELD]


def test_a_full_disk_is_said_to_the_caller(press: Press) -> None:
    keeper = Keeper(carry=MemoryCarry(disk_bytes=1000))
    with pytest.raises(StoreFull):
        keeper.take(press.make())
    with pytest.raises(StoreFull):
        keeper.custody.keep_own(press.make().bundle, at(), release_after_s=0)
    assert keeper.carry.count_elements() == 0


# Partitions


def room_of(carry: MemoryCarry, quota_bytes: int) -> Room:
    return Room(carry, Terms(quota_bytes=quota_bytes, collector=False, desk=False))


def test_stamped_bundles_have_at_most_a_tenth(press: Press) -> None:
    carry = MemoryCarry()
    room = room_of(carry, full(20))
    for number in range(2):
        assert room.make(press.make().bundle, AuthKind.STAMP, at())
        entry = entry_of(number, auth=AuthKind.STAMP)
        carry.add(entry, body_of(entry))
    assert not room.make(press.make().bundle, AuthKind.STAMP, at())
    assert room.make(press.make().bundle, AuthKind.POSTAGE, at())
    newer = press.make(day=TODAY + 2)
    assert not room.make(newer.bundle, AuthKind.STAMP, at())
    assert room.make(newer.bundle, AuthKind.STAMP, at(floor_day=TODAY + 2))
    assert [carry.state(entry_of(number).ref) for number in range(2)] == [
        State.LACKING,
        State.HELD,
    ]


def test_a_stamped_bundle_displaces_no_postage_and_goes_before_it(press: Press) -> None:
    carry = MemoryCarry()
    room = room_of(carry, full(20))
    for number in range(20):
        stamped = number == 7
        auth = AuthKind.STAMP if stamped else AuthKind.POSTAGE
        traffic = FLASH if stamped else BULK
        entry = entry_of(number, traffic=traffic, auth=auth, day=TODAY - 2, key=number)
        carry.add(entry, body_of(entry))
    assert not room.could_take(press.make(BULK).bundle, AuthKind.STAMP, at())
    assert room.make(press.make(BULK, day=TODAY - 8).bundle, AuthKind.POSTAGE, at())
    assert carry.state(entry_of(7, traffic=FLASH, day=TODAY - 2).ref) is State.LACKING


def test_a_class_is_easy_when_a_tenth_is_free_or_taken_by_less_urgent_ones() -> None:
    carry = MemoryCarry()
    room = room_of(carry, full(10))
    for number, traffic in enumerate([BULK] * 5 + [ROUTINE] * 4 + [FLASH]):
        entry = entry_of(number, traffic=traffic)
        carry.add(entry, body_of(entry))
    assert [room.is_easy(traffic) for traffic in TrafficClass] == [True, True, True, False]


# The disk


def test_a_disk_that_fills_up_makes_the_store_smaller(press: Press) -> None:
    keeper = Keeper(quota_bytes=full(100))
    samples = [press.make(day=TODAY - 2 * number) for number in range(5)]
    for sample in samples:
        keeper.take(sample)
    keeper.custody.free_space(RESERVE_BYTES - full(3))
    assert keeper.custody.free_bytes() == 0
    keeper.custody.sweep(at())
    assert keeper.states(samples) == [State.HELD] * 2 + [State.LACKING] * 3
    assert keeper.take(press.make(BULK)) is Judgement.NO_ROOM
    keeper.custody.free_space(RESERVE_BYTES + full(1))
    assert keeper.take(press.make(BULK)) is Judgement.WANTED
    assert keeper.take(press.make(BULK)) is Judgement.NO_ROOM
    keeper.custody.free_space(1 << 40)
    assert keeper.custody.free_bytes() == full(97)


def test_a_bundle_dated_ahead_displaces_nothing_that_came_the_same_day(press: Press) -> None:
    # Postage is good for a year, so whoever has a card could else own every store.
    keeper = Keeper(quota_bytes=full(10))
    honest = [press.make() for _ in range(10)]
    for sample in honest:
        keeper.take(sample)
    assert keeper.take(press.make(day=TODAY + 380)) is Judgement.NO_ROOM
    assert set(keeper.states(honest)) == {State.HELD}
