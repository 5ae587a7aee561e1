"""An opened item as it is kept: what a list of items says of it, and apart from that its text.

    heading = [number, class, day, kind, author, name, slug, priority, claimed, arrived,
               reference, pc, verdict, alarms, [[attachment, leaves here], …], read, let go]

A list of thousands of items reads headings alone: a text may be a hundred times as large.
"""

import enum
from dataclasses import dataclass, fields
from typing import Final, TypeVar

from meshnews.bundle.statement import REFERENCE_BYTES, Kind, Priority
from meshnews.bundle.tree import AttachmentTree, attachment_value, decode_attachment
from meshnews.errors import Malformed
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import ATTACHMENTS_MAX, DAY_MAX, TEXT_CHARS_MAX
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, as_text, decode, encode

RECORD_BYTES_MAX: Final = 256 * 1024
_NAME_CHARS_MAX: Final = 256
_TIME_S_MAX: Final = 1 << 60
_COUNT_MAX: Final = 1 << 40


_WordT = TypeVar("_WordT", bound=enum.StrEnum)


class Verdict(enum.StrEnum):
    """What is known of who wrote an item."""

    VERIFIED = "verified"
    DESK = "desk"
    LAPSED = "lapsed"
    UNPROVEN = "unproven"
    FORK = "fork"
    """Unproven, and it does not continue what was known of its author."""
    UNREADABLE = "unreadable"


class Alarm(enum.StrEnum):
    """Something about an item that a person should look into."""

    TWO_PLACES = "two-places"
    GAP = "gap"
    BRANCH = "branch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """One opened item without its text.  Times are seconds since 1970 UTC; 0: not yet, or not said.

    Attributes:
        ref: the bundle it came in.
        number: how many items came in before it; given when it is kept.
        author: the key that signed it; empty when it could not be opened.
        name: under which the desk knows the author; empty for a stranger.
        reference: what it is about, or none: to its author's machine, the first 16 bytes of
            a dispatch's id; else as the one who wrote it named that.
        pc: the first 16 bytes of its purge commitment, by which its author knows it again
            whoever franked it; empty where nothing can be said of it.
        trees: its attachments, and how many leaves of each are here.
        let_go_at: when the pieces of its attachments were let go.
    """

    ref: BundleRef
    number: int = 0
    kind: Kind
    author: bytes
    name: str
    slug: str
    priority: Priority
    claimed_at: int
    arrived_at: int
    reference: bytes
    pc: bytes = b""
    verdict: Verdict
    alarms: tuple[Alarm, ...] = ()
    trees: tuple[tuple[AttachmentTree, int], ...] = ()
    read_at: int = 0
    let_go_at: int = 0

    def encode(self) -> bytes:
        """Return the canonical encoding of the heading."""
        trees: list[Value] = [[attachment_value(tree), here] for tree, here in self.trees]
        return encode(
            [
                self.number,
                int(self.ref.traffic),
                self.ref.day,
                str(self.kind),
                self.author,
                self.name,
                self.slug,
                int(self.priority),
                self.claimed_at,
                self.arrived_at,
                self.reference,
                self.pc,
                str(self.verdict),
                [str(alarm) for alarm in self.alarms],
                trees,
                self.read_at,
                self.let_go_at,
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Heading):
    """One opened item, whole."""

    text: str


def decode_heading(bundle_id: bytes, value: bytes) -> Heading:
    """Return the heading that `Heading.encode` wrote.

    Raises:
        Malformed: the vault holds something else.
    """
    record = as_list(decode(value, bytes_max=RECORD_BYTES_MAX), size=17)
    number, traffic, day, kind, author, name, slug, priority, claimed = record[:9]
    arrived, reference, pc, verdict, alarms, trees, read_at, let_go_at = record[9:]
    return Heading(
        ref=BundleRef(
            TrafficClass(as_int(traffic, 0, 3)), Day(as_int(day, 0, DAY_MAX)), BundleId(bundle_id)
        ),
        number=as_int(number, 0, _COUNT_MAX),
        kind=_word(Kind, kind),
        author=as_bytes(author, at_most=32),
        name=as_text(name, chars_max=_NAME_CHARS_MAX),
        slug=as_text(slug, chars_max=_NAME_CHARS_MAX),
        priority=Priority(as_int(priority, 1, 4)),
        claimed_at=as_int(claimed, 0, _TIME_S_MAX),
        arrived_at=as_int(arrived, 0, _TIME_S_MAX),
        reference=as_bytes(reference, at_most=REFERENCE_BYTES),
        pc=as_bytes(pc, at_most=REFERENCE_BYTES),
        verdict=_word(Verdict, verdict),
        alarms=tuple(_word(Alarm, one) for one in as_list(alarms, at_most=8)),
        trees=tuple(map(_tree, as_list(trees, at_most=ATTACHMENTS_MAX))),
        read_at=as_int(read_at, 0, _TIME_S_MAX),
        let_go_at=as_int(let_go_at, 0, _TIME_S_MAX),
    )


def whole(heading: Heading, text: str) -> Item:
    """Return a heading together with its text."""
    parts = {each.name: getattr(heading, each.name) for each in fields(Heading)}
    return Item(**parts, text=text)


def encode_text(text: str) -> bytes:
    """Return the canonical encoding of an item's text."""
    return encode(text)


def decode_text(value: bytes) -> str:
    """Return the text that `encode_text` wrote.

    Raises:
        Malformed: the vault holds something else.
    """
    text = decode(value, bytes_max=RECORD_BYTES_MAX)
    return as_text(text, chars_max=TEXT_CHARS_MAX, multiline=True)


def _word(words: type[_WordT], value: Value) -> _WordT:
    word = as_text(value, chars_max=16)
    try:
        return words(word)
    except ValueError as exc:
        raise Malformed("a word that means nothing here") from exc


def _tree(value: Value) -> tuple[AttachmentTree, int]:
    tree, here = as_list(value, size=2)
    return decode_attachment(tree), as_int(here, 0, _COUNT_MAX)
