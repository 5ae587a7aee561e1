"""Receipts of what was opened here, until the mesh is known to have them.

    due       class u8 ‖ day u32 ‖ id -> receipt that did not come back yet
    handed    the same ‖ collector 8 -> this collector says to have it
    release   when u64 ms of life ‖ id -> receipt to be made known then

An editor's receipts are handed to every collector until one of them comes back; a
reporter's become known after a hold, so that nobody learns when an answer was read.
See docs/protocol/custody.md, "Receipts".
"""

from collections.abc import Iterator
from typing import Final

from meshnews.bundle.format import Bundle
from meshnews.bundle.receipt import Receipt, decode_receipt, receipt_of
from meshnews.ids import BundleRef
from meshnews.node import shelf
from meshnews.node.home import Home
from meshnews.store.port import ACKED
from meshnews.store.reference import key_of, ref_of
from meshnews.store.terms import Acknowledged

_DUE_DAYS: Final = 60
"""Longer than anybody compares what was filed so long ago."""
_COLLECTOR_BYTES: Final = 8


class Confirmations:
    """The receipts that a person's machine owes for what it opened."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def confirm(self, bundle: Bundle, purge: bytes) -> None:
        """Make the receipt of a bundle that was opened, for a collector to release.

        On a machine that is a whole desk it goes to its own collector.
        """
        home = self._home
        receipt = receipt_of(bundle, purge)
        if home.identity.is_collector:
            home.custody.acknowledge(receipt, home.moment)
            return
        home.open_vault.put(shelf.DUE, key_of(bundle.ref), receipt.encode())
        home.due.append(receipt)

    def due(self, collector: bytes) -> list[Receipt]:
        """Return the receipts that a collector, by its static key, has not said to have."""
        vault = self._home.vault
        if vault is None:
            return []
        return [
            decode_receipt(value)
            for key, value in vault.scan(shelf.DUE)
            if vault.get(shelf.HANDED, key + collector[:_COLLECTOR_BYTES]) is None
        ]

    def handed_over(self, ref: BundleRef, collector: bytes) -> None:
        """Take note that a collector says to have a receipt.

        Only when it came back is it known that the collector has released it: one in
        wrong hands keeps it.  Until then it is handed to every other collector too.
        """
        vault, key = self._home.vault, key_of(ref)
        if vault is not None and vault.get(shelf.DUE, key) is not None:
            vault.put(shelf.HANDED, key + collector[:_COLLECTOR_BYTES], b"")

    def came_back(self, ref: BundleRef) -> None:
        """Take note that a receipt of ours is known in the mesh."""
        vault, key = self._home.vault, key_of(ref)
        if vault is None or vault.get(shelf.DUE, key) is None:
            return
        vault.delete(shelf.DUE, key)
        for handed, _ in list(vault.scan(shelf.HANDED, key)):
            vault.delete(shelf.HANDED, handed)

    def tidy(self) -> None:
        """Let go of receipts that came back while the vault was closed, or that nobody wants."""
        for key, _ in list(self._home.open_vault.scan(shelf.DUE)):
            ref = ref_of(key)
            # With no entry the power may have failed before carry had it: it comes again.
            is_old = ref.day + _DUE_DAYS < self._home.moment.floor_day
            if is_old or self._home.carry.state(ref) in ACKED:
                self.came_back(ref)

    def release_later(self, bundle: Bundle, purge: bytes, hold_s: float) -> None:
        """Make the receipt of an answer known after a hold."""
        home = self._home
        at_ms = int((home.moment.lived_s + hold_s) * 1000)
        key = at_ms.to_bytes(8, "big") + bundle.ref.id
        home.open_vault.put(shelf.RELEASE, key, receipt_of(bundle, purge).encode())

    def release(self) -> None:
        """Make the receipts known whose hold has ended."""
        home = self._home
        if home.vault is None:
            return
        now_ms = int(home.moment.lived_s * 1000)
        for key, value in self._released(now_ms):
            receipt = decode_receipt(value)
            home.vault.delete(shelf.RELEASE, key)
            if home.custody.acknowledge(receipt, home.moment) is Acknowledged.NEW:
                home.receipted.append(receipt.ref)

    def _released(self, now_ms: int) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._home.open_vault.scan(shelf.RELEASE):
            if int.from_bytes(key[:8], "big") > now_ms:
                return
            yield key, value
