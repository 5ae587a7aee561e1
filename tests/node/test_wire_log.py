"""The log of when there was a way out: signed, chained, and what is learnt from it."""

import itertools
from collections.abc import Iterable
from dataclasses import replace

import pytest

from meshnews.errors import Forged, Malformed, PeerError
from meshnews.limits import WIRE_LOG_MAX
from meshnews.node.home import Wall
from meshnews.node.identity import Role
from meshnews.node.links.wire_log import GAP_S, SLOT_S, Window, WireLog, link_of, read_entry
from tests.node.evidence import windows_of
from tests.node.newsroom import DAY_S, Machine, make_home

HOUR_S = 3600.0


class Days:
    """A machine whose time is set by hand, and its log."""

    def __init__(self, role: Role = Role.RELAY) -> None:
        self.machine: Machine = make_home("near", role)
        self.log: WireLog = self.machine.node.wire_log
        self.midnight = self.machine.node.home.wall.s // 86400 * 86400

    def pass_to(self, at_s: float) -> None:
        """Let it be so many seconds after the first midnight."""
        home = self.machine.node.home
        now_s = home.moment.lived_s + (self.midnight + at_s - home.wall.s)
        home.moment = replace(home.moment, lived_s=now_s)
        home.wall = Wall(int(self.midnight + at_s), trusted=True)

    def note(self, at_s: float, *, is_up: bool) -> None:
        self.pass_to(at_s)
        with self.machine.carry.transaction():
            self.log.note(is_up=is_up)

    def window(self, began_s: float, ended_s: float) -> None:
        self.note(began_s, is_up=True)
        self.note(ended_s, is_up=False)
        self.note(ended_s + GAP_S, is_up=False)

    def days(self, days: Iterable[int], began_h: float, ended_h: float) -> None:
        for day in days:
            self.window(day * DAY_S + began_h * HOUR_S, day * DAY_S + ended_h * HOUR_S)

    def expected_h(self) -> float | None:
        at = self.log.expected_at()
        return None if at is None else (at - self.midnight) / HOUR_S

    def said(self) -> list[tuple[bool, int]]:
        return [(entry.is_up, entry.at - self.midnight) for entry in self.log.entries()]


def test_a_window_is_two_entries() -> None:
    one = Days()
    one.window(100, 500)
    assert one.said() == [(True, 100), (False, 500)]
    assert list(one.log.windows()) == [Window(one.midnight + 100, one.midnight + 500)]


def test_a_link_that_is_renewed_is_no_end() -> None:
    one = Days()
    one.note(100, is_up=True)
    one.note(200, is_up=False)
    one.note(200 + GAP_S - 1, is_up=True)
    one.note(900, is_up=True)
    assert one.said() == [(True, 100)]
    assert one.log.up_since == one.midnight + 100


def test_the_end_of_a_window_is_looked_for_though_nothing_happens() -> None:
    one = Days()
    one.note(100, is_up=True)
    assert one.log.due_s is None
    one.note(200, is_up=False)
    assert one.log.due_s is not None


def test_after_a_power_cut_a_window_ended_when_it_was_last_seen() -> None:
    one = Days()
    for at_s in range(100, 1000, 30):
        one.note(at_s, is_up=True)
    one.machine.restart()
    one.log = one.machine.node.wire_log
    (_, began), (_, ended) = one.said()
    assert began == 100
    assert 900 <= ended <= 1000


@pytest.mark.parametrize("role", Role)
def test_every_entry_is_signed_and_names_the_one_before(role: Role) -> None:
    one = Days(role)
    one.days(range(3), 8, 9)
    entries = one.log.entries()
    assert [entry.number for entry in entries] == list(range(6))
    assert entries[0].prev == bytes(16)
    for before, after in itertools.pairwise(entries):
        assert after.prev == link_of(before.signed)
        assert read_entry(after.signed, one.log.key) == after


@pytest.mark.parametrize("role", Role)
def test_whoever_has_the_page_and_the_key_can_check_a_log(role: Role) -> None:
    one = Days(role)
    one.days(range(3), 8, 9)
    entries = one.log.entries()
    said = windows_of(one.log.key, [entry.signed for entry in entries])
    assert said == [(entry.is_up, entry.at) for entry in entries]


