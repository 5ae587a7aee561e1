"""One machine of a simulated mesh: its stores outlive its node, as disks outlive daemons."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.entropy import Entropy
from meshnews.ids import LinkId
from meshnews.node.event import Advertise
from meshnews.node.node import Node
from meshnews.node.settings import Settings
from meshnews.sim.stream import Stream, Way
from meshnews.store.memory import MemoryCarry, MemoryVault

WALL_1970_S: Final = 0.0
"""What a machine says that has no clock and was never told the time."""


class PowerCut(Exception):
    """A machine lost its power in the middle of a transaction."""


@dataclass
class Machine:
    """One machine.

    Attributes:
        carry, vault: its disks; a relay has no vault.
        node: its daemon; None: it is switched off.
        wall_offset_s: how far its wall clock is from the truth.
        wall_stands_s: where its wall clock stands still; None: it goes.
        is_locked: its next node is made without the vault.
        tears_in: the power fails when so many more transactions have written to the
            vault: between the vault's commit and carry's.  None: it does not.
        near: those within reach, and what lies between.
        streams: its open streams, by the names it has for them.
        cpu_s: what its node has cost, where somebody holds a stopwatch.
    """

    name: str
    carry: MemoryCarry
    vault: MemoryVault | None
    entropy: Entropy
    settings: Settings
    node: Node | None = None
    boot_id: bytes = bytes(16)
    booted_s: float = 0.0
    wall_offset_s: float = 0.0
    wall_stands_s: float | None = None
    wall_is_trusted: bool = True
    is_locked: bool = False
    tears_in: int | None = None
    wake: int = 0
    shown: Advertise = field(default_factory=lambda: Advertise(()))
    near: dict[str, Way] = field(default_factory=dict)
    streams: dict[LinkId, Stream] = field(default_factory=dict)
    cpu_s: float = 0.0
    events: int = 0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Do what follows wholly or not at all; the vault is committed first, as on a disk.

        Raises:
            PowerCut: the vault was committed, and carry was not.
        """
        with self.carry.transaction():
            if self.vault is None:
                yield
                return
            with self.vault.transaction():
                yield
                has_written = self.vault.has_written
            if self.tears_in is not None and has_written:
                self.tears_in -= 1
                if self.tears_in <= 0:
                    self.tears_in = None
                    raise PowerCut

    def by_stopwatch(self, stopwatch: Callable[[], float] | None, since_s: float) -> None:
        """Take note of what an event has cost."""
        self.events += 1
        if stopwatch is not None:
            self.cpu_s += stopwatch() - since_s
