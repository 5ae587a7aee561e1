"""Joining by invitation between whole nodes: they find each other, agree, and stay strangers
to synchronisation until the card is there."""

from dataclasses import replace

import pytest

from meshnews.desk.request import Joiner
from meshnews.node.enrol.invitation_shelf import InvitationState
from meshnews.node.enrol.joining import Joined, Progress
from meshnews.node.identity import Role
from meshnews.node.settings import Visibility
from meshnews.sim.machine import Machine
from meshnews.sim.world import World
from tests.node.inbox import everything
from tests.sim.newsroom import QUICK, Newsroom, file


def desk(world: World) -> tuple[Newsroom, Machine]:
    newsroom = Newsroom(world)
    editor = newsroom.machine("editor-1", Role.EDITOR)
    newsroom.found(editor)
    return newsroom, editor


def invite(world: World, editor: Machine, name: str, role: Joiner) -> str:
    return world.ask(
        editor, lambda node: node.work.invitations.invite(name, role=role, hours=24)[1].code
    )


def progress(world: World, joiner: Machine) -> Joined:
    return world.ask(joiner, lambda node: node.work.joining.progress())


def state(world: World, editor: Machine) -> InvitationState:
    return world.ask(editor, lambda node: node.work.invitations.all())[-1].state


def people_agree(world: World, editor: Machine, joiner: Machine) -> None:
    """Let both people say yes if they see the same words."""
    at = progress(world, joiner)
    waiting = world.ask(editor, lambda node: node.work.invitations.visitors())
    if at.progress is Progress.COMPARING:
        (visitor,) = [one for one in waiting if one.words == list(at.words)]
        world.ask(joiner, lambda node: node.work.joining.agree(at.meeting, is_same=True))
        world.ask(editor, lambda node: node.work.invitations.confirm(visitor.number))


@pytest.fixture
def world() -> World:
    return World(23, has_air=True)


def test_a_reporter_finds_the_desk_and_joins_within_seconds(world: World) -> None:
    newsroom, editor = desk(world)
    reporter = newsroom.machine("reporter-1", Role.REPORTER)
    code = invite(world, editor, "reporter-1", Joiner.REPORTER)
    world.ask(reporter, lambda node: node.work.joining.begin(code))
    world.meet("editor-1", "reporter-1")
    world.run(5)
    assert progress(world, reporter).progress is Progress.COMPARING
    for machine in (editor, reporter):
        assert world.ask(machine, lambda node: node.neighbours()) == []
    people_agree(world, editor, reporter)
    world.run(5)
    assert progress(world, reporter).progress is Progress.JOINED
    assert state(world, editor) is InvitationState.USED
    assert editor.shown.beacons == ()


def test_a_relay_joins_by_itself_and_its_desk_calls_it_at_once(world: World) -> None:
    newsroom, editor = desk(world)
    relay = newsroom.machine("relay-1", Role.RELAY)
    code = invite(world, editor, "relay-1", Joiner.RELAY)
    world.ask(relay, lambda node: node.work.joining.begin(code))
    world.meet("editor-1", "relay-1")
    world.run(30)
    assert progress(world, relay).progress is Progress.JOINED
    assert len(world.ask(editor, lambda node: node.neighbours())) == 1
    assert state(world, editor) is InvitationState.USED


def test_who_joined_files_at_once(world: World) -> None:
    newsroom, editor = desk(world)
    reporter = newsroom.machine("reporter-1", Role.REPORTER)
    editor.settings = replace(QUICK, visibility=Visibility.VEILED)
    world.crash(editor)
    world.restart(editor)
    code = invite(world, editor, "reporter-1", Joiner.REPORTER)
    world.ask(reporter, lambda node: node.work.joining.begin(code))
    world.meet("editor-1", "reporter-1")
    world.run(5)
    people_agree(world, editor, reporter)
    world.run(5)
    file(newsroom, reporter)
    world.run(60)
    (item,) = world.ask(editor, everything)
    assert item.name == "reporter-1"


@pytest.mark.parametrize("victim", ["editor-1", "reporter-1"])
@pytest.mark.parametrize("role", [Role.REPORTER, Role.RELAY])
def test_machines_that_crash_again_and_again_end_up_joined(
    world: World, victim: str, role: Role
) -> None:
    newsroom, editor = desk(world)
    joiner = newsroom.machine("reporter-1", role)
    code = invite(
        world, editor, "reporter-1", Joiner.RELAY if role is Role.RELAY else Joiner.REPORTER
    )
    world.ask(joiner, lambda node: node.work.joining.begin(code))
    world.meet("editor-1", "reporter-1")
    for step in range(40):
        world.run(0.4 + step * 0.013)
        if step < 20:
            world.crash(world.machines[victim])
            world.restart(world.machines[victim])
        world.run(1.5)
        people_agree(world, editor, joiner)
        if progress(world, joiner).progress is Progress.JOINED:
            break
    world.run(120)
    assert progress(world, joiner).progress is Progress.JOINED
    assert state(world, editor) is InvitationState.USED


def test_a_closed_invitation_answers_nothing_even_to_who_heard_its_beacon(world: World) -> None:
    newsroom, editor = desk(world)
    reporter = newsroom.machine("reporter-1", Role.REPORTER)
    code = invite(world, editor, "reporter-1", Joiner.REPORTER)
    world.run(5)
    number = world.ask(editor, lambda node: node.work.invitations.all())[0].number
    world.ask(editor, lambda node: node.work.invitations.close(number))
    world.ask(reporter, lambda node: node.work.joining.begin(code))
    world.meet("editor-1", "reporter-1")
    world.run(120)
    assert progress(world, reporter).progress is Progress.SEEKING
    assert progress(world, reporter).silences == 0
    assert not any(f"{editor.name} sends" in line for line in world.trace)


def test_a_joiner_who_is_silent_by_its_keepers_will_joins_without_calling_out(
    world: World,
) -> None:
    newsroom, editor = desk(world)
    reporter = newsroom.machine("reporter-1", Role.REPORTER)
    reporter.settings = replace(QUICK, visibility=Visibility.SILENT)
    world.crash(reporter)
    world.restart(reporter)
    code = invite(world, editor, "reporter-1", Joiner.REPORTER)
    world.ask(reporter, lambda node: node.work.joining.begin(code))
    world.meet("editor-1", "reporter-1")
    world.run(60)
    assert reporter.shown.seeks == ()
    assert not any("reporter-1 Beckon" in line for line in world.trace)
    assert progress(world, reporter).progress is Progress.COMPARING


def test_a_link_of_a_joiner_does_not_take_a_neighbours_place(world: World) -> None:
    newsroom, editor = desk(world)
    for number in range(8):
        relay = newsroom.machine(f"relay-{number}", Role.RELAY)
        newsroom.enrol(editor, relay)
        world.meet("editor-1", relay.name)
    # By addresses that are written down all are called at once, more than would be by and by.
    newsroom.introduce(editor)
    world.run(90)
    assert len(world.ask(editor, lambda node: node.neighbours())) == 8
    reporter = newsroom.machine("reporter-1", Role.REPORTER)
    code = invite(world, editor, "reporter-1", Joiner.REPORTER)
    world.ask(reporter, lambda node: node.work.joining.begin(code))
    world.meet("editor-1", "reporter-1")
    world.run(60)
    assert progress(world, reporter).progress is Progress.COMPARING
    assert len(world.ask(editor, lambda node: node.neighbours())) == 8
