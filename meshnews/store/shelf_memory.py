"""Shelves in memory, with a journal that takes a failed transaction back.

Whoever changes something first notes what was there; `transaction` replays the
notes backwards when its block raises, so a test can crash a node wherever it
likes and look at what a real store would hold.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from meshnews.errors import LocalMisuse
from meshnews.store.prefix import past_prefix

Undo = Callable[[], None]


class Journal(AbstractContextManager[None]):
    """Notes of how to take back what was written since the transaction began.

    As a context it is the transaction: it keeps everything that its block writes, or
    nothing when that raises.
    """

    def __init__(self) -> None:
        self._undo: list[Undo] | None = None

    @property
    def is_open(self) -> bool:
        """A transaction is running, so changes have to be noted."""
        return self._undo is not None

    @property
    def has_notes(self) -> bool:
        """The running transaction has changed something."""
        return bool(self._undo)

    def note(self, undo: Undo) -> None:
        """Remember how to take one change back.  Outside a transaction: forget it.

        Raises:
            Nothing.
        """
        if self._undo is not None:
            self._undo.append(undo)

    def __enter__(self) -> None:
        if self._undo is not None:
            raise LocalMisuse("a transaction inside a transaction")
        self._undo = []

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        undo, self._undo = self._undo, None
        if kind is not None:
            for take_back in reversed(undo or []):
                take_back()


@dataclass(slots=True)
class _Shelf:
    """The records of one shelf, and their keys in order."""

    records: dict[bytes, bytes] = field(default_factory=dict)
    keys: list[bytes] = field(default_factory=list)


class MemoryShelves:
    """The `Shelves` port in dictionaries.

    Obeys `meshnews.store.port.Shelves`.  A write outside a transaction is kept
    at once, which the SQLite store refuses.
    """

    def __init__(self) -> None:
        self._shelves: dict[str, _Shelf] = {}
        self._journal = Journal()

    @property
    def has_written(self) -> bool:
        """The running transaction has changed something."""
        return self._journal.has_notes

    @property
    def shelf_names(self) -> list[str]:
        """The shelves that ever had a record, in order."""
        return sorted(self._shelves)

    @property
    def record_bytes(self) -> int:
        """Bytes of all records, their keys included."""
        records = (shelf.records for shelf in self._shelves.values())
        return sum(len(key) + len(value) for each in records for key, value in each.items())

    def transaction(self) -> AbstractContextManager[None]:
        """Return a context that keeps all that is written in it, or nothing when it raises.

        Raises:
            LocalMisuse: on entering, when a transaction is running already.
        """
        return self._journal

    def get(self, shelf: str, key: bytes) -> bytes | None:
        """Return the record under `key`.

        Raises:
            Nothing.
        """
        kept = self._shelves.get(shelf)
        return kept.records.get(key) if kept else None

    def put(self, shelf: str, key: bytes, value: bytes) -> None:
        """Write the record under `key`.

        Raises:
            Nothing.
        """
        self._set(shelf, key, value)

    def delete(self, shelf: str, key: bytes) -> None:
        """Remove the record under `key`, if there is one.

        Raises:
            Nothing.
        """
        self._set(shelf, key, None)

    def scan(
        self,
        shelf: str,
        prefix: bytes = b"",
        *,
        after: bytes | None = None,
        at_most: int | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield the records of a shelf as they are now, in order of key.

        Raises:
            Nothing.
        """
        kept = self._shelves.get(shelf)
        if kept is None:
            return iter(())
        first = bisect_left(kept.keys, prefix)
        if after is not None:
            first = max(first, bisect_right(kept.keys, after))
        past = past_prefix(prefix)
        end = len(kept.keys) if past is None else bisect_left(kept.keys, past)
        if at_most is not None:
            end = min(end, first + at_most)
        return iter([(key, kept.records[key]) for key in kept.keys[first:end]])

    def count(self, shelf: str) -> int:
        """Return how many records `shelf` has.

        Raises:
            Nothing.
        """
        kept = self._shelves.get(shelf)
        return len(kept.keys) if kept else 0

    def _set(self, shelf: str, key: bytes, value: bytes | None) -> None:
        kept = self._shelves.setdefault(shelf, _Shelf())
        before = kept.records.get(key)
        if self._journal.is_open:
            self._journal.note(lambda: self._set(shelf, key, before))
        if value is None:
            if before is not None:
                del kept.records[key]
                del kept.keys[bisect_left(kept.keys, key)]
            return
        kept.records[key] = value
        if before is None:
            insort(kept.keys, key)
