"""Opened items: what a person reads.

    letter        bundle id -> its heading (`meshnews.node.dispatches.item`)
    letter-text   bundle id -> its text
    letter-order  number u64 -> bundle id
    stranger      author ‖ letter id -> empty: its author is not known yet

The text lies in the vault, apart from the heading: nothing but showing it reads
it.  The heading says how much is here of each attachment (`meshnews.node.dispatches.gathering`).
"""

from collections.abc import Container
from dataclasses import replace
from typing import Final

from meshnews.bundle.format import Bundle
from meshnews.errors import LocalMisuse, Refusal
from meshnews.node import shelf
from meshnews.node.dispatches import piece
from meshnews.node.dispatches.gathering import Gathered, Gathering
from meshnews.node.dispatches.item import (
    Alarm,
    Heading,
    Item,
    Verdict,
    decode_heading,
    decode_text,
    encode_text,
    whole,
)
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.records.confirmation import Confirmations

_HEXADECIMAL: Final = frozenset("0123456789abcdef")


class Letters:
    """The opened items of a person."""

    def __init__(self, home: Home, confirmations: Confirmations) -> None:
        self._home = home
        self._gathering = Gathering(home, confirmations)

    def count(self) -> int:
        """Return how many items have ever come in: none is deleted singly."""
        vault = self._home.vault
        return 0 if vault is None else vault.count(shelf.LETTER_ORDER)

    def listing(self, *, at_most: int, before: Heading | None = None) -> list[Heading]:
        """Return what came in last, the newest first; `before` an item: what came before that."""
        vault = self._home.vault
        if vault is None:
            return []
        end = self.count() if before is None else before.number
        numbers = range(end - 1, max(0, end - at_most) - 1, -1)
        ids = [vault.get(shelf.LETTER_ORDER, _number_key(number)) for number in numbers]
        found = [self.heading(identifier) for identifier in ids if identifier is not None]
        return [heading for heading in found if heading is not None]

    def heading(self, identifier: bytes) -> Heading | None:
        """Return what a list says of one item, by its whole identifier."""
        vault = self._home.vault
        value = None if vault is None else vault.get(shelf.LETTER, identifier)
        return None if value is None else decode_heading(identifier, value)

    def get(self, identifier: bytes) -> Item | None:
        """Return one item by its whole identifier."""
        heading = self.heading(identifier)
        if heading is None:
            return None
        text = self._home.open_vault.get(shelf.LETTER_TEXT, identifier)
        if text is None:
            raise LocalMisuse("a letter without a text")
        return whole(heading, decode_text(text))

    def find(self, prefix: str) -> Heading:
        """Return what a list says of the item that begins with these hexadecimal digits.

        Raises:
            Refusal: there is none, or more than one.
        """
        found = self._beginning_with(prefix.lower())
        if len(found) != 1:
            raise Refusal(
                "no-such-item" if not found else "ambiguous-item",
                what=f"{'Nothing' if not found else 'More than one item'} here begins with "
                f"{prefix}.",
                meaning="Nothing was opened or changed.",
                remedy="`meshnews inbox` lists what came in.",
            )
        return found[0]

    def find_whole(self, prefix: str) -> Item:
        """Return the item that begins with these hexadecimal digits, with its text.

        Raises:
            Refusal: there is none, or more than one.
        """
        item = self.get(self.find(prefix).ref.id)
        if item is None:
            raise LocalMisuse("a letter that was found is gone")
        return item

    def _beginning_with(self, digits: str) -> list[Heading]:
        """Return two of the items that begin with these digits, or all if there are fewer."""
        vault = self._home.vault
        if vault is None or not _HEXADECIMAL.issuperset(digits):
            return []
        # Keys are bytes: half of one stands for each of sixteen.
        stems = [digits] if len(digits) % 2 == 0 else [digits + last for last in _HEXADECIMAL]
        return [
            decode_heading(identifier, value)
            for stem in sorted(stems)
            for identifier, value in vault.scan(shelf.LETTER, bytes.fromhex(stem), at_most=2)
        ][:2]

    def mark_read(self, item: Heading) -> Heading:
        """Take note that a person has opened an item."""
        if item.read_at:
            return item
        read = replace(item, read_at=max(1, self._home.wall.s))
        self._keep(read)
        return read

    def piece(self, item: Heading, index: int, position: int) -> bytes:
        """Return one leaf of an attachment, verified: CHUNK_BYTES of the file, the last fewer.

        Raises:
            Refusal: it is not here, or not complete.
        """
        if item.let_go_at:
            raise piece.let_go(index)
        tree, _ = item.trees[index]
        return self._gathering.piece(item.ref.id, index, tree, position)

    def add(self, item: Item) -> None:
        """Keep a new item, and gather what is here of its attachments."""
        vault = self._home.open_vault
        if vault.get(shelf.LETTER, item.ref.id) is not None:
            return
        heading = replace(item, number=self.count())
        vault.put(shelf.LETTER_ORDER, _number_key(heading.number), item.ref.id)
        vault.put(shelf.LETTER_TEXT, item.ref.id, encode_text(item.text))
        if item.author and not item.name and item.verdict is not Verdict.DESK:
            vault.put(shelf.STRANGER, item.author + item.ref.id, b"")
        self._keep(heading)
        for index, (tree, _) in enumerate(item.trees):
            self._note_gathered(item.ref.id, index, self._gathering.begin(item.ref.id, index, tree))

    def name_author(
        self, author: bytes, *, name: str, verdict: Verdict, gaps: Container[bytes]
    ) -> None:
        """Say who wrote what came before its author was known; what is in `gaps` has one."""
        vault = self._home.open_vault
        for key, _ in vault.scan(shelf.STRANGER, author):
            vault.delete(shelf.STRANGER, key)
            item = self.heading(key[len(author) :])
            if item is not None:
                missing = (Alarm.GAP,) if item.ref.id in gaps else ()
                alarms = tuple(dict.fromkeys((*item.alarms, *missing)))
                self._keep(replace(item, name=name, verdict=verdict, alarms=alarms))

    def let_go(self, item: Heading, *, at_most: int) -> bool:
        """Keep the pieces of an item's attachments no longer; its text stays.

        Returns:
            Whether that was all: one call lets go of `at_most` pieces.

        Raises:
            Refusal: not all of them are here, so that nobody can have saved them.
        """
        for index, (tree, here) in enumerate(item.trees):
            if here < tree.n:
                raise piece.incomplete(index)
        if not item.let_go_at:
            self._keep(replace(item, let_go_at=max(1, self._home.wall.s)))
        trees = [tree for tree, _ in item.trees]
        return self._gathering.let_go(item.ref.id, trees, at_most=at_most)

    def settle_gap(self, identifier: bytes) -> None:
        """Take back the alarm that something before an item was missing: it has come."""
        item = self.heading(identifier)
        if item is not None and Alarm.GAP in item.alarms:
            left = tuple(alarm for alarm in item.alarms if alarm is not Alarm.GAP)
            fits = item.verdict is Verdict.FORK and Alarm.BRANCH not in left
            verdict = Verdict.UNPROVEN if fits else item.verdict
            self._keep(replace(item, alarms=left, verdict=verdict))
            self._home.tell(Topic.INBOX, [item.ref])

    def _keep(self, item: Heading) -> None:
        self._home.open_vault.put(shelf.LETTER, item.ref.id, item.encode())
        self._home.tell(Topic.INBOX, [item.ref])

    def chunk_arrived(self, bundle: Bundle) -> bool:
        """Take in a chunk that attachments wait for; tell whether it belongs to one."""
        belongs = False
        for place in self._gathering.places(bundle.id):
            item = self._gathered_for(place.letter)
            tree, _ = item.trees[place.index]
            taken = self._gathering.take(place, tree)
            self._note_gathered(place.letter, place.index, taken)
            belongs = belongs or taken.belongs
        return belongs

    def _note_gathered(self, letter: bytes, index: int, gathered: Gathered) -> None:
        if gathered.leaves:
            item = self._gathered_for(letter)
            trees = list(item.trees)
            tree, here = trees[index]
            trees[index] = tree, here + gathered.leaves
            self._keep(replace(item, trees=tuple(trees)))

    def _gathered_for(self, letter: bytes) -> Heading:
        item = self.heading(letter)
        if item is None:
            raise LocalMisuse("a chunk for no letter")
        return item


def _number_key(number: int) -> bytes:
    return number.to_bytes(8, "big")
