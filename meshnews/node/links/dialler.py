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
machine that invited it.  Now and then one is called whom it has not met lately,
however many links there are: those that are there may be of no use.

An answer to a beacon that meets silence is not tried again with that beacon at
that address: it was a recording, or somebody else repeats it.  A stream that
could not be opened, or was closed at once, says nothing of the kind (there may
be a crowd) and is tried a few times; as is a beacon that led to a link there.
See docs/protocol/discovery.md.
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.entropy import Entropy, between
from meshnews.crypto.keys import SymmetricKey
from meshnews.desk.pack import RelayKeys
from meshnews.ids import LinkId
from meshnews.limits import NEIGHBOURS_MAX
from meshnews.link.beacon import Heard
from meshnews.link.rendezvous import Rendezvous
from meshnews.node.event import Address, Dial
from meshnews.node.links.candidates import NOBODY, Callers, Candidates, Outlook
from meshnews.node.links.company import place_of
from meshnews.node.links.target import BACKOFF_S_MIN, Target, on_radio

BACKOFF_S_MAX: Final = 20.0
BACKOFF_S_MAX_RADIO: Final = 300.0
CROWDED_S_MIN: Final = 60.0
CROWDED_S_MAX: Final = 900.0
"""How long to stay away from a neighbour who had no room for us, at first and after many times."""

SHUNNED_S_MIN: Final = 1.0
SHUNNED_S_MAX: Final = 300.0
"""How long to stay away from a neighbour that broke the protocol, at first and after many times.
The stream of an honest one can be damaged; of another each call costs a whole comparison."""

NEWS_S_MAX: Final = 2.0
"""Who has something new calls those it stays away from within this time."""

MEMBERS_REMEMBERED_MAX: Final = 64
"""Members' beacons kept at once; each is a nonce and some addresses."""

MEMBER_S_MAX: Final = 2700.0
"""A member's beacon is worth nothing after the three epochs in which it is answered."""

EXTRA_S: Final = (60.0, 180.0)
"""After a time drawn from here one more is called than are wanted, whoever is in contact.  The
time is drawn here alone, so nobody can bring a call forward or put it off."""

CUTS_PER_BEACON: Final = 4
"""Calls in a row, at one address, that are answered by nothing but the end of the stream; or by
nothing, where an answer to the same beacon has led to a link before."""

ADDRESSES_HEARD_MAX: Final = 8

STEADY_S: Final = 10.0
"""A link that lasted this long was a good one, as is one over which something new crossed: after
its end the backoff begins anew."""


