"""Every value has one encoding, and nothing else is let in."""

import struct
import unicodedata

import msgpack  # type: ignore[import-untyped]  # it ships no types; here it is the liar's tool
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshnews.errors import LocalMisuse, Malformed
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.wire.codec import (
    DEPTH_MAX,
    ITEMS_MAX,
    Value,
    as_bytes,
    as_int,
    as_list,
    as_text,
    decode,
    encode,
    is_showable,
)

MAX = 1 << 20

texts = st.text(max_size=40).map(lambda text: unicodedata.normalize("NFC", text))
leaves = st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=300) | texts
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=20), max_leaves=30).filter(
    lambda value: depth(value) <= DEPTH_MAX
)


def depth(value: object) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@given(values)
def test_what_is_encoded_decodes_to_itself(value: Value) -> None:
    assert decode(encode(value), bytes_max=MAX) == value


@given(st.binary(max_size=200))
@example(b"\xa1\x80")
@example(b"\xc7\x00\x01")
@example(b"\xd4\xff\x00")
@example(b"\x91" * 3000)
def test_garbage_is_malformed_or_the_one_encoding_of_something(data: bytes) -> None:
    try:
        value = decode(data, bytes_max=MAX)
    except Malformed:
        return
    assert encode(value) == data


@given(values, st.data())
def test_a_damaged_encoding_never_raises_anything_else(value: Value, data: st.DataObject) -> None:
    encoding = bytearray(encode(value))
    at = data.draw(st.integers(0, len(encoding) - 1))
    encoding[at] = data.draw(st.integers(0, 255))
    try:
        again = decode(bytes(encoding), bytes_max=MAX)
    except Malformed:
        return
    assert encode(again) == bytes(encoding)


@given(values, st.binary(min_size=1, max_size=9))
def test_trailing_bytes_are_malformed(value: Value, more: bytes) -> None:
    with pytest.raises(Malformed):
        decode(encode(value) + more, bytes_max=MAX)


@given(values)
def test_a_cut_encoding_is_malformed(value: Value) -> None:
    encoding = encode(value)
    for end in {0, 1, len(encoding) // 2, len(encoding) - 1} - {len(encoding)}:
        with pytest.raises(Malformed):
            decode(encoding[:end], bytes_max=MAX)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xcc\x7f", "127 in two bytes"),
        (b"\xcd\x00\xff", "255 in three bytes"),
        (b"\xce\x00\x00\xff\xff", "65535 in five bytes"),
        (b"\xcf\x00\x00\x00\x00\xff\xff\xff\xff", "2^32 - 1 in nine bytes"),
        (b"\xd0\x01", "1 as a signed byte"),
        (b"\xd0\xff", "-1 in two bytes"),
        (b"\xd1\xff\x80", "-128 in three bytes"),
        (b"\xd2\x00\x00\x80\x00", "a positive number as a signed one"),
        (b"\xd3\x00\x00\x00\x00\x00\x00\x00\x01", "1 in nine bytes"),
        (b"\xc5\x00\x01x", "a byte string with a long length"),
        (b"\xc6\x00\x00\x00\x01x", "a byte string with a longer length"),
        (b"\xd9\x01x", "a text with a long length"),
        (b"\xda\x00\x01x", "a text with a longer length"),
        (b"\xdb\x00\x00\x00\x01x", "a text with the longest length"),
        (b"\xdc\x00\x01\x01", "an array with a long length"),
        (b"\xdd\x00\x00\x00\x01\x01", "an array with a longer length"),
        (b"\xc0", "nil"),
        (b"\xc1", "the byte that is never used"),
        (b"\xc2", "false"),
        (b"\xc3", "true"),
        (b"\x91\xc3", "true in an array"),
        (b"\xca" + struct.pack(">f", 1.0), "a float"),
        (b"\xcb" + struct.pack(">d", float("nan")), "not a number"),
        (b"\x80", "an empty map"),
        (b"\x81\x01\x02", "a map"),
        (b"\x81\x90\x02", "a map under an array"),
        (b"\xdf\xff\xff\xff\xff", "a map that claims to be huge"),
        (b"\xd4\x01x", "an extension"),
        (b"\xc7\x00\x01", "an empty extension"),
        (b"\x91\xc7\x00\x01", "an empty extension in an array"),
        (b"\xd6\xff\x00\x00\x00\x00", "a timestamp"),
        (b"\xa1\xff", "a text that is not UTF-8"),
        (b"\xa3\xed\xa0\x80", "a text with half a surrogate pair"),
        (b"\xa2\xc0\x80", "an overlong NUL"),
        (b"\xa3e\xcc\x81", "a text that is not in normal form C"),
        (b"\xdd\xff\xff\xff\xff", "an array that claims to be huge"),
        (b"\xc6\xff\xff\xff\xff", "a byte string that claims to be huge"),
        (b"", "nothing"),
    ],
)
def test_what_is_not_canonical_is_malformed(data: bytes, why: str) -> None:
    with pytest.raises(Malformed):
        decode(data, bytes_max=MAX)


def test_the_length_is_judged_first() -> None:
    encoding = encode(bytes(100))
    assert decode(encoding, bytes_max=102) == bytes(100)
    with pytest.raises(Malformed):
        decode(encoding, bytes_max=101)


