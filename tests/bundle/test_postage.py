"""Who may put what on the mesh, and what a stranger can do about it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.bundle import postage as subject
from meshnews.bundle.auth_field import Postage, Stamp, decode_auth, encode_auth
from meshnews.bundle.format import parse, payer_of
from meshnews.bundle.postage import (
    ByPostage,
    CertificateMemo,
    check,
    check_bundle,
    frank,
    issue,
    issuer_id,
)
from meshnews.bundle.shape import AUTH_BYTES
from meshnews.bundle.stamp import ByStamp, find_stamp, make_stamp
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, PostageKey
from meshnews.errors import Exceeded, Forged, LocalMisuse, Malformed, PeerError
from meshnews.ids import AuthKind, BundleId, BundleRef, Day, IssuerId, TrafficClass
from meshnews.wire.codec import encode
from tests.bundle.kit import ISSUER, ISSUER_EXPIRY, issuers, postage, sealed

ID = BundleId(b"\x07" * 32)
STAMP_20_NONCE = 0x17A7D4
"""The first nonce that stamps ID with 20 bits."""


def judged(
    auth: bytes,
    *,
    traffic: TrafficClass = TrafficClass.ROUTINE,
    kind: AuthKind = AuthKind.POSTAGE,
    expiry_day: int = 2616,
    memo: CertificateMemo | None = None,
) -> subject.Franked:
    return check(
        auth,
        ref=BundleRef(traffic, Day(2600), ID),
        kind=kind,
        expiry_day=Day(expiry_day),
        issuers=issuers,
        memo=memo or CertificateMemo(),
    )


def read(key: PostageKey) -> Postage:
    auth = decode_auth(frank(key, ID))
    assert isinstance(auth, Postage)
    return auth


def test_a_franked_bundle_is_admitted_by_its_postage_key() -> None:
    key = postage(TrafficClass.ROUTINE, n=16)
    franked = judged(frank(key, ID))
    assert franked == subject.Franked(AuthKind.POSTAGE, Ed25519Secret(key.seed).public, 16)


def test_a_sealed_bundle_and_its_offer_are_admitted_alike() -> None:
    bundle = sealed().bundle
    memo = CertificateMemo()
    assert check_bundle(bundle, issuers=issuers, memo=memo) == check_bundle(
        bundle.offer, issuers=issuers, memo=memo
    )


@pytest.mark.parametrize("bundle_class", TrafficClass)
@pytest.mark.parametrize("postage_class", TrafficClass)
def test_postage_is_good_for_its_class_or_a_less_urgent_one(
    postage_class: TrafficClass, bundle_class: TrafficClass
) -> None:
    auth = frank(postage(postage_class), ID)
    if bundle_class >= postage_class:
        judged(auth, traffic=bundle_class)
    else:
        with pytest.raises(Exceeded):
            judged(auth, traffic=bundle_class)


def test_a_bundle_may_live_to_the_last_day_of_its_postage_and_no_longer() -> None:
    auth = frank(postage(TrafficClass.ROUTINE, expiry_day=2616), ID)
    judged(auth, expiry_day=2616)
    with pytest.raises(Exceeded):
        judged(auth, expiry_day=2617)


def test_postage_may_last_to_the_last_day_of_its_issuer_and_no_longer() -> None:
    judged(frank(postage(TrafficClass.ROUTINE, expiry_day=ISSUER_EXPIRY), ID))
    with pytest.raises(Exceeded):
        judged(frank(postage(TrafficClass.ROUTINE, expiry_day=ISSUER_EXPIRY + 1), ID))


def test_postage_of_an_unknown_issuer_is_refused() -> None:
    stranger = Ed25519Secret(b"s" * 32)
    (key,) = issue(
        stranger,
        SeededEntropy(b"x"),
        expiry_day=Day(2900),
        traffic=TrafficClass.ROUTINE,
        n=1,
        count=1,
    )
    assert key.issuer == issuer_id(stranger.public) == b2(Label.ISSUER, stranger.public)[:4]
    with pytest.raises(Forged):
        judged(frank(key, ID))


def test_all_issuers_of_one_name_are_tried() -> None:
    asked: list[IssuerId] = []

    def namesakes(kid: IssuerId) -> Sequence[tuple[Ed25519Public, Day]]:
        asked.append(kid)
        return [(Ed25519Secret(b"s" * 32).public, Day(9000)), (ISSUER.public, Day(2900))]

    key = postage(TrafficClass.ROUTINE)
    ref = BundleRef(TrafficClass.ROUTINE, Day(2600), ID)
    check(
        frank(key, ID),
        ref=ref,
        kind=AuthKind.POSTAGE,
        expiry_day=Day(2616),
        issuers=namesakes,
        memo=CertificateMemo(),
    )
    assert asked == [issuer_id(ISSUER.public)]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"key": Ed25519Secret(b"o" * 32).public}, Forged),
        ({"expiry_day": Day(2901)}, Forged),
        ({"expiry_day": Day(2615)}, Exceeded),
        ({"traffic": TrafficClass.FLASH}, Forged),
        ({"traffic": TrafficClass.BULK}, Exceeded),
        ({"n": 2}, Forged),
        ({"certificate": bytes(64)}, Forged),
        ({"signature": bytes(64)}, Forged),
    ],
    ids=str,
)
def test_a_changed_field_of_postage_is_refused(
    change: dict[str, object], refusal: type[PeerError]
) -> None:
    genuine = read(postage(TrafficClass.ROUTINE))
    judged(encode_auth(genuine))
    with pytest.raises(refusal):
        judged(encode_auth(replace(genuine, **change)))  # type: ignore[arg-type]  # by the table


def test_postage_for_another_bundle_is_refused() -> None:
    with pytest.raises(Forged):
        judged(frank(postage(TrafficClass.ROUTINE), BundleId(b"\x08" * 32)))


def test_a_kind_other_than_the_bundle_says_is_refused() -> None:
    with pytest.raises(Malformed):
        judged(frank(postage(), ID), kind=AuthKind.STAMP)
    with pytest.raises(Malformed):
        judged(make_stamp(ID, first=STAMP_20_NONCE), kind=AuthKind.POSTAGE)


@pytest.mark.parametrize("bit", range(8))
def test_any_flipped_bit_of_postage_is_refused(bit: int) -> None:
    auth = frank(postage(TrafficClass.ROUTINE), ID)
    memo = CertificateMemo()
    for at in range(bit % 4, AUTH_BYTES, 4):
        changed = bytearray(auth)
        changed[at] ^= 1 << bit
        with pytest.raises(PeerError):
            judged(bytes(changed), memo=memo)


@given(st.integers(0, 8 * 2048 - 1))
def test_any_flipped_bit_of_a_bundle_is_refused_before_it_is_taken(bit: int) -> None:
    wire = bytearray(sealed().bundle.wire)
    wire[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PeerError):
        check_bundle(parse(bytes(wire)), issuers=issuers, memo=CertificateMemo())


def test_a_certificate_for_many_is_verified_once() -> None:
    memo = CertificateMemo()
    key = postage(TrafficClass.BULK, n=16)
    auth = read(key)
    assert memo.verify(ISSUER.public, auth.certificate, auth.certified)
    assert memo.verify(ISSUER.public, auth.certificate, auth.certified)
    assert not memo.verify(Ed25519Secret(b"s" * 32).public, auth.certificate, auth.certified)
    assert not memo.verify(ISSUER.public, auth.certificate, auth.certified[:-1] + b"\x0f")
    assert not memo.verify(ISSUER.public, bytes(64), auth.certified)


def test_a_memo_is_bounded_and_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "CERTIFICATES_REMEMBERED_MAX", 2)
    memo = CertificateMemo()
    keys = issue(
        ISSUER,
        SeededEntropy(b"m"),
        expiry_day=Day(2900),
        traffic=TrafficClass.BULK,
        n=16,
        count=3,
    )
    for key in keys:
        judged(frank(key, ID), traffic=TrafficClass.BULK, memo=memo)
    assert len(memo._verified) == 2
    assert all(entry[1] in {key.certificate for key in keys[1:]} for entry in memo._verified)


def test_an_expiry_day_of_any_width_fits_the_auth_field() -> None:
    for day in (100, 200, 2900):
        key = postage(TrafficClass.ROUTINE, expiry_day=day)
        auth = frank(key, ID)
        assert len(auth) == AUTH_BYTES
        assert read(key).expiry_day == day


@pytest.mark.parametrize(("n", "day"), [(0, 2900), (17, 2900), (1, -1), (1, 65536)])
def test_postage_that_none_may_have_is_not_issued(n: int, day: int) -> None:
    with pytest.raises(LocalMisuse):
        issue(
            ISSUER,
            SeededEntropy(b"x"),
            expiry_day=Day(day),
            traffic=TrafficClass.BULK,
            n=n,
            count=1,
        )


def test_a_stamp_admits_what_its_work_was_done_for() -> None:
    auth = find_stamp(ID, bits=20, first=STAMP_20_NONCE, tries=1)
    assert auth is not None
    franked = judged(auth, kind=AuthKind.STAMP)
    assert franked == subject.Franked(AuthKind.STAMP, b"", 0)
    work = b2(Label.STAMP, ID + STAMP_20_NONCE.to_bytes(8, "big"))
    assert work[:2] == b"\0\0"
    assert work[2] < 16


def test_a_stamp_that_claims_more_work_than_was_done_is_refused() -> None:
    nonce = STAMP_20_NONCE.to_bytes(8, "big")
    done = 64 - int.from_bytes(b2(Label.STAMP, ID + nonce)[:8], "big").bit_length()
    judged(encode_auth(Stamp(nonce, done)), kind=AuthKind.STAMP)
    for bits in (done + 1, 40, 64):
        with pytest.raises(Forged):
            judged(encode_auth(Stamp(nonce, bits)), kind=AuthKind.STAMP)
    with pytest.raises(Forged):
        judged(encode_auth(Stamp(bytes(8), 20)), kind=AuthKind.STAMP)


def test_a_stamp_with_too_little_work_is_malformed() -> None:
    with pytest.raises(Malformed):
        judged(encode_auth(Stamp(bytes(8), 19)), kind=AuthKind.STAMP)
    with pytest.raises(Malformed):
        judged(encode_auth(Stamp(bytes(8), 65)), kind=AuthKind.STAMP)


def test_a_stamp_never_admits_a_notice() -> None:
    auth = make_stamp(ID, first=STAMP_20_NONCE)
    with pytest.raises(Exceeded):
        judged(auth, kind=AuthKind.STAMP, traffic=TrafficClass.NOTICE)


def test_a_search_for_a_stamp_can_be_cut_into_pieces() -> None:
    assert find_stamp(ID, bits=20, first=STAMP_20_NONCE - 50, tries=50) is None
    assert find_stamp(ID, bits=20, first=STAMP_20_NONCE - 50, tries=51) == make_stamp(
        ID, first=STAMP_20_NONCE - 9
    )
    with pytest.raises(LocalMisuse):
        find_stamp(ID, bits=19, first=0, tries=1)


@pytest.mark.parametrize(
    "fields",
    [
        [3, bytes(8), 20],
        [2, bytes(7), 20],
        [2, bytes(8), 20, 0],
        [2, bytes(8), b"\x14"],
        [1, bytes(32), 2900, 2, 0, bytes(4), bytes(64), bytes(64)],
        [1, bytes(32), 2900, 2, 17, bytes(4), bytes(64), bytes(64)],
        [1, bytes(32), 2900, 4, 1, bytes(4), bytes(64), bytes(64)],
        [1, bytes(32), 2900, 2, 1, bytes(5), bytes(64), bytes(63)],
        [],
    ],
    ids=str,
)
def test_an_auth_field_of_another_form_is_malformed(fields: list[int | bytes]) -> None:
    with pytest.raises(Malformed):
        decode_auth(encode(fields).ljust(AUTH_BYTES, b"\0")[:AUTH_BYTES])


def test_what_stands_behind_an_auth_field_must_be_zeros() -> None:
    stamp = make_stamp(ID, first=STAMP_20_NONCE)
    for at in (13, 100, 178):
        changed = bytearray(stamp)
        changed[at] = 1
        with pytest.raises(Malformed):
            decode_auth(bytes(changed))
    with pytest.raises(Malformed):
        decode_auth(stamp[:-1])


@given(st.binary(max_size=200), st.booleans(), st.sampled_from([b"", b"\x98\x01\xc4\x20", b"\x93"]))
def test_a_garbage_auth_field_is_malformed(garbage: bytes, fit: bool, lead: bytes) -> None:
    auth = lead + garbage
    if fit:
        auth = auth[:AUTH_BYTES].ljust(AUTH_BYTES, b"\x01")
    with pytest.raises(Malformed):
        decode_auth(auth)


@given(st.integers(0, 65535), st.sampled_from(TrafficClass), st.integers(1, 16), st.binary())
def test_postage_round_trips(day: int, traffic: TrafficClass, n: int, seed: bytes) -> None:
    draw = SeededEntropy(b"\0" + seed[:32]).draw
    wrote = Postage(
        Ed25519Public(draw(32)), Day(day), traffic, n, IssuerId(draw(4)), draw(64), draw(64)
    )
    assert decode_auth(encode_auth(wrote)) == wrote


def test_a_bundle_under_the_postage_of_another_is_another_bundle() -> None:
    bundle = sealed().bundle
    other = issue(
        ISSUER,
        SeededEntropy(b"else"),
        expiry_day=Day(2900),
        traffic=TrafficClass.NOTICE,
        n=1,
        count=1,
    )
    auth = frank(other[0], bundle.id)
    moved = parse(bundle.wire[: -len(auth)] + auth)
    assert moved.id != bundle.id
    assert replace(bundle.offer, auth=auth).id == moved.id
    with pytest.raises(Forged):
        check_bundle(moved, issuers=issuers, memo=CertificateMemo())


def test_whoever_franks_says_beforehand_who_pays() -> None:
    key = postage(n=2)
    auth = ByPostage(key).auth(ID)
    assert auth == frank(key, ID)
    assert payer_of(auth, AuthKind.POSTAGE) == ByPostage(key).payer
    assert ByStamp().payer == b""
