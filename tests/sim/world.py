"""The simulator's world, under the name that older tests know it by."""

from meshnews.sim.air import PORT
from meshnews.sim.machine import Machine, PowerCut
from meshnews.sim.stream import Way
from meshnews.sim.world import START_S, World
from meshnews.store.age import DAY_ZERO_S

__all__ = ["DAY_ZERO_S", "PORT", "START_S", "Machine", "PowerCut", "Way", "World"]
