"""Who has nothing to say is not asked; what can be said is said all the same."""

from meshnews.ids import TrafficClass
from meshnews.limits import SMALL_OFFER_BYTES_MAX
from meshnews.store.port import State
from meshnews.sync.layout import decode_message
from meshnews.sync.messages import Done, Have
from meshnews.sync.question import List
from tests.sync.world import LAN, SMALL, Contact, Node, Press, Sample


def test_the_next_class_is_compared_when_another_link_fetches_all_of_the_one_before() -> None:
    """What was wished for was let go without a word, and then nobody asked again."""
    taker, one, two, press = Node("taker"), Node("one"), Node("two"), Press(1)
    flashes = [press.make(TrafficClass.FLASH, size=SMALL_OFFER_BYTES_MAX) for _ in range(8)]
    text = press.make(TrafficClass.ROUTINE)
    one.keep(*flashes)
    two.keep(*flashes, text)
    first = Contact(taker, one, pace=LAN)
    while not len(taker.inflight):
        first.run(messages_max=1)
    assert len(taker.inflight) == len(flashes)
    second = Contact(taker, two, pace=SMALL, session=b"t" * 64)
    assert second.run()
    assert taker.state(text) is State.HELD
    assert second.machines[0].in_sync
    assert second.machines[1].in_sync


def film_put_off() -> tuple[Contact, list[Sample], list[Sample]]:
    """Return a contact in which the names of a film wait for a picture; the picture, the film."""
    left, right, press = Node("left"), Node("right"), Press(1)
    picture = [press.make(size=66560) for _ in range(4)]
    film = [press.make(TrafficClass.BULK, size=2048) for _ in range(20)]
    left.keep(*picture, *film)
    contact = Contact(left, right, room_bytes=4096)
    while not any(isinstance(message, List) for message in map(decode_message, contact.trace[5:])):
        assert not contact.run(messages_max=2)
    assert not contact.run(messages_max=2)
    return contact, picture, film


def test_the_end_of_a_comparison_is_told_behind_the_names_that_were_put_off() -> None:
    contact, picture, film = film_put_off()
    assert contact.run()
    said = [type(message) for message in map(decode_message, contact.trace)]
    assert said.count(Have) == 2
    assert max(at for at, kind in enumerate(said) if kind is Have) < said.index(Done)
    assert all(contact.right.state(piece) is State.HELD for piece in (*picture, *film))


def test_it_is_told_too_when_these_names_are_of_what_is_gone() -> None:
    contact, picture, film = film_put_off()
    for piece in film:
        contact.left.carry.forget(piece.ref)
    assert contact.run()
    assert all(contact.right.state(piece) is State.HELD for piece in picture)
    assert contact.machines[0].in_sync
    assert contact.machines[1].in_sync