@dataclass
class Dialler:
    """Keeps the targets and says which calls are due."""

    entropy: Entropy
    links_max: int = NEIGHBOURS_MAX
    """With this many links nobody is called but collectors."""
    targets: dict[bytes, Target] = field(default_factory=dict)
    _attempts: dict[int, Target] = field(default_factory=dict)
    _links: dict[LinkId, Target] = field(default_factory=dict)
    _extra_at_s: float | None = None
    _outlook: Outlook | None = None
    _candidates: Candidates = field(init=False)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._candidates = Candidates(self.targets, self._attempts, self._links, self.links_max)

    # Who there is -----------------------------------------------------------

    def know(
        self, relay: RelayKeys, fixed: Iterable[Address], former: Iterable[SymmetricKey] = ()
    ) -> None:
        """Add a relay or collector, or learn its new keys and addresses, and its former keys."""
        self._outlook = None
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
        self._outlook = None
        self.targets.pop(name, None)
        self.targets.pop(on_radio(name), None)

    def hear(self, beacon: Heard[bytes], addresses: Sequence[Address], now_s: float) -> Target:
        """Take note of a beacon that was recognised; return whom it leads to."""
        name = beacon.name
        target = self.targets.get(name)
        if target is not None and target.is_claimed_elsewhere(addresses):
            name += place_of(addresses[0]).encode()
            target = self.targets.get(name)
        if target is None:
            self._forget_members(now_s)
            target = self.targets[name] = Target(name, beacon.rendezvous)
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
            self._outlook = None
            target.relay, target.rendezvous = known.relay, known.rendezvous
            target.former = known.former
        return self._heard(target, beacon, addresses, now_s)

    def _heard(
        self, target: Target, beacon: Heard[bytes], addresses: Sequence[Address], now_s: float
    ) -> Target:
        if beacon.nonce != target.nonce:
            self._outlook = None
            target.nonce, target.heard, target.tries = beacon.nonce, (), 0
            target.cuts.clear()
            if target.relay is None:
                target.rendezvous = beacon.rendezvous
            # Whoever has its key can make beacons without end.
            target.hasten(target.ended_at_s + BACKOFF_S_MIN)
            target.backoff_s = BACKOFF_S_MIN
        target.beacon, target.heard_at_s = beacon, now_s
        # Whoever repeats it from elsewhere comes after its sender.
        heard = dict.fromkeys((*target.heard, *addresses))
        if len(heard) > len(target.heard):
            self._outlook = None
            target.heard = tuple(heard)[:ADDRESSES_HEARD_MAX]
        return target

    def _forget_members(self, now_s: float) -> None:
        """Make room for one more member: drop what is stale, else one of the fullest place.

        Of these the one heard longest ago: one machine with many beacons pushes out its own.
        """
        members = [t for t in self.targets.values() if t.is_member and t.is_idle]
        for target in members:
            if target.heard_at_s < now_s - MEMBER_S_MAX:
                del self.targets[target.name]
        if sum(t.is_member for t in self.targets.values()) >= MEMBERS_REMEMBERED_MAX:
            left = [t for t in members if t.name in self.targets]
            # Those that were silent wherever they were heard are a crowd of their own.
            crowd = Counter(t.places[:1] for t in left)
            if left:
                order = min(left, key=lambda t: (-crowd[t.places[:1]], t.heard_at_s, t.name))
                del self.targets[order.name]

    # When -------------------------------------------------------------------

    def due(self, now_s: float, *, callers: Callers = NOBODY) -> list[Dial]:
        """Return the calls to make now; each is answered by `opened` or `failed`.

        Args:
            now_s: the moment, in seconds of life.
            callers: the neighbours in contact who called us, and from where.
        """
        called: list[Dial] = []
        if now_s >= self._look_ahead(callers).call_s:
            called = self._call_who_is_due(now_s, callers)
        return called + self._extra(now_s, callers)

    def _call_who_is_due(self, now_s: float, callers: Callers) -> list[Dial]:
        waited = [each for each in self.targets.values() if now_s >= each.not_before_s]
        ready = list(self._candidates.worth_calling(waited, callers))
        ready.sort(key=lambda target: target.name)
        called = [self._call(target) for target in ready if not target.is_member]
        members = [target for target in ready if target.is_member]
        while wanted := self._candidates.wanted(members, callers):
            target, place = self._candidates.draw(wanted, callers, self.entropy)
            called.append(self._call(target, place))
            members.remove(target)
        return called

    def _extra(self, now_s: float, callers: Callers) -> list[Dial]:
        """Return the call to one we have not met lately, when the time for it has come."""
        if self._extra_at_s is not None and now_s < self._extra_at_s:
            return []
        is_due = self._extra_at_s is not None
        self._outlook = None
        self._extra_at_s = now_s + between(self.entropy, *EXTRA_S)
        strangers = [t for t in self._candidates.strangers(now_s) if now_s >= t.not_before_s]
        if not is_due or not strangers:
            return []
        target, place = self._candidates.draw(
            sorted(strangers, key=lambda t: t.name), callers, self.entropy
        )
        return [self._call(target, place, is_extra=True)]

    def _call(self, target: Target, place: str = "", *, is_extra: bool = False) -> Dial:
        self._outlook = None
        target.attempt = next(self.numbers)
        target.is_extra = is_extra
        addresses = target.addresses
        if place:
            # Who repeats a beacon may have been heard before its sender.
            addresses = tuple(sorted(addresses, key=lambda each: place_of(each) != place))
        target.going_to = place_of(addresses[0])
        self._attempts[target.attempt] = target
        return Dial(target.attempt, addresses)

    def next_s(self, *, callers: Callers = NOBODY) -> float | None:
        """Return when the next call may be due."""
        outlook = self._look_ahead(callers)
        next_s = min(outlook.call_s, outlook.extra_s)
        return next_s if next_s < math.inf else None

    def _look_ahead(self, callers: Callers) -> Outlook:
        """Return what is to be expected; asked at every event, and looked up after a change."""
        outlook = self._outlook
        if outlook is None or outlook.callers != callers:
            waiting = sorted(self.targets.values(), key=lambda target: target.not_before_s)
            call_s = next(
                (t.not_before_s for t in self._candidates.worth_calling(waiting, callers)), math.inf
            )
            outlook = self._outlook = Outlook(dict(callers), call_s, self._extra_due_s())
        return outlook

    def _extra_due_s(self) -> float:
        if self._extra_at_s is None:
            return math.inf
        times = (each.not_before_s for each in self._candidates.strangers(self._extra_at_s))
        return max(self._extra_at_s, min(times, default=math.inf))

    def hurry(self, now_s: float) -> None:
        """Call at once whom we know an address of: the network has changed."""
        self._outlook = None
        for target in self.targets.values():
            target.hasten(now_s)
            target.backoff_s, target.tries = BACKOFF_S_MIN, 0

    def has_news(self, now_s: float) -> None:
        """Do not stay away from those who had no room: there is something to bring them."""
        for _, target in sorted(self.targets.items()):
            is_away = target.not_before_s > now_s + NEWS_S_MAX and target.completed
            if is_away and not target.shunned_s:
                self._outlook = None
                target.not_before_s = now_s + between(self.entropy, 0.0, NEWS_S_MAX)

    # What became of a call --------------------------------------------------

    def opened(self, attempt: int, link: LinkId, where: Address) -> Target | None:
        """Take note that a call reached a stream at `where`; return whom it was for."""
        target = self._attempts.pop(attempt, None)
        if target is not None:
            self._outlook = None
            target.attempt, target.link, target.completed = None, link, False
            target.reached, target.going_to = where, place_of(where)
            self._links[link] = target
        return target

    def failed(self, attempt: int, now_s: float) -> None:
        """Take note that a call reached nobody."""
        target = self._attempts.pop(attempt, None)
        if target is not None:
            self._outlook = None
            target.attempt, target.ended_at_s = None, now_s
            target.tries += 1
            self._back_off(target, now_s)

    def completed(self, link: LinkId, now_s: float) -> None:
        """Take note that the handshake on `link` was completed."""
        target = self._links.get(link)
        if target is not None:
            self._outlook = None
            target.completed, target.tries, target.linked_at_s = True, 0, now_s
            target.turn = 0
            target.met_at_s = now_s
            target.answered = (target.nonce, target.reached)
            target.cuts = [where for where in target.cuts if where != target.reached]

    def shares(self, link: LinkId, kept: LinkId) -> None:
        """Take note that `link`, about to end, leads where the stream `kept` leads already."""
        target = self._links.get(link)
        if target is not None:
            self._outlook = None
            target.twin = kept

    def ended(
        self,
        link: LinkId,
        now_s: float,
        *,
        crowded: bool = False,
        cut: bool = False,
        broke: bool = False,
        useful: bool = False,
    ) -> None:
        """Take note that a stream has ended.

        Args:
            link: the stream.
            now_s: the moment, in seconds of life.
            crowded: the other side said that it has no room for it.
            cut: it was the other side, or the network, that ended it.
            broke: it was us, since the other side broke the protocol.
            useful: something crossed it, whole, that one of the two did not have.
        """
        self._outlook = None
        for twin in self.targets.values():
            if twin.twin == link:
                twin.twin, twin.met_at_s = None, now_s
                self._back_off(twin, now_s)
        target = self._links.pop(link, None)
        if target is None:
            return
        target.link, target.ended_at_s = None, now_s
        if target.completed:
            target.met_at_s = now_s
        if broke and target.completed:
            target.shunned_s = min(max(SHUNNED_S_MIN, target.shunned_s * 2), SHUNNED_S_MAX)
            target.not_before_s = now_s + between(self.entropy, 0.5, 1.0) * target.shunned_s
            return
        if target.completed:
            target.shunned_s = 0.0
        if crowded:
            target.crowded_s = min(max(CROWDED_S_MIN, target.crowded_s * 2), CROWDED_S_MAX)
            target.not_before_s = now_s + between(self.entropy, 0.5, 1.0) * target.crowded_s
            return
        if not target.completed:
            self._unanswered(target, cut=cut)
        elif useful or now_s >= target.linked_at_s + STEADY_S:
            target.backoff_s, target.crowded_s = BACKOFF_S_MIN, 0.0
        self._back_off(target, now_s)

    @staticmethod
    def _unanswered(target: Target, *, cut: bool) -> None:
        where = target.reached
        assert where is not None, "a link that leads nowhere"
        # What has led to a link there is no recording: the call was damaged on the way.
        is_live = target.answers_a_beacon and (target.nonce, where) == target.answered
        may_repeat = cut or is_live
        if may_repeat and target.cuts.count(where) < CUTS_PER_BEACON:
            target.cuts.append(where)
        if not may_repeat or target.cuts.count(where) >= CUTS_PER_BEACON:
            if target.answers_a_beacon:
                target.spoiled.append((target.nonce, where))
            else:
                # Perhaps it knows only a key of before, or no longer that.
                target.turn += 1

    def _back_off(self, target: Target, now_s: float) -> None:
        # Spread out, so that machines that lost each other together do not
        # call each other in step for ever.
        target.not_before_s = now_s + between(self.entropy, 0.5, 1.0) * target.backoff_s
        longest_s = BACKOFF_S_MAX_RADIO if target.is_radio else BACKOFF_S_MAX
        target.backoff_s = min(target.backoff_s * 2, longest_s)
