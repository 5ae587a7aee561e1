"""Time without trusting a clock."""

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from meshnews.limits import CLOCK_AHEAD_S_MAX, FLOOR_STEP_S_MAX
from meshnews.store.age import DAY_S, DAY_ZERO_S, SAVE_S, SHELF, Clock, Moment, Timekeeper, day_at
from meshnews.store.memory import MemoryCarry

NOON = DAY_ZERO_S + 2100 * DAY_S + 43200
START = Clock(boot_s=100.0, boot_id=b"a" * 16, wall_s=float(NOON), wall_is_trusted=True)


def later(clock: Clock, seconds: float) -> Clock:
    return replace(clock, boot_s=clock.boot_s + seconds, wall_s=clock.wall_s + seconds)


def rebooted(clock: Clock, *, off_s: float, up_s: float = 10.0) -> Clock:
    boot_id = bytes((clock.boot_id[0] + 1,)) * 16
    wall_s = clock.wall_s + off_s + up_s
    return Clock(boot_s=up_s, boot_id=boot_id, wall_s=wall_s, wall_is_trusted=True)


@pytest.fixture
def carry() -> MemoryCarry:
    return MemoryCarry()


# Life


def test_life_begins_at_nothing_and_passes_with_uptime(carry: MemoryCarry) -> None:
    keeper = Timekeeper(carry)
    assert keeper.moment(START).lived_s == 0.0
    assert keeper.moment(later(START, 50)).lived_s == 50.0


def test_a_daemon_that_starts_again_has_lived_on(carry: MemoryCarry) -> None:
    Timekeeper(carry).moment(START)
    assert Timekeeper(carry).moment(later(START, 50)).lived_s == 50.0
    assert Timekeeper(carry).moment(later(START, 70)).lived_s == 70.0


def test_a_pause_counts_when_the_wall_clock_was_trusted_at_both_ends(carry: MemoryCarry) -> None:
    Timekeeper(carry).moment(START)
    after = rebooted(START, off_s=1000.0)
    assert Timekeeper(carry).moment(after).lived_s == 1010.0
    assert Timekeeper(carry).moment(later(after, 5)).lived_s == 1015.0


@pytest.mark.parametrize(("before", "after"), [(False, True), (True, False), (False, False)])
def test_of_another_pause_only_the_uptime_since_counts(
    carry: MemoryCarry, before: bool, after: bool
) -> None:
    Timekeeper(carry).moment(replace(START, wall_is_trusted=before))
    clock = replace(rebooted(START, off_s=1000.0), wall_is_trusted=after)
    assert Timekeeper(carry).moment(clock).lived_s == 10.0


def test_a_pause_is_at_most_400_days_and_never_negative(carry: MemoryCarry) -> None:
    Timekeeper(carry).moment(START)
    after = rebooted(START, off_s=4000.0 * DAY_S)
    assert Timekeeper(carry).moment(after).lived_s == CLOCK_AHEAD_S_MAX
    back = rebooted(after, off_s=-4000.0 * DAY_S)
    assert Timekeeper(carry).moment(back).lived_s == CLOCK_AHEAD_S_MAX + 10.0


def test_a_home_that_moves_to_a_machine_that_was_on_for_a_month_has_not_lived_that_month(
    carry: MemoryCarry,
) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(START)
    keeper.raise_floor(NOON - DAY_S)
    moved = rebooted(START, off_s=60.0 - 30 * DAY_S, up_s=30.0 * DAY_S)
    there = Timekeeper(carry)
    assert there.moment(moved).lived_s == 60.0
    assert there.believes_wall(moved)


def test_a_boot_clock_that_runs_backwards_stands_still(carry: MemoryCarry) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(START)
    assert keeper.moment(later(START, -50)).lived_s == 0.0


def test_a_clock_that_comes_to_be_trusted_counts_from_then_whenever_the_power_fails(
    carry: MemoryCarry,
) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(replace(START, wall_is_trusted=False))
    keeper.moment(later(START, 20))
    after = rebooted(later(START, 20), off_s=10 * DAY_S)
    assert Timekeeper(carry).moment(after).lived_s == 10 * DAY_S + 30.0
    moved = rebooted(later(after, 60), off_s=-300 * DAY_S, up_s=300 * DAY_S)
    assert Timekeeper(carry).moment(moved).lived_s == 10 * DAY_S + 90.0


@pytest.mark.parametrize("is_restarted", [False, True])
def test_after_a_step_back_of_the_boot_clock_life_goes_on(
    carry: MemoryCarry, is_restarted: bool
) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(START)
    before = keeper.moment(later(START, 90 * DAY_S))
    keeper.save()
    if is_restarted:
        keeper = Timekeeper(carry)
    assert keeper.moment(START).lived_s == before.lived_s
    assert keeper.moment(later(START, 50)).lived_s == before.lived_s + 50.0
    assert Timekeeper(carry).moment(later(START, 70)).lived_s == before.lived_s + 70.0


def test_life_is_written_down_now_and_then_and_at_each_boot(carry: MemoryCarry) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(START)
    first = carry.get(SHELF, b"life")
    keeper.moment(later(START, SAVE_S - 1))
    keeper.save()
    assert carry.get(SHELF, b"life") == first
    keeper.moment(later(START, SAVE_S))
    keeper.save()
    second = carry.get(SHELF, b"life")
    assert second != first
    Timekeeper(carry).moment(rebooted(START, off_s=0.0))
    assert carry.get(SHELF, b"life") != second


