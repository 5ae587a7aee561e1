"""Gateways that come back together, each on a line of its own, are served alike."""

from tests.bench.crowd import is_in_order
from tests.bench.crowd_model import EVENT_S, play, visit

FAIR = 3.0
"""The slowest may take so many times as long as the fastest."""


def test_the_slowest_of_a_crowd_takes_three_times_as_long_as_the_fastest_at_most() -> None:
    gateways = play(10, within_s=5.0, kbit=256.0, event_s=EVENT_S)
    took = sorted(one.took_s for one in gateways if one.took_s is not None)
    assert len(took) == len(gateways), "all that each had was taken"
    assert took[-1] <= FAIR * took[0]
    assert all(is_in_order(one.taken) for one in gateways)


def test_of_a_crowd_that_is_too_much_at_once_all_is_taken_in_its_order() -> None:
    gateways = play(10, within_s=0.0, kbit=100_000.0, event_s=0.005)
    assert all(one.took_s is not None for one in gateways)
    assert all(is_in_order(one.taken) for one in gateways)


def test_who_comes_last_does_not_wait_for_what_all_others_brought() -> None:
    """Flashes of others came first in both directions: its own texts were not even named."""
    first, last = visit(0, kbit=256.0), visit(600, kbit=256.0)
    assert first.took_s is not None
    assert last.took_s is not None
    assert last.took_s <= FAIR / 2 * first.took_s
    assert is_in_order(last.taken)
