"""The bytes of every message, and what no message may be."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.errors import Malformed, PeerError
from meshnews.limits import FRAME_BYTES_MAX, LIST_IDS_MAX, NAMES_PER_MESSAGE_MAX
from meshnews.sync.field import pack_pairs, unpack_pairs
from meshnews.sync.layout import decode_message, encode_data, encode_message
from meshnews.sync.messages import Data, Type
from meshnews.wire.codec import Value, encode
from tests.sync.largest import LARGEST
from tests.sync.sample import DAY, MESSAGES, ROUTINE, SHORTS

GOLDEN = {
    "hello": "ad554c146e9fecd2",
    "spans": "33a71061d3db7f9a",
    "days": "6233a4df2b5c9956",
    "grid": "6c42aaeaa9408e9c",
    "split": "5fca240c96f152cb",
    "list": "d3a6c4a38ea2ce9f",
    "reply": "6867ccef728b2d12",
    "want": "f9f4443b3d980a23",
    "offer": "95c4ea75d28031f4",
    "data": "a62b9531d2a259d2",
    "stored": "be9d9cf8c940e621",
    "acked": "2c382b0cc8629f6c",
    "notheld": "a3c6ca2b12deab2d",
    "cancel": "dd7d594acb5ae812",
    "have": "46b8766f625e1557",
    "bye": "5ddad90b822db7ff",
    "done": "26b2adba9c55fb43",
    "cells": "808bc637b9eb1b0d",
    "more": "c8e841179471d620",
    "parts": "f746b936e5dc79d8",
    "tell": "e031438faa647861",
    "told": "52a8735ce11f7343",
}
"""First 16 hexadecimal digits of the SHA-256 of each encoding."""

values = st.recursive(
    st.one_of(
        st.integers(-(2**63), 2**64 - 1), st.binary(max_size=70), st.text("ab\u00e9", max_size=5)
    ),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=20,
)
likely = st.one_of(
    st.sampled_from([0, 1, 2, 3, 8, 10, 16, 32, 2100, 65536]),
    st.sampled_from([b"", b"1" * 8, b"2" * 16, b"3" * 32, b"4" * 33, b"5" * 64, b"6" * 80]),
    st.lists(values, max_size=4),
    values,
)


@pytest.mark.parametrize("name", MESSAGES)
def test_what_is_encoded_is_decoded_again(name: str) -> None:
    message = MESSAGES[name]
    assert decode_message(encode_message(message)) == message


@pytest.mark.parametrize("name", MESSAGES)
def test_no_encoding_has_changed(name: str) -> None:
    digest = hashlib.sha256(encode_message(MESSAGES[name])).hexdigest()[:16]
    assert digest == GOLDEN[name]


def test_every_type_has_a_sample() -> None:
    assert {encode_message(message)[1] for message in MESSAGES.values()} == set(Type)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_with_a_field_more_or_less_is_refused(name: str) -> None:
    body = encode_message(MESSAGES[name])
    count = body[0] & 15
    longer = bytes([0x90 | count + 1]) + body[1:] + b"\x00"
    for wrong in (longer, body + b"\x00", body[:-1]):
        with pytest.raises(Malformed):
            decode_message(wrong)


@pytest.mark.parametrize("name", MESSAGES)
def test_any_byte_changed_gives_a_message_or_a_refusal(name: str) -> None:
    body = encode_message(MESSAGES[name])
    for at in range(min(len(body), 120)):
        for bit in (1, 16, 128):
            changed = bytearray(body)
            changed[at] ^= bit
            _refused_or_exact(bytes(changed))


@given(st.binary(max_size=300))
def test_any_garbage_is_refused_or_exact(garbage: bytes) -> None:
    _refused_or_exact(garbage)


@given(st.sampled_from([*Type, 0, 23]), st.lists(likely, max_size=9))
def test_any_fields_behind_a_type_are_refused_or_exact(kind: int, fields: list[Value]) -> None:
    _refused_or_exact(encode([int(kind), *fields]))


def _refused_or_exact(body: bytes) -> None:
    try:
        message = decode_message(body)
    except PeerError:
        return
    again = encode_message(message)
    if not isinstance(message, _REGROUPED):
        assert again == body
    assert decode_message(again) == message


_REGROUPED = (type(MESSAGES["have"]), type(MESSAGES["acked"]))
"""Two runs of one bucket are joined when they are written again."""


@given(st.lists(st.integers(0, 3), max_size=40))
def test_pairs_of_bits_come_back(pairs: list[int]) -> None:
    assert unpack_pairs(pack_pairs(pairs), len(pairs)) == pairs


def test_a_state_without_an_identifier_is_refused() -> None:
    with pytest.raises(Malformed, match="without its identifier"):
        unpack_pairs(b"\xff", 3)


def _list_of(ids: bytes, states: bytes, *, bits: int = 0, prefix: int = 0) -> bytes:
    return encode([6, int(ROUTINE), DAY, bits, prefix, ids, states])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (_list_of(SHORTS[1] + SHORTS[0], b"\x00"), "do not rise"),
        (_list_of(SHORTS[0] * 2, b"\x00"), "do not rise"),
        (_list_of(SHORTS[0], b"\x00", bits=4, prefix=2), "outside its range"),
        (_list_of(SHORTS[0][:7], b"\x00"), "length or number"),
        (_list_of(bytes(8 * (LIST_IDS_MAX + 1)), b""), "at most"),
        (encode([6, 2, DAY + 1, 0, 0, b"", b""]), "odd day"),
        (encode([6, 4, DAY, 0, 0, b"", b""]), "not within"),
        (encode([6, 2, DAY, 17, 0, b"", b""]), "not within"),
        (encode([6, 2, DAY, 2, 4, b"", b""]), "not within"),
        (encode([3, 2, 1, [DAY, DAY], b"12345678", [1, 1]]), "do not fall"),
        (encode([3, 2, 1, [DAY], b"1234", [0]]), "not within"),
        (encode([8, []]), "about nothing"),
        (encode([8, [[2, DAY, 16, b"1" * 16, 0, []]]]), "width"),
        (encode([8, [[2, DAY, 8, b"1" * 16, 0, [0]]]]), "offsets"),
        (encode([10, 2, DAY, SHORTS[0], 0, 0, b""]), "without bytes"),
        (encode([11, [], []]), "about nothing"),
        (encode([12, 0, [], []]), "about nothing"),
        (encode([12, 2, [b"r"], []]), "not within"),
        (encode([13, [[2, DAY, b""]]]), "length or number"),
        (encode([15, [[2, DAY, b"1" * 32, b"\x08"]]]), "unknown bit"),
        (
            encode([15, [[2, DAY, b"1" * 32 * (NAMES_PER_MESSAGE_MAX + 1), b""]]]),
            "length or number",
        ),
        (encode([16, 3]), "not within"),
        (encode([2, 2, DAY, DAY + 2, bytes(8)]), "before they begin"),
        (encode([2, 2, DAY, DAY - 2, bytes(8)]), "bytes where"),
        (encode([4, 2, DAY, 9, 1, bytes(2048)]), "not within"),
        (encode([4, 2, DAY, 1, 1, bytes(4)]), "bytes where"),
        (encode([5, 2, DAY, 3, 5, bytes(4), bytes(128)]), "not within"),
        (encode([5, 2, DAY, 3, 1, bytes(3), bytes(8)]), "length or number"),
        (encode([5, 2, DAY, 0, 1, b"\0\0\0\1", bytes(8)]), "do not rise"),
        (encode([5, 2, DAY, 3, 1, bytes(8), bytes(16)]), "do not rise"),
        (encode([18, 2, DAY, b"", 0, 0, 0, 0, bytes(11)]), "no whole parts"),
        (encode([18, 2, DAY, b"", 0, 0, 0, 2, bytes(11)]), "no whole parts"),
        (encode([18, 2, DAY, b"", 0, 0, 3, 2, bytes(11)]), "not within"),
        (encode([19, 2, DAY, 0, 4, []]), "about nothing"),
        (encode([19, 2, DAY, 4, 4, [1]]), "not within"),
        (encode([19, 2, DAY, 0, 4, [1, 1]]), "do not rise"),
        (encode([20, 2, DAY, 1, b"\3", b"", b""]), "no known mode"),
        (encode([20, 2, DAY, 1, b"\2", b"\x11", bytes(8 * 17)]), "more keys"),
        (encode([20, 2, DAY, 1, b"\2", b"\1", bytes(16)]), "bytes where"),
        (encode([21, 2, DAY, b"", b"", b""]), "about nothing"),
        (encode([21, 2, DAY, bytes(8 * 2048), bytes(8), b""]), "length or number"),
        (encode([22, 2, DAY, 2049, bytes(513)]), "not within"),
        (encode([23, 2]), "no known type"),
        (encode([]), "without a type"),
        (encode(7), "without a type"),
    ],
)
def test_what_no_message_may_be_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        decode_message(body)


def test_another_version_is_refused() -> None:
    body = bytearray(encode_message(MESSAGES["hello"]))
    body[2] = 2
    with pytest.raises(Malformed, match="version"):
        decode_message(bytes(body))


def test_a_message_longer_than_a_frame_is_refused() -> None:
    with pytest.raises(Malformed):
        decode_message(bytes(FRAME_BYTES_MAX + 1))


def test_the_short_way_to_write_a_block_gives_the_same_bytes() -> None:
    message = MESSAGES["data"]
    assert isinstance(message, Data)
    fast = encode_data(
        *(message.traffic, message.day, message.short),
        age_s=message.age_s,
        offset=message.offset,
        block=message.block,
    )
    assert fast == encode_message(message)


def test_the_largest_messages_fit_a_frame() -> None:
    for message in LARGEST:
        assert len(encode_message(message)) <= FRAME_BYTES_MAX
        assert decode_message(encode_message(message)) == message
