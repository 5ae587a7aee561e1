"""Answers: each editor uses keys that no other uses, and only the author can open them."""

from copy import deepcopy
from dataclasses import dataclass, replace

import pytest

from meshnews.bundle.format import parse
from meshnews.bundle.statement import Kind
from meshnews.ids import BundleId, KeyRef
from meshnews.limits import SLUG_CHARS_MAX
from meshnews.node import shelf
from meshnews.node.dispatches.answer import REPLY_BYTES_MAX
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.dispatches.item import Item, Verdict
from meshnews.node.identity import Role as HomeRole
from meshnews.node.records.wallet import Wallet
from tests.node.inbox import everything
from tests.node.newsroom import Machine, Question, add_editor, enrolled, make_desk, make_home
from tests.node.newswork import (
    begun,
    bring,
    byline_of,
    empty,
    finish,
    items,
    notices,
    only,
    refused,
    wires,
)

EDITORS = 3


@dataclass
class Desk:
    editors: list[Machine]
    reporter: Machine


@pytest.fixture(scope="module")
def made() -> Desk:
    first, root = make_desk()
    editors = [first]
    for number in range(2, EDITORS + 1):
        joiner = make_home(f"editor-{number}", HomeRole.EDITOR)
        add_editor(first, root, joiner)
        editors.append(joiner)
    reporter = enrolled(first, "reporter-1", HomeRole.REPORTER)
    for editor in editors:
        bring(editor, *(wire for other in editors for wire in notices(other)))
    for editor in editors[1:]:
        bring(editor, *wires(first))
    bring(reporter, *(wire for editor in editors for wire in notices(editor)))
    return Desk(editors, reporter)


@pytest.fixture
def desk(made: Desk) -> Desk:
    desk = deepcopy(made)
    for machine in (*desk.editors, desk.reporter):
        machine.restart()
    return desk


def delivered(desk: Desk, text: str = "a dispatch", *, slug: str = "alań") -> None:
    """Let the reporter file something and every editor open it."""
    finish(desk.reporter, begun(desk.reporter), text, slug=slug)
    for editor in desk.editors:
        bring(editor, *wires(desk.reporter))


def answered(editor: Machine, item: Item, text: str) -> bytes:
    """Let an editor answer; return the bundle."""
    identifier = editor.ask(lambda node: node.answers.reply(item, text))
    return wire_of(editor, identifier)


def wire_of(machine: Machine, identifier: BundleId | bytes) -> bytes:
    (found,) = [wire for wire in wires(machine) if parse(wire).id == identifier]
    return found


def keys_left(editor: Machine, desk: Desk) -> set[bytes]:
    """Return the references of the one-time keys by which an editor may answer."""
    assert editor.vault is not None
    byline = byline_of(desk.reporter)
    return {key[len(byline) :] for key, _ in editor.vault.scan(shelf.MEMBER_KEY, byline)}


# Keys of one's own --------------------------------------------------------------


def test_every_editor_has_keys_and_no_key_is_two_editors(desk: Desk) -> None:
    delivered(desk)
    known = [keys_left(editor, desk) for editor in desk.editors]
    assert all(known)
    assert sum(map(len, known)) == len(set().union(*known))


def test_an_editor_uses_its_own_keys_and_then_none(desk: Desk) -> None:
    delivered(desk)
    for editor in desk.editors:
        own = keys_left(editor, desk)
        others = [keys_left(other, desk) for other in desk.editors if other is not editor]
        for number in range(len(own) + 2):
            answered(editor, only(editor), f"number {number}")
        assert keys_left(editor, desk) == set()
        assert others == [keys_left(other, desk) for other in desk.editors if other is not editor]


def test_every_answer_opens_also_when_one_time_keys_have_run_out(desk: Desk) -> None:
    delivered(desk)
    texts = set()
    for editor in desk.editors:
        count = len(keys_left(editor, desk)) + 4
        for number in range(count):
            text = f"{editor.name} {number}"
            texts.add(text)
            bring(desk.reporter, answered(editor, only(editor), text))
    opened = items(desk.reporter)
    assert {item.text for item in opened} == texts
    assert {(item.kind, item.verdict) for item in opened} == {(Kind.REPLY, Verdict.DESK)}


