"""Peers that lie, flood, stall or send what nobody asked for."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.errors import Exceeded, Forged, Malformed, OutOfTurn, PeerError
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import (
    BLOCK_BYTES_MIN,
    BUNDLES_BEGUN_MAX,
    QUESTIONS_OPEN_MAX,
    REPLIES_QUEUED_MAX,
    WANTS_QUEUED_MAX,
)
from meshnews.store.port import State
from meshnews.sync.event import Arrived, Receipted
from meshnews.sync.give import Giver
from meshnews.sync.layout import encode_message
from meshnews.sync.machine import SyncState
from meshnews.sync.messages import (
    Acked,
    Cancel,
    Data,
    Done,
    Group,
    Have,
    How,
    Name,
    NotHeld,
    OfferMessage,
    Stored,
    Want,
    WantGroup,
)
from meshnews.sync.question import List, Spans
from meshnews.sync.rest import VAIN_NAMES_AGAIN, VAIN_NAMES_MAX, VAIN_REST_S
from meshnews.sync.salt import Salt
from tests.sync.sample import HELLO, MESSAGES
from tests.sync.stranger import SESSION, Stranger
from tests.sync.world import MOMENT, TODAY, Contact, Node, Press

ROUTINE = TrafficClass.ROUTINE


SAMPLES = [Press(1).make() for _ in range(2)] + [Press(2).make(size=66560)]
ONE, _, LARGE = SAMPLES


def test_a_bundle_that_was_asked_for_is_taken() -> None:
    peer = Stranger(Node("node"))
    peer.name(ONE)
    assert peer.say(peer.data(ONE)) == [Arrived(ONE.bundle)]
    assert peer.heard() == [Stored(peer.group(ONE))]


def test_a_bundle_nobody_asked_for_is_refused() -> None:
    peer = Stranger(Node("node"))
    peer.refused(peer.data(ONE), OutOfTurn)
    assert peer.node.state(ONE) is None


def test_a_bundle_sent_twice_is_refused() -> None:
    peer = Stranger(Node("node"))
    peer.name(ONE)
    peer.say(peer.data(ONE))
    peer.refused(peer.data(ONE), OutOfTurn)


def test_wrong_bytes_cost_the_peer_its_link_and_the_bundle_nothing() -> None:
    node = Node("node")
    liar = Stranger(node)
    liar.name(ONE)
    wire = bytearray(ONE.bundle.wire)
    wire[1000] ^= 1
    liar.refused(liar.data(ONE, block=bytes(wire)), Forged)
    assert not node.contents()
    honest = Stranger(node)
    assert honest.name(ONE)
    assert honest.say(honest.data(ONE)) == [Arrived(ONE.bundle)]


def test_another_bundle_than_the_named_one_is_refused() -> None:
    press = Press(3)
    named, sent = press.make(), press.make()
    node = Node("node")
    peer = Stranger(node)
    peer.name(named)
    peer.refused(peer.data(named, block=sent.bundle.wire), Forged)
    # Kept but not told of, it would never be opened.
    assert node.state(sent) is None


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 2049), (1, 2047), (0, BLOCK_BYTES_MIN - 1), (2047, 2)]
)
def test_a_block_that_does_not_fit_is_refused(offset: int, length: int) -> None:
    peer = Stranger(Node("node"))
    peer.name(ONE)
    peer.refused(peer.data(ONE, offset=offset, block=bytes(length)), PeerError)


def test_blocks_out_of_order_are_refused() -> None:
    press = Press(4)
    sample = press.make(size=8192)
    peer = Stranger(Node("node"))
    peer.name(sample)
    wire = sample.bundle.wire
    assert peer.say(peer.data(sample, block=wire[:1024])) == []
    peer.refused(peer.data(sample, offset=2048, block=wire[2048:3072]), OutOfTurn)


def test_who_begins_one_bundle_after_the_other_and_ends_none_is_refused() -> None:
    """It would fill our memory with as much as a window of each class holds."""
    peer, press = Stranger(Node("node")), Press(3)
    samples = [press.make(size=8192) for _ in range(BUNDLES_BEGUN_MAX + 1)]
    for sample in samples:
        peer.name(sample)
    *first, last = [
        peer.data(sample, block=sample.bundle.wire[:BLOCK_BYTES_MIN]) for sample in samples
    ]
    for block in first:
        peer.say(block)
    peer.refused(last, Exceeded)


def test_a_large_bundle_is_judged_by_its_offer_first() -> None:
    peer = Stranger(Node("node"))
    (want,) = peer.name(LARGE)
    assert isinstance(want, Want)
    assert want.groups[0].how is How.OFFER
    peer.say(OfferMessage(900, LARGE.bundle.offer.encode()))
    (want,) = peer.heard()
    assert isinstance(want, Want)
    assert want.groups[0].how is How.DATA
    wire = LARGE.bundle.wire
    for offset in range(0, len(wire), 32768):
        peer.say(peer.data(LARGE, offset=offset, block=wire[offset : offset + 32768]))
    assert peer.heard() == [Stored(peer.group(LARGE))]


def test_bytes_in_place_of_the_offer_are_refused() -> None:
    peer = Stranger(Node("node"))
    peer.name(LARGE)
    peer.refused(peer.data(LARGE, block=LARGE.bundle.wire[:32768]), OutOfTurn)


def test_an_offer_that_was_not_asked_for_is_refused() -> None:
    peer = Stranger(Node("node"))
    peer.refused(OfferMessage(0, LARGE.bundle.offer.encode()), OutOfTurn)


def test_an_offer_of_another_size_than_its_name_is_refused() -> None:
    peer = Stranger(Node("node"))
    peer.name(LARGE, size=32768)
    peer.refused(OfferMessage(0, LARGE.bundle.offer.encode()), Malformed)


def test_an_offer_with_bad_postage_is_refused() -> None:
    peer = Stranger(Node("node"))
    peer.name(LARGE)
    offer = bytearray(LARGE.bundle.offer.encode())
    offer[-10] ^= 1
    peer.refused(OfferMessage(0, bytes(offer)), PeerError)


def test_an_offer_of_what_came_meanwhile_is_cancelled() -> None:
    peer = Stranger(Node("node"))
    peer.name(LARGE)
    peer.node.keep(LARGE)
    peer.say(OfferMessage(0, LARGE.bundle.offer.encode()))
    assert peer.heard() == [Cancel(peer.group(LARGE))]
    assert not len(peer.node.inflight)


def test_stored_of_what_was_not_given_is_refused() -> None:
    peer = Stranger(Node("node"))
    peer.refused(Stored(peer.group(ONE)), OutOfTurn)


def test_stored_of_a_receipt_that_was_not_handed_over_is_refused() -> None:
    peer = Stranger(Node("node"))
    peer.refused(Stored((), peer.group(ONE)), OutOfTurn)


def test_not_held_of_what_was_not_asked_for_is_refused() -> None:
    peer = Stranger(Node("node"))
    peer.refused(NotHeld(peer.group(ONE)), OutOfTurn)


def names_of_nothing(first: int, many: int) -> list[Name]:
    """Return names of bundles that there are not."""
    ids = [BundleId(number.to_bytes(32, "big")) for number in range(first, first + many)]
    return [Name(BundleRef(ROUTINE, TODAY, each), 2048, acked=False) for each in ids]


def lets_down(peer: Stranger, heard: Sequence[object]) -> int:
    """Answer every request with nothing; return how much was asked for until no more was."""
    asked = 0
    while wants := [message for message in heard if isinstance(message, Want)]:
        for want in wants:
            asked += len(want.groups[0].ids)
            peer.say(NotHeld((Group(ROUTINE, TODAY, want.groups[0].ids),)))
        heard = peer.heard()
    return asked


def test_who_names_thousands_in_vain_is_asked_for_nothing_for_a_while_and_still_given_to() -> None:
    node = Node("node")
    node.keep(ONE)
    peer = Stranger(node)
    asked = 0
    for turn in range(30):
        peer.say(Have(tuple(names_of_nothing(turn * 256, 256))))
        asked += lets_down(peer, peer.heard())
    assert VAIN_NAMES_MAX <= asked < 30 * 256
    assert peer.machine.state is SyncState.OPEN
    peer.say(Want((WantGroup(ROUTINE, TODAY, (ONE.ref.id,), How.DATA),)))
    assert any(isinstance(message, Data) for message in peer.heard())

    rested_s = peer.machine.deadline_s
    assert rested_s == MOMENT.lived_s + VAIN_REST_S
    peer.machine.tick(replace(MOMENT, lived_s=rested_s))
    again = lets_down(peer, peer.heard())
    assert VAIN_NAMES_AGAIN <= again < 30 * 256 - asked


def test_a_want_for_what_is_not_held_is_answered_so() -> None:
    peer = Stranger(Node("node"))
    peer.say(Want((WantGroup(ROUTINE, TODAY, (ONE.ref.id,), How.DATA),)))
    assert peer.heard() == [NotHeld(peer.group(ONE))]


def test_asking_twice_for_the_same_is_refused() -> None:
    node = Node("node")
    node.keep(ONE)
    peer = Stranger(node)
    want = Want((WantGroup(ROUTINE, TODAY, (ONE.ref.id,), How.DATA),))
    peer.say(want)
    peer.refused(want, OutOfTurn)


def test_more_requests_than_may_wait_are_refused() -> None:
    peer = Stranger(Node("node"))
    with pytest.raises(Exceeded):
        for turn in range(WANTS_QUEUED_MAX // 1024 + 1):
            shorts = tuple([(turn * 1024 + n).to_bytes(8, "big") for n in range(1024)])
            peer.say(Want((WantGroup(ROUTINE, TODAY, shorts, How.DATA),)))


def test_requests_that_are_cancelled_do_not_pile_up() -> None:
    salt = Salt(session=SESSION, dialler_nonce=bytes(16), acceptor_nonce=bytes(16))
    giver = Giver(Node("node").custody, salt=salt, block_bytes=1024)
    for turn in range(3 * WANTS_QUEUED_MAX // 1024):
        ids = tuple([BundleId((turn * 1024 + n).to_bytes(32, "big")) for n in range(1024)])
        giver.want(Want((WantGroup(ROUTINE, TODAY, ids, How.DATA),)))
        giver.cancel([Group(ROUTINE, TODAY, tuple(map(salt.position, ids)))])
        assert giver.waiting <= WANTS_QUEUED_MAX


def test_a_copy_that_is_asked_for_again_is_one_copy() -> None:
    node = Node("node")
    node.keep(ONE)
    peer = Stranger(node)
    for _ in range(3):
        peer.say(Want((WantGroup(ROUTINE, TODAY, (ONE.ref.id,), How.DATA),)))
        peer.heard()
        peer.say(Stored(peer.group(ONE)))
    entry = node.carry.entry(ONE.ref)
    assert entry is not None
    assert entry.copies == 1


def test_a_peer_that_hands_receipts_over_and_does_not_read_is_cut() -> None:
    node = Node("node")
    node.keep(ONE)
    peer = Stranger(node)
    assert ONE.receipt is not None
    short = (ONE.ref.traffic, ONE.ref.day, ONE.receipt.short.encode())
    with pytest.raises(Exceeded):
        for _ in range(REPLIES_QUEUED_MAX // 256 + 1):
            peer.say(Acked(confirm=True, full=(), short=(short,) * 256))


def test_a_request_beyond_the_end_is_not_held() -> None:
    node = Node("node")
    node.keep(ONE)
    peer = Stranger(node)
    peer.say(Want((WantGroup(ROUTINE, TODAY, (ONE.ref.id,), How.DATA, (5000,)),)))
    assert peer.heard() == [NotHeld(peer.group(ONE))]


def test_a_request_may_begin_in_the_middle() -> None:
    node = Node("node")
    node.keep(LARGE)
    peer = Stranger(node)
    peer.say(Want((WantGroup(ROUTINE, TODAY, (LARGE.ref.id,), How.DATA, (40000,)),)))
    (data,) = peer.heard()
    assert isinstance(data, Data)
    assert (data.offset, data.block) == (40000, LARGE.bundle.wire[40000:])


def _spans(traffic: TrafficClass = ROUTINE) -> Spans:
    return Spans(traffic, TODAY, Day(0), bytes(80))


def test_endless_lists_are_refused() -> None:
    peer = Stranger(Node("node"))
    peer.say(_spans())
    shorts = [n << 40 for n in range(2048)]
    with pytest.raises(Exceeded):
        for turn in range(40):
            listed = tuple([(short + turn).to_bytes(8, "big") for short in shorts])
            states = (State.LACKING,) * 2048
            peer.say(List(ROUTINE, Day(TODAY - 2 * turn), 0, 0, listed, states))
            peer.heard()
    assert 10 < turn < 20


def test_a_peer_that_asks_and_does_not_read_is_cut() -> None:
    press = Press(6)
    node = Node("node")
    node.keep(*[press.make() for _ in range(300)])
    peer = Stranger(node)
    peer.say(_spans())
    with pytest.raises(PeerError):
        for _ in range(1000):
            peer.say(List(ROUTINE, TODAY, 0, 0, (), ()))


def test_more_questions_than_may_be_open_are_refused() -> None:
    # The node has so much to fetch that it answers nothing yet.
    peer = Stranger(Node("node"))
    names = [
        Name(BundleRef(ROUTINE, TODAY, BundleId(n.to_bytes(32, "big"))), 2048, acked=False)
        for n in range(6000)
    ]
    for start in range(0, 6000, 1000):
        peer.say(Have(tuple(names[start : start + 1000])))
    for traffic in (TrafficClass.NOTICE, TrafficClass.FLASH, ROUTINE, TrafficClass.BULK):
        peer.say(_spans(traffic))
    assert QUESTIONS_OPEN_MAX == 4
    peer.refused(_spans(), OutOfTurn)


def test_done_before_the_last_answer_is_refused() -> None:
    peer = Stranger(Node("node"))
    names = [
        Name(BundleRef(ROUTINE, TODAY, BundleId(n.to_bytes(32, "big"))), 2048, acked=False)
        for n in range(1000)
    ]
    peer.say(Have(tuple(names)))
    # Bulk waits until what is more urgent is nearly here.
    peer.say(_spans(TrafficClass.BULK))
    peer.refused(Done(), OutOfTurn)


def test_a_forged_receipt_ends_the_link() -> None:
    node = Node("node")
    assert ONE.receipt is not None
    forged = bytearray(ONE.receipt.encode())
    forged[-20] ^= 1
    Stranger(node).refused(Acked(confirm=False, full=(bytes(forged),)), PeerError)
    assert not node.contents()


def test_what_a_message_brought_before_its_fault_stands_and_is_told() -> None:
    node = Node("node")
    node.keep(ONE)
    peer = Stranger(node)
    assert ONE.receipt is not None
    genuine = ONE.receipt.encode()
    peer.refused(Acked(confirm=False, full=(genuine, b"garbage"), short=()), Malformed)
    assert node.state(ONE) is State.ACKED_WITH_BODY
    assert peer.machine.harvest() == [Receipted(ONE.ref)]
    assert peer.machine.harvest() == []


def test_a_short_receipt_for_another_bundle_does_nothing() -> None:
    node = Node("node")
    node.keep(ONE)
    peer = Stranger(node)
    peer.say(Acked(confirm=False, full=(), short=((ROUTINE, TODAY, b"x" * 64),)))
    assert node.state(ONE) is State.HELD


def test_a_short_receipt_for_a_notice_is_refused() -> None:
    peer = Stranger(Node("node"))
    short = ((TrafficClass.NOTICE, TODAY, b"x" * 64),)
    peer.refused(Acked(confirm=False, full=(), short=short), Malformed)


def test_a_smaller_frame_limit_than_the_protocol_has_is_refused() -> None:
    machine = Node("node").machine(dialler=False, session=SESSION)
    machine.start(MOMENT)
    body = encode_message(HELLO).replace(b"\xce\x00\x01\x00\x00\x01", b"\xcd\x04\x00\x01")
    with pytest.raises(Malformed):
        machine.receive(body, MOMENT)


@settings(max_examples=60)
@given(st.data(), st.booleans())
def test_whatever_a_peer_says_only_a_peer_error_comes_of_it(
    draw: st.DataObject, dialler: bool
) -> None:
    node = Node("node")
    node.keep(*SAMPLES[:2])
    peer = Stranger(node, dialler=dialler)
    said = st.sampled_from(
        [*MESSAGES.values(), _spans(), peer.data(ONE), Have((Name(LARGE.ref, 66560, acked=False),))]
    )
    try:
        for message in draw.draw(st.lists(said, max_size=12)):
            peer.say(message)
            peer.heard()
    except PeerError:
        assert peer.machine.state is SyncState.ENDED
    assert node.state(ONE) is State.HELD


@settings(max_examples=60)
@given(st.integers(0, 200), st.binary(min_size=1, max_size=60), st.integers(0, 5000))
def test_a_wire_that_garbles_one_message_ends_in_a_peer_error_or_not_at_all(
    which: int, noise: bytes, at: int
) -> None:
    left, right = Node("left"), Node("right")
    left.keep(*SAMPLES)
    contact = Contact(left, right, room_bytes=4096)
    done = contact.run(messages_max=which % 15)
    for wire in contact.wires:
        if wire:
            body = bytearray(wire[0])
            start = at % len(body)
            body[start : start + len(noise)] = noise
            wire[0] = bytes(body)
    try:
        done = contact.run(messages_max=2000)
    except PeerError:
        contact.end()
    assert set(right.contents()) <= {sample.ref for sample in SAMPLES}
    assert done or not len(right.inflight)
