"""Whom to call, and whom to leave alone."""

from dataclasses import replace
from itertools import pairwise

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import SymmetricKey, X25519Public
from meshnews.desk.bulletin import RelayFlags
from meshnews.desk.pack import RelayKeys
from meshnews.ids import Day, LinkId
from meshnews.limits import NEIGHBOURS_MAX
from meshnews.link.beacon import Flag, Heard
from meshnews.link.handshake import InvitationTarget, MemberTarget, RelayTarget
from meshnews.link.rendezvous import Rendezvous
from meshnews.node.event import Address, Dial
from meshnews.node.links.candidates import LINKS_WANTED, MEET_AGAIN_S, RELAYS_WANTED
from meshnews.node.links.dialler import (
    BACKOFF_S_MAX,
    CROWDED_S_MIN,
    CUTS_PER_BEACON,
    EXTRA_S,
    MEMBER_S_MAX,
    MEMBERS_REMEMBERED_MAX,
    NEWS_S_MAX,
    SHUNNED_S_MAX,
    STEADY_S,
    Dialler,
)
from meshnews.node.links.target import (
    BACKOFF_S_MIN,
    SPOILED_REMEMBERED_MAX,
    TRIES_PER_BEACON,
    TRIES_PER_SHORT_BEACON,
    Target,
)

RELAY = RelayKeys(X25519Public(bytes(31) + b"\x01"), SymmetricKey(bytes(32)), RelayFlags(0))
MESH = Rendezvous.of_members(SymmetricKey(bytes(32)), Day(2500))
HERE, THERE = Address("tcp", "192.0.2.1:7117"), Address("tcp", "192.0.2.2:7117")
FIXED = Address("tcp", "198.51.100.7:7117")


@pytest.fixture
def dialler() -> Dialler:
    return Dialler(SeededEntropy(b"dialler"))


def of_relay(nonce: int) -> Heard[bytes]:
    rendezvous = Rendezvous.at_relay(RELAY.beacon_key)
    return Heard(RELAY.static, rendezvous, 5, 7117, Flag.NONE, bytes([nonce]) * 16)


def of_member(number: int) -> Heard[bytes]:
    nonce = number.to_bytes(16, "big")
    return Heard(nonce, MESH, 5, 7117, Flag.NONE, nonce)


def at(number: int) -> Address:
    """Return the address of a machine of its own."""
    return Address("tcp", f"203.0.113.{number}:7117")


def only(dials: list[Dial]) -> Dial:
    (dial,) = dials
    return dial


def call(dialler: Dialler, now_s: float, *, link: int = 1) -> Target:
    """Make the one call that is due, and reach a stream at its first address."""
    dial = only(dialler.due(now_s))
    target = dialler.opened(dial.attempt, LinkId(link), dial.addresses[0])
    assert target is not None
    return target


def test_a_relay_is_called_where_its_keeper_said_and_where_it_was_heard_first(
    dialler: Dialler,
) -> None:
    dialler.know(RELAY, [FIXED])
    dialler.hear(of_relay(1), [HERE], 0.0)
    assert only(dialler.due(0.0)).addresses == (HERE, FIXED)


def test_nobody_is_called_of_whom_no_address_is_known(dialler: Dialler) -> None:
    dialler.know(RELAY, [])
    assert dialler.due(0.0) == []
    assert dialler.next_s() is None


def test_one_call_at_a_time_goes_to_one_machine(dialler: Dialler) -> None:
    dialler.know(RELAY, [FIXED])
    only(dialler.due(0.0))
    assert dialler.due(100.0) == []


def test_a_call_that_reaches_nobody_is_repeated_ever_more_seldom(dialler: Dialler) -> None:
    dialler.know(RELAY, [FIXED])
    now_s, waits = 0.0, []
    for _ in range(8):
        dialler.failed(only(dialler.due(now_s)).attempt, now_s)
        later_s = dialler.next_s()
        assert later_s is not None
        waits.append(later_s - now_s)
        now_s = later_s
    assert 0.5 <= waits[0] <= 1.0
    assert waits[2] > waits[0]
    assert max(waits) <= BACKOFF_S_MAX


