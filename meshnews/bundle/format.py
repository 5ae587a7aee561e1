"""The wire form of a bundle, its identifier and its offer; see docs/protocol/bundles.md.

    wire = pack[ body, auth ]                      2048 | 8192 | 32768 | 66560 bytes
    body = pack[ 1, kind, class, life, day, pc, E, stanzas, ciphertext ]

        h_ct   = b2('bundle-ct', E ‖ stanzas ‖ ciphertext)
        h_rest = b2('bundle-rest', h_ct ‖ meta ‖ pk)             meta: see `shape`
        id     = b2('bundle-id', pc ‖ h_rest)
    offer = pack[ pc, h_ct, meta, auth ]

pk is the postage key in `auth`, nothing with a stamp.  The rest of `auth` is no part
of the identifier: whoever changes that changes no bundle.
"""

from dataclasses import dataclass, field
from typing import Final, Protocol

from meshnews.bundle.shape import (
    AUTH_BYTES,
    AUTH_LEAD,
    HASH_BYTES,
    HASH_LEAD,
    HEAD_AT,
    META_BYTES_MAX,
    TAG_BYTES,
    Shape,
    shape_of,
    shape_of_meta,
)
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.keys import KEY_BYTES
from meshnews.errors import LocalMisuse, Malformed
from meshnews.ids import AuthKind, BundleId, BundleRef, Day, TrafficClass
from meshnews.wire.codec import as_bytes, as_list, decode, encode

OFFER_BYTES_MAX: Final = 1 + 2 * (2 + HASH_BYTES) + 2 + META_BYTES_MAX + 2 + AUTH_BYTES
_DAY_2_BYTES: Final = 0xCC
_DAY_3_BYTES: Final = 0xCD

_KEY_AT: Final = 4
"""Where the postage key stands in an auth field: see `postage`."""


class Franker(Protocol):
    """Admits a bundle that is being sealed."""

    @property
    def payer(self) -> bytes:
        """The postage key that its identifier names; empty for a stamp."""
        ...

    def auth(self, id: BundleId) -> bytes:  # noqa: A002  the protocol's word
        """Return its auth field, filled up with zeros."""
        ...


class Shaped:
    """What a bundle and its offer have in common: a shape and a reference."""

    __slots__ = ()

    shape: Shape
    ref: BundleRef

    @property
    def id(self) -> BundleId:
        """The identifier."""
        return self.ref.id

    @property
    def kind(self) -> AuthKind:
        """By what the bundle asks to be admitted."""
        return self.shape.kind

    @property
    def traffic(self) -> TrafficClass:
        """Its class."""
        return self.shape.traffic

    @property
    def life(self) -> int:
        """Its life in days."""
        return self.shape.life

    @property
    def day(self) -> Day:
        """The day it was filed, rounded down to an even number."""
        return self.shape.day

    @property
    def expiry_day(self) -> Day:
        """The last day on which a node may take it."""
        return self.shape.expiry_day

    @property
    def size(self) -> int:
        """Bytes of its wire form."""
        return self.shape.size


@dataclass(frozen=True, slots=True)
class Offer(Shaped):
    """The part of a bundle by which a peer judges it before its body moves.

    The identifier commits to everything in it but the signatures of `auth`.

    Raises:
        Malformed: `meta` is one that no bundle may have.
    """

    pc: bytes = field(repr=False)
    h_ct: bytes = field(repr=False)
    meta: bytes = field(repr=False)
    auth: bytes = field(repr=False)
    shape: Shape = field(init=False, compare=False, repr=False)
    h_rest: bytes = field(init=False, compare=False, repr=False)
    ref: BundleRef = field(init=False, compare=False)

    def __post_init__(self) -> None:
        shape = shape_of_meta(self.meta)
        h_rest = rest_hash(self.h_ct, self.meta, payer_of(self.auth, shape.kind))
        place = object.__setattr__
        place(self, "shape", shape)
        place(self, "h_rest", h_rest)
        place(self, "ref", BundleRef(shape.traffic, shape.day, bundle_id(self.pc, h_rest)))

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return encode([self.pc, self.h_ct, self.meta, self.auth])


def decode_offer(data: bytes) -> Offer:
    """Return the offer that `data` encodes (protocol §3).

    Raises:
        Malformed: it encodes none.
    """
    pc, h_ct, meta, auth = decode_four(data)
    return Offer(pc, h_ct, meta, auth)


