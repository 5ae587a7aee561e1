"""What an editor makes of what arrives, and what it raises an alarm about."""

from dataclasses import replace

import pytest

from meshnews.bundle.envelope import close
from meshnews.bundle.format import Head, assemble, parse
from meshnews.bundle.open import HINT_BYTES, found_by, open_found
from meshnews.bundle.seal import wrap_context
from meshnews.bundle.shape import shape_of
from meshnews.bundle.stamp import ByStamp
from meshnews.bundle.statement import Kind, Priority
from meshnews.bundle.tree import WIDEST
from meshnews.crypto.hpke import open_psk
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.recall import recall_oneself
from meshnews.ids import AuthKind, BundleRef
from meshnews.limits import STANZA_BYTES
from meshnews.node import shelf
from meshnews.node.dispatches.item import Alarm, Verdict
from meshnews.node.identity import Role as HomeRole
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.node.records.roster import Roster
from meshnews.store.memory import MemoryVault
from tests.node.newsroom import (
    Machine,
    add_editor,
    enrolled,
    make_desk,
    make_home,
)
from tests.node.newswork import (
    TEXT,
    Desk,
    bring,
    byline_of,
    file,
    fresh_desk,
    items,
    notices,
    only,
    save,
    wires,
)

COLLECTOR = b"c" * 32
"""The static key of some collector."""


@pytest.fixture
def desk() -> Desk:
    return fresh_desk()


# Opening


def test_a_dispatch_is_opened_under_its_byline(desk: Desk) -> None:
    identifier = file(desk.reporter)
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)
    assert (item.ref.id, item.name, item.text) == (identifier, "reporter-1", TEXT)
    assert (item.verdict, item.alarms) == (Verdict.VERIFIED, ())


def test_the_same_bundle_again_changes_nothing(desk: Desk) -> None:
    file(desk.reporter)
    bring(desk.editor, *wires(desk.reporter))
    before = desk.editor.contents
    bring(desk.editor, *wires(desk.reporter))
    assert desk.editor.contents == before


@pytest.mark.parametrize("backwards", [False, True], ids=["pieces last", "pieces first"])
def test_an_attachment_is_put_together_in_whatever_order_it_comes(
    desk: Desk, *, backwards: bool
) -> None:
    picture = bytes(range(256)) * 1200
    file(desk.reporter, picture=picture)
    brought = wires(desk.reporter)
    bring(desk.editor, *(brought[::-1] if backwards else brought))
    assert save(desk.editor, only(desk.editor)) == picture


def test_an_attachment_of_which_a_piece_is_missing_says_so(desk: Desk) -> None:
    file(desk.reporter, picture=bytes(200_000))
    texts = [w for w in wires(desk.reporter) if len(w) < 60_000]
    rest = [w for w in wires(desk.reporter) if len(w) >= 60_000]
    bring(desk.editor, *texts, *rest[1:])
    tree, here = only(desk.editor).trees[0]
    assert here < tree.n


def test_every_piece_and_the_text_are_confirmed_with_a_receipt(desk: Desk) -> None:
    file(desk.reporter, picture=bytes(200_000))
    brought = wires(desk.reporter)
    bring(desk.editor, *brought)
    due = desk.editor.ask(lambda node: node.work.due(COLLECTOR))
    assert {receipt.ref for receipt in due} == {parse(wire).ref for wire in brought}


def test_what_comes_while_the_vault_is_closed_is_opened_when_it_opens(desk: Desk) -> None:
    file(desk.reporter)
    vault, desk.editor.vault = desk.editor.vault, None
    desk.editor.restart()
    bring(desk.editor, *wires(desk.reporter))
    assert desk.editor.carry.count(shelf.UNTRIED) == 1
    desk.editor.vault = vault
    desk.editor.restart()
    assert only(desk.editor).text == TEXT
    assert desk.editor.carry.count(shelf.UNTRIED) == 0


def test_a_dispatch_to_another_desk_is_not_taken_in(desk: Desk) -> None:
    other, _ = make_desk("editor-9")
    stranger = enrolled(other, "reporter-9", HomeRole.REPORTER)
    file(stranger)
    bring(desk.editor, *wires(stranger))
    assert items(desk.editor) == []


# Who wrote it


def test_a_byline_that_the_desk_does_not_know_is_unproven_and_nameless(desk: Desk) -> None:
    signer = byline_of(desk.reporter)
    desk.editor.ask(lambda node: node.home.open_vault.delete(shelf.MEMBER, signer))
    file(desk.reporter)
    bring(desk.editor, *wires(desk.reporter))
    item = only(desk.editor)
    assert (item.name, item.verdict) == ("", Verdict.UNPROVEN)


