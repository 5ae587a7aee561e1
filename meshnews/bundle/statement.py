"""What is inside a bundle to readers: a signed statement and what it is about.

    payload   = pack[ statement, signature, inner ]             each a byte string
    inner     = pack[ kind, slug, priority, reference16 | '', text ]
    statement = pack[ 'st1', byline key, desk_id16, seq, prev16, claimed_time, fresh[≤4],
                      b2('inner', inner), attachments[…], reply ]
    fresh     = 32 bytes each
    attachment = [ root id, root data hash, depth, n, size, K, sha256 of the file, role, life, day,
                   name ]
    reply      = [] | [ scan, [ [ editor8, ref8, one-time key, psk ] ≤4 ] ]
    signature over 'statement1' ‖ pc ‖ b2('statement', statement)

`pc` binds a statement to the envelope it came in.  An editor's statement has
its sign key in the byline's place.  See docs/protocol/bundles.md.
"""

import enum
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from meshnews.bundle.envelope import capacity
from meshnews.bundle.reply_to import ReplyKey, ReplyTo, decode_reply, reply_value
from meshnews.bundle.shape import HASH_BYTES
from meshnews.bundle.tree import (
    WIDEST,
    AttachmentTree,
    Role,
    attachment_value,
    decode_attachment,
)
from meshnews.crypto.digest import Label, b2, same
from meshnews.crypto.keys import (
    KEY_BYTES,
    Ed25519Public,
    Ed25519Secret,
    Prekey,
    X25519Secret,
    verify,
)
from meshnews.errors import Forged, LocalMisuse, Malformed
from meshnews.ids import Day, DeskId, KeyRef, TrafficClass
from meshnews.limits import (
    ATTACHMENTS_MAX,
    CLAIMED_TIME_S_MAX,
    FLASH_WIRE_BYTES_MAX,
    FRESH_MAX,
    SEQ_MAX,
    SLUG_CHARS_MAX,
    TEXT_CHARS_MAX,
    WIRE_BYTES,
)
from meshnews.wire.codec import (
    Value,
    as_bytes,
    as_int,
    as_list,
    as_text,
    decode,
    encode,
    is_showable,
)

__all__ = [
    "FIRST_LINK",
    "AttachmentTree",
    "Inner",
    "Kind",
    "Letter",
    "Priority",
    "ReplyKey",
    "ReplyTo",
    "Role",
    "Statement",
    "chain_link",
    "clean_text",
    "read",
    "text_capacity",
    "write",
]

VERSION_WORD: Final = "st1"
DESK_BYTES: Final = 16
REFERENCE_BYTES: Final = 16
LINK_BYTES: Final = 16
FIRST_LINK: Final = bytes(LINK_BYTES)
"""The `prev` of a chain's first statement."""


_UNPAIRED: Final = re.compile("[\ud800-\udfff]")
"""Half a character, as the system hands it over for a byte that is no UTF-8."""

_HEADER_GROWTH_BYTES: Final = 8
"""What the headers of a text and of its inner grow by, from none to the largest."""


class Kind(enum.StrEnum):
    """What an item is."""

    DISPATCH = "dispatch"
    REPLY = "reply"
    READ = "read"
    ORDER = "order"
    CARD = "card"
    REFRESH = "refresh"
    MARK = "mark"


class Priority(enum.IntEnum):
    """How urgent its author says an item is."""

    FLASH = 1
    URGENT = 2
    ROUTINE = 3
    BULK = 4

    @property
    def traffic(self) -> TrafficClass:
        """The class of the bundle that carries it: the wire merges flash and urgent."""
        return _TRAFFIC[self]


_TRAFFIC: Final = {
    Priority.FLASH: TrafficClass.FLASH,
    Priority.URGENT: TrafficClass.FLASH,
    Priority.ROUTINE: TrafficClass.ROUTINE,
    Priority.BULK: TrafficClass.BULK,
}
_WITH_CARGO: Final = frozenset({Kind.CARD, Kind.REFRESH})


