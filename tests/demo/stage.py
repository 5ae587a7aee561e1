"""Where the demonstration plays: network namespaces for root, loopback for everybody else.

On loopback a contact is made by starting the two daemons, and ended by
stopping them: two machines that are not in contact never run at one time.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.newsroom import Newsroom
from tests.e2e.world import Machine, World


class LoopbackMachine(Machine):
    """A home whose daemon listens on an address of its own within 127.0.0.0/8."""

    @property
    def address(self) -> str:
        return f"127.0.77.{self.number}"

    def _inside(self, *words: str) -> list[str]:
        return list(words)


class LoopbackWorld(World):
    """Machines on loopback: nothing is heard outside this machine, and no finder runs."""

    machine_type = LoopbackMachine

    def _raise_hub(self) -> None:
        pass

    def _plug_in(self, machine: Machine) -> None:
        machine.settings |= {"addresses": f'["{machine.address}"]', "visibility": '"veiled"'}

    def meet(self, *machines: Machine) -> str:
        for machine in machines:
            machine.start()
        return "lo"

    def part(self, *machines: Machine) -> None:
        for machine in machines:
            machine.stop()

    def _remove_namespaces(self) -> None:
        pass


class Stage:
    """A newsroom, and contacts between two of its machines at a time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.newsroom = Newsroom(world)
        self.on_loopback = isinstance(world, LoopbackWorld)

    def switch_on(self, *machines: Machine) -> None:
        """Start daemons that then run all the time; on loopback a contact starts them."""
        if not self.on_loopback:
            for machine in machines:
                machine.start()

    @contextlib.contextmanager
    def contact(self, *machines: Machine) -> Iterator[None]:
        """Bring machines within reach of each other for a while."""
        self.world.meet(*machines)
        try:
            yield
        finally:
            self.world.part(*machines)


@contextlib.contextmanager
def open_stage() -> Iterator[Stage]:
    """Set the stage in a folder of its own, and take everything away at the end."""
    folder = Path(tempfile.mkdtemp(prefix="demo"))
    has_namespaces = os.geteuid() == 0 and shutil.which("ip") is not None
    world = World(folder) if has_namespaces else LoopbackWorld(folder)
    try:
        yield Stage(world)
    finally:
        world.close()
        shutil.rmtree(folder, ignore_errors=True)
