"""Whom to call, where and when.

    idle --an address is known, the time has come--> dialling --stream open--> linked
     ^                                                  |                        |
     +------------- wait: backoff, 1 s doubling to 20 s +<-----------------------+

A node calls the relays and collectors that its card names: at the addresses
its keeper wrote down, and at those where a beacon of theirs was heard.  A
member also calls other members whose beacon it hears, as long as it has fewer
links than it wants; which of many is left to chance, so that a crowd becomes
one mesh and not a star.  Two relays are enough for who has links enough; with
all the links it may have it calls none but collectors.  A joiner calls the
machine that invited it.

An answer to a beacon that meets silence is not tried again with that beacon at
that address: it was a recording, or somebody else repeats it.  A stream that
could not be opened, or was closed at once, says nothing of the kind (there may
be a crowd) and is tried a few times.
See docs/protocol/discovery.md.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.entropy import Entropy, between, shuffled
from meshnews.crypto.keys import SymmetricKey
from meshnews.desk.pack import RelayKeys
from meshnews.ids import LinkId
from meshnews.limits import NEIGHBOURS_MAX
from meshnews.link.beacon import Heard
from meshnews.link.rendezvous import Rendezvous
from meshnews.node.event import Address, Dial
from meshnews.node.target import BACKOFF_S_MIN, Target, off_radio, on_radio

BACKOFF_S_MAX: Final = 20.0
BACKOFF_S_MAX_RADIO: Final = 300.0
CROWDED_S_MIN: Final = 60.0
CROWDED_S_MAX: Final = 900.0
"""How long to stay away from a neighbour who had no room for us, at first and after many times."""

NEWS_S_MAX: Final = 2.0
"""Who has something new calls those it stays away from within this time."""

MEMBERS_REMEMBERED_MAX: Final = 64
"""Members' beacons kept at once; each is a nonce and some addresses."""

MEMBER_S_MAX: Final = 2700.0
"""A member's beacon is worth nothing after the three epochs in which it is answered."""

LINKS_WANTED: Final = 4
RELAYS_WANTED: Final = 2
"""With this many links a member calls no more members; with so many of them to relays, no more
relays.  It still answers all."""

CUTS_PER_BEACON: Final = 4
"""Calls answered by nothing but the end of the stream, at one address, likewise."""

ADDRESSES_HEARD_MAX: Final = 8

STEADY_S: Final = 10.0
"""A link that lasted this long was a good one: after its end the backoff begins anew."""


