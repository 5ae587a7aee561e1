"""Opened items: kept once, found by how they begin, saved piece by piece, confirmed once."""

import contextlib
from copy import deepcopy
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnews.bundle.format import parse
from meshnews.bundle.receipt import Receipt
from meshnews.bundle.statement import AttachmentTree, Kind, Priority, Role
from meshnews.errors import Malformed, Refusal
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import CHUNK_BYTES
from meshnews.node import shelf
from meshnews.node.dispatches.filing import FilingDraft
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
from meshnews.node.identity import Role as HomeRole
from meshnews.store.port import State
from meshnews.wire.codec import encode
from tests.node.newsroom import TODAY, Machine, enrolled, make_desk
from tests.node.newswork import (
    PICTURE,
    TEXT,
    attach,
    begun,
    bring,
    finish,
    items,
    only,
    refused,
    save,
    wires,
)

LEAVES = -(-len(PICTURE) // CHUNK_BYTES)


@dataclass
class Desk:
    editor: Machine
    reporter: Machine
    other: Machine


@pytest.fixture(scope="module")
def made() -> Desk:
    editor, _ = make_desk()
    reporters = [enrolled(editor, name, HomeRole.REPORTER) for name in ("reporter-1", "reporter-2")]
    return Desk(editor, *reporters)


@pytest.fixture
def desk(made: Desk) -> Desk:
    desk = deepcopy(made)
    for machine in (desk.editor, desk.reporter, desk.other):
        machine.restart()
    return desk


def filed(machine: Machine, text: str = TEXT, *pictures: bytes) -> FilingDraft:
    """File a text with pictures; return the draft, which is what its author knew."""
    draft = begun(machine)
    for picture in pictures:
        attach(machine, draft, picture)
    finish(machine, draft, text)
    return draft


def parts(machine: Machine, draft: FilingDraft) -> tuple[list[bytes], list[bytes]]:
    """Return what a machine offers beside the chunks of a draft, and those."""
    chunks = {ref for part in draft.parts for ref in part}
    everything = [(parse(wire).ref, wire) for wire in wires(machine)]
    texts = [wire for ref, wire in everything if ref not in chunks]
    return texts, [wire for ref, wire in everything if ref in chunks]


def piece(editor: Machine, item: Item, index: int, position: int) -> bytes:
    return editor.ask(lambda node: node.letters.piece(item, index, position))


# Found ------------------------------------------------------------------------


def test_items_are_listed_newest_first_and_found_by_how_they_begin(desk: Desk) -> None:
    for text in ("first", "second", "third"):
        filed(desk.reporter, text)
        bring(desk.editor, *wires(desk.reporter))
    listed = items(desk.editor)
    assert [item.text for item in listed] == ["third", "second", "first"]
    for item in listed:
        word = item.ref.id.hex()
        for prefix in (word, word[:12], word[:12].upper()):
            assert desk.editor.ask(lambda node, p=prefix: node.letters.find_whole(p)) == item  # type: ignore[misc]  # mypy infers no lambda with a default


def test_what_is_not_there_and_what_is_ambiguous_is_refused(desk: Desk) -> None:
    filed(desk.reporter, "first")
    filed(desk.reporter, "second")
    bring(desk.editor, *wires(desk.reporter))
    assert refused(desk.editor, lambda node: node.letters.find("0" * 64)) == "no-such-item"
    assert refused(desk.editor, lambda node: node.letters.find("")) == "ambiguous-item"
    assert refused(desk.reporter, lambda node: node.letters.find("")) == "no-such-item"


def test_an_inbox_is_listed_a_part_at_a_time(desk: Desk) -> None:
    for number in range(5):
        filed(desk.reporter, f"text {number}")
        bring(desk.editor, *wires(desk.reporter))
    listed, before = [], None
    while page := listing(desk.editor, at_most=2, before=before):
        assert len(page) <= 2
        listed += page
        before = page[-1]
    assert [heading.number for heading in listed] == [4, 3, 2, 1, 0]
    assert [heading.ref for heading in listed] == [item.ref for item in items(desk.editor)]


def test_neither_a_list_nor_a_search_reads_a_text(desk: Desk) -> None:
    filed(desk.reporter)
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)
    # A vault without its texts is enough for all that asks for none.
    vault = desk.editor.vault
    assert vault is not None
    vault.delete(shelf.LETTER_TEXT, item.ref.id)
    (heading,) = listing(desk.editor, at_most=10)
    assert desk.editor.ask(lambda node: node.letters.find(item.ref.id.hex()[:3])) == heading
    assert desk.editor.ask(lambda node: node.letters.mark_read(heading)).read_at > 0


