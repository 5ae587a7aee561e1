"""Two machines that can meet over Bluetooth and over a network."""

import pytest

from meshnews.node.event import Address, Carrier, Heard
from meshnews.node.identity import Role
from tests.node.newsroom import enrolled, make_desk
from tests.node.pair import Pair

AIR = Address("bluetooth", "random.c4.1f.00.11.22.33:0")
CABLE = Address("tcp", "192.0.2.1:0")


@pytest.fixture
def pair() -> Pair:
    editor, _ = make_desk()
    relay = enrolled(editor, "relay-1", Role.RELAY)
    person = enrolled(editor, "reporter-1", Role.REPORTER, near=("relay-1",))
    pair = Pair(caller=person, called=relay)
    pair.listen()
    return pair


def hear_on_air(pair: Pair) -> None:
    pair.tell(pair.caller, Heard(pair.shown.short[0], (AIR,)))


def hear_on_cable(pair: Pair) -> None:
    pair.tell(pair.caller, Heard(pair.shown.beacons[0], (CABLE,)))


def test_they_talk_over_bluetooth_when_there_is_nothing_else(pair: Pair) -> None:
    hear_on_air(pair)
    pair.connect(Carrier.BLUETOOTH)
    assert pair.carriers(pair.caller) == pair.carriers(pair.called) == ["bluetooth"]
    (link,) = pair.links(pair.caller)
    assert link.relay == pair.called.node.home.identity.relay.static.public  # type: ignore[union-attr]  # a relay


def test_they_move_to_a_network_as_soon_as_they_share_one(pair: Pair) -> None:
    hear_on_air(pair)
    pair.connect(Carrier.BLUETOOTH)
    hear_on_cable(pair)
    pair.connect(Carrier.LAN)
    assert pair.carriers(pair.caller) == pair.carriers(pair.called) == ["lan"]


def test_they_do_not_go_back_while_the_network_lasts(pair: Pair) -> None:
    hear_on_air(pair)
    pair.connect(Carrier.BLUETOOTH)
    hear_on_cable(pair)
    pair.connect(Carrier.LAN)
    pair.later(120)
    hear_on_air(pair)
    assert not pair.dials


@pytest.mark.parametrize("carrier", [Carrier.BLUETOOTH, Carrier.LAN])
def test_bulk_waits_a_quarter_of_an_hour_for_something_better_than_bluetooth(
    pair: Pair, carrier: Carrier
) -> None:
    (hear_on_air if carrier is Carrier.BLUETOOTH else hear_on_cable)(pair)
    pair.connect(carrier)

    def takes_bulk() -> bool:
        (talk,) = pair.caller.node.switchboard.talks.talking()
        assert talk.machine is not None
        return talk.machine.takes_bulk

    assert takes_bulk() is (carrier is Carrier.LAN)
    pair.later(14 * 60)
    assert takes_bulk() is (carrier is Carrier.LAN)
    pair.later(2 * 60)
    assert takes_bulk()
