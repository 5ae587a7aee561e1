"""What its keeper may set about a node; the daemon reads it from the home's configuration."""

import enum
from dataclasses import dataclass
from typing import Final

from meshnews.limits import BEACON_EPOCH_S
from meshnews.node.event import Address


class Visibility(enum.StrEnum):
    """Who can notice this node on a network (docs/protocol/discovery.md)."""

    OPEN = "open"
    VEILED = "veiled"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class StaticNeighbour:
    """A relay or collector whose address its keeper wrote down."""

    address: Address
    relay: bytes
    """The first bytes of its static public key, at least 4; the rest is on the card."""


class BulkRouting(enum.StrEnum):
    """To whom large files are passed on (docs/protocol/sync.md, "Routing")."""

    FLOODING = "flooding"
    SPRAY_AND_FOCUS = "spray-and-focus"


@dataclass(frozen=True, slots=True)
class RouteLimit:
    """How much ways to a collector may be used; all that are meant share it.

    Attributes:
        kind: the driver, as in `Address.transport`; empty: any.
        where: host, or host and port, as the desk publishes it; empty: any.
        bytes_per_day: both ways together; 0: as many as there are.
        s_per_hour: for how long a stream may be open; 0: always.
    """

    kind: str = ""
    where: str = ""
    bytes_per_day: int = 0
    s_per_hour: float = 0.0


QUOTA_BYTES_DEFAULT: Final = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one node; times in seconds."""

    quota_bytes: int = QUOTA_BYTES_DEFAULT
    neighbours: tuple[StaticNeighbour, ...] = ()
    visibility: Visibility | None = None
    """None: open for a relay, silent for a person."""
    beacon_epoch_s: float = BEACON_EPOCH_S
    """How long a beacon stays the same; all machines of a desk have to agree."""
    hold_s_max: float = 1800.0
    """Own work enters the set after a random time up to this."""
    flash_hold_s_max: float = 120.0
    reply_receipt_hold_s_max: float = 1800.0
    """A reporter's receipt for a reply is released after a random time up to this."""
    bulk_routing: BulkRouting = BulkRouting.FLOODING
    bluetooth_bulk_after_s: float = 900.0
    """Class 3 crosses Bluetooth once nothing else has joined the two machines for so long."""
    proxies: tuple[str, ...] = ()
    """SOCKS5 proxies through which collectors are called too, ``number:port`` each."""
    is_direct: bool = True
    """Collectors are called without a proxy too; else no name is ever asked for here."""
    is_metered: bool = False
    """What crosses an uplink is paid for: bulk does not cross it."""
    limits: tuple[RouteLimit, ...] = ()
    """How much ways to a collector may be used."""
    patience_s: float = 150.0
    """A route that takes bundles for so long without bringing a receipt is suspect."""
    batch_s: float = 1800.0
    """A collector releases receipts once in this time."""
    flash_batch_s: float = 120.0
