"""What custody is asked and what it answers: the words of docs/protocol/custody.md."""

import enum
from dataclasses import dataclass, field
from typing import Final

from meshnews.bundle.format import Bundle
from meshnews.ids import BundleRef
from meshnews.limits import ACKED_KEEP_S

BATCH_S_DEFAULT: Final = 1800.0
FLASH_BATCH_S_DEFAULT: Final = 120.0


@dataclass(frozen=True, slots=True)
class Terms:
    """The role and the limits of this node.

    Attributes:
        quota_bytes: most bytes of bodies.
        collector: keeps bodies whatever receipts say, and releases receipts in batches.
        desk: opens; wants received bundles as well as others.
        batch_s, flash_batch_s: how often a collector releases receipts.
        acked_keep_s: how long an acked small body stays at a relay.
    """

    quota_bytes: int
    collector: bool
    desk: bool
    batch_s: float = BATCH_S_DEFAULT
    flash_batch_s: float = FLASH_BATCH_S_DEFAULT
    acked_keep_s: float = ACKED_KEEP_S


class Judgement(enum.Enum):
    """What becomes of a bundle that is offered or brought."""

    WANTED = "wanted"
    """Offered: its body is wanted.  Brought: it was kept."""
    KNOWN = "known"
    NO_ROOM = "no room"
    """Verified, and noted as lacking."""
    REFUSED = "refused"
    """Not for us, and nobody's fault: expired, an issuer not known here, or too
    many under its postage.  No mark is left."""


class Acknowledged(enum.Enum):
    """What becomes of a receipt."""

    NEW = "new"
    """The bundle is acked from now on."""
    KNOWN = "known"
    PENDING = "pending"
    """A collector holds it back until its batch."""
    REFUSED = "refused"
    """Of a bundle never held, by an issuer not known here."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A bundle that was brought, and what became of it."""

    bundle: Bundle
    outcome: Judgement


@dataclass(frozen=True, slots=True)
class Given:
    """A body to be given, and the age to be said with it."""

    wire: bytes = field(repr=False)
    age_s: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What entered the set, and what became acked, by the passing of time."""

    released: tuple[BundleRef, ...] = ()
    acked: tuple[BundleRef, ...] = ()
