"""The invitations of a desk, on the machine that gave them out: who calls, and who gets a card.

    OPEN ──a joiner, confirmed──▶ GIVEN ──its card is on its disk──▶ USED
      └──── a day, or an editor ────┴──────────────────────────────▶ EXPIRED, CLOSED

A reporter is confirmed when the people on both sides have said, on one link,
that its eight words are the same; a relay by being the first to ask.  From
then on nobody but the joiner who made that request is answered, and it gets
the same card.  What has ended answers nothing.  Everything but who is on a link
at this moment is in the vault, written in the transaction whose effects tell
of it.  See docs/protocol/enrolment.md, "By invitation".
"""

from dataclasses import replace
from typing import Final

from meshnews.crypto.digest import Label, b2, same
from meshnews.crypto.keys import Ed25519Public
from meshnews.desk.invitation import Invitation
from meshnews.desk.joining import Ask, Reason, Stored
from meshnews.desk.limits import CALLERS_REMEMBERED_MAX, ENROLMENT_LINKS_MAX, INVITATIONS_MAX
from meshnews.desk.request import Joiner, role_of, verify_request, words_digest
from meshnews.errors import Forged, OutOfTurn, Refusal
from meshnews.link.rendezvous import Rendezvous
from meshnews.link.session import LinkSession
from meshnews.node.enrol import invitation_refusal as refusal
from meshnews.node.enrol.invitation_shelf import (
    CALLER_BYTES,
    InvitationRecord,
    InvitationShelf,
    InvitationState,
)
from meshnews.node.enrol.reception import Reception
from meshnews.node.enrol.visitor import Visitor
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.office.card_issue import CardIssue, checked_name
from meshnews.node.office.office import Office
from meshnews.node.office.rotation import Rotation
from meshnews.node.office.seat import take_seat
from meshnews.node.person import Person
from meshnews.node.settings import Visibility

ENDED_KEPT_S: Final = 7 * 86400
"""How long it is still told what became of an invitation."""


