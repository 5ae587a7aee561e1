"""Authenticated encryption: ChaCha20-Poly1305-IETF, and its form with a long nonce.

    ciphertext = encrypted plaintext ‖ tag (16 bytes)

The nonce is always an argument.  A key used with nonce 0 is used once.
Sources: RFC 8439; draft-irtf-cfrg-xchacha-03.
"""

from collections.abc import Callable
from typing import Final

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from meshnews.errors import Forged, LocalMisuse

TAG_BYTES: Final = 16
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
LONG_NONCE_BYTES: Final = 24
NONCE_ZERO: Final = bytes(NONCE_BYTES)


def seal(key: bytes, plaintext: bytes, *, nonce12: bytes, ad: bytes = b"") -> bytes:
    """Return `plaintext` encrypted under a 32-byte key and a 12-byte nonce, with its tag.

    Source: RFC 8439, section 2.8.

    Raises:
        LocalMisuse: the key or the nonce has another size.
    """
    _check_sizes(key, nonce12, NONCE_BYTES)
    return crypto_aead_chacha20poly1305_ietf_encrypt(plaintext, ad, nonce12, key)


def unseal(key: bytes, ciphertext: bytes, *, nonce12: bytes, ad: bytes = b"") -> bytes:
    """Return the plaintext of what `seal` made.

    Source: RFC 8439, section 2.8.

    Raises:
        Forged: the tag does not hold, or there is none.
        LocalMisuse: the key or the nonce has another size.
    """
    _check_sizes(key, nonce12, NONCE_BYTES)
    return _opened(crypto_aead_chacha20poly1305_ietf_decrypt, key, ciphertext, nonce=nonce12, ad=ad)


def xseal(key: bytes, plaintext: bytes, *, nonce24: bytes, ad: bytes = b"") -> bytes:
    """Return `plaintext` encrypted under a 32-byte key and a 24-byte nonce, with its tag.

    A nonce drawn at random is safe for any number of messages.
    Source: draft-irtf-cfrg-xchacha-03, section 2.

    Raises:
        LocalMisuse: the key or the nonce has another size.
    """
    _check_sizes(key, nonce24, LONG_NONCE_BYTES)
    return crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, ad, nonce24, key)


def xunseal(key: bytes, ciphertext: bytes, *, nonce24: bytes, ad: bytes = b"") -> bytes:
    """Return the plaintext of what `xseal` made.

    Source: draft-irtf-cfrg-xchacha-03, section 2.

    Raises:
        Forged: the tag does not hold, or there is none.
        LocalMisuse: the key or the nonce has another size.
    """
    _check_sizes(key, nonce24, LONG_NONCE_BYTES)
    return _opened(
        crypto_aead_xchacha20poly1305_ietf_decrypt, key, ciphertext, nonce=nonce24, ad=ad
    )


def _check_sizes(key: bytes, nonce: bytes, nonce_bytes: int) -> None:
    if len(key) != KEY_BYTES or len(nonce) != nonce_bytes:
        raise LocalMisuse("a key or nonce of the wrong size")


def _opened(
    decrypt: Callable[[bytes, bytes, bytes, bytes], bytes],
    key: bytes,
    ciphertext: bytes,
    *,
    nonce: bytes,
    ad: bytes,
) -> bytes:
    if len(ciphertext) < TAG_BYTES:
        raise Forged("a ciphertext without a tag")
    try:
        return decrypt(ciphertext, ad, nonce, key)
    except CryptoError as exc:
        raise Forged("a tag that does not hold") from exc
