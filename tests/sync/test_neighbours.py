"""Several links of one node, news while in contact, peers that stall, receipts handed over."""

from collections import Counter
from dataclasses import replace

import pytest

from meshnews.errors import OutOfTurn
from meshnews.ids import TrafficClass
from meshnews.limits import BLOCK_BYTES_MIN, CONTESTED_S, REQUEST_S_MAX, STALL_S
from meshnews.store.custody import Custody
from meshnews.store.port import State
from meshnews.store.terms import Terms
from meshnews.sync.event import Arrived, Carried, HandedOver, InSync, Receipted
from meshnews.sync.layout import decode_message, encode_message
from meshnews.sync.machine import SyncState
from meshnews.sync.messages import (
    Acked,
    Cancel,
    Data,
    Have,
    How,
    Name,
    NotHeld,
    OfferMessage,
    Want,
)
from meshnews.sync.request import Wish, unlisted
from meshnews.sync.schedule import InFlight, UrgentFirst
from tests.sync.stranger import Stranger
from tests.sync.world import (
    LAN,
    MOMENT,
    SMALL,
    TODAY,
    Contact,
    Node,
    Press,
    Sample,
    issuers,
)


def said(contact: Contact, kind: type) -> list[object]:
    return [m for m in map(decode_message, contact.trace) if isinstance(m, kind)]


def arrived(contact: Contact, side: int) -> list[object]:
    return [e.bundle.ref for e in contact.events[side] if isinstance(e, Arrived)]


# Several links


def pair_of_givers(count: int = 40) -> tuple[Contact, Contact, list[Sample]]:
    """Return two contacts of one empty node, with peers that hold the same."""
    taker, one, two = Node("taker"), Node("one"), Node("two")
    samples = Press(1).some(count)
    one.keep(*samples)
    two.keep(*samples)
    first = Contact(taker, one, pace=SMALL, room_bytes=4096)
    second = Contact(taker, two, pace=SMALL, room_bytes=4096, session=b"t" * 64)
    return first, second, samples


def alternate(*contacts: Contact) -> None:
    done = False
    while not done:
        # Each has its turn, also when another is done.
        turns = [contact.run(messages_max=7) for contact in contacts]
        done = all(turns)


def test_nothing_is_fetched_from_two_peers_at_once() -> None:
    first, second, samples = pair_of_givers()
    alternate(first, second)
    came = Counter(arrived(first, 0) + arrived(second, 0))
    assert came == Counter({sample.ref: 1 for sample in samples})
    assert sum(first.given.values()) + sum(second.given.values()) == len(samples)
    assert arrived(first, 0)
    assert arrived(second, 0)


@pytest.mark.parametrize("cut_after", [5, 20, 60])
def test_what_one_link_was_fetching_when_it_ended_comes_by_the_other(cut_after: int) -> None:
    first, second, samples = pair_of_givers()
    first.run(messages_max=cut_after)
    second.run(messages_max=5)
    first.end()
    second.run()
    assert len(first.left.contents()) == len(samples)
    assert not len(first.left.inflight)
    assert all(machine.is_idle for machine in second.machines)


def test_a_peer_that_lost_what_it_named_is_not_the_last_to_be_asked() -> None:
    first, second, samples = pair_of_givers()
    first.run(messages_max=8)
    for sample in samples:
        first.right.custody.forget(sample.ref)
    alternate(first, second)
    assert len(first.left.contents()) == len(samples)


# Peers that stall


def later(contact: Contact, seconds: float) -> None:
    contact.moment = replace(contact.moment, lived_s=contact.moment.lived_s + seconds)


def stalled(size: int = 2048) -> tuple[Contact, Sample]:
    """Return a contact in which a bundle was asked for and the peer says nothing."""
    taker, giver = Node("taker"), Node("giver")
    sample = Press(2).make(size=size)
    giver.keep(sample)
    contact = Contact(taker, giver)
    while not said(contact, Want):
        for side in (0, 1):
            contact.pull(side)
            if not said(contact, Want):
                contact.deliver(side)
    return contact, sample