def test_only_what_its_author_wrote_is_looked_at_when_that_becomes_known(desk: Desk) -> None:
    known = replace(an_item(), alarms=(), trees=())
    stranger = replace(known, ref=numbered(1), name="", verdict=Verdict.UNPROVEN)
    other = replace(stranger, ref=numbered(2), author=b"o" * 32)
    for item in (known, stranger, other):
        desk.editor.ask(lambda node, one=item: node.letters.add(one))  # type: ignore[misc]  # mypy infers no lambda with a default
    for _ in range(2):
        desk.editor.ask(
            lambda node: node.letters.name_author(
                b"a" * 32, name="south-1", verdict=Verdict.VERIFIED, gaps=[stranger.ref.id]
            )
        )
    said = [(item.name, item.verdict, item.alarms) for item in items(desk.editor)]
    assert said == [
        ("", Verdict.UNPROVEN, ()),
        ("south-1", Verdict.VERIFIED, (Alarm.GAP,)),
        (known.name, known.verdict, ()),
    ]
    assert desk.editor.vault is not None
    assert desk.editor.vault.count(shelf.STRANGER) == 1


def numbered(number: int) -> BundleRef:
    return BundleRef(TrafficClass.ROUTINE, Day(TODAY), BundleId(number.to_bytes(32, "big")))


def listing(machine: Machine, *, at_most: int, before: Heading | None = None) -> list[Heading]:
    return machine.ask(lambda node: node.letters.listing(at_most=at_most, before=before))


def test_a_closed_vault_has_no_items(desk: Desk) -> None:
    filed(desk.reporter)
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)
    desk.editor.vault = None
    desk.editor.restart()
    assert items(desk.editor) == []
    assert desk.editor.ask(lambda node: node.letters.get(item.ref.id)) is None
    assert desk.editor.ask(lambda node: node.work.confirmations.due(COLLECTORS[0])) == []


def test_an_item_is_read_once_and_stays_so(desk: Desk) -> None:
    filed(desk.reporter)
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)
    assert item.read_at == 0
    read = desk.editor.ask(lambda node: node.letters.mark_read(item))
    assert read.read_at > 0
    desk.editor.later(1)
    assert desk.editor.ask(lambda node: node.letters.mark_read(read)) == read
    assert only(desk.editor) == read


def test_what_is_kept_already_is_not_kept_again(desk: Desk) -> None:
    filed(desk.reporter, TEXT, PICTURE)
    bring(desk.editor, *wires(desk.reporter))
    item, before = only(desk.editor), desk.editor.contents
    again = replace(item, text="something else", read_at=7)
    desk.editor.ask(lambda node: node.letters.add(again))
    assert desk.editor.contents == before


# Saved ------------------------------------------------------------------------


@pytest.mark.parametrize("missing", range(LEAVES + 1))
def test_an_attachment_with_anything_missing_is_refused_and_comes_whole_later(
    desk: Desk, missing: int
) -> None:
    draft = filed(desk.reporter, TEXT, PICTURE)
    texts, chunks = parts(desk.reporter, draft)
    late = chunks.pop(missing)
    bring(desk.editor, *texts, *chunks)
    item = only(desk.editor)
    tree, here = item.trees[0]
    assert here < tree.n == LEAVES
    assert [is_here(desk.editor, item, at) for at in range(LEAVES)].count(True) == here
    bring(desk.editor, late)
    assert save(desk.editor, only(desk.editor)) == PICTURE


