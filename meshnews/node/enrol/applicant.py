"""The joiner's side of one enrolment link.

    ASKING ──compare──▶ COMPARING ──a person agrees──▶ AGREED ──card──▶ TAKING ──stored, used──▶ end
       └──card: a relay, or it agreed on a link before───────────────────▶ ┘
    TELLING (the card is on disk from a link before) ──used──▶ end
    ASKING, COMPARING, AGREED ──refused──▶ REFUSED, end

What it leads to is decided by `meshnews.node.enrol.joining`.
See docs/protocol/enrolment.md, "By invitation".
"""

import enum
from typing import Protocol

from meshnews.crypto.words import SafetyWord, safety_words
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
)
from meshnews.errors import Exceeded, OutOfTurn
from meshnews.node.enrol.enrolment_link import EnrolmentLink

MEETING_BYTES = 8


class Stage(enum.Enum):
    """How far the joiner has come on this link."""

    ASKING = "asking"
    COMPARING = "comparing"
    AGREED = "agreed"
    TAKING = "taking"
    TELLING = "telling"
    REFUSED = "refused"


class Home(Protocol):
    """Who joins, and decides what becomes of it."""

    @property
    def is_ready(self) -> bool:
        """A card may come: no words are compared, or a person has agreed to some."""
        ...

    @property
    def compares(self) -> bool:
        """People compare words before a card comes."""
        ...

    def opening(self, session: bytes) -> Ask | Stored:
        """Return what is said first."""
        ...

    def taken(self, card: Card, file: bytes, session: bytes) -> Stored | None:
        """Take in a card file; return what to say when it is on disk, None if it is refused."""
        ...

    def used(self) -> None:
        """The desk knows that the card is here."""
        ...

    def refused(self, reason: Reason) -> None:
        """The other side goes no further, or its card was none."""
        ...

    def moved(self) -> None:
        """Something has changed that a person may be watching."""
        ...

    def left(self, applicant: "Applicant") -> None:
        """The link is gone."""
        ...


class Applicant(EnrolmentLink):
    """What is spoken with the machine of a desk that invited."""

    def __init__(self, home: Home, session: bytes) -> None:
        super().__init__(session)
        self._home = home
        self._card: Card | None = None
        self._file = bytearray()
        self.stage = Stage.ASKING
        """How far it has come."""

    @property
    def meeting(self) -> bytes:
        """What tells this link from others, so that nobody agrees to the words of another."""
        return self.session[:MEETING_BYTES]

    @property
    def words(self) -> list[SafetyWord]:
        """What people compare."""
        return safety_words(self.session)

    def agree(self) -> None:
        """Say that the words are the same."""
        self.stage = Stage.AGREED
        self.say(Agreed())

    def decline(self, reason: Reason) -> None:
        """Say why it goes no further; nothing, when the desk knows of nothing."""
        if self.stage in {Stage.COMPARING, Stage.AGREED, Stage.TAKING}:
            self.say(Refused(reason))
        self.hang_up()

    def ended(self) -> None:
        """Let go of everything: the link is gone."""
        self.hang_up()
        self._home.left(self)

    def _begin(self) -> None:
        first = self._home.opening(self.session)
        if isinstance(first, Stored):
            self.stage = Stage.TELLING
        self.say(first)
        self._home.moved()

    def _take(self, message: JoinMessage) -> None:
        match self.stage, message:
            case Stage.ASKING, Compare() if self._home.compares:
                self.stage = Stage.COMPARING
                self._home.moved()
            case Stage.ASKING | Stage.AGREED, Card() if self._home.is_ready:
                self.stage, self._card = Stage.TAKING, message
                self._home.moved()
            case Stage.TAKING, Piece(content):
                self._add(content)
            case Stage.TELLING, Used():
                self.hang_up()
                self._home.used()
            case Stage.ASKING | Stage.COMPARING | Stage.AGREED, Refused(reason) if reason in {
                Reason.DESK,
                Reason.ROLE,
                Reason.CARD,
            }:
                self.stage = Stage.REFUSED
                self.hang_up()
                self._home.refused(reason)
            case _:
                raise OutOfTurn(f"{type(message).__name__} while {self.stage.value}")

    def _add(self, content: bytes) -> None:
        card = self._card
        assert card is not None, "pieces come after what announced them"
        if len(self._file) + len(content) > card.size:
            raise Exceeded("more of a card than was announced")
        self._file += content
        if len(self._file) < card.size:
            return
        stored = self._home.taken(card, bytes(self._file), self.session)
        self._file.clear()
        if stored is None:
            self.decline(Reason.UNPROVEN)
        else:
            self.stage = Stage.TELLING
            self.say(stored)
