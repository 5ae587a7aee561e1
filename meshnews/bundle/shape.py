"""What anybody can read of a bundle, and what follows from it; see docs/protocol/bundles.md.

    wire = 92 ‖ header of body ‖ 99 01 kind class life day ‖ c4 20 pc ‖ c4 20 E
           ‖ header ‖ stanzas ‖ header ‖ ciphertext ‖ c4 b3 auth
    meta = pack[ 1, kind, class, life, day, stanza count, ciphertext length ]

Size, kind, class, life and day settle the place and length of every field, so
the one canonical encoding can be read by position.  Bundles that agree in the
five share one `Shape`.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from meshnews.errors import Malformed
from meshnews.ids import AuthKind, Day, TrafficClass
from meshnews.limits import (
    DAY_MAX,
    FLASH_WIRE_BYTES_MAX,
    LIVES_DAYS,
    STANZA_BYTES,
    STANZAS_LARGE,
    STANZAS_SMALL,
    WIRE_BYTES,
)
from meshnews.wire.codec import as_int, as_list, decode, encode

VERSION: Final = 1
AUTH_BYTES: Final = 179
"""Postage with the widest day; a stamp, or a narrower day, is filled up with zeros."""

HASH_BYTES: Final = 32
TAG_BYTES: Final = 16
META_BYTES_MAX: Final = 14

HASH_LEAD: Final = b"\xc4\x20"
"""The header before `pc` and before `E`."""
AUTH_LEAD: Final = bytes((0xC4, AUTH_BYTES))
"""The header before `auth`."""

_KINDS: Final = frozenset(int(kind) for kind in AuthKind)
_CLASSES: Final = frozenset(int(traffic) for traffic in TrafficClass)
_BIN_16_MAX: Final = 0xFFFF
_NUMBER_MAX: Final = 2**32 - 1
_OVERHEAD_BYTES_MAX: Final = 1024
"""More than a wire form ever has beside its ciphertext."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What anybody can read of a bundle, and where its fields stand on the wire.

    Attributes:
        size: bytes of the wire form.
        life: days.
        expiry_day: the last day on which a node may take the bundle.
        meta: the part of the identifier that commits to all of this.
        lead: the wire form as far as `pc`.
        head_at: where the version stands.
    """

    size: int
    kind: AuthKind
    traffic: TrafficClass
    life: int
    day: Day
    expiry_day: Day
    meta: bytes
    lead: bytes
    head_at: int
    pc_at: int
    ephemeral_at: int
    ephemeral_end: int
    stanzas_at: int
    stanzas_end: int
    ciphertext_at: int
    ciphertext_end: int
    stanzas_lead: bytes
    ciphertext_lead: bytes

    @property
    def stanza_count(self) -> int:
        """Stanzas of a bundle of this size."""
        return stanza_count(self.size)

    @property
    def padded_bytes(self) -> int:
        """Length of the payload with its padding."""
        return self.ciphertext_end - self.ciphertext_at - TAG_BYTES

    @property
    def capacity(self) -> int:
        """Most payload bytes that fit: the padding takes at least one."""
        return self.padded_bytes - 1


def stanza_count(size: int) -> int:
    """Return how many stanzas a bundle of `size` wire bytes has."""
    return STANZAS_SMALL if size == WIRE_BYTES[0] else STANZAS_LARGE


@lru_cache(maxsize=1024)
def shape_of(size: int, kind: int, traffic: int, life: int, day: int) -> Shape:
    """Return the shape that these five numbers settle (protocol §3).

    Raises:
        Malformed: no bundle may have them.
    """
    if size not in WIRE_BYTES or kind not in _KINDS or traffic not in _CLASSES:
        raise Malformed("a bundle of no known size, kind or class")
    if kind == AuthKind.STAMP and traffic == TrafficClass.NOTICE:
        raise Malformed("a notice that asks to be admitted by a stamp")
    if life not in LIVES_DAYS or not 0 <= day <= DAY_MAX or day % 2:
        raise Malformed("a bundle with a life or day that none may have")
    if traffic == TrafficClass.FLASH and size > FLASH_WIRE_BYTES_MAX:
        raise Malformed("a bundle too large for class 1")
    auth_at = size - AUTH_BYTES
    ciphertext_end = auth_at - len(AUTH_LEAD)
    outer = b"\x92" + _bin_lead(ciphertext_end - 1)
    terms = bytes((VERSION, kind, traffic, life)) + encode(day)
    lead = outer + b"\x99" + terms + HASH_LEAD
    ephemeral_at = len(lead) + HASH_BYTES + len(HASH_LEAD)
    ephemeral_end = ephemeral_at + HASH_BYTES
    stanzas_bytes = stanza_count(size) * STANZA_BYTES
    stanzas_lead = b"\xc5" + stanzas_bytes.to_bytes(2, "big")
    stanzas_at = ephemeral_end + len(stanzas_lead)
    stanzas_end = stanzas_at + stanzas_bytes
    ciphertext_lead = _bin_lead(ciphertext_end - stanzas_end)
    ciphertext_at = stanzas_end + len(ciphertext_lead)
    counts = encode(stanza_count(size)) + encode(ciphertext_end - ciphertext_at)
    return Shape(
        size=size,
        kind=AuthKind(kind),
        traffic=TrafficClass(traffic),
        life=life,
        day=Day(day),
        expiry_day=Day(day + 2 + life),
        meta=b"\x97" + terms + counts,
        lead=lead,
        head_at=len(outer) + 1,
        pc_at=len(lead),
        ephemeral_at=ephemeral_at,
        ephemeral_end=ephemeral_end,
        stanzas_at=stanzas_at,
        stanzas_end=stanzas_end,
        ciphertext_at=ciphertext_at,
        ciphertext_end=ciphertext_end,
        stanzas_lead=stanzas_lead,
        ciphertext_lead=ciphertext_lead,
    )


def _bin_lead(room: int) -> bytes:
    """Return the header of the byte string that, with its header, takes `room` bytes."""
    if room - 3 <= _BIN_16_MAX:
        return b"\xc5" + (room - 3).to_bytes(2, "big")
    return b"\xc6" + (room - 5).to_bytes(4, "big")


HEAD_AT: Final = {
    size: 2 + len(_bin_lead(size - 1 - len(AUTH_LEAD) - AUTH_BYTES)) for size in WIRE_BYTES
}
"""Where the version stands, for each size."""


@lru_cache(maxsize=1024)
def shape_of_meta(meta: bytes) -> Shape:
    """Return the shape that the `meta` of an offer or receipt claims.

    Raises:
        Malformed: no bundle may have it.
    """
    fields = as_list(decode(meta, bytes_max=META_BYTES_MAX), size=7)
    version, kind, traffic, life, day, _, length = (as_int(n, 0, _NUMBER_MAX) for n in fields)
    if version != VERSION:
        raise Malformed("a meta field of another version")
    for size in WIRE_BYTES:
        if 0 <= size - length <= _OVERHEAD_BYTES_MAX:
            shape = shape_of(size, kind, traffic, life, day)
            if shape.meta == meta:
                return shape
    raise Malformed("a meta field that fits no bundle")
