"""Adverts, and when each is on the air."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnewsd.discovery.advert import APPLE, MARGIN_S, TESTS, Shape, Timetable, dress, undress

A, B, C = (bytes([letter]) * 20 for letter in b"abc")
ADDRESS_S = 900.0


@pytest.mark.parametrize("shape", Shape)
def test_what_was_dressed_is_found_again(shape: Shape) -> None:
    assert list(undress(dict([dress(A, shape)]))) == [A]


@pytest.mark.parametrize("shape", Shape)
def test_an_advert_fits_beside_the_flags_of_a_controller(shape: Shape) -> None:
    _, content = dress(A, shape)
    flags, head, company = 3, 2, 2
    assert flags + head + company + len(content) <= 31


def test_a_beacon_in_a_shop_is_laid_out_as_ours_are() -> None:
    company, content = dress(A, Shape.IBEACON)
    assert (company, content[:2], len(content)) == (APPLE, b"\x02\x15", 23)


@given(st.dictionaries(st.sampled_from([APPLE, TESTS, 6]), st.binary(max_size=40)))
def test_only_twenty_bytes_ever_come_out_of_any_advert(content: dict[int, bytes]) -> None:
    assert {len(beacon) for beacon in undress(content)} <= {20}


@pytest.fixture
def timetable() -> Timetable:
    return Timetable(ADDRESS_S)


def test_what_is_shown_goes_up_at_once(timetable: Timetable) -> None:
    timetable.show([A])
    assert timetable.step(0.0).up == (A,)
    assert timetable.step(1.0) == ((), ())


def test_what_is_shown_besides_goes_up_at_once_too(timetable: Timetable) -> None:
    timetable.show([A])
    timetable.step(0.0)
    timetable.show([A, B])
    assert timetable.step(100.0) == ((), (B,))
    timetable.show([A])
    assert timetable.step(200.0) == ((B,), ())


def test_what_is_shown_no_more_goes_down_at_once(timetable: Timetable) -> None:
    timetable.show([A])
    timetable.step(0.0)
    timetable.show([])
    assert timetable.step(10.0) == ((A,), ())


def test_the_next_epochs_beacon_waits_until_the_address_has_changed(timetable: Timetable) -> None:
    timetable.show([A])
    timetable.step(0.0)
    timetable.show([B])
    assert timetable.step(500.0) == ((), ())
    assert timetable.due_s == ADDRESS_S - MARGIN_S
    assert timetable.step(timetable.due_s) == ((A,), ())
    assert timetable.step(ADDRESS_S) == ((), ())
    assert timetable.due_s == ADDRESS_S + MARGIN_S
    assert timetable.step(timetable.due_s) == ((), (B,))


def test_a_beacon_never_outlives_the_address_even_if_no_other_is_known(
    timetable: Timetable,
) -> None:
    timetable.show([A])
    timetable.step(0.0)
    assert timetable.step(ADDRESS_S - MARGIN_S).down == (A,)


def test_nothing_goes_up_while_the_address_changes(timetable: Timetable) -> None:
    timetable.show([A])
    timetable.step(0.0)
    timetable.step(ADDRESS_S - MARGIN_S)
    timetable.show([A, C])
    assert timetable.step(ADDRESS_S + 1) == ((), ())


def test_an_adapter_that_went_begins_afresh(timetable: Timetable) -> None:
    timetable.show([A])
    timetable.step(0.0)
    timetable.forget()
    assert timetable.step(10.0).up == (A,)


def test_a_beacon_that_went_up_late_has_the_next_one_wait_for_as_long(
    timetable: Timetable,
) -> None:
    """On a machine that is very busy BlueZ takes seconds, and the address is made in the end."""
    timetable.show([A])
    timetable.step(0.0)
    timetable.went_up(7.0)
    timetable.show([B])
    assert timetable.step(ADDRESS_S - MARGIN_S) == ((A,), ())
    assert timetable.step(ADDRESS_S + MARGIN_S) == ((), ())
    assert timetable.due_s == 7.0 + ADDRESS_S + MARGIN_S
    assert timetable.step(timetable.due_s) == ((), (B,))


def test_a_beacon_that_is_shown_besides_does_not_make_the_address_any_younger(
    timetable: Timetable,
) -> None:
    timetable.show([A])
    timetable.step(0.0)
    timetable.went_up(1.0)
    timetable.show([A, B])
    timetable.step(500.0)
    timetable.went_up(501.0)
    timetable.step(timetable.due_s)
    assert timetable.due_s == 1.0 + ADDRESS_S + MARGIN_S


@given(st.lists(st.tuples(st.floats(0.1, 400), st.sampled_from([(), (A,), (B,), (A, B), (C,)]))))
def test_no_two_addresses_ever_show_the_same_beacon(
    script: list[tuple[float, tuple[bytes, ...]]],
) -> None:
    """The address is made with the first beacon, and lasts `ADDRESS_S`, as in a controller."""
    timetable, now_s = Timetable(ADDRESS_S), 0.0
    made_s, number = float("-inf"), 0
    seen: dict[bytes, set[int]] = {}
    for wait_s, shown in script:
        end_s = now_s + wait_s
        timetable.show(shown)
        while True:
            change = timetable.step(now_s)
            if change.up and now_s >= made_s + ADDRESS_S:
                made_s, number = now_s, number + 1
            for beacon in timetable.up:
                assert now_s < made_s + ADDRESS_S, "up when the address changes"
                seen.setdefault(beacon, set()).add(number)
            if timetable.due_s > end_s:
                break
            now_s = timetable.due_s
        now_s = end_s
        assert not timetable.up or timetable.due_s < made_s + ADDRESS_S
