"""A bad uplink, of 64 kbit/s: bundles fill it, and what is urgent waits for little of it."""

import pytest

from meshnews.ids import BundleRef, TrafficClass
from meshnews.node.event import Carrier
from meshnews.store.port import State
from meshnews.sync.layout import decode_message
from meshnews.sync.messages import Have
from meshnews.sync.question import Grid, List
from tests.sync.cable import Account, Cable, Watch
from tests.sync.world import Node, Press, Sample

BYTES_PER_S = 8000.0
WORST_BYTES_PER_S = 2000.0
"""16 kbit/s: a window takes it five minutes."""
CHUNK_BYTES = 66560
CHUNK_S = 1.1 * CHUNK_BYTES / BYTES_PER_S
"""With heads of blocks, and small records."""
TEXT_S = 1.25
"""Its name behind a send and a block, it is asked for, and it comes: in records of 256."""
PIECES = 12
FILM_PIECES = 200

SEND_AND_BLOCK_S = 0.35
"""A send of 1 KiB on its way, a block of 1,400 bytes begun, in records of 256."""


class Uplink(Cable):
    """Notes of which bundles either side was told, and of which classes a day was asked about."""

    def __init__(
        self, left: Node, right: Node, samples: list[Sample], *, bytes_per_s: float = BYTES_PER_S
    ) -> None:
        self.told_of: set[BundleRef] = set()
        self.asked_about: set[TrafficClass] = set()
        super().__init__(
            left,
            right,
            samples,
            number=1,
            carrier=Carrier.UPLINK,
            bytes_per_s=bytes_per_s,
            watch=Watch(),
            account=Account(),
        )

    def _send(self) -> None:
        for side, talk in enumerate(self.talks):
            due_s = talk.machine.deadline_s if talk.machine is not None else None
            if talk.machine is not None and due_s is not None and due_s <= self.watch.lived_s:
                self._note(side, talk.machine)
        super()._send()

    def _look(self, side: int, message: bytes) -> None:
        said = decode_message(message)
        if isinstance(said, Have):
            self.told_of |= {name.ref for name in said.names}
        if isinstance(said, Grid | List):
            self.asked_about.add(said.traffic)
        super()._look(side, message)


def uplink_with_a_picture() -> tuple[Uplink, list[Sample]]:
    """Return a line between a node with PIECES and one that has nothing, and flashes to come."""
    left, right, press = Node("left"), Node("right"), Press(1)
    pieces = [press.make(size=CHUNK_BYTES) for _ in range(PIECES)]
    flashes = [press.make(TrafficClass.FLASH) for _ in range(PIECES)]
    left.keep(*pieces)
    return Uplink(left, right, [*pieces, *flashes]), flashes


def arrive_at_left(uplink: Uplink, samples: list[Sample]) -> None:
    """Let bundles come to the left node during the contact: it tells of them."""
    machine = uplink.talks[0].machine
    assert machine is not None
    for sample in samples:
        uplink.nodes[0].keep(sample)
        machine.announce(sample.ref, uplink.watch.moment)


def the_picture_came_first(uplink: Uplink, picture: list[Sample], film: list[Sample]) -> None:
    """Check that all of a picture but its last piece is across, and that in the end all is."""
    _, right = uplink.nodes
    assert sum(right.state(piece) is State.HELD for piece in picture) >= len(picture) - 1
    assert uplink.run()
    assert all(right.state(piece) is State.HELD for piece in (*picture, *film))


def test_nine_tenths_of_what_crosses_are_bundles() -> None:
    """Heads of blocks took three hundredths, beside the eight of small records."""
    uplink, _ = uplink_with_a_picture()
    assert uplink.run()
    assert uplink.account.payload_bytes == PIECES * CHUNK_BYTES
    assert uplink.account.payload_bytes >= 0.9 * uplink.delivered[1]


