"""Which beacons are believed."""

from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import SymmetricKey
from meshnews.ids import Day
from meshnews.link.beacon import Flag, Heard
from meshnews.link.freshness import Hearing, Mark, day_of
from meshnews.link.rendezvous import Mode, Rendezvous
from tests.link.neighbours import rendezvous_of

RELAY = rendezvous_of(Mode.RELAY, SeededEntropy(b"fresh"))
NOW = 2_000_000


def heard(epoch: int, flags: Flag = Flag.NONE, rendezvous: Rendezvous = RELAY) -> Heard[str]:
    return Heard("it", rendezvous, epoch, 4000, flags, bytes(16))


def members(day: int) -> Rendezvous:
    return Rendezvous.of_members(SymmetricKey(bytes(32)), Day(day))


@given(st.integers(-10, 10))
def test_between_clocks_two_epochs_either_way_are_fresh(apart: int) -> None:
    assert Hearing[str]().is_fresh(heard(NOW + apart), epoch=NOW) == (abs(apart) <= 2)


def test_a_listener_without_a_clock_refuses_what_is_older_than_the_last_link() -> None:
    hearing: Hearing[str] = Hearing()
    assert hearing.is_fresh(heard(100), epoch=None)
    assert hearing.linked(heard(100)) == Mark(epoch=100)
    assert not hearing.is_fresh(heard(99), epoch=None)
    assert hearing.is_fresh(heard(100), epoch=None)
    assert hearing.is_fresh(heard(5000), epoch=None)


def test_a_sender_without_a_clock_is_judged_by_its_count_alone() -> None:
    hearing: Hearing[str] = Hearing()
    hearing.linked(heard(7, Flag.CLOCKLESS))
    assert not hearing.is_fresh(heard(6, Flag.CLOCKLESS), epoch=NOW)
    assert hearing.is_fresh(heard(7, Flag.CLOCKLESS), epoch=NOW)


def test_counts_and_epochs_of_one_sender_are_told_apart() -> None:
    hearing: Hearing[str] = Hearing()
    hearing.linked(heard(NOW))
    assert hearing.is_fresh(heard(1, Flag.CLOCKLESS), epoch=None)
    assert hearing.linked(heard(1, Flag.CLOCKLESS)) == Mark(epoch=NOW, count=1)


def test_hearing_a_large_number_without_a_link_leaves_no_mark() -> None:
    hearing: Hearing[str] = Hearing()
    assert hearing.is_fresh(heard(0xFFFFFFFF, Flag.CLOCKLESS), epoch=None)
    assert hearing.is_fresh(heard(1, Flag.CLOCKLESS), epoch=None)


def test_marks_outlive_a_restart_when_the_caller_keeps_them() -> None:
    before: Hearing[str] = Hearing()
    mark = before.linked(heard(50))
    assert mark is not None
    assert not Hearing({"it": mark}).is_fresh(heard(49), epoch=None)


def test_an_older_link_does_not_lower_the_mark() -> None:
    hearing: Hearing[str] = Hearing({"it": Mark(epoch=50)})
    assert hearing.linked(heard(40)) is None
    assert not hearing.is_fresh(heard(49), epoch=None)


def test_a_forgotten_key_has_no_mark() -> None:
    hearing: Hearing[str] = Hearing({"it": Mark(epoch=50)})
    hearing.forget("it")
    assert hearing.is_fresh(heard(1), epoch=None)


def test_members_of_one_day_do_not_outrank_each_other() -> None:
    hearing: Hearing[str] = Hearing()
    assert hearing.linked(heard(900, Flag.CLOCKLESS, members(700))) is None
    assert hearing.is_fresh(heard(3, Flag.CLOCKLESS, members(700)), epoch=None)


def test_under_a_mesh_key_the_epoch_belongs_to_its_day() -> None:
    hearing: Hearing[str] = Hearing()
    day = day_of(NOW)
    assert hearing.is_fresh(heard(NOW, rendezvous=members(day)), epoch=None)
    assert hearing.is_fresh(heard(NOW, rendezvous=members(day + 1)), epoch=None)
    assert not hearing.is_fresh(heard(NOW, rendezvous=members(day + 2)), epoch=None)


def test_those_who_seek_are_many_and_leave_no_mark() -> None:
    hearing: Hearing[str] = Hearing({"it": Mark(count=50)})
    seeking = heard(3, Flag.SEEK | Flag.CLOCKLESS)
    assert hearing.is_fresh(seeking, epoch=NOW)
    assert hearing.linked(seeking) is None


def test_an_epoch_lies_in_its_day() -> None:
    assert day_of(1_577_836_800 // 900) == 0
    assert day_of(1_577_836_800 // 900 + 96) == 1
    assert day_of(1_577_836_800 // 900 - 1) == -1
