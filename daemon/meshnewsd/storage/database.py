"""One encrypted SQLite file: opening it, keying it, and transactions on it.

The cipher is ChaCha20 with Poly1305 per page (SQLite3 Multiple Ciphers), under
a raw 32-byte key, so nothing is derived from a passphrase here.  An empty key
or a misspelt pragma would silently give plain text; opening therefore checks
the key's length, the cipher, and how the file begins.

Only one process may have the file (`locking_mode=EXCLUSIVE`): there is no
shared-memory file, and a transaction that writes nothing costs a microsecond
and touches no disk.  Writes reach the disk at COMMIT (`synchronous=FULL`).
"""

import os
from pathlib import Path
from typing import Any, Final

import apsw

from meshnews.errors import LocalMisuse, MeshnewsError, StoreFull
from meshnewsd.storage.fault import (
    StoreDamaged,
    in_use,
    is_no_room,
    newer,
    translate,
    unreadable,
)
from meshnewsd.storage.home import sync_folder
from meshnewsd.storage.schema import Schema

CIPHER: Final = "chacha20"
KEY_BYTES: Final = 32
PLAIN_HEADER: Final = b"SQLite format 3"

PAGE_BYTES: Final = 8192
"""Three 2048-byte bundles fit in a page, against one in a page of 4096."""

BUSY_MS: Final = 2000
"""A daemon that is shutting down may hold the file for a moment."""

WAL_PAGES: Final = 1000
"""The log is folded into the file at about 8 MB."""

Row = tuple[Any, ...]
Bindings = tuple[object, ...]


class Database:
    """A keyed connection with at most one transaction, which the owner begins and ends.

    Not to be shared by threads at one time.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute
        self._is_writable = False
        self._is_doomed = False
        self._has_written = False

    @property
    def has_written(self) -> bool:
        """Whether the last transaction wrote anything."""
        return self._has_written

    def rows(self, statement: str, bindings: Bindings = ()) -> list[Row]:
        """Return all rows of a query.

        Raises:
            StoreDamaged: the file cannot be read.
        """
        try:
            return self._execute(statement, bindings).fetchall()
        except apsw.Error as exc:
            raise self._translated(exc) from exc

    def write(self, statement: str, bindings: Bindings = ()) -> None:
        """Carry out a statement that changes something.

        Raises:
            LocalMisuse: no transaction is running.
            StoreFull: the disk has no room.  The transaction is lost.
            StoreDamaged: the file cannot be written.
        """
        if not self._is_writable:
            raise LocalMisuse("a write to the store outside a transaction")
        self._has_written = True
        try:
            self._execute(statement, bindings)
        except apsw.Error as exc:
            raise self._translated(exc) from exc

    def changes(self) -> int:
        """Return how many rows the last `write` changed."""
        return self._connection.changes()

    def begin(self) -> None:
        """Start a transaction.

        Raises:
            LocalMisuse: one is running.
            StoreDamaged, Refusal: the file cannot be locked for writing.
        """
        if self._is_writable:
            raise LocalMisuse("a transaction inside a transaction")
        try:
            self._execute("BEGIN IMMEDIATE")
        except apsw.Error as exc:
            raise self._translated(exc) from exc
        self._is_writable, self._is_doomed, self._has_written = True, False, False

    def commit(self) -> None:
        """Put everything since `begin` on the disk.

        Raises:
            StoreFull: there is no room, or there was none for an earlier write
                and somebody went on as if nothing had happened.
            StoreDamaged: the file cannot be written.
        """
        if self._is_doomed:
            raise StoreFull("the disk had no room during the transaction")
        try:
            self._execute("COMMIT")
        except apsw.Error as exc:
            raise self._translated(exc) from exc
        self._is_writable = False

    def rollback(self) -> None:
        """Take back everything since `begin`.  Without a transaction: nothing."""
        self._is_writable = False
        # After some faults SQLite has rolled back by itself.
        if self._connection.in_transaction:
            self._execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; folds the log into it.  Again: nothing."""
        self.rollback_if_open()
        self._connection.close()

    def rollback_if_open(self) -> None:
        """Roll back a transaction that was left open by a bug or a crash of its owner."""
        if self._is_writable:
            self.rollback()

    def _translated(self, exc: apsw.Error) -> MeshnewsError:
        fault = translate(exc, self._connection.system_errno)
        if fault is None:
            # The statement is ours and constant, so this is a bug; its text holds no values.
            return LocalMisuse(f"{type(exc).__name__}: {exc}")
        self._is_doomed = True
        return fault


