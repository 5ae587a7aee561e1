"""Which finders there are, and at which visibility each may be used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshnews.node.settings import Visibility
from meshnewsd.config import Config
from meshnewsd.discovery.interface import Finder, Hear


@dataclass(frozen=True, slots=True)
class Row:
    """One finder."""

    make: Callable[[Config, Hear], Finder]
    visibilities: frozenset[Visibility]
    """A query betrays interest, so a finder that asks is not even started elsewhere."""


def _make_mdns(config: Config, hear: Hear) -> Finder:
    # 5 MB of memory that a silent home can do without.
    from meshnewsd.discovery.mdns import MdnsFinder  # noqa: PLC0415  see above

    return MdnsFinder(service_type=config.service_type, hear=hear)


FINDERS: Final = (Row(_make_mdns, frozenset({Visibility.OPEN})),)


def make_finders(config: Config, visibility: Visibility, hear: Hear) -> list[Finder]:
    """Return the finders that a home with this visibility uses."""
    return [row.make(config, hear) for row in FINDERS if visibility in row.visibilities]
