"""Joining a desk by invitation: what this home wants, and how far that has come.

    SEEKING ──a person agrees──▶ AGREED ──the card is on disk──▶ TAKEN ──the desk knows──▶ joined
       └─────── given up, a day ────────────────┴──────▶ nothing is left of it

Each arrow is one transaction, so a restart goes on where the last one left
off: the request stays the same until its card has come, and the card is taken
in wholly or not at all.  A card is believed when an editor of the invited desk,
and no other, signed that it gives this card on this very link.  Whatever else is
said there anybody may say who has the code, so it ends the link and no more; and
links stand side by side, so that who comes later takes nobody's place.
See docs/protocol/enrolment.md, "By invitation".
"""

import enum
from dataclasses import dataclass, field, replace
from typing import Final

from meshnews.crypto.digest import same
from meshnews.crypto.keys import Ed25519Secret
from meshnews.crypto.words import SafetyWord
from meshnews.desk.certificate import read_certificate
from meshnews.desk.invitation import Invitation, Mistyped, read_code
from meshnews.desk.joining import Ask, Card, Reason, Stored
from meshnews.desk.limits import ENROLMENT_LINKS_MAX
from meshnews.desk.manifest import Manifest
from meshnews.desk.manifest import Role as EditorRole
from meshnews.desk.request import words_digest
from meshnews.errors import Forged, Refusal
from meshnews.ids import DeskId
from meshnews.link.rendezvous import Rendezvous
from meshnews.link.session import LinkSession
from meshnews.node.enrol import invitation_refusal as refusal
from meshnews.node.enrol.applicant import Applicant, Stage
from meshnews.node.enrol.enrolment import Enrolled, Enrolment
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.identity import Role
from meshnews.node.own_values import OwnValues
from meshnews.node.person import Person
from meshnews.wire.codec import as_bytes, as_int, as_list, decode, encode

SOUGHT_S: Final = 24 * 3600
"""A desk that does not answer is sought no longer than this."""

TOLD_S: Final = 3600
"""And, once its card is here, told so no longer than this."""

_RECORD: Final = b"joining"
_MARK: Final = b"joined"
_RECORD_BYTES_MAX: Final = 256
_SECONDS_MAX: Final = 1 << 40


class Step(enum.IntEnum):
    """How far joining has come, as it is kept."""

    SEEKING = 1
    AGREED = 2
    TAKEN = 3


class Progress(enum.StrEnum):
    """How far it has come, as a person sees it."""

    IDLE = "idle"
    """This home is not joining any desk."""
    SEEKING = "seeking"
    REACHED = "reached"
    """A machine that has the invitation was reached; it has not answered yet."""
    COMPARING = "comparing"
    AGREED = "agreed"
    """This side has agreed; the desk has not, or has not given the card yet."""
    TAKING = "taking"
    JOINED = "joined"
    REFUSED = "refused"


_SHOWN: Final = {
    Stage.COMPARING: Progress.COMPARING,
    Stage.AGREED: Progress.AGREED,
    Stage.TAKING: Progress.TAKING,
}


@dataclass(frozen=True, slots=True)
class Joined:
    """How far joining has come.

    Attributes:
        meeting: names the link whose words these are.
        words: eight while they are to be compared.
        silences: how often a machine that has the invitation was reached and ended
            the link without a word.
        reason: why it was refused; while it goes on, what a machine that has the
            invitation last said against it, or did.
        enrolled: what the card made of this home, once it has joined.
    """

    progress: Progress
    meeting: bytes = b""
    words: tuple[SafetyWord, ...] = ()
    silences: int = 0
    reason: Reason | None = None
    enrolled: Enrolled | None = None


@dataclass(frozen=True, slots=True)
class _Record:
    secret: bytes = field(repr=False)
    desk: DeskId
    step: Step
    ends_s: int
    digest: bytes = b""

    @property
    def invitation(self) -> Invitation:
        return Invitation(self.secret, self.desk)

    def encode(self) -> bytes:
        return encode([self.secret, self.desk, int(self.step), self.ends_s, self.digest])


