"""The stores in memory: the twin of the SQLite ones, for tests and for the simulator.

It passes the same contract suite (tests/contract/test_store_contract.py).  Every
order that the port asks for is a sorted list of keys with the arrival number
last, so that both twins break ties alike.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from meshnews.errors import LocalMisuse, StoreFull
from meshnews.ids import AuthKind, BundleId, BundleRef, Day, TrafficClass
from meshnews.store.bucket import EMPTY_DIGEST, Bucket
from meshnews.store.order import EVICTION_END, ORDERS, Order, keys_of, up_to
from meshnews.store.port import PAGES, WITH_BODY, Entry, Page, State, Usage
from meshnews.store.shelf_memory import MemoryShelves

Outcome = TypeVar("Outcome")


class _Row(NamedTuple):
    """What is kept under one reference.  Never changed, only replaced."""

    arrival: int
    entry: Entry
    body: bytes
    receipt: bytes | None


class MemoryCarry(MemoryShelves):
    """The `Carry` port in dictionaries and sorted lists.

    Obeys `meshnews.store.port.Carry`.  With `disk_bytes`, bodies beyond that
    many bytes raise `StoreFull`, as a full disk would.
    """

    def __init__(self, *, disk_bytes: int | None = None) -> None:
        super().__init__()
        self.disk_bytes = disk_bytes
        self._rows: dict[BundleRef, _Row] = {}
        self._arrived: dict[int, BundleRef] = {}
        self._arrivals = 0
        self._buckets: dict[tuple[TrafficClass, Day], Bucket] = {}
        self._postage: dict[bytes, set[BundleRef]] = {}
        self._orders = {name: Order() for name in ORDERS}
        self._bytes = [0, 0, 0, 0]
        self._stamped = 0
        self._stamps = 0

    def entry(self, ref: BundleRef) -> Entry | None:
        """Return what is known of `ref`.

        Raises:
            Nothing.
        """
        row = self._rows.get(ref)
        return row.entry if row else None

    def state(self, ref: BundleRef) -> State | None:
        """Return the state of `ref`.

        Raises:
            Nothing.
        """
        row = self._rows.get(ref)
        return row.entry.state if row else None

    def add(self, entry: Entry, body: bytes) -> None:
        """Keep a bundle, in place of any entry under the same reference.

        Raises:
            StoreFull: there is no room for the body.
            LocalMisuse: state and body contradict each other.
        """
        if (entry.state in WITH_BODY) != bool(body):
            raise LocalMisuse(f"an entry {entry.state.name} with a body of {len(body)} bytes")
        before = self._rows.get(entry.ref)
        freed = len(before.body) if before else 0
        if self.disk_bytes is not None and sum(self._bytes) - freed + len(body) > self.disk_bytes:
            raise StoreFull("the disk has no room")
        if before is None:
            self._arrivals += 1
        arrival = before.arrival if before else self._arrivals
        self._place(entry.ref, _Row(arrival, entry, body, before.receipt if before else None))

    def change(self, entry: Entry) -> None:
        """Replace the entry under the same reference.

        Raises:
            LocalMisuse: there is none, or the new state wants a body that is not there.
        """
        row = self._row(entry.ref)
        if entry.state not in WITH_BODY:
            self._place(entry.ref, row._replace(entry=entry, body=b""))
        elif row.body:
            self._place(entry.ref, row._replace(entry=entry))
        else:
            raise LocalMisuse(f"an entry {entry.state.name} without a body")

    def count_copy(self, ref: BundleRef) -> None:
        """Raise `copies` by one, if there is an entry.

        Raises:
            Nothing.
        """
        row = self._rows.get(ref)
        if row:
            entry = replace(row.entry, copies=row.entry.copies + 1)
            self._place(ref, row._replace(entry=entry))

    def forget(self, ref: BundleRef) -> None:
        """Remove entry, body and receipt, if there are any.

        Raises:
            Nothing.
        """
        if ref in self._rows:
            self._place(ref, None)

    def body(self, ref: BundleRef) -> bytes | None:
        """Return the wire form, or None when it is not held.

        Raises:
            Nothing.
        """
        row = self._rows.get(ref)
        return (row.body or None) if row else None

    def set_receipt(self, ref: BundleRef, receipt: bytes) -> None:
        """Keep a receipt of an entry.

        Raises:
            LocalMisuse: there is no entry.
        """
        self._place(ref, self._row(ref)._replace(receipt=receipt))

    def receipt(self, ref: BundleRef) -> bytes | None:
        """Return the receipt, or None.

        Raises:
            Nothing.
        """
        row = self._rows.get(ref)
        return row.receipt if row else None

    def days(self, traffic: TrafficClass) -> list[Day]:
        """Return the days that have elements in the compared set, ascending.

        Raises:
            Nothing.
        """
        buckets = self._buckets.items()
        return sorted(day for (kind, day), b in buckets if kind == traffic and b.compared)

    def elements(
        self, traffic: TrafficClass, day: Day, *, first: int = 0, end: int = PAGES
    ) -> Sequence[tuple[BundleId, State]]:
        """Return the compared elements of some pages of one bucket, in order of identifier.

        Raises:
            Nothing.
        """
        bucket = self._buckets.get((traffic, day))
        return bucket.elements(first, end) if bucket else []

    def pages(self, traffic: TrafficClass, day: Day) -> Mapping[int, Page]:
        """Return the pages of one bucket that have elements.

        Raises:
            Nothing.
        """
        bucket = self._buckets.get((traffic, day))
        return bucket.index.pages() if bucket else {}

    def bucket_digest(self, traffic: TrafficClass, day: Day) -> bytes:
        """Return the digest of one bucket, as the port defines it.

        Raises:
            Nothing.
        """
        bucket = self._buckets.get((traffic, day))
        return bucket.index.digest() if bucket else EMPTY_DIGEST

    def under_postage(self, postage_key: bytes) -> Sequence[BundleRef]:
        """Return the entries admitted by one postage key, in order of reference.

        Raises:
            Nothing.
        """
        return sorted(self._postage.get(postage_key, ())) if postage_key else []

    def released(self, now_s: float) -> Sequence[Entry]:
        """Return the WITHHELD entries whose `release_at_s` has come, earliest first.

        Raises:
            Nothing.
        """
        return self._entries(self._orders["release"].between((), up_to(now_s)))

    def next_release_s(self) -> float | None:
        """Return the earliest `release_at_s` among WITHHELD entries.

        Raises:
            Nothing.
        """
        first = self._orders["release"].first()
        return first[0] if first else None

    def dying(self, now_s: float, *, at_most: int) -> Sequence[Entry]:
        """Return HELD and LACKING entries whose `dies_at_s` has come, earliest first.

        Raises:
            Nothing.
        """
        return self._entries(self._orders["dying"].between((), up_to(now_s), at_most))

    def acked_before(self, moment_s: float, *, at_most: int) -> Sequence[Entry]:
        """Return ACKED_WITH_BODY entries acked before `moment_s`, none pinned, earliest first.

        Raises:
            Nothing.
        """
        return self._entries(self._orders["acked"].between((), (moment_s,), at_most))

    def expired(self, day: Day, *, at_most: int) -> Sequence[Entry]:
        """Return entries with a body that expired before `day`, none pinned, earliest first.

        Raises:
            Nothing.
        """
        return self._entries(self._orders["expiry"].between((), (day,), at_most))

    def bygone(self, traffic: TrafficClass, day: Day, *, at_most: int) -> Sequence[BundleRef]:
        """Return entries without a body filed before `day`, in order of reference.

        Raises:
            Nothing.
        """
        refs: list[BundleRef] = []
        for kind, filed in sorted(k for k in self._buckets if k[0] == traffic and k[1] < day):
            bucket = self._buckets[kind, filed]
            bare = (id_ for id_ in bucket.ids if bucket.states[id_] not in WITH_BODY)
            refs += (BundleRef(kind, filed, id_) for id_ in bare)
        return refs[:at_most]

    def first_to_go(self, *, at_most: int) -> Sequence[Entry]:
        """Return bodies in the order of eviction.

        Raises:
            Nothing.
        """
        return self._entries(self._orders["going"].between((), EVICTION_END, at_most))

    def lacking(self, traffic: TrafficClass, *, at_most: int) -> Sequence[BundleRef]:
        """Return LACKING entries of a class, newest day first.

        Raises:
            Nothing.
        """
        found = self._orders["lacking"].between((traffic,), (traffic + 1,), at_most)
        return [self._arrived[number] for number in found]

    def unseen(self, traffic: TrafficClass, *, at_most: int) -> Sequence[BundleRef]:
        """Return ACKED entries of a class whose body was never here, newest day first.

        Raises:
            Nothing.
        """
        found = self._orders["unseen"].between((traffic,), (traffic + 1,), at_most)
        return [self._arrived[number] for number in found]

    def usage(self) -> Usage:
        """Return how many bytes of bodies are held.

        Raises:
            Nothing.
        """
        notice, flash, routine, bulk = self._bytes
        return Usage((notice, flash, routine, bulk), self._stamped, self._stamps)

    def count_elements(self) -> int:
        """Return how many entries there are, of any state.

        Raises:
            Nothing.
        """
        return len(self._rows)

    def _row(self, ref: BundleRef) -> _Row:
        row = self._rows.get(ref)
        if row is None:
            raise LocalMisuse("a change to a bundle that is not in the store")
        return row

    def _entries(self, arrivals: Iterable[int]) -> list[Entry]:
        return [self._rows[self._arrived[number]].entry for number in arrivals]

    def _place(self, ref: BundleRef, row: _Row | None) -> None:
        """Put `row`, or nothing, in the place of what is kept under `ref`."""
        before = self._rows.get(ref)
        if self._journal.is_open:
            self._journal.note(lambda: self._place(ref, before))
        if before:
            self._weigh(before, -1)
            for name, key in keys_of(before.entry, before.arrival):
                self._orders[name].take(key)
        if row is None:
            assert before, "only what is there is taken out"
            del self._rows[ref], self._arrived[before.arrival]
        else:
            self._rows[ref] = row
            self._arrived[row.arrival] = ref
            self._weigh(row, 1)
            for name, key in keys_of(row.entry, row.arrival):
                self._orders[name].put(key)
        self._file(ref, before.entry if before else None, row.entry if row else None)

    def _file(self, ref: BundleRef, before: Entry | None, after: Entry | None) -> None:
        """Bring bucket and postage in line with an entry that came, changed or went."""
        if (before and before.state) != (after and after.state):
            bucket = self._buckets.get(ref[:2])
            if bucket is None:
                bucket = self._buckets[ref[:2]] = Bucket()
            bucket.set(ref.id, after.state if after else None)
            if not bucket.ids:
                del self._buckets[ref[:2]]
        old, new = before.postage_key if before else b"", after.postage_key if after else b""
        if old == new:
            return
        if old:
            self._postage[old].discard(ref)
            if not self._postage[old]:
                del self._postage[old]
        if new:
            self._postage.setdefault(new, set()).add(ref)

    def _weigh(self, row: _Row, sign: int) -> None:
        self._bytes[row.entry.ref.traffic] += sign * len(row.body)
        if row.entry.auth is AuthKind.STAMP:
            self._stamped += sign * len(row.body)
            self._stamps += sign


class MemoryVault(MemoryShelves):
    """The `Vault` port in dictionaries."""


class MemoryStores:
    """The `Stores` port: both twins, and a transaction over them.

    Raise anything inside `transact` to crash: what it wrote is gone from both.
    """

    def __init__(self, carry: MemoryCarry | None = None, vault: MemoryVault | None = None) -> None:
        self.carry = MemoryCarry() if carry is None else carry
        self.vault = vault

    def transact(self, work: Callable[[], Outcome]) -> Outcome:
        """Run `work`; keep everything it wrote, or nothing when it raises.

        Raises:
            LocalMisuse: a transaction is running already.
        """
        if self.vault is None:
            with self.carry.transaction():
                return work()
        with self.carry.transaction(), self.vault.transaction():
            return work()