def test_an_entry_that_was_changed_is_a_forgery() -> None:
    one = Days()
    one.window(100, 500)
    (first, _) = one.log.entries()
    spoilt = bytearray(first.signed)
    spoilt[-1] ^= 1
    with pytest.raises(Forged):
        read_entry(bytes(spoilt), one.log.key)
    with pytest.raises(Forged):
        read_entry(first.signed, Days(Role.REPORTER).log.key)


@pytest.mark.parametrize("garbage", [b"", b"\x00", b"\x92\xc4\x00\xc4\x00", bytes(600)])
def test_garbage_is_no_entry(garbage: bytes) -> None:
    with pytest.raises(PeerError):
        read_entry(garbage, Days().log.key)


def test_something_else_that_was_signed_is_no_entry() -> None:
    one = Days()
    one.window(100, 500)
    with pytest.raises(Malformed):
        read_entry(one.log.entries()[0].signed[:-1], one.log.key)


def test_a_relay_signs_with_its_own_key_and_a_person_with_one_that_names_no_byline() -> None:
    relay, person = Days(Role.RELAY), Days(Role.REPORTER)
    own = relay.machine.node.home.identity.relay
    assert own is not None
    with person.machine.carry.transaction():
        assert relay.log.key == own.sign.public
        first = person.log.key
        assert person.log.key == first
    assert person.machine.vault is not None
    assert first not in {value for _, _, value in person.machine.contents}


def test_a_log_is_bounded_and_keeps_the_newest() -> None:
    one = Days()
    for number in range(WIRE_LOG_MAX // 2 + 5):
        one.window(number * 1000, number * 1000 + 100)
    entries = one.log.entries()
    assert len(entries) == WIRE_LOG_MAX
    assert entries[-1].number == WIRE_LOG_MAX + 9


# What is learnt -----------------------------------------------------------


def test_nothing_is_expected_where_nothing_was_seen_twice() -> None:
    one = Days()
    assert one.expected_h() is None
    one.days([0], 8.5, 9)
    assert one.expected_h() is None


def test_what_came_every_morning_is_expected_again_in_the_morning() -> None:
    one = Days()
    one.days(range(5), 8.5, 9.2)
    one.pass_to(4 * DAY_S + 12 * HOUR_S)
    assert one.expected_h() == 5 * 24 + 8.5


def test_the_nearest_of_two_habits_is_told() -> None:
    one = Days()
    for day in range(4):
        one.days([day], 8, 8.4)
        one.days([day], 20, 20.4)
    one.pass_to(3 * DAY_S + 12 * HOUR_S)
    assert one.expected_h() == 3 * 24 + 20


def test_a_window_over_midnight_counts_for_both_days() -> None:
    one = Days()
    one.days(range(3), 23.5, 24.4)
    one.pass_to(3 * DAY_S + 12 * HOUR_S)
    assert one.expected_h() == 3 * 24 + 23.5


def test_what_came_once_beside_a_habit_is_not_expected() -> None:
    one = Days()
    one.days(range(6), 8, 8.4)
    one.days([6], 15, 15.4)
    one.pass_to(7 * DAY_S + 12 * HOUR_S)
    assert one.expected_h() == 8 * 24 + 8


def test_the_histogram_counts_days_and_not_windows() -> None:
    one = Days()
    for day in range(3):
        one.days([day], 8, 8.1)
        one.days([day], 8.2, 8.3)
        one.days([day], 20.4, 20.6)
    one.pass_to(3 * DAY_S)
    counted = {slot: number for slot, number in enumerate(one.log.histogram()) if number}
    assert counted == {16: 3, 40: 3, 41: 3}
    one.pass_to(40 * DAY_S)
    assert set(one.log.histogram()) == {0}


def test_a_window_that_a_wrong_clock_ended_in_another_century_costs_no_time_and_counts_once() -> (
    None
):
    one = Days()
    one.note(8 * HOUR_S, is_up=True)
    one.note(36525 * DAY_S, is_up=False)
    one.note(36525 * DAY_S + GAP_S, is_up=False)
    one.pass_to(8.4 * HOUR_S)
    counted = {slot: number for slot, number in enumerate(one.log.histogram()) if number}
    assert counted == {16: 1}


def test_what_is_long_ago_is_forgotten() -> None:
    one = Days()
    one.days(range(3), 8, 8.4)
    one.pass_to(40 * DAY_S)
    assert one.expected_h() is None
    assert SLOT_S * 48 == DAY_S
