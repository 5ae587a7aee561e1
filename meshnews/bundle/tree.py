"""The shape of chunk trees: how many leaves, how deep, how many nodes to a level.

A file of `size` bytes is cut into leaves of CHUNK_BYTES, the last one shorter;
an empty file is one empty leaf.  INDEX_CHILDREN_MAX nodes of a level have one
parent in the next, the last parent fewer, until a level has one node: the root.

An `AttachmentTree` is what a statement says of one.
"""

import enum
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from meshnews.bundle.shape import HASH_BYTES
from meshnews.crypto.keys import KEY_BYTES
from meshnews.errors import Malformed
from meshnews.ids import BundleId, Day, TrafficClass
from meshnews.limits import (
    ATTACHMENT_BYTES_MAX,
    ATTACHMENT_NAME_BYTES_MAX,
    CHUNK_BYTES,
    DAY_MAX,
    INDEX_CHILDREN_MAX,
    LIVES_DAYS,
    ROUTINE_FILE_BYTES_MAX,
    TREE_DEPTH_MAX,
)
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, as_text, is_showable

_ROLE_CHARS_MAX: Final = 16


def leaves_of(size: int) -> int:
    """Return how many leaves the tree of a file of `size` bytes has."""
    return max(1, -(-size // CHUNK_BYTES))


def nodes_at(level: int, leaves: int) -> int:
    """Return how many nodes stand at `level` of a tree; leaves are at level 0."""
    nodes = leaves
    for _ in range(level):
        nodes = -(-nodes // INDEX_CHILDREN_MAX)
    return nodes


def depth_of(leaves: int) -> int:
    """Return the level of the root."""
    depth = 0
    while nodes_at(depth, leaves) > 1:
        depth += 1
    return depth


def children_of(level: int, position: int, leaves: int) -> int:
    """Return how many children the node at `position` of `level` (at least 1) has."""
    return min(INDEX_CHILDREN_MAX, nodes_at(level - 1, leaves) - position * INDEX_CHILDREN_MAX)


def leaf_bytes(position: int, size: int) -> int:
    """Return how many bytes of a file of `size` the leaf at `position` holds."""
    return min(CHUNK_BYTES, size - position * CHUNK_BYTES)


class Role(enum.StrEnum):
    """What an attachment is to its dispatch."""

    PREVIEW = "preview"
    ORIGINAL = "original"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class AttachmentTree:
    """One attachment: the root of its chunk tree and the key of all of it.

    Attributes:
        root: identifier of the root node's bundle.
        root_hash: b2('chunk', data) of the root node.
        depth: level of the root; 0 when the file is one leaf.
        n: how many leaves there are.
        size: bytes of the file.
        key: K.
        sha256: of the whole file.
        life: of every bundle of the tree, in days.
        day: of every bundle of the tree.
        name: what to save it as, without any folder; may be empty.
    """

    root: BundleId
    root_hash: bytes
    depth: int
    n: int
    size: int
    key: bytes = field(repr=False)
    sha256: bytes
    role: Role
    life: int
    day: Day
    name: str = field(default="", repr=False)

    @property
    def traffic(self) -> TrafficClass:
        """The class of every bundle of the tree."""
        return tree_traffic(self.role, self.size)


def tree_traffic(role: Role, size: int) -> TrafficClass:
    """Return the class in which the chunks of an attachment travel (protocol §3)."""
    routine = role is Role.PREVIEW or size <= ROUTINE_FILE_BYTES_MAX
    return TrafficClass.ROUTINE if routine else TrafficClass.BULK


def clean_name(raw: str) -> str:
    """Return `raw` as a name that an attachment can have: safe to save under, perhaps empty.

    Takes what stands behind the last slash, drops what cannot be shown or
    leads elsewhere, and shortens what is too long before its extension.

    Raises:
        Nothing.
    """
    text = "".join(_SAFE_FOR_PATHS.get(char, char) for char in raw.rpartition("/")[2])
    text = "".join(char for char in text if is_showable(char) and char.isprintable())
    text = unicodedata.normalize("NFC", text).strip().lstrip(". ")
    stem, dot, extension = text.rpartition(".")
    if not dot or len((dot + extension).encode()) > _EXTENSION_BYTES_MAX:
        stem, dot, extension = text, "", ""
    room = ATTACHMENT_NAME_BYTES_MAX - len((dot + extension).encode())
    while len(stem.encode()) > room:
        stem = stem[:-1]
    return unicodedata.normalize("NFC", stem.rstrip() + dot + extension)


def _is_safe_name(name: str) -> bool:
    return (
        len(name.encode()) <= ATTACHMENT_NAME_BYTES_MAX
        and name == name.strip()
        and not name.startswith(".")
        and not _SAFE_FOR_PATHS.keys() & set(name)
    )


_SAFE_FOR_PATHS: Final = dict.fromkeys("/\\:", "_")
_EXTENSION_BYTES_MAX: Final = 16


def attachment_value(tree: AttachmentTree) -> Value:
    """Return the value by which a statement describes `tree`."""
    return [
        tree.root,
        tree.root_hash,
        tree.depth,
        tree.n,
        tree.size,
        tree.key,
        tree.sha256,
        str(tree.role),
        tree.life,
        tree.day,
        tree.name,
    ]


def decode_attachment(value: Value) -> AttachmentTree:
    """Return the tree that `value` describes.

    Raises:
        Malformed: it describes none that can be.
    """
    root, root_hash, depth, n, size, key, sha256, role_word, life, day, name = as_list(
        value, size=11
    )
    try:
        role = Role(as_text(role_word, chars_max=_ROLE_CHARS_MAX))
    except ValueError as exc:
        raise Malformed("an attachment of no known role") from exc
    tree = AttachmentTree(
        root=BundleId(as_bytes(root, HASH_BYTES)),
        root_hash=as_bytes(root_hash, HASH_BYTES),
        depth=as_int(depth, 0, TREE_DEPTH_MAX),
        n=as_int(n, 1, ATTACHMENT_BYTES_MAX),
        size=as_int(size, 0, ATTACHMENT_BYTES_MAX),
        key=as_bytes(key, KEY_BYTES),
        sha256=as_bytes(sha256, HASH_BYTES),
        role=role,
        life=as_int(life, LIVES_DAYS[0], LIVES_DAYS[-1]),
        day=Day(as_int(day, 0, DAY_MAX)),
        name=as_text(name, chars_max=ATTACHMENT_NAME_BYTES_MAX),
    )
    if not _is_safe_name(tree.name):
        raise Malformed("an attachment with a name that no file should have")
    if tree.n != leaves_of(tree.size) or tree.depth != depth_of(tree.n):
        raise Malformed("an attachment whose tree does not fit its size")
    if tree.life not in LIVES_DAYS or tree.day % 2:
        raise Malformed("an attachment with a life or day that no bundle has")
    return tree


WIDEST: Final = AttachmentTree(
    root=BundleId(bytes(HASH_BYTES)),
    root_hash=bytes(HASH_BYTES),
    depth=TREE_DEPTH_MAX,
    n=leaves_of(ATTACHMENT_BYTES_MAX),
    size=ATTACHMENT_BYTES_MAX,
    key=bytes(KEY_BYTES),
    sha256=bytes(HASH_BYTES),
    role=Role.ORIGINAL,
    life=LIVES_DAYS[-1],
    day=Day(DAY_MAX),
    name="n" * ATTACHMENT_NAME_BYTES_MAX,
)
"""An attachment whose description takes as many bytes as any."""
