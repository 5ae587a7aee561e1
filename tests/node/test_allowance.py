"""Limits of ways out: what is used up rests, a restart gives nothing back, a flash still goes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from meshnews.ids import LinkId
from meshnews.node.event import Trouble
from meshnews.node.links.allowance import DAY_S, HOUR_S, Bound, Rest
from meshnews.node.links.uplink import FLASH_CALL_S, UplinkKeeper
from meshnews.node.settings import RouteLimit
from tests.node.test_uplink import TLS, Gateway, gateway

TCP = "192.0.2.1:53"
A_DAY = RouteLimit(bytes_per_day=1_000_000)
AN_HOUR = RouteLimit(s_per_hour=600.0)


@dataclass
class Limited:
    """A gateway with limits, at the beginning of a day of its life."""

    one: Gateway
    moved: dict[LinkId, int] = field(default_factory=dict)

    @property
    def keeper(self) -> UplinkKeeper:
        return self.one.keeper

    def wait(self, seconds: float) -> list[str]:
        """Let time pass; return where was called."""
        called: list[str] = []
        for _ in range(round(seconds / 5)):
            self.charge()
            called += self.one.wait(5)
        self.charge()
        return called

    def charge(self) -> list[LinkId]:
        """Let the keeper look at what has crossed; return which streams are to be left."""
        with self.one.machine.carry.transaction():
            return self.keeper.charge(lambda link: self.moved.get(link, 0))

    def move(self, link: LinkId, size: int) -> list[LinkId]:
        self.moved[link] = self.moved.get(link, 0) + size
        return self.charge()

    def rest(self, where: str = TLS) -> Rest | None:
        return self.keeper.allowances.rest_of(self.one.route(where).address)

    def link_up(self, where: str = TLS) -> LinkId:
        self.wait(10)
        link = self.one.links_up(where)
        self.one.all_fail()
        self.charge()
        return link

    def end(self, link: LinkId) -> None:
        with self.one.machine.carry.transaction():
            self.keeper.ended(link, None, moved=self.moved.get(link, 0))


def limited(*limits: RouteLimit) -> Limited:
    one = gateway()
    home = one.machine.node.home
    home.settings = replace(home.settings, limits=limits)
    home.moment = replace(home.moment, lived_s=3 * DAY_S)
    return Limited(one)


def restart(one: Limited) -> Limited:
    """Let the daemon start again, with the same limits."""
    before = one.one.machine.node.home
    one.one.machine.restart()
    home = one.one.machine.node.home
    home.settings, home.moment = before.settings, before.moment
    one.one.calls.clear()
    for route in one.keeper.routes:
        route.attempt = route.tried_s = None
    one.keeper._attempts.clear()
    one.keeper.hurry()
    return Limited(one.one)


# What is used up -------------------------------------------------------------


def test_without_a_limit_nothing_rests() -> None:
    one = limited()
    link = one.link_up()
    assert one.move(link, 10**12) == []
    assert one.rest() is None


def test_bytes_of_a_day_are_used_up_and_the_way_is_left_until_the_next() -> None:
    one = limited(A_DAY)
    link = one.link_up()
    assert one.move(link, 999_999) == []
    assert one.rest() is None
    assert one.move(link, 1) == [link]
    assert one.rest() == Rest(4 * DAY_S, Bound.VOLUME)
    one.end(link)
    assert one.wait(600) == []
    home = one.one.machine.node.home
    home.moment = replace(home.moment, lived_s=4 * DAY_S)
    assert one.rest() is None
    assert one.wait(10)


def test_time_of_an_hour_is_used_up_and_the_next_hour_gives_it_back() -> None:
    one = limited(AN_HOUR)
    link = one.link_up()
    one.wait(AN_HOUR.s_per_hour - 20)
    assert one.charge() == []
    one.wait(25)
    assert one.charge() == [link]
    assert one.rest() == Rest(3 * DAY_S + HOUR_S, Bound.DUTY)
    one.end(link)
    assert one.wait(600) == []
    assert one.wait(HOUR_S - 1200)


def test_time_without_a_stream_is_not_counted() -> None:
    one = limited(AN_HOUR)
    link = one.link_up()
    one.wait(100)
    one.end(link)
    one.keeper._collectors = frozenset()
    one.wait(1000)
    assert one.rest() is None


def test_what_crossed_in_the_last_moment_of_a_stream_is_counted() -> None:
    one = limited(A_DAY)
    link = one.link_up()
    one.moved[link] = 1_000_000
    one.end(link)
    assert one.rest() is not None


def test_all_ways_that_a_limit_names_share_it() -> None:
    one = limited(A_DAY)
    link = one.link_up()
    one.move(link, 600_000)
    one.end(link)
    link = one.link_up(TCP)
    assert one.move(link, 400_000) == [link]
    assert one.rest(TLS) == one.rest(TCP)


@pytest.mark.parametrize(
    "limit",
    [
        RouteLimit(kind="tls", bytes_per_day=1),
        RouteLimit(where="192.0.2.1:443", bytes_per_day=1),
        RouteLimit(kind="tls", where="192.0.2.1", bytes_per_day=1),
    ],
)
def test_a_way_that_no_limit_names_is_used_instead(limit: RouteLimit) -> None:
    one = limited(limit)
    link = one.link_up()
    assert one.move(link, 1) == [link]
    one.end(link)
    assert one.rest(TCP) is None
    called = one.wait(60)
    assert TCP in called
    assert TLS not in called


@pytest.mark.parametrize("limit", [RouteLimit(kind="socks", bytes_per_day=1),
                                   RouteLimit(where="192.0.2.9", bytes_per_day=1)])  # fmt: skip
def test_a_limit_of_other_ways_says_nothing_of_this(limit: RouteLimit) -> None:
    one = limited(limit)
    assert one.move(one.link_up(), 10**9) == []


def test_of_two_limits_the_longer_rest_counts() -> None:
    one = limited(RouteLimit(bytes_per_day=10, s_per_hour=10.0))
    link = one.link_up()
    one.move(link, 10)
    one.wait(20)
    assert one.rest() == Rest(4 * DAY_S, Bound.VOLUME)


# Across restarts -------------------------------------------------------------


@pytest.mark.parametrize("spend", [lambda one, link: one.move(link, 1_000_000),
                                   lambda one, _: one.wait(620)])  # fmt: skip
def test_a_restart_gives_nothing_back(spend: Callable[[Limited, LinkId], object]) -> None:
    one = limited(RouteLimit(bytes_per_day=1_000_000, s_per_hour=600.0))
    spend(one, one.link_up())
    before = one.rest()
    assert before is not None
    assert restart(one).rest() == before


def test_who_gives_more_in_the_middle_of_a_day_gives_the_difference() -> None:
    one = limited(A_DAY)
    one.move(one.link_up(), 1_000_000)
    home = one.one.machine.node.home
    home.settings = replace(home.settings, limits=(replace(A_DAY, bytes_per_day=1_500_000),))
    again = restart(one)
    assert again.rest() is None
    link = again.link_up()
    assert again.move(link, 500_000) == [link]


# A flash ---------------------------------------------------------------------


def resting() -> Limited:
    one = limited(A_DAY)
    link = one.link_up()
    one.move(link, 1_000_000)
    one.end(link)
    one.moved.clear()
    assert one.wait(120) == []
    return one


def test_a_flash_has_a_way_called_that_rests_for_itself_alone_and_for_some_minutes() -> None:
    one = resting()
    one.keeper.urge()
    assert one.wait(10)
    link = one.link_up()
    assert one.keeper.is_narrow(link)
    assert one.charge() == []
    one.wait(FLASH_CALL_S + 5)
    assert one.charge() == [link]
    one.end(link)
    assert one.wait(600) == []


def test_a_flash_that_finds_nobody_is_tried_until_it_does() -> None:
    one = resting()
    one.keeper.urge()
    for _ in range(20):
        one.wait(30)
        for dial in one.one.calls:
            one.keeper.failed(dial.attempt, Trouble.NO_ANSWER)
        one.one.calls.clear()
    one.wait(30)
    one.keeper.completed(one.one.opens(TLS))


def test_a_stream_that_carried_everything_is_left_first_and_called_again_for_the_flash() -> None:
    one = limited(A_DAY)
    link = one.link_up()
    one.keeper.urge()
    assert one.move(link, 1_000_000) == [link]
    one.end(link)
    assert one.keeper.is_narrow(one.link_up())


def test_when_the_rest_is_over_a_narrow_stream_is_made_anew() -> None:
    one = resting()
    one.keeper.urge()
    link = one.link_up()
    home = one.one.machine.node.home
    home.moment = replace(home.moment, lived_s=4 * DAY_S)
    assert one.charge() == [link]
    one.end(link)
    assert not one.keeper.is_narrow(one.link_up())


def test_a_way_without_a_limit_is_called_for_a_flash_before_one_that_rests() -> None:
    one = limited(RouteLimit(kind="tls", bytes_per_day=1))
    link = one.link_up()
    one.move(link, 1)
    one.end(link)
    one.keeper.urge()
    assert one.wait(10)[0] != TLS
