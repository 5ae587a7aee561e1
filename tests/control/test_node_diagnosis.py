"""What the doctor makes of the node: its clock, its desk, whom it hears and whom it meets."""

from dataclasses import replace

import pytest

from meshnews.control.finding import Check, Finding, Level
from meshnews.crypto.keys import SymmetricKey, X25519Public
from meshnews.desk.bulletin import RelayFlags
from meshnews.desk.pack import RelayKeys
from meshnews.ids import LinkId
from meshnews.link.beacon import Flag, Heard
from meshnews.link.rendezvous import Rendezvous
from meshnews.node.event import Address
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnews.node.settings import Settings
from meshnewsd.control.diagnosis import CARD_SOON_DAYS, HEARD_S, of_links, of_node
from meshnewsd.control.times import day_of
from tests.node.newsroom import DAY_S, TODAY, Machine, enrolled, make_desk, make_home

COLLECTOR = RelayKeys(
    X25519Public(bytes(31) + b"\x02"), SymmetricKey(bytes(31) + b"\x02"), RelayFlags.COLLECTOR
)
RELAY = RelayKeys(X25519Public(bytes(31) + b"\x01"), SymmetricKey(bytes(32)), RelayFlags(0))
MESH = Rendezvous.of_members(SymmetricKey(bytes(32)), TODAY)


@pytest.fixture
def reporter() -> Machine:
    editor, _ = make_desk()
    return enrolled(editor, "reporter-1", Role.REPORTER)


def findings(machine: Machine) -> dict[Check, Finding]:
    found = machine.ask(lambda node: [*of_node(node), *of_links(node)])
    assert len({each.check for each in found}) == len(found)
    return {each.check: each for each in found}


def problems(machine: Machine) -> set[Check]:
    found = findings(machine).items()
    return {check for check, each in found if each.level is not Level.GOOD}


def hear_member(node: Node, number: int, *where: str) -> None:
    nonce = number.to_bytes(16, "big")
    beacon = Heard(nonce, MESH, 5, 7117, Flag.NONE, nonce)
    hear(node, beacon, *where)


def hear_relay(node: Node, relay: RelayKeys = RELAY) -> None:
    rendezvous = Rendezvous.at_relay(relay.beacon_key)
    node.dialler.know(relay, [])
    hear(node, Heard(relay.static, rendezvous, 5, 7117, Flag.NONE, bytes(16)), "192.0.2.1:7117")


def hear(node: Node, beacon: Heard[bytes], *where: str) -> None:
    addresses = [Address("tcp", each) for each in where]
    node.dialler.hear(beacon, addresses, node.home.moment.lived_s)


# The clock


def test_a_clock_that_somebody_vouches_for_is_believed(reporter: Machine) -> None:
    assert findings(reporter)[Check.CLOCK].level is Level.GOOD


def test_a_clock_that_nobody_vouches_for_may_be_right(reporter: Machine) -> None:
    reporter.clock = replace(reporter.clock, wall_is_trusted=False)
    found = findings(reporter)
    assert found[Check.CLOCK].level is Level.WARNING
    assert Check.CLOCK_WRONG not in found


@pytest.mark.parametrize("days", [-30.0, 500.0, -TODAY - 5000.0])
def test_a_clock_that_shows_what_cannot_be_is_told_with_what_it_shows(
    reporter: Machine, days: float
) -> None:
    reporter.clock = replace(reporter.clock, wall_s=reporter.clock.wall_s + days * DAY_S)
    found = findings(reporter)
    assert Check.CLOCK not in found
    assert found[Check.CLOCK_WRONG].time is not None


def test_in_a_home_without_a_card_a_clock_is_not_compared_with_what_is_not_known() -> None:
    stranger = make_home("reporter-1", Role.REPORTER, trusted=False)
    found = findings(stranger)
    assert found[Check.CLOCK].level is Level.WARNING
    assert Check.CLOCK_WRONG not in found
    stranger.clock = replace(stranger.clock, wall_s=0.0)
    assert Check.CLOCK_WRONG in findings(stranger)


# The desk


def test_a_home_without_a_desk_is_not_ready() -> None:
    stranger = make_home("reporter-1", Role.REPORTER)
    assert findings(stranger)[Check.DESK].level is Level.BAD
    assert Check.HEARD not in findings(stranger), "there is nobody to be heard"