def test_what_comes_under_a_recalled_byline_is_unproven(desk: Desk) -> None:
    assert desk.reporter.vault is not None
    secret = Person(desk.reporter.vault).sign_key()
    assert secret is not None

    def recall(node: Node) -> None:
        assert node.home.book.desk is not None
        signed = recall_oneself(node.home.book.desk, secret, time=node.home.wall.s)
        assert node.home.book.take(Notice(NoticeKind.RECALL, signed))

    desk.editor.ask(recall)
    file(desk.reporter)
    bring(desk.editor, *wires(desk.reporter))
    assert only(desk.editor).verdict is Verdict.UNPROVEN


# What others can do with what they carry


def claim(machine: Machine, *claimed: BundleRef) -> None:
    """File a dispatch that names others' bundles as the roots of its own attachments."""

    def act(node: Node) -> None:
        draft = node.filing.begin(Priority.ROUTINE)
        draft.trees = [
            replace(WIDEST, root=ref.id, day=ref.day, depth=0, n=1, size=1000, name="")
            for ref in claimed
        ]
        node.filing.finish(draft, text="noise", slug="noise", now=True, forget=False)

    machine.ask(act)


def test_nobody_keeps_an_attachment_from_coming_by_naming_its_pieces(desk: Desk) -> None:
    other = enrolled(desk.editor, "reporter-2", HomeRole.REPORTER)
    picture = bytes(range(256)) * 600
    identifier = file(desk.reporter, picture=picture)
    pieces = wires(desk.reporter)
    claim(other, *[parse(wire).ref for wire in pieces])
    text = [wire for wire in pieces if parse(wire).id == identifier]
    bring(desk.editor, *text, *wires(other), *[wire for wire in pieces if wire not in text])
    (item,) = [item for item in items(desk.editor) if item.text == TEXT]
    assert save(desk.editor, item) == picture


def test_nobody_keeps_a_dispatch_from_being_read_by_naming_it_as_a_piece(desk: Desk) -> None:
    other = enrolled(desk.editor, "reporter-2", HomeRole.REPORTER)
    file(desk.reporter)
    claim(other, *[parse(wire).ref for wire in wires(desk.reporter)])
    bring(desk.editor, *wires(other), *wires(desk.reporter))
    assert {item.text for item in items(desk.editor)} == {TEXT, "noise"}


def in_another_envelope(wire: bytes) -> bytes:
    """Return other bytes under the seal of a bundle, as anybody who carries it can make them."""
    sealed = parse(wire)
    terms = shape_of(sealed.size, AuthKind.STAMP, sealed.traffic, sealed.life, sealed.day)
    head = Head(terms, sealed.pc, sealed.ephemeral, sealed.stanzas)
    return assemble(head, bytes(len(sealed.ciphertext)), ByStamp()).wire


@pytest.mark.parametrize("days", [0.0, 3.1])
def test_a_seal_around_other_bytes_says_nothing_of_its_author(desk: Desk, days: float) -> None:
    file(desk.reporter)
    (sealed,) = wires(desk.reporter)
    bring(desk.editor, sealed)
    desk.editor.later(days)
    bring(desk.editor, in_another_envelope(sealed))
    assert only(desk.editor).text == TEXT


def test_a_statement_that_a_reader_seals_again_is_shown_once(desk: Desk) -> None:
    # Who can open it knows the payload key and can make another bundle of it.
    file(desk.reporter)
    (sealed,) = wires(desk.reporter)
    bring(desk.editor, sealed)
    bring(desk.editor, again(desk.editor, sealed))
    assert only(desk.editor).text == TEXT
    assert only(desk.editor).alarms == ()


def again(editor: Machine, wire: bytes) -> bytes:
    """Return the same statement in another bundle, as a reader's machine in wrong hands can."""
    bundle = parse(wire)
    assert editor.vault is not None
    keys = DeskKeys(editor.vault, editor.entropy)
    (found,) = [found for scan in keys.scans() for found in found_by(bundle, scan)]
    given = keys.prekey(found.ref)
    assert given is not None
    start, secret = found.index * STANZA_BYTES, given.secret
    stanza = bundle.stanzas[start : start + STANZA_BYTES]
    key = open_psk(
        secret.secret,
        bundle.ephemeral,
        info=wrap_context(bundle.pc),
        aad=stanza[:HINT_BYTES],
        ciphertext=stanza[HINT_BYTES:],
        psk=secret.psk,
        psk_id=secret.ref,
    )
    terms = shape_of(32768, AuthKind.STAMP, bundle.traffic, bundle.life, bundle.day)
    stanzas = bundle.stanzas.ljust(STANZA_BYTES * terms.stanza_count, b"s")
    head = Head(terms, bundle.pc, bundle.ephemeral, stanzas)
    return close(key, open_found(bundle, found, secret).payload, head, ByStamp()).bundle.wire


