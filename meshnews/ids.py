"""Names of things: the identifiers that pass between the rooms of the library.

Each is a ``NewType`` over ``bytes``, so that mypy refuses a key where an
identifier belongs.  Nothing here checks a length: that is done once, where the
bytes come in.
"""

import datetime as dt
import enum
from typing import Final, NamedTuple, NewType

BundleId = NewType("BundleId", bytes)
"""32 bytes: BLAKE2b over a bundle's purge commitment and the rest of it."""

DeskId = NewType("DeskId", bytes)
"""16 bytes: what a desk's root keys and threshold hash to."""

KeyRef = NewType("KeyRef", bytes)
"""8 bytes: names one prekey, one-time or epoch, to the machine that made it."""

IssuerId = NewType("IssuerId", bytes)
"""4 bytes: names a postage issuer.  Several issuers may share one."""

Day = NewType("Day", int)
"""Days since DAY_ZERO, UTC.  A bundle's day is even."""

DAY_ZERO: Final = dt.date(2020, 1, 1)

LinkId = NewType("LinkId", int)
"""Names one stream between this node and a neighbour, for as long as it is open."""


class TrafficClass(enum.IntEnum):
    """What a bundle is, in the order in which bundles travel."""

    NOTICE = 0
    FLASH = 1
    ROUTINE = 2
    BULK = 3


class AuthKind(enum.IntEnum):
    """By what a bundle was admitted; each has a partition of the store."""

    POSTAGE = 1
    STAMP = 2


class BundleRef(NamedTuple):
    """Where a bundle stands in the set that nodes compare: class, day, identifier.

    The identifier commits to the other two, so a reference that lies about them
    names nothing.
    """

    traffic: TrafficClass
    day: Day
    id: BundleId
