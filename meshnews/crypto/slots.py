"""Key slots: a random key, wrapped under a passphrase.

    slot = 1 ‖ passes u32 ‖ memory in KiB u32 ‖ salt 16 ‖ nonce 24 ‖ wrapped key 48      97 bytes
    wrapping key = Argon2id(passphrase, salt, passes, memory, p = 1)
    wrapped key  = XChaCha20-Poly1305(wrapping key, nonce, key, ad = 'slot1' ‖ the 25 bytes before)
    data key     = b2('vk', erase secret, key = key)

Integers are big endian.  A passphrase is read in normal form C with every
space made U+0020 (RFC 8265, OpaqueString).  What encrypts a database is the
data key: without the erase secret, which lies in a file of its own, passphrase
and slot are worth nothing.  Sources: RFC 9106; draft-irtf-cfrg-xchacha-03.
"""

import struct
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from nacl.bindings import (
    crypto_pwhash_alg,
    crypto_pwhash_ALG_ARGON2ID13,
    crypto_pwhash_argon2id_MEMLIMIT_MIN,
    crypto_pwhash_argon2id_OPSLIMIT_MIN,
)
from nacl.exceptions import CryptoError

from meshnews.crypto.aead import KEY_BYTES, LONG_NONCE_BYTES, TAG_BYTES, xseal, xunseal
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import Entropy
from meshnews.errors import LocalMisuse, Malformed, Refusal
from meshnews.limits import PASSPHRASE_BYTES_MAX, SLOT_MEMORY_BYTES_MAX, SLOT_PASSES_MAX

SALT_BYTES: Final = 16
ERASE_SECRET_BYTES: Final = 32
VERSION: Final = 1

PASSES: Final = 3
MEMORY_BYTES: Final = 64 * 1024**2
"""Defaults.  By estimate a second or two of a Pi Zero 2, and an eighth of its memory."""

_HEAD: Final = struct.Struct(">BII")
_KIB: Final = 1024
_WRAPPED_BYTES: Final = KEY_BYTES + TAG_BYTES
SLOT_BYTES: Final = _HEAD.size + SALT_BYTES + LONG_NONCE_BYTES + _WRAPPED_BYTES


@dataclass(frozen=True, slots=True)
class Slot:
    """A key wrapped under one passphrase, with what it costs to try one."""

    passes: int
    memory_bytes: int
    salt: bytes
    nonce: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return the 97 bytes to keep.

        Raises:
            Nothing.
        """
        return _head(self) + self.nonce + self.wrapped


def decode_slot(data: bytes) -> Slot:
    """Return the slot that `encode` made, with costs that are safe to pay.

    Source: the layout above.

    Raises:
        Malformed: `data` is no slot, or asks for more work or memory than
            SLOT_PASSES_MAX and SLOT_MEMORY_BYTES_MAX.
    """
    if len(data) != SLOT_BYTES:
        raise Malformed(f"a key slot of {len(data)} bytes")
    version, passes, memory_kib = _HEAD.unpack_from(data)
    if version != VERSION:
        raise Malformed(f"a key slot of version {version}")
    memory_bytes = memory_kib * _KIB
    if not _are_affordable(passes, memory_bytes):
        raise Malformed("a key slot that asks for too much or too little work")
    nonce_at = _HEAD.size + SALT_BYTES
    wrapped_at = nonce_at + LONG_NONCE_BYTES
    return Slot(
        passes=passes,
        memory_bytes=memory_bytes,
        salt=data[_HEAD.size : nonce_at],
        nonce=data[nonce_at:wrapped_at],
        wrapped=data[wrapped_at:],
    )


def new_slot(
    key: bytes,
    passphrase: str,
    entropy: Entropy,
    *,
    opslimit: int = PASSES,
    memlimit_bytes: int = MEMORY_BYTES,
) -> Slot:
    """Return a slot from which `passphrase` gives `key`, 32 random bytes.

    `memlimit_bytes` is a multiple of 1024.

    Source: the layout above.

    Raises:
        LocalMisuse: the key is not 32 bytes, or the costs are outside the limits.
        Refusal: the passphrase is empty or too long, or there is not enough memory.
    """
    if len(key) != KEY_BYTES:
        raise LocalMisuse("a key that is not 32 bytes")
    if not _are_affordable(opslimit, memlimit_bytes):
        raise LocalMisuse("costs of a key slot outside the limits")
    salt, nonce = entropy.draw(SALT_BYTES), entropy.draw(LONG_NONCE_BYTES)
    bare = Slot(opslimit, memlimit_bytes, salt, nonce, b"")
    wrapped = xseal(_wrapping_key(bare, passphrase), key, nonce24=nonce, ad=_ad(bare))
    return Slot(opslimit, memlimit_bytes, salt, nonce, wrapped)


def open_slot(slot: Slot, passphrase: str) -> bytes:
    """Return the 32-byte key in `slot`.

    Source: the layout above.

    Raises:
        Forged: another passphrase, or the slot was changed.
        Refusal: the passphrase is empty or too long, or there is not enough memory.
    """
    return xunseal(_wrapping_key(slot, passphrase), slot.wrapped, nonce24=slot.nonce, ad=_ad(slot))


def data_key(key: bytes, erase_secret: bytes) -> bytes:
    """Return the 32 bytes that encrypt, from a slot's key and the erase secret.

    Source: the layout above.

    Raises:
        LocalMisuse: either is not 32 bytes.
    """
    if len(key) != KEY_BYTES or len(erase_secret) != ERASE_SECRET_BYTES:
        raise LocalMisuse("a key or erase secret that is not 32 bytes")
    return b2(Label.DATA_KEY, erase_secret, key=key)


def _head(slot: Slot) -> bytes:
    return _HEAD.pack(VERSION, slot.passes, slot.memory_bytes // _KIB) + slot.salt


def _ad(slot: Slot) -> bytes:
    return Label.SLOT_1.person + _head(slot)


def _are_affordable(passes: int, memory_bytes: int) -> bool:
    return (
        crypto_pwhash_argon2id_OPSLIMIT_MIN <= passes <= SLOT_PASSES_MAX
        and crypto_pwhash_argon2id_MEMLIMIT_MIN <= memory_bytes <= SLOT_MEMORY_BYTES_MAX
        and memory_bytes % _KIB == 0
    )


def _wrapping_key(slot: Slot, passphrase: str) -> bytes:
    try:
        return crypto_pwhash_alg(
            KEY_BYTES,
            _passphrase_bytes(passphrase),
            slot.salt,
            slot.passes,
            slot.memory_bytes,
            crypto_pwhash_ALG_ARGON2ID13,
        )
    except CryptoError as exc:
        raise Refusal(
            "no-memory",
            what=f"This machine could not set aside {slot.memory_bytes // _KIB**2} MiB.",
            meaning="The passphrase was not tried.",
            remedy="Close other programs and try again.",
        ) from exc


def _passphrase_bytes(passphrase: str) -> bytes:
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in passphrase)
    try:
        normal = unicodedata.normalize("NFC", spaced).encode()
    except UnicodeEncodeError:
        normal = b""
    if 1 <= len(normal) <= PASSPHRASE_BYTES_MAX:
        return normal
    raise Refusal(
        "bad-passphrase",
        what=f"A passphrase is text of 1 to {PASSPHRASE_BYTES_MAX} bytes.",
        meaning="Nothing was opened or changed.",
        remedy="Type another.",
    )
