"""Whether a node lately had a collector before it, and who keeps a record of it."""

from dataclasses import replace

import pytest

from meshnews.node import shelf
from meshnews.node.identity import Role
from meshnews.node.links.desk_seen import LATELY_S, DeskSeen
from tests.node.newsroom import Machine, make_home


def pass_by(machine: Machine, seconds: float) -> None:
    home = machine.node.home
    home.moment = replace(home.moment, lived_s=home.moment.lived_s + seconds)


def note(machine: Machine, seen: DeskSeen) -> None:
    with machine.carry.transaction():
        seen.note()


def test_who_never_saw_the_desk_did_not_see_it_lately() -> None:
    assert not DeskSeen(make_home("near", Role.RELAY).node.home).is_recent()


def test_a_day_after_the_desk_was_seen_it_is_lately_no_more() -> None:
    relay = make_home("near", Role.RELAY)
    seen = DeskSeen(relay.node.home)
    note(relay, seen)
    pass_by(relay, LATELY_S - 1)
    assert seen.is_recent()
    pass_by(relay, 2)
    assert not seen.is_recent()


def test_a_restart_forgets_nothing_of_it() -> None:
    relay = make_home("near", Role.RELAY)
    note(relay, DeskSeen(relay.node.home))
    relay.restart()
    assert DeskSeen(relay.node.home).is_recent()


@pytest.mark.parametrize("role", [Role.REPORTER, Role.EDITOR])
def test_a_person_keeps_no_record_of_it(role: Role) -> None:
    person = make_home("near", role)
    seen = DeskSeen(person.node.home)
    note(person, seen)
    assert not seen.is_recent()
    assert not list(person.carry.scan(shelf.WIRE, b"d"))
