"""What lets a relay tell press bundles from noise: postage, and stamps for those without.

    kid  = b2('issuer', issuer's public key)[:4]
    cert = issuer's signature over 'postage1' ‖ pk ‖ expiry_day u16 ‖ class u8 ‖ n u8
    sig  = postage key's signature over 'frank1' ‖ id; the id names pk

The field that carries them is `auth_field`'s.  See docs/protocol/bundles.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from meshnews.bundle.auth_field import (
    ISSUER_ID_BYTES,
    Postage,
    Stamp,
    decode_auth,
    encode_auth,
    what_is_certified,
)
from meshnews.bundle.format import Bundle, Offer
from meshnews.bundle.stamp import verify_work
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import Entropy
from meshnews.crypto.keys import (
    KEY_BYTES,
    Ed25519Public,
    Ed25519Secret,
    PostageKey,
    verify,
)
from meshnews.errors import Exceeded, Forged, LocalMisuse, Malformed
from meshnews.ids import AuthKind, BundleId, BundleRef, Day, IssuerId, TrafficClass
from meshnews.limits import CERTIFICATES_REMEMBERED_MAX, POSTAGE_IDS_MAX

EXPIRY_DAY_MAX: Final = 0xFFFF

Issuers = Callable[[IssuerId], Sequence[tuple[Ed25519Public, Day]]]
"""Gives every issuer known under an identifier, with the last day of each."""


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
    certified = what_is_certified(Ed25519Secret(seed).public, expiry_day, traffic, n)
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
    verify_work(stamp, ref.id)
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
