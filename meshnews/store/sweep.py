"""What time does to a store: holds end, receipts are released, bodies age, expire and go.

A collector keeps what receipts say of a bundle back until its next batch, and
until the bundle itself is on its disk; then it releases them shuffled, so that
nobody learns from their order when each was opened.  Every sweep does a
bounded piece of work.
"""

from dataclasses import replace
from typing import Final

from meshnews.crypto.entropy import Entropy, shuffled
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import ACKED_BODY_BYTES_MAX
from meshnews.store.age import Moment
from meshnews.store.port import WITH_BODY, Carry, Entry, State
from meshnews.store.room import Room
from meshnews.store.terms import Acknowledged, Swept, Terms

PENDING: Final = "pending"
"""Shelf: class u8 ‖ day u32 ‖ id -> full receipt that waits for a collector's batch."""

STEP: Final = 512
"""Entries of one kind that one sweep looks at."""

SWEEP_S: Final = 600.0
"""How often to look for what aged or expired."""

COLLECTED_DAYS: Final = 30
"""A collector, and a desk's machine, keep bodies this many days beyond their expiry."""

MARKS_KEPT_DAYS: Final = 64
"""Marks without a body go when nobody can bring the bundle any more."""


class Sweeper:
    """Sweeps one store."""

    def __init__(self, carry: Carry, terms: Terms, entropy: Entropy, room: Room) -> None:
        self._carry = carry
        self._terms = terms
        self._entropy = entropy
        self._room = room
        self._batch_at_s: dict[bool, float] = {}
        self._sweep_at_s = 0.0

    # Receipts ---------------------------------------------------------------

    def hold_back(self, ref: BundleRef, receipt: bytes, moment: Moment) -> Acknowledged:
        """Keep a receipt until the next batch of its kind."""
        key = _key_of(ref)
        if self._carry.get(PENDING, key) is not None:
            return Acknowledged.KNOWN
        self._carry.put(PENDING, key, receipt)
        self._plan_batch(moment, flash=ref.traffic <= TrafficClass.FLASH)
        return Acknowledged.PENDING

    def _plan_batch(self, moment: Moment, *, flash: bool) -> None:
        wait_s = self._terms.flash_batch_s if flash else self._terms.batch_s
        self._batch_at_s.setdefault(flash, moment.lived_s + wait_s)

    def ack(self, entry: Entry, receipt: bytes, moment: Moment) -> None:
        """Let a bundle be acked: a large body goes at once, a small one stays a while."""
        keeps = self._terms.collector or self._terms.desk
        small = entry.size <= ACKED_BODY_BYTES_MAX and entry.ref.traffic is not TrafficClass.BULK
        has_body = entry.state in WITH_BODY
        state = State.ACKED_WITH_BODY if has_body and (keeps or small) else State.ACKED
        self._carry.change(
            replace(
                entry,
                state=state,
                acked_at_s=moment.lived_s,
                pinned=entry.pinned and self._terms.desk,
            )
        )
        self._carry.set_receipt(entry.ref, receipt)

    def _release_receipts(self, moment: Moment) -> list[BundleRef]:
        due = [flash for flash, at_s in self._batch_at_s.items() if at_s <= moment.lived_s]
        if not due:
            return []
        ready: list[tuple[Entry, bytes]] = []
        for key, receipt in self._carry.scan(PENDING):
            ref = _ref_of(key)
            if (ref.traffic <= TrafficClass.FLASH) in due:
                entry = self._carry.entry(ref)
                if entry is not None and entry.state in WITH_BODY:
                    ready.append((entry, receipt))
        for flash in due:
            del self._batch_at_s[flash]
        released = shuffled(self._entropy, ready)
        for entry, receipt in released:
            self._carry.delete(PENDING, _key_of(entry.ref))
            self.ack(entry, receipt, moment)
        return [entry.ref for entry, _ in released]

    # Time -------------------------------------------------------------------

    def sweep(self, moment: Moment) -> Swept:
        """Do what is due; return what entered the set and what became acked."""
        if not self._batch_at_s and self._terms.collector:
            self._plan_pending(moment)
        released = self._end_holds(moment)
        acked = self._release_receipts(moment)
        if moment.lived_s >= self._sweep_at_s:
            full = self._let_go(moment)
            self._sweep_at_s = moment.lived_s + (1.0 if full else SWEEP_S)
        return Swept(tuple(released), tuple(acked))

    def next_s(self, moment: Moment) -> float | None:
        """Return when something is due."""
        times = [max(self._sweep_at_s, moment.lived_s), *self._batch_at_s.values()]
        release_s = self._carry.next_release_s()
        return min(times if release_s is None else [*times, release_s])

    def _plan_pending(self, moment: Moment) -> None:
        """Plan batches for what waited when the node started, or waits for its body."""
        for key, _ in self._carry.scan(PENDING):
            self._plan_batch(moment, flash=key[0] <= TrafficClass.FLASH)
            if len(self._batch_at_s) == 2:
                return

    def _end_holds(self, moment: Moment) -> list[BundleRef]:
        entries = self._carry.released(moment.lived_s)
        for entry in entries:
            self._carry.change(replace(entry, state=State.HELD, release_at_s=0.0))
        return [entry.ref for entry in entries]

    def _let_go(self, moment: Moment) -> bool:
        """Age, expire and evict; tell whether there is more of it to do."""
        counts = [
            self._age(moment),
            self._drop_acked(moment),
            self._expire(moment),
            self._drop_marks(moment),
            self._room.shrink(at_most=STEP),
        ]
        return max(counts) >= STEP

    def _age(self, moment: Moment) -> int:
        if self._terms.collector or self._terms.desk:
            return 0
        entries = self._carry.dying(moment.lived_s, at_most=STEP)
        moved = 0
        for entry in entries:
            if entry.state is State.LACKING:
                self._carry.forget(entry.ref)
                moved += 1
            elif entry.ref.traffic is not TrafficClass.NOTICE or not entry.pinned:
                self._carry.change(replace(entry, state=State.AGED))
                moved += 1
        return moved

    def _drop_acked(self, moment: Moment) -> int:
        if self._terms.collector or self._terms.desk:
            return 0
        before_s = moment.lived_s - self._terms.acked_keep_s
        entries = self._carry.acked_before(before_s, at_most=STEP)
        for entry in entries:
            self._carry.change(replace(entry, state=State.ACKED))
        return len(entries)

    def _expire(self, moment: Moment) -> int:
        keeps = self._terms.collector or self._terms.desk
        day = Day(max(0, moment.sweep_day - (COLLECTED_DAYS if keeps else 0)))
        entries = self._carry.expired(day, at_most=STEP)
        for entry in entries:
            self._carry.forget(entry.ref)
        return len(entries)

    def _drop_marks(self, moment: Moment) -> int:
        day = Day(max(0, moment.sweep_day - MARKS_KEPT_DAYS))
        dropped = 0
        for traffic in TrafficClass:
            refs = self._carry.bygone(traffic, day, at_most=STEP)
            for ref in refs:
                self._carry.forget(ref)
            dropped += len(refs)
        return dropped


def _key_of(ref: BundleRef) -> bytes:
    return bytes([ref.traffic]) + ref.day.to_bytes(4, "big") + ref.id


def _ref_of(key: bytes) -> BundleRef:
    day = Day(int.from_bytes(key[1:5], "big"))
    return BundleRef(TrafficClass(key[0]), day, BundleId(key[5:]))
