"""What lets a relay tell press bundles from noise: postage, and stamps for those without.

    auth    = postage | stamp, filled up with zeros to 179 bytes
    postage = pack[ 1, pk32, expiry_day, class, n, kid4, cert64, sig64 ]
    stamp   = pack[ 2, nonce8, bits ]

        kid  = b2('issuer', issuer's public key)[:4]
        cert = issuer's signature over 'postage1' ‖ pk ‖ expiry_day u16 ‖ class u8 ‖ n u8
        sig  = postage key's signature over 'frank1' ‖ id; the id names pk
        b2('stamp', id ‖ nonce8) begins with at least `bits` zero bits

See docs/protocol/bundles.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from meshnews.bundle.format import Bundle, Offer
from meshnews.bundle.shape import AUTH_BYTES
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import Entropy
from meshnews.crypto.keys import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    Ed25519Public,
    Ed25519Secret,
    PostageKey,
    verify,
)
from meshnews.errors import Exceeded, Forged, LocalMisuse, Malformed
from meshnews.ids import AuthKind, BundleId, BundleRef, Day, IssuerId, TrafficClass
from meshnews.limits import (
    CERTIFICATES_REMEMBERED_MAX,
    POSTAGE_IDS_MAX,
    STAMP_BITS_MAX,
    STAMP_BITS_MIN,
)
from meshnews.wire.codec import encode

ISSUER_ID_BYTES: Final = 4
NONCE_BYTES: Final = 8
EXPIRY_DAY_MAX: Final = 0xFFFF

_POSTAGE_LEAD: Final = b"\x98\x01\xc4\x20"
_KID_LEAD: Final = b"\xc4\x04"
_SIGNATURE_LEAD: Final = b"\xc4\x40"
_STAMP_LEAD: Final = b"\x93\x02\xc4\x08"
_DAY_AT: Final = len(_POSTAGE_LEAD) + KEY_BYTES
_STAMP_BYTES: Final = len(_STAMP_LEAD) + NONCE_BYTES + 1
_DAY_2_BYTES: Final = 0xCC
_DAY_3_BYTES: Final = 0xCD

Issuers = Callable[[IssuerId], Sequence[tuple[Ed25519Public, Day]]]
"""Gives every issuer known under an identifier, with the last day of each."""


@dataclass(frozen=True, slots=True)
class Postage:
    """The fields of one postage, read and not yet believed."""

    key: Ed25519Public
    expiry_day: Day
    traffic: TrafficClass
    n: int
    issuer: IssuerId
    certificate: bytes
    signature: bytes

    @property
    def certified(self) -> bytes:
        """What the issuer signed."""
        return _certified(self.key, self.expiry_day, self.traffic, self.n)


@dataclass(frozen=True, slots=True)
class Stamp:
    """The fields of one stamp, read and not yet believed."""

    nonce: bytes
    bits: int


@dataclass(frozen=True, slots=True)
class Franked:
    """How a bundle was admitted.

    Attributes:
        kind: by postage or by stamp.
        postage_key: the public half of the postage key; empty for a stamp.
        n: how many identifiers the key may frank; 0 for a stamp.
    """

    kind: AuthKind
    postage_key: bytes
    n: int


class CertificateMemo:
    """Remembers which certificates were verified, so that one for 16 identifiers costs once.

    Holds CERTIFICATES_REMEMBERED_MAX; a further one takes the place of the oldest.
    What is remembered names the issuer's key, so a memo outlives any change of issuers.
    """

    def __init__(self) -> None:
        self._verified: dict[tuple[bytes, bytes, bytes], None] = {}

    def verify(self, issuer: Ed25519Public, certificate: bytes, certified: bytes) -> bool:
        """Tell whether `certificate` is the issuer's over `certified`.

        Raises:
            Nothing.
        """
        entry = (issuer, certificate, certified)
        if entry in self._verified:
            return True
        try:
            verify(issuer, certificate, Label.POSTAGE_1, certified)
        except Forged:
            return False
        if len(self._verified) >= CERTIFICATES_REMEMBERED_MAX:
            del self._verified[next(iter(self._verified))]
        self._verified[entry] = None
        return True


@lru_cache(maxsize=256)
def issuer_id(public: Ed25519Public) -> IssuerId:
    """Return the identifier under which an issuer's postage names it (protocol §2)."""
    return IssuerId(b2(Label.ISSUER, public)[:ISSUER_ID_BYTES])


def issue(
    issuer: Ed25519Secret,
    entropy: Entropy,
    *,
    expiry_day: Day,
    traffic: TrafficClass,
    n: int,
    count: int,
) -> list[PostageKey]:
    """Return `count` fresh postage keys, each good for `n` identifiers of `traffic` or less urgent.

    Raises:
        LocalMisuse: `n` or `expiry_day` is one that no postage may have.
    """
    return [
        certify(issuer, entropy.draw(KEY_BYTES), expiry_day=expiry_day, traffic=traffic, n=n)
        for _ in range(count)
    ]