def test_a_request_that_stalls_is_given_up_in_time() -> None:
    contact, _ = stalled()
    machine = contact.machines[0]
    assert machine.deadline_s is not None
    assert machine.deadline_s <= MOMENT.lived_s + STALL_S
    assert len(contact.left.inflight) == 1
    later(contact, STALL_S - 1)
    machine.tick(contact.moment)
    assert len(contact.left.inflight) == 1
    later(contact, 1)
    machine.tick(contact.moment)
    assert not len(contact.left.inflight)
    contact.pull(0)
    assert said(contact, Cancel)


def test_a_silent_peer_is_asked_again_after_a_rest() -> None:
    """It may have been the line; what it owes is meanwhile asked of others."""
    contact, _ = stalled()
    machine = contact.machines[0]
    later(contact, STALL_S)
    machine.tick(contact.moment)
    later(contact, STALL_S - 1)
    machine.tick(contact.moment)
    contact.trace.clear()
    contact.pull(0)
    assert not said(contact, Want)
    later(contact, 1)
    machine.tick(contact.moment)
    contact.pull(0)
    assert said(contact, Want)


@pytest.mark.parametrize("size", [2048, 66560])
def test_what_was_given_up_comes_when_the_peer_speaks_again(size: int) -> None:
    """It was let pass and asked for by nobody, for as long as the contact lasted."""
    contact, sample = stalled(size)
    contact.deliver(0)
    contact.pull(1)
    later(contact, STALL_S)
    contact.machines[0].tick(contact.moment)
    contact.run()
    assert contact.left.state(sample) is State.HELD
    assert all(machine.is_idle for machine in contact.machines)


def test_blocks_asked_for_without_an_offer_keep_to_the_window() -> None:
    """What was given up as an offer is asked for by its blocks: all of it was, at once."""
    peer, press = Stranger(Node("node")), Press(3)
    for _ in range(40):
        peer.name(press.make(size=66560))
    asked = 0
    for _ in range(20):
        due_s = peer.machine.deadline_s
        assert due_s is not None
        peer.machine.tick(replace(MOMENT, lived_s=due_s))
        wants = [group for want in peer.heard() if isinstance(want, Want) for group in want.groups]
        asked = sum(len(group.ids) for group in wants if group.how is How.DATA)
        if asked:
            break
    assert asked, "nothing was given up, or none of it asked for otherwise"
    assert (asked - 1) * 66560 < LAN.window_bytes


def test_blocks_that_crossed_a_cancel_are_no_answer_to_what_is_asked_anew() -> None:
    """They were taken for the answer, in the wrong place, and an honest giver was cut."""
    node, sample = Node("node"), Press(2).make(size=8192)
    peer = Stranger(node)
    blocks = [
        peer.data(sample, offset=at, block=sample.bundle.wire[at : at + 1024])
        for at in range(0, sample.bundle.size, 1024)
    ]
    peer.name(sample)
    peer.say(blocks[0])
    peer.machine.tick(replace(MOMENT, lived_s=MOMENT.lived_s + STALL_S))
    assert isinstance(peer.heard()[0], Cancel)
    peer.say(blocks[1])
    (want,) = peer.heard()
    assert isinstance(want, Want)
    assert want.groups[0].how is How.OFFER
    for block in blocks[2:]:
        peer.say(block)
    assert not peer.heard()
    peer.say(OfferMessage(0, sample.bundle.offer.encode()))
    (again,) = peer.heard()
    assert isinstance(again, Want)
    assert again.groups[0].offsets == (1024,)
    for block in blocks[1:]:
        peer.say(block)
    assert node.state(sample) is State.HELD


