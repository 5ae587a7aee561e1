"""What was opened before: it is known again under other postage, and when its key is burnt.

    opened       day u32 ‖ pc -> purge 32 ‖ what was sealed 32
    unreadable   pc -> empty: an item says already that this cannot be read

A carrier may put postage of its own on what it carries.  That makes another
bundle of the same bytes, which comes to the same desk (decision 0026): its
statement is shown once, and each of the two is confirmed, or the author would
wait for ever for word of the other.  See docs/protocol/bundles.md, "Receipts".
"""

from typing import Final

from meshnews.bundle.format import Bundle, rest_hash
from meshnews.crypto.digest import same
from meshnews.ids import Day
from meshnews.node import shelf
from meshnews.store.port import Vault

KEPT_DAYS: Final = 60
"""Longer than anybody compares what was filed so long ago."""

_DAY_BYTES: Final = 4
_HASH_BYTES: Final = 32


class Reopening:
    """Typed access to what is known of what was opened."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def note(self, bundle: Bundle, purge: bytes) -> None:
        """Remember a bundle that was opened, by the preimage of its commitment."""
        self._vault.put(shelf.OPENED, _key(bundle), purge + _sealed(bundle))

    def purge_of(self, bundle: Bundle) -> bytes | None:
        """Return the preimage for a bundle whose every byte but the postage was opened before.

        None for others.  What has the commitment of a bundle that was opened and other
        bytes is a carrier's work, and says nothing of whose seal it was.
        """
        value = self._vault.get(shelf.OPENED, _key(bundle))
        if value is None or not same(value[_HASH_BYTES:], _sealed(bundle)):
            return None
        return value[:_HASH_BYTES]

    def is_first_unreadable(self, bundle: Bundle) -> bool:
        """Tell whether no bundle with this commitment was found unreadable; take note of this one.

        Nobody but who sealed it can make another commitment under its seal, so whoever
        carries it adds no item, whatever is put around the seal.
        """
        if self._vault.get(shelf.UNREADABLE, bundle.pc) is not None:
            return False
        self._vault.put(shelf.UNREADABLE, bundle.pc, b"")
        return True

    def tidy(self, floor_day: Day) -> None:
        """Forget what was filed so long ago that it cannot come again."""
        for key, _ in self._vault.scan(shelf.OPENED):
            if int.from_bytes(key[:_DAY_BYTES], "big") + KEPT_DAYS >= floor_day:
                return
            self._vault.delete(shelf.OPENED, key)


def _key(bundle: Bundle) -> bytes:
    return bundle.day.to_bytes(_DAY_BYTES, "big") + bundle.pc


def _sealed(bundle: Bundle) -> bytes:
    return rest_hash(bundle.h_ct, bundle.meta, b"")
