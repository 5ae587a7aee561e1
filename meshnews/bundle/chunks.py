"""Attachments: trees of chunks, each a bundle of its own; see docs/protocol/bundles.md.

    k      = b2('chunk-key', level u8 ‖ position u64 ‖ class u8 ‖ life u8 ‖ day u16
                             ‖ b2('chunk', data), key=K)
    skE    = b2('chunk-ephemeral', '', key=k)                    E = X25519(skE, 9)
    stanzas = b2('chunk-stanzas', 0 u8, key=k, n=64) ‖ b2(…, 1 u8 …) ‖ …, cut to length
    index node's data = (id ‖ b2('chunk', data)) of each child, 64 bytes each

Nothing in a chunk is drawn at random but K, so sealing it again after a crash
gives the same bytes; and the data's hash is in the key, so other data never
meets a key that was used.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.envelope import Terms, close, disclose, purge_of_key, shape_for
from meshnews.bundle.format import Bundle, Franker, Head, commitment
from meshnews.bundle.shape import HASH_BYTES
from meshnews.bundle.tree import (
    AttachmentTree,
    Role,
    children_of,
    clean_name,
    depth_of,
    leaf_bytes,
    leaves_of,
    tree_traffic,
)
from meshnews.crypto.digest import Label, b2, same
from meshnews.crypto.keys import KEY_BYTES, X25519Secret
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import ATTACHMENT_BYTES_MAX, INDEX_CHILDREN_MAX, STANZA_BYTES

CHILD_BYTES: Final = 2 * HASH_BYTES
_STREAM_BYTES: Final = 64

ChunkFranker = Callable[[TrafficClass], Franker]
"""Gives what admits the next chunk, of this class."""


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One node of a tree, as its parent (or, for the root, the statement) names it.

    Attributes:
        data_hash: b2('chunk', data) of what is in it.
        level: 0 for a leaf.
        position: from the left, within its level.
    """

    id: BundleId
    data_hash: bytes
    level: int
    position: int


class TreeWriter:
    """Seals one attachment, chunk by chunk.

    Give it the file in order, CHUNK_BYTES at a time (the last piece shorter),
    then `finish`.  An index node is sealed as soon as its last child is.

    Args:
        file_key: K, 32 random bytes for this snapshot of this file.
        size: bytes of the file; the caller reads a copy that does not change.
        role: what the attachment is to its dispatch.
        life: of every chunk, in days.
        day: of every chunk, even.
        franker: gives what franks a chunk; called once for each.
        name: what to save it as; made safe here.

    Raises:
        LocalMisuse: a key of another length, or a size above ATTACHMENT_BYTES_MAX.
    """

    def __init__(
        self,
        file_key: bytes,
        *,
        size: int,
        role: Role,
        life: int,
        day: Day,
        franker: ChunkFranker,
        name: str = "",
    ) -> None:
        if len(file_key) != KEY_BYTES or not 0 <= size <= ATTACHMENT_BYTES_MAX:
            raise LocalMisuse("a file key or size that no attachment has")
        self._key = file_key
        self._size = size
        self._role = role
        self._name = clean_name(name)
        self._terms = Terms(tree_traffic(role, size), day, life)
        self._franker = franker
        self._leaves = leaves_of(size)
        self._depth = depth_of(self._leaves)
        self._sha256 = hashlib.sha256()
        self._sealed = [0] * (self._depth + 1)
        self._children = [bytearray() for _ in range(self._depth + 1)]
        self._root = TreeNode(BundleId(b""), b"", 0, 0)

    def add(self, data: bytes) -> list[Bundle]:
        """Take the next piece of the file; return the bundles it made: a leaf, and full indices.

        Raises:
            LocalMisuse: `data` is not as long as the next piece must be.
        """
        if self._sealed[0] == self._leaves or len(data) != leaf_bytes(self._sealed[0], self._size):
            raise LocalMisuse("a piece of the wrong length")
        self._sha256.update(data)
        bundles: list[Bundle] = []
        level = 0
        while True:
            bundles.append(self._seal(level, data))
            level += 1
            if level > self._depth:
                return bundles
            children = self._children[level]
            expected = children_of(level, self._sealed[level], self._leaves)
            if len(children) < expected * CHILD_BYTES:
                return bundles
            data = bytes(children)
            children.clear()

    def finish(self) -> tuple[list[Bundle], AttachmentTree]:
        """Return what was still to be sealed, and what the statement says of the attachment.

        Raises:
            LocalMisuse: the file is not all here.
        """
        # An empty file is one empty leaf, which nobody has added.
        bundles = self.add(b"") if not self._size and not self._sealed[0] else []
        if self._sealed[0] != self._leaves:
            raise LocalMisuse("an attachment that ends too early")
        tree = AttachmentTree(
            root=self._root.id,
            root_hash=self._root.data_hash,
            depth=self._depth,
            n=self._leaves,
            size=self._size,
            key=self._key,
            sha256=self._sha256.digest(),
            role=self._role,
            life=self._terms.life,
            day=self._terms.day,
            name=self._name,
        )
        return bundles, tree

    def _seal(self, level: int, data: bytes) -> Bundle:
        position = self._sealed[level]
        data_hash = b2(Label.CHUNK, data)
        key = _chunk_key(self._key, level, position, self._terms, data_hash)
        shape = shape_for(self._terms, len(data))
        ephemeral = X25519Secret(b2(Label.CHUNK_EPHEMERAL, b"", key=key)).public
        stanzas = _stanzas(key, shape.stanza_count * STANZA_BYTES)
        head = Head(shape, commitment(purge_of_key(key)), ephemeral, stanzas)
        bundle = close(key, data, head, self._franker(self._terms.traffic)).bundle
        self._sealed[level] = position + 1
        if level < self._depth:
            self._children[level + 1] += bundle.id + data_hash
        else:
            self._root = TreeNode(bundle.id, data_hash, level, position)
        return bundle


