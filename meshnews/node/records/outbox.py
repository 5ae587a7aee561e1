"""Sealed texts that also lie in the vault until carry is known to have them.

A reporter's dispatches, and whatever an editor posts.

    outbox    reference key -> [since s of life, draft id 16, held until s of life, wire form]

The vault commits before carry.  A crash between the two would leave a dispatch
whose keys are burnt and whose bundle is nowhere; the copy here is put back on
carry when the node starts.
"""

import math
from typing import Final

from meshnews.bundle.format import Bundle, parse
from meshnews.ids import BundleRef
from meshnews.limits import WIRE_BYTES
from meshnews.node import shelf
from meshnews.node.home import Home
from meshnews.store.reference import key_of, ref_of
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode

KEPT_S: Final = 60
"""No transaction lasts this long, so an older copy was committed by both stores."""

NO_DRAFT: Final = bytes(16)
"""What has no attachments was made from no draft."""

_S_MAX: Final = 1 << 40


class Outbox:
    """The copies of one home."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def keep(self, bundle: Bundle, draft_id: bytes = NO_DRAFT, *, hold_s: float = 0.0) -> None:
        """Keep a copy of a bundle that this transaction puts on carry, held for so long."""
        lived_s = self._home.moment.lived_s
        until_s = math.ceil(lived_s + hold_s) if hold_s > 0 else 0
        value = encode([int(lived_s), draft_id, until_s, bundle.wire])
        self._home.open_vault.put(shelf.OUTBOX, key_of(bundle.ref), value)

    def restore(self) -> dict[bytes, float]:
        """Put back on carry what a crash kept from it, still held for the rest of its hold.

        Returns:
            The drafts that were finished, and for how many seconds each is still held.
        """
        home = self._home
        finished: dict[bytes, float] = {}
        for key, value in home.open_vault.scan(shelf.OUTBOX):
            _, draft_id, until_s, wire = _read(value)
            hold_s = finished[draft_id] = max(0.0, until_s - home.moment.lived_s)
            bundle = parse(wire)
            if home.custody.entry(bundle.ref) is None:
                home.publish(bundle, release_after_s=hold_s)
                self.keep(bundle, draft_id, hold_s=hold_s)
            else:
                home.open_vault.delete(shelf.OUTBOX, key)
        return finished

    def find(self, draft_id: bytes) -> BundleRef | None:
        """Return the bundle whose copy a draft left here; None: there is none."""
        for key, value in self._home.open_vault.scan(shelf.OUTBOX):
            _, of_draft, *_ = _read(value)
            if of_draft == draft_id:
                return ref_of(key)
        return None

    def tidy(self) -> None:
        """Drop the copies whose bundles are on carry since long."""
        home = self._home
        if home.vault is None:
            return
        for key, value in home.vault.scan(shelf.OUTBOX):
            since_s, *_ = _read(value)
            if since_s + KEPT_S < home.moment.lived_s:
                home.vault.delete(shelf.OUTBOX, key)


def _read(value: bytes) -> tuple[int, bytes, int, bytes]:
    fields = as_list(decode(value, bytes_max=2 * WIRE_BYTES[-1]), size=4)
    since_s, draft_id, until_s, wire = fields
    return (
        as_int(since_s, 0, _S_MAX),
        as_bytes(draft_id, 16),
        as_int(until_s, 0, _S_MAX),
        as_bytes(wire),
    )
