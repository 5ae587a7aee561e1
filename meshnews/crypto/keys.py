"""Keys, each of its own type, hidden when shown.

X25519 (RFC 7748) agrees on secrets, Ed25519 (RFC 8032) signs.  No key of one
kind is ever used for the other.  See docs/protocol/primitives.md.
"""

from dataclasses import dataclass, field
from typing import Final, NewType

from nacl.bindings import (
    crypto_scalarmult,
    crypto_scalarmult_base,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import CryptoError

from meshnews.crypto.digest import Label, same
from meshnews.errors import Forged, LocalMisuse
from meshnews.ids import Day, IssuerId, KeyRef, TrafficClass

X25519Public = NewType("X25519Public", bytes)
"""32 bytes: the public half of a key that agrees on secrets."""

Ed25519Public = NewType("Ed25519Public", bytes)
"""32 bytes: the public half of a key that signs."""

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_P: Final = (1 << 255) - 19
_ORDER_8: Final = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
_LOW_ORDER: Final = frozenset(
    point.to_bytes(KEY_BYTES, "little") for point in (0, 1, *_ORDER_8, _P - 1, _P, _P + 1)
)
"""The encodings of points of low order (RFC 7748, section 7; Curve25519, the highest bit off)."""


def agree_key(raw: bytes) -> X25519Public:
    """Return a public key that somebody else gave us, to be kept and used later.

    A key of low order is refused when it comes in: who seals to it later would fail
    then, at a time of its maker's choosing.

    Raises:
        Forged: `raw` is not 32 bytes, or a point of low order.
    """
    if len(raw) != KEY_BYTES:
        raise Forged("a public key that is not 32 bytes")
    # The highest bit is ignored by whoever uses the key.
    if raw[:-1] + bytes((raw[-1] & 0x7F,)) in _LOW_ORDER:
        raise Forged("a public key of low order")
    return X25519Public(raw)


class _Secret:
    """32 bytes that show themselves to nobody by accident."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise LocalMisuse("a secret key that is not 32 bytes")
        self._raw = bytes(raw)

    @property
    def raw(self) -> bytes:
        """The 32 secret bytes, for whoever stores or uses them."""
        return self._raw

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and same(self._raw, other._raw)

    __hash__ = None  # type: ignore[assignment]  # a secret is no key of a dict

    def __repr__(self) -> str:
        return f"{type(self).__name__}(hidden)"


class SymmetricKey(_Secret):
    """A 32-byte key for a cipher, a hash or a beacon.

    Raises:
        LocalMisuse: `raw` is not 32 bytes.
    """

    __slots__ = ()


class X25519Secret(_Secret):
    """The secret half of a key that agrees on secrets: any 32 random bytes.

    Raises:
        LocalMisuse: `raw` is not 32 bytes.
    """

    __slots__ = ("_public",)

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._public: X25519Public | None = None

    @property
    def public(self) -> X25519Public:
        """The half that may be given out."""
        if self._public is None:
            self._public = X25519Public(crypto_scalarmult_base(self._raw))
        return self._public

    def exchange(self, public: bytes) -> bytes:
        """Return the 32 bytes shared with the holder of `public`.

        Source: RFC 7748, section 6.1; the all-zero output is refused.

        Raises:
            Forged: `public` is not 32 bytes, or a point of low order.
        """
        # The binding hands the pointer to C without a look at its length.
        if len(public) != KEY_BYTES:
            raise Forged("a public key that is not 32 bytes")
        try:
            return crypto_scalarmult(self._raw, public)
        except CryptoError as exc:
            raise Forged("a public key of low order") from exc


class Ed25519Secret(_Secret):
    """The secret half of a key that signs: a seed of 32 random bytes.

    Raises:
        LocalMisuse: `raw` is not 32 bytes.
    """

    __slots__ = ("_expanded", "_public")

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._public: Ed25519Public | None = None
        self._expanded = b""

    @property
    def public(self) -> Ed25519Public:
        """The half that may be given out."""
        if self._public is None:
            public, self._expanded = crypto_sign_seed_keypair(self._raw)
            self._public = Ed25519Public(public)
        return self._public

    def sign(self, domain: Label, message: bytes) -> bytes:
        """Return the 64-byte signature over `domain` ‖ `message`.

        Source: RFC 8032, section 5.1.6.

        Raises:
            Nothing.
        """
        if not self._expanded:
            _ = self.public
        return crypto_sign(domain.person + message, self._expanded)[:SIGNATURE_BYTES]


def verify(public: bytes, signature: bytes, domain: Label, message: bytes) -> None:
    """Return if `signature` is one by `public` over `domain` ‖ `message`.

    Source: RFC 8032, section 5.1.7, strict: see docs/protocol/primitives.md.

    Raises:
        Forged: it is not, or a length is wrong.
    """
    verify_raw(public, signature, domain.person + message)


def verify_raw(public: bytes, signature: bytes, message: bytes) -> None:
    """Return if `signature` is one by `public` over exactly `message`.

    Raises:
        Forged: it is not, or a length is wrong.
    """
    if len(public) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise Forged("a signature or its key has the wrong length")
    try:
        crypto_sign_open(signature + message, public)
    except CryptoError as exc:
        raise Forged("a signature that does not hold") from exc


@dataclass(frozen=True, slots=True)
class Prekey:
    """What is given out so that somebody can seal to its maker once.

    An empty `psk` means an epoch key (or a scan key used as one): HPKE base mode.
    """

    ref: KeyRef
    public: X25519Public
    psk: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PrekeySecret:
    """What the maker of a `Prekey` keeps."""

    ref: KeyRef
    secret: X25519Secret
    psk: bytes = field(repr=False)

    @property
    def prekey(self) -> Prekey:
        """The half that is given out."""
        return Prekey(self.ref, self.secret.public, self.psk)


@dataclass(frozen=True, slots=True)
class PostageKey:
    """A one-time signing key with an issuer's certificate: it franks up to `n` bundles."""

    seed: bytes = field(repr=False)
    expiry_day: Day
    traffic: TrafficClass
    n: int
    issuer: IssuerId
    certificate: bytes
