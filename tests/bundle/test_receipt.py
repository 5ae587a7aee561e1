"""Proofs of arrival: who can make one, and what it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.bundle.open import find, open_found
from meshnews.bundle.postage import CertificateMemo, check_bundle
from meshnews.bundle.receipt import (
    Receipt,
    decode_receipt,
    decode_short_receipt,
    receipt_of,
)
from meshnews.errors import Exceeded, Forged, LocalMisuse, Malformed
from meshnews.ids import TrafficClass
from meshnews.wire.codec import encode
from tests.bundle.kit import Member, issuers, sealed


def receipt() -> Receipt:
    made = sealed()
    return receipt_of(made.bundle, made.purge)


def test_who_sealed_and_who_opened_make_the_same_receipt() -> None:
    made, editor = sealed(), Member(b"editor")
    found = find(made.bundle, editor.scan)
    assert found is not None
    opened = open_found(made.bundle, found, editor.prekey)
    assert receipt_of(made.bundle, opened.purge) == receipt_of(made.bundle, made.purge)
    assert receipt_of(made.bundle.offer, made.purge) == receipt()


def test_a_receipt_names_its_bundle_and_carries_its_postage() -> None:
    bundle = sealed().bundle
    read = decode_receipt(receipt().encode())
    assert read == receipt()
    assert read.ref == bundle.ref
    assert read.offer == bundle.offer
    assert check_bundle(read.offer, issuers=issuers, memo=CertificateMemo()).n == 1


def test_a_short_receipt_is_enough_where_the_identifier_is_known() -> None:
    short = receipt().short
    assert len(short.encode()) == 64
    assert decode_short_receipt(short.encode()) == short
    assert short.id == sealed().bundle.id


def test_the_preimage_of_another_bundle_makes_no_receipt() -> None:
    with pytest.raises(LocalMisuse):
        receipt_of(sealed().bundle, sealed(seed=b"other").purge)


def test_there_is_no_receipt_for_a_notice() -> None:
    made = sealed(traffic=TrafficClass.NOTICE)
    with pytest.raises(LocalMisuse):
        receipt_of(made.bundle, made.purge)
    bundle = made.bundle
    with pytest.raises(Malformed):
        decode_receipt(encode([made.purge, bundle.h_ct, bundle.meta, bundle.auth]))


@given(st.data())
def test_a_bent_receipt_is_refused_or_names_a_bundle_that_its_postage_does_not(
    data: st.DataObject,
) -> None:
    encoded = bytearray(receipt().encode())
    at = data.draw(st.integers(0, len(encoded) - 180))
    encoded[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises((Malformed, Forged, Exceeded)):
        check_bundle(decode_receipt(bytes(encoded)).offer, issuers=issuers, memo=CertificateMemo())


@given(st.binary(max_size=300))
def test_a_garbage_receipt_is_malformed(garbage: bytes) -> None:
    with pytest.raises(Malformed):
        decode_receipt(garbage)


@given(st.binary(max_size=100).filter(lambda garbage: len(garbage) != 64))
def test_a_short_receipt_of_another_length_is_malformed(garbage: bytes) -> None:
    with pytest.raises(Malformed):
        decode_short_receipt(garbage)


def test_the_preimage_does_not_show_itself() -> None:
    shown = repr(receipt()) + repr(receipt().short)
    assert repr(sealed().purge)[2:-1] not in shown
