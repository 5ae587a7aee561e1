"""The uplink keeper: finds a way out whenever there is one, and keeps it.

    nobody reached --round of calls, a second apart--> a collector answers --> kept
          ^                        |                                            |
          +---- wait, jittered, ---+<-------- the link ends, or turns suspect --+
                2 s to 30 s

A round calls some routes side by side, those first through which a receipt came
back lately, then those not tried for longest, so that in time each has its turn.
A machine that carries keeps one collector; while the route to it is suspect, the
next collector is called as well.  A desk's machine keeps all of them, for any
may hold what was brought.  A new network ends all waiting.

A route whose limit is used up rests: it is left, and called only for a flash, and
then carries nothing else.

See docs/protocol/uplinks.md.
"""

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Final

from meshnews.crypto.entropy import between
from meshnews.crypto.keys import SymmetricKey
from meshnews.desk.bulletin import RelayFlags
from meshnews.desk.pack import RelayKeys
from meshnews.ids import LinkId
from meshnews.link.rendezvous import Rendezvous
from meshnews.node import shelf
from meshnews.node.event import Address, Dial, Dialled, Topic, Trouble
from meshnews.node.home import Home
from meshnews.node.links.allowance import Allowances
from meshnews.node.links.route import Route, addresses_of
from meshnews.node.links.target import Target
from meshnews.wire.codec import as_int, decode, encode

STAGGER_S: Final = 1.0
"""Between two calls of a round."""

ROUND_MAX: Final = 8
"""Calls of one round: a machine without a way out stays quiet."""

WAIT_S_MIN: Final = 2.0
WAIT_S_MAX: Final = 30.0
"""Between two rounds; each is drawn from the upper half.  A window of minutes is not slept
through."""

STEADY_S: Final = 10.0
"""A link that lasted this long was a good one, as is one over which something new crossed."""

FLASH_CALL_S: Final = 180.0
"""How long a route that rests is kept for a flash: the two minutes in which its receipt is let
go, and some."""

ROUTES_MAX: Final = 512
"""Routes kept in mind: every port of every endpoint of a large desk, and through a proxy."""

_PROVEN: Final = b"p"
_S_MAX: Final = 1 << 40


