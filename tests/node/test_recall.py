"""Recalling somebody: what is believed of them afterwards, and which keys are replaced."""

from dataclasses import replace

import pytest

from meshnews.bundle.statement import Priority
from meshnews.desk.recall import revocation_id
from meshnews.node.dispatches.item import Verdict
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnews.node.office.recalling import Recalling, holders, recall_own
from meshnews.node.person import Person
from meshnews.node.records.former import former_own_keys
from tests.node.newsroom import Machine, Question, add_editor, enrolled, make_desk, make_home
from tests.node.newswork import bring, file, items, only, refused, wires
from tests.node.recall_kit import (
    Desk,
    beacon_known,
    bundles,
    carry_over,
    fresh_desk,
    owed,
    own_beacon,
    recall,
    shared,
    signed_recall,
)


@pytest.fixture
def desk() -> Desk:
    return fresh_desk()


def byline_of(machine: Machine) -> bytes:
    assert machine.vault is not None
    signer = Person(machine.vault).sign_key()
    assert signer is not None
    return bytes(signer.public)


def exchange(one: Machine, other: Machine) -> None:
    """Let two machines have all that either has, until nothing new comes of it."""
    while carry_over(one, other) + carry_over(other, one):
        pass


def preparing(who: str) -> Question:
    return lambda node: Recalling(node.home).prepare(who)


def publishing(signed: bytes) -> Question:
    return lambda node: node.office.recall(signed)


def filing(node: Node) -> object:
    return node.filing.begin(Priority.ROUTINE)


def recalling_oneself(node: Node) -> bytes:
    return recall_own(node.home)


# What is believed -------------------------------------------------------------


def test_what_is_opened_after_the_recall_is_unproven_and_what_was_opened_before_stays(
    desk: Desk,
) -> None:
    first = file(desk.reporter)
    carry_over(desk.reporter, desk.editor)
    file(desk.reporter, "the second")
    recall(desk.editor, desk.root, "reporter-1")
    carry_over(desk.reporter, desk.editor)
    verdicts = {bytes(item.ref.id): item.verdict for item in items(desk.editor)}
    assert verdicts.pop(first) is Verdict.VERIFIED
    assert list(verdicts.values()) == [Verdict.UNPROVEN]


def test_what_does_not_continue_the_known_chain_is_a_fork(desk: Desk) -> None:
    assert desk.reporter.vault is not None
    file(desk.reporter)
    carry_over(desk.reporter, desk.editor)
    recall(desk.editor, desk.root, "reporter-1")
    with desk.reporter.vault.transaction():
        Person(desk.reporter.vault).set_chain(5, bytes(16))
    strange = file(desk.reporter, "out of nowhere")
    carry_over(desk.reporter, desk.editor)
    verdicts = {bytes(item.ref.id): item.verdict for item in items(desk.editor)}
    assert verdicts[strange] is Verdict.FORK


def test_what_only_came_out_of_order_is_no_fork_once_the_rest_has_come(desk: Desk) -> None:
    recall(desk.editor, desk.root, "reporter-1")
    first = file(desk.reporter, "the first")
    early = wires(desk.reporter)
    file(desk.reporter, "the second")
    bring(desk.editor, *(wire for wire in wires(desk.reporter) if wire not in early))
    assert only(desk.editor).verdict is Verdict.FORK
    bring(desk.editor, *early)
    assert {item.verdict for item in items(desk.editor)} == {Verdict.UNPROVEN}
    assert first in {item.ref.id for item in items(desk.editor)}


def test_a_recalled_reporter_is_told_so_and_files_nothing_more(desk: Desk) -> None:
    recall(desk.editor, desk.root, "reporter-1")
    desk.tell()
    assert (
        refused(desk.reporter, lambda node: node.filing.begin(Priority.ROUTINE))
        == "own-card-recalled"
    )
    file(desk.other)


def test_a_recalled_author_is_not_answered_and_not_told_that_it_was_read(desk: Desk) -> None:
    file(desk.reporter)
    carry_over(desk.reporter, desk.editor)
    item = only(desk.editor)
    recall(desk.editor, desk.root, "reporter-1")
    assert refused(desk.editor, lambda node: node.answers.reply(item, "hm")) == "author-recalled"
    before = desk.editor.contents
    desk.editor.ask(lambda node: node.answers.tell_read(item))
    assert desk.editor.contents == before


# What is replaced ---------------------------------------------------------------


def test_the_keys_that_a_reporter_knew_are_replaced(desk: Desk) -> None:
    relays = (desk.collector, desk.relay, desk.other_relay)
    before, keys = [own_beacon(relay) for relay in relays], shared(desk.editor)
    recall(desk.editor, desk.root, "reporter-1")
    known = [beacon_known(desk.editor, relay) for relay in relays]
    assert all(one != other for one, other in zip(known, before, strict=True))
    assert all(one != other for one, other in zip(keys, shared(desk.editor), strict=True))