@dataclass(frozen=True, slots=True)
class Inner:
    """What an item says.

    Attributes:
        kind: what it is.
        slug: one word for the story; empty only when it is no dispatch.
        priority: as the author chose it.
        reference: the first 16 bytes of the purge commitment of what it is about, or none.
        text: what a person wrote; empty when `cargo` is what counts.
        cargo: the signed object in a `card` or `refresh`; else empty.
    """

    kind: Kind
    slug: str
    priority: Priority
    reference: bytes = b""
    text: str = field(default="", repr=False)
    cargo: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Statement:
    """What an author signed.

    Attributes:
        author: byline key, or an editor's sign key.
        desk: for whom it was written.
        seq: place in the author's chain.
        prev: the link of the statement before it; FIRST_LINK for the first.
        claimed_time: seconds since 1970 UTC by the author's clock; no evidence.
        fresh: newest relay sightings the author had seen.
        inner_hash: what it says.
        attachments: its attachments.
        reply: how its author can be answered; None: not by bundles.
    """

    author: Ed25519Public
    desk: DeskId
    seq: int
    prev: bytes
    claimed_time: int
    fresh: tuple[bytes, ...]
    inner_hash: bytes
    attachments: tuple[AttachmentTree, ...]
    reply: ReplyTo | None

    def encode(self) -> bytes:
        """Return the canonical encoding.

        Raises:
            LocalMisuse: a text is not in a form that can be encoded.
        """
        return encode(
            [
                VERSION_WORD,
                self.author,
                self.desk,
                self.seq,
                self.prev,
                self.claimed_time,
                list(self.fresh),
                self.inner_hash,
                [attachment_value(tree) for tree in self.attachments],
                reply_value(self.reply),
            ]
        )


@dataclass(frozen=True, slots=True)
class Letter:
    """A statement that holds, and what it says.

    Attributes:
        author: the key that signed; whose it is, is for the desk to know.
        link: by which the author's next statement names this one.
    """

    statement: Statement
    inner: Inner
    author: Ed25519Public
    link: bytes


def write(
    inner: Inner,
    *,
    signer: Ed25519Secret,
    pc: bytes,
    desk: DeskId,
    seq: int,
    prev: bytes,
    claimed_time: int,
    fresh: Sequence[bytes] = (),
    attachments: Sequence[AttachmentTree] = (),
    reply: ReplyTo | None = None,
) -> bytes:
    """Return the payload for the envelope with `pc`, signed.

    Raises:
        LocalMisuse: a reader would refuse it: texts must have been through
            `clean_text`, counts and numbers be within the protocol's limits.
    """
    packed = _encode_inner(inner)
    statement = Statement(
        signer.public,
        desk,
        seq,
        prev,
        claimed_time,
        tuple(fresh),
        b2(Label.INNER, packed),
        tuple(attachments),
        reply,
    ).encode()
    try:
        _decode_inner(packed)
        _decode_statement(statement)
    except Malformed as exc:
        raise LocalMisuse(f"a statement that no reader would take: {exc}") from exc
    signature = signer.sign(Label.STATEMENT_1, pc + b2(Label.STATEMENT, statement))
    return encode([statement, signature, packed])


def read(payload: bytes, pc: bytes) -> Letter:
    """Return what the payload of the bundle with `pc` says, its signature verified.

    Raises:
        Malformed: it is no statement, or one outside the protocol's limits.
        Forged: the signature does not hold for this envelope, what it says is
            not what was signed, or a reply key is of low order.
    """
    fields = as_list(decode(payload, bytes_max=WIRE_BYTES[-1]), size=3)
    encoded, signature, packed = as_bytes(fields[0]), as_bytes(fields[1]), as_bytes(fields[2])
    statement = _decode_statement(encoded)
    digest = b2(Label.STATEMENT, encoded)
    verify(statement.author, signature, Label.STATEMENT_1, pc + digest)
    if not same(b2(Label.INNER, packed), statement.inner_hash):
        raise Forged("words other than those that were signed")
    return Letter(statement, _decode_inner(packed), statement.author, digest[:LINK_BYTES])


def chain_link(payload: bytes) -> bytes:
    """Return the 16 bytes by which the author's next statement names this one.

    Raises:
        Malformed: `payload` has not the form of one.
    """
    fields = as_list(decode(payload, bytes_max=WIRE_BYTES[-1]), size=3)
    return b2(Label.STATEMENT, as_bytes(fields[0]))[:LINK_BYTES]


