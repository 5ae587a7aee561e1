"""What joiner and desk say to each other on an enrolment link, one message a frame.

    message = pack[kind, field …]

    kind  from    name      fields
    0     both    keep
    1     joiner  ask       request ≤ 16,384 · proof 64
    2     joiner  agreed
    3     joiner  stored    digest 32 · proof 64
    4     desk    compare
    5     desk    card      size · editor sign 32 · signature 64
    6     desk    piece     1 … 32,768 bytes
    7     desk    used
    8     both    refused   reason

    session    = the Noise handshake hash of the link, 64 bytes
    digest     = b2('request', request)
    proofs     = Ed25519(byline | sign, 'join1'   ‖ session ‖ digest)          of ask
                 Ed25519(byline | sign, 'stored1' ‖ session ‖ digest)          of stored
    signature  = Ed25519(editor sign,   'given1'  ‖ session ‖ b2('given', card file))

Every proof names the session, so who stands between two sessions can pass on
nothing.  See docs/protocol/enrolment.md, "By invitation".
"""

import enum
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, verify
from meshnews.desk.cardfile import OVERHEAD_BYTES
from meshnews.desk.field import as_sign_key, as_signature
from meshnews.desk.limits import CARD_BYTES_MAX, CARD_PIECE_BYTES_MAX, JOIN_REQUEST_BYTES_MAX
from meshnews.errors import Malformed
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, decode, encode

CARD_FILE_BYTES_MAX: Final = CARD_BYTES_MAX + OVERHEAD_BYTES
DIGEST_BYTES: Final = 32
_MESSAGE_BYTES_MAX: Final = CARD_PIECE_BYTES_MAX + 256
_FIELDS_MAX: Final = 4


class Kind(enum.IntEnum):
    """The number that opens a message."""

    KEEP = 0
    ASK = 1
    AGREED = 2
    STORED = 3
    COMPARE = 4
    CARD = 5
    PIECE = 6
    USED = 7
    REFUSED = 8


class Reason(enum.IntEnum):
    """Why one side goes no further."""

    WORDS = 1
    """Joiner: a person says that the words are not the same."""
    STOPPED = 2
    """Joiner: a person has given up."""
    UNPROVEN = 3
    """Joiner: the card is not one of the desk that the invitation names."""
    DESK = 4
    """Desk: an editor has refused, or closed the invitation."""
    ROLE = 5
    """Desk: the invitation is for somebody of another role."""
    CARD = 6
    """Desk: it cannot make this card; its editors are told why."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Still here."""


@dataclass(frozen=True, slots=True)
class Ask:
    """The joiner's first word: its request, and that it is the one who made it."""

    request: bytes
    proof: bytes = field(repr=False)

    @classmethod
    def signed(
        cls, request: bytes, secret: Ed25519Secret, *, session: bytes, digest: bytes
    ) -> "Ask":
        """Return what the holder of the request's key says on this session.

        Raises:
            Nothing.
        """
        return cls(request, secret.sign(Label.JOIN_1, session + digest))

    def verify(self, signer: Ed25519Public, *, session: bytes, digest: bytes) -> None:
        """Return if the request's key speaks on this session.

        Raises:
            Forged: it does not.
        """
        verify(signer, self.proof, Label.JOIN_1, session + digest)


@dataclass(frozen=True, slots=True)
class Agreed:
    """The joiner's person says that the words are the same."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The card for the request of this digest is on the joiner's disk."""

    digest: bytes
    proof: bytes = field(repr=False)

    @classmethod
    def signed(cls, secret: Ed25519Secret, *, session: bytes, digest: bytes) -> "Stored":
        """Return what the holder of the request's key says on this session.

        Raises:
            Nothing.
        """
        return cls(digest, secret.sign(Label.STORED_1, session + digest))

    def verify(self, signer: Ed25519Public, *, session: bytes) -> None:
        """Return if the request's key speaks on this session.

        Raises:
            Forged: it does not.
        """
        verify(signer, self.proof, Label.STORED_1, session + self.digest)


