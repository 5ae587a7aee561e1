"""Room for bodies: the quota, its partitions, and who goes first.

Order of eviction: expired; acked; stamped; aged; then class 3, 2, 1, in each the
lowest day (that of arrival, if it was dated ahead) and the most copied first.  A
newcomer displaces only what goes before it, and either finds all the room it needs or
displaces nothing.  Stamped bundles have at most STAMP_SHARE_MAX of the quota.  Notices
are never displaced, so those that bear nothing new for all have at most NOTICE_SHARE_MAX.
At a desk's machine texts may take what the disk bears beyond the quota: what was opened
and is kept there never goes, and would keep them out for good.
See docs/protocol/custody.md, "Room".
"""

from dataclasses import replace
from typing import Final

from meshnews.bundle.format import Bundle, Offer
from meshnews.ids import AuthKind, Day, TrafficClass
from meshnews.limits import CLASS_FREE_SHARE, NOTICE_SHARE_MAX, STAMP_SHARE_MAX, WIRE_BYTES
from meshnews.store.age import Moment
from meshnews.store.port import Carry, Entry, State
from meshnews.store.terms import Terms

RESERVE_BYTES: Final = 64 * 1024 * 1024
"""Left free on the disk for everything else that the machine does."""

NOTICE_BYTES_MIN: Final = 1024 * 1024
"""The share of notices in the smallest quota."""

Place = tuple[TrafficClass, Day]
"""Class, and the day by which a bundle stands in the order of eviction."""

_LOOK_AT: Final = 64
"""Bodies looked at to place a stamped one in its own partition."""


