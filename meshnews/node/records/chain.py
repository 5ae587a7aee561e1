"""The chains of members' statements, as far as they have come: what is missing, what forks.

    chain   byline -> nothing: its chain is known from the first statement on
            byline ‖ seq u64 -> [link 16, prev 16, item id]

A mesh delivers in any order, so a place is judged by its neighbours on both
sides, and what was missing may still come.  Two statements in one place, or
after one, are never right: a home was copied, or somebody else has its key.
"""

from dataclasses import dataclass
from typing import Final

from meshnews.bundle.statement import LINK_BYTES, Letter
from meshnews.limits import SEQ_MAX
from meshnews.node import shelf
from meshnews.store.port import Vault
from meshnews.wire.codec import as_bytes, as_list, decode, encode

PLACES_KEPT: Final = 4096
"""So many places before the newest are remembered of each byline."""

_SEQ_BYTES: Final = 8
_ID_BYTES: Final = 32
_ENTRY_BYTES_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Place:
    """One statement in its chain: its link, that of the one before, and its item."""

    link: bytes
    prev: bytes
    item: bytes


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a statement's place says about it.

    Attributes:
        gap: the one before it is not here.
        branch: it and another both have its place, or follow one statement.
        settles: the item that waited for it to close its gap; empty: none.
    """

    gap: bool
    branch: bool
    settles: bytes = b""


class Chains:
    """Every member's chain, as one editor has seen it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def begin(self, byline: bytes) -> frozenset[bytes]:
        """Take note that this byline's chain is known from its start: nothing may be missing.

        Returns:
            The items that came before this was known, and what is before them has not.
        """
        self._vault.put(shelf.CHAIN, byline, b"")
        seqs = [
            int.from_bytes(key[len(byline) :], "big")
            for key, _ in self._vault.scan(shelf.CHAIN, byline)
            if key != byline
        ]
        places = [self._place(byline, seq) for seq in seqs if seq and seq - 1 not in seqs]
        return frozenset(place.item for place in places if place is not None)

    def follow(self, letter: Letter, item: bytes) -> Judgement:
        """Give a statement its place, the first that claims it keeps it; return the judgement."""
        statement, byline = letter.statement, letter.author
        here = self._place(byline, statement.seq)
        before = self._place(byline, statement.seq - 1)
        after = self._place(byline, statement.seq + 1)
        branch = (
            (here is not None and here.link != letter.link)
            or (before is not None and before.link != statement.prev)
            or (after is not None and after.prev != letter.link)
        )
        if here is None:
            self._keep(byline, statement.seq, Place(letter.link, statement.prev, item))
        gap = before is None and statement.seq > 0 and self._is_inside(byline, statement.seq)
        fits = after is not None and after.prev == letter.link
        return Judgement(gap, branch, after.item if fits and after is not None else b"")

    def item_of(self, letter: Letter) -> bytes | None:
        """Return the item in which exactly this statement came, if it has its place."""
        here = self._place(letter.author, letter.statement.seq)
        return here.item if here is not None and here.link == letter.link else None

    def _is_inside(self, byline: bytes, seq: int) -> bool:
        """Tell whether anything before a place should be here.

        An editor who joined later was not sealed what was written before.
        """
        for key, _ in self._vault.scan(shelf.CHAIN, byline, at_most=1):
            return key == byline or key < _key(byline, seq)
        return False

    def _place(self, byline: bytes, seq: int) -> Place | None:
        if not 0 <= seq <= SEQ_MAX:
            return None
        value = self._vault.get(shelf.CHAIN, _key(byline, seq))
        if value is None:
            return None
        link, prev, item = as_list(decode(value, bytes_max=_ENTRY_BYTES_MAX), size=3)
        return Place(
            as_bytes(link, LINK_BYTES), as_bytes(prev, LINK_BYTES), as_bytes(item, _ID_BYTES)
        )

    def _keep(self, byline: bytes, seq: int, place: Place) -> None:
        self._vault.put(
            shelf.CHAIN, _key(byline, seq), encode([place.link, place.prev, place.item])
        )
        if seq >= PLACES_KEPT:
            self._vault.delete(shelf.CHAIN, _key(byline, seq - PLACES_KEPT))


def _key(byline: bytes, seq: int) -> bytes:
    return byline + seq.to_bytes(_SEQ_BYTES, "big")