@dataclass(frozen=True, slots=True)
class Compare:
    """The desk has the request; people are to compare the words of the session."""


@dataclass(frozen=True, slots=True)
class Card:
    """A card file of `size` bytes follows in pieces; an editor gives it on this session."""

    size: int
    signer: Ed25519Public
    signature: bytes = field(repr=False)

    @classmethod
    def signed(cls, file: bytes, secret: Ed25519Secret, *, session: bytes) -> "Card":
        """Return what an editor says before it gives a card file.

        Raises:
            Nothing.
        """
        return cls(len(file), secret.public, secret.sign(Label.GIVEN_1, _given(session, file)))

    def verify(self, file: bytes, *, session: bytes) -> None:
        """Return if `signer` gave this file on this session; that it is an editor is not asked.

        Raises:
            Forged: it did not.
        """
        verify(self.signer, self.signature, Label.GIVEN_1, _given(session, file))


@dataclass(frozen=True, slots=True)
class Piece:
    """The next bytes of the card file."""

    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Used:
    """The desk has it on disk that the invitation is used up."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One side goes no further."""

    reason: Reason


JoinMessage: TypeAlias = Keep | Ask | Agreed | Stored | Compare | Card | Piece | Used | Refused

_BARE: Final[dict[Kind, JoinMessage]] = {
    Kind.KEEP: Keep(),
    Kind.AGREED: Agreed(),
    Kind.COMPARE: Compare(),
    Kind.USED: Used(),
}
_KIND: Final[dict[type[JoinMessage], Kind]] = {
    **{type(message): kind for kind, message in _BARE.items()},
    Ask: Kind.ASK,
    Stored: Kind.STORED,
    Card: Kind.CARD,
    Piece: Kind.PIECE,
    Refused: Kind.REFUSED,
}


def encode_join_message(message: JoinMessage) -> bytes:
    """Return the message as the body of a frame.

    Raises:
        Nothing.
    """
    fields: list[Value]
    match message:
        case Ask(request, proof):
            fields = [request, proof]
        case Stored(digest, proof):
            fields = [digest, proof]
        case Card(size, signer, signature):
            fields = [size, signer, signature]
        case Piece(content):
            fields = [content]
        case Refused(reason):
            fields = [int(reason)]
        case _:
            fields = []
    return encode([int(_KIND[type(message)]), *fields])


def decode_join_message(body: bytes) -> JoinMessage:
    """Return the message in the body of a frame, nothing in it verified.

    Raises:
        Malformed: it is none.
    """
    fields = as_list(decode(body, bytes_max=_MESSAGE_BYTES_MAX), at_most=_FIELDS_MAX)
    if not fields:
        raise Malformed("a message without a kind")
    kind, rest = Kind(as_int(fields[0], Kind.KEEP, Kind.REFUSED)), fields[1:]
    if (bare := _BARE.get(kind)) is not None:
        as_list(rest, size=0)
        return bare
    match kind:
        case Kind.ASK:
            request, proof = as_list(rest, size=2)
            return Ask(as_bytes(request, at_most=JOIN_REQUEST_BYTES_MAX), as_signature(proof))
        case Kind.STORED:
            digest, proof = as_list(rest, size=2)
            return Stored(as_bytes(digest, DIGEST_BYTES), as_signature(proof))
        case Kind.CARD:
            size, signer, signature = as_list(rest, size=3)
            whole = as_int(size, OVERHEAD_BYTES, CARD_FILE_BYTES_MAX)
            return Card(whole, as_sign_key(signer), as_signature(signature))
        case Kind.PIECE:
            (content,) = as_list(rest, size=1)
            return Piece(_content(content))
        case _:
            (reason,) = as_list(rest, size=1)
            return Refused(Reason(as_int(reason, Reason.WORDS, Reason.CARD)))


def _content(value: Value) -> bytes:
    content = as_bytes(value, at_most=CARD_PIECE_BYTES_MAX)
    if not content:
        raise Malformed("an empty piece of a card")
    return content


def _given(session: bytes, file: bytes) -> bytes:
    return session + b2(Label.GIVEN, file)