def test_an_address_only_heard_is_tried_a_few_times_until_the_next_beacon(
    dialler: Dialler,
) -> None:
    dialler.know(RELAY, [])
    dialler.hear(of_relay(1), [HERE], 0.0)
    now_s = 0.0
    for _ in range(TRIES_PER_BEACON):
        dialler.failed(only(dialler.due(now_s)).attempt, now_s)
        now_s += 60.0
    assert dialler.due(now_s) == []
    dialler.hear(of_relay(2), [HERE], now_s)
    only(dialler.due(now_s))


def test_an_answer_that_met_silence_is_not_given_again_there(dialler: Dialler) -> None:
    dialler.know(RELAY, [])
    dialler.hear(of_relay(1), [HERE], 0.0)
    call(dialler, 0.0)
    dialler.ended(LinkId(1), 5.0)
    dialler.hear(of_relay(1), [HERE], 30.0)
    assert dialler.due(60.0) == []


def test_what_fails_at_an_address_written_down_does_not_make_it_be_given_again(
    dialler: Dialler,
) -> None:
    dialler.know(RELAY, [FIXED])
    dialler.hear(of_relay(1), [HERE], 0.0)
    target = call(dialler, 0.0)
    dialler.ended(LinkId(1), 5.0)
    for number in range(1, 3 * SPOILED_REMEMBERED_MAX):
        call(dialler, number * 100.0)
        assert target.reached == FIXED
        dialler.ended(LinkId(1), number * 100.0, cut=number % 2 == 0)
    assert len(target.cuts) <= CUTS_PER_BEACON


def test_a_beacon_that_led_to_a_link_is_no_recording_and_is_answered_again(
    dialler: Dialler,
) -> None:
    dialler.know(RELAY, [])
    dialler.hear(of_relay(1), [HERE], 0.0)
    call(dialler, 0.0)
    dialler.completed(LinkId(1), 0.1)
    dialler.ended(LinkId(1), 20.0)
    for number in range(1, 1 + CUTS_PER_BEACON):
        call(dialler, number * 100.0)
        dialler.ended(LinkId(1), number * 100.0 + 5.0)
    assert dialler.due(1000.0) == []


def test_who_was_reached_by_a_secret_and_falls_silent_is_called_by_the_one_before(
    dialler: Dialler,
) -> None:
    dialler.know(RELAY, [FIXED], former=[SymmetricKey(b"f" * 32)])
    newest = call(dialler, 0.0).handshake
    dialler.completed(LinkId(1), 0.1)
    dialler.ended(LinkId(1), 20.0)
    assert call(dialler, 100.0).handshake == newest
    dialler.ended(LinkId(1), 105.0)
    assert call(dialler, 200.0).handshake != newest


def test_each_link_lets_a_beacon_be_answered_in_vain_anew(dialler: Dialler) -> None:
    dialler.know(RELAY, [])
    dialler.hear(of_relay(1), [HERE], 0.0)
    for number in range(3 * CUTS_PER_BEACON):
        call(dialler, number * 100.0)
        if number % CUTS_PER_BEACON == 0:
            dialler.completed(LinkId(1), number * 100.0)
        dialler.ended(LinkId(1), number * 100.0 + 5.0)


def test_who_repeats_a_relays_beacon_does_not_keep_us_from_the_relay(dialler: Dialler) -> None:
    dialler.know(RELAY, [])
    dialler.hear(of_relay(1), [HERE], 0.0)
    call(dialler, 0.0)
    dialler.ended(LinkId(1), 5.0)
    dialler.hear(of_relay(1), [THERE], 6.0)
    assert only(dialler.due(60.0)).addresses == (THERE,)


def test_a_stream_that_is_closed_at_once_is_tried_again_a_few_times(dialler: Dialler) -> None:
    dialler.know(RELAY, [])
    dialler.hear(of_relay(1), [HERE], 0.0)
    for link in range(1, CUTS_PER_BEACON + 1):
        call(dialler, 100.0 * link, link=link)
        dialler.ended(LinkId(link), 100.0 * link + 1, cut=True)
    assert dialler.due(1000.0) == []


def test_whoever_repeats_a_beacon_comes_after_its_sender(dialler: Dialler) -> None:
    dialler.know(RELAY, [])
    dialler.hear(of_relay(1), [HERE], 0.0)
    dialler.hear(of_relay(1), [THERE], 0.1)
    assert only(dialler.due(1.0)).addresses == (HERE, THERE)


