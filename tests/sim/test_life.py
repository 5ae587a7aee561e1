"""What a power cut costs a machine of its life."""

import pytest

from meshnews.node.identity import Role
from meshnews.sim.machine import Machine
from meshnews.sim.world import World
from meshnews.store.age import SAVE_S
from tests.sim.newsroom import Newsroom

LATE_S = 0.1


def lived_s(world: World, machine: Machine) -> float:
    return world.ask(machine, lambda node: node.home.moment.lived_s)


@pytest.mark.parametrize("began_anew_s", [0.5, 30.0, 59.5])
@pytest.mark.parametrize("on_s", [299.0, 310.0, 359.0, 640.0])
def test_a_power_cut_costs_no_more_life_than_is_written_down_in_time(
    began_anew_s: float, on_s: float
) -> None:
    """Found by city day 3: whose sweeps fell beside the full minute lost up to 360 s."""
    world = World(3)
    relay = Newsroom(world).machine("relay-1", Role.RELAY)
    relay.wall_is_trusted = False
    world.run(began_anew_s)
    world.crash(relay)
    world.restart(relay)
    world.run(on_s)
    before_s = lived_s(world, relay)
    world.crash(relay)
    world.boot(relay)
    assert before_s - lived_s(world, relay) <= SAVE_S + LATE_S
