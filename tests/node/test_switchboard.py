"""Streams: who may stay on the line, how long, and what a stranger is told."""

from dataclasses import dataclass, field, replace

import pytest

from meshnews.ids import LinkId
from meshnews.limits import (
    FRAME_S_MAX,
    HANDSHAKE_S_MAX,
    HANDSHAKES_PENDING_MAX,
    LINK_S_MAX,
    SILENCE_S,
)
from meshnews.link.party import RelayTarget
from meshnews.link.rendezvous import Rendezvous
from meshnews.link.session import LinkSession
from meshnews.node.event import (
    Accepted,
    Address,
    Carrier,
    Close,
    Effect,
    Event,
    Received,
    Send,
    Tick,
)
from meshnews.node.identity import Role
from meshnews.sync.layout import encode_message
from tests.node.newsroom import Machine, enrolled, make_desk
from tests.sync.sample import HELLO

SOMEWHERE = Address("tcp", "192.0.2.9:50000")


@dataclass
class Door:
    """A relay, and what it did with the streams that came in."""

    relay: Machine
    done: list[Effect] = field(default_factory=list)

    def tell(self, *events: Event) -> None:
        for event in events:
            self.done += self.relay.tell(event)

    def wait(self, seconds: float) -> None:
        """Let time pass as the daemon would: the node is called when it asked to be."""
        clock = self.relay.clock
        moved = replace(clock, boot_s=clock.boot_s + seconds, wall_s=clock.wall_s + seconds)
        self.relay.clock = moved
        self.tell(Tick())

    def knock(self, number: int, where: Address = SOMEWHERE) -> LinkId:
        link = LinkId(number)
        self.tell(Accepted(link, Carrier.LAN, where))
        return link

    def closed(self) -> dict[LinkId, float]:
        """Return which streams were ended, and after how long a silence."""
        return {one.link: one.after_s for one in self.done if isinstance(one, Close)}

    def said(self, link: LinkId) -> bytes:
        """Return what was put on a stream."""
        return b"".join(e.data for e in self.done if isinstance(e, Send) and e.link == link)

    def call(self, number: int) -> tuple[LinkId, LinkSession]:
        """Come in as a member does that knows the relay, and greet it."""
        link, session = self.reach(number)
        session.queue(encode_message(HELLO))
        self.tell(Received(link, session.take(2000)))
        return link, session

    def reach(self, number: int) -> tuple[LinkId, LinkSession]:
        """Come in, and say nothing yet."""
        own = self.relay.node.home.identity.relay
        assert own is not None
        assert own.beacon_key is not None
        target = RelayTarget(own.static.public, Rendezvous.at_relay(own.beacon_key))
        session = LinkSession.initiate(target, entropy=self.relay.entropy)
        link = self.knock(number)
        self.tell(Received(link, session.start()))
        session.receive(self.said(link))
        return link, session


@pytest.fixture
def door() -> Door:
    editor, _ = make_desk()
    return Door(enrolled(editor, "relay-1", Role.RELAY))


def flipped(stream: bytes) -> bytes:
    """Return what arrives when somebody on the way changes one bit."""
    return stream[:100] + bytes([stream[100] ^ 1]) + stream[101:]


# Strangers


def test_whoever_says_nothing_is_cut_in_silence_after_five_seconds(door: Door) -> None:
    link = door.knock(1)
    door.wait(HANDSHAKE_S_MAX - 0.1)
    assert link not in door.closed()
    door.wait(0.1)
    low, high = SILENCE_S
    assert low <= door.closed()[link] <= high
    assert door.said(link) == b""


def test_garbage_is_thrown_away_for_a_time_that_says_nothing(door: Door) -> None:
    for number in range(40):
        link = door.knock(number)
        door.tell(Received(link, bytes(range(256))))
        door.wait(HANDSHAKE_S_MAX)
        assert door.said(link) == b""
    silences = list(door.closed().values())
    assert len(silences) == 40
    assert all(SILENCE_S[0] <= one <= SILENCE_S[1] for one in silences)
    assert max(silences) - min(silences) > 20


def test_strangers_hold_sixteen_streams_and_the_newest_pushes_out_the_oldest(door: Door) -> None:
    links = [door.knock(number) for number in range(HANDSHAKES_PENDING_MAX + 3)]
    assert list(door.closed()) == links[:3]


def test_one_who_opens_many_streams_pushes_out_his_own(door: Door) -> None:
    slow = door.knock(1, Address("tcp", "198.51.100.7:40000"))
    links = [door.knock(number) for number in range(2, 2 + 3 * HANDSHAKES_PENDING_MAX)]
    assert slow not in door.closed()
    assert list(door.closed()) == links[: 2 * HANDSHAKES_PENDING_MAX + 1]


def test_strangers_never_push_out_a_neighbour(door: Door) -> None:
    link, session = door.call(1)
    assert session.established
    for number in range(2, 2 + 3 * HANDSHAKES_PENDING_MAX):
        door.knock(number)
    assert link not in door.closed()


def test_a_recorded_call_is_left_in_silence(door: Door) -> None:
    own = door.relay.node.home.identity.relay
    assert own is not None
    assert own.beacon_key is not None
    target = RelayTarget(own.static.public, Rendezvous.at_relay(own.beacon_key))
    recorded = LinkSession.initiate(target, entropy=door.relay.entropy).start()
    first, second = door.knock(1), door.knock(2)
    door.tell(Received(first, recorded), Received(second, recorded))
    assert door.said(first)
    assert door.said(second) == b""
    door.relay.restart()
    third = door.knock(3)
    door.tell(Received(third, recorded))
    assert door.said(third) == b""


def test_whoever_spoils_the_first_record_is_left_in_silence(door: Door) -> None:
    link, session = door.reach(1)
    session.queue(encode_message(HELLO))
    door.tell(Received(link, flipped(session.take(2000))))
    assert door.closed()[link] >= SILENCE_S[0]


# Neighbours


def test_a_link_that_is_spoilt_on_the_way_is_closed_at_once(door: Door) -> None:
    link, session = door.call(1)
    session.queue(bytes(100))
    door.tell(Received(link, flipped(session.take(2000))))
    assert door.closed()[link] == 0.0


def test_a_neighbour_that_breaks_the_protocol_itself_is_left_in_silence(door: Door) -> None:
    link, session = door.call(1)
    session.queue(bytes(100))
    door.tell(Received(link, session.take(2000)))
    assert door.closed()[link] >= SILENCE_S[0]


def test_a_stream_that_was_one_too_many_ends_once_whatever_it_has_said_besides(door: Door) -> None:
    door.call(1)
    link, session = door.reach(2)
    session.queue(encode_message(HELLO))
    session.queue(bytes(100))
    door.tell(Received(link, session.take(2000)))
    assert [end.after_s for end in door.done if isinstance(end, Close)] == [0.0]


def test_a_link_is_made_afresh_after_an_hour(door: Door) -> None:
    link, _ = door.call(1)
    door.wait(LINK_S_MAX - 1)
    assert link not in door.closed()
    door.wait(1)
    assert link in door.closed()


def test_a_record_that_began_and_does_not_end_costs_the_link(door: Door) -> None:
    link, session = door.call(1)
    session.queue(bytes(40_000))
    door.tell(Received(link, session.take(40_000)[:1000]))
    door.wait(FRAME_S_MAX - 1)
    assert link not in door.closed()
    door.wait(1)
    assert link in door.closed()
