"""A node's own beacons from epoch to epoch."""

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.errors import LocalMisuse
from meshnews.limits import BEACON_EPOCH_S
from meshnews.link.beacon import Flag, Heard, hear
from meshnews.link.beacon_book import BeaconBook
from meshnews.link.rendezvous import Mode
from meshnews.link.short_beacon import hear_short
from tests.link.neighbours import rendezvous_of

ENTROPY = SeededEntropy(b"book")
RELAY = rendezvous_of(Mode.RELAY, ENTROPY)
MEMBERS = rendezvous_of(Mode.MEMBER, ENTROPY)
WALL_S = 1_641_400_000.0


def book(count: int = 0) -> BeaconBook:
    return BeaconBook(SeededEntropy(b"one start"), count=count)


def opened(count: int = 0) -> BeaconBook:
    it = book(count)
    assert it.turn(boot_s=0.0, wall_s=WALL_S)
    return it


def said(packet: bytes) -> Heard[str]:
    heard = hear(packet, [("relay", RELAY), ("members", MEMBERS)])
    assert heard is not None
    return heard


def test_a_beacon_stays_the_same_through_an_epoch() -> None:
    it = opened()
    first = it.beacon(RELAY, port=4000)
    assert not it.turn(boot_s=5.0, wall_s=WALL_S + 5)
    assert it.beacon(RELAY, port=4000) == first


def test_the_next_epoch_has_another_beacon_with_the_next_number() -> None:
    it = opened()
    first = said(it.beacon(RELAY, port=4000))
    assert it.turn(boot_s=BEACON_EPOCH_S, wall_s=WALL_S + BEACON_EPOCH_S)
    second = said(it.beacon(RELAY, port=4000))
    assert second.epoch == first.epoch + 1 == it.epoch
    assert second.nonce != first.nonce


def test_each_key_port_and_flag_has_a_nonce_of_its_own() -> None:
    it = opened()
    beacons = [
        it.beacon(RELAY, port=4000),
        it.beacon(RELAY, port=4001),
        it.beacon(RELAY, port=4000, flags=Flag.SEEK),
        it.beacon(MEMBERS, port=4000),
    ]
    assert len({said(packet).nonce for packet in beacons}) == 4


def test_another_start_has_other_nonces() -> None:
    other = BeaconBook(SeededEntropy(b"another start"), count=0)
    other.turn(boot_s=0.0, wall_s=WALL_S)
    assert other.beacon(RELAY, port=1) != opened().beacon(RELAY, port=1)
    assert not other.is_own(said(opened().beacon(RELAY, port=1)).nonce)


def test_answers_are_welcome_for_three_epochs() -> None:
    it = opened()
    nonce = said(it.beacon(RELAY, port=1)).nonce
    for step in range(1, 4):
        assert nonce in [own.nonce for own in it.answered()]
        assert it.is_own(nonce)
        it.turn(boot_s=step * BEACON_EPOCH_S, wall_s=WALL_S + step * BEACON_EPOCH_S)
    assert nonce not in [own.nonce for own in it.answered()]
    assert not it.is_own(nonce)


def test_the_newest_beacon_is_the_first_to_be_tried() -> None:
    it = opened()
    it.beacon(RELAY, port=1)
    it.turn(boot_s=BEACON_EPOCH_S, wall_s=WALL_S + BEACON_EPOCH_S)
    newest = said(it.beacon(MEMBERS, port=1)).nonce
    assert it.answered()[0].nonce == newest


def test_a_beacon_that_seeks_is_known_as_ours_but_not_answered() -> None:
    it = opened()
    nonce = said(it.beacon(RELAY, port=0, flags=Flag.SEEK)).nonce
    assert it.is_own(nonce)
    assert it.answered() == []


def test_a_dropped_rendezvous_is_answered_no_more() -> None:
    it = opened()
    it.beacon(RELAY, port=1)
    it.beacon(MEMBERS, port=1)
    it.drop(RELAY)
    assert [own.rendezvous for own in it.answered()] == [MEMBERS]


def test_without_a_clock_the_count_goes_on_from_where_it_was_kept() -> None:
    it = book(count=41)
    assert it.turn(boot_s=100.0, wall_s=None)
    heard = said(it.beacon(RELAY, port=1))
    assert (heard.epoch, heard.flags) == (42, Flag.CLOCKLESS)
    assert it.due_s == 100.0 + BEACON_EPOCH_S
    assert not it.turn(boot_s=it.due_s - 1, wall_s=None)
    assert it.turn(boot_s=it.due_s, wall_s=None)
    assert it.count == 43


def test_a_clock_that_comes_and_goes_never_repeats_a_count() -> None:
    it = book(count=7)
    it.turn(boot_s=0.0, wall_s=None)
    assert it.turn(boot_s=1.0, wall_s=WALL_S)
    assert said(it.beacon(RELAY, port=1)).flags == Flag.NONE
    assert it.turn(boot_s=2.0, wall_s=None)
    assert it.count == 9


def test_the_next_turn_falls_on_the_end_of_the_epoch() -> None:
    it = book()
    it.turn(boot_s=50.0, wall_s=10 * BEACON_EPOCH_S + 300.0)
    assert it.due_s == 50.0 + BEACON_EPOCH_S - 300.0


def test_a_clock_that_jumps_far_still_fits() -> None:
    it = book()
    assert it.turn(boot_s=0.0, wall_s=-5.0)
    assert it.epoch == 0
    assert it.turn(boot_s=1.0, wall_s=1e18)
    it.beacon(RELAY, port=1)


def test_short_beacons_are_kept_in_the_same_book() -> None:
    it = opened()
    packet = it.short_beacon(RELAY, psm=129)
    assert it.short_beacon(RELAY, psm=129) == packet
    heard = hear_short(packet, [("relay", RELAY)], epoch=it.epoch)
    assert heard is not None
    assert [own.nonce for own in it.answered()] == [heard.nonce]


def test_a_closed_book_has_no_beacons() -> None:
    with pytest.raises(LocalMisuse):
        book().beacon(RELAY, port=1)
