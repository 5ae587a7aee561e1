"""Offers are drawn as far ahead as the blocks that follow need, and no farther."""

import pytest

from meshnews.ids import BundleRef
from meshnews.limits import WIRE_BYTES
from meshnews.sync.event import Arrived
from meshnews.sync.layout import decode_message
from meshnews.sync.messages import Data, How, OfferMessage, Want, WantGroup
from meshnews.sync.pace import Pace
from tests.sync.stranger import Stranger
from tests.sync.world import LAN, MOMENT, SMALL, Contact, Node, Press, Sample

CHUNK_BYTES = WIRE_BYTES[-1]
WIDE = Pace(block_bytes=32 * 1024, window_bytes=8 * CHUNK_BYTES)
PIECES = 40


def film(name: str) -> tuple[Node, list[Sample]]:
    """Return a node that holds a large file, and its pieces."""
    node, press = Node(name), Press(1)
    pieces = [press.make(size=CHUNK_BYTES) for _ in range(PIECES)]
    node.keep(*pieces)
    return node, pieces


def arrived(contact: Contact) -> list[BundleRef]:
    """Return what has come to the left of two, in order."""
    return [event.bundle.ref for event in contact.events[0] if isinstance(event, Arrived)]


def offered(contact: Contact) -> int:
    """Return of how many the taker has been told more than a name, as far as it was looked at."""
    said = [decode_message(body) for body in contact.trace]
    contact.trace.clear()
    return sum(isinstance(message, OfferMessage) for message in said)


@pytest.mark.parametrize(("pace", "most"), [(WIDE, 8 + 8), (SMALL, 4 + 1)])
def test_of_a_file_that_is_cut_few_offers_have_come_in_vain(pace: Pace, most: int) -> None:
    """All those of 50 MiB came at once: of a file cut at half a quarter of a percent was lost."""
    giver, pieces = film("giver")
    contact = Contact(Node("taker"), giver, pace=pace, room_bytes=4096)
    ahead = 0
    while not contact.run(messages_max=1):
        ahead += offered(contact)
        # One that has begun to come is neither here nor waited for.
        assert ahead - len(arrived(contact)) <= most + 1
    assert set(arrived(contact)) == {piece.ref for piece in pieces}
    assert ahead == PIECES


def test_a_neighbour_that_comes_later_brings_its_share_of_a_file() -> None:
    """Whatever was offered is asked of nobody else: the first had offered nearly all of it."""
    taker = Node("taker")
    first, second = (
        Contact(taker, film(name)[0], pace=WIDE, room_bytes=4096, session=name.encode() * 21)
        for name in ("one", "two")
    )
    while len(arrived(first)) < PIECES // 4:
        assert not first.run(messages_max=1)
    done = False
    while not done:
        turns = [contact.run(messages_max=5) for contact in (first, second)]
        done = all(turns)
    assert len(arrived(first)) + len(arrived(second)) == PIECES
    assert len(arrived(second)) >= PIECES // 4


def test_an_offer_waits_for_the_bundle_that_has_begun_and_for_no_more() -> None:
    """Behind a window of blocks it came when all that was offered before it had been used up."""
    giver, pieces = film("giver")
    stranger = Stranger(giver)
    ask(stranger, How.DATA, pieces[:3])
    said = [decode_message(body) for body in stranger.machine.pull(1024, MOMENT)]
    ask(stranger, How.OFFER, pieces[3:5])
    said += stranger.heard()
    kinds = [type(message) for message in said if isinstance(message, Data | OfferMessage)]
    blocks = -(-CHUNK_BYTES // LAN.block_bytes)
    assert kinds == [Data] * blocks + [OfferMessage] * 2 + [Data] * 2 * blocks


def ask(stranger: Stranger, how: How, samples: list[Sample]) -> None:
    """Ask a node for what it never named."""
    traffic, day, _ = samples[0].ref
    ids = tuple([sample.ref.id for sample in samples])
    stranger.say(Want((WantGroup(traffic, day, ids, how),)))
