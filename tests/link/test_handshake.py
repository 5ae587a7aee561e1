"""Handshakes: who is let in, who meets silence, and what an onlooker sees."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import X25519Secret
from meshnews.errors import Forged, LocalMisuse, OutOfTurn, PeerError
from meshnews.limits import HANDSHAKE_JUNK_BYTES_MAX
from meshnews.link.beacon_book import OwnBeacon
from meshnews.link.handshake import Answering, Calling
from meshnews.link.packet import HEADER_BYTES
from meshnews.link.party import InvitationTarget, LinkKeys, MemberTarget, RelayTarget
from meshnews.link.rendezvous import Mode
from meshnews.link.session import LinkSession
from tests.link.neighbours import MODES, Guard, Meeting, linked, meeting, rendezvous_of

every_mode = pytest.mark.parametrize("mode", MODES)
every_unprompted_mode = pytest.mark.parametrize("mode", [Mode.RELAY, Mode.ENROLMENT])


def silence(responder: LinkSession, data: bytes) -> None:
    """Assert that `data` draws no byte and ends the link."""
    with pytest.raises(PeerError):
        responder.receive(data)
    with pytest.raises(OutOfTurn):
        responder.take(1 << 20)


@every_mode
def test_both_sides_agree_on_the_link_and_nothing_else_does(mode: Mode) -> None:
    caller, responder = linked(mode, 1)
    other, _ = linked(mode, 2)
    assert caller.session_id == responder.session_id
    assert len(caller.session_id) == 64
    assert caller.session_id != other.session_id


def test_a_caller_knows_the_relay_and_the_relay_knows_no_caller() -> None:
    met = meeting(Mode.RELAY)
    caller, responder = linked(Mode.RELAY)
    assert isinstance(met.target, RelayTarget)
    assert caller.peer.static == met.target.static
    assert responder.peer.static is None
    assert responder.peer.mode is Mode.RELAY


def test_members_know_only_the_day() -> None:
    for side in linked(Mode.MEMBER):
        assert (side.peer.mode, side.peer.day, side.peer.static) == (Mode.MEMBER, 740, None)


def test_an_enrolment_has_keys_made_for_it_alone() -> None:
    caller, responder = linked(Mode.ENROLMENT, 1)
    again, _ = linked(Mode.ENROLMENT, 2)
    assert caller.peer.static
    assert responder.peer.static
    assert caller.peer.static != responder.peer.static
    assert caller.peer.static != again.peer.static


@every_unprompted_mode
def test_a_known_address_may_be_called_without_a_beacon(mode: Mode) -> None:
    met = meeting(mode, beacon=False)
    guard = Guard()
    caller, responder = met.caller(), met.responder(guard)
    responder.receive(caller.start())
    caller.receive(responder.take(0))
    assert caller.established
    assert len(guard.durable) == 1


@every_mode
def test_an_answered_beacon_leaves_nothing_on_disk(mode: Mode) -> None:
    met, guard = meeting(mode), Guard()
    met.responder(guard).receive(met.caller().start())
    assert (len(guard.durable), len(guard.volatile)) == (0, 1)


@every_mode
@given(junk=st.binary(min_size=66, max_size=1500))
def test_garbage_meets_silence(mode: Mode, junk: bytes) -> None:
    silence(meeting(mode).responder(), junk)


@every_mode
@given(junk=st.binary(max_size=65))
def test_too_little_garbage_meets_silence_too(mode: Mode, junk: bytes) -> None:
    responder = meeting(mode).responder()
    assert responder.receive(junk) == []
    assert responder.take(1 << 20) == b""


@every_mode
def test_a_recorded_first_packet_is_not_answered_twice(mode: Mode) -> None:
    met, guard = meeting(mode), Guard()
    packet = met.caller().start()
    first = met.responder(guard)
    first.receive(packet)
    assert first.take(0)
    silence(met.responder(guard), packet)


def test_a_recorded_first_packet_is_not_answered_by_another_member() -> None:
    met = meeting(Mode.MEMBER)
    packet = met.caller().start()
    other = [OwnBeacon(own.rendezvous, b"another's nonce.") for own in met.keys.beacons]
    silence(replace(met, keys=LinkKeys(beacons=other)).responder(), packet)


@every_mode
def test_a_recorded_first_packet_is_not_answered_after_a_restart(mode: Mode) -> None:
    met, guard = meeting(mode), Guard()
    packet = met.caller().start()
    met.responder(guard).receive(packet)
    # A beacon nonce dies with its process.
    fresh = [OwnBeacon(own.rendezvous, b"a later nonce...") for own in met.keys.beacons]
    keys = replace(met.keys, beacons=fresh)
    silence(replace(met, keys=keys).responder(guard.restarted()), packet)


@every_unprompted_mode
def test_without_a_beacon_the_disk_remembers_over_a_restart(mode: Mode) -> None:
    met, guard = meeting(mode, beacon=False), Guard()
    packet = met.caller().start()
    met.responder(guard).receive(packet)
    silence(met.responder(guard.restarted()), packet)


@every_unprompted_mode
def test_a_call_to_a_beacon_is_no_call_without_one(mode: Mode) -> None:
    met = meeting(mode)
    keys = LinkKeys(unprompted=[met.target.rendezvous], static=met.keys.static)
    silence(replace(met, keys=keys).responder(), met.caller().start())


@every_mode
def test_another_secret_meets_silence(mode: Mode) -> None:
    met = meeting(mode)
    stranger = replace(met.target, rendezvous=rendezvous_of(mode, met.entropy))
    caller = LinkSession.initiate(stranger, entropy=met.entropy)
    silence(met.responder(), caller.start())


def test_another_static_key_meets_silence() -> None:
    met = meeting(Mode.RELAY)
    assert isinstance(met.target, RelayTarget)
    wrong = replace(met.target, static=X25519Secret(met.entropy.draw(32)).public)
    silence(met.responder(), LinkSession.initiate(wrong, entropy=met.entropy).start())


def test_the_key_of_one_relay_opens_no_other_of_the_same_desk() -> None:
    one, other = meeting(Mode.RELAY, 1), meeting(Mode.RELAY, 2)
    silence(one.responder(), other.caller().start())
    assert isinstance(one.target, RelayTarget)
    crossed = replace(one.target, rendezvous=other.target.rendezvous)
    silence(one.responder(), LinkSession.initiate(crossed, entropy=one.entropy).start())


def test_a_psk_alone_is_not_enough_to_be_answered_under_another_mode() -> None:
    met = meeting(Mode.ENROLMENT)
    as_relay = meeting(Mode.RELAY)
    silence(as_relay.responder(), met.caller().start())


def test_a_responder_finds_its_beacon_among_many() -> None:
    met = meeting(Mode.MEMBER)
    entropy = SeededEntropy(b"many")
    static = X25519Secret(entropy.draw(32))
    relay = rendezvous_of(Mode.RELAY, entropy)
    own = met.keys.beacons[0]
    others = [OwnBeacon(own.rendezvous, entropy.draw(16)) for _ in range(5)]
    others += [OwnBeacon(relay, entropy.draw(16)), OwnBeacon(relay, entropy.draw(8))]
    keys = LinkKeys([*others, own], [relay, rendezvous_of(Mode.ENROLMENT, entropy)], static)
    responder = replace(met, keys=keys).responder()
    responder.receive(met.caller().start())
    assert responder.peer.nonce == own.nonce


def test_a_short_beacon_is_answered_like_a_long_one() -> None:
    met = meeting(Mode.MEMBER)
    nonce = b"8 bytes."
    target = replace(met.target, nonce=nonce)
    keys = LinkKeys([OwnBeacon(target.rendezvous, nonce)])
    caller = LinkSession.initiate(target, entropy=met.entropy)
    responder = replace(met, keys=keys).responder()
    responder.receive(caller.start())
    caller.receive(responder.take(0))
    assert caller.established


@every_mode
def test_who_answers_without_the_secret_is_refused_by_the_caller(mode: Mode) -> None:
    met = meeting(mode)
    caller = met.caller()
    caller.start()
    with pytest.raises(PeerError):
        caller.receive(met.entropy.draw(2000))
    assert not caller.established


@every_mode
def test_a_caller_is_not_answered_with_its_own_packet(mode: Mode) -> None:
    caller = meeting(mode).caller()
    packet = caller.start()
    with pytest.raises(PeerError):
        caller.receive(packet * 3)


@every_mode
def test_a_caller_that_goes_on_unanswered_meets_silence(mode: Mode) -> None:
    met = meeting(mode)
    silence(met.responder(), met.caller().start() + b"x")


def test_an_answer_before_the_call_is_refused() -> None:
    met = meeting(Mode.MEMBER)
    caller = met.caller()
    with pytest.raises(PeerError):
        caller.receive(met.entropy.draw(2000))


def test_a_mesh_key_never_answers_without_a_beacon() -> None:
    members = rendezvous_of(Mode.MEMBER, SeededEntropy(b"x"))
    with pytest.raises(LocalMisuse):
        LinkKeys(unprompted=[members])
    with pytest.raises(LocalMisuse):
        LinkKeys(beacons=[OwnBeacon(members, b"")])
    with pytest.raises(LocalMisuse):
        Calling(MemberTarget(members, b""), SeededEntropy(b"x"))


def test_keys_and_targets_that_are_not_whole_are_our_own_fault() -> None:
    entropy = SeededEntropy(b"x")
    relay = rendezvous_of(Mode.RELAY, entropy)
    with pytest.raises(LocalMisuse):
        LinkKeys(unprompted=[relay])
    with pytest.raises(LocalMisuse):
        Calling(InvitationTarget(relay), entropy)
    with pytest.raises(LocalMisuse):
        Calling(RelayTarget(X25519Secret(bytes(32)).public, relay, b"odd"), entropy)


def test_a_third_packet_of_garbage_ends_an_enrolment_unopened() -> None:
    met = meeting(Mode.ENROLMENT)
    responder = Answering(met.keys, Guard(), met.entropy)
    responder.feed(Calling(met.target, met.entropy).start())
    with pytest.raises(Forged):
        responder.feed(met.entropy.draw(2000))
    assert responder.established is None


def first_packets(mode: Mode, count: int) -> list[bytes]:
    met = meeting(mode)
    return [met.caller().start() for _ in range(count)]


def answers(mode: Mode, count: int) -> list[bytes]:
    met = meeting(mode)
    return [answer(met) for _ in range(count)]


def answer(met: Meeting) -> bytes:
    responder = met.responder()
    responder.receive(met.caller().start())
    return responder.take(0)


@every_mode
@pytest.mark.parametrize("make", [first_packets, answers])
def test_packets_look_like_noise_to_a_stranger(mode: Mode, make: object) -> None:
    assert callable(make)
    packets: list[bytes] = make(mode, 400)
    shortest = min(map(len, packets))
    for bit in range(shortest * 8):
        ones = sum(packet[bit // 8] >> bit % 8 & 1 for packet in packets)
        # 200 are expected; six standard deviations are 60.
        assert 140 <= ones <= 260, f"bit {bit}"
    lengths = {len(packet) for packet in packets}
    assert len(lengths) > 200
    assert max(lengths) - min(lengths) > HANDSHAKE_JUNK_BYTES_MAX * 0.9
    assert shortest >= HEADER_BYTES + 48
