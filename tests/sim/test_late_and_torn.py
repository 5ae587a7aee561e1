"""What comes in the wrong order, behind a closed vault or in a power cut is not lost for that."""

from collections.abc import Sequence

import pytest

from meshnews.desk.manifest import Role as EditorRole
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.dispatches.item import Alarm, Item, Verdict
from meshnews.node.identity import Role
from meshnews.sim.machine import Machine, PowerCut
from meshnews.sim.world import World
from tests.node.inbox import everything
from tests.sim.newsroom import Newsroom, file, small_desk


def meet(world: World, *names: str, seconds: float = 40.0) -> None:
    world.meet(*names)
    world.run(seconds)
    world.part(*names)
    world.run(1.0)


def letters(world: World, machine: Machine) -> Sequence[Item]:
    return world.ask(machine, everything)


def again(world: World, machine: Machine, *, locked: bool = False) -> None:
    """End a daemon and begin it anew, with the vault open or closed."""
    machine.is_locked = locked
    world.crash(machine)
    world.restart(machine)


def test_a_receipt_that_came_behind_a_closed_vault_is_told_once_it_is_open() -> None:
    world = World(1)
    newsroom, machines = small_desk(world)
    reporter = machines["reporter-1"]
    identifier = file(newsroom, reporter, picture=b"p" * 100_000)
    meet(world, "reporter-1", "collector-1")
    meet(world, "collector-1", "editor-1")
    again(world, reporter, locked=True)
    meet(world, "reporter-1", "collector-1")
    again(world, reporter)
    found = world.ask(reporter, lambda node: node.dispatches.find(identifier.hex()))
    assert found.state is DispatchState.RECEIVED
    (picture,) = found.dispatch.attachments
    assert picture.received == picture.bundles


@pytest.mark.parametrize("is_first_lost", [False, True])
def test_a_dispatch_before_word_of_its_author_is_verified_when_that_comes(
    is_first_lost: bool,
) -> None:
    world, newsroom, editors, reporter = _with_a_second_editor()
    second = editors[1]
    if is_first_lost:
        lost = file(newsroom, reporter)
        ref = world.ask(reporter, lambda node: node.dispatches.find(lost.hex()).dispatch.ref)
        world.ask(reporter, lambda node: node.home.custody.forget(ref))
    file(newsroom, reporter, picture=b"p" * 100)
    meet(world, "reporter-1", "relay-1")
    meet(world, "relay-1", "editor-2")
    (item,) = letters(world, second)
    assert (item.name, item.verdict, item.alarms) == ("", Verdict.UNPROVEN, ())

    meet(world, "relay-1", "editor-1")
    meet(world, "relay-1", "editor-2")
    (item,) = letters(world, second)
    alarms = (Alarm.GAP,) if is_first_lost else ()
    assert (item.name, item.verdict, item.alarms) == ("reporter-1", Verdict.VERIFIED, alarms)


def _with_a_second_editor() -> tuple[World, Newsroom, list[Machine], Machine]:
    """Return a desk whose reporter knows both editors, and whose second has not heard of it."""
    world = World(2)
    newsroom = Newsroom(world)
    editors = [newsroom.machine(f"editor-{number}", Role.EDITOR) for number in (1, 2)]
    relay = newsroom.machine("relay-1", Role.RELAY)
    reporter = newsroom.machine("reporter-1", Role.REPORTER)
    newsroom.found(editors[0])
    newsroom.enrol(editors[0], relay)
    newsroom.add_editor(*editors)
    newsroom.enrol(editors[0], reporter)
    newsroom.introduce(*editors, relay, reporter)
    meet(world, "editor-2", "relay-1")
    meet(world, "reporter-1", "relay-1")
    return world, newsroom, editors, reporter


def test_an_answer_whose_sending_a_power_cut_tore_in_two_arrives_once() -> None:
    world = World(3)
    newsroom, machines = small_desk(world)
    editor, reporter = machines["editor-1"], machines["reporter-1"]
    file(newsroom, reporter)
    meet(world, "reporter-1", "collector-1", "editor-1")
    (item,) = letters(world, editor)
    editor.tears_in = 1
    with pytest.raises(PowerCut):
        world.ask(editor, lambda node: node.answers.reply(item, "Where are you?"))
    world.boot(editor)
    world.ask(editor, lambda node: node.answers.reply(item, "Are you well?"))
    meet(world, "reporter-1", "collector-1", "editor-1")
    told = sorted(answer.text for answer in letters(world, reporter))
    assert told == ["Are you well?", "Where are you?"]


def test_a_second_editor_is_known_to_all_after_one_contact() -> None:
    world, _, editors, reporter = _with_a_second_editor()
    known = world.ask(reporter, lambda node: node.home.book.bulletins)
    theirs = [world.ask(editor, lambda node: node.home.book.manifest) for editor in editors]
    assert theirs[0] == theirs[1]
    assert theirs[0] is not None
    assert set(known) == set(theirs[0].holders_of(EditorRole.OPEN))
