"""The chunks of attachments: awaited, taken in as they come, handed out, let go.

    awaited       chunk id ‖ letter id ‖ attachment u8 -> [level, position, data hash]
    leaf          letter id ‖ attachment u8 ‖ position u64 -> [chunk id, data hash]

Chunks stay on carry, pinned and encrypted, until they are let go; their key is in the
heading of their letter, so an attachment is put together only when it is saved.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.chunks import TreeNode, node_ref, open_index, open_leaf, purge_of, root_node
from meshnews.bundle.format import Bundle, parse
from meshnews.bundle.tree import AttachmentTree
from meshnews.errors import PeerError
from meshnews.ids import BundleId
from meshnews.node import shelf
from meshnews.node.dispatches import piece
from meshnews.node.home import Home
from meshnews.node.records.confirmation import Confirmations
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode

_ID_BYTES: Final = 32
_POSITION_MAX: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk belongs: a node in the tree of one attachment of one letter."""

    letter: bytes
    index: int
    node: TreeNode


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of taking in one node of a tree, and what of it was below it here.

    Attributes:
        leaves: so many pieces of the attachment are here that were not before.
        belongs: the node itself was one of the tree.
    """

    leaves: int
    belongs: bool


class Gathering:
    """The attachments that a person's machine puts together."""

    def __init__(self, home: Home, confirmations: Confirmations) -> None:
        self._home = home
        self._confirmations = confirmations

    def places(self, chunk: BundleId) -> list[Place]:
        """Return where a chunk is awaited.

        Whoever sees an identifier can name it as a chunk of an attachment of their own.
        So everyone who waits for it is heard, and waiting alone keeps it from nobody.
        """
        vault = self._home.vault
        if vault is None:
            return []
        return [_place(chunk, key, value) for key, value in vault.scan(shelf.AWAITED, chunk)]

    def begin(self, letter: bytes, index: int, tree: AttachmentTree) -> Gathered:
        """Await an attachment from its root on, and take in what is here of it."""
        place = Place(letter, index, root_node(tree))
        self._await(place)
        return self.take(place, tree)

    def take(self, place: Place, tree: AttachmentTree) -> Gathered:
        """Take in a node of a tree that has come, and below it what is here already."""
        leaves, belongs = 0, False
        pending = [place.node]
        while pending:
            node = pending.pop()
            wire = self._home.custody.body(node_ref(node, tree))
            if wire is None:
                continue
            one = Place(place.letter, place.index, node)
            try:
                children = self._take_node(parse(wire), one, tree)
            except PeerError:
                # The author of this letter lied about it; nothing else can ever fit there.
                self._home.open_vault.delete(shelf.AWAITED, _awaited_key(one))
                continue
            belongs = belongs or node is place.node
            leaves += node.level == 0
            pending += reversed(children)
        return Gathered(leaves, belongs)

    def _take_node(self, bundle: Bundle, place: Place, tree: AttachmentTree) -> list[TreeNode]:
        vault, node = self._home.open_vault, place.node
        children: list[TreeNode] = []
        if node.level:
            children = open_index(bundle, node, tree)
            for child in children:
                self._await(Place(place.letter, place.index, child))
        else:
            open_leaf(bundle, node, tree)
            key = piece.key_of_leaf(place.letter, place.index, node.position)
            vault.put(shelf.LEAF, key, encode([node.id, node.data_hash]))
        vault.delete(shelf.AWAITED, _awaited_key(place))
        self._home.custody.pin(bundle.ref)
        self._confirmations.confirm(bundle, purge_of(node, tree))
        return children

    def _await(self, place: Place) -> None:
        node = place.node
        value = encode([node.level, node.position, node.data_hash])
        self._home.open_vault.put(shelf.AWAITED, _awaited_key(place), value)

    def piece(self, letter: bytes, index: int, tree: AttachmentTree, position: int) -> bytes:
        """Return one leaf of an attachment, verified.

        Raises:
            Refusal: it is not here.
        """
        value = self._home.open_vault.get(shelf.LEAF, piece.key_of_leaf(letter, index, position))
        if value is not None:
            node = piece.leaf(value, position)
            wire = self._home.custody.body(node_ref(node, tree))
            if wire is not None:
                return open_leaf(parse(wire), node, tree)
        raise piece.incomplete(index)

    def let_go(self, letter: bytes, trees: Iterable[AttachmentTree], *, at_most: int) -> bool:
        """Keep the pieces of a letter's attachments no longer, `at_most` of them in one call.

        Returns:
            Whether that was all.
        """
        home, by_index = self._home, list(trees)
        leaves = list(home.open_vault.scan(shelf.LEAF, letter, at_most=at_most))
        for key, value in leaves:
            tree = by_index[key[_ID_BYTES]]
            home.custody.let_go(node_ref(piece.leaf(value, 0), tree), home.moment)
            home.open_vault.delete(shelf.LEAF, key)
        if len(leaves) == at_most:
            return False
        for tree in by_index:
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


def _awaited_key(place: Place) -> bytes:
    return place.node.id + place.letter + bytes([place.index])


def _place(chunk: BundleId, key: bytes, value: bytes) -> Place:
    letter, index = key[_ID_BYTES : 2 * _ID_BYTES], key[2 * _ID_BYTES]
    level, position, data_hash = as_list(decode(value, bytes_max=256), size=3)
    node = TreeNode(
        chunk, as_bytes(data_hash, 32), as_int(level, 0, 255), as_int(position, 0, _POSITION_MAX)
    )
    return Place(letter, index, node)
