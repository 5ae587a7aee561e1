"""HPKE, single shot, modes base and psk, in one suite.

    DHKEM(X25519, HKDF-SHA256) = 0x0020, HKDF-SHA256 = 0x0001, ChaCha20-Poly1305 = 0x0003

Two departures in use, none in the arithmetic: the ephemeral key is passed in,
since one serves all stanzas of a bundle; and a recipient may do the costly half
once and try it on several ciphertexts.  Source: RFC 9180.
"""

import hmac
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.aead import seal, unseal
from meshnews.crypto.keys import X25519Public, X25519Secret
from meshnews.errors import LocalMisuse

_VERSION: Final = b"HPKE-v1"
_KEM_SUITE: Final = b"KEM\x00\x20"
_SUITE: Final = b"HPKE\x00\x20\x00\x01\x00\x03"
_HASH: Final = "sha256"
_HASH_BYTES: Final = 32
_NO_SALT: Final = bytes(_HASH_BYTES)
_MODE_BASE: Final = b"\x00"
_MODE_PSK: Final = b"\x01"


def hkdf_extract(salt: bytes, ikm: bytes) -> bytes:
    """Return 32 bytes of pseudorandom key.

    Source: RFC 5869, section 2.2, with SHA-256.

    Raises:
        Nothing.
    """
    return hmac.digest(salt or _NO_SALT, ikm, _HASH)


def hkdf_expand(prk: bytes, info: bytes, size: int) -> bytes:
    """Return `size` bytes of key material.

    Source: RFC 5869, section 2.3, with SHA-256.

    Raises:
        LocalMisuse: `size` is above 255 times 32.
    """
    if size > 255 * _HASH_BYTES:
        raise LocalMisuse("more key material than the function gives")
    block = material = b""
    index = 1
    while len(material) < size:
        block = hmac.digest(prk, block + info + bytes((index,)), _HASH)
        material += block
        index += 1
    return material[:size]


def _labelled_extract(salt: bytes, suite: bytes, label: bytes, ikm: bytes) -> bytes:
    return hkdf_extract(salt, _VERSION + suite + label + ikm)


def _labelled_expand(prk: bytes, suite: bytes, label: bytes, info: bytes, size: int) -> bytes:
    return hkdf_expand(prk, size.to_bytes(2, "big") + _VERSION + suite + label + info, size)


_NO_PSK_ID_HASH: Final = _labelled_extract(b"", _SUITE, b"psk_id_hash", b"")


def shared_secret(exchanged: bytes, enc: bytes, recipient: bytes) -> bytes:
    """Return the KEM's 32 bytes from the Diffie-Hellman output.

    Source: RFC 9180, section 4.1.

    Raises:
        Nothing.
    """
    prk = _labelled_extract(b"", _KEM_SUITE, b"eae_prk", exchanged)
    return _labelled_expand(prk, _KEM_SUITE, b"shared_secret", enc + recipient, 32)


@dataclass(frozen=True, slots=True)
class Context:
    """One key schedule's worth: a key and the nonce of its first message.

    `seal` uses it once; `open` may be tried on any number of ciphertexts.
    """

    key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)

    def seal(self, plaintext: bytes, *, aad: bytes = b"") -> bytes:
        """Return the first and only ciphertext of this context.

        Source: RFC 9180, section 5.2, sequence number 0.

        Raises:
            Nothing.
        """
        return seal(self.key, plaintext, nonce12=self.nonce, ad=aad)

    def open(self, ciphertext: bytes, *, aad: bytes = b"") -> bytes:
        """Return the plaintext of `ciphertext`.

        Source: RFC 9180, section 5.2, sequence number 0.

        Raises:
            Forged: it was not sealed in this context.
        """
        return unseal(self.key, ciphertext, nonce12=self.nonce, ad=aad)