def open_database(path: Path, key: bytes, schema: Schema, *, cache_kib: int) -> Database:
    """Return the database at `path`, made if there is none, at the newest version of `schema`.

    Raises:
        LocalMisuse: the key is not 32 bytes, or the file would be plain text.
        Refusal: the key does not open it; another process has it; a newer
            program wrote it.
        StoreFull, StoreDamaged: the disk.
    """
    if len(key) != KEY_BYTES:
        raise LocalMisuse("a database key that is not 32 bytes")
    _make_private(path)
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.CantOpenError as exc:
        raise StoreDamaged(f"{path.name} cannot be opened") from exc
    try:
        _prepare(connection, key, cache_kib)
        version = int(connection.pragma("user_version"))
        if version > schema.version:
            raise newer(path.name)
        if version < schema.version:
            _migrate(connection, schema, version)
    except apsw.NotADBError as exc:
        connection.close()
        raise unreadable(path.name) from exc
    except (apsw.BusyError, apsw.LockedError) as exc:
        connection.close()
        raise in_use(path.name) from exc
    except apsw.Error as exc:
        errno_said = connection.system_errno
        connection.close()
        raise translate(exc, errno_said) or LocalMisuse(f"{type(exc).__name__}: {exc}") from exc
    except MeshnewsError:
        connection.close()
        raise
    _refuse_plain_text(path, connection)
    return Database(connection)


def _make_private(path: Path) -> None:
    """Make an empty file that only we can read, unless there is one; SQLite would ask the umask."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        sync_folder(path.parent)
    except FileExistsError:
        return
    except OSError as exc:
        if is_no_room(exc.errno):
            raise StoreFull("the disk has no room") from exc
        raise StoreDamaged(f"{path.name} cannot be made: {exc.strerror}") from exc


def _prepare(connection: apsw.Connection, key: bytes, cache_kib: int) -> None:
    """Key the connection and set what has to be set on each opening."""
    connection.set_busy_timeout(BUSY_MS)
    if connection.pragma("cipher", CIPHER) != CIPHER:
        raise LocalMisuse("the database library knows no ChaCha20")
    if connection.pragma("key", f"raw:{key.hex()}") != "ok":
        raise LocalMisuse("the database library took no key")
    connection.pragma("page_size", PAGE_BYTES)
    connection.pragma("locking_mode", "EXCLUSIVE")
    if connection.pragma("journal_mode", "WAL") != "wal":
        raise LocalMisuse("the database keeps no write-ahead log")
    connection.pragma("synchronous", "FULL")
    connection.pragma("secure_delete", "ON")
    connection.pragma("temp_store", "MEMORY")
    connection.pragma("mmap_size", 0)
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("wal_autocheckpoint", WAL_PAGES)
    connection.pragma("journal_size_limit", 2 * WAL_PAGES * PAGE_BYTES)
    connection.pragma("cell_size_check", "ON")
    connection.pragma("trusted_schema", "OFF")


def _migrate(connection: apsw.Connection, schema: Schema, version: int) -> None:
    """Bring the file to the newest version in one transaction."""
    with connection:
        for step in schema.steps[version:]:
            connection.execute(step)
        connection.pragma("user_version", schema.version)


def _refuse_plain_text(path: Path, connection: apsw.Connection) -> None:
    """Return if the file is encrypted; else close it and crash loudly."""
    with path.open("rb") as file:
        header = file.read(len(PLAIN_HEADER))
    if connection.pragma("cipher") != CIPHER or not header or header == PLAIN_HEADER:
        connection.close()
        raise LocalMisuse(f"{path.name} would not be encrypted")
