"""Which finders there are, and at which visibility each may be used."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshnews.node.settings import Visibility
from meshnewsd.config import Config
from meshnewsd.discovery.advert import Shape
from meshnewsd.discovery.datagram import DatagramFinder
from meshnewsd.discovery.interface import Finder, Hear
from meshnewsd.platform.l2cap import is_known_to_kernel


@dataclass(frozen=True, slots=True)
class Row:
    """One finder."""

    make: Callable[[Config, Visibility, Hear], Finder | None]
    """None: this home, or this machine, has no use for it."""
    visibilities: frozenset[Visibility]
    """A query betrays interest, so a finder that asks is not even started elsewhere."""


def _make_datagram(config: Config, _: Visibility, hear: Hear) -> Finder:
    return DatagramFinder(port=config.beacon_port, hear=hear, addresses=_restricted(config))


def _make_mdns(config: Config, _: Visibility, hear: Hear) -> Finder:
    # 5 MB of memory that a silent home can do without.
    from meshnewsd.discovery.mdns import MdnsFinder  # noqa: PLC0415  see above

    return MdnsFinder(service_type=config.service_type, hear=hear, interfaces=_restricted(config))


def _make_bluetooth(config: Config, visibility: Visibility, hear: Hear) -> Finder | None:
    if not (config.may_use_bluetooth and is_known_to_kernel()):
        return None
    # bleak and dbus-fast are another 8 MB.
    from meshnewsd.discovery.airtime import Habits  # noqa: PLC0415  see above
    from meshnewsd.discovery.bluetooth import BluetoothFinder  # noqa: PLC0415  see above

    by_role = Shape.PLAIN if visibility is Visibility.OPEN else Shape.IBEACON
    habits = Habits(
        adapter=config.bluetooth_adapter,
        alias=config.bluetooth_alias,
        shape=by_role if config.beacon_shape == "auto" else Shape(config.beacon_shape),
        address_s=config.beacon_epoch_s,
        scan_s=config.bluetooth_scan_s,
        pause_s=config.bluetooth_pause_s,
        is_silent=config.visibility is Visibility.SILENT,
    )
    return BluetoothFinder(habits=habits, hear=hear, battery_min=config.bluetooth_battery_min)


def _restricted(config: Config) -> tuple[str, ...] | None:
    """Return the addresses that the keeper restricted the home to; None: any."""
    wildcard = any(ipaddress.ip_address(each).is_unspecified for each in config.addresses)
    return None if wildcard else config.addresses


FINDERS: Final = (
    Row(_make_datagram, frozenset(Visibility)),
    Row(_make_mdns, frozenset({Visibility.OPEN})),
    Row(_make_bluetooth, frozenset(Visibility)),
)


def make_finders(config: Config, visibility: Visibility, hear: Hear) -> list[Finder]:
    """Return the finders that a home with this visibility uses; none for one kept to itself."""
    if config.is_kept_to_itself:
        return []
    rows = [row for row in FINDERS if visibility in row.visibilities]
    made = [row.make(config, visibility, hear) for row in rows]
    return [finder for finder in made if finder is not None]
