"""What an editor makes of what arrives, and what it raises an alarm about."""

from copy import deepcopy
from dataclasses import dataclass

import pytest

from meshnews.bundle.format import parse
from meshnews.bundle.statement import Kind, Priority, Role
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.recall import recall_oneself
from meshnews.ids import BundleId, BundleRef, TrafficClass
from meshnews.node import shelf
from meshnews.node.identity import Role as HomeRole
from meshnews.node.letter import Alarm, Item, Verdict
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.node.roster import Roster
from meshnews.store.memory import MemoryVault
from meshnews.store.terms import Judgement
from tests.node.newsroom import (
    Machine,
    add_editor,
    enrolled,
    make_desk,
    make_home,
)

TEXT = "Алаңда атыс естілді."


@dataclass
class Desk:
    editor: Machine
    reporter: Machine
    root: bytes


@pytest.fixture
def desk() -> Desk:
    editor, root = make_desk()
    return Desk(editor, enrolled(editor, "reporter-1", HomeRole.REPORTER), root)


def file(
    machine: Machine, text: str = TEXT, *, picture: bytes | None = None, priority: int = 3
) -> bytes:
    """File a dispatch to be let go at once; return its identifier."""

    def act(node: Node) -> bytes:
        draft = node.filing.begin(Priority(priority))
        if picture is not None:
            node.filing.attach(draft, "picture.jpg", size=len(picture), role=Role.FILE)
            node.filing.add(draft, picture)
            node.filing.end_attachment(draft)
        return node.filing.finish(draft, text=text, slug="alań", now=True, forget=False).ref.id

    return machine.ask(act)


def wires(machine: Machine) -> list[bytes]:
    """Return every bundle of a person that a machine holds, texts last."""
    carry = machine.carry
    refs = [
        BundleRef(traffic, day, BundleId(identifier))
        for traffic in TrafficClass
        if traffic is not TrafficClass.NOTICE
        for day in carry.days(traffic)
        for identifier, _ in carry.elements(traffic, day)
    ]
    return [body for ref in refs if (body := carry.body(ref)) is not None]


def notices(machine: Machine) -> list[bytes]:
    carry, traffic = machine.carry, TrafficClass.NOTICE
    refs = [
        BundleRef(traffic, day, BundleId(identifier))
        for day in carry.days(traffic)
        for identifier, _ in carry.elements(traffic, day)
    ]
    return [body for ref in refs if (body := carry.body(ref)) is not None]


def bring(machine: Machine, *bundles: bytes) -> None:
    """Let bundles arrive at a machine, as from a neighbour."""

    def act(node: Node) -> None:
        for wire in bundles:
            accepted = node.home.custody.accept(wire, age_s=0, moment=node.home.moment)
            if accepted.outcome is Judgement.WANTED:
                node.work.arrived(accepted.bundle)

    machine.ask(act)


def items(machine: Machine) -> list[Item]:
    return machine.ask(lambda node: node.letters.all())


def only(machine: Machine) -> Item:
    (item,) = items(machine)
    return item


def save(machine: Machine, item: Item) -> bytes:
    tree, here = item.trees[0]
    assert here == tree.n
    return machine.ask(
        lambda node: b"".join(node.letters.piece(item, 0, at) for at in range(tree.n))
    )


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
    due = desk.editor.ask(lambda node: node.work.due())
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


def byline_of(reporter: Machine) -> bytes:
    assert reporter.vault is not None
    secret = Person(reporter.vault).sign_key()
    assert secret is not None
    return bytes(secret.public)


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
    """Return a second machine with the same home, as somebody who seized it would have."""
    copy = make_home(machine.name, HomeRole.REPORTER)
    assert isinstance(copy.vault, MemoryVault)
    assert isinstance(machine.vault, MemoryVault)
    for name in sorted(value for key, value in vars(shelf).items() if key.isupper()):
        for mine, theirs in ((copy.carry, machine.carry), (copy.vault, machine.vault)):
            for key, _ in list(mine.scan(name)):
                mine.delete(name, key)
            for key, value in theirs.scan(name):
                mine.put(name, key, value)
    copy.entropy = deepcopy(machine.entropy)
    copy.clock = machine.clock
    copy.restart()
    machine.restart()
    copy.entropy = copy.node.home.entropy = deepcopy(machine.entropy)
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