def test_what_a_peer_stalls_is_asked_from_another() -> None:
    contact, sample = stalled()
    other = Node("other")
    other.keep(sample)
    second = Contact(contact.left, other, session=b"t" * 64)
    second.run()
    assert contact.left.state(sample) is None
    later(contact, STALL_S)
    contact.machines[0].tick(contact.moment)
    assert second.machines[0].queued
    second.run()
    assert contact.left.state(sample) is State.HELD


def test_a_peer_that_says_what_it_does_not_hold_is_not_silent() -> None:
    peer, press = Stranger(Node("node")), Press(3)
    gone, held = press.make(), press.make()
    peer.name(gone)
    peer.name(held)
    late, later_s = MOMENT.lived_s + STALL_S - 1, MOMENT.lived_s + STALL_S
    not_held = encode_message(NotHeld(peer.group(gone)))
    peer.machine.receive(not_held, replace(MOMENT, lived_s=late))
    peer.machine.tick(replace(MOMENT, lived_s=later_s))
    assert not peer.heard()
    peer.machine.tick(replace(MOMENT, lived_s=late + STALL_S))
    assert isinstance(peer.heard()[0], Cancel)


def test_what_is_given_up_comes_from_a_third_while_the_second_is_silent() -> None:
    """It was kept for the second, which was asked for nothing for as long as it rested."""
    node, good, press = Node("node"), Node("good"), Press(3)
    sample, owed = press.make(), press.make()
    good.keep(sample)
    first, second = Stranger(node), Stranger(node)
    first.name(sample)
    second.name(owed)
    second.name(sample)
    third = Contact(node, good, session=b"t" * 64)
    third.run()
    assert node.state(sample) is None
    for silent in (second, first):
        silent.machine.tick(replace(MOMENT, lived_s=MOMENT.lived_s + STALL_S))
    third.run()
    assert node.state(sample) is State.HELD


def test_what_was_never_named_is_asked_of_the_next_by_its_whole_id() -> None:
    """By the short one the next knew it not, and was said to have named it in vain."""
    node, sample = Node("node"), Press(3).make()
    first, second = Stranger(node), Stranger(node)
    for peer in (first, second):
        assert peer.machine.talk is not None
        peer.machine.talk.taker.wish(unlisted(sample.ref, sample.bundle.size))
    (want,) = first.heard()
    assert not second.heard()
    first.say(NotHeld(first.group(sample)))
    assert second.heard() == [want]


def test_what_a_peer_lets_trickle_is_asked_from_another_that_has_it() -> None:
    taker, good, sample = Node("taker"), Node("good"), Press(3).make(size=66560)
    good.keep(sample)
    slow = Stranger(taker)
    slow.name(sample)
    slow.say(OfferMessage(0, sample.bundle.offer.encode()))
    slow.heard()
    honest = Contact(taker, good, session=b"t" * 64)
    honest.run()
    seconds = 0.0
    while not honest.machines[0].queued:
        at = int(seconds) // 5 * BLOCK_BYTES_MIN
        block = sample.bundle.wire[at : at + BLOCK_BYTES_MIN]
        slow.machine.receive(encode_message(slow.data(sample, offset=at, block=block)), MOMENT)
        seconds += 5.0
        slow.machine.tick(replace(MOMENT, lived_s=MOMENT.lived_s + seconds))
    assert seconds == CONTESTED_S
    honest.run()
    assert taker.state(sample) is State.HELD


def test_a_slow_peer_is_left_alone_while_nobody_else_has_what_it_brings() -> None:
    contact, _ = stalled()
    later(contact, CONTESTED_S + 1)
    contact.machines[0].tick(contact.moment)
    assert len(contact.left.inflight) == 1