def certify(
    issuer: Ed25519Secret, seed: bytes, *, expiry_day: Day, traffic: TrafficClass, n: int
) -> PostageKey:
    """Return the postage key that has this seed.

    Raises:
        LocalMisuse: `n` or `expiry_day` is one that no postage may have.
    """
    if not 1 <= n <= POSTAGE_IDS_MAX or not 0 <= expiry_day <= EXPIRY_DAY_MAX:
        raise LocalMisuse("postage with an n or day that none may have")
    certified = _certified(Ed25519Secret(seed).public, expiry_day, traffic, n)
    certificate = issuer.sign(Label.POSTAGE_1, certified)
    return PostageKey(seed, expiry_day, traffic, n, issuer_id(issuer.public), certificate)


def frank(key: PostageKey, id: BundleId) -> bytes:  # noqa: A002  the protocol's word
    """Return the auth field by which `key` answers for the bundle `id`.

    Raises:
        LocalMisuse: a field of `key` is one that no postage may have.
    """
    return ByPostage(key).auth(id)


class ByPostage:
    """A franker that pays with one piece of postage, n bundles of its class at most.

    Attributes:
        payer: the public half of its key.
    """

    def __init__(self, key: PostageKey) -> None:
        self._key = key
        self._secret = Ed25519Secret(key.seed)
        self.payer: bytes = self._secret.public

    def auth(self, id: BundleId) -> bytes:  # noqa: A002  the protocol's word
        """Return the auth field by which the key answers for the bundle `id`.

        Raises:
            LocalMisuse: a field of the key is one that no postage may have.
        """
        key = self._key
        return encode_auth(
            Postage(
                key=self._secret.public,
                expiry_day=key.expiry_day,
                traffic=key.traffic,
                n=key.n,
                issuer=key.issuer,
                certificate=key.certificate,
                signature=self._secret.sign(Label.FRANK_1, id),
            )
        )


@dataclass(frozen=True, slots=True)
class ByStamp:
    """A franker that pays with work: see `make_stamp`."""

    bits: int = STAMP_BITS_MIN
    first: int = 0

    @property
    def payer(self) -> bytes:
        """Nobody: anyone may stamp anything."""
        return b""

    def auth(self, id: BundleId) -> bytes:  # noqa: A002  the protocol's word
        """Return the auth field, once its work is done."""
        return make_stamp(id, bits=self.bits, first=self.first)


def find_stamp(id: BundleId, *, bits: int, first: int, tries: int) -> bytes | None:  # noqa: A002  the protocol's word
    """Return the auth field with the first nonce that gives a stamp of `bits`, if one does.

    Tries `tries` nonces from `first` on: about 2^bits are needed, a microsecond
    each, so whoever has other things to do asks for a few thousand at a time.

    Raises:
        LocalMisuse: `bits` is one that no stamp may have.
    """
    if not STAMP_BITS_MIN <= bits <= STAMP_BITS_MAX:
        raise LocalMisuse("a stamp with too few or too many bits")
    limit = (1 << (8 * NONCE_BYTES - bits)).to_bytes(NONCE_BYTES, "big")
    for number in range(first, first + tries):
        nonce = number.to_bytes(NONCE_BYTES, "big")
        if b2(Label.STAMP, id + nonce) < limit:
            return encode_auth(Stamp(nonce, bits))
    return None


def make_stamp(id: BundleId, *, bits: int = STAMP_BITS_MIN, first: int = 0) -> bytes:  # noqa: A002  the protocol's word
    """Return an auth field with a stamp of `bits` for the bundle `id`; takes about 2^bits tries.

    Raises:
        LocalMisuse: `bits` is one that no stamp may have.
    """
    tries = 1 << 12
    while (auth := find_stamp(id, bits=bits, first=first, tries=tries)) is None:
        first += tries
    return auth


def encode_auth(auth: Postage | Stamp) -> bytes:
    """Return the auth field, filled up with zeros.

    Raises:
        LocalMisuse: it is longer than an auth field.
    """
    if isinstance(auth, Postage):
        fields = encode(
            [
                int(AuthKind.POSTAGE),
                auth.key,
                auth.expiry_day,
                int(auth.traffic),
                auth.n,
                auth.issuer,
                auth.certificate,
                auth.signature,
            ]
        )
    else:
        fields = encode([int(AuthKind.STAMP), auth.nonce, auth.bits])
    if len(fields) > AUTH_BYTES:
        raise LocalMisuse("an auth field that is too long")
    return fields.ljust(AUTH_BYTES, b"\0")


def decode_auth(auth: bytes) -> Postage | Stamp:
    """Return the fields of an auth field; whether they hold is for `check` to say.

    Raises:
        Malformed: it is none, or not in canonical form.
    """
    if len(auth) != AUTH_BYTES:
        raise Malformed("an auth field of the wrong length")
    read = _read_postage(auth) if auth.startswith(_POSTAGE_LEAD) else _read_stamp(auth)
    # One encoding for every value, zeros behind it: comparing judges all of it.
    if encode_auth(read) != auth:
        raise Malformed("an auth field that is not in canonical form")
    return read


