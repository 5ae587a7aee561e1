"""What was opened before: it is known again under other postage, and when its key is burnt.

    opened       day u32 ‖ pc -> purge 32 ‖ what was sealed 32 ‖ payer 32, or nothing
    unreadable   pc -> empty: an item says already that this cannot be read

A carrier may put postage of its own on what it carries.  That makes another
bundle of the same bytes, which comes to the same desk (decision 0026): its
statement is shown once.  A desk confirms each, or the author would wait for ever
for word of the other; a reporter only the desk's own, or a relay could give each
caller a copy of its own and see whose is confirmed.  See docs/protocol/bundles.md,
"Receipts".
"""

from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of something that was opened.

    Attributes:
        purge: the preimage of its commitment.
        payer: the postage key of the one bundle that is confirmed; empty: whosever it is.
    """

    purge: bytes = field(repr=False)
    payer: bytes = b""


class Reopening:
    """Typed access to what is known of what was opened."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def note(self, bundle: Bundle, before: Before) -> None:
        """Remember a bundle that was opened."""
        value = before.purge + _sealed(bundle) + before.payer
        self._vault.put(shelf.OPENED, _key(bundle), value)

    def find(self, bundle: Bundle) -> Before | None:
        """Return what is known of a bundle whose every byte but the postage was opened before.

        None for others.  What has the commitment of a bundle that was opened and other
        bytes is a carrier's work, and says nothing of whose seal it was.
        """
        value = self._vault.get(shelf.OPENED, _key(bundle))
        if value is None:
            return None
        purge, sealed = value[:_HASH_BYTES], value[_HASH_BYTES : 2 * _HASH_BYTES]
        is_same = same(sealed, _sealed(bundle))
        return Before(purge, value[2 * _HASH_BYTES :]) if is_same else None

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