def test_a_relay_that_started_afresh_is_called_at_its_known_address_without_the_old_beacon(
    dialler: Dialler,
) -> None:
    dialler.know(RELAY, [HERE])
    dialler.hear(of_relay(1), [HERE], 0.0)
    answering = call(dialler, 0.0).handshake
    assert isinstance(answering, RelayTarget)
    assert answering.nonce == of_relay(1).nonce
    dialler.ended(LinkId(1), 5.0)
    unprompted = call(dialler, 60.0, link=2).handshake
    assert isinstance(unprompted, RelayTarget)
    assert unprompted.nonce == b""


def test_at_an_address_where_no_beacon_was_heard_none_is_answered(dialler: Dialler) -> None:
    dialler.know(RELAY, [FIXED])
    dialler.hear(of_relay(1), [HERE], 0.0)
    dial = only(dialler.due(0.0))
    target = dialler.opened(dial.attempt, LinkId(1), FIXED)
    assert target is not None
    assert isinstance(target.handshake, RelayTarget)
    assert target.handshake.nonce == b""


def test_members_are_called_only_while_links_are_wanted(dialler: Dialler) -> None:
    for number in range(20):
        dialler.hear(of_member(number), [at(number)], 0.0)
    callers = {LinkId(99): at(99)}
    assert len(dialler.due(0.0, callers=callers)) == LINKS_WANTED - 1
    assert dialler.due(0.0, callers=callers) == []


def test_which_members_are_called_is_left_to_chance() -> None:
    chosen: set[Address] = set()
    for seed in range(8):
        dialler = Dialler(SeededEntropy(bytes([seed])))
        for number in range(20):
            dialler.hear(of_member(number), [Address("tcp", f"192.0.2.{number}:1")], 0.0)
        chosen.update(dial.addresses[0] for dial in dialler.due(0.0))
    assert len(chosen) > LINKS_WANTED * 2


def test_relays_are_called_with_more_links_than_members_are_wanted_for(dialler: Dialler) -> None:
    for number in range(LINKS_WANTED + 1):
        dialler.hear(of_member(number), [at(number)], 0.0)
    assert len(dialler.due(0.0)) == LINKS_WANTED
    dialler.know(RELAY, [FIXED])
    only(dialler.due(0.0))


def test_two_relays_are_enough_for_who_has_links_enough(dialler: Dialler) -> None:
    for number in range(3):
        static = X25519Public(bytes(31) + bytes([number + 1]))
        dialler.know(replace(RELAY, static=static), [at(number)])
        if number < RELAYS_WANTED:
            call(dialler, 0.0, link=number + 1)
            dialler.completed(LinkId(number + 1), 0.0)
    callers = {LinkId(90 + number): at(90 + number) for number in range(2)}
    assert dialler.due(1.0, callers=callers) == []
    callers.popitem()
    only(dialler.due(1.0, callers=callers))


def test_with_all_the_links_there_may_be_none_but_a_collector_is_called(dialler: Dialler) -> None:
    for number in range(NEIGHBOURS_MAX):
        static = X25519Public(bytes(30) + bytes([1, number]))
        dialler.know(replace(RELAY, static=static), [at(number)])
    assert len(dialler.due(0.0)) == NEIGHBOURS_MAX
    dialler.know(RELAY, [FIXED])
    assert dialler.due(0.0) == []
    dialler.know(replace(RELAY, flags=RelayFlags.COLLECTOR), [FIXED])
    only(dialler.due(0.0))


def test_a_member_is_called_by_its_beacon(dialler: Dialler) -> None:
    dialler.hear(of_member(7), [HERE], 0.0)
    target = call(dialler, 0.0)
    assert target.handshake == MemberTarget(MESH, of_member(7).nonce)


def test_a_flood_of_members_beacons_does_not_fill_the_memory(dialler: Dialler) -> None:
    for number in range(500):
        dialler.hear(of_member(number), [HERE], float(number))
    assert len(dialler.targets) <= MEMBERS_REMEMBERED_MAX
    assert of_member(499).nonce in dialler.targets


