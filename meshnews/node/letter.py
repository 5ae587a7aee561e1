"""Opened items: what a person reads, the attachments that belong to it, and receipts that are due.

    letter        bundle id -> its heading (`meshnews.node.item`)
    letter-text   bundle id -> its text
    letter-order  number u64 -> bundle id
    stranger      author ‖ letter id -> empty: its author is not known yet
    awaited       chunk id ‖ letter id ‖ attachment u8 -> [level, position, data hash]
    leaf          letter id ‖ attachment u8 ‖ position u64 -> [chunk id, data hash]
    due           class u8 ‖ day u32 ‖ id -> receipt that did not come back yet
    handed        the same ‖ collector 8 -> this collector says to have it

The text lies in the vault, apart from the heading: nothing but showing it reads
it.  Chunks stay on carry, pinned and encrypted, until they are let go; their key
is in the heading, so an attachment is put together only when it is saved.
"""

from collections.abc import Container, Iterator
from dataclasses import replace
from typing import Final

from meshnews.bundle.chunks import TreeNode, node_ref, open_index, open_leaf, purge_of, root_node
from meshnews.bundle.format import Bundle, parse
from meshnews.bundle.receipt import Receipt, decode_receipt, receipt_of
from meshnews.bundle.tree import AttachmentTree
from meshnews.errors import LocalMisuse, PeerError, Refusal
from meshnews.ids import BundleRef
from meshnews.node import piece, shelf
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.item import (
    Alarm,
    Heading,
    Item,
    Verdict,
    decode_heading,
    decode_text,
    encode_text,
    whole,
)
from meshnews.store.port import State
from meshnews.store.reference import key_of, ref_of
from meshnews.store.terms import Acknowledged
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode

_ACKED: Final = frozenset({State.ACKED, State.ACKED_WITH_BODY})
_DUE_DAYS: Final = 60
"""Longer than anybody compares what was filed so long ago."""
_ID_BYTES: Final = 32
_COLLECTOR_BYTES: Final = 8
_COUNT_MAX: Final = 1 << 40
_HEXADECIMAL: Final = frozenset("0123456789abcdef")


class Letters:
    """The opened items of a person."""

    def __init__(self, home: Home) -> None:
        self._home = home

    # Reading ----------------------------------------------------------------

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
        tree, _ = item.trees[index]
        if item.let_go_at:
            raise piece.let_go(index)
        value = self._home.open_vault.get(
            shelf.LEAF, piece.key_of_leaf(item.ref.id, index, position)
        )
        if value is not None:
            node = piece.leaf(value, position)
            wire = self._home.custody.body(node_ref(node, tree))
            if wire is not None:
                return open_leaf(parse(wire), node, tree)
        raise piece.incomplete(index)

    # Keeping ----------------------------------------------------------------

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
            self._await(item.ref.id, index, root_node(tree))
            self._gather(item.ref.id, index, root_node(tree))

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
        vault = self._home.open_vault
        pieces = list(vault.scan(shelf.LEAF, item.ref.id, at_most=at_most))
        for key, value in pieces:
            tree, _ = item.trees[key[_ID_BYTES]]
            self._home.custody.let_go(node_ref(piece.leaf(value, 0), tree), self._home.moment)
            vault.delete(shelf.LEAF, key)
        if len(pieces) == at_most:
            return False
        for tree, _ in item.trees:
            self._let_indexes_go(tree)
        return True

    def _let_indexes_go(self, tree: AttachmentTree) -> None:
        custody, pending = self._home.custody, [root_node(tree)]
        while pending:
            node = pending.pop()
            wire = custody.body(node_ref(node, tree))
            if wire is not None and node.level:
                pending += open_index(parse(wire), node, tree)
                custody.let_go(node_ref(node, tree), self._home.moment)

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
        """Take in a chunk that attachments wait for; tell whether it belongs to one.

        Whoever sees an identifier can name it as a chunk of an attachment of their own.
        So everyone who waits for it is heard, and waiting alone keeps it from nobody.
        """
        vault = self._home.vault
        if vault is None:
            return False
        belongs = False
        for key, value in list(vault.scan(shelf.AWAITED, bundle.id)):
            letter, index = key[_ID_BYTES : 2 * _ID_BYTES], key[2 * _ID_BYTES]
            level, position, data_hash = as_list(decode(value, bytes_max=256), size=3)
            node = TreeNode(
                bundle.id,
                as_bytes(data_hash, 32),
                as_int(level, 0, 255),
                as_int(position, 0, _COUNT_MAX),
            )
            belongs = self._gather(letter, index, node) or belongs
        return belongs

    def _await(self, letter: bytes, index: int, node: TreeNode) -> None:
        value = encode([node.level, node.position, node.data_hash])
        self._home.open_vault.put(shelf.AWAITED, _awaited_key(letter, index, node), value)

    def _gather(self, letter: bytes, index: int, node: TreeNode) -> bool:
        """Take in a node of a tree, and below it what is here already; tell whether it was one."""
        item = self.heading(letter)
        if item is None:
            raise LocalMisuse("a chunk for no letter")
        tree, here = item.trees[index]
        belongs = False
        pending = [node]
        while pending:
            one = pending.pop()
            wire = self._home.custody.body(node_ref(one, tree))
            if wire is None:
                continue
            try:
                children = self._take_node(parse(wire), one, tree, letter, index)
            except PeerError:
                # The author of this letter lied about it; nothing else can ever fit there.
                self._home.open_vault.delete(shelf.AWAITED, _awaited_key(letter, index, one))
                continue
            belongs = belongs or one is node
            here += one.level == 0
            pending += reversed(children)
        if here != item.trees[index][1]:
            trees = list(item.trees)
            trees[index] = tree, here
            self._keep(replace(item, trees=tuple(trees)))
        return belongs

    def _take_node(
        self, bundle: Bundle, node: TreeNode, tree: AttachmentTree, letter: bytes, index: int
    ) -> list[TreeNode]:
        vault = self._home.open_vault
        children: list[TreeNode] = []
        if node.level:
            children = open_index(bundle, node, tree)
            for child in children:
                self._await(letter, index, child)
        else:
            open_leaf(bundle, node, tree)
            value = encode([node.id, node.data_hash])
            vault.put(shelf.LEAF, piece.key_of_leaf(letter, index, node.position), value)
        vault.delete(shelf.AWAITED, _awaited_key(letter, index, node))
        self._home.custody.pin(bundle.ref)
        self.confirm(bundle, purge_of(node, tree))
        return children

    # Receipts ---------------------------------------------------------------

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

    def tidy_due(self) -> None:
        """Let go of receipts that came back while the vault was closed, or that nobody wants."""
        for key, _ in list(self._home.open_vault.scan(shelf.DUE)):
            ref = ref_of(key)
            # With no entry the power may have failed before carry had it: it comes again.
            is_old = ref.day + _DUE_DAYS < self._home.moment.floor_day
            if is_old or self._home.carry.state(ref) in _ACKED:
                self.came_back(ref)

    def release_later(self, bundle: Bundle, purge: bytes, hold_s: float) -> None:
        """Make the receipt of an answer known after a hold."""
        home = self._home
        at_ms = int((home.moment.lived_s + hold_s) * 1000)
        key = at_ms.to_bytes(8, "big") + bundle.ref.id
        home.open_vault.put(shelf.RELEASE, key, receipt_of(bundle, purge).encode())

    def release_due(self) -> None:
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


def _number_key(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _awaited_key(letter: bytes, index: int, node: TreeNode) -> bytes:
    return node.id + letter + bytes([index])