def clean_text(raw: str, *, multiline: bool = True) -> str:
    """Return `raw` in the form that a statement can carry.

    Normal form C, line feeds between lines, no other control characters but
    tabs; of what is one line, white space made single spaces.

    Raises:
        Nothing.
    """
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    text = text if multiline else " ".join(text.split())
    text = unicodedata.normalize("NFC", text)
    if not is_showable(text, multiline=multiline) or _UNPAIRED.search(text):
        text = _UNPAIRED.sub("\N{REPLACEMENT CHARACTER}", text)
        kept = "".join(char for char in text if is_showable(char, multiline=multiline))
        text = unicodedata.normalize("NFC", kept)
    return text


def text_capacity(
    slug: str, *, traffic: TrafficClass, day: Day, attachments: int = 0, reply_keys: int = 0
) -> int:
    """Return how many bytes of UTF-8 text surely fit into one bundle of a class.

    Counted with the widest numbers, no sightings and any number of readers; a
    longer text is to be sent as an attachment.

    Raises:
        LocalMisuse: no bundle has that day, or no statement that slug, or as
            many attachments or reply keys.
    """
    signer, public = Ed25519Secret(bytes(32)), X25519Secret(bytes(32)).public
    keys = (
        ReplyKey.of(signer.public, Prekey(KeyRef(number.to_bytes(8, "big")), public, bytes(32)))
        for number in range(reply_keys)
    )
    payload = write(
        Inner(Kind.DISPATCH, slug, Priority.BULK, bytes(16)),
        signer=signer,
        pc=bytes(32),
        desk=DeskId(bytes(16)),
        seq=SEQ_MAX,
        prev=FIRST_LINK,
        claimed_time=CLAIMED_TIME_S_MAX,
        attachments=[WIDEST] * attachments,
        reply=ReplyTo(public, tuple(keys)),
    )
    size = FLASH_WIRE_BYTES_MAX if traffic is TrafficClass.FLASH else WIRE_BYTES[-1]
    return max(0, capacity(size, day=day) - len(payload) - _HEADER_GROWTH_BYTES)


def _encode_inner(inner: Inner) -> bytes:
    text: Value = inner.cargo if inner.kind in _WITH_CARGO else inner.text
    return encode([str(inner.kind), inner.slug, int(inner.priority), inner.reference, text])


def _decode_inner(packed: bytes) -> Inner:
    kind_word, slug_word, urgency, about, text = as_list(
        decode(packed, bytes_max=WIRE_BYTES[-1]), size=5
    )
    try:
        kind = Kind(as_text(kind_word, chars_max=SLUG_CHARS_MAX))
    except ValueError as exc:
        raise Malformed("an item of no known kind") from exc
    slug = as_text(slug_word, chars_max=SLUG_CHARS_MAX)
    if any(char.isspace() for char in slug) or not (slug or kind is not Kind.DISPATCH):
        raise Malformed("a slug that is not one word")
    priority = Priority(as_int(urgency, Priority.FLASH, Priority.BULK))
    reference = as_bytes(about, at_most=REFERENCE_BYTES)
    if reference and len(reference) != REFERENCE_BYTES:
        raise Malformed("a reference of the wrong length")
    if kind in _WITH_CARGO:
        return Inner(kind, slug, priority, reference, cargo=as_bytes(text))
    words = as_text(text, chars_max=TEXT_CHARS_MAX, multiline=True)
    return Inner(kind, slug, priority, reference, text=words)


def _decode_statement(encoded: bytes) -> Statement:
    fields = as_list(decode(encoded, bytes_max=WIRE_BYTES[-1]), size=10)
    version, author, desk, seq, prev, claimed, fresh, inner_hash, attachments, reply = fields
    if version != VERSION_WORD:
        raise Malformed("a statement of another version")
    return Statement(
        author=Ed25519Public(as_bytes(author, KEY_BYTES)),
        desk=DeskId(as_bytes(desk, DESK_BYTES)),
        seq=as_int(seq, 0, SEQ_MAX),
        prev=as_bytes(prev, LINK_BYTES),
        claimed_time=as_int(claimed, 0, CLAIMED_TIME_S_MAX),
        fresh=tuple(as_bytes(one, HASH_BYTES) for one in as_list(fresh, at_most=FRESH_MAX)),
        inner_hash=as_bytes(inner_hash, HASH_BYTES),
        attachments=tuple(map(decode_attachment, as_list(attachments, at_most=ATTACHMENTS_MAX))),
        reply=decode_reply(reply),
    )