def test_members_that_are_called_nowhere_any_more_are_forgotten_as_others_are(
    dialler: Dialler,
) -> None:
    for number in range(LINKS_WANTED):
        dialler.hear(of_member(number), [at(number)], 0.0)
    for dial in dialler.due(0.0):
        link = LinkId(dial.attempt)
        dialler.opened(dial.attempt, link, dial.addresses[0])
        dialler.ended(link, 5.0)
    for number in range(LINKS_WANTED, 2 * MEMBERS_REMEMBERED_MAX):
        dialler.hear(of_member(number), [at(number)], 6.0)
    assert len(dialler.targets) == MEMBERS_REMEMBERED_MAX
    assert not any(of_member(number).nonce in dialler.targets for number in range(LINKS_WANTED - 1))


def test_members_that_are_heard_no_more_are_forgotten(dialler: Dialler) -> None:
    dialler.hear(of_member(1), [HERE], 0.0)
    dialler.hear(of_member(2), [HERE], MEMBER_S_MAX + 1)
    assert of_member(1).nonce not in dialler.targets


def test_two_streams_to_one_machine_are_one_call_until_the_kept_one_ends(
    dialler: Dialler,
) -> None:
    dialler.hear(of_member(1), [HERE], 0.0)
    call(dialler, 0.0, link=1)
    dialler.completed(LinkId(1), 0.1)
    dialler.shares(LinkId(1), LinkId(9))
    dialler.ended(LinkId(1), 0.2)
    assert dialler.due(1000.0) == []
    dialler.ended(LinkId(9), 1000.0)
    only(dialler.due(1030.0))


def test_who_had_no_room_for_us_is_left_alone_for_a_while(dialler: Dialler) -> None:
    dialler.know(RELAY, [FIXED])
    call(dialler, 0.0)
    dialler.completed(LinkId(1), 0.1)
    dialler.ended(LinkId(1), 10.0, crowded=True)
    next_s = dialler.next_s()
    assert next_s is not None
    assert 10.0 + CROWDED_S_MIN / 2 <= next_s <= 10.0 + CROWDED_S_MIN


def test_who_has_news_calls_at_once_those_it_left_alone(dialler: Dialler) -> None:
    dialler.know(RELAY, [FIXED])
    call(dialler, 0.0)
    dialler.completed(LinkId(1), 0.1)
    dialler.ended(LinkId(1), 10.0, crowded=True)
    dialler.has_news(12.0)
    next_s = dialler.next_s()
    assert next_s is not None
    assert next_s <= 12.0 + NEWS_S_MAX


def test_who_broke_the_protocol_is_called_ever_later_and_not_for_news(dialler: Dialler) -> None:
    dialler.know(RELAY, [FIXED])
    now_s, waits = 0.0, []
    for link in range(1, 12):
        call(dialler, now_s, link=link)
        dialler.completed(LinkId(link), now_s)
        now_s += STEADY_S
        dialler.ended(LinkId(link), now_s, broke=True)
        dialler.has_news(now_s)
        next_s = dialler.next_s()
        assert next_s is not None
        waits.append(next_s - now_s)
        now_s = next_s
    assert waits[0] <= 1.0
    assert SHUNNED_S_MAX / 2 <= waits[-1] <= SHUNNED_S_MAX
    call(dialler, now_s, link=99)
    dialler.completed(LinkId(99), now_s)
    dialler.ended(LinkId(99), now_s + STEADY_S)
    next_s = dialler.next_s()
    assert next_s is not None
    assert next_s - now_s - STEADY_S <= 1.0


def shun(dialler: Dialler) -> float:
    """Let the relay break the protocol on link after link; return when it is to be called next."""
    dialler.know(RELAY, [FIXED])
    next_s = 0.0
    for _ in range(8):
        next_s = after_a_breach(dialler, next_s)
    return next_s


def after_a_breach(dialler: Dialler, now_s: float) -> float:
    """Make the call that is due, end it for a breach; return when the next one is due."""
    call(dialler, now_s)
    dialler.completed(LinkId(1), now_s)
    dialler.ended(LinkId(1), now_s, broke=True)
    next_s = dialler.next_s()
    assert next_s is not None
    return next_s


def test_who_broke_the_protocol_is_not_called_for_a_new_beacon_or_network(
    dialler: Dialler,
) -> None:
    due_s = shun(dialler)
    dialler.hear(of_relay(2), [HERE], due_s - 30.0)
    dialler.hurry(due_s - 30.0)
    assert dialler.due(due_s - 10.0) == []
    assert dialler.next_s() == due_s


