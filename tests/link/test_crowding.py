"""Who makes room at a crowded door."""

import pytest

from meshnews.link.crowding import makes_room, source_of


@pytest.mark.parametrize(
    ("where", "other"),
    [
        ("192.0.2.1:443", "192.0.2.1:9"),
        ("[2001:db8:1:2::1]:443", "[2001:db8:1:2:ffff::9]:80"),
        ("[fe80::1%wlan0]:443", "[fe80::2%eth0]:443"),
    ],
)
def test_one_customer_is_one_source(where: str, other: str) -> None:
    assert source_of(where) == source_of(other)


@pytest.mark.parametrize(
    ("where", "other"),
    [
        ("192.0.2.1:443", "192.0.2.2:443"),
        ("[2001:db8:1:2::1]:443", "[2001:db8:1:3::1]:443"),
        ("random.c4.1f:0", "random.c4.20:0"),
        ("", "192.0.2.1:443"),
    ],
)
def test_two_are_two(where: str, other: str) -> None:
    assert source_of(where) != source_of(other)


def test_the_oldest_makes_room_where_nobody_has_more_than_another() -> None:
    assert makes_room(["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"]) == 0


def test_whoever_has_most_makes_room_with_his_oldest() -> None:
    assert makes_room(["192.0.2.1:1", "192.0.2.9:1", "192.0.2.2:1", "192.0.2.9:2"]) == 1
