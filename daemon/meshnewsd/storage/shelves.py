"""Shelves of small records in a SQLite table."""

from collections.abc import Iterator

from meshnews.store.prefix import past_prefix
from meshnewsd.storage.database import Database

_GET = "SELECT value FROM shelf WHERE name = ? AND key = ?"
_PUT = "INSERT OR REPLACE INTO shelf VALUES (?, ?, ?)"
_DELETE = "DELETE FROM shelf WHERE name = ? AND key = ?"
_COUNT = "SELECT count(*) FROM shelf WHERE name = ?"
_SCAN = "SELECT key, value FROM shelf WHERE name = ? AND key >= ? ORDER BY key LIMIT ?"
_SCAN_TO = (
    "SELECT key, value FROM shelf WHERE name = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?"
)
_NO_LIMIT = -1


class SqliteShelves:
    """The `Shelves` port on one database; obeys `meshnews.store.port.Shelves`.

    Its calls raise what those of `Database` do.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def get(self, shelf: str, key: bytes) -> bytes | None:
        """Return the record under `key`."""
        rows = self._db.rows(_GET, (shelf, key))
        return rows[0][0] if rows else None

    def put(self, shelf: str, key: bytes, value: bytes) -> None:
        """Write the record under `key`."""
        self._db.write(_PUT, (shelf, key, value))

    def delete(self, shelf: str, key: bytes) -> None:
        """Remove the record under `key`; its bytes are overwritten (`secure_delete`)."""
        self._db.write(_DELETE, (shelf, key))

    def scan(
        self,
        shelf: str,
        prefix: bytes = b"",
        *,
        after: bytes | None = None,
        at_most: int | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield the records of a shelf as they are now, in order of key."""
        # A key's successor in the order of byte strings is the key and a zero byte.
        first = prefix if after is None else max(prefix, after + b"\0")
        past = past_prefix(prefix)
        limit = _NO_LIMIT if at_most is None else at_most
        if past is None:
            rows = self._db.rows(_SCAN, (shelf, first, limit))
        else:
            rows = self._db.rows(_SCAN_TO, (shelf, first, past, limit))
        return iter([(row[0], row[1]) for row in rows])

    def count(self, shelf: str) -> int:
        """Return how many records `shelf` has."""
        return int(self._db.rows(_COUNT, (shelf,))[0][0])


class SqliteVault(SqliteShelves):
    """The `Vault` port."""