def test_a_call_that_leads_to_no_link_makes_up_for_no_breach(dialler: Dialler) -> None:
    now_s = shun(dialler)
    call(dialler, now_s)
    dialler.ended(LinkId(1), now_s, cut=True)
    now_s = dialler.next_s() or 0.0
    assert after_a_breach(dialler, now_s) - now_s > SHUNNED_S_MAX / 4


@pytest.mark.parametrize("reached", [False, True])
def test_many_beacons_under_one_key_are_not_as_many_calls(dialler: Dialler, reached: bool) -> None:
    dialler.know(RELAY, [])
    calls = 0
    for number in range(600):
        now_s = number * 0.1
        dialler.hear(of_relay(number % 250), [at(number % 250)], now_s)
        for dial in dialler.due(now_s):
            calls += 1
            if reached:
                dialler.opened(dial.attempt, LinkId(number), dial.addresses[0])
                dialler.ended(LinkId(number), now_s, cut=True)
            else:
                dialler.failed(dial.attempt, now_s)
    assert calls <= 60.0 / (BACKOFF_S_MIN / 2)


def wait_after(dialler: Dialler, now_s: float, *, lasted_s: float, useful: bool = False) -> float:
    """Make the call that is due, let it be a link for a while; return how long is waited then."""
    call(dialler, now_s)
    dialler.completed(LinkId(1), now_s)
    dialler.ended(LinkId(1), now_s + lasted_s, useful=useful)
    next_s = dialler.next_s()
    assert next_s is not None
    return next_s - now_s - lasted_s


def after_short_links(dialler: Dialler) -> float:
    """Let links come and go at once until waiting is long; return when the next call is due."""
    dialler.know(RELAY, [FIXED])
    now_s = waited_s = 0.0
    for _ in range(5):
        waited_s = wait_after(dialler, now_s, lasted_s=0.1)
        now_s += 0.1 + waited_s
    assert waited_s > 4.0
    return now_s


def test_a_link_that_held_is_called_again_soon_and_one_that_did_not_ever_later(
    dialler: Dialler,
) -> None:
    now_s = after_short_links(dialler)
    assert wait_after(dialler, now_s, lasted_s=STEADY_S) <= 1.0


def test_a_link_that_was_of_use_is_called_again_soon_however_short_it_was(
    dialler: Dialler,
) -> None:
    now_s = after_short_links(dialler)
    assert wait_after(dialler, now_s, lasted_s=0.1, useful=True) <= 1.0


def test_a_network_that_appears_ends_all_waiting(dialler: Dialler) -> None:
    dialler.know(RELAY, [FIXED])
    for now_s in (0.0, 50.0, 100.0, 150.0):
        dialler.failed(only(dialler.due(now_s)).attempt, now_s)
    dialler.hurry(151.0)
    only(dialler.due(151.0))


def test_a_relay_with_a_new_beacon_key_is_not_called_where_the_old_one_was_heard(
    dialler: Dialler,
) -> None:
    dialler.know(RELAY, [])
    dialler.hear(of_relay(1), [HERE], 0.0)
    dialler.know(RelayKeys(RELAY.static, SymmetricKey(b"k" * 32), RELAY.flags), [])
    assert dialler.due(0.0) == []


def test_a_joiner_calls_the_machine_that_invited_it(dialler: Dialler) -> None:
    invitation = Rendezvous.by_invitation(bytes(16), bytes(16))
    beacon = Heard(b"joining", invitation, 5, 7117, Flag.NONE, b"n" * 16)
    dialler.hear(beacon, [HERE], 0.0)
    assert call(dialler, 0.0).handshake == InvitationTarget(invitation, b"n" * 16)
    dialler.forget(b"joining")
    dialler.ended(LinkId(1), 5.0)
    assert dialler.due(100.0) == []


# Over the air -------------------------------------------------------------

AIR = Address("bluetooth", "random.c4.1f.00.11.22.33:144")


def short_of_relay(nonce: int) -> Heard[bytes]:
    rendezvous = Rendezvous.at_relay(RELAY.beacon_key)
    return Heard(RELAY.static, rendezvous, -1, 144, Flag.NONE, bytes([nonce]) * 8)


