"""Who may notice a node, and where."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from meshnews.errors import Refusal
from meshnews.link.rendezvous import Rendezvous
from meshnews.node.event import Network
from meshnews.node.identity import Role
from meshnews.node.links.surroundings import Surroundings
from meshnews.node.node import Node
from meshnews.node.settings import Settings, Visibility
from tests.node.newsroom import Machine, make_home

NEWSROOM = Network("wlan0", b"\x02\x00\x00\x00\x00\x01")
SQUARE = Network("wlan0", b"\x02\x00\x00\x00\x00\x02")
CABLE = Network("eth0", b"")


@pytest.fixture
def person() -> Machine:
    return make_home("reporter-1", Role.REPORTER)


def here(machine: Machine, *networks: Network) -> Surroundings:
    surroundings = machine.node.surroundings
    machine.ask(lambda _: surroundings.moved(networks))
    return surroundings


def places(machine: Machine) -> tuple[str, ...] | None:
    return machine.ask(lambda node: node.surroundings.places())


def visibility(machine: Machine) -> Visibility:
    return machine.ask(lambda node: node.surroundings.visibility)


def with_settings(machine: Machine, fixed: Visibility) -> Machine:
    node = machine.node
    node.home.settings = replace(Settings(), visibility=fixed)
    return machine


def test_a_person_is_silent_on_a_network_that_nobody_vouched_for(person: Machine) -> None:
    here(person, SQUARE)
    assert places(person) == ()
    assert visibility(person) is Visibility.SILENT


def test_a_relay_is_open_everywhere() -> None:
    relay = make_home("relay-1", Role.RELAY)
    here(relay, SQUARE)
    assert places(relay) is None
    assert visibility(relay) is Visibility.OPEN


def test_a_relay_trusts_no_networks_and_says_so() -> None:
    relay = make_home("relay-1", Role.RELAY)
    here(relay, NEWSROOM)
    with pytest.raises(Refusal) as refusal:
        relay.ask(lambda node: node.surroundings.trust())
    assert refusal.value.code == "wrong-role"
    assert relay.ask(lambda node: node.surroundings.distrust()) == ()


def test_a_person_is_veiled_on_a_network_they_trust_and_on_no_other(person: Machine) -> None:
    here(person, NEWSROOM, CABLE)
    assert person.ask(lambda node: node.surroundings.trust()) == ("wlan0",)
    assert places(person) == ("wlan0",)
    assert visibility(person) is Visibility.VEILED
    here(person, SQUARE, CABLE)
    assert places(person) == ()


def test_a_trusted_network_is_known_again_after_a_restart(person: Machine) -> None:
    here(person, NEWSROOM)
    person.ask(lambda node: node.surroundings.trust())
    person.restart()
    here(person, NEWSROOM)
    assert places(person) == ("wlan0",)


def test_trust_can_be_taken_back(person: Machine) -> None:
    here(person, NEWSROOM)
    person.ask(lambda node: node.surroundings.trust())
    assert person.ask(lambda node: node.surroundings.distrust()) == ("wlan0",)
    assert places(person) == ()


def test_a_network_without_anything_to_know_it_by_cannot_be_trusted(person: Machine) -> None:
    here(person, CABLE)
    with pytest.raises(Refusal) as refusal:
        person.ask(lambda node: node.surroundings.trust())
    assert refusal.value.code == "network-unknown"


def test_no_router_is_named_on_any_shelf(person: Machine) -> None:
    here(person, NEWSROOM)
    person.ask(lambda node: node.surroundings.trust())
    kept = b"".join(part for _, key, value in person.contents for part in (key, value))
    assert NEWSROOM.mark not in kept


def test_who_looks_for_colleagues_is_findable_everywhere_for_a_while(person: Machine) -> None:
    here(person, SQUARE)
    person.ask(lambda node: node.surroundings.look(600.0))
    assert places(person) is None
    person.later(599 / 86400)
    assert places(person) is None
    person.later(2 / 86400)
    assert places(person) == ()


def test_a_person_with_an_open_invitation_is_findable_everywhere(person: Machine) -> None:
    def invite(node: Node) -> None:
        node.home.invitations[b"1"] = Rendezvous.by_invitation(bytes(16), bytes(16))

    here(person, SQUARE)
    person.ask(invite)
    assert places(person) is None


@pytest.mark.parametrize(
    ("fixed", "expected"),
    [(Visibility.OPEN, None), (Visibility.VEILED, None), (Visibility.SILENT, ())],
)
def test_what_the_configuration_fixes_stays_fixed(
    person: Machine, fixed: Visibility, expected: tuple[str, ...] | None
) -> None:
    here(person, NEWSROOM)
    person.ask(lambda node: node.surroundings.trust())
    with_settings(person, fixed)
    assert places(person) == expected
    assert visibility(person) is fixed


def test_who_fixed_silence_is_told_so_when_asking_to_be_found(person: Machine) -> None:
    with_settings(person, Visibility.SILENT)
    here(person, NEWSROOM)
    asked: list[Callable[[Node], object]] = [
        lambda node: node.surroundings.look(600.0),
        lambda node: node.surroundings.trust(),
    ]
    for question in asked:
        with pytest.raises(Refusal) as refusal:
            person.ask(question)
        assert refusal.value.code == "visibility-fixed"
    person.ask(lambda node: node.surroundings.look(0.0))
    assert person.ask(lambda node: node.surroundings.distrust()) == ()


def test_a_network_that_was_here_before_is_not_news(person: Machine) -> None:
    surroundings = person.node.surroundings
    assert surroundings.moved([NEWSROOM])
    assert not surroundings.moved([NEWSROOM])
    assert not surroundings.moved([])
    assert surroundings.moved([NEWSROOM])
    assert surroundings.moved([SQUARE])