def schedule(secret: bytes, *, info: bytes, psk: bytes = b"", psk_id: bytes = b"") -> Context:
    """Return the context that follows from a KEM secret; psk mode when `psk` is given.

    Source: RFC 9180, section 5.1.

    Raises:
        LocalMisuse: only one of `psk` and `psk_id` is given, or `psk` is
            shorter than 32 bytes.
    """
    if bool(psk) != bool(psk_id):
        raise LocalMisuse("a psk without its name, or a name without its psk")
    if psk:
        if len(psk) < 32:
            raise LocalMisuse("a psk shorter than 32 bytes")
        mode = _MODE_PSK
        psk_id_hash = _labelled_extract(b"", _SUITE, b"psk_id_hash", psk_id)
    else:
        mode, psk_id_hash = _MODE_BASE, _NO_PSK_ID_HASH
    context = mode + psk_id_hash + _labelled_extract(b"", _SUITE, b"info_hash", info)
    prk = _labelled_extract(secret, _SUITE, b"secret", psk)
    return Context(
        _labelled_expand(prk, _SUITE, b"key", context, 32),
        _labelled_expand(prk, _SUITE, b"base_nonce", context, 12),
    )


def sender(
    ephemeral: X25519Secret,
    recipient: X25519Public,
    *,
    info: bytes,
    psk: bytes = b"",
    psk_id: bytes = b"",
) -> Context:
    """Return the context of who seals; `enc` is `ephemeral.public`.

    Source: RFC 9180, sections 5.1.1 and 5.1.2.

    Raises:
        Forged: `recipient` is of low order or of the wrong length.
        LocalMisuse: only one of `psk` and `psk_id` is given.
    """
    secret = shared_secret(ephemeral.exchange(recipient), ephemeral.public, recipient)
    return schedule(secret, info=info, psk=psk, psk_id=psk_id)


def receiver(
    recipient: X25519Secret, enc: bytes, *, info: bytes, psk: bytes = b"", psk_id: bytes = b""
) -> Context:
    """Return the context of who opens: one exchange, for any number of tries.

    Source: RFC 9180, sections 5.1.1 and 5.1.2.

    Raises:
        Forged: `enc` is of low order or of the wrong length.
        LocalMisuse: only one of `psk` and `psk_id` is given.
    """
    secret = shared_secret(recipient.exchange(enc), enc, recipient.public)
    return schedule(secret, info=info, psk=psk, psk_id=psk_id)


def seal_base(
    ephemeral: X25519Secret,
    recipient: X25519Public,
    *,
    info: bytes,
    plaintext: bytes,
    aad: bytes = b"",
) -> bytes:
    """Return `plaintext` sealed to `recipient`, 16 bytes longer.

    Source: RFC 9180, section 6.1, mode base.

    Raises:
        Forged: `recipient` is of low order or of the wrong length.
    """
    return sender(ephemeral, recipient, info=info).seal(plaintext, aad=aad)


def seal_psk(
    ephemeral: X25519Secret,
    recipient: X25519Public,
    *,
    info: bytes,
    plaintext: bytes,
    psk: bytes,
    psk_id: bytes,
    aad: bytes = b"",
) -> bytes:
    """Return `plaintext` sealed to who holds both `recipient`'s secret and `psk`.

    Source: RFC 9180, section 6.1, mode psk.

    Raises:
        Forged: `recipient` is of low order or of the wrong length.
        LocalMisuse: `psk` or `psk_id` is empty, or `psk` shorter than 32 bytes.
    """
    if not psk:
        raise LocalMisuse("psk mode without a psk")
    return sender(ephemeral, recipient, info=info, psk=psk, psk_id=psk_id).seal(plaintext, aad=aad)


def open_base(
    recipient: X25519Secret, enc: bytes, *, info: bytes, ciphertext: bytes, aad: bytes = b""
) -> bytes:
    """Return the plaintext that was sealed to `recipient` under the ephemeral `enc`.

    Source: RFC 9180, section 6.1, mode base.

    Raises:
        Forged: it was not, or `enc` is of low order or of the wrong length.
    """
    return receiver(recipient, enc, info=info).open(ciphertext, aad=aad)


def open_psk(
    recipient: X25519Secret,
    enc: bytes,
    *,
    info: bytes,
    ciphertext: bytes,
    psk: bytes,
    psk_id: bytes,
    aad: bytes = b"",
) -> bytes:
    """Return the plaintext that was sealed to `recipient` and `psk`.

    Source: RFC 9180, section 6.1, mode psk.

    Raises:
        Forged: it was not, or `enc` is of low order or of the wrong length.
        LocalMisuse: `psk` or `psk_id` is empty, or `psk` shorter than 32 bytes.
    """
    if not psk:
        raise LocalMisuse("psk mode without a psk")
    return receiver(recipient, enc, info=info, psk=psk, psk_id=psk_id).open(ciphertext, aad=aad)
