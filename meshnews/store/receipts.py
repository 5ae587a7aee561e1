"""What receipts do to a store, and how a collector holds them back.

    receipt --relay--> acked
            --collector--> pending --body on disk, batch due, shuffled--> acked

A collector keeps what receipts say of a bundle back until its next batch, and
until the bundle itself is on its disk; then it releases them shuffled, so that
nobody learns from their order when each was opened.

Receipts of bundles never held are bounded by issuer: an issuer's postage may be
in wrong hands.  See docs/protocol/custody.md, "Receipts".
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from meshnews.bundle.receipt import (
    SHORT_RECEIPT_BYTES,
    Receipt,
    ShortReceipt,
    decode_receipt,
    decode_short_receipt,
)
from meshnews.crypto.entropy import Entropy, shuffled
from meshnews.errors import LocalMisuse, PeerError
from meshnews.ids import BundleRef, Day, TrafficClass
from meshnews.limits import ACKED_BODY_BYTES_MAX, RECEIPTS_UNKNOWN_MAX
from meshnews.store.age import Moment
from meshnews.store.port import WITH_BODY, Carry, Entry, State
from meshnews.store.reference import key_of, ref_of
from meshnews.store.terms import Acknowledged, Terms

PENDING: Final = "pending"
"""Shelf: class u8 ‖ day u32 ‖ id -> receipt that waits for a collector's batch."""

UNKNOWN: Final = "unknown"
"""Shelf: issuer -> how many receipts of bundles never held are kept of it (u32)."""

UNKNOWN_BY: Final = "unknown-by"
"""Shelf: class u8 ‖ day u32 ‖ id -> the issuer under which its receipt is counted there."""

_COUNT_BYTES: Final = 4


