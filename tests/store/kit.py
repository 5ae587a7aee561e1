"""Bundles, entries, moments and nodes for the tests of stores and custody."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from meshnews.bundle.format import Bundle, Franker, Head, assemble, commitment
from meshnews.bundle.postage import ByPostage, Issuers, issue, issuer_id
from meshnews.bundle.receipt import Receipt, receipt_of
from meshnews.bundle.shape import shape_of
from meshnews.bundle.stamp import ByStamp
from meshnews.crypto.entropy import Entropy, SeededEntropy
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, PostageKey
from meshnews.ids import AuthKind, BundleId, BundleRef, Day, IssuerId, TrafficClass
from meshnews.limits import STANZA_BYTES
from meshnews.store.age import Moment
from meshnews.store.custody import Custody
from meshnews.store.memory import MemoryCarry
from meshnews.store.port import WITH_BODY, Entry, State
from meshnews.store.terms import Judgement, Terms
from tests.bundle.kit import Given

TODAY = Day(2100)
ISSUER = Ed25519Secret(b"i" * 32)
STRANGER = Ed25519Secret(b"x" * 32)
DAY_S = 86400.0


def issuers(issuer: IssuerId) -> Sequence[tuple[Ed25519Public, Day]]:
    """Know one issuer."""
    return by_any_name(issuer) if issuer == issuer_id(ISSUER.public) else []


def by_any_name(_: IssuerId) -> Sequence[tuple[Ed25519Public, Day]]:
    """Know one issuer, whatever it is called: names are four bytes and may be shared."""
    return [(ISSUER.public, Day(TODAY + 400))]


def at(lived_s: float = 1000.0, floor_day: int = TODAY, settled_day: int | None = None) -> Moment:
    """Return a moment."""
    settled = None if settled_day is None else Day(settled_day)
    return Moment(lived_s, Day(floor_day), Day(floor_day), settled)


def identifier(number: int) -> BundleId:
    """Return an id that looks random."""
    return BundleId(hashlib.blake2b(b"%d" % number, digest_size=32).digest())


def entry_of(
    number: int,
    state: State = State.HELD,
    *,
    traffic: TrafficClass = TrafficClass.ROUTINE,
    day: int = TODAY,
    size: int = 2048,
    auth: AuthKind = AuthKind.POSTAGE,
    key: int | None = None,
    expiry_day: int | None = None,
    dies_at_s: float = 1e6,
    acked_at_s: float = 0.0,
    release_at_s: float = 0.0,
    copies: int = 0,
    pinned: bool = False,
    had_body: bool = False,
) -> Entry:
    """Return an entry; what is not said is ordinary."""
    postage_key = b"" if auth is AuthKind.STAMP else identifier(-1 if key is None else key)
    return Entry(
        ref=BundleRef(traffic, Day(day), identifier(number)),
        state=state,
        size=size,
        auth=auth,
        postage_key=postage_key,
        expiry_day=Day(day + 16 if expiry_day is None else expiry_day),
        dies_at_s=dies_at_s,
        acked_at_s=acked_at_s,
        release_at_s=release_at_s,
        copies=copies,
        pinned=pinned,
        had_body=had_body,
    )


def body_of(entry: Entry) -> bytes:
    """Return as many bytes as the entry says, or none when its state has no body."""
    return entry.ref.id[:1] * entry.size if entry.state in WITH_BODY else b""


@dataclass(frozen=True)
class Sample:
    """A bundle that nobody can open, and what makes its receipt."""

    bundle: Bundle
    purge: bytes

    @property
    def ref(self) -> BundleRef:
        return self.bundle.ref

    @property
    def receipt(self) -> Receipt:
        return receipt_of(self.bundle, self.purge)


class Press:
    """Makes bundles; the same seed makes the same ones."""

    def __init__(self, seed: int = 0) -> None:
        self.entropy: Entropy = SeededEntropy(b"press" + seed.to_bytes(8, "big"))

    def key(
        self, *, n: int = 1, traffic: TrafficClass = TrafficClass.NOTICE, by: Ed25519Secret = ISSUER
    ) -> PostageKey:
        """Make a postage key."""
        last_day = Day(TODAY + 400)
        keys = issue(by, self.entropy, expiry_day=last_day, traffic=traffic, n=n, count=1)
        return keys[0]

    def make(
        self,
        traffic: TrafficClass = TrafficClass.ROUTINE,
        *,
        size: int = 2048,
        life: int = 14,
        day: int = TODAY,
        key: PostageKey | None = None,
        auth: bytes | None = None,
    ) -> Sample:
        """Make a bundle under a key of its own, or the one given, or with the auth given."""
        franker = ByPostage(key or self.key()) if auth is None else Given(auth)
        return self._assemble(AuthKind.POSTAGE, _Form(traffic, size, life, day), franker)

    def stamped(self, number: int, *, day: int = TODAY) -> Sample:
        """Make a bundle with a stamp; its work was done before, for the numbers of `_NONCES`."""
        self.entropy = SeededEntropy(b"stamped" + number.to_bytes(8, "big"))
        first = _NONCES[number] if day == TODAY else 0

        return self._assemble(AuthKind.STAMP, _Form(day=day), ByStamp(first=first))

    def _assemble(self, kind: AuthKind, form: "_Form", franker: Franker) -> Sample:
        shape = shape_of(form.size, kind, form.traffic, form.life, form.day)
        draw = self.entropy.draw
        purge = draw(32)
        stanzas = draw(STANZA_BYTES * shape.stanza_count)
        head = Head(shape, pc=commitment(purge), ephemeral=draw(32), stanzas=stanzas)
        return Sample(assemble(head, draw(shape.padded_bytes + 16), franker), purge)


@dataclass(frozen=True)
class _Form:
    """What anybody can read of a bundle."""

    traffic: TrafficClass = TrafficClass.ROUTINE
    size: int = 2048
    life: int = 14
    day: int = TODAY


_NONCES = (208386, 1539027, 132073, 6243405)
"""Where the search for the stamp of each numbered bundle ends at once."""


class Keeper:
    """One node's custody over a store in memory."""

    def __init__(
        self,
        *,
        collector: bool = False,
        desk: bool = False,
        quota_bytes: int = 1 << 30,
        seed: bytes = b"keeper",
        carry: MemoryCarry | None = None,
    ) -> None:
        self.carry = MemoryCarry() if carry is None else carry
        self.known: Issuers = issuers
        self.custody = Custody(
            self.carry,
            Terms(quota_bytes=quota_bytes, collector=collector, desk=desk),
            SeededEntropy(seed),
            self._issuers,
        )

    def _issuers(self, issuer: IssuerId) -> Sequence[tuple[Ed25519Public, Day]]:
        return self.known(issuer)

    def take(self, sample: Sample, moment: Moment | None = None, *, age_s: int = 0) -> Judgement:
        """Let a peer bring a bundle."""
        accepted = self.custody.accept(sample.bundle.wire, age_s=age_s, moment=moment or at())
        return accepted.outcome

    def state(self, sample: Sample) -> State | None:
        return self.carry.state(sample.ref)

    def states(self, samples: Sequence[Sample]) -> list[State | None]:
        return [self.carry.state(sample.ref) for sample in samples]