class Room:
    """How much the store may hold, and making room in it."""

    def __init__(self, carry: Carry, terms: Terms) -> None:
        self._carry = carry
        self._terms = terms
        self._bearable: int | None = None

    def free_space(self, bytes_free: int) -> None:
        """Take note of what the disk has left.

        Raises:
            Nothing.
        """
        self._bearable = max(0, self._carry.usage().total + bytes_free - RESERVE_BYTES)

    @property
    def allowed_bytes(self) -> int:
        """What bodies may take now: the quota, or what the disk still bears."""
        quota = self._terms.quota_bytes
        return quota if self._bearable is None else min(quota, self._bearable)

    def _allowed_to(self, traffic: TrafficClass, auth: AuthKind) -> int:
        """Return how far a newcomer may fill the store."""
        is_text = self._terms.desk and traffic < TrafficClass.BULK
        if is_text and auth is AuthKind.POSTAGE and self._bearable is not None:
            return self._bearable
        return self.allowed_bytes

    def is_stuck(self, share: float) -> bool:
        """Tell whether less than `share` of the quota is free or would make way.

        What is kept whatever presses has the rest: so much of it that attachments
        find no room any more.
        """
        quota = self._terms.quota_bytes
        wanted = quota * share - (quota - self._carry.usage().total)
        at_most = _LOOK_AT
        while wanted > 0:
            going = self._carry.first_to_go(at_most=at_most)
            if sum(entry.size for entry in going) >= wanted:
                return False
            if len(going) < at_most:
                return True
            at_most *= 8
        return False

    @property
    def free_bytes(self) -> int:
        """What is left without displacing anything."""
        return max(0, self.allowed_bytes - self._carry.usage().total)

    def is_easy(self, traffic: TrafficClass) -> bool:
        """Tell whether a class has a tenth of the quota free: what was turned away may come.

        What less urgent classes take counts as free, for they would make way.
        """
        urgent = sum(self._carry.usage().by_class[: traffic + 1])
        return self.allowed_bytes - urgent >= self.allowed_bytes * CLASS_FREE_SHARE

    def could_take(self, bundle: Bundle | Offer | Entry, auth: AuthKind, moment: Moment) -> bool:
        """Tell whether a bundle would find room, without making it."""
        return self._who_goes(_place(bundle, moment), bundle.size, auth, moment) is not None

    def has_room_for_notice(self, size: int) -> bool:
        """Tell whether the share of those notices is free that bear nothing new for all."""
        share = max(NOTICE_BYTES_MIN, int(self.allowed_bytes * NOTICE_SHARE_MAX))
        return self._carry.usage().by_class[TrafficClass.NOTICE] + size <= share

    def make(self, bundle: Bundle | Offer, auth: AuthKind, moment: Moment) -> bool:
        """Displace what goes before a bundle so that it has room; tell whether it has."""
        leaving = self._who_goes(_place(bundle, moment), bundle.size, auth, moment)
        if leaving is None:
            return False
        for entry in leaving:
            self.evict(entry, moment)
        return True

    def shrink(self, moment: Moment, *, at_most: int) -> int:
        """Displace bodies above what is allowed; return how many went."""
        excess = self._carry.usage().total - self.allowed_bytes
        gone = 0
        if excess <= 0:
            return gone
        bears = self._bearable is not None and self._carry.usage().total <= self._bearable
        for entry in self._carry.first_to_go(at_most=at_most):
            if excess <= 0:
                break
            if bears and not self._goes_at_ease(entry):
                continue
            self.evict(entry, moment)
            excess -= entry.size
            gone += 1
        return gone

    def _goes_at_ease(self, entry: Entry) -> bool:
        """Tell whether a body above the quota goes though the disk bears it."""
        is_kept = self._terms.desk and entry.auth is AuthKind.POSTAGE
        is_over = entry.state in {State.ACKED_WITH_BODY, State.AGED}
        return not is_kept or is_over or entry.ref.traffic is TrafficClass.BULK

    def evict(self, entry: Entry, moment: Moment) -> None:
        """Drop a body; keep the mark that its state leaves, if any."""
        match entry.state:
            case State.ACKED_WITH_BODY:
                self._carry.change(replace(entry, state=State.ACKED))
            case State.AGED if not self._terms.is_over(entry.expiry_day, moment):
                # Age is what a peer said: it leaves no mark.
                self._carry.forget(entry.ref)
            case State.WITHHELD:
                self._carry.forget(entry.ref)
            case _ if entry.ref.traffic is TrafficClass.NOTICE:
                # A mark would keep us from taking it when what it bears is known.
                self._carry.forget(entry.ref)
            case _ if self._terms.is_over(entry.expiry_day, moment):
                # Nobody can bring it any more in earnest, whatever its age was.
                never = float("inf")
                self._carry.change(replace(entry, state=State.LACKING, dies_at_s=never))
            case _:
                self._carry.change(replace(entry, state=State.LACKING))

    def _who_goes(
        self, place: Place, size: int, auth: AuthKind, moment: Moment
    ) -> list[Entry] | None:
        """Return what has to go for a new bundle; None when it finds no room."""
        usage = self._carry.usage()
        allowed = self._allowed_to(place[0], auth)
        needed = usage.total + size - allowed
        if auth is AuthKind.STAMP:
            over_share = usage.stamped + size - int(allowed * STAMP_SHARE_MAX)
            if over_share > 0:
                return self._stamped_to_go(place, max(over_share, needed))
        if needed <= 0:
            return []
        leaving: list[Entry] = []
        # Were they all of the smallest size, so many would do.
        at_most = -(-needed // WIRE_BYTES[0])
        for entry in self._candidates(moment, at_most):
            if not _goes_before(entry, place, auth) and not self._is_over(entry, moment):
                return None
            leaving.append(entry)
            needed -= entry.size
            if needed <= 0:
                return leaving
        return None

    def _stamped_to_go(self, place: Place, needed: int) -> list[Entry] | None:
        """Return the stamped bodies that have to go for a new one in their full partition."""
        leaving: list[Entry] = []
        for entry in self._carry.first_to_go(at_most=_LOOK_AT):
            if entry.auth is AuthKind.STAMP and _goes_before(entry, place, AuthKind.STAMP):
                leaving.append(entry)
                needed -= entry.size
                if needed <= 0:
                    return leaving
        return None

    def _candidates(self, moment: Moment, at_most: int) -> list[Entry]:
        """Return the first bodies to go, what the floor has left behind before all others."""
        day = Day(max(0, moment.floor_day - self._terms.keep_days))
        expired = [
            entry
            for entry in self._carry.expired(day, at_most=at_most)
            if entry.state is not State.WITHHELD
        ]
        seen = {entry.ref for entry in expired}
        others = self._carry.first_to_go(at_most=at_most)
        return [*expired, *(entry for entry in others if entry.ref not in seen)]

    def _is_over(self, entry: Entry, moment: Moment) -> bool:
        return self._terms.is_over(entry.expiry_day, moment)


def _place(bundle: Bundle | Offer | Entry, moment: Moment) -> Place:
    day = bundle.standing_day if isinstance(bundle, Entry) else min(bundle.day, moment.today)
    return bundle.ref.traffic, day


def _goes_before(entry: Entry, place: Place, auth: AuthKind) -> bool:
    """Tell whether `entry` is displaced for a new bundle that would stand at `place`."""
    traffic, day = place
    if traffic is TrafficClass.NOTICE or entry.state is State.ACKED_WITH_BODY:
        return True
    if (entry.auth is AuthKind.STAMP) is not (auth is AuthKind.STAMP):
        return entry.auth is AuthKind.STAMP
    if entry.state is State.AGED:
        return True
    return (entry.ref.traffic, -entry.standing_day) > (traffic, -day)
