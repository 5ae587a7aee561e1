"""Secrets under which machines meet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.keys import SymmetricKey
from meshnews.errors import LocalMisuse
from meshnews.ids import Day
from meshnews.link.rendezvous import Mode, Rendezvous, members_between, mesh_key_on

KEY = SymmetricKey(bytes(range(32)))


def test_one_secret_gives_other_keys_for_every_purpose_and_kind() -> None:
    kinds = [
        Rendezvous.at_relay(KEY),
        Rendezvous.of_members(KEY, Day(3)),
        Rendezvous.by_invitation(KEY.raw[:16], KEY.raw[16:]),
    ]
    keys = [key for it in kinds for key in (it.beacon_key, it.mask_key, it.psk)]
    assert len(set(keys)) == 9
    assert {len(key) for key in keys} == {32}


def test_an_invitation_of_another_desk_meets_nobody() -> None:
    secret = bytes(16)
    one = Rendezvous.by_invitation(secret, b"a" * 16)
    other = Rendezvous.by_invitation(secret, b"b" * 16)
    assert one.beacon_key != other.beacon_key
    assert one.psk != other.psk


@given(st.integers(0, 60), st.integers(0, 60))
def test_the_ratchet_may_rest_on_any_day_in_between(first: int, second: int) -> None:
    start, middle, end = Day(700), Day(700 + first), Day(700 + first + second)
    resting = mesh_key_on(KEY, day_from=start, day_to=middle)
    assert mesh_key_on(resting, day_from=middle, day_to=end) == mesh_key_on(
        KEY, day_from=start, day_to=end
    )


def test_the_ratchet_does_not_turn_back() -> None:
    with pytest.raises(LocalMisuse):
        mesh_key_on(KEY, day_from=Day(5), day_to=Day(4))


def test_a_row_of_days_has_the_keys_that_each_day_has_alone() -> None:
    row = list(members_between(KEY, day_from=Day(10), first=Day(13), last=Day(16)))
    assert [it.day for it in row] == [13, 14, 15, 16]
    for it in row:
        assert it.day is not None
        assert it.secret == mesh_key_on(KEY, day_from=Day(10), day_to=it.day)


def test_a_row_of_days_begins_where_the_key_does() -> None:
    row = members_between(KEY, day_from=Day(10), first=Day(8), last=Day(11))
    assert [it.day for it in row] == [10, 11]
    assert not list(members_between(KEY, day_from=Day(10), first=Day(7), last=Day(9)))


def test_only_a_mesh_key_has_a_day() -> None:
    with pytest.raises(LocalMisuse):
        Rendezvous(Mode.RELAY, KEY, Day(1))
    with pytest.raises(LocalMisuse):
        Rendezvous(Mode.MEMBER, KEY)


def test_a_rendezvous_shows_no_key() -> None:
    shown = repr(Rendezvous.of_members(KEY, Day(3)))
    assert "hidden" in shown
    assert KEY.raw.hex() not in shown
    assert "beacon_key" not in shown


@pytest.mark.parametrize("sizes", [(15, 16), (16, 17), (0, 32)])
def test_half_an_invitation_is_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(LocalMisuse):
        Rendezvous.by_invitation(bytes(sizes[0]), bytes(sizes[1]))


def test_the_keys_of_many_relays_are_told_apart_without_comparing_them() -> None:
    """A desk looks up hundreds at each event: with one hash for all, each lookup met them all."""
    keys = [SymmetricKey(number.to_bytes(32, "big")) for number in range(100)]
    assert len({hash(Rendezvous.at_relay(key)) for key in keys}) == 100
    assert hash(Rendezvous.at_relay(keys[0])) == hash(Rendezvous.at_relay(keys[0]))
