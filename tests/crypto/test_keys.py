"""Keys sign, agree, and show themselves to nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.crypto.digest import Label
from meshnews.crypto.keys import (
    Ed25519Secret,
    PostageKey,
    Prekey,
    PrekeySecret,
    SymmetricKey,
    X25519Secret,
    verify,
    verify_raw,
)
from meshnews.errors import Forged, LocalMisuse
from meshnews.ids import Day, IssuerId, KeyRef, TrafficClass

SEED = b"an unlikely seed, and 32 letters"
SIGNER = Ed25519Secret(SEED)


def test_a_signature_holds_for_its_domain_and_message() -> None:
    signature = SIGNER.sign(Label.FRANK_1, b"id")
    assert len(signature) == 64
    verify(SIGNER.public, signature, Label.FRANK_1, b"id")


def test_a_signature_is_plain_ed25519_over_label_and_message() -> None:
    verify_raw(SIGNER.public, SIGNER.sign(Label.FRANK_1, b"id"), b"frank1id")


def test_a_signature_holds_for_nothing_else() -> None:
    signature = SIGNER.sign(Label.FRANK_1, b"id")
    with pytest.raises(Forged):
        verify(SIGNER.public, signature, Label.POSTAGE_1, b"id")
    with pytest.raises(Forged):
        verify(SIGNER.public, signature, Label.FRANK_1, b"ie")
    with pytest.raises(Forged):
        verify(Ed25519Secret(bytes(32)).public, signature, Label.FRANK_1, b"id")


@given(st.binary(max_size=70), st.binary(max_size=140), st.binary(max_size=40))
def test_garbage_is_forged_and_nothing_else(
    public: bytes, signature: bytes, message: bytes
) -> None:
    with pytest.raises(Forged):
        verify(public, signature, Label.FRANK_1, message)


@given(st.integers(0, 511))
def test_a_signature_with_any_bit_turned_is_forged(bit: int) -> None:
    signature = int.from_bytes(SIGNER.sign(Label.FRANK_1, b"id"), "big") ^ (1 << bit)
    with pytest.raises(Forged):
        verify(SIGNER.public, signature.to_bytes(64, "big"), Label.FRANK_1, b"id")


def test_both_sides_of_an_exchange_agree() -> None:
    one, other = X25519Secret(SEED), X25519Secret(bytes(31) + b"1")
    assert one.exchange(other.public) == other.exchange(one.public)


@given(st.binary(max_size=70).filter(lambda public: len(public) != 32))
def test_an_exchange_with_a_key_of_another_length_is_forged(public: bytes) -> None:
    with pytest.raises(Forged):
        X25519Secret(SEED).exchange(public)


@pytest.mark.parametrize("kind", [SymmetricKey, X25519Secret, Ed25519Secret])
@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_secret_is_32_bytes(
    kind: type[SymmetricKey | X25519Secret | Ed25519Secret], size: int
) -> None:
    with pytest.raises(LocalMisuse):
        kind(bytes(size))


def test_secrets_are_equal_by_kind_and_content() -> None:
    assert X25519Secret(SEED) == X25519Secret(SEED)
    assert X25519Secret(SEED) != X25519Secret(bytes(32))
    assert X25519Secret(SEED) != SymmetricKey(SEED)


def test_no_secret_shows_in_a_repr() -> None:
    prekey = PrekeySecret(KeyRef(bytes(8)), X25519Secret(SEED), SEED)
    shown = (
        SymmetricKey(SEED),
        X25519Secret(SEED),
        SIGNER,
        prekey,
        prekey.prekey,
        PostageKey(SEED, Day(100), TrafficClass.FLASH, 1, IssuerId(bytes(4)), bytes(64)),
    )
    for value in shown:
        assert "unlikely" not in repr(value)
        assert SEED.hex() not in repr(value)
        assert "unlikely" not in str(value)


def test_a_prekey_is_the_half_that_may_be_given_out() -> None:
    secret = PrekeySecret(KeyRef(b"8 bytes!"), X25519Secret(SEED), b"psk")
    assert secret.prekey == Prekey(KeyRef(b"8 bytes!"), X25519Secret(SEED).public, b"psk")
