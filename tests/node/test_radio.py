"""What a node shows and hears on Bluetooth, and whom it calls there."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from meshnews.ids import LinkId
from meshnews.link.short_beacon import SHORT_BEACON_BYTES
from meshnews.node.event import (
    Address,
    Advertise,
    Beckon,
    Carrier,
    Dial,
    Dialled,
    Effect,
    Heard,
    Listening,
    Network,
    Networks,
    Relisten,
    Tick,
)
from meshnews.node.identity import Role
from meshnews.node.links.economy import Economy
from tests.node.newsroom import Machine, enrolled, make_desk, make_home
from tests.node.pair import handle

PSM = Listening("bluetooth", 0x90)
PORT = Listening("tcp", 7117)
AIR = Address("bluetooth", "random.c4.1f.00.11.22.33:0")
ROUTER = Network("wlan0", b"\x02\x00\x00\x00\x00\x01")


def shown(effects: Sequence[Effect]) -> Advertise:
    (found,) = [effect for effect in effects if isinstance(effect, Advertise)]
    return found


def dials(effects: Sequence[Effect]) -> list[Dial]:
    return [effect for effect in effects if isinstance(effect, Dial)]


def heard(beacon: bytes, address: Address = AIR) -> Heard:
    return Heard(beacon, (address,))


@pytest.fixture
def newsroom() -> tuple[Machine, Machine]:
    """A relay that shows itself, and a person who may call it."""
    editor, _ = make_desk()
    relay = enrolled(editor, "relay-1", Role.RELAY)
    person = enrolled(editor, "reporter-1", Role.REPORTER, near=("relay-1",))
    return relay, person


def beacon_of(relay: Machine) -> bytes:
    (beacon,) = shown(handle(relay, PSM)).short
    return beacon


def test_a_relay_shows_a_short_beacon_once_it_listens_on_bluetooth(
    newsroom: tuple[Machine, Machine],
) -> None:
    relay, _ = newsroom
    assert not shown(handle(relay, PORT)).short
    assert len(beacon_of(relay)) == SHORT_BEACON_BYTES


def test_a_person_shows_none_but_where_everybody_may_notice_them() -> None:
    editor, _ = make_desk()
    person = enrolled(editor, "reporter-1", Role.REPORTER)
    handle(person, PORT)
    handle(person, PSM)
    handle(person, Networks((ROUTER,)))
    person.ask(lambda node: node.surroundings.trust())
    # A network that is trusted says nothing of who walks past outside.
    trusted = shown(handle(person, Tick()))
    assert trusted.beacons
    assert trusted.interfaces == ("wlan0",)
    assert not trusted.short
    person.ask(lambda node: node.surroundings.look(600))
    assert shown(handle(person, Tick())).short


def test_who_hears_a_relay_calls_it_over_the_air_at_the_port_in_its_beacon(
    newsroom: tuple[Machine, Machine],
) -> None:
    relay, person = newsroom
    (dial,) = dials(handle(person, heard(beacon_of(relay))))
    assert dial.addresses == (Address("bluetooth", "random.c4.1f.00.11.22.33:144"),)


def test_nobody_answers_a_short_beacon_with_calls_into_the_network(
    newsroom: tuple[Machine, Machine],
) -> None:
    relay, person = newsroom
    effects = handle(person, heard(beacon_of(relay)))
    assert not [effect for effect in effects if isinstance(effect, Beckon)]


@pytest.mark.parametrize("beacon", [b"", b"x" * 19, b"x" * 20, b"x" * 21, b"x" * 48])
def test_what_no_key_of_ours_made_leads_nowhere(
    newsroom: tuple[Machine, Machine], beacon: bytes
) -> None:
    _, person = newsroom
    assert not dials(handle(person, heard(beacon)))


def test_our_own_beacon_that_comes_back_leads_nowhere(newsroom: tuple[Machine, Machine]) -> None:
    relay, _ = newsroom
    assert not dials(handle(relay, heard(beacon_of(relay))))


def test_a_beacon_of_three_epochs_ago_leads_nowhere(newsroom: tuple[Machine, Machine]) -> None:
    relay, person = newsroom
    beacon = beacon_of(relay)
    person.clock = replace(person.clock, wall_s=person.clock.wall_s + 3 * 900)
    assert not dials(handle(person, heard(beacon)))


def test_who_was_heard_on_a_network_is_called_there_first(
    newsroom: tuple[Machine, Machine],
) -> None:
    relay, person = newsroom
    long = shown(handle(relay, PORT)).beacons[0]
    short = beacon_of(relay)
    (first,) = dials(handle(person, heard(long, Address("tcp", "192.0.2.1:0"))))
    assert first.addresses[0].transport == "tcp"
    assert not dials(handle(person, heard(short)))


def test_beacons_of_a_new_epoch_wait_for_the_ports_of_their_own_carrier(
    newsroom: tuple[Machine, Machine],
) -> None:
    relay, _ = newsroom
    handle(relay, PORT)
    before = shown(handle(relay, PSM))
    relay.clock = replace(
        relay.clock, wall_s=relay.clock.wall_s + 900, boot_s=relay.clock.boot_s + 900
    )
    turned = handle(relay, Tick())
    assert [effect for effect in turned if isinstance(effect, Relisten)]
    of_radio = shown(handle(relay, Listening("bluetooth", 0x91)))
    assert of_radio.beacons == before.beacons
    assert of_radio.short != before.short
    of_network = shown(handle(relay, Listening("tcp", 7118)))
    assert of_network.short == of_radio.short
    assert of_network.beacons != before.beacons


def test_a_machine_met_over_the_air_is_still_called_when_it_is_heard_on_a_network(
    newsroom: tuple[Machine, Machine],
) -> None:
    relay, person = newsroom
    long = shown(handle(relay, PORT)).beacons[0]
    (dial,) = dials(handle(person, heard(beacon_of(relay))))
    handle(person, Dialled(dial.attempt, LinkId(1), Carrier.BLUETOOTH, dial.addresses[0]))
    (again,) = dials(handle(person, heard(long, Address("tcp", "192.0.2.1:0"))))
    assert again.addresses[0].transport == "tcp"


def test_a_home_that_belongs_to_no_desk_shows_nothing() -> None:
    person = make_home("reporter-1", Role.REPORTER)
    effects = handle(person, PSM)
    assert not [each for each in effects if isinstance(each, Advertise) and each.short]


# Economy ------------------------------------------------------------------

ONE, OTHER = b"1" * 16, b"2" * 16


def test_bulk_may_cross_bluetooth_once_nothing_else_has_joined_the_two_for_long() -> None:
    economy = Economy(900.0)
    economy.joined(ONE, Carrier.BLUETOOTH, 100.0)
    assert economy.bulk_from_s(ONE, Carrier.BLUETOOTH) == 1000.0
    # Met again, over the same: it is the first meeting that counts.
    economy.joined(ONE, Carrier.BLUETOOTH, 500.0)
    assert economy.bulk_from_s(ONE, Carrier.BLUETOOTH) == 1000.0


def test_a_contact_over_anything_better_lets_bulk_wait_anew() -> None:
    economy = Economy(900.0)
    economy.joined(ONE, Carrier.BLUETOOTH, 100.0)
    economy.joined(ONE, Carrier.LAN, 800.0)
    assert economy.bulk_from_s(ONE, Carrier.BLUETOOTH) == 1700.0
    assert economy.bulk_from_s(ONE, Carrier.LAN) == 0.0


def test_what_is_known_of_one_machine_says_nothing_of_another() -> None:
    economy = Economy(900.0)
    economy.joined(ONE, Carrier.LAN, 800.0)
    economy.joined(OTHER, Carrier.BLUETOOTH, 0.0)
    assert economy.bulk_from_s(OTHER, Carrier.BLUETOOTH) == 900.0