def is_here(editor: Machine, item: Item, position: int) -> bool:
    """Tell whether a leaf can be had; if it can, it is that of the picture."""
    with contextlib.suppress(Refusal):
        leaf = piece(editor, item, 0, position)
        assert leaf == PICTURE[position * CHUNK_BYTES :][:CHUNK_BYTES]
        return True
    return False


def test_a_leaf_that_no_attachment_has_is_refused(desk: Desk) -> None:
    filed(desk.reporter, TEXT, PICTURE)
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)
    question = lambda node: node.letters.piece(item, 0, LEAVES)  # noqa: E731  asked once
    assert refused(desk.editor, question) == "attachment-incomplete"


def test_each_attachment_of_several_is_saved_as_itself(desk: Desk) -> None:
    pictures = [PICTURE, b"", PICTURE[::-1], b"small"]
    filed(desk.reporter, TEXT, *pictures)
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)
    for index, picture in enumerate(pictures):
        tree, here = item.trees[index]
        assert here == tree.n
        assert b"".join(piece(desk.editor, item, index, at) for at in range(tree.n)) == picture


@pytest.mark.parametrize("is_first", [True, False])
def test_nobody_who_names_anothers_chunks_keeps_them_from_their_dispatch(
    desk: Desk, is_first: bool
) -> None:
    draft = filed(desk.reporter, TEXT, PICTURE)
    texts, chunks = parts(desk.reporter, draft)
    claims = claiming(desk.other, draft, [ref.id for ref in draft.parts[0]])
    if is_first:
        bring(desk.editor, *claims, *texts, *chunks)
    else:
        root = next(wire for wire in chunks if parse(wire).id == draft.trees[0].root)
        bring(desk.editor, *texts, root, *claims, *chunks)
    mine, theirs = sorted(items(desk.editor), key=lambda item: item.text)
    assert (mine.text, [here for _, here in mine.trees]) == ("mine", [0] * len(mine.trees))
    assert save(desk.editor, theirs) == PICTURE
    assert desk.editor.vault is not None
    assert desk.editor.vault.count(shelf.AWAITED) == 0


def claiming(machine: Machine, draft: FilingDraft, ids: list[BundleId]) -> list[bytes]:
    """Return a dispatch that names others' bundles as its attachments.

    Whoever carries a bundle knows its identifier; only its author knows its key.
    """
    claim = begun(machine)
    for one in ids:
        claim.trees.append(replace(draft.trees[0], root=one, key=b"x" * 32))
        claim.attachments.append(draft.attachments[0])
        claim.parts.append([])
    finish(machine, claim, "mine")
    return parts(machine, claim)[0]


def test_nobody_who_names_anothers_text_keeps_it_from_being_opened(desk: Desk) -> None:
    draft = filed(desk.reporter, TEXT, PICTURE)
    texts, chunks = parts(desk.reporter, draft)
    claims = claiming(desk.other, draft, [parse(wire).id for wire in texts])
    bring(desk.editor, *claims, *texts, *chunks)
    theirs = next(item for item in items(desk.editor) if item.text == TEXT)
    assert save(desk.editor, theirs) == PICTURE


def test_an_attachment_named_by_two_dispatches_is_saved_from_both(desk: Desk) -> None:
    draft = filed(desk.reporter, "first", PICTURE)
    again = begun(desk.reporter)
    again.trees.append(draft.trees[0])
    again.attachments.append(draft.attachments[0])
    again.parts.append([])
    finish(desk.reporter, again, "second")
    texts, chunks = parts(desk.reporter, draft)
    bring(desk.editor, *texts, *chunks)
    assert [save(desk.editor, item) for item in items(desk.editor)] == [PICTURE, PICTURE]


# Confirmed --------------------------------------------------------------------


COLLECTORS = (b"1" * 32, b"2" * 32)
"""Static keys of two collectors."""


def due(desk: Desk, collector: bytes) -> list[Receipt]:
    return desk.editor.ask(lambda node: node.work.confirmations.due(collector))