# Alarms


def test_a_prekey_used_twice_within_three_days_means_that_a_card_is_in_two_places(
    desk: Desk,
) -> None:
    copy = copy_of(desk.reporter)
    file(desk.reporter, "from the one")
    file(copy, "from the other")
    bring(desk.editor, *wires(desk.reporter), *wires(copy))
    first, second = sorted(items(desk.editor), key=lambda item: item.text)
    assert {first.text, second.text} == {"from the one", "from the other"}
    alarms = {*first.alarms, *second.alarms}
    assert Alarm.TWO_PLACES in alarms
    assert Alarm.BRANCH in alarms


def test_a_prekey_used_again_after_three_days_opens_nothing_and_is_not_lost_in_silence(
    desk: Desk,
) -> None:
    copy = copy_of(desk.reporter)
    file(desk.reporter, "from the one")
    file(copy, "from the other")
    bring(desk.editor, *wires(desk.reporter))
    desk.editor.later(3.1)
    bring(desk.editor, *wires(copy))
    late = [item for item in items(desk.editor) if item.verdict is Verdict.UNREADABLE]
    assert [(item.name, item.text) for item in late] == [("reporter-1", "")]


def copy_of(machine: Machine) -> Machine:
    """Return a second machine with the same home, as somebody who seized it would have.

    One prekey is left on the card, so that both use the same.
    """
    assert isinstance(machine.vault, MemoryVault)
    for key, _ in list(machine.vault.scan(shelf.PACK))[1:]:
        machine.vault.delete(shelf.PACK, key)
    copy = make_home(machine.name, HomeRole.REPORTER)
    assert isinstance(copy.vault, MemoryVault)
    for name in sorted(value for key, value in vars(shelf).items() if key.isupper()):
        for mine, theirs in ((copy.carry, machine.carry), (copy.vault, machine.vault)):
            for key, _ in list(mine.scan(name)):
                mine.delete(name, key)
            for key, value in theirs.scan(name):
                mine.put(name, key, value)
    copy.clock = machine.clock
    copy.restart()
    machine.restart()
    return copy


def test_what_is_missing_before_an_item_is_an_alarm_until_it_comes(desk: Desk) -> None:
    file(desk.reporter, "first")
    (first,) = wires(desk.reporter)
    file(desk.reporter, "second")
    second = next(wire for wire in wires(desk.reporter) if wire != first)
    bring(desk.editor, second)
    assert only(desk.editor).alarms == (Alarm.GAP,)
    bring(desk.editor, first)
    assert [item.alarms for item in items(desk.editor)] == [(), ()]


def test_a_fork_far_back_in_a_chain_is_seen(desk: Desk) -> None:
    copy = copy_of(desk.reporter)
    for number in range(4):
        file(desk.reporter, f"number {number}")
    bring(desk.editor, *wires(desk.reporter))
    assert all(not item.alarms for item in items(desk.editor))
    copy.entropy.draw(1)
    file(copy, "from the other")
    bring(desk.editor, *wires(copy))
    (other,) = [item for item in items(desk.editor) if item.text == "from the other"]
    assert Alarm.BRANCH in other.alarms


# Answers and cards


def test_another_editors_word_of_a_card_makes_its_holder_known(desk: Desk) -> None:
    second = make_home("editor-2", HomeRole.EDITOR)
    add_editor(desk.editor, desk.root, second)
    later = enrolled(desk.editor, "reporter-2", HomeRole.REPORTER)
    bring(second, *notices(desk.editor), *wires(desk.editor))
    assert second.vault is not None
    known = [one.card.name for _, one in Roster(second.vault).members()]
    assert sorted(known) == ["reporter-1", "reporter-2"]
    assert byline_of(later)


def test_no_item_is_shown_for_what_editors_tell_each_other(desk: Desk) -> None:
    second = make_home("editor-2", HomeRole.EDITOR)
    add_editor(desk.editor, desk.root, second)
    enrolled(desk.editor, "reporter-2", HomeRole.REPORTER)
    bring(second, *notices(desk.editor), *wires(desk.editor))
    assert [item for item in items(second) if item.kind is Kind.CARD] == []