def test_a_slow_peer_is_left_alone_while_who_else_has_it_is_silent() -> None:
    """It was given up for a peer that rested; then nobody was asked, and the slow one no more."""
    node, press = Node("node"), Press(3)
    sample, owed = press.make(size=8192), press.make()
    slow, silent = Stranger(node), Stranger(node)
    slow.name(sample)
    silent.name(owed)
    silent.name(sample)
    block = encode_message(slow.data(sample, block=sample.bundle.wire[:1024]))
    slow.machine.receive(block, replace(MOMENT, lived_s=MOMENT.lived_s + CONTESTED_S - 1))
    stall_s = MOMENT.lived_s + STALL_S
    silent.machine.tick(replace(MOMENT, lived_s=stall_s))
    slow.machine.tick(replace(MOMENT, lived_s=stall_s))
    assert not slow.heard()
    silent.machine.tick(replace(MOMENT, lived_s=stall_s + STALL_S))
    silent.heard()
    slow.machine.tick(replace(MOMENT, lived_s=stall_s + 1))
    assert isinstance(slow.heard()[0], Cancel)


def test_a_slow_peer_is_asked_again_when_the_other_has_it_not() -> None:
    node, sample = Node("node"), Press(3).make()
    slow, empty = Stranger(node), Stranger(node)
    slow.name(sample)
    empty.name(sample)
    slow.machine.tick(replace(MOMENT, lived_s=MOMENT.lived_s + CONTESTED_S))
    assert isinstance(slow.heard()[0], Cancel)
    (want,) = empty.heard()
    assert isinstance(want, Want)
    assert not node.inflight.is_contested(sample.ref.id)
    assert not slow.heard()
    empty.say(NotHeld(empty.group(sample)))
    (again,) = slow.heard()
    assert isinstance(again, Want)


def test_a_request_grows_too_old_although_others_move() -> None:
    contact, _ = stalled()
    taker = contact.machines[0]
    step, passed = STALL_S / 2, 0.0
    while passed < REQUEST_S_MAX:
        fresh = Press(int(100 + passed)).make(TrafficClass.FLASH)
        contact.right.keep(fresh)
        contact.machines[1].announce(fresh.ref, contact.moment)
        kept = list(contact.wires[0])
        contact.wires[0].clear()
        contact.run()
        assert contact.left.state(fresh) is State.HELD
        contact.wires[0].extend(kept)
        later(contact, step)
        passed += step
        taker.tick(contact.moment)
    assert not len(contact.left.inflight)


def test_a_comparison_goes_on_when_all_that_it_waited_for_is_cancelled() -> None:
    """What was cancelled counted as still to be given, and for ever when nothing else was."""
    giver, press = Node("giver"), Press(4)
    pictures = [press.make(size=66560) for _ in range(4)]
    piece = press.make(TrafficClass.BULK)
    giver.keep(*pictures, piece)
    contact = Contact(giver, Node("taker"), pace=SMALL, room_bytes=1024)
    machine, taker = contact.machines
    while not (machine.talk and machine.talk.giver.bytes_before(TrafficClass.BULK) >= 66560):
        contact.run(messages_max=1)
    later(contact, STALL_S)
    taker.tick(contact.moment)
    contact.run()
    assert all(each.in_sync for each in contact.machines)
    assert contact.right.state(piece) is State.HELD
    assert machine.talk.giver.waiting_bytes == 0


def test_a_peer_that_never_says_hello_is_cut_in_time() -> None:
    machine = Node("one").machine(dialler=True, session=b"s" * 64)
    machine.start(MOMENT)
    assert machine.deadline_s == MOMENT.lived_s + STALL_S
    machine.tick(MOMENT)
    with pytest.raises(OutOfTurn):
        machine.tick(replace(MOMENT, lived_s=MOMENT.lived_s + STALL_S))
    assert machine.state is SyncState.ENDED


# News


def open_contact() -> Contact:
    contact = Contact(Node("left"), Node("right"))
    contact.run()
    assert all(machine.is_idle for machine in contact.machines)
    return contact


