"""What a finder is: something that shows our beacons and hears those of others.

A finder knows nothing of beacons but that they have 48 bytes.  It may be run in
one kind of place only; where it has nothing to do it waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from meshnews.node.event import Heard, Listening

Hear = Callable[[Heard], object]
"""Called with each beacon that was heard; must not block."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is to be shown: beacons, and the ports that streams are accepted at."""

    beacons: tuple[bytes, ...] = ()
    listening: tuple[Listening, ...] = ()


class Finder(Protocol):
    """One way to find neighbours."""

    @property
    def name(self) -> str:
        """What the log calls it."""
        ...

    def show(self, shown: Shown) -> None:
        """Show these from now on, in place of any before.  Does not block; may come early."""
        ...

    async def run(self) -> None:
        """Show and listen until cancelled; may be called again after it raised.

        Raises:
            OSError: the network is not there, or not ready.
        """
        ...