def _read_postage(auth: bytes) -> Postage:
    """Read the fields from where they would stand in the canonical form."""
    at = _DAY_AT
    day = auth[at]
    if day == _DAY_3_BYTES:
        day, at = int.from_bytes(auth[at + 1 : at + 3], "big"), at + 2
    elif day == _DAY_2_BYTES:
        day, at = auth[at + 1], at + 1
    traffic, n = auth[at + 1], auth[at + 2]
    if traffic > TrafficClass.BULK or not 1 <= n <= POSTAGE_IDS_MAX:
        raise Malformed("postage with a class or n that none may have")
    kid_at = at + 3 + len(_KID_LEAD)
    certificate_at = kid_at + ISSUER_ID_BYTES + len(_SIGNATURE_LEAD)
    signature_at = certificate_at + SIGNATURE_BYTES + len(_SIGNATURE_LEAD)
    return Postage(
        key=Ed25519Public(auth[len(_POSTAGE_LEAD) : _DAY_AT]),
        expiry_day=Day(day),
        traffic=TrafficClass(traffic),
        n=n,
        issuer=IssuerId(auth[kid_at : kid_at + ISSUER_ID_BYTES]),
        certificate=auth[certificate_at : certificate_at + SIGNATURE_BYTES],
        signature=auth[signature_at : signature_at + SIGNATURE_BYTES],
    )


def _read_stamp(auth: bytes) -> Stamp:
    """Read the fields from where they would stand in the canonical form."""
    bits = auth[_STAMP_BYTES - 1]
    if not STAMP_BITS_MIN <= bits <= STAMP_BITS_MAX:
        raise Malformed("a stamp with too few or too many bits, or no auth field")
    return Stamp(auth[len(_STAMP_LEAD) : len(_STAMP_LEAD) + NONCE_BYTES], bits)


def _certified(key: bytes, expiry_day: Day, traffic: TrafficClass, n: int) -> bytes:
    return key + expiry_day.to_bytes(2, "big") + bytes((traffic, n))


def check(
    auth: bytes,
    *,
    ref: BundleRef,
    kind: AuthKind,
    expiry_day: Day,
    issuers: Issuers,
    memo: CertificateMemo,
) -> Franked:
    """Return how the bundle `ref` is admitted by `auth` (protocol §3).

    Whether the postage key has franked more than `n` others is for the store to know.

    Raises:
        Malformed: `auth` is no auth field, or not of the bundle's kind.
        Exceeded: the bundle is more urgent, or lives longer, than what admits
            it allows; or a stamp is put on a notice.
        Forged: no issuer known stands behind it, a signature does not hold, or
            the work of a stamp was not done.
    """
    read = decode_auth(auth)
    if isinstance(read, Stamp):
        if kind is not AuthKind.STAMP:
            raise Malformed("a stamp on a bundle of another kind")
        return _check_stamp(read, ref)
    if kind is not AuthKind.POSTAGE:
        raise Malformed("postage on a bundle of another kind")
    if ref.traffic < read.traffic:
        raise Exceeded("a bundle more urgent than its postage")
    if expiry_day > read.expiry_day:
        raise Exceeded("a bundle that outlives its postage")
    _check_issuer(read, issuers, memo)
    verify(read.key, read.signature, Label.FRANK_1, ref.id)
    return Franked(AuthKind.POSTAGE, read.key, read.n)


def check_bundle(bundle: Bundle | Offer, *, issuers: Issuers, memo: CertificateMemo) -> Franked:
    """Return how a bundle, or the one that is offered, is admitted; as `check` does.

    Raises:
        Malformed, Exceeded, Forged: as `check`.
    """
    return check(
        bundle.auth,
        ref=bundle.ref,
        kind=bundle.kind,
        expiry_day=bundle.expiry_day,
        issuers=issuers,
        memo=memo,
    )


def _check_stamp(stamp: Stamp, ref: BundleRef) -> Franked:
    if ref.traffic is TrafficClass.NOTICE:
        raise Exceeded("a stamp on a notice")
    work = int.from_bytes(b2(Label.STAMP, ref.id + stamp.nonce)[:NONCE_BYTES], "big")
    if work >> (8 * NONCE_BYTES - stamp.bits):
        raise Forged("a stamp whose work was not done")
    return Franked(AuthKind.STAMP, b"", 0)


def _check_issuer(postage: Postage, issuers: Issuers, memo: CertificateMemo) -> None:
    """Return if a known issuer, not itself expired before the postage, certified it."""
    certified = postage.certified
    outlived = False
    for public, last_day in issuers(postage.issuer):
        if memo.verify(public, postage.certificate, certified):
            if postage.expiry_day <= last_day:
                return
            outlived = True
    if outlived:
        raise Exceeded("postage that outlives its issuer")
    raise Forged("postage that no known issuer certified")