@pytest.mark.parametrize("layers", [DEPTH_MAX, 100, 511, 512, 1023, 1024, 5000, 500_000])
def test_a_deep_nest_is_malformed(layers: int) -> None:
    with pytest.raises(Malformed):
        decode(b"\x91" * layers + b"\x90", bytes_max=MAX)
    with pytest.raises(Malformed):
        decode(b"\x91" * layers, bytes_max=MAX)


def test_the_deepest_nest_is_read() -> None:
    assert depth(decode(b"\x91" * (DEPTH_MAX - 1) + b"\x90", bytes_max=MAX)) == DEPTH_MAX


def test_nested_claims_to_be_wide_are_malformed() -> None:
    with pytest.raises(Malformed):
        decode(b"\xdd\x00\x0f\xff\xff" * 10_000, bytes_max=MAX)
    with pytest.raises(Malformed):
        decode(b"\xdc\x10\x00" * 1000, bytes_max=MAX)


def test_an_array_has_a_widest() -> None:
    widest = encode([0] * ITEMS_MAX)
    assert decode(widest, bytes_max=MAX) == [0] * ITEMS_MAX
    with pytest.raises(Malformed):
        decode(msgpack.packb([0] * (ITEMS_MAX + 1)), bytes_max=MAX)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1.0,
        {},
        {1: 2},
        bytearray(b"x"),
        [None],
        [[False]],
        2**64,
        -(2**63) - 1,
        "e\u0301",
        "\ud800",
        object(),
        [0] * (ITEMS_MAX + 1),
        msgpack.ExtType(1, b""),
        msgpack.Timestamp(0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_read_is_not_written(value: object) -> None:
    with pytest.raises(LocalMisuse):
        encode(value)  # type: ignore[arg-type]  # the type checker would not let it


def test_a_nest_too_deep_to_be_read_is_not_written() -> None:
    value: Value = 0
    for _ in range(DEPTH_MAX + 1):
        value = [value]
    with pytest.raises(LocalMisuse):
        encode(value)
    for _ in range(5000):
        value = [value]
    with pytest.raises(LocalMisuse):
        encode(value)


def test_tuples_and_named_numbers_are_written_as_what_they_are() -> None:
    ref = BundleRef(TrafficClass.FLASH, Day(100), BundleId(bytes(32)))
    assert decode(encode(ref), bytes_max=MAX) == [1, 100, bytes(32)]
    assert encode((1, (b"x",))) == encode([1, [b"x"]])


def test_an_array_is_judged_by_its_size() -> None:
    assert as_list([1, 2], size=2, at_most=2) == [1, 2]
    assert as_list([]) == []
    for wrong in (b"ab", "ab", 2):
        with pytest.raises(Malformed):
            as_list(wrong)
    with pytest.raises(Malformed):
        as_list([1, 2], size=1)
    with pytest.raises(Malformed):
        as_list([1, 2], at_most=1)


def test_an_integer_is_judged_by_its_range() -> None:
    assert as_int(0, 0, 0) == 0
    assert as_int(-1, -1, 5) == -1
    for wrong in (6, -2):
        with pytest.raises(Malformed):
            as_int(wrong, -1, 5)
    for foreign in (b"1", "1", [1], True):
        with pytest.raises(Malformed):
            as_int(foreign, 0, 9)


def test_bytes_are_judged_by_their_length() -> None:
    assert as_bytes(b"ab", 2) == b"ab"
    assert as_bytes(b"", at_most=2) == b""
    for foreign in ("ab", 2, [b"ab"]):
        with pytest.raises(Malformed):
            as_bytes(foreign)
    with pytest.raises(Malformed):
        as_bytes(b"ab", 3)
    with pytest.raises(Malformed):
        as_bytes(b"abc", at_most=2)


@pytest.mark.parametrize(
    "text",
    ["", "slug", "Алматы", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "日本", "a b"],
)
def test_a_text_in_any_script_is_taken(text: str) -> None:
    assert as_text(text, chars_max=20) == text
    assert as_text(text, chars_max=20, multiline=True) == text


@pytest.mark.parametrize("mark", ["\0", "\x07", "\x1b", "\r", "\x7f", "\x85", "\x9b"])
def test_a_text_with_controls_is_malformed(mark: str) -> None:
    for multiline in (False, True):
        with pytest.raises(Malformed):
            as_text(f"a{mark}b", chars_max=9, multiline=multiline)


@pytest.mark.parametrize("mark", ["\n", "\t", "\u2028", "\u2029", "\u202e", "\u2066"])
def test_layout_belongs_only_in_longer_texts(mark: str) -> None:
    assert as_text(f"a{mark}b", chars_max=9, multiline=True) == f"a{mark}b"
    with pytest.raises(Malformed):
        as_text(f"a{mark}b", chars_max=9)


def test_a_text_is_judged_by_its_length_and_form() -> None:
    with pytest.raises(Malformed):
        as_text("abc", chars_max=2)
    for foreign in (b"a", 1, ["a"]):
        with pytest.raises(Malformed):
            as_text(foreign, chars_max=9)
    assert not is_showable("e\u0301")
    with pytest.raises(Malformed):
        as_text("e\u0301", chars_max=9)
