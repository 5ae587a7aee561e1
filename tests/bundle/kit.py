"""A small desk, its postage and its readers, grown from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass

from meshnews.bundle.envelope import Sealed
from meshnews.bundle.format import payer_of
from meshnews.bundle.postage import ByPostage, issue, issuer_id
from meshnews.bundle.seal import Reader, epoch_ref, seal
from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import (
    Ed25519Public,
    Ed25519Secret,
    PostageKey,
    PrekeySecret,
    X25519Secret,
)
from meshnews.ids import AuthKind, BundleId, Day, DeskId, IssuerId, KeyRef, TrafficClass

DAY = Day(2600)
ISSUER = Ed25519Secret(b"i" * 32)
BYLINE = Ed25519Secret(b"b" * 32)
DESK = DeskId(b"d" * 16)
ISSUER_EXPIRY = Day(3000)


def issuers(kid: IssuerId) -> Sequence[tuple[Ed25519Public, Day]]:
    return [(ISSUER.public, ISSUER_EXPIRY)] if kid == issuer_id(ISSUER.public) else []


def postage(
    traffic: TrafficClass = TrafficClass.NOTICE, *, expiry_day: int = 2900, n: int = 1
) -> PostageKey:
    entropy = SeededEntropy(b"postage")
    return issue(ISSUER, entropy, expiry_day=Day(expiry_day), traffic=traffic, n=n, count=1)[0]


def franking(traffic: TrafficClass = TrafficClass.NOTICE, *, n: int = 1) -> ByPostage:
    return ByPostage(postage(traffic, n=n))


@dataclass(frozen=True)
class Given:
    """A franker that gives what it was given, good or not."""

    field: bytes
    kind: AuthKind = AuthKind.POSTAGE

    @property
    def payer(self) -> bytes:
        return payer_of(self.field, self.kind)

    def auth(self, _: BundleId) -> bytes:
        return self.field


class Member:
    """Somebody to whom bundles are sealed."""

    def __init__(self, seed: bytes, *, one_time: bool = True) -> None:
        entropy = SeededEntropy(seed)
        self.scan = X25519Secret(entropy.draw(32))
        secret = X25519Secret(entropy.draw(32))
        if one_time:
            self.prekey = PrekeySecret(KeyRef(entropy.draw(8)), secret, entropy.draw(32))
        else:
            self.prekey = PrekeySecret(epoch_ref(secret.public), secret, b"")

    @property
    def reader(self) -> Reader:
        return Reader(self.scan.public, self.prekey.prekey)


def sealed(
    payload: bytes = b"words",
    *,
    readers: Sequence[Reader] | None = None,
    traffic: TrafficClass = TrafficClass.ROUTINE,
    day: int = DAY,
    life: int = 14,
    seed: bytes = b"sealed",
) -> Sealed:
    return seal(
        payload,
        [Member(b"editor").reader] if readers is None else readers,
        traffic=traffic,
        day=Day(day),
        life=life,
        entropy=SeededEntropy(seed),
        franker=franking(),
    )
