"""The bundles a node carries, in SQLite.

    element   class, day, id -> seq, state       what is compared: narrow, in the order of buckets
    bundle    seq -> everything else known        with one narrow index per question of the port
    body      seq -> wire form                    receipt   seq -> receipt

Bodies lie by a number that counts up: under their random identifiers they would
cost three times as much to insert.  `seq` is also the order of arrival, by
which ties are broken.  `postage` is the first 4 bytes of the postage key, and
`going` packs the first three parts of the order of eviction into one integer.

Nothing is kept in memory per bundle but ENTRIES_MAX entries that were asked for lately: each
neighbour of a crowd is told the same names.  Per bucket the digests of its pages are kept, once
asked for, of which an arrival makes one be read again.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from meshnews.errors import LocalMisuse
from meshnews.ids import AuthKind, BundleId, BundleRef, Day, TrafficClass
from meshnews.store.bucket import EMPTY_DIGEST, PageIndex
from meshnews.store.order import eviction_rank
from meshnews.store.port import PAGES, WITH_BODY, Entry, Page, State, Usage
from meshnewsd.storage import query
from meshnewsd.storage.database import Database, Row
from meshnewsd.storage.shelves import SqliteShelves

ENTRIES_MAX: Final = 4096
"""Entries kept in memory: two megabytes."""

_STATES: Final = tuple(State)
_TRAFFICS: Final = tuple(TrafficClass)
_AUTHS: Final = {int(kind): kind for kind in AuthKind}
_STAMPED_AT: Final = 4
_STAMPS_AT: Final = 5
_ENTRIES_AT: Final = 6
_ABOVE_ALL: Final = b"\xff" * 33
"""No identifier is above this."""


class SqliteCarry(SqliteShelves):
    """The `Carry` port on one database; obeys `meshnews.store.port.Carry`.

    Its calls raise what those of `Database` do.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._next_seq = int(database.rows(query.MAX_SEQ)[0][0]) + 1
        self._usage = [int(number) for number in database.rows(query.USAGE)[0]]
        self._usage_kept = list(self._usage)
        self._indexes: dict[tuple[TrafficClass, Day], PageIndex] = {}
        self._touched: set[tuple[TrafficClass, Day, int]] = set()
        self._entries: dict[BundleRef, Entry] = {}
        self._next_release: float | None = None
        self._knows_release = False

    def settle(self) -> None:
        """Write what is summed up once in a transaction.  For the store, before it commits."""
        if self._usage != self._usage_kept:
            self._db.write(query.SET_USAGE, tuple(self._usage))

    def committed(self) -> None:
        """Take note that the transaction is on disk."""
        self._usage_kept = list(self._usage)
        self._touched.clear()

    def rolled_back(self) -> None:
        """Forget whatever came from the transaction that was taken back."""
        self._usage = list(self._usage_kept)
        self._knows_release = False
        self._entries.clear()
        for traffic, day, page in self._touched:
            self._touch_page(traffic, day, page)
        self._touched.clear()

    def entry(self, ref: BundleRef) -> Entry | None:
        """Return what is known of `ref`."""
        entry = self._entries.get(ref)
        if entry is None and (rows := self._db.rows(query.ENTRY, ref)):
            if len(self._entries) >= ENTRIES_MAX:
                del self._entries[next(iter(self._entries))]
            entry = self._entries[ref] = _entry(rows[0])
        return entry

    def state(self, ref: BundleRef) -> State | None:
        """Return the state of `ref`."""
        rows = self._db.rows(query.STATE, ref)
        return _STATES[rows[0][0]] if rows else None

    def add(self, entry: Entry, body: bytes) -> None:
        """Keep a bundle, in place of any entry under the same reference."""
        if (entry.state in WITH_BODY) != bool(body):
            raise LocalMisuse(f"an entry {entry.state.name} with a body of {len(body)} bytes")
        write, ref, seq = self._db.write, entry.ref, self._next_seq
        self._knows_release = False
        write(query.ADD_ELEMENT, (*ref, seq, entry.state))
        if not self._db.changes():
            self._replace(entry, body)
            return
        self._next_seq += 1
        write(query.ADD_BUNDLE, (seq, *ref, *_facts(entry)))
        if body:
            write(query.SET_BODY, (seq, body))
        self._usage[_ENTRIES_AT] += 1
        self._weigh(entry.ref, entry.auth, len(body), 1)
        self._touch(ref)

    def change(self, entry: Entry) -> None:
        """Replace the entry under the same reference."""
        seq, state, size, auth = self._before(entry.ref)
        had = _STATES[state] in WITH_BODY
        keeps = entry.state in WITH_BODY
        if keeps and not had:
            raise LocalMisuse(f"an entry {entry.state.name} without a body")
        if keeps and entry.size != size:
            raise LocalMisuse("an entry whose body has another size")
        self._set(entry, seq, state)
        if had and not keeps:
            self._db.write(query.DROP_BODY, (seq,))
        self._weigh(entry.ref, auth, size if had else 0, -1)
        self._weigh(entry.ref, entry.auth, size if keeps else 0, 1)

    def count_copy(self, ref: BundleRef) -> None:
        """Raise `copies` by one, if there is an entry."""
        self._entries.pop(ref, None)
        self._db.write(query.COUNT_COPY, ref)

    def forget(self, ref: BundleRef) -> None:
        """Remove entry, body and receipt, if there are any; their bytes are overwritten."""
        rows = self._db.rows(query.BEFORE, ref)
        if not rows:
            return
        self._knows_release = False
        self._entries.pop(ref, None)
        seq, state, size, auth = rows[0]
        had = _STATES[state] in WITH_BODY
        if had:
            self._db.write(query.DROP_BODY, (seq,))
        self._db.write(query.DROP_RECEIPT, (seq,))
        self._db.write(query.DROP_BUNDLE, (seq,))
        self._db.write(query.DROP_ELEMENT, ref)
        self._usage[_ENTRIES_AT] -= 1
        self._weigh(ref, auth, size if had else 0, -1)
        self._touch(ref)

    def body(self, ref: BundleRef) -> bytes | None:
        """Return the wire form, or None when it is not held."""
        rows = self._db.rows(query.BODY, ref)
        return rows[0][0] if rows else None

    def set_receipt(self, ref: BundleRef, receipt: bytes) -> None:
        """Keep a receipt of an entry."""
        self._db.write(query.SET_RECEIPT, (self._before(ref)[0], receipt))

    def receipt(self, ref: BundleRef) -> bytes | None:
        """Return the receipt, or None."""
        rows = self._db.rows(query.RECEIPT, ref)
        return rows[0][0] if rows else None

    def days(self, traffic: TrafficClass) -> list[Day]:
        """Return the days that have elements in the compared set, ascending."""
        days: list[Day] = []
        while rows := self._db.rows(query.DAY_AFTER, (traffic, days[-1] if days else -1)):
            days.append(Day(rows[0][0]))
        return days

    def elements(
        self, traffic: TrafficClass, day: Day, *, first: int = 0, end: int = PAGES
    ) -> Sequence[tuple[BundleId, State]]:
        """Return the compared elements of some pages of one bucket, in order of identifier."""
        above = bytes((end,)) if end < PAGES else _ABOVE_ALL
        rows = self._db.rows(query.ELEMENTS, (traffic, day, bytes((first,)), above))
        return [(id_, _STATES[state]) for id_, state in rows]

    def pages(self, traffic: TrafficClass, day: Day) -> Mapping[int, Page]:
        """Return the pages of one bucket that have elements."""
        pages = self._index(traffic, day).pages()
        if not pages:
            # A peer may ask about any day: of those without elements nothing is kept.
            self._indexes.pop((traffic, day), None)
        return pages

    def bucket_digest(self, traffic: TrafficClass, day: Day) -> bytes:
        """Return the digest of one bucket, as the port defines it."""
        digest = self._index(traffic, day).digest()
        if digest == EMPTY_DIGEST:
            self._indexes.pop((traffic, day), None)
        return digest

    def _index(self, traffic: TrafficClass, day: Day) -> PageIndex:
        index = self._indexes.get((traffic, day))
        if index is None:
            index = PageIndex(partial(self._page_elements, traffic, day))
            self._indexes[traffic, day] = index
        return index

    def _page_elements(
        self, traffic: TrafficClass, day: Day, first: int, end: int
    ) -> Sequence[tuple[BundleId, State]]:
        return self.elements(traffic, day, first=first, end=end)

    def under_postage(self, postage_key: bytes) -> Sequence[BundleRef]:
        """Return the entries admitted by one postage key, in order of reference."""
        if not postage_key:
            return []
        rows = self._db.rows(query.UNDER_POSTAGE, (_postage_number(postage_key), postage_key))
        return sorted(_refs(rows))

    def released(self, now_s: float) -> Sequence[Entry]:
        """Return the WITHHELD entries whose `release_at_s` has come, earliest first."""
        return [_entry(row) for row in self._db.rows(query.RELEASED, (now_s,))]

    def next_release_s(self) -> float | None:
        """Return the earliest `release_at_s` among WITHHELD entries."""
        # A node asks twice at each event, and nearly always nothing is withheld.
        if not self._knows_release:
            self._next_release = self._db.rows(query.NEXT_RELEASE)[0][0]
            self._knows_release = True
        return self._next_release

    def dying(self, now_s: float, *, at_most: int) -> Sequence[Entry]:
        """Return HELD and LACKING entries whose `dies_at_s` has come, earliest first."""
        return [_entry(row) for row in self._db.rows(query.DYING, (now_s, at_most))]

    def acked_before(self, moment_s: float, *, at_most: int) -> Sequence[Entry]:
        """Return ACKED_WITH_BODY entries acked before `moment_s`, none pinned, earliest first."""
        return [_entry(row) for row in self._db.rows(query.ACKED_BEFORE, (moment_s, at_most))]

    def expired(self, day: Day, *, at_most: int) -> Sequence[Entry]:
        """Return entries with a body that expired before `day`, none pinned, earliest first."""
        return [_entry(row) for row in self._db.rows(query.EXPIRED, (day, at_most))]

    def bygone(self, traffic: TrafficClass, day: Day, *, at_most: int) -> Sequence[BundleRef]:
        """Return entries without a body filed before `day`, in order of reference."""
        return _refs(self._db.rows(query.BYGONE, (traffic, day, at_most)))

    def first_to_go(self, *, at_most: int) -> Sequence[Entry]:
        """Return bodies in the order of eviction."""
        return [_entry(row) for row in self._db.rows(query.GOING, (at_most,))]

    def lacking(self, traffic: TrafficClass, *, at_most: int) -> Sequence[BundleRef]:
        """Return LACKING entries of a class, newest day first."""
        return _refs(self._db.rows(query.LACKING, (traffic, at_most)))

    def unseen(self, traffic: TrafficClass, *, at_most: int) -> Sequence[BundleRef]:
        """Return ACKED entries of a class whose body was never here, newest day first."""
        return _refs(self._db.rows(query.UNSEEN, (traffic, at_most)))

    def usage(self) -> Usage:
        """Return how many bytes of bodies are held."""
        notice, flash, routine, bulk, stamped, stamps, _ = self._usage
        return Usage((notice, flash, routine, bulk), stamped, stamps)

    def count_elements(self) -> int:
        """Return how many entries there are, of any state."""
        return self._usage[_ENTRIES_AT]

    def _before(self, ref: BundleRef) -> Row:
        """Return seq, state, size and auth of what is kept under `ref`."""
        rows = self._db.rows(query.BEFORE, ref)
        if not rows:
            raise LocalMisuse("a change to a bundle that is not in the store")
        return rows[0]

    def _replace(self, entry: Entry, body: bytes) -> None:
        """Put entry and body in the place of those under the same reference."""
        seq, state, size, auth = self._before(entry.ref)
        self._set(entry, seq, state)
        if body:
            self._db.write(query.SET_BODY, (seq, body))
        else:
            self._db.write(query.DROP_BODY, (seq,))
        self._weigh(entry.ref, auth, size if _STATES[state] in WITH_BODY else 0, -1)
        self._weigh(entry.ref, entry.auth, len(body), 1)

    def _set(self, entry: Entry, seq: int, state_before: int) -> None:
        self._knows_release = False
        self._entries.pop(entry.ref, None)
        self._db.write(query.SET_BUNDLE, (*_facts(entry), seq))
        if entry.state != state_before:
            self._db.write(query.SET_STATE, (entry.state, *entry.ref))
            self._touch(entry.ref)

    def _weigh(self, ref: BundleRef, auth: int, body_bytes: int, sign: int) -> None:
        self._usage[ref.traffic] += sign * body_bytes
        if auth == AuthKind.STAMP:
            self._usage[_STAMPED_AT] += sign * body_bytes
            self._usage[_STAMPS_AT] += sign

    def _touch(self, ref: BundleRef) -> None:
        """Note that the digest of a page no longer holds, nor one made before a rollback."""
        page = ref.id[0]
        self._touch_page(ref.traffic, ref.day, page)
        self._touched.add((ref.traffic, ref.day, page))

    def _touch_page(self, traffic: TrafficClass, day: Day, page: int) -> None:
        index = self._indexes.get((traffic, day))
        if index is not None:
            index.touch(page)