def test_a_one_time_key_is_burnt_when_its_answer_was_opened(desk: Desk) -> None:
    delivered(desk)
    editor = desk.editors[0]
    assert desk.reporter.vault is not None
    purse = Wallet(desk.reporter.vault, desk.reporter.entropy)
    before = keys_left(editor, desk)
    wire = answered(editor, only(editor), "Received.")
    (used,) = before - keys_left(editor, desk)
    assert purse.reply_key(KeyRef(used)) is not None
    bring(desk.reporter, wire)
    desk.reporter.ask(lambda node: node.work.sweep())
    assert purse.reply_key(KeyRef(used)) is None
    assert all(purse.reply_key(KeyRef(ref)) is not None for ref in keys_left(editor, desk))


def test_the_same_answer_again_changes_nothing(desk: Desk) -> None:
    delivered(desk)
    wire = answered(desk.editors[0], only(desk.editors[0]), "Received.")
    bring(desk.reporter, wire)
    before = desk.reporter.contents
    bring(desk.reporter, wire)
    assert desk.reporter.contents == before


def test_a_dispatch_brings_new_keys_for_answers(desk: Desk) -> None:
    delivered(desk, "first")
    before = keys_left(desk.editors[0], desk)
    delivered(desk, "second")
    after = keys_left(desk.editors[0], desk)
    assert before < after


def test_an_answer_names_what_it_answers_and_nobody_else_opens_it(desk: Desk) -> None:
    delivered(desk, slug="bir")
    other = enrolled(desk.editors[0], "reporter-2", HomeRole.REPORTER)
    item = only(desk.editors[0])
    wire = answered(desk.editors[0], item, "Received.")
    for machine in (other, *desk.editors[1:], desk.reporter):
        bring(machine, wire)
    assert items(other) == []
    assert [len(items(editor)) for editor in desk.editors] == [1] * EDITORS
    answer = only(desk.reporter)
    assert (answer.text, answer.slug) == ("Received.", "bir")
    assert answer.reference == item.ref.id[:16]


# What is refused --------------------------------------------------------------


def replying(item: Item, text: str = "Received.") -> Question:
    return lambda node: node.answers.reply(item, text)


@pytest.mark.parametrize("text", ["x" * REPLY_BYTES_MAX, "ń" * (REPLY_BYTES_MAX // 2)])
def test_an_answer_fits_to_the_byte_under_the_longest_slug(desk: Desk, text: str) -> None:
    delivered(desk, slug="ŋ" * SLUG_CHARS_MAX)
    editor = desk.editors[0]
    assert refused(editor, replying(only(editor), text + "x")) == "text-too-long"
    bring(desk.reporter, answered(editor, only(editor), text))
    assert only(desk.reporter).text == text


def test_nobody_but_an_editor_of_the_desk_answers(desk: Desk) -> None:
    delivered(desk)
    editor = desk.editors[0]
    bring(desk.reporter, answered(editor, only(editor), "Received."))
    assert refused(desk.reporter, replying(only(desk.reporter))) == "cannot-answer"
    stranger = make_home("editor-9", HomeRole.EDITOR)
    assert refused(stranger, replying(only(editor))) == "cannot-answer"


def test_whom_the_desk_does_not_know_it_cannot_answer(desk: Desk) -> None:
    delivered(desk)
    editor = desk.editors[0]
    item = only(editor)
    assert refused(editor, replying(replace(item, author=b"n" * 32))) == "cannot-answer"
    assert refused(editor, replying(replace(item, author=b""))) == "cannot-answer"


# The word that something was read ---------------------------------------------


def test_the_author_is_told_that_a_dispatch_was_read(desk: Desk) -> None:
    delivered(desk)
    editor = desk.editors[1]
    before = set(wires(editor))
    editor.ask(lambda node: node.answers.tell_read(everything(node)[0]))
    bring(desk.reporter, *(set(wires(editor)) - before))
    (told,) = desk.reporter.ask(lambda node: node.dispatches.all())
    assert told.state is DispatchState.READ
    assert items(desk.reporter) == []


@pytest.mark.parametrize("verdict", [Verdict.UNPROVEN, Verdict.UNREADABLE])
def test_whoever_is_not_proven_is_told_nothing(desk: Desk, verdict: Verdict) -> None:
    delivered(desk)
    editor = desk.editors[0]
    before = editor.contents
    item = replace(only(editor), verdict=verdict)
    editor.ask(lambda node: node.answers.tell_read(item))
    assert editor.contents == before


def test_reading_goes_on_where_nobody_can_be_told_of_it(desk: Desk) -> None:
    delivered(desk)
    editor = desk.editors[0]
    item = only(editor)
    empty(editor, shelf.MEMBER)
    before = editor.contents
    editor.ask(lambda node: node.answers.tell_read(item))
    assert editor.contents == before
    assert refused(editor, replying(item)) == "cannot-answer"
