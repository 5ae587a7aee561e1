"""One bucket of the compared set, class and day: its elements in order, and their digest."""

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.ids import BundleId
from meshnews.store.port import COMPARED, State

EMPTY_DIGEST: Final = bytes(32)
"""The digest of a bucket without elements."""

_MARKS: Final = (b"\0", b"\0", b"\1", b"\1")
"""What the digest says of each compared state: acked, or not."""


def digest_of(elements: Sequence[tuple[BundleId, State]]) -> bytes:
    """Return the digest of a bucket with these elements, in order of identifier.

    Source: `meshnews.store.port.Carry.bucket_digest`.

    Raises:
        Nothing.
    """
    if not elements:
        return EMPTY_DIGEST
    return b2(Label.BUCKET, b"".join([id_ + _MARKS[state] for id_, state in elements]))


@dataclass(slots=True)
class Bucket:
    """The entries of one class and day, of any state."""

    states: dict[BundleId, State] = field(default_factory=dict)
    ids: list[BundleId] = field(default_factory=list)
    listing: list[tuple[BundleId, State]] | None = None
    digest: bytes | None = None

    def set(self, id: BundleId, state: State | None) -> None:  # noqa: A002  the protocol's word
        """Give `id` a state, or with None take it out."""
        self.listing = self.digest = None
        if state is None:
            del self.states[id]
            del self.ids[bisect_left(self.ids, id)]
            return
        if id not in self.states:
            insort(self.ids, id)
        self.states[id] = state

    def compared(self) -> list[tuple[BundleId, State]]:
        """Return the compared elements in order."""
        if self.listing is None:
            pairs = ((id_, self.states[id_]) for id_ in self.ids)
            self.listing = [pair for pair in pairs if pair[1] in COMPARED]
        return self.listing