def test_what_was_offered_and_is_named_again_is_asked_for_once() -> None:
    """News may name what the comparison does: who was asked for its body twice cut us."""
    peer, press = Stranger(Node("node")), Press(3)
    samples = [press.make(size=66560) for _ in range(20)]
    said = [message for sample in samples for message in peer.name(sample)]
    for sample in samples:
        peer.say(OfferMessage(0, sample.bundle.offer.encode()))
        said += peer.heard() + peer.name(sample)
    wants = [group for want in said if isinstance(want, Want) for group in want.groups]
    asked = Counter((group.how, one) for group in wants for one in group.ids)
    assert set(asked.values()) == {1}
    assert {how for how, _ in asked} == {How.OFFER, How.DATA}


@pytest.mark.parametrize("side", [0, 1])
def test_a_new_bundle_goes_to_a_peer_in_contact(side: int) -> None:
    contact = open_contact()
    nodes = contact.left, contact.right
    for sample in (Press(3).make(), Press(4).make(TrafficClass.BULK, size=66560)):
        nodes[side].keep(sample)
        contact.machines[side].announce(sample.ref, MOMENT)
        contact.run()
        assert nodes[1 - side].state(sample) is State.HELD
        assert Carried(sample.ref) in contact.events[side]


def test_news_is_not_told_back_to_where_it_came_from() -> None:
    contact = open_contact()
    sample = Press(3).make()
    contact.left.keep(sample)
    contact.machines[0].announce(sample.ref, MOMENT)
    contact.run()
    contact.machines[1].announce(sample.ref, MOMENT)
    contact.run()
    assert len(said(contact, Have)) == 1


def test_what_arrives_between_the_hellos_is_not_forgotten() -> None:
    contact = Contact(Node("left"), Node("right"))
    sample = Press(3).make()
    contact.left.keep(sample)
    contact.machines[0].announce(sample.ref, MOMENT)
    contact.run()
    assert contact.right.state(sample) is State.HELD


def test_a_new_receipt_goes_to_a_peer_in_contact() -> None:
    left, right = Node("left"), Node("right")
    known, unknown = Press(3).make(), Press(4).make()
    for node in (left, right):
        node.keep(known)
    contact = Contact(left, right)
    contact.run()
    left.acknowledge(known, unknown)
    for sample in (known, unknown):
        contact.machines[0].announce_receipt(sample.ref)
    contact.run()
    assert right.state(known) is State.ACKED_WITH_BODY
    assert right.state(unknown) is State.ACKED
    assert Receipted(known.ref) in contact.events[1]
    for sample in (known, unknown):
        contact.machines[1].announce_receipt(sample.ref)
    before = len(contact.trace)
    contact.run()
    assert len(contact.trace) == before


def test_a_receipt_for_a_bundle_known_to_be_there_is_short() -> None:
    contact = open_contact()
    sample = Press(3).make()
    contact.left.keep(sample)
    contact.machines[0].announce(sample.ref, MOMENT)
    contact.run()
    contact.left.acknowledge(sample)
    contact.machines[0].announce_receipt(sample.ref)
    contact.run()
    (message,) = said(contact, Acked)
    assert isinstance(message, Acked)
    assert (len(message.full), len(message.short)) == (0, 1)
    assert contact.right.state(sample) is State.ACKED_WITH_BODY


# Receipts handed over


def test_a_collector_confirms_what_is_handed_over_and_keeps_it_back() -> None:
    editor, collector = Node("editor", desk=True), Node("collector")
    collector.custody = Custody(
        collector.carry,
        Terms(quota_bytes=1 << 30, collector=True, desk=False),
        Press(0).entropy,
        issuers,
    )
    samples = [Press(seed).make() for seed in range(3)]
    editor.keep(*samples)
    collector.keep(*samples)
    contact = Contact(editor, collector)
    contact.run()
    contact.machines[0].hand_over([sample.receipt for sample in samples if sample.receipt])
    contact.run()
    handed = [event for event in contact.events[0] if isinstance(event, HandedOver)]
    assert {event.ref for event in handed} == {sample.ref for sample in samples}
    assert not [event for event in contact.events[1] if isinstance(event, Receipted)]
    assert {collector.state(sample) for sample in samples} == {State.HELD}