clocks = st.lists(
    st.tuples(st.floats(0, 1e6), st.floats(-1e7, 1e7), st.booleans(), st.integers(0, 3)),
    max_size=12,
)


@given(clocks)
def test_life_and_floor_never_run_backwards(steps: list[tuple[float, float, bool, int]]) -> None:
    carry = MemoryCarry()
    keeper = Timekeeper(carry)
    clock, before = START, keeper.moment(START)
    keeper.raise_floor(NOON)
    for passed_s, wall_off_s, trusted, happens in steps:
        clock = replace(later(clock, passed_s), wall_s=NOON + wall_off_s, wall_is_trusted=trusted)
        if happens == 1:
            clock = replace(clock, boot_s=passed_s, boot_id=bytes((clock.boot_id[0] ^ 1,)) * 16)
        if happens >= 1:
            keeper = Timekeeper(carry)
        moment = keeper.moment(clock)
        keeper.save()
        # Life is kept in milliseconds, and a power cut costs what was not yet written down.
        lost_s = SAVE_S if happens == 1 else 0.002
        assert moment.lived_s >= before.lived_s - lost_s
        assert moment.floor_day >= before.floor_day - (happens >= 1)
        assert moment.floor_day <= moment.today <= moment.floor_day + 400
        assert moment.sweep_day <= moment.floor_day
        if happens == 2:
            keeper.raise_floor(int(NOON + wall_off_s))
        before = keeper.moment(clock)


# The floor


def test_without_a_word_from_the_desk_it_may_be_2020(carry: MemoryCarry) -> None:
    moment = Timekeeper(carry).moment(replace(START, wall_is_trusted=False))
    assert moment == Moment(0.0, day_at(DAY_ZERO_S), day_at(DAY_ZERO_S))


def test_the_first_word_is_believed_whole_and_later_ones_step_by_step(carry: MemoryCarry) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(START)
    keeper.raise_floor(NOON)
    assert keeper.moment(START).floor_day == 2100
    keeper.raise_floor(NOON + 100 * DAY_S)
    assert keeper.moment(START).floor_day == 2107
    keeper.raise_floor(NOON + 100 * DAY_S)
    assert keeper.moment(START).floor_day == 2114
    keeper.raise_floor(NOON)
    assert keeper.moment(START).floor_day == 2114
    assert FLOOR_STEP_S_MAX == 7 * DAY_S


def test_the_floor_rises_with_uptime_also_across_restarts(carry: MemoryCarry) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(START)
    keeper.raise_floor(NOON)
    assert keeper.moment(later(START, 2 * DAY_S)).floor_day == 2102
    assert Timekeeper(carry).moment(later(START, 3 * DAY_S)).floor_day == 2103


def test_a_wall_clock_that_went_back_says_nothing_of_what_has_passed(carry: MemoryCarry) -> None:
    Timekeeper(carry).moment(START)
    back = rebooted(START, off_s=-4000.0, up_s=500.0)
    assert Timekeeper(carry).moment(back).lived_s == 500.0


def test_a_lying_wall_clock_ages_but_does_not_move_the_floor(carry: MemoryCarry) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(START)
    keeper.raise_floor(NOON)
    lie = rebooted(START, off_s=390.0 * DAY_S)
    moment = Timekeeper(carry).moment(lie)
    assert moment.lived_s > 389 * DAY_S
    assert moment.floor_day == 2100


@pytest.mark.parametrize(
    ("off_days", "today"), [(0, 2100), (3, 2103), (399, 2499), (401, 2100), (-1, 2100)]
)
def test_the_wall_clock_is_believed_within_bounds(
    carry: MemoryCarry, off_days: int, today: int
) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(START)
    keeper.raise_floor(NOON)
    clock = replace(START, wall_s=START.wall_s + off_days * DAY_S)
    assert keeper.moment(clock).today == today
    assert keeper.moment(replace(clock, wall_is_trusted=False)).today == 2100


def test_a_jump_leaves_three_days_of_grace(carry: MemoryCarry) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(START)
    keeper.raise_floor(NOON)
    assert keeper.moment(START).sweep_day == 2100
    keeper.raise_floor(NOON + 7 * DAY_S)
    assert (keeper.moment(START).floor_day, keeper.moment(START).sweep_day) == (2107, 2100)
    two_days = Timekeeper(carry).moment(later(START, 2 * DAY_S))
    assert (two_days.floor_day, two_days.sweep_day) == (2109, 2102)
    three_days = Timekeeper(carry).moment(later(START, 3 * DAY_S))
    assert (three_days.floor_day, three_days.sweep_day) == (2110, 2110)


def test_further_jumps_do_not_cut_the_grace_short(carry: MemoryCarry) -> None:
    keeper = Timekeeper(carry)
    keeper.moment(START)
    keeper.raise_floor(NOON)
    for weeks in range(1, 5):
        keeper.raise_floor(NOON + weeks * 7 * DAY_S)
    moment = keeper.moment(START)
    assert (moment.floor_day, moment.sweep_day) == (2128, 2100)


def test_days_are_counted_from_2020() -> None:
    assert day_at(DAY_ZERO_S) == 0
    assert day_at(DAY_ZERO_S + DAY_S - 1) == 0
    assert day_at(DAY_ZERO_S + DAY_S) == 1
    assert day_at(0) == 0
    assert day_at(-1e12) == 0