def test_a_beacon_key_that_the_recalled_holder_was_not_told_stays(desk: Desk) -> None:
    before = own_beacon(desk.other_relay)
    recall(desk.editor, desk.root, "relay-1")
    assert beacon_known(desk.editor, desk.other_relay) == before
    assert beacon_known(desk.editor, desk.collector) != own_beacon(desk.collector)


def test_everybody_else_has_the_new_keys_once_the_letters_have_come(desk: Desk) -> None:
    recall(desk.editor, desk.root, "reporter-1")
    desk.tell()
    for relay in (desk.collector, desk.relay, desk.other_relay):
        assert own_beacon(relay) == beacon_known(desk.editor, relay)
        assert relay.node.home.identity.notice_key == desk.editor.node.home.identity.notice_key
    assert shared(desk.other) == shared(desk.editor)
    for relay in (desk.collector, desk.other_relay):
        assert beacon_known(desk.other, relay) == own_beacon(relay)
    assert beacon_known(desk.other_relay, desk.relay) == own_beacon(desk.relay)


def test_the_recalled_reporter_learns_none_of_them(desk: Desk) -> None:
    keys = shared(desk.reporter)
    recall(desk.editor, desk.root, "reporter-1")
    desk.tell()
    assert shared(desk.reporter) == keys
    assert beacon_known(desk.reporter, desk.relay) in former_own_keys(desk.relay.node.home)


def test_a_recalled_relay_is_neither_called_nor_listed_and_no_mesh_key_is_replaced(
    desk: Desk,
) -> None:
    keys = shared(desk.editor)
    near = own_beacon(desk.relay)
    recall(desk.editor, desk.root, "relay-2")
    desk.tell()
    own = desk.other_relay.node.home.identity.relay
    assert own is not None
    for machine in (desk.editor, desk.other):
        assert own.static.public not in machine.node.dialler.targets
    assert own.static.public not in [
        entry.static for entry in desk.editor.node.home.book.directory.relays
    ]
    assert shared(desk.editor)[0] != keys[0]
    assert shared(desk.editor)[1:] == keys[1:]
    assert own_beacon(desk.relay) != near, "it was told of this one"
    assert own_beacon(desk.other_relay) != beacon_known(desk.editor, desk.relay)


def test_a_member_who_used_the_recalled_relay_is_told_of_another(desk: Desk) -> None:
    recall(desk.editor, desk.root, "relay-2")
    desk.tell()
    assert beacon_known(desk.other, desk.relay) == own_beacon(desk.relay)


def test_an_editor_knew_everything(desk: Desk) -> None:
    second = make_home("editor-2", Role.EDITOR)
    add_editor(desk.editor, desk.root, second)
    before = [own_beacon(relay) for relay in desk.machines[:3]]
    recall(desk.editor, desk.root, byline_of(second).hex()[:16])
    desk.tell()
    assert all(
        own_beacon(relay) != key for relay, key in zip(desk.machines[:3], before, strict=True)
    )
    assert shared(desk.reporter) == shared(desk.other) == shared(desk.editor)


def test_whom_a_recalled_editor_enrolled_is_vouched_for_by_another(desk: Desk) -> None:
    second = make_home("editor-2", Role.EDITOR)
    add_editor(desk.editor, desk.root, second)
    carry_over(second, desk.editor)
    late = enrolled(second, "reporter-3", Role.REPORTER)
    carry_over(second, desk.editor)
    recall(desk.editor, desk.root, byline_of(second).hex())
    file(late)
    carry_over(late, desk.editor)
    assert only(desk.editor).verdict is Verdict.VERIFIED
    carry_over(desk.editor, late)
    assert shared(late) == shared(desk.editor)


# Telling it -----------------------------------------------------------------------


def test_who_has_confirmed_is_owed_nothing_and_the_others_are_told_again_every_week(
    desk: Desk,
) -> None:
    recall(desk.editor, desk.root, "reporter-1")
    assert len(owed(desk.editor)) == 4
    count = len(bundles(desk.editor))
    for _ in range(6):
        desk.editor.later(1)
    assert len(bundles(desk.editor)) == count
    desk.editor.later(1)
    assert len(bundles(desk.editor)) == count + 4


def test_a_machine_that_comes_back_after_a_month_and_a_half_is_told(desk: Desk) -> None:
    recall(desk.editor, desk.root, "reporter-1")
    for _ in range(45):
        desk.editor.later(1)
        for machine in (desk.relay, desk.other):
            clock = desk.editor.clock
            machine.clock = replace(machine.clock, boot_s=clock.boot_s, wall_s=clock.wall_s)
    desk.tell(desk.relay, desk.other)
    assert own_beacon(desk.relay) == beacon_known(desk.editor, desk.relay)
    assert shared(desk.other) == shared(desk.editor)


def test_a_second_recall_before_the_first_has_been_heard_loses_nobody(desk: Desk) -> None:
    recall(desk.editor, desk.root, "reporter-1")
    third = enrolled(desk.editor, "reporter-3", Role.REPORTER, near=("relay-1",))
    recall(desk.editor, desk.root, third.name)
    desk.tell()
    assert own_beacon(desk.relay) == beacon_known(desk.editor, desk.relay)
    assert shared(desk.other) == shared(desk.editor)
    assert len(former_own_keys(desk.relay.node.home)) in {1, 2}