# Order and room


def test_control_takes_at_most_a_quarter_while_data_waits() -> None:
    left, right = Node("left"), Node("right")
    press = Press(7)
    left.keep(*[press.make(size=8192) for _ in range(100)])
    contact = Contact(left, right, room_bytes=4096)
    while not said(contact, Data):
        contact.run(messages_max=1)
    names = [press.make() for _ in range(3000)]
    left.keep(*names)
    for sample in names:
        contact.machines[0].announce(sample.ref, MOMENT)
    control = data = 0
    while contact.machines[0]._talk is not None and contact.machines[0]._talk.giver.has_data:
        for body in contact.machines[0].pull(4096, MOMENT):
            if isinstance(decode_message(body), Data):
                data += len(body)
            else:
                control += len(body)
    assert data > 300_000
    assert control < data / 3 + 64 * 1024 / 3 + 32 * 1024


def test_a_flash_waits_for_one_block_of_a_slow_stream_and_for_no_more() -> None:
    rate = 8000
    left, right = Node("left"), Node("right")
    left.keep(*[Press(n).make(TrafficClass.BULK, size=66560) for n in range(8)])
    contact = Contact(left, right, room_bytes=1)
    while len(said(contact, Data)) < 20:
        contact.machines[0].pace(rate)
        contact.run(messages_max=2)
    flash = Press(9).make(TrafficClass.FLASH, size=2048)
    left.keep(flash)
    contact.machines[0].announce(flash.ref, MOMENT)
    # Whatever the peer says comes at once; counted is what of ours goes before.
    before = contact.sent_bytes[0]
    while right.state(flash) is None:
        contact.run(messages_max=2)
    ahead = contact.sent_bytes[0] - before - flash.bundle.size
    assert ahead <= 0.2 * rate


def test_a_flash_steps_in_front_of_a_bulk_bundle() -> None:
    left, right = Node("left"), Node("right")
    bulk = Press(8).make(TrafficClass.BULK, size=66560)
    flash = Press(9).make(TrafficClass.FLASH)
    left.keep(bulk)
    contact = Contact(left, right, pace=SMALL, room_bytes=2048)
    while len(said(contact, Data)) < 10:
        contact.run(messages_max=1)
    left.keep(flash)
    contact.machines[0].announce(flash.ref, MOMENT)
    contact.run()
    assert arrived(contact, 1) == [flash.ref, bulk.ref]
    assert all(times == 1 for times in contact.given.values())


def test_a_pull_stays_near_its_room() -> None:
    left, right = Node("left"), Node("right")
    left.keep(*Press(10).some(60))
    contact = Contact(left, right, pace=SMALL, room_bytes=8192)
    while not contact.run(messages_max=1):
        for side in (0, 1):
            bodies = contact.machines[side].pull(2048, MOMENT)
            assert sum(map(len, bodies)) < 2048 + 9000
            contact.wires[side].extend(bodies)


def test_bulk_is_not_compared_while_much_else_waits() -> None:
    left, right = Node("left"), Node("right")
    press = Press(11)
    left.keep(*[press.make() for _ in range(200)])
    left.keep(press.make(TrafficClass.BULK))
    contact = Contact(left, right, pace=SMALL, room_bytes=2048)
    while not said(contact, Data):
        contact.run(messages_max=1)
    assert not [e for e in contact.events[1] if isinstance(e, InSync)]
    contact.run()
    classes = [ref.traffic for ref in arrived(contact, 1)]  # type: ignore[attr-defined]  # references
    assert classes == [TrafficClass.ROUTINE] * 200 + [TrafficClass.BULK]


