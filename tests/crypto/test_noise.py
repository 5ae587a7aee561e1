"""A handshake ends in keys, or in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import X25519Public, X25519Secret
from meshnews.crypto.noise import MESSAGE_BYTES_MAX, CipherState, Handshake, Pattern
from meshnews.crypto.pattern import script
from meshnews.errors import Exceeded, Forged, LocalMisuse, Malformed, OutOfTurn, PeerError

PSK = b"p" * 32
RELAY = X25519Secret(b"r" * 32)
JOINER = X25519Secret(b"j" * 32)


def pair(
    pattern: Pattern, *, psk: bytes = PSK, prologue: bytes = b"mesh/1"
) -> tuple[Handshake, Handshake]:
    """Return an initiator, and a responder that holds `psk` and `prologue`."""
    statics = pattern is Pattern.XXPSK3
    return (
        Handshake(
            pattern,
            initiator=True,
            prologue=b"mesh/1",
            psks=[PSK],
            static=JOINER if statics else None,
            remote_static=RELAY.public if pattern is Pattern.NKPSK0 else None,
            entropy=SeededEntropy(b"one"),
        ),
        Handshake(
            pattern,
            initiator=False,
            prologue=prologue,
            psks=[psk],
            static=None if pattern is Pattern.NNPSK0 else RELAY,
            entropy=SeededEntropy(b"other"),
        ),
    )


def talk(writer: Handshake, reader: Handshake) -> None:
    while not writer.finished:
        reader.read(writer.write(b"payload"))
        writer, reader = reader, writer


@pytest.mark.parametrize("pattern", Pattern)
def test_a_finished_handshake_gives_two_matching_directions(pattern: Pattern) -> None:
    initiator, responder = pair(pattern)
    talk(initiator, responder)
    assert initiator.handshake_hash == responder.handshake_hash
    (send, receive), (their_send, their_receive) = initiator.split(), responder.split()
    for _ in range(3):
        assert their_receive.decrypt(b"ad", send.encrypt(b"ad", b"out")) == b"out"
        assert receive.decrypt(b"", their_send.encrypt(b"", b"back")) == b"back"
        send.rekey()
        their_receive.rekey()


def test_enrolment_shows_each_side_the_other_ones_key() -> None:
    initiator, responder = pair(Pattern.XXPSK3)
    talk(initiator, responder)
    assert initiator.remote_static == RELAY.public
    assert responder.remote_static == JOINER.public


@pytest.mark.parametrize("pattern", [Pattern.NKPSK0, Pattern.NNPSK0])
def test_a_stranger_is_known_by_the_first_message(pattern: Pattern) -> None:
    for other in ({"psk": b"q" * 32}, {"prologue": b"mesh/2"}):
        initiator, responder = pair(pattern, **other)
        with pytest.raises(Forged):
            responder.read(initiator.write())


def test_at_enrolment_a_stranger_is_known_by_the_last_message() -> None:
    initiator, responder = pair(Pattern.XXPSK3, psk=b"q" * 32)
    responder.read(initiator.write())
    initiator.read(responder.write())
    with pytest.raises(Forged):
        responder.read(initiator.write())


def test_nothing_follows_a_message_that_was_refused() -> None:
    initiator, responder = pair(Pattern.NNPSK0)
    good = initiator.write()
    with pytest.raises(Forged):
        responder.read(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(OutOfTurn):
        responder.read(good)
    assert not responder.finished


def test_each_side_speaks_in_its_turn() -> None:
    initiator, responder = pair(Pattern.NNPSK0)
    with pytest.raises(LocalMisuse):
        responder.write()
    with pytest.raises(OutOfTurn):
        initiator.read(bytes(48))
    with pytest.raises(LocalMisuse):
        initiator.split()
    talk(initiator, responder)
    with pytest.raises(LocalMisuse):
        initiator.write()
    with pytest.raises(OutOfTurn):
        initiator.read(bytes(48))


@given(st.binary(max_size=200))
def test_any_garbage_is_refused_as_the_peers_fault(message: bytes) -> None:
    for pattern in (Pattern.NKPSK0, Pattern.NNPSK0):
        _, responder = pair(pattern)
        with pytest.raises(PeerError):
            responder.read(message)


@pytest.mark.parametrize("size", [0, 31])
def test_a_short_message_is_malformed(size: int) -> None:
    _, responder = pair(Pattern.NNPSK0)
    with pytest.raises(Malformed):
        responder.read(bytes(size))


def test_a_long_message_is_malformed_and_ours_is_misuse() -> None:
    initiator, responder = pair(Pattern.NNPSK0)
    with pytest.raises(Malformed):
        responder.read(bytes(MESSAGE_BYTES_MAX + 1))
    with pytest.raises(LocalMisuse):
        initiator.write(bytes(MESSAGE_BYTES_MAX - 47))


def test_an_ephemeral_key_of_low_order_is_forged() -> None:
    _, responder = pair(Pattern.NKPSK0)
    with pytest.raises(Forged):
        responder.read(bytes(48))


def test_a_failed_record_uses_up_no_nonce() -> None:
    sender, receiver = CipherState(PSK), CipherState(PSK)
    record = sender.encrypt(b"", b"text")
    for bad in (b"", bytes(15), bytes(40), record[:-1], record + b"\0"):
        with pytest.raises(Forged):
            receiver.decrypt(b"", bad)
    assert receiver.nonce == 0
    assert receiver.decrypt(b"", record) == b"text"
    with pytest.raises(Forged):
        receiver.decrypt(b"", record)


def test_a_record_is_at_most_as_long_as_noise_allows() -> None:
    sender, receiver = CipherState(PSK), CipherState(PSK)
    whole = sender.encrypt(b"", bytes(MESSAGE_BYTES_MAX - 16))
    assert receiver.decrypt(b"", whole) == bytes(MESSAGE_BYTES_MAX - 16)
    with pytest.raises(LocalMisuse):
        sender.encrypt(b"", bytes(MESSAGE_BYTES_MAX - 15))
    with pytest.raises(Malformed):
        receiver.decrypt(b"", bytes(MESSAGE_BYTES_MAX + 1))


def test_a_used_up_key_stops() -> None:
    state = CipherState(PSK)
    state._nonce = 2**64 - 1
    with pytest.raises(Exceeded):
        state.encrypt(b"", b"")
    with pytest.raises(Exceeded):
        state.decrypt(b"", bytes(16))


def test_a_missing_key_is_our_mistake() -> None:
    with pytest.raises(LocalMisuse):
        Handshake(Pattern.NNPSK0, initiator=True, prologue=b"", psks=[PSK])
    with pytest.raises(LocalMisuse):
        Handshake(
            Pattern.NNPSK0, initiator=True, prologue=b"", psks=[], entropy=SeededEntropy(b"e")
        )
    with pytest.raises(LocalMisuse):
        Handshake(
            Pattern.NKPSK0, initiator=True, prologue=b"", psks=[PSK], entropy=SeededEntropy(b"e")
        )
    with pytest.raises(LocalMisuse):
        Handshake(
            Pattern.NKPSK0, initiator=False, prologue=b"", psks=[PSK], entropy=SeededEntropy(b"e")
        )
    with pytest.raises(LocalMisuse):
        Handshake(
            Pattern.NKPSK0,
            initiator=True,
            prologue=b"",
            psks=[PSK],
            remote_static=X25519Public(bytes(31)),
            entropy=SeededEntropy(b"e"),
        )


def test_a_psk_has_its_place_in_a_pattern() -> None:
    assert script("NNpsk0+psk2", "", "e, e ee").messages == (("psk", "e"), ("e", "ee", "psk"))
    with pytest.raises(LocalMisuse):
        script("NNpsk3", "", "e, e ee")
