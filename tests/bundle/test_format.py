"""The wire form: four sizes to the byte, one encoding, one identifier."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.bundle.envelope import Terms, capacity, even_day, shape_for
from meshnews.bundle.format import (
    Bundle,
    Head,
    assemble,
    bundle_id,
    commitment,
    decode_offer,
    parse,
    rest_hash,
)
from meshnews.bundle.shape import AUTH_BYTES, Shape, shape_of, shape_of_meta
from meshnews.crypto.digest import Label, b2
from meshnews.errors import LocalMisuse, Malformed
from meshnews.ids import AuthKind, Day, TrafficClass
from meshnews.limits import DAY_MAX, LIVES_DAYS, WIRE_BYTES
from meshnews.wire.codec import decode, encode
from tests.bundle.kit import Given, franking, sealed

DAYS = (0, 126, 128, 254, 256, 2600, DAY_MAX)


def shapes() -> list[Shape]:
    made: list[Shape] = []
    every = itertools.product(WIRE_BYTES, AuthKind, TrafficClass, LIVES_DAYS, DAYS)
    for size, kind, traffic, life, day in every:
        if traffic is TrafficClass.FLASH and size > 8192:
            continue
        if traffic is TrafficClass.NOTICE and kind is AuthKind.STAMP:
            continue
        made.append(shape_of(size, kind, traffic, life, day))
    return made


def made_of(shape: Shape) -> Bundle:
    head = Head(
        shape,
        pc=b"p" * 32,
        ephemeral=b"e" * 32,
        stanzas=b"s" * (shape.stanzas_end - shape.stanzas_at),
    )
    return assemble(head, b"c" * (shape.padded_bytes + 16), Given(b"a" * AUTH_BYTES, shape.kind))


def test_every_combination_of_fields_has_exactly_one_of_the_four_sizes() -> None:
    for shape in shapes():
        assert len(made_of(shape).wire) == shape.size


def test_reading_by_position_agrees_with_reading_msgpack() -> None:
    for shape in shapes():
        bundle = made_of(shape)
        body, auth = decode(bundle.wire, bytes_max=66560)  # type: ignore[misc]  # two of them
        fields = decode(body, bytes_max=66560)  # type: ignore[arg-type]  # it is bytes
        assert fields == [
            1,
            shape.kind,
            shape.traffic,
            shape.life,
            shape.day,
            bundle.pc,
            bundle.ephemeral,
            bundle.stanzas,
            bundle.ciphertext,
        ]
        assert auth == bundle.auth
        assert encode([encode(fields), auth]) == bundle.wire


def test_what_was_assembled_parses_to_itself() -> None:
    for shape in shapes():
        bundle = made_of(shape)
        read = parse(bundle.wire)
        assert read == bundle
        assert (read.ref, read.shape, read.h_ct, read.h_rest) == (
            bundle.ref,
            bundle.shape,
            bundle.h_ct,
            bundle.h_rest,
        )


def test_the_identifier_is_the_chain_that_the_protocol_gives() -> None:
    bundle = sealed().bundle
    h_ct = b2(Label.BUNDLE_CT, bundle.ephemeral + bundle.stanzas + bundle.ciphertext)
    meta = encode([1, 1, 2, 14, 2600, 4, len(bundle.ciphertext)])
    h_rest = b2(Label.BUNDLE_REST, h_ct + meta + franking().payer)
    assert bundle.id == b2(Label.BUNDLE_ID, bundle.pc + h_rest)
    assert bundle.ref == (TrafficClass.ROUTINE, 2600, bundle.id)
    assert bundle.expiry_day == 2600 + 2 + 14


def test_an_offer_tells_everything_that_a_peer_judges_by() -> None:
    bundle = sealed().bundle
    offer = decode_offer(bundle.offer.encode())
    assert offer == bundle.offer
    assert (offer.ref, offer.kind, offer.traffic, offer.life, offer.day, offer.size) == (
        bundle.ref,
        bundle.kind,
        bundle.traffic,
        bundle.life,
        bundle.day,
        bundle.size,
    )
    assert (offer.expiry_day, offer.auth) == (bundle.expiry_day, bundle.auth)
    rest = rest_hash(offer.h_ct, offer.meta, franking().payer)
    assert offer.id == bundle_id(commitment(sealed().purge), rest)
    assert len(bundle.offer.encode()) <= 270


def test_every_meta_gives_back_its_shape() -> None:
    for shape in shapes():
        assert shape_of_meta(shape.meta) == shape


@pytest.mark.parametrize(
    "fields",
    [
        [2, 1, 2, 14, 2600, 4, 1493],
        [1, 3, 2, 14, 2600, 4, 1493],
        [1, 1, 4, 14, 2600, 4, 1493],
        [1, 1, 2, 13, 2600, 4, 1493],
        [1, 1, 2, 14, 2601, 4, 1493],
        [1, 1, 2, 14, 2600, 8, 1493],
        [1, 1, 2, 14, 2600, 4, 1494],
        [1, 1, 2, 14, 2600, 4, 2**32],
        [1, 1, 2, 14, 2600, 4],
        [1, 1, 2, 14, 2600, 4, b""],
        [1, 2, 0, 14, 2600, 4, 1493],
        [1, 1, 1, 14, 2600, 8, 31925],
        [],
        7,
    ],
    ids=str,
)
def test_a_meta_that_no_bundle_has_is_refused(fields: list[int]) -> None:
    assert shape_of_meta(encode([1, 1, 2, 14, 2600, 4, 1493])).size == 2048
    with pytest.raises(Malformed):
        shape_of_meta(encode(fields))


WIRE = sealed().bundle.wire
HEADERS = [*range(14), 46, 47, 80, 81, 82, 371, 372, 373, 1867, 1868]
"""Every byte of a 2048-byte bundle that is no free field; checked against its shape below."""


def test_the_table_of_header_bytes_is_that_of_the_shape() -> None:
    shape = parse(WIRE).shape
    fields = [
        range(shape.pc_at, shape.pc_at + 32),
        range(shape.ephemeral_at, shape.ephemeral_end),
        range(shape.stanzas_at, shape.stanzas_end),
        range(shape.ciphertext_at, shape.ciphertext_end),
        range(2048 - AUTH_BYTES, 2048),
    ]
    free = {at for part in fields for at in part}
    assert sorted(set(range(2048)) - free) == HEADERS


def flipped(wire: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(wire)
    changed[at] ^= 1 << bit
    return bytes(changed)


@pytest.mark.parametrize("at", HEADERS)
def test_a_flipped_header_bit_is_refused_or_gives_another_identifier(at: int) -> None:
    original = parse(WIRE).id
    for bit in range(8):
        try:
            changed = parse(flipped(WIRE, at, bit))
        except Malformed:
            continue
        assert changed.id != original


def test_a_flipped_bit_before_auth_never_leaves_the_identifier_as_it_was() -> None:
    original = parse(WIRE).id
    for at in range(2048 - AUTH_BYTES):
        try:
            changed = parse(flipped(WIRE, at, at % 8))
        except Malformed:
            continue
        assert changed.id != original


def test_auth_is_no_part_of_the_identifier() -> None:
    other = parse(WIRE[:-1] + bytes((WIRE[-1] ^ 1,)))
    assert other.id == parse(WIRE).id
    assert other != parse(WIRE)


@pytest.mark.parametrize("size", [0, 1, 2047, 2049, 8191, 66559, 66561, 200_000])
def test_another_size_is_refused(size: int) -> None:
    with pytest.raises(Malformed):
        parse(bytes(size))


@pytest.mark.parametrize("narrow", [b"\xcc\x64", b"\xcd\x00\x64", b"\xcd\x00\xc8"])
def test_a_day_written_wider_than_it_need_be_is_refused(narrow: bytes) -> None:
    wide = sealed(day=2600).bundle.wire
    assert wide[9:12] == b"\xcd\x0a\x28"
    with pytest.raises(Malformed):
        parse(wide[:9] + narrow + wide[9 + len(narrow) :])


@given(st.sampled_from(WIRE_BYTES), st.binary(max_size=64), st.binary(min_size=16, max_size=16))
def test_garbage_of_the_right_size_is_refused(size: int, start: bytes, filling: bytes) -> None:
    with pytest.raises(Malformed):
        parse((start + filling * (size // 16 + 1))[:size])


@given(st.data())
def test_garbage_behind_a_good_head_is_a_bundle_or_malformed(data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, 400))
    noise = data.draw(st.binary(min_size=32, max_size=64))
    wire = (WIRE[:cut] + noise * 64)[: 2048 - 181] + WIRE[-181:]
    with contextlib.suppress(Malformed):
        assert parse(wire).id != parse(WIRE).id or wire == WIRE


@given(st.binary(max_size=300))
def test_a_garbage_offer_is_refused(garbage: bytes) -> None:
    with pytest.raises(Malformed):
        decode_offer(garbage)


@given(st.data())
def test_a_bent_offer_is_refused_or_names_another_bundle(data: st.DataObject) -> None:
    encoded = bytearray(sealed().bundle.offer.encode())
    at = data.draw(st.integers(0, len(encoded) - AUTH_BYTES - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        offer = decode_offer(bytes(encoded))
    except Malformed:
        return
    assert offer.id != parse(WIRE).id


@pytest.mark.parametrize("lengths", [(31, 32, 13, 179), (32, 33, 13, 179), (32, 32, 13, 178)])
def test_an_offer_with_a_field_of_another_length_is_refused(lengths: tuple[int, ...]) -> None:
    with pytest.raises(Malformed):
        decode_offer(encode([bytes(length) for length in lengths]))


def test_the_smallest_shape_that_holds_a_payload_is_chosen() -> None:
    terms = Terms(TrafficClass.ROUTINE, Day(2600))
    for smaller, larger in itertools.pairwise(WIRE_BYTES):
        room = capacity(smaller, day=Day(2600))
        assert shape_for(terms, room).size == smaller
        assert shape_for(terms, room + 1).size == larger
    assert capacity(2048, day=Day(2600)) == 1476
    assert capacity(66560, day=Day(2600)) == 65696
    with pytest.raises(LocalMisuse):
        shape_for(terms, capacity(66560, day=Day(2600)) + 1)


def test_a_flash_is_never_larger_than_its_class_allows() -> None:
    terms = Terms(TrafficClass.FLASH, Day(2600))
    room = capacity(8192, day=Day(2600))
    assert shape_for(terms, room).size == 8192
    with pytest.raises(LocalMisuse):
        shape_for(terms, room + 1)


@pytest.mark.parametrize(
    "terms",
    [
        Terms(TrafficClass.ROUTINE, Day(2601)),
        Terms(TrafficClass.ROUTINE, Day(DAY_MAX + 2)),
        Terms(TrafficClass.ROUTINE, Day(2600), life=2),
        Terms(TrafficClass.NOTICE, Day(2600), kind=AuthKind.STAMP),
    ],
    ids=str,
)
def test_terms_that_no_bundle_may_have_are_our_own_fault(terms: Terms) -> None:
    with pytest.raises(LocalMisuse):
        shape_for(terms, 10)


def test_the_day_of_a_bundle_is_rounded_down_to_an_even_number() -> None:
    assert [even_day(day) for day in (0, 1, 2, 2601)] == [0, 0, 2, 2600]


def test_fields_of_the_wrong_length_are_not_assembled() -> None:
    shape = parse(WIRE).shape
    good = Head(shape, b"p" * 32, b"e" * 32, b"s" * 288)
    body = b"c" * (shape.padded_bytes + 16)
    for head, ciphertext, auth in [
        (Head(shape, b"p" * 31, b"e" * 32, b"s" * 288), body, bytes(179)),
        (Head(shape, b"p" * 32, b"e" * 33, b"s" * 288), body, bytes(179)),
        (Head(shape, b"p" * 32, b"e" * 32, b"s" * 287), body, bytes(179)),
        (good, body + b"c", bytes(179)),
        (good, body, bytes(178)),
    ]:
        with pytest.raises(LocalMisuse):
            assemble(head, ciphertext, Given(auth))