class Joining:
    """What this home does with an invitation it was given."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._values = OwnValues(home)
        self._links: list[Applicant] = []
        self._reason: Reason | None = None
        self._said: Reason | None = None
        self._silences = 0
        self.version = int.from_bytes(home.entropy.draw(4), "big")
        """Another after every change that a person may be watching."""

    def begin(self, code: str) -> None:
        """Join by the invitation in `code`, or go on with it.

        Raises:
            Refusal: it is mistyped, of another desk than this home's, or this home
                is an editor's.
        """
        home = self._home
        try:
            invitation = read_code(code)
        except Mistyped as why:
            raise refusal.mistyped(why) from why
        if home.identity.role is Role.EDITOR:
            raise refusal.editors_join_by_file()
        if home.identity.desk not in {None, invitation.desk}:
            raise refusal.other_desk()
        record = self._record()
        if record is not None and record.invitation == invitation:
            return
        if record is None and self._has_joined_by(invitation):
            return
        self._let_go(Reason.STOPPED)
        self._reason, self._said, self._silences = None, None, 0
        ends_s = int(home.moment.lived_s) + SOUGHT_S
        self._keep(_Record(invitation.secret, invitation.desk, Step.SEEKING, ends_s))
        home.joining = _rendezvous(invitation)
        self.moved()

    def agree(self, meeting: bytes, *, is_same: bool) -> None:
        """Take a person's word that the words of the link called `meeting` are the same, or not.

        Raises:
            Refusal: that link is gone.
        """
        record, link = self._record(), self._shown
        if record is None:
            raise refusal.not_joining()
        if link is None or link.stage is not Stage.COMPARING or link.meeting != meeting:
            raise refusal.words_changed()
        if is_same:
            self._keep(replace(record, step=Step.AGREED))
            link.agree()
            self.moved()
        else:
            self._give_up(Reason.WORDS)

    def stop(self) -> None:
        """Give up joining; a card that is on disk stays."""
        if self._record() is not None:
            self._give_up(Reason.STOPPED)
        self._reason = None

    def progress(self) -> Joined:
        """Return how far it has come."""
        record, link = self._record(), self._shown
        if self._reason is not None:
            return Joined(Progress.REFUSED, reason=self._reason)
        if record is None and not (self._values.is_open and self._values.get(_MARK)):
            return Joined(Progress.IDLE)
        if record is None or record.step is Step.TAKEN:
            return Joined(Progress.JOINED, enrolled=self._enrolled())
        if link is None:
            return Joined(Progress.SEEKING, silences=self._silences, reason=self._said)
        words = tuple(link.words) if link.stage in {Stage.COMPARING, Stage.AGREED} else ()
        return Joined(
            _SHOWN.get(link.stage, Progress.REACHED),
            meeting=link.meeting,
            words=words,
            silences=self._silences,
            reason=self._said,
        )

    @property
    def _shown(self) -> Applicant | None:
        """The link that a person sees: of those where people are asked, the one that came first."""
        here = [link for link in self._links if not link.is_over]
        return next((link for link in here if link.stage in _SHOWN), here[-1] if here else None)

    def start(self) -> None:
        """Go on where the last start left off."""
        self.sweep()
        record = self._record()
        if record is not None and record.step is Step.TAKEN and not self._has_card(record):
            # The vault was on disk before the power went out, carry was not: the
            # desk has not been told that the card is here, and gives it again.
            ends_s = int(self._home.moment.lived_s) + SOUGHT_S
            self._keep(replace(record, step=Step.AGREED, ends_s=ends_s))
            self._values.delete(_MARK)
        if record is not None:
            self._home.joining = _rendezvous(record.invitation)

    def _has_card(self, record: _Record) -> bool:
        return self._home.identity.desk == record.desk

    def sweep(self) -> None:
        """Give up what has lasted too long."""
        record = self._record()
        if record is not None and record.ends_s <= self._home.moment.lived_s:
            self._let_go(Reason.STOPPED)
            self.moved()

    def call(self, session: LinkSession) -> Applicant | None:
        """Return who speaks on a link that answered the invitation; None: nobody.

        The links of before go on: whoever has the code can make another at any time.
        """
        if self._home.joining is None or session.peer.rendezvous != self._home.joining:
            return None
        if len(self._links) >= ENROLMENT_LINKS_MAX:
            return None
        link = Applicant(self, session.session_id)
        self._links.append(link)
        return link

    @property
    def compares(self) -> bool:
        """People compare words before a card comes: not where there is nobody."""
        return self._home.identity.role is not Role.RELAY

    @property
    def is_ready(self) -> bool:
        """A card may come."""
        record = self._record()
        agreed = record is not None and record.step is Step.AGREED
        return agreed or not self.compares

    def opening(self, session: bytes) -> Ask | Stored:
        """Return what is said first on a link."""
        record = self._record()
        assert record is not None, "a link with no invitation"
        if record.step is Step.TAKEN:
            return Stored.signed(self._signer, session=session, digest=record.digest)
        request = Enrolment(self._home).request()
        digest = words_digest(request)
        return Ask.signed(request, self._signer, session=session, digest=digest)

    def taken(self, card: Card, file: bytes, session: bytes) -> Stored | None:
        """Take in a card file; return what to say when it is on disk, None if it is refused."""
        record = self._record()
        assert record is not None, "a card with no invitation"
        enrolment = Enrolment(self._home)
        digest = words_digest(enrolment.request())

        def proven(manifest: Manifest) -> None:
            needed = EditorRole.ENROL if self.compares else EditorRole.PUBLISH
            if needed not in manifest.roles_of(card.signer):
                raise Forged("a card given by who is no editor of the desk")
            card.verify(file, session=session)

        try:
            enrolment.take_card(file, desk=record.desk, proven=proven)
        except Refusal:
            self.refused(Reason.UNPROVEN)
            return None
        for link in self._links:
            if link.session != session:
                link.hang_up()
        ends_s = int(self._home.moment.lived_s) + TOLD_S
        self._keep(replace(record, step=Step.TAKEN, ends_s=ends_s, digest=digest))
        self._values.put(_MARK, record.invitation.mark)
        self.moved()
        return Stored.signed(self._signer, session=session, digest=digest)

    def used(self) -> None:
        """The desk knows that the card is here: there is nothing left to do."""
        self._forget()
        self.moved()

    def refused(self, reason: Reason) -> None:
        """A machine that has the invitation goes no further; the desk's own may be another."""
        self._said = reason
        self.moved()

    def moved(self) -> None:
        """Let watchers know."""
        self.version += 1
        self._home.tell(Topic.DESK)

    def left(self, applicant: Applicant) -> None:
        """A link is gone."""
        if applicant not in self._links:
            return
        self._links.remove(applicant)
        if applicant.stage is Stage.ASKING and self._record() is not None:
            self._silences += 1
        self.moved()

    def _give_up(self, reason: Reason) -> None:
        self._let_go(reason)
        self._reason = reason if reason is Reason.WORDS else None
        self.moved()

    def _let_go(self, reason: Reason) -> None:
        """Forget the invitation; the desk is told why, if it knows of us."""
        for link in self._links:
            link.decline(reason)
        self._forget()

    def _forget(self) -> None:
        if self._values.is_open:
            self._values.delete(_RECORD)
        self._home.joining = None

    def _record(self) -> _Record | None:
        raw = self._values.get(_RECORD) if self._values.is_open else None
        if raw is None:
            return None
        secret, desk, step, ends_s, digest = as_list(
            decode(raw, bytes_max=_RECORD_BYTES_MAX), size=5
        )
        return _Record(
            as_bytes(secret, 16),
            DeskId(as_bytes(desk, 16)),
            Step(as_int(step, Step.SEEKING, Step.TAKEN)),
            as_int(ends_s, 0, _SECONDS_MAX),
            as_bytes(digest, at_most=32),
        )

    def _keep(self, record: _Record) -> None:
        self._values.put(_RECORD, record.encode())

    def _has_joined_by(self, invitation: Invitation) -> bool:
        return same(self._values.get(_MARK) or b"", invitation.mark)

    @property
    def _signer(self) -> Ed25519Secret:
        own = self._home.identity.relay
        if self._home.identity.role is Role.RELAY:
            assert own is not None, "a relay without keys"
            return own.sign
        signer = Person(self._home.open_vault).sign_key()
        assert signer is not None, "a person without a key that signs"
        return signer

    def _enrolled(self) -> Enrolled | None:
        """Return what the home's card made of it, from what it left."""
        home = self._home
        if home.identity.desk is None:
            return None
        person = None if home.vault is None else Person(home.vault)
        certificate = None if person is None else person.certificate()
        if person is None or certificate is None:
            return Enrolled(home.identity.desk, "", "", None)
        card = read_certificate(certificate)
        return Enrolled(home.identity.desk, person.desk_name() or "", card.name, card.expiry_day)


def _rendezvous(invitation: Invitation) -> Rendezvous:
    return Rendezvous.by_invitation(invitation.secret, invitation.desk)
