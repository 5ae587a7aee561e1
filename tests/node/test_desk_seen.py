"""Whether a node lately had a collector before it, and whom it tells so."""

from dataclasses import replace

import pytest

from meshnews.node.desk_seen import LATELY_S, DeskSeen
from meshnews.node.identity import Role
from tests.node.newsroom import Machine, make_home


def pass_by(machine: Machine, seconds: float) -> None:
    home = machine.node.home
    home.moment = replace(home.moment, lived_s=home.moment.lived_s + seconds)


def note(machine: Machine, seen: DeskSeen) -> None:
    with machine.carry.transaction():
        seen.note()


def test_who_never_saw_the_desk_does_not_say_so() -> None:
    assert not DeskSeen(make_home("near", Role.RELAY).node.home).is_said()


def test_a_day_after_the_desk_was_seen_it_is_lately_no_more() -> None:
    relay = make_home("near", Role.RELAY)
    seen = DeskSeen(relay.node.home)
    note(relay, seen)
    pass_by(relay, LATELY_S - 1)
    assert seen.is_said()
    pass_by(relay, 2)
    assert not seen.is_said()


def test_a_restart_forgets_nothing_of_it() -> None:
    relay = make_home("near", Role.RELAY)
    note(relay, DeskSeen(relay.node.home))
    relay.restart()
    assert DeskSeen(relay.node.home).is_said()


@pytest.mark.parametrize("role", [Role.REPORTER, Role.EDITOR])
def test_a_person_tells_nobody(role: Role) -> None:
    person = make_home("near", role)
    seen = DeskSeen(person.node.home)
    note(person, seen)
    assert seen.is_recent
    assert not seen.is_said()
