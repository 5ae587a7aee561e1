"""Attachments: whole, in order, and the same bytes however often they are sealed."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from meshnews.bundle.chunks import (
    TreeNode,
    TreeWriter,
    node_ref,
    open_index,
    open_leaf,
    purge_of,
    root_node,
)
from meshnews.bundle.envelope import close
from meshnews.bundle.format import Bundle, Head, commitment, parse
from meshnews.bundle.open import find
from meshnews.bundle.postage import ByPostage, CertificateMemo, check_bundle
from meshnews.bundle.receipt import receipt_of
from meshnews.bundle.statement import AttachmentTree, Role
from meshnews.bundle.tree import children_of, depth_of, leaves_of, nodes_at
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import SeededEntropy
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.ids import BundleId, TrafficClass
from meshnews.limits import ATTACHMENT_BYTES_MAX, CHUNK_BYTES
from tests.bundle.kit import DAY, Given, Member, issuers, postage

KEY = b"K" * 32
NO_AUTH = bytes(179)


def content(size: int) -> bytes:
    return SeededEntropy(b"file").draw(min(size, 1 << 16)).ljust(size, b"\xa5")


def pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), CHUNK_BYTES):
        yield content[start : start + CHUNK_BYTES]


def planted(
    content: bytes,
    *,
    key: bytes = KEY,
    role: Role = Role.ORIGINAL,
    day: int = DAY,
    life: int = 14,
    auth: bytes = NO_AUTH,
) -> tuple[dict[BundleId, Bundle], AttachmentTree]:
    writer = TreeWriter(
        key, size=len(content), role=role, life=life, day=DAY, franker=lambda traffic: Given(auth)
    )
    bundles = [bundle for piece in pieces(content) for bundle in writer.add(piece)]
    rest, tree = writer.finish()
    return {bundle.id: bundle for bundle in bundles + rest}, tree


def gathered(bundles: dict[BundleId, Bundle], tree: AttachmentTree) -> bytes:
    """Read a tree as a reader does, from wire forms, asking for nodes by reference."""
    held = {bundle.ref: bundle.wire for bundle in bundles.values()}
    row = [root_node(tree)]
    for _ in range(tree.depth):
        row = [
            child
            for node in row
            for child in open_index(parse(held[node_ref(node, tree)]), node, tree)
        ]
    assert len(row) == tree.n
    whole = b"".join(open_leaf(parse(held[node_ref(node, tree)]), node, tree) for node in row)
    assert hashlib.sha256(whole).digest() == tree.sha256
    return whole


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        (0, [2048]),
        (1, [2048]),
        (1476, [2048]),
        (1477, [8192]),
        (65535, [66560]),
        (65536, [66560]),
        (65537, [66560, 2048, 2048]),
        (2 * 65536, [66560, 66560, 2048]),
        (2 * 65536 + 40000, [66560, 66560, 66560, 2048]),
        (24 * 65536, [66560] * 24 + [8192]),
    ],
)
def test_a_file_of_any_size_comes_back(size: int, sizes: list[int]) -> None:
    bundles, tree = planted(content(size))
    assert [bundle.size for bundle in bundles.values()] == sizes
    assert (tree.size, tree.n, tree.life, tree.day) == (size, leaves_of(size), 14, DAY)
    assert gathered(bundles, tree) == content(size)


def test_a_file_of_5_mb_comes_back() -> None:
    file = SeededEntropy(b"five").draw(1 << 20) * 5 + b"end"
    bundles, tree = planted(file)
    assert (tree.depth, tree.n) == (1, 81)
    assert {bundle.traffic for bundle in bundles.values()} == {TrafficClass.BULK}
    assert gathered(bundles, tree) == file


def test_one_file_sealed_twice_is_the_same_bytes_but_for_postage() -> None:
    file = content(3 * 65536 + 5)
    bundles, tree = planted(file)
    again, same_tree = planted(file)
    assert (tree, list(bundles.values())) == (same_tree, list(again.values()))
    other, _ = planted(file, auth=b"a" * 179)
    for bundle, franked_else in zip(list(bundles.values())[:4], other.values(), strict=False):
        # The leaves; what is above them names them, and with them their postage.
        assert bundle.wire[:-179] == franked_else.wire[:-179]
        assert bundle.id != franked_else.id


@pytest.mark.parametrize(
    "change",
    [{"key": b"L" * 32}, {"role": Role.PREVIEW}, {"life": 7}],
    ids=str,
)
def test_no_key_serves_two_contents_or_two_terms(change: dict[str, object]) -> None:
    file = content(1 << 20) + b"more"
    bundles, _ = planted(file)
    others, _ = planted(file, **change)  # type: ignore[arg-type]  # a table
    commitments = {bundle.pc for bundle in bundles.values()}
    assert not commitments & {bundle.pc for bundle in others.values()}


def test_no_two_chunks_of_a_file_share_a_key_though_their_bytes_agree() -> None:
    bundles, _ = planted(bytes(4 * 65536))
    assert len({bundle.pc for bundle in bundles.values()}) == 5
    assert len({bundle.ephemeral for bundle in bundles.values()}) == 5


def test_a_file_that_changed_meets_no_key_that_was_used() -> None:
    before, _ = planted(bytes(65536) + b"one")
    after, _ = planted(bytes(65536) + b"two")
    unchanged = [bundle for name, bundle in before.items() if name in after]
    assert len(unchanged) == 1
    changed = {bundle.pc for name, bundle in after.items() if name not in before}
    assert not changed & {bundle.pc for bundle in before.values()}


def test_a_chunk_looks_like_any_bundle_and_is_nobodys() -> None:
    bundles, _ = planted(b"photo")
    (bundle,) = bundles.values()
    assert parse(bundle.wire) == bundle
    assert find(bundle, Member(b"editor").scan) is None
    assert bundle.ephemeral[31] < 128
    assert len(set(bundle.stanzas)) > 150


def test_chunks_are_franked_in_the_class_they_travel_in() -> None:
    keys = {
        traffic: postage(traffic, n=16) for traffic in (TrafficClass.ROUTINE, TrafficClass.BULK)
    }
    file = content((1 << 20) + 1)
    for role, traffic in ((Role.PREVIEW, TrafficClass.ROUTINE), (Role.FILE, TrafficClass.BULK)):
        writer = TreeWriter(
            KEY,
            size=len(file),
            role=role,
            life=3,
            day=DAY,
            franker=lambda asked: ByPostage(keys[asked]),
        )
        made = [bundle for piece in pieces(file) for bundle in writer.add(piece)]
        memo = CertificateMemo()
        for bundle in made:
            assert bundle.traffic is traffic
            assert check_bundle(bundle, issuers=issuers, memo=memo).n == 16


def test_every_receipt_follows_from_the_tree() -> None:
    bundles, tree = planted(content(2 * 65536 + 1))
    root = root_node(tree)
    nodes = [root, *open_index(bundles[root.id], root, tree)]
    assert {node.id for node in nodes} == bundles.keys()
    for node in nodes:
        purge = purge_of(node, tree)
        assert commitment(purge) == bundles[node.id].pc
        assert receipt_of(bundles[node.id], purge).ref == node_ref(node, tree)


def test_another_bundle_than_the_tree_names_is_forged() -> None:
    bundles, tree = planted(content(2 * 65536))
    root = root_node(tree)
    first, second = open_index(bundles[root.id], root, tree)
    with pytest.raises(Forged):
        open_leaf(bundles[second.id], first, tree)
    with pytest.raises(Forged):
        open_leaf(bundles[first.id], first, replace(tree, key=b"L" * 32))
    with pytest.raises(Forged):
        open_leaf(bundles[first.id], replace(first, position=1), tree)
    with pytest.raises(Forged):
        open_leaf(bundles[first.id], replace(first, data_hash=bytes(32)), tree)
    with pytest.raises(Forged):
        open_leaf(bundles[first.id], first, replace(tree, life=7))


def planted_badly(
    node_data: bytes, *, level: int, size: int, said: bytes | None = None
) -> tuple[Bundle, AttachmentTree]:
    """Return a root, sealed as the protocol says, that holds what its place cannot.

    It is named as one that holds `said`, or truly.
    """
    genuine, tree = planted(content(size))
    hash_of_it = b2(Label.CHUNK, node_data if said is None else said)
    named = replace(tree, root_hash=hash_of_it)
    node = TreeNode(tree.root, hash_of_it, level, 0)
    shape = genuine[tree.root].shape
    key_bytes = bytes((level,)) + bytes(8) + bytes((tree.traffic, tree.life))
    key = b2(Label.CHUNK_KEY, key_bytes + tree.day.to_bytes(2, "big") + hash_of_it, key=KEY)
    head = Head(shape, commitment(purge_of(node, named)), b"e" * 32, bytes(288))
    bundle = close(key, node_data, head, Given(NO_AUTH)).bundle
    return bundle, replace(named, root=bundle.id)


def test_a_chunk_that_holds_something_else_than_its_author_said_is_forged() -> None:
    """Its author can seal it so; a mutation of the check was noticed by no other test."""
    bundle, tree = planted_badly(b"a lie" * 20, level=0, size=100, said=content(100))
    with pytest.raises(Forged):
        open_leaf(bundle, root_node(tree), tree)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_an_index_with_the_wrong_number_of_children_is_malformed(count: int) -> None:
    bundle, tree = planted_badly(bytes(64 * count), level=1, size=2 * 65536)
    with pytest.raises(Malformed):
        open_index(bundle, root_node(tree), tree)


def test_an_index_with_the_right_number_of_children_is_taken_at_its_word() -> None:
    bundle, tree = planted_badly(bytes(128), level=1, size=2 * 65536)
    assert len(open_index(bundle, root_node(tree), tree)) == 2


@pytest.mark.parametrize("length", [0, 4, 6])
def test_a_leaf_of_the_wrong_length_is_malformed(length: int) -> None:
    bundle, tree = planted_badly(bytes(length), level=0, size=5)
    with pytest.raises(Malformed):
        open_leaf(bundle, root_node(tree), tree)


def test_leaves_and_indices_are_not_taken_for_each_other() -> None:
    bundles, tree = planted(content(2 * 65536))
    root = root_node(tree)
    leaf = open_index(bundles[root.id], root, tree)[0]
    with pytest.raises(LocalMisuse):
        open_leaf(bundles[root.id], root, tree)
    with pytest.raises(LocalMisuse):
        open_index(bundles[leaf.id], leaf, tree)


@pytest.mark.parametrize("lengths", [[65535], [65537], [65536, 2], [65536, 0], [65536, 1, 1]])
def test_pieces_that_do_not_make_up_the_file_are_our_own_fault(lengths: list[int]) -> None:
    writer = TreeWriter(
        KEY, size=65537, role=Role.FILE, life=14, day=DAY, franker=lambda traffic: Given(NO_AUTH)
    )
    for length in lengths[:-1]:
        writer.add(bytes(length))
    with pytest.raises(LocalMisuse):
        writer.add(bytes(lengths[-1]))


def test_a_tree_is_not_finished_before_the_file_is_all_there() -> None:
    writer = TreeWriter(
        KEY, size=65537, role=Role.FILE, life=14, day=DAY, franker=lambda traffic: Given(NO_AUTH)
    )
    writer.add(bytes(65536))
    with pytest.raises(LocalMisuse):
        writer.finish()


@pytest.mark.parametrize(
    ("key", "size"), [(b"short", 1), (KEY, -1), (KEY, ATTACHMENT_BYTES_MAX + 1)]
)
def test_a_file_that_no_attachment_is_gets_no_tree(key: bytes, size: int) -> None:
    with pytest.raises(LocalMisuse):
        TreeWriter(
            key, size=size, role=Role.FILE, life=14, day=DAY, franker=lambda traffic: Given(NO_AUTH)
        )


@pytest.mark.parametrize(
    ("leaves", "depth", "rows"),
    [
        (1, 0, [1]),
        (2, 1, [2, 1]),
        (1024, 1, [1024, 1]),
        (1025, 2, [1025, 2, 1]),
        (32768, 2, [32768, 32, 1]),
    ],
)
def test_a_tree_is_as_deep_as_its_leaves_need(leaves: int, depth: int, rows: list[int]) -> None:
    assert depth_of(leaves) == depth
    assert [nodes_at(level, leaves) for level in range(depth + 1)] == rows
    for level in range(1, depth + 1):
        counts = [children_of(level, position, leaves) for position in range(rows[level])]
        assert sum(counts) == rows[level - 1]
        assert min(counts) >= 1
    assert leaves_of(ATTACHMENT_BYTES_MAX) == 32768


def test_a_tree_of_depth_2_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    # The same tree with a narrow fan: 1025 leaves of 64 KiB would take seconds.
    for module in ("tree", "chunks"):
        monkeypatch.setattr(f"meshnews.bundle.{module}.INDEX_CHILDREN_MAX", 3)
    file = content(6 * 65536 + 9)
    bundles, tree = planted(file)
    assert (tree.depth, tree.n, len(bundles)) == (2, 7, 7 + 3 + 1)
    assert gathered(bundles, tree) == file
