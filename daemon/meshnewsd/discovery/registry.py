"""Which finders there are, and at which visibility each may be used."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshnews.node.settings import Visibility
from meshnewsd.config import Config
from meshnewsd.discovery.datagram import DatagramFinder
from meshnewsd.discovery.interface import Finder, Hear


@dataclass(frozen=True, slots=True)
class Row:
    """One finder."""

    make: Callable[[Config, Hear], Finder]
    visibilities: frozenset[Visibility]
    """A query betrays interest, so a finder that asks is not even started elsewhere."""


def _make_datagram(config: Config, hear: Hear) -> Finder:
    return DatagramFinder(port=config.beacon_port, hear=hear, addresses=_restricted(config))


def _make_mdns(config: Config, hear: Hear) -> Finder:
    # 5 MB of memory that a silent home can do without.
    from meshnewsd.discovery.mdns import MdnsFinder  # noqa: PLC0415  see above

    return MdnsFinder(service_type=config.service_type, hear=hear, interfaces=_restricted(config))


def _restricted(config: Config) -> tuple[str, ...] | None:
    """Return the addresses that the keeper restricted the home to; None: any."""
    wildcard = any(ipaddress.ip_address(each).is_unspecified for each in config.addresses)
    return None if wildcard else config.addresses


FINDERS: Final = (
    Row(_make_datagram, frozenset(Visibility)),
    Row(_make_mdns, frozenset({Visibility.OPEN})),
)


def make_finders(config: Config, visibility: Visibility, hear: Hear) -> list[Finder]:
    """Return the finders that a home with this visibility uses; none for one kept to itself."""
    only = _restricted(config)
    if only is not None and all(ipaddress.ip_address(each).is_loopback for each in only):
        return []
    return [row.make(config, hear) for row in FINDERS if visibility in row.visibilities]
