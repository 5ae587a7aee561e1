"""The stores of one home on disk, and the transaction that spans them."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from meshnews.errors import StoreFull
from meshnewsd.storage.carry import SqliteCarry
from meshnewsd.storage.database import Database, open_database
from meshnewsd.storage.fault import HalfKept
from meshnewsd.storage.home import CARRY_FILE, VAULT_FILE
from meshnewsd.storage.schema import CARRY_SCHEMA, VAULT_SCHEMA
from meshnewsd.storage.shelves import SqliteVault

Outcome = TypeVar("Outcome")

CARRY_CACHE_KIB: Final = 4096
VAULT_CACHE_KIB: Final = 1024
"""Page caches: what a machine with 512 MB can spare.  The system caches the files besides."""


class Store:
    """The `Stores` port on disk; obeys `meshnews.store.port.Stores`.

    One thread at a time may use it.  Reading is allowed at any time, writing
    only in the work of `transact`.

    The two databases are committed one after the other, the vault first.  A crash
    in between leaves the vault one batch ahead of carry.  That is the order in which
    nothing is lost: own work is written to the vault's outbox in the batch that
    puts it on carry, and whoever starts the node puts back on carry what is in
    the outbox and not there.
    """

    def __init__(self, carry: Database, vault: Database | None) -> None:
        self._carry_db = carry
        self._vault_db = vault
        self._carry = SqliteCarry(carry)
        self._vault = None if vault is None else SqliteVault(vault)

    @property
    def carry(self) -> SqliteCarry:
        """The bundles, and the shelves of what it takes to carry them."""
        return self._carry

    @property
    def vault(self) -> SqliteVault | None:
        """The person's shelves; None at a relay and in a locked daemon."""
        return self._vault

    def transact(self, work: Callable[[], Outcome]) -> Outcome:
        """Run `work`; put everything it wrote on the disk, or nothing when it raises.

        A transaction that writes nothing touches no disk.

        Raises:
            StoreFull: the disk had no room, and nothing was kept.
            HalfKept: the disk had no room for carry's part; the vault's is kept.
            StoreDamaged: the disk or a file is broken.  Nothing was kept of carry; of
                the vault perhaps all.
            LocalMisuse: a transaction is running already.
        """
        self._begin()
        try:
            outcome = work()
            self._carry.settle()
            self._commit()
        except BaseException:
            # Whatever ends the work, what it did half is undone.
            self._roll_back()
            raise
        self._carry.committed()
        return outcome

    def close(self) -> None:
        """Close both files.  Again: nothing."""
        self._carry_db.close()
        if self._vault_db is not None:
            self._vault_db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _begin(self) -> None:
        self._carry_db.begin()
        if self._vault_db is None:
            return
        try:
            self._vault_db.begin()
        except BaseException:
            self._carry_db.rollback()
            raise

    def _commit(self) -> None:
        vault = self._vault_db
        if vault is not None:
            vault.commit()
        try:
            self._carry_db.commit()
        except StoreFull as full:
            if vault is not None and vault.has_written:
                raise HalfKept(*full.args) from full
            raise

    def _roll_back(self) -> None:
        # First what is remembered: a disk that is broken may refuse the rest.
        self._carry.rolled_back()
        try:
            self._carry_db.rollback()
        finally:
            if self._vault_db is not None:
                self._vault_db.rollback()


def open_store(folder: Path, carry_key: bytes, vault_key: bytes | None = None) -> Store:
    """Return the stores in the home `folder`; a file that is missing is made.

    The keys come from `storage.keys`; without `vault_key` the vault stays closed.

    Raises:
        Refusal: a key does not open its file, another process has it, or a newer
            program wrote it.
        LocalMisuse: a key is not 32 bytes.
        StoreFull, StoreDamaged: the disk.
    """
    with contextlib.ExitStack() as undo:
        carry = open_database(
            folder / CARRY_FILE, carry_key, CARRY_SCHEMA, cache_kib=CARRY_CACHE_KIB
        )
        undo.callback(carry.close)
        vault = None
        if vault_key is not None:
            vault = open_database(
                folder / VAULT_FILE, vault_key, VAULT_SCHEMA, cache_kib=VAULT_CACHE_KIB
            )
            undo.callback(vault.close)
        store = Store(carry, vault)
        undo.pop_all()
        return store
