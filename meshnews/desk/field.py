"""Fields that several objects of a desk share, each read with its limits.

    day        0 … 65535, days since 2020-01-01 UTC
    time       0 … TIME_S_MAX, seconds since 1970-01-01 UTC
    key        bin of 32 bytes
    prekeys    bin of 72 bytes for each: reference (8) ‖ public (32) ‖ PSK (32)

Lists of keyed things stand in ascending order of the key, none twice, so that
one object has one encoding.  See docs/protocol/keys.md.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from meshnews.crypto.keys import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    Ed25519Public,
    Prekey,
    SymmetricKey,
    X25519Public,
    agree_key,
)
from meshnews.desk.limits import NAME_CHARS_MAX, TIME_S_MAX
from meshnews.errors import LocalMisuse, Malformed, PeerError
from meshnews.ids import Day, DeskId, KeyRef
from meshnews.wire.codec import Value, as_bytes, as_int, as_text

DESK_ID_BYTES: Final = 16
REF_BYTES: Final = 8
PSK_BYTES: Final = 32
PREKEY_BYTES: Final = REF_BYTES + KEY_BYTES + PSK_BYTES
DAY_BYTES: Final = 2
VERSION_MAX: Final = 2**32 - 1

_REF_END: Final = REF_BYTES
_PUBLIC_END: Final = REF_BYTES + KEY_BYTES


def expect_tag(value: Value, tag: str) -> None:
    """Return if `value` is the text that opens this kind of object.

    Raises:
        Malformed: it is not.
    """
    if value != tag:
        raise Malformed(f"no object of kind {tag}")


def as_sign_key(value: Value) -> Ed25519Public:
    """Return a signing key.

    Raises:
        Malformed: `value` is not 32 bytes.
    """
    return Ed25519Public(as_bytes(value, KEY_BYTES))


def as_agree_key(value: Value) -> X25519Public:
    """Return a key that agrees on secrets.

    Raises:
        Malformed: `value` is not 32 bytes.
        Forged: it is a point of low order.
    """
    return agree_key(as_bytes(value, KEY_BYTES))


def as_shared_key(value: Value) -> SymmetricKey:
    """Return a symmetric key.

    Raises:
        Malformed: `value` is not 32 bytes.
    """
    return SymmetricKey(as_bytes(value, KEY_BYTES))


def as_signature(value: Value) -> bytes:
    """Return a signature, not yet verified.

    Raises:
        Malformed: `value` is not 64 bytes.
    """
    return as_bytes(value, SIGNATURE_BYTES)


def as_desk_id(value: Value) -> DeskId:
    """Return the identifier of a desk.

    Raises:
        Malformed: `value` is not 16 bytes.
    """
    return DeskId(as_bytes(value, DESK_ID_BYTES))


def as_day(value: Value) -> Day:
    """Return a day.

    Raises:
        Malformed: `value` is no integer that fits two bytes.
    """
    return Day(as_int(value, 0, (1 << 8 * DAY_BYTES) - 1))


def as_time(value: Value) -> int:
    """Return seconds since 1970.

    Raises:
        Malformed: `value` is no integer, negative, or above TIME_S_MAX.
    """
    return as_int(value, 0, TIME_S_MAX)


def as_version(value: Value) -> int:
    """Return the version of a signed object.

    Raises:
        Malformed: `value` is no integer from 1 to VERSION_MAX.
    """
    return as_int(value, 1, VERSION_MAX)


def as_name(value: Value) -> str:
    """Return the name of a person, a relay or a desk: one line, no space at its ends.

    Raises:
        Malformed: `value` is no text, empty, too long, or has control characters.
    """
    text = as_text(value, chars_max=NAME_CHARS_MAX)
    if not text or text != text.strip():
        raise Malformed("a name that is empty, or with space at its ends")
    return text


def expect_ascending(keys: Sequence[bytes | tuple[bytes | int, ...]], what: str) -> None:
    """Return if `keys`, all of one kind, stand in ascending order, none twice.

    Raises:
        Malformed: they do not.
    """
    for one, other in itertools.pairwise(keys):
        if not one < other:  # type: ignore[operator]  # one list never mixes the two kinds
            raise Malformed(f"{what} out of order, or one of them twice")


def expect_distinct(keys: Sequence[bytes], what: str) -> None:
    """Return if no key stands twice.

    Raises:
        Malformed: one does.
    """
    if len(set(keys)) != len(keys):
        raise Malformed(f"the same one twice among {what}")


def pack_prekeys(prekeys: Iterable[Prekey]) -> bytes:
    """Return one-time prekeys as one string, 72 bytes each.

    Raises:
        LocalMisuse: one is no one-time prekey: it has no PSK, or a wrong size.
    """
    packed = [prekey.ref + prekey.public + prekey.psk for prekey in prekeys]
    if any(len(one) != PREKEY_BYTES for one in packed):
        raise LocalMisuse("a one-time prekey that is not 72 bytes")
    return b"".join(packed)


def read_prekeys(value: Value, *, at_most: int) -> tuple[Prekey, ...]:
    """Return the one-time prekeys in a string of 72 bytes each.

    Raises:
        Malformed: the length is no multiple of 72, there are more than
            `at_most`, or two have one reference.
        Forged: one has a key of low order.
    """
    packed = as_bytes(value, at_most=at_most * PREKEY_BYTES)
    if len(packed) % PREKEY_BYTES:
        raise Malformed("a pack of prekeys with a part of one")
    prekeys = tuple(
        Prekey(
            KeyRef(packed[at : at + _REF_END]),
            agree_key(packed[at + _REF_END : at + _PUBLIC_END]),
            packed[at + _PUBLIC_END : at + PREKEY_BYTES],
        )
        for at in range(0, len(packed), PREKEY_BYTES)
    )
    expect_distinct([prekey.ref for prekey in prekeys], "prekeys")
    return prekeys


def ours(encoded: bytes, read: Callable[[bytes], object]) -> bytes:
    """Return `encoded` after reading it as a stranger would: we send nothing we would refuse.

    Raises:
        LocalMisuse: `read` refuses it.
    """
    try:
        read(encoded)
    except PeerError as exc:
        raise LocalMisuse(f"an object that its reader refuses: {exc}") from exc
    return encoded
