"""Islands, mules and neighbours that hold a part each: everything arrives, and nothing twice."""

import pytest

from meshnews.ids import TrafficClass
from meshnews.store.port import State
from tests.sync.world import Contact, Node, Press, Sample

ROUTINE, BULK = TrafficClass.ROUTINE, TrafficClass.BULK


def meet(one: Node, other: Node, number: int) -> Contact:
    """Let two meet until nothing moves; return what was said."""
    contact = Contact(one, other, session=number.to_bytes(64, "big"))
    contact.run()
    contact.end()
    return contact


def given(*contacts: Contact, side: int | None = None) -> int:
    """Return how many bundles were sent, by one side or both, each checked to be sent once."""
    sent = [(key[0], times) for contact in contacts for key, times in contact.given.items()]
    assert all(times == 1 for _, times in sent)
    return sum(side in {None, giver} for giver, _ in sent)


def together(*contacts: Contact) -> None:
    """Let several contacts go on side by side until nothing moves in any."""
    while True:
        over = [contact.run(messages_max=50) for contact in contacts]
        if all(over):
            return


def test_a_mule_between_two_islands_carries_all_and_then_finds_nothing_to_do() -> None:
    press = Press(1)
    east, west, mule = Node("east"), Node("west"), Node("mule")
    to_west = [press.make(size=2048) for _ in range(1000)]
    to_east = [press.make(size=2048) for _ in range(1000)]
    east.keep(*to_west)
    west.keep(*to_east)
    rounds = [meet(mule, island, n) for n, island in enumerate((east, west, east, west))]
    assert all(east.state(sample) is State.HELD for sample in to_east)
    assert all(west.state(sample) is State.HELD for sample in to_west)
    # Out of the east, into and out of the west, into the east; the last time nothing.
    assert [given(contact) for contact in rounds] == [1000, 2000, 1000, 0]
    assert sum(rounds[-1].sent_bytes) < 1000


@pytest.mark.slow
def test_ten_thousand_short_texts_cross_in_one_contact_each_once() -> None:
    press = Press(2)
    one, other = Node("one"), Node("other")
    samples = [press.make(size=2048) for _ in range(10_000)]
    one.keep(*samples)
    contact = meet(one, other, 1)
    assert given(contact) == len(samples)
    assert len(other.contents()) == len(samples)


def test_a_file_in_three_parts_at_three_neighbours_comes_without_one_piece_twice() -> None:
    press, taker = Press(3), Node("taker")
    pieces: list[Sample] = [press.make(BULK, size=66560) for _ in range(750)]
    holders = [Node(f"holder-{n}") for n in range(3)]
    for n, holder in enumerate(holders):
        holder.keep(*pieces[n::3])
    contacts = [Contact(taker, holder, session=bytes([n]) * 64) for n, holder in enumerate(holders)]
    together(*contacts)
    assert given(*contacts, side=1) == len(pieces)
    assert all(taker.state(piece) is State.HELD for piece in pieces)


def test_neighbours_that_hold_the_same_bring_a_part_each() -> None:
    press, taker = Press(4), Node("taker")
    pieces = [press.make(BULK, size=66560) for _ in range(300)]
    holders = [Node(f"holder-{n}") for n in range(3)]
    for holder in holders:
        holder.keep(*pieces)
    contacts = [Contact(taker, holder, session=bytes([n]) * 64) for n, holder in enumerate(holders)]
    together(*contacts)
    shares = [given(contact, side=1) for contact in contacts]
    assert sum(shares) == len(pieces)
    assert min(shares) > 0