def hand_over(desk: Desk, receipt: Receipt, collector: bytes) -> None:
    desk.editor.ask(lambda node: node.work.confirmations.handed_over(receipt.ref, collector))


def test_a_receipt_is_handed_to_each_collector_once_until_it_comes_back(desk: Desk) -> None:
    # A collector in wrong hands says that it has it, and throws it away.
    draft = filed(desk.reporter, TEXT, PICTURE)
    bring(desk.editor, *wires(desk.reporter))
    receipts = due(desk, COLLECTORS[0])
    assert len(receipts) == 1 + len(draft.parts[0])
    for receipt in receipts:
        hand_over(desk, receipt, COLLECTORS[0])
    assert due(desk, COLLECTORS[0]) == []
    assert due(desk, COLLECTORS[1]) == receipts
    first = receipts[0].ref
    desk.editor.ask(lambda node: node.work.confirmations.came_back(first))
    assert due(desk, COLLECTORS[1]) == receipts[1:]


def test_a_receipt_that_came_back_while_the_vault_was_closed_is_due_no_more(desk: Desk) -> None:
    filed(desk.reporter)
    bring(desk.editor, *wires(desk.reporter))
    (receipt,) = due(desk, COLLECTORS[0])
    moment = desk.editor.node.home.moment
    desk.editor.ask(lambda node: node.home.custody.acknowledge(receipt, moment))
    assert due(desk, COLLECTORS[0])
    desk.editor.ask(lambda node: node.work.sweep())
    assert due(desk, COLLECTORS[0]) == []


def pinned(machine: Machine, brought: list[bytes]) -> list[bool]:
    entries = [machine.carry.entry(parse(wire).ref) for wire in brought]
    return [entry is not None and entry.pinned for entry in entries]


def test_what_was_opened_is_kept_whatever_presses_until_it_is_let_go(desk: Desk) -> None:
    draft = filed(desk.reporter, TEXT, PICTURE)
    texts, chunks = parts(desk.reporter, draft)
    bring(desk.editor, *texts, *chunks)
    # The text lies in the vault, and its receipt needs no body.
    assert not any(pinned(desk.editor, texts))
    assert all(pinned(desk.editor, chunks))
    (item,) = listing(desk.editor, at_most=1)
    for is_all in (False, True):
        assert let_go(desk.editor, at_most=LEAVES - 1) is is_all
    (gone,) = listing(desk.editor, at_most=1)
    assert (item.let_go_at, gone.let_go_at > 0) == (0, True)
    assert not any(pinned(desk.editor, chunks))
    assert only(desk.editor).text == TEXT
    assert refused(desk.editor, lambda node: node.letters.piece(gone, 0, 0)) == "attachment-let-go"
    assert desk.editor.vault is not None
    assert desk.editor.vault.count(shelf.LEAF) == 0


def let_go(machine: Machine, *, at_most: int) -> bool:
    (item,) = listing(machine, at_most=1)
    return machine.ask(lambda node: node.letters.let_go(item, at_most=at_most))


def test_what_is_let_go_makes_room_once_its_receipt_is_out(desk: Desk) -> None:
    draft = filed(desk.reporter, TEXT, PICTURE)
    texts, chunks = parts(desk.reporter, draft)
    bring(desk.editor, *texts, *chunks)
    custody = desk.editor.node.home.custody
    before = custody.free_bytes()
    for receipt in due(desk, COLLECTORS[0]):
        desk.editor.ask(lambda node, one=receipt: custody.acknowledge(one, node.home.moment))  # type: ignore[misc]  # mypy infers no lambda with a default
    assert let_go(desk.editor, at_most=LEAVES + 1)
    assert custody.free_bytes() == before + sum(map(len, chunks))
    for wire in chunks:
        assert not custody.wants(parse(wire).ref, State.HELD, desk.editor.node.home.moment)