def test_a_card_is_told_to_end_before_it_does_and_when_it_has(reporter: Machine) -> None:
    expires = findings(reporter)[Check.CARD].day
    assert expires is not None
    assert findings(reporter)[Check.CARD].level is Level.GOOD
    day = reporter.ask(lambda node: node.home.moment.today)
    left = day_of(expires) - day
    reporter.later(left - CARD_SOON_DAYS + 1)
    assert findings(reporter)[Check.CARD].level is Level.WARNING
    reporter.later(CARD_SOON_DAYS + 1)
    assert findings(reporter)[Check.CARD].level is Level.BAD


def test_a_collector_counts_when_there_is_an_address_to_call(reporter: Machine) -> None:
    reporter.ask(lambda node: node.dialler.know(COLLECTOR, []))
    assert findings(reporter)[Check.COLLECTOR].level is Level.WARNING
    reporter.ask(lambda node: node.dialler.know(COLLECTOR, [Address("tcp", "198.51.100.7:7117")]))
    assert findings(reporter)[Check.COLLECTOR].number == 1


def test_a_collector_counts_when_the_desk_publishes_where_it_is() -> None:
    editor, _ = make_desk()
    enrolled(editor, "far", Role.RELAY, endpoint=True)
    assert findings(editor)[Check.COLLECTOR].level is Level.WARNING
    editor.ask(lambda node: node.endpoints.add("far", "192.0.2.1", (443,)))
    assert findings(editor)[Check.COLLECTOR].number == 1


# Others


def test_that_nobody_is_heard_is_one_problem(reporter: Machine) -> None:
    reporter.ask(lambda node: node.dialler.know(RELAY, []))
    assert problems(reporter) & {Check.HEARD, Check.CONTACT, Check.RELAYS} == {Check.HEARD}


def test_a_relay_that_is_heard_is_told_from_colleagues_alone(reporter: Machine) -> None:
    reporter.ask(lambda node: node.dialler.know(RELAY, []))
    reporter.ask(lambda node: hear_member(node, 1, "192.0.2.9:4000"))
    found = findings(reporter)
    assert (found[Check.HEARD].number, found[Check.RELAYS].number) == (1, 0)
    assert found[Check.RELAYS].level is Level.WARNING
    reporter.ask(hear_relay)
    found = findings(reporter)
    assert (found[Check.HEARD].number, found[Check.RELAYS].number) == (2, 1)
    assert found[Check.RELAYS].of == 1


def test_a_colleague_is_one_machine_whatever_beacons_it_shows(reporter: Machine) -> None:
    reporter.ask(lambda node: hear_member(node, 1, "192.0.2.9:4000", "[fe80::9%eth0]:4000"))
    reporter.ask(lambda node: hear_member(node, 2, "[fe80::9%eth0]:5000"))
    reporter.ask(lambda node: hear_member(node, 3, "192.0.2.10:4000"))
    assert findings(reporter)[Check.HEARD].number == 2


def test_who_was_heard_long_ago_is_not_near(reporter: Machine) -> None:
    reporter.ask(hear_relay)
    reporter.later((HEARD_S + 1) / DAY_S)
    assert Check.HEARD in problems(reporter)


def test_a_stream_on_which_nobody_has_answered_is_no_link(reporter: Machine) -> None:
    def call(node: Node) -> None:
        hear_relay(node)
        (dial,) = node.dialler.due(node.home.moment.lived_s)
        node.dialler.opened(dial.attempt, LinkId(1), dial.addresses[0])

    reporter.ask(call)
    reporter.later((HEARD_S + 1) / DAY_S)
    assert Check.HEARD in problems(reporter)


def test_that_some_are_heard_and_none_has_a_link_is_a_problem_of_its_own(
    reporter: Machine,
) -> None:
    reporter.ask(hear_relay)
    assert problems(reporter) & {Check.HEARD, Check.CONTACT, Check.RELAYS} == {Check.CONTACT}


def test_a_desk_is_told_that_what_it_keeps_leaves_no_room() -> None:
    editor, _ = make_desk()
    assert Check.ROOM not in findings(editor)
    kept = editor.node.home.carry.usage().total
    small = Node(
        carry=editor.carry,
        vault=editor.vault,
        entropy=editor.entropy,
        settings=Settings(quota_bytes=kept),
    )
    with editor.carry.transaction():
        small.start(editor.clock)
        told = {each.check: each for each in of_node(small)}
    assert (told[Check.ROOM].level, told[Check.ROOM].number) == (Level.BAD, kept)