def root_node(tree: AttachmentTree) -> TreeNode:
    """Return the node from which everything of `tree` is reached."""
    return TreeNode(tree.root, tree.root_hash, tree.depth, 0)


def node_ref(node: TreeNode, tree: AttachmentTree) -> BundleRef:
    """Return where the bundle of `node` stands in the set that nodes compare."""
    return BundleRef(tree.traffic, tree.day, node.id)


def open_index(bundle: Bundle, node: TreeNode, tree: AttachmentTree) -> list[TreeNode]:
    """Return the children of an index node, in order.

    Raises:
        Forged: `bundle` is not the one that `node` names, or does not open.
        Malformed: it opens to what its place in the tree cannot hold.
        LocalMisuse: `node` is a leaf.
    """
    if not node.level:
        raise LocalMisuse("a leaf opened as an index")
    data = _open(bundle, node, tree)
    count = children_of(node.level, node.position, tree.n)
    if len(data) != count * CHILD_BYTES:
        raise Malformed("an index with more or fewer children than its place has")
    first = node.position * INDEX_CHILDREN_MAX
    return [
        TreeNode(
            BundleId(data[start : start + HASH_BYTES]),
            data[start + HASH_BYTES : start + CHILD_BYTES],
            node.level - 1,
            first + start // CHILD_BYTES,
        )
        for start in range(0, len(data), CHILD_BYTES)
    ]


def open_leaf(bundle: Bundle, node: TreeNode, tree: AttachmentTree) -> bytes:
    """Return the piece of the file that a leaf holds: CHUNK_BYTES, but for the last.

    Raises:
        Forged: `bundle` is not the one that `node` names, or does not open.
        Malformed: it opens to what its place in the tree cannot hold.
        LocalMisuse: `node` is no leaf.
    """
    if node.level:
        raise LocalMisuse("an index opened as a leaf")
    data = _open(bundle, node, tree)
    if len(data) != leaf_bytes(node.position, tree.size):
        raise Malformed("a leaf longer or shorter than its place in the file")
    return data


def purge_of(node: TreeNode, tree: AttachmentTree) -> bytes:
    """Return r of the node's bundle, which whoever can read the tree may derive unopened."""
    return purge_of_key(_key_of(node, tree))


def _open(bundle: Bundle, node: TreeNode, tree: AttachmentTree) -> bytes:
    if bundle.ref != node_ref(node, tree):
        raise Forged("another bundle than the tree names")
    data = disclose(bundle, _key_of(node, tree)).payload
    if not same(b2(Label.CHUNK, data), node.data_hash):
        raise Forged("a chunk that holds something else than the tree names")
    return data


def _key_of(node: TreeNode, tree: AttachmentTree) -> bytes:
    terms = Terms(tree.traffic, tree.day, tree.life)
    return _chunk_key(tree.key, node.level, node.position, terms, node.data_hash)


def _chunk_key(key: bytes, level: int, position: int, terms: Terms, data_hash: bytes) -> bytes:
    place = bytes((level,)) + position.to_bytes(8, "big")
    when = bytes((terms.traffic, terms.life)) + terms.day.to_bytes(2, "big")
    return b2(Label.CHUNK_KEY, place + when + data_hash, key=key)


def _stanzas(key: bytes, size: int) -> bytes:
    """Return what stands where other bundles have stanzas: bytes that look like them."""
    blocks = range(-(-size // _STREAM_BYTES))
    stream = (
        b2(Label.CHUNK_STANZAS, bytes((block,)), key=key, size=_STREAM_BYTES) for block in blocks
    )
    return b"".join(stream)[:size]