class Invitations:
    """Gives invitations out, receives those who come with them, and gives them their cards."""

    def __init__(self, home: Home, rotation: Rotation) -> None:
        self._home = home
        self._rotation = rotation
        self._links: list[Reception] = []
        self._visitors: dict[int, Visitor] = {}
        self._troubles: dict[int, Refusal] = {}
        self._differed: set[int] = set()
        self._turned_away: set[tuple[int, Ed25519Public]] = set()
        self.version = int.from_bytes(home.entropy.draw(4), "big")
        """Another after every change that a person may be watching."""

    def all(self) -> list[InvitationRecord]:
        """Return the invitations, the oldest first; of those that ended, the last week's."""
        return [] if self._home.vault is None else list(self._shelf.all())

    def visitors(self) -> list[Visitor]:
        """Return who waits for being confirmed, in the order of coming."""
        return [self._visitors[number] for number in sorted(self._visitors)]

    def trouble(self, number: int) -> Refusal | None:
        """Return why the card of an invitation could not be made, if it was tried."""
        return self._troubles.get(number)

    def differed(self, number: int) -> bool:
        """Tell whether a joiner said that the words were not the same."""
        return number in self._differed

    @property
    def _shelf(self) -> InvitationShelf:
        return InvitationShelf(self._home.open_vault)

    def start(self) -> None:
        """Go on where the last start left off."""
        for record in self.all():
            if record.is_live:
                self._home.invitations[_name(record.number)] = self._rendezvous(record)
        self.sweep()

    def sweep(self) -> None:
        """End what has expired, and forget what ended long ago."""
        now_s = self._home.moment.lived_s
        for record in self.all():
            if record.is_live and record.ends_s <= now_s:
                self._end(record, InvitationState.EXPIRED)
            elif not record.is_live and record.ends_s + ENDED_KEPT_S <= now_s:
                self._shelf.forget(record.number)

    def invite(
        self, name: str, *, role: Joiner, near: tuple[str, ...] = (), hours: int
    ) -> tuple[InvitationRecord, Invitation]:
        """Return a new invitation for a reporter or a relay, open from now on.

        Raises:
            Refusal: this editor may make no such card, the name is refused or taken,
                no relay is called as in `near`, or too many invitations are open.
        """
        seat, wished = take_seat(self._home), checked_name(name)
        issue = CardIssue(self._home, self._rotation, seat)
        issue.check(wished, near, is_relay=role is Joiner.RELAY)
        if self._home.settings.visibility is Visibility.SILENT:
            raise refusal.home_silent()
        live = [record for record in self.all() if record.is_live]
        if any(record.name.casefold() == wished.casefold() for record in live):
            raise refusal.name_invited()
        if len(live) >= INVITATIONS_MAX:
            raise refusal.too_many()
        invitation = Invitation.draw(seat.manifest.desk, self._home.entropy)
        record = InvitationRecord(
            number=self._shelf.next_number(),
            secret=invitation.secret,
            role=role,
            name=wished,
            near=near,
            ends_s=int(self._home.moment.lived_s) + hours * 3600,
        )
        self._shelf.put(record)
        self._home.invitations[_name(record.number)] = self._rendezvous(record)
        self._tell()
        return record, invitation

    def close(self, number: int) -> None:
        """End an invitation: it is answered no more.

        Raises:
            Refusal: there is no open one of this number.
        """
        record = self._shelf.get(number)
        if record is None or not record.is_live:
            raise refusal.no_such_invitation(number)
        for visitor in self.visitors():
            if visitor.link.invitation == number:
                visitor.link.refuse(Reason.DESK)
        self._end(record, InvitationState.CLOSED)

    def _end(self, record: InvitationRecord, state: InvitationState) -> None:
        ended = replace(record, secret=b"", state=state, ends_s=int(self._home.moment.lived_s))
        self._shelf.put(ended)
        self._shelf.forget_card(record.number)
        self._home.invitations.pop(_name(record.number), None)
        self._send_away(record.number)
        self._tell()

    def _rendezvous(self, record: InvitationRecord) -> Rendezvous:
        desk = self._home.identity.desk
        assert desk is not None, "an invitation of no desk"
        return Rendezvous.by_invitation(record.secret, desk)

    def confirm(self, number: int) -> None:
        """Take an editor's word that a joiner's words are the same.

        Its card is made now, or when its own person has said so too.

        Raises:
            Refusal: nobody of this number waits, the time of its invitation is over,
                or its card cannot be made.
        """
        visitor = self._waiting(number)
        self._open(visitor.link.invitation)
        if visitor.joiner_agrees:
            self._admit(visitor)
        visitor.desk_agrees = True
        self._tell()

    def refuse(self, number: int) -> None:
        """Turn a joiner away, until the node is started again; its invitation stays open.

        Raises:
            Refusal: nobody of this number waits.
        """
        visitor = self._waiting(number)
        self._turned_away.add((visitor.link.invitation, visitor.key))
        visitor.link.refuse(Reason.DESK)
        self._forget_visitor(visitor.link)
        self._tell()

    def _waiting(self, number: int) -> Visitor:
        visitor = self._visitors.get(number)
        if visitor is None:
            raise refusal.no_such_joiner(number)
        return visitor

    def _open(self, number: int) -> InvitationRecord:
        record = self._shelf.get(number)
        if record is None or not record.is_open(self._home.moment.lived_s):
            raise refusal.no_such_invitation(number)
        return record

    def answer(self, session: LinkSession) -> Reception | None:
        """Return who speaks with a caller; None: nobody, it is to be left in silence."""
        self.sweep()
        found = [
            name
            for name, rendezvous in self._home.invitations.items()
            if rendezvous == session.peer.rendezvous
        ]
        if not found:
            return None
        number = int.from_bytes(found[0], "big")
        here = [link for link in self._links if link.invitation == number]
        if len(here) >= ENROLMENT_LINKS_MAX:
            return None
        link = Reception(self, number, session.session_id)
        self._links.append(link)
        return link

    def asked(self, caller: Reception, ask: Ask) -> None:
        """Compare, give, or refuse.

        Raises:
            PeerError: the request is none, another made it, or somebody else was
                confirmed.
        """
        request, digest = verify_request(ask.request), words_digest(ask.request)
        ask.verify(request.signer, session=caller.session, digest=digest)
        record = self._shelf.get(caller.invitation)
        if record is None or not record.is_open(self._home.moment.lived_s):
            raise OutOfTurn("an invitation that has ended")
        record = self._note_caller(record, request.signer)
        if record.state is InvitationState.GIVEN:
            if not same(digest, record.digest):
                raise OutOfTurn("an invitation that was answered for somebody else")
            self._give(caller, self._shelf.card(record.number))
        elif role_of(request) is not record.role:
            caller.refuse(Reason.ROLE)
        elif (record.number, request.signer) in self._turned_away:
            caller.refuse(Reason.DESK)
        else:
            self._receive(record, Visitor(0, caller, ask.request, request))

    def _receive(self, record: InvitationRecord, visitor: Visitor) -> None:
        for other in self.visitors():
            if other.key == visitor.key and other.link.invitation == record.number:
                # It has called again; the words of before are nobody's any more.
                other.link.hang_up()
                self._forget_visitor(other.link)
        if record.role is Joiner.RELAY:
            self._admit_or_refuse(visitor)
            return
        visitor.number = self._shelf.next_number()
        self._visitors[visitor.number] = visitor
        visitor.link.compare()
        self._tell()

    def _note_caller(self, record: InvitationRecord, key: Ed25519Public) -> InvitationRecord:
        caller = b2(Label.INVITED, key, size=CALLER_BYTES)
        if caller in record.callers or len(record.callers) >= CALLERS_REMEMBERED_MAX:
            return record
        noted = replace(record, callers=(*record.callers, caller))
        self._shelf.put(noted)
        self._tell()
        return noted

    def agreed(self, caller: Reception) -> None:
        """The joiner's person says that the words are the same.

        Raises:
            Nothing.
        """
        for visitor in self.visitors():
            if visitor.link is caller:
                visitor.joiner_agrees = True
                if visitor.desk_agrees:
                    self._admit_or_refuse(visitor)
                self._tell()

    def stored(self, caller: Reception, stored: Stored) -> None:
        """The joiner has its card on disk: the invitation is used up.

        Raises:
            PeerError: it is not the one whose card was made.
        """
        record = self._shelf.get(caller.invitation)
        if record is None or record.key is None or not record.is_live:
            raise OutOfTurn("a card on disk that nobody has given")
        if not same(stored.digest, record.digest):
            raise Forged("a card on disk that was made for somebody else")
        stored.verify(record.key, session=caller.session)
        caller.thank()
        self._end(record, InvitationState.USED)

    def declined(self, caller: Reception, reason: Reason) -> None:
        """The joiner goes no further.

        Raises:
            Nothing.
        """
        if reason is Reason.WORDS:
            self._differed.add(caller.invitation)
        self._forget_visitor(caller)
        self._tell()

    def left(self, caller: Reception) -> None:
        """The link is gone.

        Raises:
            Nothing.
        """
        if caller in self._links:
            self._links.remove(caller)
        if self._forget_visitor(caller):
            self._tell()

    def _admit(self, visitor: Visitor) -> None:
        """Make the card of a joiner who is confirmed, and give it.

        Raises:
            Refusal: it cannot be made; nothing was changed.
        """
        record = self._open(visitor.link.invitation)
        office = Office(self._home, self._rotation)
        card = office.card(visitor.request, name=record.name, near=record.near).card
        given = replace(
            record,
            state=InvitationState.GIVEN,
            digest=words_digest(visitor.request),
            key=visitor.key,
        )
        self._shelf.put(given)
        self._shelf.put_card(record.number, card)
        self._troubles.pop(record.number, None)
        self._forget_visitor(visitor.link)
        self._send_away(record.number, besides=visitor.link)
        self._give(visitor.link, card)
        self._tell()

    def _admit_or_refuse(self, visitor: Visitor) -> None:
        try:
            self._admit(visitor)
        except Refusal as why:
            self._troubles[visitor.link.invitation] = why
            visitor.link.refuse(Reason.CARD)
            self._forget_visitor(visitor.link)
            self._tell()

    def _give(self, caller: Reception, card: bytes) -> None:
        editor = Person(self._home.open_vault).sign_key()
        assert editor is not None, "an editor without a key that signs"
        caller.give(card, editor)

    def _send_away(self, number: int, *, besides: Reception | None = None) -> None:
        """End all links under an invitation; what was said to them is still sent."""
        for link in self._links:
            if link.invitation == number and link is not besides:
                link.hang_up()
                self._forget_visitor(link)

    def _forget_visitor(self, link: Reception) -> bool:
        found = [number for number, one in self._visitors.items() if one.link is link]
        for number in found:
            del self._visitors[number]
        return bool(found)

    def _tell(self) -> None:
        self.version += 1
        self._home.tell(Topic.DESK)


def _name(number: int) -> bytes:
    return number.to_bytes(4, "big")
