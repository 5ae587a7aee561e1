"""What a finder is: something that shows our beacons and hears those of others.

A finder knows nothing of beacons but that they have 48 bytes, or 20 where room is
short.  It may be run in one kind of place only; where it has nothing to do it waits.
"""

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from meshnews.node.event import Heard
from meshnewsd.discovery.air import Way
from meshnewsd.platform.interfaces import InterfaceAddress

Hear = Callable[[Heard], object]
"""Called with each beacon that was heard; must not block."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is to be shown, and where.

    Attributes:
        beacons: what to show until told otherwise; none: show nothing.
        interfaces: the only ones to show them on; None: all.
        seeks: what to send once, now and on every interface that comes up later.
        short: what to show on Bluetooth, on every adapter.
    """

    beacons: tuple[bytes, ...] = ()
    interfaces: tuple[str, ...] | None = None
    seeks: tuple[bytes, ...] = ()
    short: tuple[bytes, ...] = ()

    def is_on(self, interface: str) -> bool:
        """Tell whether anything may be shown on an interface."""
        return self.interfaces is None or interface in self.interfaces


class Radio(enum.StrEnum):
    """How Bluetooth fares."""

    ON = "on"
    ABSENT = "absent"
    """There is no adapter, or not the one that is asked for."""
    OFF = "off"
    """There is one, and it is not powered."""
    NO_SERVICE = "no-service"
    """bluetoothd, or the bus on which it is asked, is not running."""
    DENIED = "denied"
    """It does not let us."""
    FAILING = "failing"
    """It refuses for another reason; tried again."""
    SPARED = "spared"
    """The battery is too low."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a finder fares.  A way is how a call to everybody came: see `meshnewsd.discovery.air`.

    Attributes:
        troubles: interfaces on which it could not send, and why.
        open: interfaces, and ways by which calls are known to come in there.
        pending: interfaces, and ways of which it is too early to tell.
        deaf: interfaces, and ways by which this machine lets no call in.
        missing: interfaces, and ways by which the network brings no call, though it
            does by another.
        rivals: names of ours under which another machine answers.
        radio: how Bluetooth fares; None: this finder does not use it.
        adapters: those of Bluetooth that may be used; when it is on the first is.
    """

    troubles: Mapping[str, str] = field(default_factory=dict)
    open: frozenset[tuple[str, Way]] = frozenset()
    pending: frozenset[tuple[str, Way]] = frozenset()
    deaf: frozenset[tuple[str, Way]] = frozenset()
    missing: frozenset[tuple[str, Way]] = frozenset()
    rivals: frozenset[str] = frozenset()
    radio: Radio | None = None
    adapters: tuple[str, ...] = ()


class Finder(Protocol):
    """One way to find neighbours."""

    @property
    def name(self) -> str:
        """What the log calls it."""
        ...

    def show(self, shown: Shown) -> None:
        """Show these from now on, in place of any before.  Does not block; may come early."""
        ...

    def beckon(self, beacons: tuple[bytes, ...], after_s: float) -> None:
        """Send these once more after so many seconds, where what is shown may be shown.

        A finder that is asked instead of calling out ignores it.
        """
        ...

    @property
    def health(self) -> "Health":
        """How it fares, for whoever asks what is wrong."""
        ...

    async def run(self) -> None:
        """Show and listen until cancelled; may be called again after it raised.

        Raises:
            OSError: the network is not there, or not ready.
        """
        ...


class Outlook:
    """How this machine's finders fare, all together, and its doors.

    Args:
        finders: all there are.
        port: where their calls go.
        missing_ports: returns the ports to be called at that cannot be had.
    """

    def __init__(
        self,
        finders: Iterable[Finder] = (),
        *,
        port: int = 0,
        missing_ports: Callable[[], tuple[int, ...]] = tuple,
    ) -> None:
        self.finders = tuple(finders)
        self.port = port
        self.missing_ports = missing_ports

    @property
    def health(self) -> Health:
        """What any of them has to tell."""
        found = [finder.health for finder in self.finders]
        return Health(
            troubles={name: why for each in found for name, why in each.troubles.items()},
            open=frozenset(place for each in found for place in each.open),
            pending=frozenset(place for each in found for place in each.pending),
            deaf=frozenset(place for each in found for place in each.deaf),
            missing=frozenset(place for each in found for place in each.missing),
            rivals=frozenset(name for each in found for name in each.rivals),
            radio=next((each.radio for each in found if each.radio is not None), None),
            adapters=next((each.adapters for each in found if each.adapters), ()),
        )


def reachable(
    found: Iterable[InterfaceAddress], addresses: Iterable[str] | None
) -> list[InterfaceAddress]:
    """Return the addresses at which a finder may work.

    Args:
        found: all there are.
        addresses: those that the keeper restricted the home to; None: all but loopback.
    """
    if addresses is None:
        return sorted(each for each in found if not each.is_loopback)
    allowed = frozenset(addresses)
    return sorted(each for each in found if each.address in allowed)