def test_what_is_not_complete_is_not_let_go(desk: Desk) -> None:
    draft = filed(desk.reporter, TEXT, PICTURE)
    texts, chunks = parts(desk.reporter, draft)
    (tree,) = draft.trees
    root = [wire for wire in chunks if parse(wire).id == tree.root]
    here = [*root, *(wire for wire in chunks if wire not in root)][:-1]
    bring(desk.editor, *texts, *here)
    (item,) = listing(desk.editor, at_most=1)
    question = lambda node: node.letters.let_go(item, at_most=9)  # noqa: E731  asked once
    assert refused(desk.editor, question) == "attachment-incomplete"
    assert all(pinned(desk.editor, here))


def test_an_answers_receipt_is_held_back_and_then_let_go(desk: Desk) -> None:
    filed(desk.reporter)
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)
    answer = desk.editor.ask(lambda node: node.answers.reply(item, "Received."))
    bring(desk.reporter, *wires(desk.editor))
    ref = only(desk.reporter).ref
    assert ref.id == answer
    assert state_of(desk.reporter, ref) is State.HELD
    desk.reporter.later(desk.reporter.node.home.settings.reply_receipt_hold_s_max / 86400)
    assert state_of(desk.reporter, ref) is State.ACKED_WITH_BODY
    assert desk.reporter.vault is not None
    assert desk.reporter.vault.count(shelf.RELEASE) == 0
    assert only(desk.reporter).text == "Received."


def state_of(machine: Machine, ref: BundleRef) -> State | None:
    entry = machine.carry.entry(ref)
    return None if entry is None else entry.state


# Written down -----------------------------------------------------------------


def an_item() -> Item:
    tree = AttachmentTree(
        root=BundleId(b"r" * 32),
        root_hash=b"h" * 32,
        depth=0,
        n=1,
        size=10,
        key=b"k" * 32,
        sha256=b"s" * 32,
        role=Role.ORIGINAL,
        life=14,
        day=TODAY,
        name="алаң.jpg",
    )
    return Item(
        ref=BundleRef(TrafficClass.ROUTINE, Day(TODAY), BundleId(b"i" * 32)),
        kind=Kind.DISPATCH,
        author=b"a" * 32,
        name="reporter-1",
        slug="алаң",
        priority=Priority.FLASH,
        claimed_at=1,
        arrived_at=2,
        text="two\nlines",
        reference=b"f" * 16,
        pc=b"p" * 16,
        verdict=Verdict.LAPSED,
        alarms=(Alarm.GAP, Alarm.BRANCH, Alarm.TWO_PLACES),
        trees=((tree, 1), (replace(tree, name=""), 0)),
        read_at=3,
        let_go_at=4,
    )


@pytest.mark.parametrize(
    "item",
    [
        an_item(),
        replace(an_item(), alarms=(), trees=(), read_at=0),
        replace(an_item(), author=b"", name="", slug="", text="", reference=b"", pc=b""),
        *(replace(an_item(), verdict=verdict) for verdict in Verdict),
        *(replace(an_item(), kind=kind) for kind in Kind),
    ],
)
def test_an_item_is_read_back_as_it_was_written(item: Item) -> None:
    heading = decode_heading(item.ref.id, item.encode())
    assert whole(heading, decode_text(encode_text(item.text))) == item


FIELDS = st.integers(0, 1 << 40) | st.text("abc ", max_size=9) | st.binary(max_size=40)


@given(st.binary(max_size=200) | st.lists(FIELDS, max_size=20).map(encode))
def test_what_is_no_item_is_malformed(value: bytes) -> None:
    with pytest.raises(Malformed):
        decode_heading(b"i" * 32, value)


@given(st.binary(max_size=200) | st.lists(FIELDS, max_size=20).map(encode))
def test_what_is_no_text_is_malformed(value: bytes) -> None:
    try:
        text = decode_text(value)
    except Malformed:
        return
    assert encode_text(text) == value, "a few bytes may be a text by chance"


@given(st.data())
def test_an_item_with_a_byte_changed_is_another_item_or_malformed(data: st.DataObject) -> None:
    value = bytearray(an_item().encode())
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    try:
        item = decode_heading(b"i" * 32, bytes(value))
    except Malformed:
        return
    assert item != an_item()
