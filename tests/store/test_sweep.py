"""What time does to a store."""

import pytest

from meshnews.ids import TrafficClass
from meshnews.limits import SWEEP_ENTRIES_MAX, SWEEP_S_MAX
from meshnews.store.port import State
from meshnews.store.terms import Judgement
from tests.store.kit import DAY_S, TODAY, Keeper, Press, at, body_of, entry_of


@pytest.fixture
def press() -> Press:
    return Press()


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


def test_a_bundle_ages_leaves_the_set_and_goes_when_it_expires(
    press: Press, keeper: Keeper
) -> None:
    sample = press.make(life=3)
    keeper.take(sample)
    keeper.custody.sweep(at(999.0 + 3 * DAY_S, TODAY + 2))
    assert keeper.state(sample) is State.HELD
    keeper.custody.sweep(at(1700.0 + 3 * DAY_S, TODAY + 3))
    assert keeper.state(sample) is State.AGED
    assert keeper.custody.days(TrafficClass.ROUTINE) == []
    keeper.custody.sweep(at(1000.0 + 5 * DAY_S, TODAY + 5))
    assert keeper.state(sample) is State.AGED
    keeper.custody.sweep(at(1000.0 + 6 * DAY_S, TODAY + 6))
    assert keeper.state(sample) is State.LACKING
    assert keeper.carry.usage().total == 0


def test_a_mark_of_what_expired_keeps_it_from_being_fetched_again(
    press: Press, keeper: Keeper
) -> None:
    sample = press.make(life=1)
    keeper.take(sample)
    for days in range(1, 19):
        keeper.custody.sweep(at(1000.0 + days * DAY_S, TODAY + days))
        if days >= 4:
            moment = at(1000.0 + days * DAY_S, TODAY + days)
            assert keeper.state(sample) is State.LACKING
            assert not keeper.custody.wants(sample.ref, State.HELD, moment)
            assert not keeper.custody.missing(TrafficClass.ROUTINE, moment, at_most=9)
    keeper.custody.sweep(at(1000.0 + 19 * DAY_S, TODAY + 19))
    assert keeper.state(sample) is None
    assert not keeper.custody.wants(sample.ref, State.HELD, at(1000.0 + 19 * DAY_S, TODAY + 19))


def test_on_a_node_whose_floor_stands_still_age_alone_leaves_no_mark(
    press: Press, keeper: Keeper
) -> None:
    sample, lacking = press.make(life=1), entry_of(1, State.LACKING, dies_at_s=2000.0)
    keeper.take(sample)
    keeper.carry.add(lacking, b"")
    keeper.custody.sweep(at(1000.0 + 2 * DAY_S))
    assert keeper.state(sample) is State.AGED
    assert keeper.carry.entry(lacking.ref) is None
    keeper.custody.sweep(at(1000.0 + 900 * DAY_S))
    assert keeper.state(sample) is State.AGED


def test_an_own_bundle_that_aged_keeps_its_body(press: Press, keeper: Keeper) -> None:
    sample = press.make(life=1)
    keeper.custody.keep_own(sample.bundle, at(), release_after_s=0)
    for days in range(1, 60):
        keeper.custody.sweep(at(1000.0 + days * DAY_S, TODAY + days))
    assert keeper.state(sample) is State.AGED
    assert keeper.custody.body(sample.ref) == sample.bundle.wire


def test_a_desks_machine_lets_nothing_age(press: Press) -> None:
    for keeper in (Keeper(desk=True), Keeper(collector=True)):
        sample = press.make(life=1)
        keeper.take(sample)
        for days in range(1, 34):
            keeper.custody.sweep(at(1000.0 + days * DAY_S, TODAY + days))
            assert keeper.state(sample) is State.HELD
        keeper.custody.sweep(at(1000.0 + 34 * DAY_S, TODAY + 34))
        assert keeper.state(sample) is State.LACKING


def test_a_jump_of_the_floor_drops_nothing_for_three_days(press: Press, keeper: Keeper) -> None:
    sample = press.make(life=3)
    keeper.take(sample)
    keeper.custody.sweep(at(2000.0, TODAY + 14, settled_day=TODAY))
    assert keeper.state(sample) is State.HELD
    assert keeper.custody.give(sample.ref, at(2000.0, TODAY + 14, settled_day=TODAY)) is None
    keeper.custody.sweep(at(2000.0 + 3 * DAY_S, TODAY + 17))
    assert keeper.state(sample) in {State.LACKING, None}


def test_a_sweep_does_a_bounded_piece_and_comes_back(keeper: Keeper) -> None:
    total = 2 * SWEEP_ENTRIES_MAX + 10
    for number in range(total):
        entry = entry_of(number, dies_at_s=10.0, key=number)
        keeper.carry.add(entry, body_of(entry))
    moment = at(1000.0)
    assert keeper.custody.next_s(moment) == 1000.0
    aged = []
    for _ in range(4):
        keeper.custody.sweep(moment)
        elements = keeper.custody.elements(TrafficClass.ROUTINE, TODAY)
        aged.append(total - len(elements))
        next_s = keeper.custody.next_s(moment)
        assert next_s is not None
        moment = at(next_s)
    assert aged == [SWEEP_ENTRIES_MAX, 2 * SWEEP_ENTRIES_MAX, total, total]


def test_an_idle_node_sweeps_seldom(keeper: Keeper) -> None:
    keeper.custody.sweep(at(1000.0))
    assert keeper.custody.next_s(at(1000.0)) == 1000.0 + SWEEP_S_MAX


def test_a_crash_in_a_batch_leaves_nothing_of_it(press: Press, keeper: Keeper) -> None:
    class Crash(Exception):
        pass

    held, high = press.make(), press.make()
    keeper.take(held)
    before = [*keeper.custody.elements(TrafficClass.ROUTINE, TODAY)]

    def batch() -> None:
        with keeper.carry.transaction():
            assert keeper.take(high) is Judgement.WANTED
            keeper.custody.acknowledge(held.receipt, at())
            keeper.custody.sweep(at(1000.0 + 40 * DAY_S, TODAY + 40))
            raise Crash

    with pytest.raises(Crash):
        batch()
    assert [*keeper.custody.elements(TrafficClass.ROUTINE, TODAY)] == before
    assert keeper.custody.body(held.ref) == held.bundle.wire
    assert keeper.take(high) is Judgement.WANTED
