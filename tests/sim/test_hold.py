"""Own work waits a random while before anybody sees it: the first sighting names no author."""

from dataclasses import replace
from functools import partial

from meshnews.bundle.statement import Priority
from meshnews.node.dispatches.dispatch import DispatchState, Progress
from meshnews.node.node import Node
from meshnews.sim.world import World
from tests.sim.newsroom import QUICK, small_desk

HOLD_S = 1800.0


def file_held(node: Node, *, number: int) -> None:
    draft = node.filing.begin(Priority.ROUTINE)
    node.filing.finish(draft, text=f"text {number}", slug="alań", now=False, forget=False)


def test_what_is_filed_without_now_is_held_for_a_random_while_and_then_goes() -> None:
    world = World(3)
    _, machines = small_desk(world)
    reporter = machines["reporter-1"]
    reporter.settings = replace(QUICK, hold_s_max=HOLD_S, neighbours=reporter.settings.neighbours)
    world.crash(reporter)
    world.restart(reporter)
    for number in range(6):
        world.ask(reporter, partial(file_held, number=number))

    def all_of(node: Node) -> list[Progress]:
        return node.dispatches.all()

    held = [one.held_for_s for one in world.ask(reporter, all_of)]
    assert len(set(held)) == len(held)
    assert all(0 < one <= HOLD_S for one in held)
    assert max(held) - min(held) > HOLD_S / 4
    world.meet("reporter-1", "relay-1")
    world.run(min(held) - 1.0)
    assert {one.state for one in world.ask(reporter, all_of)} == {DispatchState.FILED}
    world.run(HOLD_S)
    assert {one.state for one in world.ask(reporter, all_of)} == {DispatchState.CARRIED}