@dataclass
class Dialler:
    """Keeps the targets and says which calls are due."""

    entropy: Entropy
    links_max: int = NEIGHBOURS_MAX
    """With this many links nobody is called but collectors."""
    targets: dict[bytes, Target] = field(default_factory=dict)
    _attempts: dict[int, Target] = field(default_factory=dict)
    _links: dict[LinkId, Target] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    # Who there is -----------------------------------------------------------

    def know(
        self, relay: RelayKeys, fixed: Iterable[Address], former: Iterable[SymmetricKey] = ()
    ) -> None:
        """Add a relay or collector, or learn its new keys and addresses, and its former keys."""
        rendezvous = Rendezvous.at_relay(relay.beacon_key)
        target = self.targets.get(relay.static)
        if target is None:
            target = self.targets[relay.static] = Target(relay.static, rendezvous, relay)
        if target.rendezvous != rendezvous:
            target.turn = 0
        target.rendezvous, target.relay, target.fixed = rendezvous, relay, tuple(fixed)
        target.former = tuple(map(Rendezvous.at_relay, former))
        if target.beacon is not None and target.beacon.rendezvous not in target.secrets:
            # A beacon under a key that counts no more leads to it no more.
            target.nonce, target.heard, target.beacon = b"", (), None
        by_radio = self.targets.get(on_radio(relay.static))
        if by_radio is not None and by_radio.secrets != target.secrets:
            del self.targets[by_radio.name]

    def forget(self, name: bytes) -> None:
        """Call this one no more; a call on its way, or a link, is left to end."""
        self.targets.pop(name, None)
        self.targets.pop(on_radio(name), None)

    def hear(self, beacon: Heard[bytes], addresses: Sequence[Address], now_s: float) -> Target:
        """Take note of a beacon that was recognised; return whom it leads to."""
        target = self.targets.get(beacon.name)
        if target is None:
            self._forget_members(now_s)
            target = self.targets[beacon.name] = Target(beacon.name, beacon.rendezvous)
        return self._heard(target, beacon, addresses, now_s)

    def hear_radio(
        self, beacon: Heard[bytes], addresses: Sequence[Address], now_s: float
    ) -> Target:
        """Take note of a short beacon that was recognised; return whom it leads to, by radio."""
        known = self.targets.get(beacon.name)
        name = on_radio(beacon.name)
        target = self.targets.get(name)
        if target is None:
            self._forget_members(now_s)
            target = self.targets[name] = Target(name, beacon.rendezvous, is_radio=True)
        if known is not None and known.relay is not None:
            target.relay, target.rendezvous = known.relay, known.rendezvous
            target.former = known.former
        return self._heard(target, beacon, addresses, now_s)

    @staticmethod
    def _heard(
        target: Target, beacon: Heard[bytes], addresses: Sequence[Address], now_s: float
    ) -> Target:
        if beacon.nonce != target.nonce:
            target.nonce, target.heard, target.tries = beacon.nonce, (), 0
            target.cuts.clear()
            if target.relay is None:
                target.rendezvous = beacon.rendezvous
            target.not_before_s, target.backoff_s = 0.0, BACKOFF_S_MIN
        target.beacon, target.heard_at_s = beacon, now_s
        # Whoever repeats it from elsewhere comes after its sender.
        heard = dict.fromkeys((*target.heard, *addresses))
        target.heard = tuple(heard)[:ADDRESSES_HEARD_MAX]
        return target

    def _forget_members(self, now_s: float) -> None:
        """Make room for one more member: drop what is stale, else the one heard longest ago."""
        members = [t for t in self.targets.values() if t.is_member and t.is_idle]
        for target in members:
            if target.heard_at_s < now_s - MEMBER_S_MAX:
                del self.targets[target.name]
        if sum(t.is_member for t in self.targets.values()) >= MEMBERS_REMEMBERED_MAX:
            left = [t for t in members if t.name in self.targets]
            if left:
                del self.targets[min(left, key=lambda t: (t.heard_at_s, t.name)).name]

    # When -------------------------------------------------------------------

    def due(self, now_s: float, *, links: int = 0) -> list[Dial]:
        """Return the calls to make now; each is answered by `opened` or `failed`.

        Args:
            now_s: the moment, in seconds of life.
            links: how many neighbours are in contact.
        """
        ready = [target for target in self._callable(links) if now_s >= target.not_before_s]
        ready.sort(key=lambda target: target.name)
        members = [target for target in ready if target.is_member]
        called = [self._call(target) for target in ready if not target.is_member]
        if members:
            wanted = LINKS_WANTED - links - len(self._attempts)
            chosen = shuffled(self.entropy, members)[: max(wanted, 0)]
            called += [self._call(target) for target in chosen]
        return called

    def _callable(self, links: int) -> Iterator[Target]:
        """Yield whom there is a use in calling, with so many neighbours in contact."""
        links += len(self._attempts)
        called = [*self._attempts.values(), *self._links.values()]
        has_relays = sum(target.is_relay for target in called) >= RELAYS_WANTED
        for target in self.targets.values():
            is_spare = target.is_member or (target.is_relay and has_relays)
            enough = LINKS_WANTED if is_spare else self.links_max
            if target.is_radio and self._is_better_left_alone(target):
                continue
            if target.may_be_called and (links < enough or target.is_collector):
                yield target

    def _is_better_left_alone(self, target: Target) -> bool:
        if target.is_member:
            # Who is linked already shows a new beacon in each epoch, which names nobody.
            near = [each for each in self.targets.values() if each.is_radio and each.is_member]
            linked = {each.link or each.twin for each in near} - {None}
            return sum(each.may_be_called for each in near) <= len(linked)
        known = self.targets.get(off_radio(target.name))
        return known is not None and not known.is_radio and known.is_promising

    def _call(self, target: Target) -> Dial:
        target.attempt = next(self.numbers)
        self._attempts[target.attempt] = target
        return Dial(target.attempt, target.addresses)

    def next_s(self, *, links: int = 0) -> float | None:
        """Return when the next call may be due."""
        return min((target.not_before_s for target in self._callable(links)), default=None)

    def hurry(self, now_s: float) -> None:
        """Call at once whom we know an address of: the network has changed."""
        for target in self.targets.values():
            target.not_before_s = min(target.not_before_s, now_s)
            target.backoff_s, target.tries = BACKOFF_S_MIN, 0

    def has_news(self, now_s: float) -> None:
        """Do not stay away from those who had no room: there is something to bring them."""
        for _, target in sorted(self.targets.items()):
            if target.not_before_s > now_s + NEWS_S_MAX and target.completed:
                target.not_before_s = now_s + between(self.entropy, 0.0, NEWS_S_MAX)

    # What became of a call --------------------------------------------------

    def opened(self, attempt: int, link: LinkId, where: Address) -> Target | None:
        """Take note that a call reached a stream at `where`; return whom it was for."""
        target = self._attempts.pop(attempt, None)
        if target is not None:
            target.attempt, target.link, target.completed = None, link, False
            target.reached = where
            self._links[link] = target
        return target

    def failed(self, attempt: int, now_s: float) -> None:
        """Take note that a call reached nobody."""
        target = self._attempts.pop(attempt, None)
        if target is not None:
            target.attempt = None
            target.tries += 1
            self._back_off(target, now_s)

    def completed(self, link: LinkId, now_s: float) -> None:
        """Take note that the handshake on `link` was completed."""
        target = self._links.get(link)
        if target is not None:
            target.completed, target.tries, target.linked_at_s = True, 0, now_s
            target.turn = 0

    def shares(self, link: LinkId, kept: LinkId) -> None:
        """Take note that `link`, about to end, leads where the stream `kept` leads already."""
        target = self._links.get(link)
        if target is not None:
            target.twin = kept

    def ended(
        self, link: LinkId, now_s: float, *, crowded: bool = False, cut: bool = False
    ) -> None:
        """Take note that a stream has ended.

        Args:
            link: the stream.
            now_s: the moment, in seconds of life.
            crowded: the other side said that it has no room for it.
            cut: it was the other side, or the network, that ended it.
        """
        for twin in self.targets.values():
            if twin.twin == link:
                twin.twin = None
                self._back_off(twin, now_s)
        target = self._links.pop(link, None)
        if target is None:
            return
        target.link = None
        if crowded:
            target.crowded_s = min(max(CROWDED_S_MIN, target.crowded_s * 2), CROWDED_S_MAX)
            target.not_before_s = now_s + between(self.entropy, 0.5, 1.0) * target.crowded_s
            return
        if not target.completed:
            self._unanswered(target, cut=cut)
        elif now_s >= target.linked_at_s + STEADY_S:
            target.backoff_s, target.crowded_s = BACKOFF_S_MIN, 0.0
        self._back_off(target, now_s)

    @staticmethod
    def _unanswered(target: Target, *, cut: bool) -> None:
        where = target.reached
        assert where is not None, "a link that leads nowhere"
        if cut:
            target.cuts.append(where)
        if not cut or target.cuts.count(where) >= CUTS_PER_BEACON:
            if not target.answers_a_beacon:
                # Perhaps it knows only a key of before, or no longer that.
                target.turn += 1
            target.spoiled.append((target.nonce, where))

    def _back_off(self, target: Target, now_s: float) -> None:
        # Spread out, so that machines that lost each other together do not
        # call each other in step for ever.
        target.not_before_s = now_s + between(self.entropy, 0.5, 1.0) * target.backoff_s
        longest_s = BACKOFF_S_MAX_RADIO if target.is_radio else BACKOFF_S_MAX
        target.backoff_s = min(target.backoff_s * 2, longest_s)