class UplinkKeeper:
    """The routes of one node, and which of them are being called or kept."""

    def __init__(self, home: Home, numbers: "itertools.count[int]") -> None:
        self._home = home
        self._numbers = numbers
        self.routes: list[Route] = []
        self._collectors: frozenset[bytes] = frozenset()
        self._attempts: dict[int, Route] = {}
        self._links: dict[LinkId, Route] = {}
        self._round: deque[Route] = deque()
        self._next_call_s = 0.0
        self._round_s = 0.0
        self._wait_s = WAIT_S_MIN
        self.allowances = Allowances(home)
        self._narrow: set[LinkId] = set()
        self._urgent_since_s: float | None = None

    # Which ways there are ---------------------------------------------------

    def know(self, relays: Iterable[tuple[RelayKeys, Iterable[SymmetricKey]]]) -> None:
        """Learn from card and bulletins which ways there are now; what is known of each stays.

        Args:
            relays: the keys of each relay and collector, and those it may still be called by.
        """
        home = self._home
        before = {(route.relay.static, route.address): route for route in self.routes}
        endpoints, settings = home.book.directory.endpoints, home.settings
        self.routes = []
        for relay, former in relays:
            if RelayFlags.COLLECTOR not in relay.flags:
                continue
            for address, within_s in addresses_of(
                relay.static, endpoints, settings.proxies, is_direct=settings.is_direct
            ):
                route = before.get((relay.static, address)) or Route(relay, address, within_s)
                route.relay, route.former = relay, tuple(map(Rendezvous.at_relay, former))
                if route not in self.routes and len(self.routes) < ROUTES_MAX:
                    self.routes.append(route)
        self._collectors = frozenset(bytes(route.relay.static) for route in self.routes)
        for route in self.routes:
            if (route.relay.static, route.address) not in before:
                route.proven_s = self._kept_proof(route)
        if any((route.relay.static, route.address) not in before for route in self.routes):
            self.hurry()

    def _kept_proof(self, route: Route) -> float | None:
        value = self._home.carry.get(shelf.WIRE, _proof_key(route))
        return None if value is None else float(as_int(decode(value, bytes_max=16), 0, _S_MAX))

    def hurry(self) -> None:
        """Begin a round now: the network has changed, or there are new ways."""
        self._round.clear()
        self._round_s, self._wait_s = 0.0, WAIT_S_MIN

    # When -------------------------------------------------------------------

    def due(self, elsewhere: Collection[bytes]) -> list[Dial]:
        """Return the calls to make now; each is answered by `opened` or `failed`.

        Args:
            elsewhere: collectors in contact by other ways than an uplink.
        """
        now_s, wanted = self._home.moment.lived_s, self._wanted(elsewhere)
        if not wanted:
            self._round.clear()
            return []
        if not self._round and now_s >= self._round_s:
            self._begin_round(wanted)
        calls = []
        while self._round and now_s >= self._next_call_s:
            route = self._round.popleft()
            if route.relay.static in wanted and route.is_idle:
                calls.append(self._call(route))
                self._next_call_s = now_s + STAGGER_S
        return calls

    def _begin_round(self, wanted: Collection[bytes]) -> None:
        now_s, found = self._home.moment.lived_s, self._candidates(wanted)
        self._round.extend(found)
        self._next_call_s = now_s
        # Calls of the last round may still be under way: nobody waits for the slowest.
        self._round_s = now_s + len(found) * STAGGER_S + self._rest_s()
        if found:
            self._wait_s = min(self._wait_s * 2, WAIT_S_MAX)

    def _rest_s(self) -> float:
        return between(self._home.entropy, 0.5, 1.0) * self._wait_s

    def _wanted(self, elsewhere: Collection[bytes]) -> set[bytes]:
        """Return the collectors to be called."""
        if not self._collectors:
            return set()
        home, now_s = self._home, self._home.moment.lived_s
        patience_s = home.settings.patience_s
        reached = {bytes(r.relay.static) for r in self._links.values() if r.linked_s is not None}
        good = any(not r.is_suspect(now_s, patience_s) for r in self.linked)
        if not home.identity.is_desk and (good or elsewhere):
            return set()
        usable = {bytes(route.relay.static) for route in self.routes if self._may_use(route)}
        return usable - reached - set(elsewhere)

    @property
    def linked(self) -> list[Route]:
        """The routes on which a collector answers now, the longest first."""
        if not self._links:
            return []
        found = [route for route in self._links.values() if route.linked_s is not None]
        return sorted(found, key=lambda route: (route.linked_s or 0.0, route.link or 0))

    def _candidates(self, wanted: Collection[bytes]) -> list[Route]:
        idle = [r for r in self.routes if r.is_idle and r.relay.static in wanted]
        proven = [r for r in idle if r.proven_s is not None and r.trouble is None]
        proven.sort(key=lambda r: -(r.proven_s or 0.0))
        others = [r for r in idle if r not in proven]
        others.sort(key=lambda r: -1.0 if r.tried_s is None else r.tried_s)
        found = [route for route in (*proven, *others) if self._may_use(route)]
        # Those that rest come last: sorting keeps the order of all others.
        found.sort(key=lambda r: self.allowances.rest_of(r.address) is not None)
        return found[: max(0, ROUND_MAX - len(self._attempts))]

    def _call(self, route: Route) -> Dial:
        route.attempt, route.tried_s = next(self._numbers), self._home.moment.lived_s
        self._attempts[route.attempt] = route
        return Dial(route.attempt, (route.address,), route.within_s)

    def next_s(self, elsewhere: Collection[bytes]) -> float | None:
        """Return when `due` may have something to return; None: when something has happened."""
        suspects = [
            route.taken_s + self._home.settings.patience_s
            for route in self.linked
            if route.taken_s is not None
        ]
        later = [at_s for at_s in suspects if at_s > self._home.moment.lived_s]
        if self._wanted(elsewhere):
            later.append(self._next_call_s if self._round else self._round_s)
        if (spent_s := self.allowances.next_s()) is not None:
            later.append(spent_s)
        if self._urgent_since_s is not None and self._narrow:
            later.append(self._urgent_since_s + FLASH_CALL_S)
        return min(later, default=None)

    # What became of a call --------------------------------------------------

    def opened(self, event: Dialled) -> Target | None:
        """Take note that a call reached a stream; return whom it is for.

        None: nobody any more, since the collector answers on another route by now.
        """
        route = self._attempts.pop(event.attempt, None)
        if route is None:
            return None
        route.attempt = None
        if any(other.relay.static == route.relay.static for other in self.linked):
            return None
        route.link, route.linked_s = event.link, None
        self._links[event.link] = route
        if self.allowances.rest_of(route.address) is not None:
            self._narrow.add(event.link)
        return route.target

    def failed(self, attempt: int, trouble: Trouble) -> None:
        """Take note that a call reached nobody."""
        route = self._attempts.pop(attempt, None)
        if route is not None:
            route.attempt = None
            self._learn(route, trouble)

    def completed(self, link: LinkId) -> None:
        """Take note that the collector has answered on a stream."""
        route = self._links.get(link)
        if route is not None:
            route.linked_s = self._home.moment.lived_s
            self._learn(route, None)

    def ended(
        self, link: LinkId, trouble: Trouble | None, *, moved: int = 0, useful: bool = False
    ) -> None:
        """Take note that a stream has ended, and why, if that is a trouble of the route.

        Args:
            link: the stream.
            trouble: why, if the route is to blame.
            moved: the bytes that went over it.
            useful: something crossed it, whole, that one of the two did not have.
        """
        if link not in self._links:
            return
        self.charge(lambda one: moved if one == link else None)
        route = self._links.pop(link)
        self._narrow.discard(link)
        began_s, route.link, route.linked_s = route.linked_s, None, None
        now_s = self._home.moment.lived_s
        self._learn(route, trouble)
        if began_s is None:
            route.turn += 1
            return
        if useful or now_s >= began_s + STEADY_S:
            self._wait_s = WAIT_S_MIN
        self._round_s = min(self._round_s, now_s + self._rest_s())

    def _learn(self, route: Route, trouble: Trouble | None) -> None:
        route.trouble = trouble
        self._home.tell(Topic.WIRE)

    # What a route may be used for ------------------------------------------

    def charge(self, moved_on: Callable[[LinkId], int | None]) -> list[LinkId]:
        """Take note of how much the routes are used; return the streams to be left.

        Args:
            moved_on: returns the bytes that went over a stream so far; None: as before.
        """
        allowances = self.allowances
        if not allowances.are_any:
            return []
        allowances.note(
            (link, route.address, moved_on(link)) for link, route in self._links.items()
        )
        self._calm()
        return [link for link in self._links if self._is_over(link)]

    def _is_over(self, link: LinkId) -> bool:
        """Tell whether a stream is no longer what its route may be used for."""
        route = self._links[link]
        rests = self.allowances.rest_of(route.address) is not None
        return rests is not (link in self._narrow) or not self._may_use(route)

    def _may_use(self, route: Route) -> bool:
        return self._urgent_since_s is not None or self.allowances.rest_of(route.address) is None

    def is_narrow(self, link: LinkId) -> bool:
        """Tell whether a stream is there for a flash alone."""
        return link in self._narrow

    def urge(self) -> None:
        """Take note of a flash: routes that rest are called for it."""
        if not self.allowances.are_any:
            return
        if self._urgent_since_s is None:
            self.hurry()
        self._urgent_since_s = self._home.moment.lived_s

    def _calm(self) -> None:
        """Let routes rest again once a collector has had time for the last flash."""
        since_s, now_s = self._urgent_since_s, self._home.moment.lived_s
        if since_s is None or not self.linked:
            return
        first_s = min(route.linked_s or 0.0 for route in self.linked)
        if now_s >= max(since_s, first_s) + FLASH_CALL_S:
            self._urgent_since_s = None

    # What a route is worth --------------------------------------------------

    def took(self, link: LinkId) -> None:
        """Take note that the machine at the end of a stream says it has a bundle on its disk."""
        route = self._links.get(link)
        if route is not None and route.taken_s is None:
            route.taken_s = self._home.moment.lived_s

    def proved(self, link: LinkId) -> None:
        """Take note that a receipt came through a stream."""
        route = self._links.get(link)
        if route is None:
            return
        now_s = self._home.moment.lived_s
        if route.proven_s is None or now_s >= route.proven_s + STEADY_S:
            self._home.carry.put(shelf.WIRE, _proof_key(route), encode(int(now_s)))
        route.proven_s, route.taken_s = now_s, None
        self._home.tell(Topic.WIRE)


def _proof_key(route: Route) -> bytes:
    address: Address = route.address
    return _PROVEN + route.relay.static + f"{address.transport} {address.where}".encode()
