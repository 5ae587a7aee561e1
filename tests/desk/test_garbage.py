"""No bytes from outside do more than raise PeerError, and no changed byte is believed."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshnews.desk.bulletin import read_bulletin, verify_bulletin
from meshnews.desk.card import decode_editor_card, decode_press_card, decode_relay_card
from meshnews.desk.cardfile import open_card
from meshnews.desk.certificate import decode_member, read_certificate, verify_certificate
from meshnews.desk.manifest import read_unsigned_manifest, sign_manifest, verify_manifest
from meshnews.desk.notice import decode_notice, read_unsigned
from meshnews.desk.recall import recall_oneself, unsigned_recall, verify_recall
from meshnews.desk.refresh import decode_refresh
from meshnews.desk.request import sign_request, verify_request
from meshnews.desk.root import add_signature, decode_root_signed
from meshnews.errors import PeerError
from meshnews.wire.codec import Value, decode, encode
from tests.desk.sample import (
    BYLINE,
    CARD_KEY,
    CERTIFICATE,
    DESK,
    DESK_ROOTS,
    EDITOR_CARD,
    EDITOR_REQUEST,
    MANIFEST,
    MEMBER,
    PRESS_CARD,
    REFRESH,
    RELAY_CARD,
    RELAY_REQUEST,
    REPORTER_REQUEST,
    ROOTS,
    SECOND,
    SIGNED_BULLETIN,
    SIGNED_MANIFEST,
    signer,
)
from tests.desk.test_notice import RECALL

Read = Callable[[bytes], object]


def open_to_request(file: bytes) -> object:
    return open_card(file, CARD_KEY, request=bytes(32))


def recalled(data: bytes) -> object:
    return verify_recall(data, desk=DESK)


def published(data: bytes) -> object:
    return verify_bulletin(data, MANIFEST)


def certified(data: bytes) -> object:
    return verify_certificate(data, MANIFEST)


def of_desk(data: bytes) -> object:
    return verify_manifest(data, DESK)


SIGNED_RECALL = add_signature(
    add_signature(unsigned_recall(RECALL, DESK_ROOTS), ROOTS[0]), ROOTS[1]
)
SIGNED: dict[str, tuple[bytes, Read]] = {
    "manifest": (SIGNED_MANIFEST, of_desk),
    "manifest of an unknown desk": (sign_manifest(MANIFEST, ROOTS[:2]), verify_manifest),
    "bulletin": (SIGNED_BULLETIN, published),
    "certificate": (CERTIFICATE, certified),
    "recall by roots": (SIGNED_RECALL, recalled),
    "recall by oneself": (recall_oneself(DESK, BYLINE), recalled),
    "reporter's request": (sign_request(REPORTER_REQUEST, BYLINE), verify_request),
    "relay's request": (sign_request(RELAY_REQUEST, signer(46)), verify_request),
    "editor's request": (sign_request(EDITOR_REQUEST, SECOND), verify_request),
}
PLAIN: dict[str, tuple[bytes, Read]] = {
    "press card": (PRESS_CARD.encode(), decode_press_card),
    "relay's card": (RELAY_CARD.encode(), decode_relay_card),
    "editor's card": (EDITOR_CARD.encode(), decode_editor_card),
    "member": (MEMBER.encode(), decode_member),
    "refresh": (REFRESH.encode(), decode_refresh),
    "unsigned": (unsigned_recall(RECALL, DESK_ROOTS), read_unsigned),
    "root-signed": (SIGNED_MANIFEST, decode_root_signed),
    "shown manifest": (SIGNED_MANIFEST, read_unsigned_manifest),
    "shown bulletin": (SIGNED_BULLETIN, read_bulletin),
    "shown certificate": (CERTIFICATE, read_certificate),
    "notice": (encode(["recall", SIGNED_RECALL]), decode_notice),
    "card file": (b"\x01" + bytes(32) + bytes(100), open_to_request),
}
ALL = SIGNED | PLAIN

values: st.SearchStrategy[Value] = st.recursive(
    st.one_of(
        st.integers(-2, 2**33),
        st.binary(max_size=40),
        st.sampled_from([bytes(8), bytes(16), bytes(32), bytes(64), bytes(72), bytes(96)]),
        st.sampled_from(["man1", "rec1", "bul1", "card1", "req1", "prs1", "rly1", "edt1", "rfr1"]),
    ),
    lambda inner: st.lists(inner, max_size=12),
    max_leaves=30,
)


@pytest.mark.parametrize("what", SIGNED)
def test_every_changed_byte_of_a_signed_object_is_refused(what: str) -> None:
    data, read = SIGNED[what]
    read(data)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << at % 8
        with pytest.raises(PeerError):
            read(bytes(changed))


@pytest.mark.parametrize("what", ALL)
def test_every_shortened_and_lengthened_object_is_refused(what: str) -> None:
    data, read = ALL[what]
    for cut in {0, 1, 2, len(data) // 2, len(data) - 1}:
        with pytest.raises(PeerError):
            read(data[:cut])
    with pytest.raises(PeerError):
        read(data + b"\0")


def survive(read: Read, data: bytes) -> None:
    try:
        read(data)
    except PeerError:
        return


@given(st.binary(max_size=300))
def test_any_bytes_only_raise_peer_errors(data: bytes) -> None:
    for _, read in ALL.values():
        survive(read, data)


@settings(deadline=None)
@given(values)
def test_any_canonical_value_only_raises_peer_errors(value: Value) -> None:
    data = encode(value)
    for _, read in ALL.values():
        survive(read, data)
        survive(read, encode([data, bytes(64)]))
        survive(read, encode([data, list(DESK_ROOTS.keys), 2, []]))


@given(st.sampled_from(sorted(ALL)), st.data())
def test_any_changed_object_only_raises_peer_errors(what: str, data: st.DataObject) -> None:
    original, read = ALL[what]
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    survive(read, bytes(changed))


def draw_changed(data: st.DataObject, value: Value) -> Value:
    """Return `value` with one thing in it, anywhere, replaced."""
    if isinstance(value, list) and value and data.draw(st.integers(0, 3)):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw_changed(data, value[at]), *value[at + 1 :]]
    return data.draw(values)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.booleans(), st.data())
def test_an_object_with_one_field_changed_only_raises_peer_errors(
    what: str, in_the_body: bool, data: st.DataObject
) -> None:
    original, read = ALL[what]
    if what == "card file":
        return
    value = decode(original, bytes_max=len(original))
    assert isinstance(value, list)
    body = value[0]
    if in_the_body and isinstance(body, bytes):
        inside = decode(body, bytes_max=len(body))
        value = [encode(draw_changed(data, inside)), *value[1:]]
        survive(read, encode(value))
    else:
        survive(read, encode(draw_changed(data, value)))
