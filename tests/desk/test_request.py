"""A request shows that its maker holds the key it will sign with, and asks for one card."""

from dataclasses import replace

import pytest

from meshnews.crypto.digest import Label
from meshnews.crypto.keys import Ed25519Secret, Prekey
from meshnews.desk.bulletin import EpochKey
from meshnews.desk.limits import (
    EPOCH_DAYS_AHEAD,
    EPOCH_WEEKS_AHEAD,
    REPLY_KEYS_IN_REQUEST,
    REQUEST_BYTES_MAX,
)
from meshnews.desk.request import (
    EnrolmentRequest,
    Joiner,
    role_of,
    sign_request,
    verify_request,
    words_digest,
)
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.ids import Day, KeyRef
from meshnews.wire.codec import encode
from tests.desk.sample import (
    BYLINE,
    CARD_KEY,
    EDITOR_REQUEST,
    RELAY_REQUEST,
    REPORTER_REQUEST,
    SECOND,
    STRANGER,
    agreer,
    prekey,
    signer,
)

REQUESTS: list[tuple[EnrolmentRequest, Ed25519Secret, Joiner]] = [
    (REPORTER_REQUEST, BYLINE, Joiner.REPORTER),
    (RELAY_REQUEST, signer(46), Joiner.RELAY),
    (EDITOR_REQUEST, SECOND, Joiner.EDITOR),
]


@pytest.mark.parametrize(("request_", "secret", "role"), REQUESTS)
def test_a_request_is_read_back(
    request_: EnrolmentRequest, secret: Ed25519Secret, role: Joiner
) -> None:
    read = verify_request(sign_request(request_, secret))
    assert read == request_
    assert role_of(read) is role


@pytest.mark.parametrize(("request_", "secret", "role"), REQUESTS)
def test_nobody_requests_under_the_key_of_another(
    request_: EnrolmentRequest, secret: Ed25519Secret, role: Joiner
) -> None:
    with pytest.raises(LocalMisuse):
        sign_request(request_, STRANGER)
    body = encode(["req1", int(role), request_.card_key, *request_.fields()])
    for forged in (
        STRANGER.sign(Label.REQUEST_1, body),
        secret.sign(Label.CARD_1, body),
        bytes(64),
    ):
        with pytest.raises(Forged):
            verify_request(encode([body, forged]))


def test_the_words_are_of_the_whole_file() -> None:
    file = sign_request(REPORTER_REQUEST, BYLINE)
    other = sign_request(replace(REPORTER_REQUEST, card_key=agreer(99).public), BYLINE)
    assert len(words_digest(file)) == 32
    assert words_digest(file) != words_digest(other)
    assert words_digest(file) != words_digest(file[:-1] + bytes([file[-1] ^ 1]))


def test_full_requests_fit() -> None:
    keys = tuple(
        Prekey(KeyRef(number.to_bytes(8, "big")), agreer(number).public, bytes(32))
        for number in range(REPLY_KEYS_IN_REQUEST)
    )
    reporter = replace(REPORTER_REQUEST, reply_keys=keys)
    file = sign_request(reporter, BYLINE)
    assert verify_request(file) == reporter
    assert len(file) < 5 * 1024
    epochs = tuple(
        EpochKey(Day(1000 + number), days, agreer(2 * number + days // 7).public)
        for number in range(EPOCH_WEEKS_AHEAD)
        for days in (1, 7)
        if days == 7 or number < EPOCH_DAYS_AHEAD
    )
    editor = replace(EDITOR_REQUEST, epochs=epochs)
    assert len(epochs) == EPOCH_DAYS_AHEAD + EPOCH_WEEKS_AHEAD
    assert verify_request(sign_request(editor, SECOND)) == editor


def test_too_many_reply_keys_or_one_twice_are_never_sent() -> None:
    many = tuple(
        Prekey(KeyRef(number.to_bytes(8, "big")), agreer(1).public, bytes(32))
        for number in range(REPLY_KEYS_IN_REQUEST + 1)
    )
    for keys in (many, (prekey(23), prekey(23)), (replace(prekey(23), psk=b""),)):
        with pytest.raises(LocalMisuse):
            sign_request(replace(REPORTER_REQUEST, reply_keys=keys), BYLINE)


@pytest.mark.parametrize(
    "body",
    [
        encode([]),
        encode(["req1", 1]),
        encode(["req1", 0, CARD_KEY.public]),
        encode(["req1", 4, CARD_KEY.public]),
        encode(["req2", 2, CARD_KEY.public, *RELAY_REQUEST.fields()]),
        encode(["req1", 2, CARD_KEY.public, *RELAY_REQUEST.fields(), 0]),
        encode(["req1", 2, CARD_KEY.public, *RELAY_REQUEST.fields()[:-1]]),
        encode(["req1", 3, CARD_KEY.public, *RELAY_REQUEST.fields()]),
        encode(["req1", 1, CARD_KEY.public, BYLINE.public, bytes(32), bytes(71)]),
        encode(["req1", "1", CARD_KEY.public, BYLINE.public, bytes(32), b""]),
        b"\xc1",
    ],
)
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        verify_request(encode([body, bytes(64)]))


def test_a_request_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(Malformed, match="at most"):
        verify_request(bytes(REQUEST_BYTES_MAX + 1))
