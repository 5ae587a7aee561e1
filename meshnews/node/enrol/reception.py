"""The desk's side of one enrolment link.

    LISTENING ──ask, a reporter──▶ COMPARING ──both agree──▶ GIVING ──stored──▶ over
        ├──ask, a relay; ask of the joiner whose card is made──▶ ┘
        └──stored, from the joiner whose card was given─────────────────────────▶ over

What an ask leads to is decided by `meshnews.node.enrol.invitations`.
See docs/protocol/enrolment.md, "By invitation".
"""

import enum
from typing import Protocol

from meshnews.crypto.keys import Ed25519Secret
from meshnews.desk.joining import (
    Agreed,
    Ask,
    Card,
    Compare,
    JoinMessage,
    Piece,
    Reason,
    Refused,
    Stored,
    Used,
    encode_join_message,
)
from meshnews.desk.limits import CARD_PIECE_BYTES_MAX, ENROLMENT_FIRST_S_MAX
from meshnews.errors import OutOfTurn
from meshnews.node.enrol.enrolment_link import EnrolmentLink
from meshnews.store.age import Moment


class State(enum.Enum):
    """How far a caller has come."""

    LISTENING = "listening"
    COMPARING = "comparing"
    GIVING = "giving"


class Desk(Protocol):
    """Who decides what becomes of callers."""

    def asked(self, caller: "Reception", ask: Ask) -> None:
        """Compare, give, refuse, or raise PeerError for silence."""
        ...

    def agreed(self, caller: "Reception") -> None:
        """The joiner's person says that the words are the same."""
        ...

    def stored(self, caller: "Reception", stored: Stored) -> None:
        """The joiner says that the card is on its disk; raises PeerError if it is not the one."""
        ...

    def declined(self, caller: "Reception", reason: Reason) -> None:
        """The joiner goes no further."""
        ...

    def left(self, caller: "Reception") -> None:
        """The link is gone."""
        ...


class Reception(EnrolmentLink):
    """What is spoken with one caller who has an invitation; `invitation` is its number."""

    def __init__(self, desk: Desk, invitation: int, session: bytes) -> None:
        super().__init__(session)
        self.invitation = invitation
        self._desk = desk
        self._state = State.LISTENING
        self._card = memoryview(b"")

    @property
    def has_spoken(self) -> bool:
        """It has said what it wants."""
        return self._state is not State.LISTENING

    def compare(self) -> None:
        """Let people compare the words of this session."""
        self._state = State.COMPARING
        self.say(Compare())

    def give(self, file: bytes, editor: Ed25519Secret) -> None:
        """Give a card file, as this editor."""
        self._state = State.GIVING
        self.say(Card.signed(file, editor, session=self.session))
        self._card = memoryview(file)

    def refuse(self, reason: Reason) -> None:
        """Say why it goes no further."""
        self.say(Refused(reason))
        self.hang_up()

    def thank(self) -> None:
        """Say that the invitation is used up."""
        self.say(Used())
        self.hang_up()

    def hang_up(self) -> None:
        """End the link once what is queued is out; of a card no more is said."""
        super().hang_up()
        self._card = memoryview(b"")

    @property
    def queued(self) -> bool:
        """There is something to send."""
        return super().queued or bool(self._card)

    def _next(self) -> bytes | None:
        body = super()._next()
        if body is None and self._card:
            piece, self._card = self._card[:CARD_PIECE_BYTES_MAX], self._card[CARD_PIECE_BYTES_MAX:]
            body = encode_join_message(Piece(bytes(piece)))
        return body

    @property
    def deadline_s(self) -> float | None:
        """When to call `tick`: sooner while the caller has not said what it wants."""
        due_s = super().deadline_s
        if self.has_spoken or self.is_over or due_s is None:
            return due_s
        return min(due_s, self._since_s + ENROLMENT_FIRST_S_MAX)

    def tick(self, moment: Moment) -> tuple[()]:
        """Do what time demands.

        Raises:
            OutOfTurn: the caller has not said what it wants, or is not there any more.
        """
        late = moment.lived_s >= self._since_s + ENROLMENT_FIRST_S_MAX
        if late and not self.has_spoken and not self.is_over:
            raise OutOfTurn("a caller with an invitation who says nothing")
        super().tick(moment)
        return ()

    def ended(self) -> None:
        """Let go of everything: the link is gone."""
        self.hang_up()
        self._desk.left(self)

    def _begin(self) -> None:
        """Say nothing: the joiner speaks first."""

    def _take(self, message: JoinMessage) -> None:
        match self._state, message:
            case State.LISTENING, Ask():
                self._desk.asked(self, message)
            case State.COMPARING, Agreed():
                self._desk.agreed(self)
            case State.LISTENING | State.GIVING, Stored():
                self._desk.stored(self, message)
            case (
                State.COMPARING | State.GIVING,
                Refused(Reason.WORDS | Reason.STOPPED | Reason.UNPROVEN as reason),
            ):
                self._desk.declined(self, reason)
                self.hang_up()
            case _:
                raise OutOfTurn(f"{type(message).__name__} while {self._state.value}")
