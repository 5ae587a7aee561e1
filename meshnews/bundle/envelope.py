"""The payload key of a bundle and everything that follows from it; see docs/protocol/bundles.md.

    k      32 bytes, for one bundle
    r      = b2('purge', '', key=k)            pc = b2('purge-commit', r)
    k_enc  = b2('payload', '', key=k)
    ciphertext = ChaCha20-Poly1305(k_enc, nonce 0, payload ‖ 80 00 …, ad)
    ad     = pack[ 1, kind, class, life, day, pc, E, stanzas ]

How `k` reaches a reader differs between bundles to readers, notices and chunks;
this does not.
"""

from dataclasses import dataclass, field
from typing import Final

from meshnews.bundle.format import Bundle, Franker, Head, assemble, associated_data, commitment
from meshnews.bundle.shape import Shape, shape_of
from meshnews.crypto.aead import NONCE_ZERO, unseal
from meshnews.crypto.aead import seal as encrypt
from meshnews.crypto.digest import Label, b2, same
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.ids import AuthKind, Day, TrafficClass
from meshnews.limits import FLASH_WIRE_BYTES_MAX, LIVES_DAYS, WIRE_BYTES

_PADDING_LEAD: Final = b"\x80"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a sealer decides about a bundle beside its payload and its readers.

    Attributes:
        traffic: its class.
        day: the filing day, even.
        life: in days, one of LIVES_DAYS.
        kind: by what it is to be admitted.
    """

    traffic: TrafficClass
    day: Day
    life: int = LIVES_DAYS[-1]
    kind: AuthKind = AuthKind.POSTAGE


@dataclass(frozen=True, slots=True)
class Sealed:
    """A bundle ready to be stored, and the preimage from which its receipt is made."""

    bundle: Bundle
    purge: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was in a bundle, and the preimage that proves it was opened."""

    payload: bytes = field(repr=False)
    purge: bytes = field(repr=False)
    answer_seed: bytes = field(repr=False)
    """See `answer_seed_of_key`."""


def purge_of_key(key: bytes) -> bytes:
    """Return r, whose holder can have the bundle purged."""
    return b2(Label.PURGE, b"", key=key)


def answer_seed_of_key(key: bytes) -> bytes:
    """Return the seed of the postage that an editor's letter is franked with.

    Only who can open it knows the key, and so which of several bundles of the same bytes
    is the desk's own.
    """
    return b2(Label.ANSWER_POSTAGE, b"", key=key)


def even_day(day: int) -> Day:
    """Return the day that a bundle filed on `day` carries: rounded down to an even number."""
    return Day(day - day % 2)


def capacity(size: int, *, day: Day) -> int:
    """Return how many payload bytes a bundle of `size` wire bytes and of `day` holds.

    A day below 256 is written shorter and leaves a byte or two more.

    Raises:
        LocalMisuse: no bundle has that size or day.
    """
    try:
        return shape_of(size, AuthKind.POSTAGE, TrafficClass.NOTICE, LIVES_DAYS[0], day).capacity
    except Malformed as exc:
        raise LocalMisuse("the capacity of a bundle that cannot be") from exc


def shape_for(terms: Terms, payload_bytes: int, *, size_min: int = WIRE_BYTES[0]) -> Shape:
    """Return the smallest shape, of at least `size_min`, that holds a payload.

    Raises:
        LocalMisuse: none does, or no bundle may have these terms.
    """
    largest = FLASH_WIRE_BYTES_MAX if terms.traffic is TrafficClass.FLASH else WIRE_BYTES[-1]
    for size in WIRE_BYTES:
        if not size_min <= size <= largest:
            continue
        try:
            shape = shape_of(size, terms.kind, terms.traffic, terms.life, terms.day)
        except Malformed as exc:
            raise LocalMisuse("terms that no bundle may have") from exc
        if payload_bytes <= shape.capacity:
            return shape
    raise LocalMisuse("a payload that no bundle of its class holds")


def close(key: bytes, payload: bytes, head: Head, franker: Franker) -> Sealed:
    """Return the bundle that holds `payload` under `key` behind `head`.

    Raises:
        LocalMisuse: the payload does not fit, or a field has the wrong length.
    """
    padding = head.shape.padded_bytes - len(payload) - 1
    if padding < 0:
        raise LocalMisuse("a payload that does not fit")
    padded = b"".join((payload, _PADDING_LEAD, bytes(padding)))
    ciphertext = encrypt(
        b2(Label.PAYLOAD, b"", key=key), padded, nonce12=NONCE_ZERO, ad=associated_data(head)
    )
    return Sealed(assemble(head, ciphertext, franker), purge_of_key(key))


def disclose(bundle: Bundle, key: bytes) -> Opened:
    """Return what is in `bundle`, whose key is `key`.

    Raises:
        Forged: the key is not the one the bundle commits to, or the tag does not hold.
        Malformed: the padding is wrong.
    """
    purge = purge_of_key(key)
    if not same(commitment(purge), bundle.pc):
        raise Forged("a key to which the bundle does not commit")
    padded = unseal(
        b2(Label.PAYLOAD, b"", key=key),
        bundle.ciphertext,
        nonce12=NONCE_ZERO,
        ad=associated_data(bundle),
    )
    payload = padded.rstrip(b"\0")
    if not payload.endswith(_PADDING_LEAD):
        raise Malformed("a payload without padding")
    return Opened(payload[:-1], purge, answer_seed_of_key(key))
