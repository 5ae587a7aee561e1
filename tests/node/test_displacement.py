"""Who has to go when there is one link too many."""

from itertools import count

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import SymmetricKey, X25519Public
from meshnews.desk.bulletin import RelayFlags
from meshnews.desk.pack import RelayKeys
from meshnews.ids import Day, LinkId
from meshnews.limits import NEIGHBOURS_MAX
from meshnews.link.party import MemberTarget
from meshnews.link.rendezvous import Rendezvous
from meshnews.link.session import LinkSession
from meshnews.node.event import Address, Carrier
from meshnews.node.links.candidates import LINKS_WANTED, RELAYS_WANTED
from meshnews.node.links.conversation import Conversation
from meshnews.node.links.displacement import FRESH_S, displaced_by, one_too_many
from meshnews.node.links.target import Target

NO_LUCK = SeededEntropy(b"displacement")
MESH = Rendezvous.of_members(SymmetricKey(bytes(32)), Day(2500))
RELAY = RelayKeys(X25519Public(bytes(31) + b"\x01"), SymmetricKey(bytes(32)), RelayFlags(0))
NOW_S = 5000.0

_numbers = count(1)


def caller(place: int) -> Conversation:
    """Return a link on which a neighbour at this place called us."""
    session = LinkSession.initiate(MemberTarget(MESH, bytes(16)), entropy=NO_LUCK)
    link = LinkId(next(_numbers))
    where = Address("tcp", f"192.0.2.{place}:{40_000 + link}")
    return Conversation(link, session, Carrier.LAN, NOW_S, where)


def called(place: int, *, relay: RelayKeys | None = None) -> Conversation:
    """Return a link on which we called one at this place."""
    talk = caller(place)
    talk.target = Target(b"", MESH, relay, reached=Address("tcp", f"192.0.2.{place}:7117"))
    talk.address = None
    return talk


def leaving(
    newcomer: Conversation, others: list[Conversation], luck: SeededEntropy = NO_LUCK
) -> Conversation | None:
    return displaced_by(newcomer, others, most=NEIGHBOURS_MAX, now_s=NOW_S, luck=luck)


@pytest.fixture(params=range(10))
def luck(request: pytest.FixtureRequest) -> SeededEntropy:
    """Return one of several ways in which chance may have its say."""
    return SeededEntropy(bytes([request.param]))


def test_while_there_is_room_nobody_goes() -> None:
    assert leaving(caller(99), [caller(n) for n in range(NEIGHBOURS_MAX - 1)]) is None


def test_who_brought_least_in_the_last_minute_goes(luck: SeededEntropy) -> None:
    others = [caller(n) for n in range(NEIGHBOURS_MAX)]
    for talk in others[1:]:
        talk.brought(NOW_S - 1, 2048)
    others[0].brought(NOW_S - FRESH_S - 1, 1 << 20)
    assert leaving(caller(99), others, luck) is others[0]


def test_one_place_with_many_links_pushes_out_only_its_own(luck: SeededEntropy) -> None:
    honest = [caller(n) for n in range(3)]
    flood = [caller(66) for _ in range(NEIGHBOURS_MAX - 3)]
    assert leaving(caller(66), [*honest, *flood], luck) in flood


def test_the_first_of_a_flood_pushes_out_who_never_brought_anything(luck: SeededEntropy) -> None:
    others = [caller(n) for n in range(NEIGHBOURS_MAX)]
    for talk in others[1:]:
        talk.brought(NOW_S - 1000, 2048)
    assert leaving(caller(99), others, luck) is others[0]


def test_who_calls_us_never_pushes_out_whom_we_called(luck: SeededEntropy) -> None:
    ours = [called(n) for n in range(NEIGHBOURS_MAX - 1)]
    theirs = caller(50)
    theirs.brought(NOW_S, 1 << 20)
    assert leaving(caller(99), [*ours, theirs], luck) is theirs


def test_whom_we_called_takes_the_place_of_a_caller_while_these_are_more(
    luck: SeededEntropy,
) -> None:
    ours = [called(n) for n in range(3)]
    theirs = [caller(50 + n) for n in range(NEIGHBOURS_MAX - 3)]
    for talk in theirs:
        talk.brought(NOW_S, 1 << 20)
    assert leaving(called(99), [*ours, *theirs], luck) in theirs


def test_after_an_extra_call_that_brought_more_one_that_brought_less_goes(
    luck: SeededEntropy,
) -> None:
    others = [called(n) for n in range(LINKS_WANTED)]
    extra = called(99)
    extra.brought(NOW_S - 1, 2048)
    assert one_too_many(extra, others, now_s=NOW_S, luck=luck) in others


def test_an_extra_call_that_brought_least_goes_itself(luck: SeededEntropy) -> None:
    others = [called(n) for n in range(LINKS_WANTED)]
    for talk in others:
        talk.brought(NOW_S - 1, 2048)
    extra = called(99)
    assert one_too_many(extra, others, now_s=NOW_S, luck=luck) is extra


def test_nobody_goes_for_an_extra_call_when_others_have_gone_since() -> None:
    others = [called(n) for n in range(LINKS_WANTED - 1)]
    assert one_too_many(called(99), others, now_s=NOW_S, luck=NO_LUCK) is None


def test_a_relay_goes_for_a_relay_and_a_member_for_a_member(luck: SeededEntropy) -> None:
    members = [called(n) for n in range(LINKS_WANTED)]
    relays = [called(50 + n, relay=RELAY) for n in range(RELAYS_WANTED)]
    extra = called(99, relay=RELAY)
    gone = one_too_many(extra, [*members, *relays], now_s=NOW_S, luck=luck)
    assert gone in [*relays, extra]
    gone = one_too_many(extra := called(98), [*members, *relays], now_s=NOW_S, luck=luck)
    assert gone in [*members, extra]