class Receipts:
    """The receipts of one store."""

    def __init__(self, carry: Carry, terms: Terms, entropy: Entropy) -> None:
        self._carry = carry
        self._terms = terms
        self._entropy = entropy
        self._batch_at_s: dict[bool, float] = {}
        self._has_looked = not terms.collector

    def take(self, known: Entry, receipt: bytes, moment: Moment) -> Acknowledged:
        """Take in a receipt of a bundle of which there is an entry, not acked yet."""
        if self._terms.collector:
            return self._hold_back(known.ref, receipt, moment, has_body=known.state in WITH_BODY)
        self.ack(known, receipt, moment)
        return Acknowledged.NEW

    def is_pending(self, ref: BundleRef) -> bool:
        """Tell whether a collector holds back a receipt of a bundle."""
        return self._terms.collector and self._carry.get(PENDING, key_of(ref)) is not None

    def has_place(self, issuer: bytes) -> bool:
        """Tell whether one more receipt of a bundle never held may be kept of an issuer."""
        return self._unknown_of(issuer) < RECEIPTS_UNKNOWN_MAX

    def take_unknown(
        self, receipt: Receipt, entry: Entry, issuer: bytes, moment: Moment
    ) -> Acknowledged:
        """Take in a receipt of a bundle never held, whose postage was verified."""
        ref = receipt.ref
        self._count(ref, issuer)
        if self._terms.collector:
            return self._hold_back(ref, receipt.encode(), moment, has_body=False)
        self._carry.add(replace(entry, state=State.ACKED, acked_at_s=moment.lived_s), b"")
        self._carry.set_receipt(ref, receipt.encode())
        return Acknowledged.NEW

    def ack(self, entry: Entry, receipt: bytes, moment: Moment) -> None:
        """Let a bundle be acked: a large body goes at once, a small one stays a while."""
        small = entry.size <= ACKED_BODY_BYTES_MAX and entry.ref.traffic is not TrafficClass.BULK
        stays = entry.state in WITH_BODY and (self._terms.gathers or small)
        self._carry.change(
            replace(
                entry,
                state=State.ACKED_WITH_BODY if stays else State.ACKED,
                acked_at_s=moment.lived_s,
                pinned=entry.pinned and self._terms.desk,
            )
        )
        self._carry.set_receipt(entry.ref, receipt)

    def kept(self, ref: BundleRef) -> Receipt | ShortReceipt | None:
        """Return the receipt of an acked bundle, to be passed on; full where it can be."""
        stored = self._carry.receipt(ref)
        if stored is None:
            return None
        try:
            if len(stored) == SHORT_RECEIPT_BYTES:
                return decode_short_receipt(stored)
            return decode_receipt(stored)
        except PeerError as exc:
            raise LocalMisuse("a receipt was kept that is none") from exc

    def body_came(self, ref: BundleRef, moment: Moment) -> None:
        """Plan the batch of a receipt that waited for this bundle, if one did."""
        if self.is_pending(ref):
            self._plan(ref, moment)

    def next_batch_s(self) -> float | None:
        """Return when the next batch is due, in seconds of life."""
        return min(self._batch_at_s.values(), default=None)

    def release(self, moment: Moment) -> list[BundleRef]:
        """Let the batches that are due be acked; return them in the order to be told."""
        if not self._has_looked:
            self._look(moment)
        due = {flash for flash, at_s in self._batch_at_s.items() if at_s <= moment.lived_s}
        if not due:
            return []
        ready = [
            (entry, receipt)
            for entry, receipt in self._ready()
            if (entry.ref.traffic <= TrafficClass.FLASH) in due
        ]
        for flash in due:
            del self._batch_at_s[flash]
        order = shuffled(self._entropy, ready)
        for entry, receipt in order:
            self._carry.delete(PENDING, key_of(entry.ref))
            self.ack(entry, receipt, moment)
        return [entry.ref for entry, _ in order]

    def _hold_back(
        self, ref: BundleRef, receipt: bytes, moment: Moment, *, has_body: bool
    ) -> Acknowledged:
        key = key_of(ref)
        if self._carry.get(PENDING, key) is not None:
            return Acknowledged.KNOWN
        self._carry.put(PENDING, key, receipt)
        if has_body:
            self._plan(ref, moment)
        return Acknowledged.PENDING

    def _plan(self, ref: BundleRef, moment: Moment) -> None:
        flash = ref.traffic <= TrafficClass.FLASH
        wait_s = self._terms.flash_batch_s if flash else self._terms.batch_s
        self._batch_at_s.setdefault(flash, moment.lived_s + wait_s)

    def _look(self, moment: Moment) -> None:
        """Plan batches for what was pending when the node started."""
        self._has_looked = True
        for entry, _ in self._ready():
            self._plan(entry.ref, moment)

    def _ready(self) -> Iterator[tuple[Entry, bytes]]:
        """Yield the pending receipts whose bundles are on the disk, not acked yet."""
        for key, receipt in self._carry.scan(PENDING):
            entry = self._carry.entry(ref_of(key))
            if entry is not None and entry.state in WITH_BODY:
                yield entry, receipt

    def forget(self, ref: BundleRef) -> None:
        """Drop what is kept of a receipt beside the entry."""
        key = key_of(ref)
        issuer = self._carry.get(UNKNOWN_BY, key)
        if issuer is not None:
            self._carry.delete(UNKNOWN_BY, key)
            left = self._unknown_of(issuer) - 1
            if left > 0:
                self._carry.put(UNKNOWN, issuer, left.to_bytes(_COUNT_BYTES, "big"))
            else:
                self._carry.delete(UNKNOWN, issuer)
        if self._terms.collector:
            self._carry.delete(PENDING, key)

    def forget_before(self, traffic: TrafficClass, day: Day, *, at_most: int) -> int:
        """Drop pending receipts of bundles filed before `day` that never came."""
        if not self._terms.collector:
            return 0
        gone = 0
        for key, _ in self._carry.scan(PENDING, bytes((traffic,)), at_most=at_most):
            ref = ref_of(key)
            if ref.day >= day:
                break
            self.forget(ref)
            gone += 1
        return gone

    def _count(self, ref: BundleRef, issuer: bytes) -> None:
        count = self._unknown_of(issuer) + 1
        self._carry.put(UNKNOWN, issuer, count.to_bytes(_COUNT_BYTES, "big"))
        self._carry.put(UNKNOWN_BY, key_of(ref), issuer)

    def _unknown_of(self, issuer: bytes) -> int:
        stored = self._carry.get(UNKNOWN, issuer)
        return 0 if stored is None else int.from_bytes(stored, "big")
