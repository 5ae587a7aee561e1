"""One encrypted SQLite file: opening it, keying it, and transactions on it.

The cipher is ChaCha20 with Poly1305 per page (SQLite3 Multiple Ciphers), under
a raw 32-byte key, so nothing is derived from a passphrase here.  An empty key
or a misspelt pragma would silently give plain text; opening therefore checks
the key's length, the cipher, and how the file begins.

Only one owner may have the file: a lock of ours goes with it (`flock`), which
SQLite's own do not touch.  A transaction that writes nothing costs microseconds
and touches no disk.  Writes reach the disk at COMMIT (`synchronous=FULL`); the
log that they go to is folded into the file beside them (`fold`).
"""

import errno
import fcntl
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
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
from meshnewsd.storage.fold import FOLD_PAGES, Folding
from meshnewsd.storage.home import sync_folder
from meshnewsd.storage.schema import Schema

CIPHER: Final = "chacha20"
KEY_BYTES: Final = 32
PLAIN_HEADER: Final = b"SQLite format 3"

VFS: Final = "multipleciphers-unix-excl"
"""SQLite's files for one process alone: the index of the log lies in memory, not in a file of its
own, for which a full disk has no room, and which a program beside us may cut off under us."""

PAGE_BYTES: Final = 8192
"""Three 2048-byte bundles fit in a page, against one in a page of 4096."""

BUSY_MS: Final = 2000
"""Who folds the log may hold something for a moment."""

FOLDING_CACHE_KIB: Final = 64
"""Who folds reads no page by way of a cache."""

Row = tuple[Any, ...]
Bindings = tuple[object, ...]


class Database:
    """A keyed connection with at most one transaction, which the owner begins and ends.

    Not to be shared by threads at one time.

    Args:
        connection: to the file.
        folding: of its log.
        lock: a descriptor of the file that holds it for us.
    """

    def __init__(self, connection: apsw.Connection, folding: Folding, lock: int) -> None:
        self._connection = connection
        self._folding = folding
        self._lock: int | None = lock
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
        if self._has_written:
            self._folding.committed()

    def rollback(self) -> None:
        """Take back everything since `begin`.  Without a transaction: nothing."""
        self._is_writable = False
        # After some faults SQLite has rolled back by itself.
        if self._connection.in_transaction:
            self._execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; folds the log into it.  Again: nothing."""
        self.rollback_if_open()
        self._folding.close()
        try:
            self._connection.close()
        finally:
            # Not before: with any descriptor of a file go all of SQLite's locks on it.
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

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
    with ExitStack() as undo:
        lock = _hold(path)
        undo.callback(os.close, lock)
        connection = _connect(path)
        undo.callback(connection.close)
        with _opening(path, connection):
            _prepare(connection, key, cache_kib)
            version = int(connection.pragma("user_version"))
            if version > schema.version:
                raise newer(path.name)
            if version < schema.version:
                _migrate(connection, schema, version)
        _refuse_plain_text(path, connection, lock)
        undo.pop_all()
    return Database(connection, Folding(connection, partial(_beside, path, key)), lock)


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


def _hold(path: Path) -> int:
    """Return a descriptor of the file that keeps every other owner away while it is open."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as exc:
        raise StoreDamaged(f"{path.name} cannot be opened: {exc.strerror}") from exc
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(lock)
        if exc.errno in {errno.EAGAIN, errno.EACCES}:
            raise in_use(path.name) from exc
        raise StoreDamaged(f"{path.name} cannot be locked: {exc.strerror}") from exc
    return lock


def _connect(path: Path) -> apsw.Connection:
    try:
        return _connection(path)
    except apsw.CantOpenError as exc:
        raise StoreDamaged(f"{path.name} cannot be opened") from exc


def _connection(path: Path) -> apsw.Connection:
    return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=VFS)


@contextmanager
def _opening(path: Path, connection: apsw.Connection) -> Generator[None]:
    """Let what goes wrong with a file that is being opened be told in the house's words."""
    try:
        yield
    except apsw.NotADBError as exc:
        raise unreadable(path.name) from exc
    except (apsw.BusyError, apsw.LockedError) as exc:
        raise in_use(path.name) from exc
    except apsw.Error as exc:
        fault = translate(exc, connection.system_errno)
        raise fault or LocalMisuse(f"{type(exc).__name__}: {exc}") from exc


def _prepare(connection: apsw.Connection, key: bytes, cache_kib: int) -> None:
    """Key the connection and set what has to be set on each opening."""
    connection.set_busy_timeout(BUSY_MS)
    if connection.pragma("cipher", CIPHER) != CIPHER:
        raise LocalMisuse("the database library knows no ChaCha20")
    if connection.pragma("key", f"raw:{key.hex()}") != "ok":
        raise LocalMisuse("the database library took no key")
    connection.pragma("page_size", PAGE_BYTES)
    if connection.pragma("journal_mode", "WAL") != "wal":
        raise LocalMisuse("the database keeps no write-ahead log")
    connection.pragma("synchronous", "FULL")
    connection.pragma("secure_delete", "ON")
    connection.pragma("temp_store", "MEMORY")
    connection.pragma("mmap_size", 0)
    connection.pragma("cache_size", -cache_kib)
    connection.pragma("journal_size_limit", 2 * FOLD_PAGES * PAGE_BYTES)
    connection.pragma("cell_size_check", "ON")
    connection.pragma("trusted_schema", "OFF")


def _beside(path: Path, key: bytes) -> apsw.Connection:
    """Return a second connection to a file that is open, for folding its log."""
    connection = _connection(path)
    _prepare(connection, key, FOLDING_CACHE_KIB)
    return connection


def _migrate(connection: apsw.Connection, schema: Schema, version: int) -> None:
    """Bring the file to the newest version in one transaction."""
    with connection:
        for step in schema.steps[version:]:
            connection.execute(step)
        connection.pragma("user_version", schema.version)


def _refuse_plain_text(path: Path, connection: apsw.Connection, file: int) -> None:
    """Return if the open file is encrypted; else crash loudly."""
    header = os.pread(file, len(PLAIN_HEADER), 0)
    if connection.pragma("cipher") != CIPHER or not header or header == PLAIN_HEADER:
        raise LocalMisuse(f"{path.name} would not be encrypted")