def _entry(row: Row) -> Entry:
    traffic, day, id_, state, size, auth, *facts = row
    postage_key, expiry_day, dies_at, acked_at, release_at, copies, pinned, *rest = facts
    had_body, arrival_day = rest
    return Entry(
        BundleRef(_TRAFFICS[traffic], day, id_),
        _STATES[state],
        size,
        _AUTHS[auth],
        postage_key,
        expiry_day,
        dies_at,
        acked_at,
        release_at,
        copies,
        pinned == 1,
        had_body == 1,
        arrival_day,
    )


def _facts(entry: Entry) -> tuple[object, ...]:
    """Return the columns of an entry behind its reference, in their order."""
    traffic = entry.ref.traffic
    may_go = (
        not entry.pinned
        and entry.state in WITH_BODY
        and entry.state is not State.WITHHELD
        and traffic is not TrafficClass.NOTICE
    )
    going = eviction_rank(entry) << 40 | (TrafficClass.BULK - traffic) << 32 | entry.standing_day
    return (
        entry.state,
        entry.size,
        entry.auth,
        entry.postage_key,
        entry.expiry_day,
        entry.dies_at_s,
        entry.acked_at_s,
        entry.release_at_s,
        entry.copies,
        entry.pinned,
        entry.had_body,
        entry.arrival_day,
        _postage_number(entry.postage_key) if entry.postage_key else None,
        going if may_go else None,
    )


def _postage_number(postage_key: bytes) -> int:
    """Return a number that is cheap to index and agrees for equal keys."""
    return int.from_bytes(postage_key[:4], "big")


def _refs(rows: list[Row]) -> list[BundleRef]:
    return [BundleRef(_TRAFFICS[traffic], Day(day), BundleId(id_)) for traffic, day, id_ in rows]
