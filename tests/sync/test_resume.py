"""A cut transfer goes on at the byte: with any peer, and after a restart."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.errors import PeerError
from meshnews.ids import TrafficClass
from meshnews.limits import BLOCK_BYTES_MIN, WIRE_BYTES
from meshnews.store.partial import PARTIALS_MAX
from meshnews.store.port import State
from meshnews.sync.layout import decode_message
from meshnews.sync.messages import Data, How, NotHeld, OfferMessage, Want
from tests.sync.stranger import Stranger
from tests.sync.world import MOMENT, SMALL, Contact, Node, Press, Sample

LARGE = Press(1).make(TrafficClass.BULK, size=66560)


def cut(taker: Node, giver: Node, blocks: int, *, session: int = 1) -> Contact:
    """Let two meet until so many blocks have come, and part."""
    contact = Contact(taker, giver, pace=SMALL, session=bytes([session]) * 64)
    contact.room_bytes = 1100
    while len(blocks_of(contact)) < blocks:
        assert not contact.run(messages_max=1), "it was over before"
    contact.end()
    return contact


def blocks_of(*contacts: Contact) -> list[Data]:
    said = [decode_message(body) for contact in contacts for body in contact.trace]
    return [message for message in said if isinstance(message, Data)]


def payload(*contacts: Contact) -> int:
    """Return how many bytes of bundles were sent."""
    return sum(len(data.block) for data in blocks_of(*contacts))


@pytest.mark.parametrize("restarts", [False, True])
def test_a_bundle_goes_on_where_it_was_cut(restarts: bool) -> None:
    taker, giver = Node("taker"), Node("giver")
    giver.keep(LARGE)
    first = cut(taker, giver, 30)
    assert taker.state(LARGE) is None
    if restarts:
        taker = taker.restarted()
    second = Contact(taker, giver, pace=SMALL)
    second.run()
    assert taker.state(LARGE) is State.HELD
    assert payload(first, second) <= LARGE.bundle.size + SMALL.block_bytes


def test_another_peer_brings_the_rest_over_another_carrier() -> None:
    taker, one, other = Node("taker"), Node("one"), Node("other")
    one.keep(LARGE)
    other.keep(LARGE)
    first = cut(taker, one, 50)
    second = Contact(taker, other)
    second.run()
    assert taker.state(LARGE) is State.HELD
    assert payload(first, second) <= LARGE.bundle.size + SMALL.block_bytes
    assert not taker.custody.partials.begun(LARGE.ref)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30), cuts=st.lists(st.integers(1, 160), max_size=6))
def test_cuts_cost_a_block_each_and_lose_nothing(seed: int, cuts: list[int]) -> None:
    press = Press(seed)
    samples = [press.make(size=size) for size in WIRE_BYTES]
    taker, giver = Node("taker"), Node("giver")
    giver.keep(*samples)
    contacts = []
    for number, messages in enumerate(cuts):
        contact = Contact(taker, giver, pace=SMALL, session=bytes([number]) * 64)
        contact.room_bytes = 1100
        contact.run(messages_max=messages)
        contact.end()
        contacts.append(contact)
    last = Contact(taker, giver, pace=SMALL, session=b"l" * 64)
    last.run()
    assert all(taker.state(sample) is State.HELD for sample in samples)
    allowed = sum(WIRE_BYTES) + len(cuts) * (SMALL.block_bytes + contacts_room(contacts))
    assert payload(*contacts, last) <= allowed
    assert taker.carry.count("partial") == 0


def contacts_room(contacts: list[Contact]) -> int:
    """Return the most that may be under way when a contact is cut, and is lost with it."""
    return max((contact.room_bytes for contact in contacts), default=0)


def begin(node: Node, sample: Sample, garbage: bytes) -> None:
    """Let a liar bring the first bytes of a bundle, and go."""
    liar = Stranger(node)
    liar.name(sample)
    liar.say(OfferMessage(0, sample.bundle.offer.encode()))
    liar.heard()
    for at in range(0, len(garbage), BLOCK_BYTES_MIN):
        liar.say(liar.data(sample, offset=at, block=garbage[at : at + BLOCK_BYTES_MIN]))
    liar.machine.ended()


def test_a_poisoned_half_blames_nobody_and_the_bundle_comes_whole_from_one() -> None:
    taker, honest = Node("taker"), Node("honest")
    honest.keep(LARGE)
    begin(taker, LARGE, bytes(10 * BLOCK_BYTES_MIN))
    contact = Contact(taker, honest)
    contact.run()
    assert taker.state(LARGE) is State.HELD
    assert blocks_of(contact)[0].offset == 10 * BLOCK_BYTES_MIN
    assert 0 in [data.offset for data in blocks_of(contact)]


def test_what_was_poisoned_once_is_not_joined_again() -> None:
    taker, honest = Node("taker"), Node("honest")
    honest.keep(LARGE)
    begin(taker, LARGE, bytes(4 * BLOCK_BYTES_MIN))
    contact = Contact(taker, honest, pace=SMALL)
    contact.room_bytes = 1100
    while LARGE.ref.id not in taker.custody.partials.unjoined:
        contact.run(messages_max=1)
    contact.end()
    begin(taker, LARGE, bytes(4 * BLOCK_BYTES_MIN))
    assert not taker.custody.partials.begun(LARGE.ref)


def test_who_brings_a_whole_bundle_that_is_wrong_is_blamed() -> None:
    liar = Stranger(Node("taker"))
    liar.name(LARGE)
    liar.say(OfferMessage(0, LARGE.bundle.offer.encode()))
    liar.heard()
    wire = LARGE.bundle.wire[:-1] + bytes((LARGE.bundle.wire[-1] ^ 1,))
    with pytest.raises(PeerError):
        for at in range(0, len(wire), 32768):
            liar.say(liar.data(LARGE, offset=at, block=wire[at : at + 32768]))


def test_a_peer_is_asked_for_the_rest_only() -> None:
    node = Node("taker")
    begin(node, LARGE, LARGE.bundle.wire[: 8 * BLOCK_BYTES_MIN])
    peer = Stranger(node)
    peer.name(LARGE)
    peer.say(OfferMessage(0, LARGE.bundle.offer.encode()))
    (want,) = [message for message in peer.heard() if isinstance(message, Want)]
    assert want.groups[0].how is How.DATA
    assert want.groups[0].offsets == (8 * BLOCK_BYTES_MIN,)
    rest = LARGE.bundle.wire[8 * BLOCK_BYTES_MIN :]
    for at in range(0, len(rest), 32768):
        block = rest[at : at + 32768]
        peer.say(peer.data(LARGE, offset=8 * BLOCK_BYTES_MIN + at, block=block))
    assert node.state(LARGE) is State.HELD


# What waits on the disk


def test_only_so_many_wait_and_the_oldest_goes() -> None:
    node = Node("node")
    partials = node.custody.partials
    press = Press(2)
    samples = [press.make(size=8192) for _ in range(PARTIALS_MAX + 2)]
    for age, sample in enumerate(samples):
        partials.save(sample.ref, sample.bundle.wire[:1000], 1000.0 + age)
    assert [bool(partials.begun(sample.ref)) for sample in samples[:3]] == [False, False, True]
    assert node.carry.count("partial") == PARTIALS_MAX


def test_what_came_in_another_way_or_waits_for_days_is_let_go() -> None:
    node, press = Node("node"), Press(3)
    came, old, waiting = (press.make(size=8192) for _ in range(3))
    for sample, at_s in ((came, 1000.0), (old, 1000.0 - 4 * 86400), (waiting, 1000.0)):
        node.custody.partials.save(sample.ref, sample.bundle.wire[:1000], max(0.0, at_s))
    node.keep(came)
    node.custody.sweep(MOMENT)
    left = [bool(node.custody.partials.begun(sample.ref)) for sample in (came, waiting)]
    assert left == [False, True]


def test_nothing_is_kept_in_part_when_space_is_short() -> None:
    node = Node("node", quota_bytes=4096)
    sample = Press(4).make(size=8192)
    node.custody.partials.save(sample.ref, sample.bundle.wire[:5000], 0.0)
    assert node.custody.partials.begun(sample.ref) == b""


def test_a_part_longer_than_the_bundle_keeps_it_from_nobody() -> None:
    # Its bringer had named another size.
    node, flash = Node("taker"), Press(5).make(TrafficClass.FLASH, size=2048)
    node.custody.partials.save(flash.ref, bytes(5120), 0.0)
    honest = Node("honest")
    honest.keep(flash)
    Contact(node, honest).run()
    assert node.state(flash) is State.HELD


def test_a_peer_that_has_no_rest_is_asked_for_the_whole() -> None:
    node, sample = Node("taker"), Press(6).make(size=8192)
    node.custody.partials.save(sample.ref, bytes(5120), 0.0)
    peer = Stranger(node)
    (want,) = peer.name(sample)
    assert isinstance(want, Want)
    assert want.groups[0].offsets == (5120,)
    peer.say(NotHeld(peer.group(sample)))
    (again,) = peer.heard()
    assert isinstance(again, Want)
    assert again.groups[0].offsets == ()