def test_a_relay_that_is_only_heard_over_the_air_is_called_there(dialler: Dialler) -> None:
    dialler.know(RELAY, [])
    dialler.hear_radio(short_of_relay(1), [AIR], 0.0)
    target = call(dialler, 0.0)
    assert isinstance(target.handshake, RelayTarget)
    assert target.reached == AIR
    assert target.is_relay


def test_a_relay_whose_address_is_written_down_is_called_there_before_the_air(
    dialler: Dialler,
) -> None:
    dialler.know(RELAY, [FIXED])
    dialler.hear_radio(short_of_relay(1), [AIR], 0.0)
    first = only(dialler.due(0.0))
    assert first.addresses == (FIXED,)
    assert dialler.due(1.0) == []
    dialler.failed(first.attempt, 5.0)
    assert AIR in [address for dial in dialler.due(5.0) for address in dial.addresses]


def test_beacons_of_the_two_carriers_do_not_push_each_other_out(dialler: Dialler) -> None:
    dialler.know(RELAY, [])
    for _ in range(3):
        dialler.hear(of_relay(1), [HERE], 0.0)
        dialler.hear_radio(short_of_relay(1), [AIR], 0.0)
    assert only(dialler.due(0.0)).addresses == (HERE,)


def test_calls_over_the_air_that_reach_nobody_are_few(dialler: Dialler) -> None:
    dialler.know(RELAY, [])
    dialler.hear_radio(short_of_relay(1), [AIR], 0.0)
    now_s = 0.0
    for _ in range(TRIES_PER_SHORT_BEACON):
        dialler.failed(only(dialler.due(now_s)).attempt, now_s)
        now_s += 60.0
    assert dialler.due(now_s) == []
    dialler.hear_radio(short_of_relay(2), [AIR], now_s)
    only(dialler.due(now_s))


def test_a_relay_with_a_new_beacon_key_is_forgotten_over_the_air_too(dialler: Dialler) -> None:
    dialler.know(RELAY, [])
    dialler.hear_radio(short_of_relay(1), [AIR], 0.0)
    dialler.know(RelayKeys(RELAY.static, SymmetricKey(b"k" * 32), RELAY.flags), [])
    assert dialler.due(0.0) == []


def test_the_next_beacon_of_a_member_who_is_linked_over_the_air_is_not_called(
    dialler: Dialler,
) -> None:
    dialler.hear_radio(of_member(1), [AIR], 0.0)
    call(dialler, 0.0)
    dialler.completed(LinkId(1), 1.0)
    dialler.hear_radio(of_member(2), [AIR], 900.0)
    assert dialler.due(900.0) == []
    # A second one is somebody else, whichever of the two it is.
    dialler.hear_radio(of_member(3), [AIR], 901.0)
    assert dialler.due(901.0)
    dialler.ended(LinkId(1), 1000.0)
    assert dialler.due(1400.0)


# A key that was replaced

NEW = replace(RELAY, beacon_key=SymmetricKey(b"n" * 32))
OLD = Rendezvous.at_relay(RELAY.beacon_key)


def under(dialler: Dialler, now_s: float, *, link: int = 1) -> Rendezvous:
    """Return the secret under which the one call that is due is made."""
    return call(dialler, now_s, link=link).handshake.rendezvous


def test_a_call_to_a_fixed_address_that_meets_silence_is_made_under_the_key_before(
    dialler: Dialler,
) -> None:
    dialler.know(NEW, [FIXED], [RELAY.beacon_key])
    assert under(dialler, 0.0) == Rendezvous.at_relay(NEW.beacon_key)
    dialler.ended(LinkId(1), 5.0)
    assert under(dialler, 100.0, link=2) == OLD
    dialler.completed(LinkId(2), 100.0)
    dialler.ended(LinkId(2), 200.0)
    assert under(dialler, 300.0, link=3) == Rendezvous.at_relay(NEW.beacon_key)


def test_what_was_cut_short_says_nothing_about_the_key(dialler: Dialler) -> None:
    dialler.know(NEW, [FIXED], [RELAY.beacon_key])
    under(dialler, 0.0)
    dialler.ended(LinkId(1), 1.0, cut=True)
    assert under(dialler, 100.0, link=2) == Rendezvous.at_relay(NEW.beacon_key)


