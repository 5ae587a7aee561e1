"""The power goes out at every commit of filing, opening and enrolling: nothing is half.

See `tests.node.fragile` for the moments.
"""

import contextlib

import pytest

from meshnews.bundle.statement import Priority, Role
from meshnews.node import shelf
from meshnews.node.identity import Role as HomeRole
from meshnews.node.node import Node
from tests.node.fragile import PowerCut, fragile
from tests.node.newsroom import (
    Machine,
    card_for,
    enrolled,
    make_desk,
    make_home,
    request_of,
)
from tests.node.newswork import PICTURE, TEXT, bring, items, save, wires

PIECE = 65_536
TRANSACTIONS_MAX = 12
MOMENTS = ("before both", "between", "after both")


def file(machine: Machine) -> None:
    """File a text with a picture as the daemon does it: every step a transaction of its own."""
    draft = machine.ask(lambda node: node.filing.begin(Priority.ROUTINE))
    machine.ask(lambda node: node.filing.attach(draft, "p.jpg", size=len(PICTURE), role=Role.FILE))
    for start in range(0, len(PICTURE), PIECE):
        machine.ask(lambda node, at=start: node.filing.add(draft, PICTURE[at : at + PIECE]))  # type: ignore[misc]  # mypy infers no lambda with a default
    machine.ask(lambda node: node.filing.end_attachment(draft))
    machine.ask(
        lambda node: node.filing.finish(draft, text=TEXT, slug="alań", now=True, forget=False)
    )


def own(machine: Machine) -> int:
    return machine.ask(lambda node: len(node.dispatches.all()))


def kept(machine: Machine) -> int:
    """Return how many bundles of a person lie in the store, offered or not."""
    return machine.carry.count_elements() - len(
        [1 for day in machine.carry.days(0) for _ in machine.carry.elements(0, day)]  # type: ignore[arg-type]  # 0 is ROUTINE
    )


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("cut_at", range(2, TRANSACTIONS_MAX))
def test_a_dispatch_cut_anywhere_is_filed_whole_or_not_at_all(cut_at: int, moment: str) -> None:
    editor, _ = make_desk()
    reporter = fragile(enrolled(editor, "reporter-1", HomeRole.REPORTER))
    reporter.cut_at, reporter.moment = reporter.seen + cut_at - 1, moment
    was_cut = False
    try:
        file(reporter)
    except PowerCut:
        was_cut = True
    reporter.cut_at = 0
    reporter.restart()
    filed = own(reporter)
    assert filed in {0, 1}
    if not filed:
        assert wires(reporter) == [], "nothing of it is offered, and its room is free"
        assert reporter.carry.count(shelf.DRAFT) == 0
        file(reporter)
    assert was_cut or cut_at > 8
    reporter.later(0.1)
    bring(editor, *wires(reporter))
    (item,) = items(editor)
    assert (item.text, item.alarms) == (TEXT, ())
    assert save(editor, item) == PICTURE


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("cut_at", range(1, 7))
def test_an_opening_cut_anywhere_is_done_once_and_its_receipts_come(
    cut_at: int, moment: str
) -> None:
    whole_editor, _ = make_desk()
    reporter = enrolled(whole_editor, "reporter-1", HomeRole.REPORTER)
    file(reporter)
    brought = wires(reporter)
    editor = fragile(whole_editor)
    editor.cut_at, editor.moment = editor.seen + cut_at, moment
    for wire in brought:
        with contextlib.suppress(PowerCut):
            bring(editor, wire)
    editor.cut_at = 0
    editor.restart()
    # Whoever was not told that it is kept brings it again.
    bring(editor, *brought)
    (item,) = items(editor)
    assert (item.text, item.alarms) == (TEXT, ())
    assert save(editor, item) == PICTURE
    assert editor.ask(lambda node: len(node.work.due(b"c" * 32))) == len(brought)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("role", [HomeRole.REPORTER, HomeRole.RELAY])
def test_a_card_cut_while_it_is_taken_in_can_be_taken_again(role: HomeRole, moment: str) -> None:
    editor, _ = make_desk()
    joiner = fragile(make_home("joiner-1", role))
    card = card_for(editor, request_of(joiner), name="joiner-1")

    def take(node: Node) -> None:
        node.enrolment.take_card(card)

    joiner.cut_at, joiner.moment = joiner.seen + 1, moment
    with pytest.raises(PowerCut):
        joiner.ask(take)
    joiner.cut_at = 0
    joiner.restart()
    if moment != "after both":
        joiner.ask(take)
    assert joiner.node.home.identity.desk == editor.node.home.identity.desk
    if role is HomeRole.REPORTER:
        file(joiner)
        bring(editor, *wires(joiner))
        assert [item.name for item in items(editor)] == ["joiner-1"]
