"""Over an uplink nothing is told of in the order in which it came to be here."""

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.ids import BundleId, BundleRef, Day, LinkId, TrafficClass
from meshnews.link.handshake import LinkKeys
from meshnews.link.session import LinkSession
from meshnews.node.event import Carrier
from meshnews.node.links.carriage import CARRIAGES
from meshnews.node.links.conversation import Conversation
from meshnews.store.age import Moment
from tests.sync.world import MOMENT, Node

REFS = [BundleRef(TrafficClass.ROUTINE, Day(2100), BundleId(bytes([n]) * 32)) for n in range(8)]


class NoGuard:
    """Lets everybody in."""

    def first_time(self, hash16: bytes, *, durable: bool) -> bool:
        return True


def conversation(carrier: Carrier) -> tuple[Conversation, list[BundleRef]]:
    """Return a conversation that notes what the neighbour is told of."""
    entropy = SeededEntropy(b"holding back")
    session = LinkSession.respond(LinkKeys(), replay=NoGuard(), entropy=entropy)
    talk = Conversation(LinkId(1), session, carrier, 0.0)
    machine = Node("one").machine(dialler=True, session=b"s" * 64)
    told: list[BundleRef] = []

    def note(ref: BundleRef, moment: Moment) -> None:
        told.append(ref)

    machine.announce = note  # type: ignore[method-assign]  # only noting
    talk.speaker = machine
    return talk, told


def at(seconds: float) -> Moment:
    return Moment(MOMENT.lived_s + seconds, MOMENT.floor_day, MOMENT.today)


@pytest.mark.parametrize("carrier", [Carrier.LAN, Carrier.BLUETOOTH])
def test_a_neighbour_near_by_is_told_at_once(carrier: Carrier) -> None:
    talk, told = conversation(carrier)
    for ref in REFS:
        talk.tell(ref, MOMENT, SeededEntropy(b"x"))
    assert told == REFS
    assert talk.held == []


def test_over_an_uplink_each_has_a_time_of_its_own_and_all_are_told_within_seconds() -> None:
    talk, told = conversation(Carrier.UPLINK)
    luck = SeededEntropy(b"luck")
    for ref in REFS:
        talk.tell(ref, MOMENT, luck)
    assert told == []
    assert len({when for when, _ in talk.held}) == len(REFS)
    for tenth in range(int(CARRIAGES[Carrier.UPLINK].hold_s_max * 10) + 1):
        talk.tell_held(at(tenth / 10))
    assert sorted(told) == sorted(REFS)
    assert told != REFS
    assert talk.held == []
