"""What time does to a store: holds end, batches fall due, bodies age, expire and go.

Every sweep does a bounded piece of work, and says when to come back.
See docs/protocol/custody.md, "Sweeping".
"""

from dataclasses import replace
from typing import Final

from meshnews.ids import BundleRef, Day, TrafficClass
from meshnews.limits import SWEEP_ENTRIES_MAX, SWEEP_S_MAX
from meshnews.store.age import Moment
from meshnews.store.port import Carry, State
from meshnews.store.receipts import Receipts
from meshnews.store.room import Room
from meshnews.store.terms import EXPIRY_DAYS_MAX, FILING_DAYS, Swept, Terms

_AGAIN_S: Final = 1.0
"""When there was more to do than one sweep does."""


class Sweeper:
    """Sweeps one store."""

    def __init__(self, carry: Carry, terms: Terms, receipts: Receipts, room: Room) -> None:
        self._carry = carry
        self._terms = terms
        self._receipts = receipts
        self._room = room
        self._let_go_at_s = 0.0

    def sweep(self, moment: Moment) -> Swept:
        """Do what is due; return what entered the set and what became acked.

        Raises:
            StoreFull: the disk has no room.
        """
        released = self._end_holds(moment)
        acked = self._receipts.release(moment)
        if moment.lived_s >= self._let_go_at_s:
            is_all = self._let_go(moment)
            self._let_go_at_s = moment.lived_s + (SWEEP_S_MAX if is_all else _AGAIN_S)
        return Swept(tuple(released), tuple(acked))

    def next_s(self, moment: Moment) -> float:
        """Return when something is due, in seconds of life."""
        next_s = self._let_go_at_s
        for at_s in (self._carry.next_release_s(), self._receipts.next_batch_s()):
            if at_s is not None and at_s < next_s:
                next_s = at_s
        return max(moment.lived_s, next_s)

    def forget(self, ref: BundleRef) -> None:
        """Drop all that is known of a bundle."""
        self._receipts.forget(ref)
        self._carry.forget(ref)

    def _end_holds(self, moment: Moment) -> list[BundleRef]:
        entries = self._carry.released(moment.lived_s)
        for entry in entries:
            self._carry.change(replace(entry, state=State.HELD, release_at_s=0.0))
        return [entry.ref for entry in entries]

    def _let_go(self, moment: Moment) -> bool:
        """Age, expire and evict; tell whether that was all."""
        counts = [
            self._age(moment),
            self._drop_acked(moment),
            self._expire(moment),
            *(self._drop_marks(traffic, moment) for traffic in TrafficClass),
            self._room.shrink(moment, at_most=SWEEP_ENTRIES_MAX),
        ]
        return max(counts) < SWEEP_ENTRIES_MAX

    def _age(self, moment: Moment) -> int:
        if self._terms.gathers:
            return 0
        entries = self._carry.dying(moment.lived_s, at_most=SWEEP_ENTRIES_MAX)
        for entry in entries:
            if entry.state is State.LACKING:
                self.forget(entry.ref)
            else:
                self._carry.change(replace(entry, state=State.AGED))
        return len(entries)

    def _drop_acked(self, moment: Moment) -> int:
        if self._terms.gathers:
            return 0
        before_s = moment.lived_s - self._terms.acked_keep_s
        entries = self._carry.acked_before(before_s, at_most=SWEEP_ENTRIES_MAX)
        for entry in entries:
            self._carry.change(replace(entry, state=State.ACKED))
        return len(entries)

    def _expire(self, moment: Moment) -> int:
        day = Day(max(0, moment.sweep_day - self._terms.keep_days))
        entries = self._carry.expired(day, at_most=SWEEP_ENTRIES_MAX)
        for entry in entries:
            self._room.evict(entry, moment)
        return len(entries)

    def _drop_marks(self, traffic: TrafficClass, moment: Moment) -> int:
        """Drop the marks that no comparison reaches back to."""
        reach = EXPIRY_DAYS_MAX + FILING_DAYS + self._terms.keep_days
        day = Day(max(0, moment.sweep_day - reach))
        refs = self._carry.bygone(traffic, day, at_most=SWEEP_ENTRIES_MAX)
        for ref in refs:
            self.forget(ref)
        at_most = SWEEP_ENTRIES_MAX
        return max(len(refs), self._receipts.forget_before(traffic, day, at_most=at_most))
