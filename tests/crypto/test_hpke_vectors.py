"""HPKE comes out as in RFC 9180, appendix A.2."""

from typing import Any

import pytest

from meshnews.crypto import aead, hpke
from meshnews.crypto.keys import X25519Public, X25519Secret
from meshnews.errors import Forged, LocalMisuse
from tests.crypto.vectors import fields, load

# Modes 2 and 3 authenticate the sender by a lasting key, which bundles must not have.
OURS = [
    v for v in load("hpke/rfc9180-A2-x25519-sha256-chachapoly.json")["vectors"] if v["mode"] < 2
]
MODES = pytest.mark.parametrize("vector", OURS, ids=["base", "psk"])


def psk_of(vector: dict[str, Any]) -> dict[str, bytes]:
    return {name: bytes.fromhex(vector.get(name, "")) for name in ("psk", "psk_id")}


@MODES
def test_the_shared_secret_agrees(vector: dict[str, Any]) -> None:
    ephemeral, recipient, enc, secret = fields(vector, "skEm", "pkRm", "enc", "shared_secret")
    key = X25519Secret(ephemeral)
    assert key.public == enc
    assert hpke.shared_secret(key.exchange(recipient), enc, recipient) == secret


@MODES
def test_the_key_schedule_agrees_on_both_sides(vector: dict[str, Any]) -> None:
    ephemeral, own, public, enc, info = fields(vector, "skEm", "skRm", "pkRm", "enc", "info")
    psk = psk_of(vector)
    for context in (
        hpke.sender(X25519Secret(ephemeral), X25519Public(public), info=info, **psk),
        hpke.receiver(X25519Secret(own), enc, info=info, **psk),
    ):
        assert [context.key, context.nonce] == fields(vector, "key", "base_nonce")


@MODES
def test_every_ciphertext_agrees(vector: dict[str, Any]) -> None:
    key, base_nonce = fields(vector, "key", "base_nonce")
    for entry in vector["encryptions"]:
        number = int(entry["sequence number"])
        nonce = (int.from_bytes(base_nonce, "big") ^ number).to_bytes(12, "big")
        plaintext, aad, ciphertext = fields(entry, "pt", "aad", "ct")
        assert aead.seal(key, plaintext, nonce12=nonce, ad=aad) == ciphertext
        assert aead.unseal(key, ciphertext, nonce12=nonce, ad=aad) == plaintext


@MODES
def test_single_shot_seals_and_opens_the_first_ciphertext(vector: dict[str, Any]) -> None:
    ephemeral, own, public, enc, info = fields(vector, "skEm", "skRm", "pkRm", "enc", "info")
    plaintext, aad, ciphertext = fields(vector["encryptions"][0], "pt", "aad", "ct")
    sender, recipient, reader = X25519Secret(ephemeral), X25519Public(public), X25519Secret(own)
    if vector["mode"] == 0:
        sealed = hpke.seal_base(sender, recipient, info=info, aad=aad, plaintext=plaintext)
        opened = hpke.open_base(reader, enc, info=info, aad=aad, ciphertext=ciphertext)
    else:
        psk = psk_of(vector)
        sealed = hpke.seal_psk(sender, recipient, info=info, aad=aad, plaintext=plaintext, **psk)
        opened = hpke.open_psk(reader, enc, info=info, aad=aad, ciphertext=ciphertext, **psk)
    assert sealed == ciphertext
    assert opened == plaintext


def test_one_context_is_tried_on_many_ciphertexts() -> None:
    ephemeral, reader = X25519Secret(bytes(31) + b"1"), X25519Secret(bytes(31) + b"2")
    good = hpke.seal_base(ephemeral, reader.public, info=b"i", plaintext=b"reference")
    context = hpke.receiver(reader, ephemeral.public, info=b"i")
    for bad in (b"", bytes(15), bytes(16), bytes(25)):
        with pytest.raises(Forged):
            context.open(bad)
    assert context.open(good) == b"reference"


def test_a_sealed_thing_opens_only_as_it_was_sealed() -> None:
    ephemeral, reader = X25519Secret(bytes(31) + b"1"), X25519Secret(bytes(31) + b"2")
    psk = {"psk": bytes(32), "psk_id": b"name"}
    sealed = hpke.seal_psk(ephemeral, reader.public, info=b"i", aad=b"a", plaintext=b"key", **psk)
    enc = ephemeral.public
    with pytest.raises(Forged):
        hpke.open_base(reader, enc, info=b"i", aad=b"a", ciphertext=sealed)
    with pytest.raises(Forged):
        hpke.open_psk(reader, enc, info=b"j", aad=b"a", ciphertext=sealed, **psk)
    with pytest.raises(Forged):
        hpke.open_psk(reader, enc, info=b"i", aad=b"b", ciphertext=sealed, **psk)
    with pytest.raises(Forged):
        hpke.open_psk(
            reader, enc, info=b"i", aad=b"a", ciphertext=sealed, psk=bytes(32), psk_id=b"other"
        )
    with pytest.raises(Forged):
        hpke.open_psk(ephemeral, enc, info=b"i", aad=b"a", ciphertext=sealed, **psk)


@pytest.mark.parametrize("enc", [b"", bytes(31), bytes(32), b"\x01" + bytes(31), bytes(33)])
def test_a_bad_ephemeral_key_is_forged(enc: bytes) -> None:
    with pytest.raises(Forged):
        hpke.open_base(X25519Secret(bytes(32)), enc, info=b"", ciphertext=bytes(24))


@pytest.mark.parametrize(
    ("psk", "psk_id"), [(b"", b""), (bytes(32), b""), (b"", b"name"), (bytes(31), b"name")]
)
def test_psk_mode_wants_a_whole_psk_and_its_name(psk: bytes, psk_id: bytes) -> None:
    key = X25519Secret(bytes(32))
    with pytest.raises(LocalMisuse):
        hpke.seal_psk(key, key.public, info=b"", plaintext=b"", psk=psk, psk_id=psk_id)
    with pytest.raises(LocalMisuse):
        hpke.open_psk(key, key.public, info=b"", ciphertext=bytes(16), psk=psk, psk_id=psk_id)
