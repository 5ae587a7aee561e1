"""Whom to call, where and when.

    idle --an address is known, the time has come--> dialling --stream open--> linked
     ^                                                  |                        |
     +------------- wait: backoff, 1 s doubling to 20 s +<-----------------------+

A node calls the relays and collectors that its card names: at the addresses
its keeper wrote down, and at those where a beacon of theirs was heard.  A
member also calls other members whose beacon it hears.  A beacon is answered
at most once per epoch, unless the last call completed its handshake.
See docs/protocol/discovery.md.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.entropy import Entropy, between
from meshnews.desk.bulletin import RelayFlags
from meshnews.desk.pack import RelayKeys
from meshnews.ids import LinkId
from meshnews.link.beacon import Heard
from meshnews.link.handshake import MemberTarget, RelayTarget
from meshnews.link.rendezvous import Rendezvous
from meshnews.node.event import Address, Dial

BACKOFF_S_MIN: Final = 1.0
BACKOFF_S_MAX: Final = 20.0
MEMBERS_REMEMBERED_MAX: Final = 64
"""Members' beacons kept at once; each is a nonce and some addresses."""


@dataclass
class Target:
    """One machine that may be called.

    Attributes:
        name: what sorts it: the static key of a relay, the nonce of a member's beacon.
        rendezvous: the secret shared with it.
        relay: its keys, when it is a relay or collector.
        fixed: addresses its keeper wrote down.
        heard: addresses at which its newest beacon was heard.
        nonce: nonce of that beacon; empty: none heard.
        beacon: what it said.
        spoiled: the nonce of a beacon whose answer met silence: its sender has
            started afresh since, and is called without it.
    """

    name: bytes
    rendezvous: Rendezvous
    relay: RelayKeys | None = None
    fixed: tuple[Address, ...] = ()
    heard: tuple[Address, ...] = ()
    nonce: bytes = b""
    beacon: Heard[bytes] | None = None
    answered: bytes = b""
    spoiled: bytes = b""
    attempt: int | None = None
    link: LinkId | None = None
    not_before_s: float = 0.0
    backoff_s: float = BACKOFF_S_MIN
    completed: bool = True
    """The last call completed its handshake; true before the first."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where to try, the freshest news first."""
        return tuple(dict.fromkeys((*self.heard, *self.fixed)))

    @property
    def handshake(self) -> RelayTarget | MemberTarget:
        """Whom the handshake is for."""
        if self.relay is None:
            return MemberTarget(self.rendezvous, self.nonce)
        nonce = b"" if self.nonce == self.spoiled else self.nonce
        return RelayTarget(self.relay.static, self.rendezvous, nonce)

    @property
    def is_collector(self) -> bool:
        """Its desk's card says that it stands on the internet for the desk."""
        return self.relay is not None and RelayFlags.COLLECTOR in self.relay.flags

    @property
    def is_idle(self) -> bool:
        """Neither linked nor being called."""
        return self.attempt is None and self.link is None


@dataclass
class Dialler:
    """Keeps the targets and says which calls are due."""

    entropy: Entropy
    targets: dict[bytes, Target] = field(default_factory=dict)
    _attempts: dict[int, Target] = field(default_factory=dict)
    _links: dict[LinkId, Target] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def know(self, relay: RelayKeys, fixed: Iterable[Address]) -> None:
        """Add a relay or collector, or learn its new keys and addresses."""
        rendezvous = Rendezvous.at_relay(relay.beacon_key)
        target = self.targets.get(relay.static)
        if target is None:
            target = self.targets[relay.static] = Target(relay.static, rendezvous, relay)
        target.rendezvous, target.relay, target.fixed = rendezvous, relay, tuple(fixed)

    def hear(
        self, name: bytes, rendezvous: Rendezvous, nonce: bytes, addresses: Sequence[Address]
    ) -> None:
        """Take note of a beacon that was recognised."""
        target = self.targets.get(name)
        if target is None:
            if sum(t.relay is None for t in self.targets.values()) >= MEMBERS_REMEMBERED_MAX:
                self._forget_a_member()
            target = self.targets[name] = Target(name, rendezvous)
        if nonce != target.nonce:
            target.nonce, target.heard = nonce, ()
            target.not_before_s, target.backoff_s = 0.0, BACKOFF_S_MIN
        target.heard = tuple(dict.fromkeys((*addresses, *target.heard)))[:8]

    def due(self, now_s: float) -> list[Dial]:
        """Return the calls to make now; each is answered by `opened` or `failed`."""
        dials = []
        for _, target in sorted(self.targets.items()):
            if now_s >= target.not_before_s and self._may_call(target):
                target.attempt = next(self._numbers)
                target.answered = target.nonce
                self._attempts[target.attempt] = target
                dials.append(Dial(target.attempt, target.addresses))
        return dials

    def hurry(self, now_s: float) -> None:
        """Call at once whom we know an address of: the network has changed."""
        for target in self.targets.values():
            target.not_before_s = min(target.not_before_s, now_s)
            target.backoff_s = BACKOFF_S_MIN

    def next_s(self) -> float | None:
        """Return when the next call may be due."""
        return min(
            (t.not_before_s for t in self.targets.values() if self._may_call(t)), default=None
        )

    def _may_call(self, target: Target) -> bool:
        if not target.is_idle or not target.addresses:
            return False
        if target.fixed or target.completed:
            return True
        return target.nonce != target.answered

    def opened(self, attempt: int, link: LinkId) -> Target | None:
        """Take note that a call reached a stream; return whom it was for."""
        target = self._attempts.pop(attempt, None)
        if target is not None:
            target.attempt, target.link, target.completed = None, link, False
            self._links[link] = target
        return target

    def failed(self, attempt: int, now_s: float) -> None:
        """Take note that a call reached nobody."""
        target = self._attempts.pop(attempt, None)
        if target is not None:
            target.attempt, target.completed = None, False
            self._back_off(target, now_s)

    def completed(self, link: LinkId) -> None:
        """Take note that the handshake on `link` was completed."""
        target = self._links.get(link)
        if target is not None:
            target.completed, target.backoff_s = True, BACKOFF_S_MIN

    def ended(self, link: LinkId, now_s: float) -> None:
        """Take note that a stream has ended."""
        target = self._links.pop(link, None)
        if target is not None:
            target.link = None
            if not target.completed:
                target.spoiled = target.nonce
            self._back_off(target, now_s)

    def _back_off(self, target: Target, now_s: float) -> None:
        # Spread out, so that machines that lost each other together do not
        # call each other in step for ever.
        target.not_before_s = now_s + between(self.entropy, 0.5, 1.0) * target.backoff_s
        target.backoff_s = min(target.backoff_s * 2, BACKOFF_S_MAX)

    def _forget_a_member(self) -> None:
        for name, target in sorted(self.targets.items()):
            if target.relay is None and target.is_idle:
                del self.targets[name]
                return
