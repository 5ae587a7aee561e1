"""What custody is asked and what it answers: the words of docs/protocol/custody.md."""

import enum
from dataclasses import dataclass, field
from typing import Final

from meshnews.bundle.format import Bundle
from meshnews.ids import BundleRef, Day, TrafficClass
from meshnews.limits import ACKED_KEEP_S, COLLECTOR_KEEP_DAYS, LIVES_DAYS
from meshnews.store.age import Moment

BATCH_S_DEFAULT: Final = 1800.0
FLASH_BATCH_S_DEFAULT: Final = 120.0

FILING_DAYS: Final = 2
"""A bundle's day is even, so it may have been filed as late as the day after.  From its day to
its expiry day there are these, and its life."""

EXPIRY_DAYS_MAX: Final = FILING_DAYS + max(LIVES_DAYS)
"""From a bundle's day to the latest expiry day it may have."""


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

    @property
    def gathers(self) -> bool:
        """This is one of a desk's machines, each of which wants every body once."""
        return self.collector or self.desk

    @property
    def keep_days(self) -> int:
        """How many days beyond its expiry a bundle is taken and kept here."""
        return COLLECTOR_KEEP_DAYS if self.gathers else 0

    def is_over(self, expiry_day: Day, moment: Moment) -> bool:
        """Tell whether a bundle with this expiry day is neither taken nor given any more."""
        return expiry_day + self.keep_days < moment.floor_day

    def may_live(self, ref: BundleRef, moment: Moment) -> bool:
        """Tell whether a bundle of which only the reference is known may still be taken.

        A notice may: it does not expire while what it bears is in force.
        """
        if ref.traffic is TrafficClass.NOTICE:
            return True
        return not self.is_over(Day(ref.day + EXPIRY_DAYS_MAX), moment)


class Judgement(enum.Enum):
    """What becomes of a bundle that is offered or brought."""

    WANTED = "wanted"
    """Offered: its body is wanted.  Brought: it was kept."""
    KNOWN = "known"
    NO_ROOM = "no room"
    """Verified, and noted as lacking; nothing was kept."""
    REFUSED = "refused"
    """Not for us, and nobody's fault: expired, aged, an issuer not known here, or too
    many under its postage.  Nothing was kept, and no mark is left."""


class Acknowledged(enum.Enum):
    """What becomes of a receipt."""

    NEW = "new"
    """The bundle is acked from now on."""
    KNOWN = "known"
    PENDING = "pending"
    """A collector holds it back until its batch."""
    REFUSED = "refused"
    """Of a bundle never held, by an issuer not known here, or long expired."""
    NO_ROOM = "no room"
    """Of a bundle never held, by an issuer of whom there are too many such receipts."""


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
