"""Every message of the sync conversation; see docs/protocol/sync.md.

    HELLO    1  version, nonce16, instance16, four of [flags, newest, oldest, free KiB],
                frame limit, methods
    WANT     8  [class, day, width, ids, how, offsets]…
    OFFER    9  age, offer
    DATA    10  class, day, short id, age, offset, block
    STORED  11  [class, day, short ids]… of bundles, and of receipts
    ACKED   12  confirm, full receipts, [class, day, short receipts]…
    NOTHELD 13  [class, day, short ids]…
    CANCEL  14  [class, day, short ids]…
    HAVE    15  [class, day, ids, codes]…
    BYE     16  reason
    DONE    17

2 to 7 and 18 to 22 are those of the comparison, in `meshnews.sync.question`.  The bytes
are read and written by `meshnews.sync.layout`.
"""

import enum
from dataclasses import dataclass, field
from typing import Final

from meshnews.ids import BundleRef, Day, TrafficClass
from meshnews.sync.question import Question, Reaction

VERSION: Final = 1
NONCE_BYTES: Final = 16
INSTANCE_BYTES: Final = 16
SHORT_BYTES: Final = 8
ID_BYTES: Final = 32
OFFER_FIELD_BYTES_MAX: Final = 512
AGE_S_MAX: Final = (1 << 32) - 1
FREE_KIB_MAX: Final = (1 << 40) - 1
CLASSES: Final = tuple(TrafficClass)


class Type(enum.IntEnum):
    """The first element of each message."""

    HELLO = 1
    SPANS = 2
    DAYS = 3
    GRID = 4
    SPLIT = 5
    LIST = 6
    REPLY = 7
    WANT = 8
    OFFER = 9
    DATA = 10
    STORED = 11
    ACKED = 12
    NOTHELD = 13
    CANCEL = 14
    HAVE = 15
    BYE = 16
    DONE = 17
    CELLS = 18
    MORE = 19
    PARTS = 20
    TELL = 21
    TOLD = 22


class Flag(enum.IntFlag):
    """What a node says of one class in HELLO."""

    SERVES = 1
    WANTS = 2
    WANTS_ACKED = 4
    """It wants bundles that were received already like any other: a desk's machine."""
    NONEMPTY = 8
    """It knows of bundles of this class; `newest` counts only then."""
    SAW_DESK = 16
    """It lately saw a collector; for bulk only, and only said where bulk goes towards such."""


class How(enum.IntEnum):
    """What a WANT asks for first."""

    DATA = 0
    OFFER = 1


class Reason(enum.IntEnum):
    """Why a node says BYE."""

    FINISHED = 0
    MYSELF = 1
    """Both ends are one node."""
    FULL = 2
    """Others want in who bring more: come again later."""


@dataclass(frozen=True, slots=True)
class ClassTerms:
    """One class in HELLO."""

    flags: Flag
    newest: Day
    oldest: Day
    free_kib: int


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of each side."""

    nonce: bytes = field(repr=False)
    instance: bytes = field(repr=False)
    classes: tuple[ClassTerms, ...]
    frame_bytes_max: int
    methods: int
    """Bits of `Method`; others are of versions to come."""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class WantGroup:
    """Bundles of one bucket that are asked for, by short or by full identifiers."""

    traffic: TrafficClass
    day: Day
    ids: tuple[bytes, ...]
    how: How
    offsets: tuple[int, ...] = ()
    """One for each, or none at all when all are 0."""


@dataclass(frozen=True, slots=True)
class Want:
    """A request for bodies, or for offers of them."""

    groups: tuple[WantGroup, ...]


@dataclass(frozen=True, slots=True)
class OfferMessage:
    """An offer, by which the other side judges before the body moves."""

    age_s: int
    offer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Data:
    """A block of a bundle."""

    traffic: TrafficClass
    day: Day
    short: bytes
    age_s: int
    offset: int
    block: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Group:
    """Short identifiers of one bucket."""

    traffic: TrafficClass
    day: Day
    shorts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """These bundles, and these receipts that were handed over, are on disk."""

    bundles: tuple[Group, ...]
    receipts: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True)
class Acked:
    """Receipts; `confirm` asks for a STORED of each."""

    confirm: bool
    full: tuple[bytes, ...] = field(repr=False)
    short: tuple[tuple[TrafficClass, Day, bytes], ...] = field(default=(), repr=False)
    """Class, day and r ‖ h_rest, in runs of one bucket."""


@dataclass(frozen=True, slots=True)
class NotHeld:
    """Wanted bundles that cannot be given."""

    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Wanted bundles that are wanted no longer, or came and were not kept."""

    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Name:
    """One bundle in HAVE: that its giver holds the body, and how large it is."""

    ref: BundleRef
    size: int
    acked: bool


@dataclass(frozen=True, slots=True)
class Have:
    """Bundles that the sender holds and will give, in runs of one bucket."""

    names: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Bye:
    """The last message."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Done:
    """The dialler has compared all classes."""


Message = (
    Hello
    | Question
    | Reaction
    | Want
    | OfferMessage
    | Data
    | Stored
    | Acked
    | NotHeld
    | Cancel
    | Have
    | Bye
    | Done
)