def decode_four(data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return the fields of an offer, or of a receipt, which has the same form.

    Raises:
        Malformed: the form or a length is another.
    """
    first, h_ct, meta, auth = as_list(decode(data, bytes_max=OFFER_BYTES_MAX), size=4)
    return (
        as_bytes(first, HASH_BYTES),
        as_bytes(h_ct, HASH_BYTES),
        as_bytes(meta, at_most=META_BYTES_MAX),
        as_bytes(auth, AUTH_BYTES),
    )


@dataclass(frozen=True, slots=True)
class Bundle(Shaped):
    """One bundle: its wire form, and what was read of it.

    Made by `parse` and `assemble` only; two are equal when their bytes are.
    """

    wire: bytes = field(repr=False)
    shape: Shape = field(compare=False, repr=False)
    ref: BundleRef = field(compare=False)
    pc: bytes = field(compare=False, repr=False)
    ephemeral: bytes = field(compare=False, repr=False)
    h_ct: bytes = field(compare=False, repr=False)
    h_rest: bytes = field(compare=False, repr=False)

    @property
    def meta(self) -> bytes:
        """What the identifier commits to beside the bytes themselves."""
        return self.shape.meta

    @property
    def stanzas(self) -> bytes:
        """All stanzas, one behind the other."""
        return self.wire[self.shape.stanzas_at : self.shape.stanzas_end]

    @property
    def ciphertext(self) -> bytes:
        """The encrypted payload with its tag."""
        return self.wire[self.shape.ciphertext_at : self.shape.ciphertext_end]

    @property
    def auth(self) -> bytes:
        """The auth field as on the wire, filled with zeros."""
        return self.wire[-AUTH_BYTES:]

    @property
    def offer(self) -> Offer:
        """The part by which a peer judges it."""
        return Offer(self.pc, self.h_ct, self.shape.meta, self.auth)


def payer_of(auth: bytes, kind: AuthKind) -> bytes:
    """Return the key that an auth field says it is signed with; empty for a stamp."""
    return auth[_KEY_AT : _KEY_AT + KEY_BYTES] if kind is AuthKind.POSTAGE else b""


def rest_hash(h_ct: bytes, meta: bytes, payer: bytes) -> bytes:
    """Return `h_rest`: what the identifier commits to beside `pc`.

    Were the postage key not in it, a carrier could put its own postage on another's
    bundle, and have that dropped with its own by all who took it so.
    """
    return b2(Label.BUNDLE_REST, b"".join((h_ct, meta, payer)))


def bundle_id(pc: bytes, h_rest: bytes) -> BundleId:
    """Return the identifier of the bundle with this commitment and this rest."""
    return BundleId(b2(Label.BUNDLE_ID, pc + h_rest))


def commitment(purge: bytes) -> bytes:
    """Return the `pc` of which `purge` (r) is the preimage."""
    return b2(Label.PURGE_COMMIT, purge)


def parse(wire: bytes) -> Bundle:
    """Return the bundle that `wire` is, with its identifier (protocol §3).

    Judges size, canonical form and the range of every field, and nothing that
    needs a key: see `postage.check`.

    Raises:
        Malformed: it is no bundle.
    """
    at = HEAD_AT.get(len(wire))
    if at is None:
        raise Malformed(f"{len(wire)} bytes, which no bundle has")
    day = wire[at + 4]
    if day == _DAY_3_BYTES:
        day = wire[at + 5] << 8 | wire[at + 6]
    elif day == _DAY_2_BYTES:
        day = wire[at + 5]
    shape = shape_of(len(wire), wire[at + 1], wire[at + 2], wire[at + 3], day)
    # The lead holds the version, every header before pc and the day in its one
    # canonical width, so one comparison judges them all.
    if (
        not wire.startswith(shape.lead)
        or not wire.startswith(HASH_LEAD, shape.ephemeral_at - len(HASH_LEAD))
        or not wire.startswith(shape.stanzas_lead, shape.ephemeral_end)
        or not wire.startswith(shape.ciphertext_lead, shape.stanzas_end)
        or not wire.startswith(AUTH_LEAD, shape.ciphertext_end)
    ):
        raise Malformed("a bundle that is not in canonical form")
    view = memoryview(wire)
    ephemeral = wire[shape.ephemeral_at : shape.ephemeral_end]
    sealed = b"".join(
        (
            ephemeral,
            view[shape.stanzas_at : shape.stanzas_end],
            view[shape.ciphertext_at : shape.ciphertext_end],
        )
    )
    pc = wire[shape.pc_at : shape.pc_at + HASH_BYTES]
    h_ct = b2(Label.BUNDLE_CT, sealed)
    h_rest = rest_hash(h_ct, shape.meta, payer_of(wire[-AUTH_BYTES:], shape.kind))
    ref = BundleRef(shape.traffic, shape.day, bundle_id(pc, h_rest))
    return Bundle(wire, shape, ref, pc, ephemeral, h_ct, h_rest)


@dataclass(frozen=True, slots=True)
class Head:
    """A bundle as far as its ciphertext: what has to be settled before the payload is encrypted."""

    shape: Shape
    pc: bytes
    ephemeral: bytes
    stanzas: bytes = field(repr=False)


def associated_data(head: Head | Bundle) -> bytes:
    """Return what the payload's tag covers besides: pack of the eight fields before it."""
    shape = head.shape
    return b"".join(
        (
            b"\x98",
            shape.lead[shape.head_at :],
            head.pc,
            HASH_LEAD,
            head.ephemeral,
            shape.stanzas_lead,
            head.stanzas,
        )
    )


def assemble(head: Head, ciphertext: bytes, franker: Franker) -> Bundle:
    """Return the bundle that `head` and `ciphertext` make, franked by `franker`.

    Raises:
        LocalMisuse: a length is not what the shape has, or the payer is another than
            the franker said.
    """
    shape = head.shape
    if (
        len(head.pc) != HASH_BYTES
        or len(head.ephemeral) != HASH_BYTES
        or len(head.stanzas) != shape.stanzas_end - shape.stanzas_at
        or len(ciphertext) != shape.padded_bytes + TAG_BYTES
    ):
        raise LocalMisuse("a bundle's field of the wrong length")
    h_ct = b2(Label.BUNDLE_CT, b"".join((head.ephemeral, head.stanzas, ciphertext)))
    payer = franker.payer
    h_rest = rest_hash(h_ct, shape.meta, payer)
    ref = BundleRef(shape.traffic, shape.day, bundle_id(head.pc, h_rest))
    auth = franker.auth(ref.id)
    if len(auth) != AUTH_BYTES or payer_of(auth, shape.kind) != payer:
        raise LocalMisuse("an auth field of the wrong length, or of another payer")
    wire = b"".join(
        (
            shape.lead,
            head.pc,
            HASH_LEAD,
            head.ephemeral,
            shape.stanzas_lead,
            head.stanzas,
            shape.ciphertext_lead,
            ciphertext,
            AUTH_LEAD,
            auth,
        )
    )
    return Bundle(wire, shape, ref, head.pc, head.ephemeral, h_ct, h_rest)
