"""What is said on an enrolment link: every message goes round, garbage is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.keys import Ed25519Secret
from meshnews.desk.joining import (
    CARD_FILE_BYTES_MAX,
    Agreed,
    Ask,
    Card,
    Compare,
    JoinMessage,
    Keep,
    Piece,
    Reason,
    Refused,
    Stored,
    Used,
    decode_join_message,
    encode_join_message,
)
from meshnews.desk.limits import CARD_PIECE_BYTES_MAX, JOIN_REQUEST_BYTES_MAX
from meshnews.errors import Forged, Malformed, PeerError
from meshnews.limits import FRAME_BYTES_MAX
from meshnews.wire.codec import Value, encode

SECRET = Ed25519Secret(bytes([7]) * 32)
OTHER = Ed25519Secret(bytes([8]) * 32)
SESSION = bytes(range(64))
DIGEST = bytes(32)
FILE = bytes(1000)

MESSAGES: list[JoinMessage] = [
    Keep(),
    Ask.signed(b"request", SECRET, session=SESSION, digest=DIGEST),
    Ask(bytes(JOIN_REQUEST_BYTES_MAX), bytes(64)),
    Agreed(),
    Stored.signed(SECRET, session=SESSION, digest=DIGEST),
    Compare(),
    Card.signed(FILE, SECRET, session=SESSION),
    Card(CARD_FILE_BYTES_MAX, SECRET.public, bytes(64)),
    Piece(b"x"),
    Piece(bytes(CARD_PIECE_BYTES_MAX)),
    Used(),
    *map(Refused, Reason),
]
BAD: dict[str, Value] = {
    "no array": 0,
    "nothing": [],
    "an unknown kind": [9],
    "a negative kind": [-1],
    "keep with a field": [0, 1],
    "ask without a proof": [1, b"request"],
    "ask with a short proof": [1, b"request", bytes(63)],
    "a request too long": [1, bytes(JOIN_REQUEST_BYTES_MAX + 1), bytes(64)],
    "agreed with a field": [2, b""],
    "a digest too short": [3, bytes(31), bytes(64)],
    "a card of no size": [5, 48, bytes(32), bytes(64)],
    "a card too large": [5, CARD_FILE_BYTES_MAX + 1, bytes(32), bytes(64)],
    "a card of no editor": [5, 1000, bytes(31), bytes(64)],
    "an empty piece": [6, b""],
    "a piece too long": [6, bytes(CARD_PIECE_BYTES_MAX + 1)],
    "a piece as text": [6, "x"],
    "a reason of 0": [8, 0],
    "an unknown reason": [8, 7],
    "too many fields": [5, 1000, bytes(32), bytes(64), 0],
}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: type(one).__name__)
def test_every_message_goes_round_and_fits_a_frame(message: JoinMessage) -> None:
    body = encode_join_message(message)
    assert len(body) <= FRAME_BYTES_MAX
    assert decode_join_message(body) == message


@pytest.mark.parametrize("why", BAD)
def test_what_is_no_message_is_refused(why: str) -> None:
    with pytest.raises(Malformed):
        decode_join_message(encode(BAD[why]))


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_garbage_is_refused(body: bytes) -> None:
    try:
        message = decode_join_message(body)
    except PeerError:
        return
    assert encode_join_message(message) == body


def test_a_message_with_bytes_behind_it_is_refused() -> None:
    for message in MESSAGES:
        with pytest.raises(Malformed):
            decode_join_message(encode_join_message(message) + b"\0")


def test_the_bytes_are_these() -> None:
    assert encode_join_message(Keep()) == b"\x91\x00"
    assert encode_join_message(Refused(Reason.WORDS)) == b"\x92\x08\x01"
    assert encode_join_message(Piece(b"abc")) == b"\x92\x06\xc4\x03abc"


def test_a_proof_is_good_for_one_session_one_request_one_purpose_and_one_key() -> None:
    ask = Ask.signed(b"request", SECRET, session=SESSION, digest=DIGEST)
    ask.verify(SECRET.public, session=SESSION, digest=DIGEST)
    for public, session, digest in (
        (OTHER.public, SESSION, DIGEST),
        (SECRET.public, bytes(64), DIGEST),
        (SECRET.public, SESSION, bytes([1]) * 32),
    ):
        with pytest.raises(Forged):
            ask.verify(public, session=session, digest=digest)
    stored = Stored.signed(SECRET, session=SESSION, digest=DIGEST)
    stored.verify(SECRET.public, session=SESSION)
    with pytest.raises(Forged):
        stored.verify(SECRET.public, session=bytes(64))
    with pytest.raises(Forged):
        Stored(DIGEST, ask.proof).verify(SECRET.public, session=SESSION)
    with pytest.raises(Forged):
        Ask(b"request", stored.proof).verify(SECRET.public, session=SESSION, digest=DIGEST)


def test_a_card_is_given_on_one_session_and_as_it_is() -> None:
    card = Card.signed(FILE, SECRET, session=SESSION)
    card.verify(FILE, session=SESSION)
    assert card.signature == SECRET.sign(Label.GIVEN_1, SESSION + b2(Label.GIVEN, FILE))
    with pytest.raises(Forged):
        card.verify(FILE[:-1] + b"\1", session=SESSION)
    with pytest.raises(Forged):
        card.verify(FILE, session=bytes(64))
    with pytest.raises(Forged):
        Card(card.size, OTHER.public, card.signature).verify(FILE, session=SESSION)