def test_a_beacon_is_answered_under_the_key_it_was_made_with(dialler: Dialler) -> None:
    dialler.know(NEW, [], [RELAY.beacon_key])
    dialler.hear(of_relay(1), [HERE], 0.0)
    target = call(dialler, 0.0)
    assert target.handshake == RelayTarget(RELAY.static, OLD, bytes([1]) * 16)
    assert target.rendezvous == Rendezvous.at_relay(NEW.beacon_key)


def test_a_beacon_under_a_key_that_counts_no_more_leads_nowhere(dialler: Dialler) -> None:
    dialler.know(NEW, [], [RELAY.beacon_key])
    dialler.hear(of_relay(1), [HERE], 0.0)
    dialler.know(NEW, [])
    assert dialler.due(0.0) == []


def test_over_the_air_too_a_relay_is_answered_under_the_key_of_its_beacon(
    dialler: Dialler,
) -> None:
    dialler.know(NEW, [], [RELAY.beacon_key])
    dialler.hear_radio(short_of_relay(1), [AIR], 0.0)
    target = call(dialler, 0.0)
    assert target.handshake.rendezvous == OLD
    assert target.rendezvous == Rendezvous.at_relay(NEW.beacon_key)


# Links that lead to different places

ELSEWHERE = Address("tcp", "198.51.100.66:7117")
"""Where one hostile member is, with as many beacons as it likes."""


def link_to(dialler: Dialler, dials: list[Dial], now_s: float, *, first: int) -> dict[int, Target]:
    """Let these calls become links; return whom they lead to."""
    linked = {}
    for link, dial in enumerate(dials, first):
        target = dialler.opened(dial.attempt, LinkId(link), dial.addresses[0])
        assert target is not None
        dialler.completed(LinkId(link), now_s)
        linked[link] = target
    return linked


def test_many_beacons_of_one_place_do_not_keep_others_from_being_called(dialler: Dialler) -> None:
    for number in range(40):
        dialler.hear(of_member(number), [ELSEWHERE], 0.0)
    link_to(dialler, dialler.due(0.0), 0.0, first=1)
    assert dialler.due(1.0) == []
    dialler.hear(of_member(99), [HERE], 2.0)
    assert only(dialler.due(2.0)).addresses == (HERE,)


@pytest.mark.parametrize("seed", range(8))
def test_places_without_a_link_come_first(seed: int) -> None:
    dialler = Dialler(SeededEntropy(bytes([seed])))
    for number in range(40):
        dialler.hear(of_member(number), [ELSEWHERE], 0.0)
    for number in range(3):
        dialler.hear(of_member(100 + number), [at(number)], 0.0)
    called = {dial.addresses[0] for dial in dialler.due(0.0)}
    assert called == {ELSEWHERE, at(0), at(1), at(2)}


def test_two_links_are_of_our_own_choosing_however_many_call_us(dialler: Dialler) -> None:
    for number in range(9):
        dialler.hear(of_member(number), [at(number)], 0.0)
    callers = {LinkId(90 + number): at(90 + number) for number in range(NEIGHBOURS_MAX)}
    assert len(dialler.due(0.0, callers=callers)) == LINKS_WANTED // 2


def test_a_relay_is_called_however_many_call_us(dialler: Dialler) -> None:
    dialler.know(RELAY, [FIXED])
    callers = {LinkId(90 + number): at(90 + number) for number in range(NEIGHBOURS_MAX)}
    only(dialler.due(0.0, callers=callers))


def test_a_link_that_was_kept_in_place_of_a_call_counts_as_called(dialler: Dialler) -> None:
    for number in range(LINKS_WANTED + 1):
        dialler.hear(of_member(number), [at(number)], 0.0)
    callers = {}
    for link, target in link_to(dialler, dialler.due(0.0), 0.0, first=1).items():
        kept = LinkId(90 + link)
        assert target.reached is not None
        callers[kept] = target.reached
        dialler.shares(LinkId(link), kept)
        dialler.ended(LinkId(link), 0.1)
    assert dialler.due(1.0, callers=callers) == []


def test_programs_of_this_machine_are_each_a_place_of_their_own(dialler: Dialler) -> None:
    for number in range(9):
        dialler.hear(of_member(number), [Address("tcp", f"127.0.0.1:{9000 + number}")], 0.0)
    link_to(dialler, dialler.due(0.0), 0.0, first=1)
    dialler.hear(of_member(99), [HERE], 1.0)
    assert dialler.due(1.0) == []


