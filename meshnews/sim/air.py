"""Beacons: who is near hears them, unless there is only a wire between."""

from functools import partial
from typing import TYPE_CHECKING, Final

from meshnews.crypto.entropy import between
from meshnews.node.event import Address, Advertise, Beckon, Heard, Listening, Relisten
from meshnews.node.node import Node
from meshnews.sim.machine import Machine

if TYPE_CHECKING:
    from meshnews.sim.world import World

PORT: Final = 7117
BEACONS_APART_S: Final = (20.0, 40.0)


class Air:
    """What lets the machines of a world hear each other."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def obey(self, machine: Machine, effect: Advertise | Beckon | Relisten) -> None:
        """Do what a node wants done about its being found.

        Raises:
            Nothing.
        """
        match effect:
            case Advertise():
                self._show(machine, effect)
            case Beckon(beacons, after_s):
                self._world.later(after_s, partial(self.call_out, machine, beacons))
            case Relisten():
                self._world.post(machine, Listening("tcp", PORT))

    def call_out(self, machine: Machine, beacons: tuple[bytes, ...]) -> None:
        """Let everybody near hear these beacons, if there is air between them.

        Raises:
            Nothing.
        """
        world = self._world
        if not world.has_air or machine.node is None:
            return
        where = (Address("tcp", f"{machine.name}:0"),)
        for name, way in sorted(machine.near.items(), key=lambda each: each[0]):
            if not way.is_wire:
                for beacon in beacons:
                    world.post(world.machines[name], Heard(beacon, where))

    def _show(self, machine: Machine, shown: Advertise) -> None:
        was_silent, machine.shown = not machine.shown.beacons, shown
        if shown.seeks:
            self._world.later(0.0, partial(self.call_out, machine, shown.seeks))
        if shown.beacons and was_silent and self._world.has_air:
            self._world.later(0.0, partial(self._show_again, machine, machine.node))

    def _show_again(self, machine: Machine, node: Node | None) -> None:
        if machine.shown.beacons and node is not None and machine.node is node:
            self.call_out(machine, machine.shown.beacons)
            apart_s = between(self._world.luck, *BEACONS_APART_S)
            self._world.later(apart_s, partial(self._show_again, machine, node))
