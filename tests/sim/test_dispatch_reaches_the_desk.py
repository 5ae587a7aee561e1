"""A dispatch reaches the desk through a relay that cannot read it, and the receipt comes back."""

import random

import pytest

from meshnews.bundle.statement import Priority
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.dispatches.item import Verdict
from meshnews.node.identity import Role as HomeRole
from meshnews.sim.machine import Machine
from meshnews.sim.world import World
from meshnews.store.port import State
from tests.node.inbox import everything
from tests.sim.newsroom import TEXT, Newsroom, file, small_desk


def state_of(newsroom: Newsroom, reporter: Machine, identifier: bytes) -> DispatchState:
    found = newsroom.world.ask(reporter, lambda node: node.dispatches.find(identifier.hex()))
    return found.state


def meet(world: World, *names: str, seconds: float = 30.0) -> None:
    world.meet(*names)
    world.run(seconds)
    world.part(*names)
    world.run(1.0)


@pytest.mark.parametrize("seed", range(3))
def test_there_and_back(seed: int) -> None:
    world = World(seed)
    newsroom, machines = small_desk(world)
    editor, relay, reporter = (machines[n] for n in ("editor-1", "relay-1", "reporter-1"))
    picture = random.Random(seed).randbytes(300_000)
    identifier = file(newsroom, reporter, picture=picture)
    assert state_of(newsroom, reporter, identifier) is DispatchState.FILED

    meet(world, "reporter-1", "relay-1")
    assert state_of(newsroom, reporter, identifier) is DispatchState.CARRIED
    world.crash(relay)
    world.boot(relay)
    meet(world, "relay-1", "collector-1")
    meet(world, "collector-1", "editor-1", seconds=60.0)

    (item,) = world.ask(editor, everything)
    assert (item.name, item.text, item.verdict) == ("reporter-1", TEXT, Verdict.VERIFIED)
    tree, here = item.trees[0]
    assert here == tree.n
    pieces = world.ask(
        editor, lambda node: [node.letters.piece(item, 0, at) for at in range(tree.n)]
    )
    assert b"".join(pieces) == picture

    world.ask(editor, lambda node: node.answers.reply(item, "Received, thank you."))
    meet(world, "collector-1", "editor-1", seconds=60.0)
    meet(world, "relay-1", "collector-1")
    meet(world, "reporter-1", "relay-1")
    assert state_of(newsroom, reporter, identifier) is DispatchState.RECEIVED
    (answer,) = world.ask(reporter, everything)
    assert answer.text == "Received, thank you."
    assert answer.verdict is Verdict.DESK


def test_the_relay_drops_chunks_at_once_and_the_small_body_after_six_hours() -> None:
    world = World(11)
    newsroom, machines = small_desk(world)
    relay, collector = machines["relay-1"], machines["collector-1"]
    file(newsroom, machines["reporter-1"], picture=b"p" * 1_500_000)
    meet(world, "reporter-1", "relay-1")
    meet(world, "relay-1", "collector-1")
    meet(world, "collector-1", "editor-1", seconds=60.0)
    held = collector.carry.usage().total
    assert held > 1_500_000
    meet(world, "relay-1", "collector-1")
    assert relay.carry.usage().by_class[3] == 0
    assert relay.carry.usage().by_class[2] == 2048 or relay.carry.usage().by_class[2] == 8192
    world.run(6 * 3600 + 700)
    assert relay.carry.usage().by_class[2] == 0
    assert collector.carry.usage().total == held


def test_a_flash_goes_in_class_one() -> None:
    world = World(5)
    newsroom, machines = small_desk(world)
    file(newsroom, machines["reporter-1"], priority=Priority.FLASH)
    meet(world, "reporter-1", "relay-1", "collector-1", "editor-1", seconds=60.0)
    (item,) = world.ask(machines["editor-1"], everything)
    assert item.priority is Priority.FLASH


def test_two_editors_both_get_everything() -> None:
    world = World(21)
    newsroom, machines = small_desk(world)
    second = newsroom.machine("editor-2", HomeRole.EDITOR)
    newsroom.add_editor(machines["editor-1"], second)
    # The second editor has never been heard: its first keys travel with the
    # manifest, in a notice of the first.
    meet(world, "editor-1", "collector-1")
    meet(world, "collector-1", "relay-1")
    meet(world, "relay-1", "reporter-1")
    identifier = file(newsroom, machines["reporter-1"], picture=b"q" * 200_000)
    meet(world, "relay-1", "reporter-1")
    meet(world, "collector-1", "relay-1")
    meet(world, "editor-1", "collector-1", seconds=60.0)
    meet(world, "collector-1", "relay-1")
    meet(world, "relay-1", "reporter-1")
    assert state_of(newsroom, machines["reporter-1"], identifier) is DispatchState.RECEIVED
    newsroom.introduce(second)
    meet(world, "editor-2", "collector-1", seconds=60.0)
    for editor in (machines["editor-1"], second):
        (item,) = world.ask(editor, everything)
        assert (item.text, item.name) == (TEXT, "reporter-1")
        assert item.trees[0][1] == item.trees[0][0].n


def test_a_relay_without_a_clock_carries_all_the_same() -> None:
    world = World(31)
    newsroom, machines = small_desk(world)
    relay = machines["relay-1"]
    world.crash(relay)
    relay.wall_is_trusted = False
    relay.wall_offset_s = -world.now_s - 18262 * 86400.0
    world.boot(relay)
    file(newsroom, machines["reporter-1"])
    meet(world, "reporter-1", "relay-1")
    meet(world, "relay-1", "collector-1")
    meet(world, "collector-1", "editor-1", seconds=60.0)
    assert len(world.ask(machines["editor-1"], everything)) == 1


def test_acked_work_is_not_offered_to_a_second_relay() -> None:
    world = World(41)
    newsroom, machines = small_desk(world)
    identifier = file(newsroom, machines["reporter-1"])
    meet(world, "reporter-1", "relay-1", "collector-1", "editor-1", seconds=90.0)
    assert state_of(newsroom, machines["reporter-1"], identifier) is DispatchState.RECEIVED
    ref = world.ask(
        machines["reporter-1"], lambda node: node.dispatches.find(identifier.hex()).dispatch.ref
    )
    entry = machines["reporter-1"].carry.entry(ref)
    assert entry is not None
    assert entry.state is State.ACKED_WITH_BODY