def surrounded(dialler: Dialler, hostile: int) -> dict[Address, float]:
    """Let so many hostile machines be heard first, one honest later; return who was called when."""
    for number in range(hostile):
        dialler.hear(of_member(number), [at(number)], 0.0)
    link_to(dialler, dialler.due(0.0), 0.0, first=1)
    dialler.hear(of_member(99), [HERE], 1.0)
    called: dict[Address, float] = {}
    now_s, link = 1.0, 100
    while now_s < MEET_AGAIN_S:
        for dial in dialler.due(now_s):
            called.setdefault(dial.addresses[0], now_s)
            link += 1
            dialler.opened(dial.attempt, LinkId(link), dial.addresses[0])
            dialler.completed(LinkId(link), now_s)
            dialler.ended(LinkId(link), now_s + 1.0, crowded=True)
        next_s = dialler.next_s()
        now_s = MEET_AGAIN_S if next_s is None else max(next_s, now_s + 0.1)
    return called


@pytest.mark.parametrize("seed", range(20))
def test_whoever_was_not_met_is_called_though_there_are_links_enough(seed: int) -> None:
    called = surrounded(Dialler(SeededEntropy(bytes([seed]))), LINKS_WANTED)
    assert called[HERE] <= 1.0 + EXTRA_S[1]


def test_extra_calls_come_at_times_of_our_own() -> None:
    times = sorted(surrounded(Dialler(SeededEntropy(b"times")), LINKS_WANTED + 20).values())
    assert len(times) > 4
    gaps = [later - before for before, later in pairwise(times)]
    assert all(EXTRA_S[0] <= gap <= EXTRA_S[1] + 0.2 for gap in gaps)


def test_who_was_met_lately_gets_no_extra_call(dialler: Dialler) -> None:
    called = surrounded(dialler, LINKS_WANTED + 3)
    assert len(called) == 4
    assert dialler.next_s() is None


def test_another_relay_is_met_too_when_two_take_no_end(dialler: Dialler) -> None:
    for number in range(RELAYS_WANTED + 1):
        static = X25519Public(bytes(31) + bytes([number + 1]))
        dialler.know(replace(RELAY, static=static), [at(number)] if number < RELAYS_WANTED else [])
    for number in range(LINKS_WANTED):
        dialler.hear(of_member(number), [at(50 + number)], 0.0)
    link_to(dialler, dialler.due(0.0), 0.0, first=1)
    third = X25519Public(bytes(31) + bytes([RELAYS_WANTED + 1]))
    dialler.know(replace(RELAY, static=third), [HERE])
    assert dialler.due(1.0) == []
    next_s = dialler.next_s()
    assert next_s is not None
    assert only(dialler.due(next_s)).addresses == (HERE,)


def test_whoever_takes_a_beacon_for_its_own_does_not_hide_who_made_it(dialler: Dialler) -> None:
    dialler.hear(of_member(1), [ELSEWHERE], 0.0)
    link_to(dialler, dialler.due(0.0), 0.0, first=1)
    dialler.hear(of_member(1), [HERE], 20.0)
    dial = only(dialler.due(20.0))
    assert dial.addresses == (HERE,)
    target = dialler.opened(dial.attempt, LinkId(2), HERE)
    assert target is not None
    assert target.handshake == MemberTarget(MESH, of_member(1).nonce)


def test_a_beacon_repeated_from_a_place_with_links_is_called_at_its_own(dialler: Dialler) -> None:
    for number in range(LINKS_WANTED):
        dialler.hear(of_member(number), [ELSEWHERE], 0.0)
    link_to(dialler, dialler.due(0.0), 0.0, first=1)
    dialler.hear(of_member(99), [ELSEWHERE], 1.0)
    dialler.hear(of_member(99), [HERE], 1.1)
    assert only(dialler.due(2.0)).addresses[0] == HERE


def test_a_flood_of_beacons_from_one_place_pushes_out_only_its_own(dialler: Dialler) -> None:
    dialler.hear(of_member(1000), [HERE], 0.0)
    for number in range(500):
        dialler.hear(of_member(number), [ELSEWHERE], 1.0 + number)
    assert of_member(1000).nonce in dialler.targets