def test_an_editor_whose_clock_is_not_believed_takes_over_what_another_has_replaced(
    desk: Desk,
) -> None:
    second = make_home("editor-2", Role.EDITOR)
    add_editor(desk.editor, desk.root, second)
    exchange(second, desk.editor)
    second.clock = replace(second.clock, wall_is_trusted=False)
    recall(desk.editor, desk.root, "reporter-1")
    exchange(second, desk.editor)
    assert shared(second) == shared(desk.editor)
    assert beacon_known(second, desk.relay) == beacon_known(desk.editor, desk.relay)


def test_an_editor_whose_keys_gave_way_to_anothers_lets_nobody_keep_its_own(desk: Desk) -> None:
    second = make_home("editor-2", Role.EDITOR)
    add_editor(desk.editor, desk.root, second)
    exchange(second, desk.editor)
    third = enrolled(desk.editor, "reporter-3", Role.REPORTER)
    exchange(second, desk.editor)
    for machine in (desk.editor, second, desk.relay, desk.other):
        machine.later(10)
    exchange(second, desk.editor)
    recall(desk.editor, desk.root, "reporter-1")
    second.later(1)
    recall(second, desk.root, "reporter-3")
    for machine in (desk.relay, desk.other):
        carry_over(second, machine)
    # The first has not heard of that, and tells everybody again what counts no more.
    for _ in range(8):
        desk.editor.later(1)
    for machine in (desk.relay, desk.other):
        machine.later(8)
        carry_over(desk.editor, machine)
    assert shared(desk.other) != shared(second)
    exchange(second, desk.editor)
    desk.tell(desk.relay, desk.other)
    assert shared(desk.other) == shared(desk.editor) == shared(second)
    assert own_beacon(desk.relay) == beacon_known(desk.editor, desk.relay)
    assert own_beacon(desk.relay) == beacon_known(second, desk.relay)
    assert shared(third) != shared(second)


# Who may --------------------------------------------------------------------------


def test_a_file_that_the_root_has_not_signed_recalls_nobody(desk: Desk) -> None:
    unsigned, holder = desk.editor.ask(lambda node: Recalling(node.home).prepare("reporter-1"))
    assert holder.key == byline_of(desk.reporter)
    for signed in (unsigned, b"", unsigned[:-1]):
        assert refused(desk.editor, publishing(signed)) == "recall-unreadable"


def test_a_recall_that_its_holder_left_with_somebody_needs_no_root(desk: Desk) -> None:
    left = desk.reporter.ask(recalling_oneself)
    holder, _ = desk.editor.ask(lambda node: node.office.recall(left))
    assert holder.key == byline_of(desk.reporter)
    assert desk.editor.node.home.book.is_recalled(revocation_id(holder.key))
    desk.tell()
    assert shared(desk.other) == shared(desk.editor) != shared(desk.reporter)


def test_who_is_meant_is_found_by_name_or_by_key_and_never_guessed(desk: Desk) -> None:
    for who in ("Reporter-1", byline_of(desk.reporter).hex()[:8]):
        _, holder = desk.editor.ask(lambda node, who=who: Recalling(node.home).prepare(who))  # type: ignore[misc]  # mypy infers no lambda with a default
        assert holder.name == "reporter-1"
    for who in ("reporter", "nobody", byline_of(desk.reporter).hex()[:7], "f" * 64):
        assert refused(desk.editor, preparing(who)) == "nobody-known"


def test_nobody_is_recalled_twice_by_themselves_or_without_a_clock(desk: Desk) -> None:
    signed = signed_recall(desk.editor, desk.root, "reporter-1")
    (own,) = [one for one in holders(desk.editor.node.home) if one.is_own]
    assert refused(desk.editor, preparing(own.key.hex())) == "recall-of-oneself"
    left = desk.editor.ask(recalling_oneself)
    assert refused(desk.editor, publishing(left)) == "recall-of-oneself"
    desk.editor.clock = replace(desk.editor.clock, wall_is_trusted=False)
    assert refused(desk.editor, publishing(signed)) == "clock-not-trusted"
    desk.editor.clock = replace(desk.editor.clock, wall_is_trusted=True)
    recall(desk.editor, desk.root, "reporter-1")
    assert refused(desk.editor, preparing("reporter-1")) == "recalled-already"


def test_a_relay_and_a_home_without_a_desk_write_no_recall_of_their_own(desk: Desk) -> None:
    assert refused(desk.relay, recalling_oneself) == "wrong-role"
    stranger = make_home("reporter-9", Role.REPORTER)
    assert refused(stranger, recalling_oneself) == "no-desk"


def test_a_recall_of_another_desk_is_not_taken(desk: Desk) -> None:
    foreign, root = make_desk("editor-x")
    enrolled(foreign, "reporter-1", Role.REPORTER)
    signed = signed_recall(foreign, root, "reporter-1")
    assert refused(desk.editor, publishing(signed)) == "recall-unreadable"
