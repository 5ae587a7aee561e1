"""What is asked and answered in a comparison; see docs/protocol/sync.md, "Messages".

    SPANS    2  class, newest, oldest, digests of 8 bytes    ->  DAYS
    DAYS     3  class, bitmap of differing spans, days, 4-byte fingerprints, counts
    GRID     4  class, day, bits, count, 4-byte fingerprints     ->  CELLS
    SPLIT    5  class, day, bits, fan, prefixes, 4-byte fingerprints     ->  PARTS
    LIST     6  class, day, bits, prefix, short ids, 2-bit states     ->  REPLY
    REPLY    7  class, day, bits, prefix, 2-bit answers
    CELLS   18  class, day, bitmap of differing ranges, count, bits, start, end, cells
    MORE    19  class, day, start, end, parts     ->  CELLS
    PARTS   20  class, day, 2-bit modes, counts, keys
    TELL    21  class, day, keys unknown, keys of receipts, keys asked for     ->  TOLD
    TOLD    22  class, day, 2-bit states

The bytes are read and written by `meshnews.sync.layout_compare`.
"""

import enum
from dataclasses import dataclass
from typing import Final

from meshnews.ids import Day, TrafficClass
from meshnews.store.port import State

SPANS: Final = 10
SPAN_BYTES: Final = 8
DAY_FINGERPRINT_BYTES: Final = 4
RANGE_BYTES: Final = 4
CELL_BYTES: Final = 11


class Method(enum.IntFlag):
    """The ways of comparing a day that a node knows."""

    LISTS = 1
    """Every node has it."""
    CELLS = 2
    SPLITS = 4


EVERY_METHOD: Final = Method.LISTS | Method.CELLS | Method.SPLITS


class Mode(enum.IntEnum):
    """What PARTS says of one range."""

    EQUAL = 0
    DIFFERS = 1
    LISTED = 2
    """It differs, and the keys in it follow."""


class Answer(enum.IntEnum):
    """What the answerer says to one listed bundle."""

    NOTHING = 0
    NAME = 1
    """Name it: its body may be wanted."""
    SHORT_RECEIPT = 2
    FULL_RECEIPT = 3


@dataclass(frozen=True, slots=True)
class Spans:
    """Digests over spans of days back from `newest`: the opening of one class."""

    traffic: TrafficClass
    newest: Day
    oldest: Day
    digests: bytes


@dataclass(frozen=True, slots=True)
class Days:
    """Which spans differ, and the fingerprints of the days in them that have elements."""

    traffic: TrafficClass
    differing: int
    days: tuple[Day, ...]
    """Newest first."""
    fingerprints: bytes
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class List:
    """All elements of one bucket whose position begins with the `bits` bits of `prefix`."""

    traffic: TrafficClass
    day: Day
    bits: int
    prefix: int
    shorts: tuple[bytes, ...]
    """Ascending."""
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answers to one LIST, in its order."""

    traffic: TrafficClass
    day: Day
    bits: int
    prefix: int
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """Fingerprints over `2 ** bits` ranges of pages of one bucket."""

    traffic: TrafficClass
    day: Day
    bits: int
    count: int
    """How many elements the dialler has in the bucket."""
    fingerprints: bytes


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells `start` … `end` - 1 of some parts of one bucket; see `meshnews.sync.cells`.

    The answer to GRID says besides which ranges differ, and has cells of parts from 0
    on; without cells, what differs is better listed.  The answer to MORE has those asked
    for.  As many parts as fit.
    """

    traffic: TrafficClass
    day: Day
    differing: bytes
    """Bitmap, the first range in the lowest bit of the first byte; empty in answers to MORE."""
    count: int
    """How many elements the answerer has in the ranges that differ."""
    bits: int
    """The bucket is cut in `2 ** bits` parts by position."""
    start: int
    end: int
    sums: bytes


@dataclass(frozen=True, slots=True)
class More:
    """A request for further cells of some parts."""

    traffic: TrafficClass
    day: Day
    start: int
    end: int
    parts: tuple[int, ...]
    """Ascending."""


@dataclass(frozen=True, slots=True)
class Split:
    """Fingerprints over the `2 ** fan` ranges in each of some ranges of `bits` bits."""

    traffic: TrafficClass
    day: Day
    bits: int
    fan: int
    prefixes: tuple[int, ...]
    """Ascending."""
    fingerprints: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the ranges of a SPLIT differs; small ones are listed."""

    traffic: TrafficClass
    day: Day
    modes: tuple[Mode, ...]
    counts: bytes
    """Of keys, one for each range LISTED."""
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Tell:
    """What the dialler has found out of the answerer's elements, by their keys."""

    traffic: TrafficClass
    day: Day
    unknown: tuple[bytes, ...]
    """To be named, or their receipts to be sent in full."""
    receipts: tuple[bytes, ...]
    """Whose receipts are to be sent in short: the dialler knows the bundles."""
    asked: tuple[bytes, ...]
    """Whose states are to be told."""


@dataclass(frozen=True, slots=True)
class Told:
    """The answer to TELL, after names and receipts: the states asked for."""

    traffic: TrafficClass
    day: Day
    states: tuple[State, ...]


Question = Spans | Grid | More | Split | List | Tell
"""What the dialler asks in the comparison."""

Reaction = Days | Cells | Parts | Reply | Told
"""What the answerer says to a question."""
