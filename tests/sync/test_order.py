"""What goes first in a contact that is too short for all."""

from dataclasses import replace

from meshnews.ids import BundleRef, TrafficClass
from meshnews.store.port import State
from meshnews.sync.event import Arrived
from tests.sync.world import MOMENT, SMALL, Contact, Node, Press

FLASH, ROUTINE, BULK = TrafficClass.FLASH, TrafficClass.ROUTINE, TrafficClass.BULK
CHUNK_BYTES = 66560
DAY_S = 86400.0


def arrivals(contact: Contact, side: int) -> list[BundleRef]:
    """Return what came to one side, in the order in which it did."""
    return [event.bundle.ref for event in contact.events[side] if isinstance(event, Arrived)]


def test_news_of_large_files_does_not_put_off_the_comparison_of_what_is_more_urgent() -> None:
    """A courier unpacked films beside a link in its first second: a preview came last of all."""
    left, right, press = Node("left"), Node("right"), Press(1)
    flash, picture = press.make(FLASH), press.make(ROUTINE, size=CHUNK_BYTES)
    left.keep(flash, picture)
    contact = Contact(left, right, pace=SMALL)
    contact.run(messages_max=2)
    films = [press.make(BULK, size=CHUNK_BYTES) for _ in range(20)]
    left.keep(*films)
    for film in films:
        contact.machines[0].announce(film.ref, MOMENT)
    contact.run()
    came = arrivals(contact, 1)
    assert len(came) == 22
    assert came.index(picture.ref) < 8


def fetched_before_its_text_was_taken(*, unloads: bool) -> tuple[int, Contact]:
    """Let a gateway with a text meet who has forty flashes; return how many of them came first."""
    gateway, collector, press = Node("gateway"), Node("collector"), Press(3)
    text = press.make(ROUTINE)
    gateway.keep(text, press.make(FLASH))
    collector.keep(*(press.make(FLASH) for _ in range(40)), press.make(ROUTINE))
    pace = replace(SMALL, unloads=unloads)
    contact = Contact(gateway, collector, paces=(pace, SMALL), room_bytes=2048)
    while text.ref not in arrivals(contact, 1):
        contact.run(messages_max=1)
    return len(arrivals(contact, 0)), contact


def test_who_unloads_gives_its_texts_while_flashes_of_others_still_come() -> None:
    before, contact = fetched_before_its_text_was_taken(unloads=True)
    waiting, _ = fetched_before_its_text_was_taken(unloads=False)
    assert before < 10 < 30 < waiting
    contact.run()
    for side, number in ((0, 41), (1, 2)):
        came = [ref.traffic for ref in arrivals(contact, side)]
        assert came == sorted(came)
        assert len(came) == number


def test_the_pieces_of_today_go_before_those_of_yesterday() -> None:
    """Days are of two days: yesterday's photo and today's preview took turns, piece by piece."""
    left, right, press = Node("left"), Node("right"), Press(2)
    old, young = ([press.make(size=CHUNK_BYTES) for _ in range(12)] for _ in range(2))
    left.keep(*old)
    moment = replace(MOMENT, lived_s=MOMENT.lived_s + DAY_S)
    for sample in young:
        left.custody.accept(sample.bundle.wire, age_s=0, moment=moment)
    contact = Contact(left, right, pace=SMALL, moment=moment)
    contact.run()
    came = arrivals(contact, 1)
    assert all(right.state(sample) is State.HELD for sample in (*old, *young))
    assert set(came[:10]) <= {sample.ref for sample in young}