def test_a_large_file_is_not_told_of_while_what_is_more_urgent_takes_seconds() -> None:
    """The names of a film share the line with a picture, and made it come late."""
    left, right, press = Node("left"), Node("right"), Press(1)
    picture = [press.make(size=CHUNK_BYTES) for _ in range(PIECES // 2)]
    film = [press.make(TrafficClass.BULK, size=2048) for _ in range(FILM_PIECES)]
    left.keep(*picture, *film)
    uplink = Uplink(left, right, [*picture, *film])
    while not uplink.told_of & {piece.ref for piece in film}:
        assert not uplink.run(bytes_max=sum(uplink.delivered) + 256)
    the_picture_came_first(uplink, picture, film)


def test_a_large_file_is_not_compared_while_what_is_more_urgent_takes_seconds() -> None:
    """The list of a film of 180 MiB took three seconds of a window, and a picture missed it."""
    left, right, press = Node("left"), Node("right"), Press(1)
    picture = [press.make(size=CHUNK_BYTES) for _ in range(PIECES)]
    film = [press.make(TrafficClass.BULK, size=2048) for _ in range(FILM_PIECES)]
    left.keep(*picture, *film)
    right.keep(*film[1:])
    uplink = Uplink(left, right, [*picture, *film])
    while TrafficClass.BULK not in uplink.asked_about:
        assert not uplink.run(bytes_max=sum(uplink.delivered) + 256)
    the_picture_came_first(uplink, picture, film)


def test_pieces_of_a_large_file_that_come_meanwhile_are_not_told_of_either() -> None:
    """Its names came as news, each at once, and took as much of the line."""
    left, right, press = Node("left"), Node("right"), Press(1)
    picture = [press.make(size=CHUNK_BYTES) for _ in range(PIECES // 2)]
    film = [press.make(TrafficClass.BULK, size=2048) for _ in range(FILM_PIECES)]
    left.keep(*picture)
    uplink = Uplink(left, right, [*picture, *film])
    assert not uplink.run(bytes_max=CHUNK_BYTES)
    arrive_at_left(uplink, film)
    while not uplink.told_of & {piece.ref for piece in film}:
        assert not uplink.run(bytes_max=sum(uplink.delivered) + 256)
    the_picture_came_first(uplink, picture, film)


def test_a_flash_is_told_of_behind_one_send_and_one_block() -> None:
    """It waited for sends of 4 KiB, which are half a second."""
    uplink, flashes = uplink_with_a_picture()
    left, right = uplink.nodes
    for number, flash in enumerate(flashes):
        assert not uplink.run(bytes_max=sum(uplink.delivered) + 20_011 + 97 * number)
        machine = uplink.talks[0].machine
        assert machine is not None
        left.keep(flash)
        machine.announce(flash.ref, uplink.watch.moment)
        before = uplink.delivered[1]
        while flash.ref not in uplink.told_of:
            assert not uplink.run(bytes_max=sum(uplink.delivered) + 16)
        assert uplink.delivered[1] - before <= SEND_AND_BLOCK_S * BYTES_PER_S, number
    assert uplink.run()
    assert all(right.state(flash) is State.HELD for flash in flashes)


@pytest.mark.parametrize(
    ("traffic", "waits_s"),
    [(TrafficClass.BULK, TEXT_S), (TrafficClass.ROUTINE, TEXT_S + CHUNK_S)],
)
def test_a_text_steps_in_while_files_fill_the_window(traffic: TrafficClass, waits_s: float) -> None:
    """It was asked for when half of the window was free, and every offer filled it again: it came
    after the film, or minutes late.  In pictures, of its own class, it waits for the one bundle
    that has begun."""
    left, right, press = Node("left"), Node("right"), Press(1)
    pieces = [press.make(traffic, size=CHUNK_BYTES) for _ in range(PIECES)]
    texts = [press.make() for _ in range(PIECES // 3)]
    left.keep(*pieces)
    uplink = Uplink(left, right, [*pieces, *texts])
    for text in texts:
        assert not uplink.run(bytes_max=sum(uplink.delivered) + 50_021)
        arrive_at_left(uplink, [text])
        told_s = uplink.watch.lived_s
        while right.state(text) is not State.HELD:
            assert not uplink.run(bytes_max=sum(uplink.delivered) + 256)
        assert uplink.watch.lived_s - told_s <= waits_s
    assert uplink.run()
    assert all(right.state(piece) is State.HELD for piece in pieces)


def test_what_is_slow_because_the_line_is_comes_nevertheless() -> None:
    """After five minutes it was given up, and asked for by nobody: of a film that pictures stepped
    in front of, eight pieces were missing when the contact was done."""
    left, right, press = Node("left"), Node("right"), Press(1)
    film = [press.make(TrafficClass.BULK, size=CHUNK_BYTES) for _ in range(PIECES)]
    pictures = [press.make(size=CHUNK_BYTES) for _ in range(PIECES // 2)]
    left.keep(*film)
    uplink = Uplink(left, right, [*film, *pictures], bytes_per_s=WORST_BYTES_PER_S)
    assert not uplink.run(bytes_max=CHUNK_BYTES)
    arrive_at_left(uplink, pictures)
    assert uplink.run()
    assert all(right.state(piece) is State.HELD for piece in (*film, *pictures))