def test_a_full_node_takes_nothing_and_ends_idle() -> None:
    left, right = Node("left"), Node("right", quota_bytes=20 * 2048)
    press = Press(12)
    left.keep(*[press.make() for _ in range(60)])
    contact = Contact(left, right)
    contact.run()
    held = [state for state in right.contents().values() if state is State.HELD]
    assert len(held) == 20
    assert all(machine.is_idle for machine in contact.machines)


# The tables themselves


class Fetching:
    """A link that notes what it is told to wish for again."""

    def __init__(self) -> None:
        self.again: list[Wish] = []

    def wish_again(self, wish: Wish) -> None:
        self.again.append(wish)


WISH = Wish(Name(Press(13).make().ref, 2048, acked=False))


def test_a_claim_holds_until_it_is_released_and_then_all_who_wait_are_told() -> None:
    table, one, two, three = InFlight(), Fetching(), Fetching(), Fetching()
    assert table.claim(WISH, one)
    assert not table.claim(WISH, two)
    assert not table.claim(WISH, two)
    assert not table.claim(WISH, three)
    table.release(WISH.name.ref.id, two)
    assert not two.again
    table.release(WISH.name.ref.id, one)
    assert (two.again, three.again) == ([WISH], [WISH])
    assert not table.is_contested(WISH.name.ref.id)
    assert table.claim(WISH, three)
    assert not table.claim(WISH, two)
    table.release(WISH.name.ref.id, three)
    assert (len(two.again), three.again) == (2, [WISH])


def test_what_is_finished_or_withdrawn_is_forgotten() -> None:
    table, one, two = InFlight(), Fetching(), Fetching()
    table.claim(WISH, one)
    table.claim(WISH, two)
    table.withdraw(two)
    table.release(WISH.name.ref.id, one)
    assert not two.again
    table.claim(WISH, one)
    table.claim(WISH, two)
    table.finish(WISH.name.ref.id)
    assert not len(table)
    assert table.claim(WISH, two)


def test_what_goes_next_is_class_then_day_then_size_then_arrival() -> None:
    order: UrgentFirst[int] = UrgentFirst()
    press = Press(14)
    flash = press.make(TrafficClass.FLASH, day=TODAY - 4).ref
    today, before = press.make().ref, press.make(day=TODAY - 2).ref
    for number, (ref, size) in enumerate(
        [(before, 2048), (today, 8192), (today, 2048), (today, 2048), (flash, 2048)]
    ):
        order.put(ref, size, number)
    assert order.waiting_bytes == 8192 + 4 * 2048
    assert [order.pop() for _ in range(6)] == [4, 2, 3, 1, 0, None]
    assert order.waiting_bytes == 0


def test_many_names_of_what_is_held_are_weighed_piece_by_piece() -> None:
    node, other = Node("node"), Node("other")
    samples = [Press(15).make(), Press(16).make()]
    node.keep(samples[0])
    other.keep(samples[1])
    contact = Contact(node, other)
    contact.run()
    machine = contact.machines[0]
    contact.left.custody.forget(samples[1].ref)
    for _ in range(5000):
        machine.wish_again(Wish(Name(samples[0].ref, 2048, acked=False)))
    machine.wish_again(Wish(Name(samples[1].ref, 2048, acked=False)))
    assert machine.pull(1 << 20, MOMENT) == []
    assert machine.deadline_s == 0.0
    assert machine.pull(1 << 20, MOMENT)
    assert machine.deadline_s != 0.0


# Bulk over slow carriers


def test_bulk_waits_until_it_is_asked_for_and_nothing_else_does() -> None:
    giver, taker = Node("giver"), Node("taker")
    press = Press(3)
    bulk = press.make(TrafficClass.BULK, size=66560)
    routine = press.make(TrafficClass.ROUTINE)
    giver.keep(bulk, routine)
    contact = Contact(taker, giver, pace=replace(SMALL, takes_bulk=False))
    contact.run()
    assert taker.state(routine) is State.HELD
    assert taker.state(bulk) is None
    contact.machines[0].take_bulk()
    contact.run()
    assert taker.state(bulk) is State.HELD
