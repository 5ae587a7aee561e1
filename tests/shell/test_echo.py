"""What calls that come back, and those that do not, tell of firewalls and networks."""

import pytest

from meshnewsd.discovery.air import Way
from meshnewsd.discovery.echo import ECHO_S_MAX, HEARD_MIN, REMEMBERED_S, Echoes

IPV4 = (Way.BROADCAST, Way.MULTICAST)


class Watch:
    """A time that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def echoes(watch: Watch) -> Echoes:
    return Echoes(watch)


def call(echoes: Echoes, *back: Way) -> None:
    """Call by both ways of IPv4; by some of them the call comes back."""
    for way in IPV4:
        echoes.sent("eth0", way)
    for way in back:
        echoes.returned("eth0", way)


def test_a_call_on_its_way_back_is_no_sign_of_anything(echoes: Echoes, watch: Watch) -> None:
    call(echoes)
    watch.now_s += ECHO_S_MAX
    assert echoes.deaf() == echoes.open() == frozenset()
    assert echoes.pending() == {("eth0", way) for way in IPV4}
    watch.now_s += ECHO_S_MAX
    assert echoes.pending() == frozenset()


def test_a_call_that_does_not_come_back_is_kept_away(echoes: Echoes, watch: Watch) -> None:
    call(echoes, Way.BROADCAST)
    watch.now_s += 2 * ECHO_S_MAX
    assert echoes.deaf() == {("eth0", Way.MULTICAST)}
    assert echoes.open() == {("eth0", Way.BROADCAST)}


def test_calling_again_does_not_hide_that_none_ever_came_back(echoes: Echoes, watch: Watch) -> None:
    call(echoes)
    watch.now_s += 2 * ECHO_S_MAX
    call(echoes)
    assert echoes.deaf() == {("eth0", way) for way in IPV4}


def test_a_firewall_that_was_put_up_later_is_noticed(echoes: Echoes, watch: Watch) -> None:
    call(echoes, *IPV4)
    watch.now_s += 30
    call(echoes)
    watch.now_s += 2 * ECHO_S_MAX
    assert echoes.deaf() == {("eth0", way) for way in IPV4}
    assert echoes.open() == frozenset()


def test_a_firewall_that_was_opened_is_forgotten(echoes: Echoes, watch: Watch) -> None:
    call(echoes)
    watch.now_s += 30
    call(echoes, *IPV4)
    assert echoes.deaf() == frozenset()


def test_who_hears_others_lets_calls_in_whatever_becomes_of_its_own(
    echoes: Echoes, watch: Watch
) -> None:
    call(echoes)
    echoes.came("eth0", Way.BROADCAST)
    watch.now_s += 2 * ECHO_S_MAX
    assert echoes.deaf() == {("eth0", Way.MULTICAST)}
    assert echoes.open() == {("eth0", Way.BROADCAST)}


@pytest.mark.parametrize("present", IPV4)
def test_a_network_that_brings_one_kind_only_is_found_out(
    echoes: Echoes, watch: Watch, present: Way
) -> None:
    (lacking,) = set(IPV4) - {present}
    call(echoes, *IPV4)
    for _ in range(HEARD_MIN):
        assert echoes.missing() == frozenset()
        echoes.came("eth0", present)
    assert echoes.missing() == {("eth0", lacking)}
    watch.now_s += REMEMBERED_S + 1
    assert echoes.missing() == frozenset(), "nothing was heard lately"


def test_what_came_by_both_ways_once_is_not_missing(echoes: Echoes) -> None:
    echoes.came("eth0", Way.MULTICAST)
    for _ in range(5 * HEARD_MIN):
        echoes.came("eth0", Way.BROADCAST)
    assert echoes.missing() == frozenset()


def test_what_our_own_firewall_keeps_away_is_not_put_on_the_network(
    echoes: Echoes, watch: Watch
) -> None:
    call(echoes, Way.BROADCAST)
    for _ in range(HEARD_MIN):
        echoes.came("eth0", Way.BROADCAST)
    watch.now_s += 2 * ECHO_S_MAX
    assert echoes.deaf() == {("eth0", Way.MULTICAST)}
    assert echoes.missing() == frozenset()


def test_a_machine_without_ipv6_near_is_no_sign_of_a_network_without_it(echoes: Echoes) -> None:
    for _ in range(HEARD_MIN):
        for way in IPV4:
            echoes.came("eth0", way)
    assert echoes.missing() == frozenset()


def test_another_interface_is_another_matter(echoes: Echoes, watch: Watch) -> None:
    call(echoes)
    echoes.sent("wlan0", Way.BROADCAST)
    echoes.returned("wlan0", Way.BROADCAST)
    watch.now_s += 2 * ECHO_S_MAX
    assert {interface for interface, _ in echoes.deaf()} == {"eth0"}
    echoes.forget(["eth0"])
    assert echoes.deaf() == frozenset()
    assert echoes.open() == {("wlan0", Way.BROADCAST)}
