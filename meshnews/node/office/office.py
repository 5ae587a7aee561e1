"""An editor's office: making a desk, and cards for those who join it.

What changes the manifest is prepared here and signed elsewhere, with the root
from its stick: `meshnews.node.office.signing`.  Everything that can be refused is
refused before anything is written.  See docs/protocol/enrolment.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from meshnews.crypto.keys import Ed25519Secret, SymmetricKey
from meshnews.crypto.slots import MEMORY_BYTES, PASSES
from meshnews.desk.cardfile import seal_card
from meshnews.desk.manifest import Editor, Issuer, Manifest, sign_manifest
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.request import EnrolmentRequest, RelayRequest, ReporterRequest, words_digest
from meshnews.desk.root import new_roots
from meshnews.desk.rootkey import write_root_key
from meshnews.errors import Refusal
from meshnews.ids import Day
from meshnews.node.home import Home
from meshnews.node.identity import with_beacon_key
from meshnews.node.office.admission import Admission
from meshnews.node.office.card_issue import CardIssue, checked_name
from meshnews.node.office.recalling import Holder, Recalling
from meshnews.node.office.rotation import Rotation
from meshnews.node.office.seat import (
    ALL_ROLES,
    CARD_DAYS,
    floor_time,
    other_role,
    own_keys,
    read_request,
    take_seat,
)
from meshnews.node.person import Person
from meshnews.node.records.stock import CARD_POSTAGE, PostageKind


@dataclass(frozen=True, slots=True)
class CardMade:
    """A card for somebody who asked, sealed to the request.

    Attributes:
        expiry_day: the last day on which its postage is good; None: a relay's has none.
    """

    card: bytes
    request: EnrolmentRequest
    expiry_day: Day | None


class Office:
    """What an editor does for the desk."""

    def __init__(self, home: Home, rotation: Rotation) -> None:
        self._home = home
        self._rotation = rotation

    def create_desk(
        self,
        name: str,
        root_passphrase: str,
        *,
        passes: int = PASSES,
        memory_bytes: int = MEMORY_BYTES,
    ) -> bytes:
        """Make a desk with this home as its first editor; return the file of its root key.

        Raises:
            Refusal: the home is no editor's or belongs to a desk, its clock is not
                believed, or a name or passphrase is refused.
        """
        home = self._home
        signer, issuer = own_keys(home)
        if home.identity.desk is not None:
            raise Refusal(
                "desk-exists",
                what="This home belongs to a desk already.",
                meaning="Nothing was changed.",
                remedy="Make another home with --home for another desk.",
            )
        desk_name, floor = checked_name(name), floor_time(home)
        root = Ed25519Secret(home.entropy.draw(32))
        file = write_root_key(
            root, root_passphrase, home.entropy, opslimit=passes, memlimit_bytes=memory_bytes
        )
        ends = Day(home.moment.today + CARD_DAYS)
        manifest = Manifest(
            roots=new_roots([root.public], 1),
            version=1,
            floor_time=floor,
            not_after=ends,
            editors=(Editor(signer.public, ALL_ROLES),),
            issuers=(Issuer(issuer.public, ends),),
        )
        self._found(manifest, desk_name)
        home.book.take(Notice(NoticeKind.MANIFEST, sign_manifest(manifest, [root])))
        home.raise_floor(manifest.floor_time)
        self._rotation.turn(now=True)
        return file

    def _found(self, manifest: Manifest, name: str) -> None:
        home = self._home
        person = Person(home.open_vault)
        person.set_desk_name(name)
        person.set_mesh_key(SymmetricKey(home.entropy.draw(32)), home.moment.today)
        person.set_member_notice_key(SymmetricKey(home.entropy.draw(32)))
        identity = replace(
            home.identity, desk=manifest.desk, notice_key=SymmetricKey(home.entropy.draw(32))
        )
        if identity.relay is not None:
            identity = with_beacon_key(identity, SymmetricKey(home.entropy.draw(32)))
        home.become(identity)

    def read_request(self, file: bytes) -> EnrolmentRequest:
        """Return what a request file asks.

        Raises:
            Refusal: it is no request, or was changed on its way.
        """
        return read_request(file)

    def card(
        self,
        file: bytes,
        *,
        name: str,
        near: tuple[str, ...] = (),
        postage: Mapping[PostageKind, int] = CARD_POSTAGE,
    ) -> CardMade:
        """Return the card that answers a reporter's or relay's request, under a name.

        `postage` is how much of each kind a reporter's card brings.

        Raises:
            Refusal: the request, a key in it or a name is refused, or this editor
                may not make such a card.
        """
        home, seat = self._home, take_seat(self._home)
        request, wished = read_request(file), checked_name(name)
        issue = CardIssue(home, self._rotation, seat, postage)
        ends: Day | None = None
        if isinstance(request, ReporterRequest):
            made, ends = issue.press_card(request, wished, near).encode(), seat.issuer_ends
        elif isinstance(request, RelayRequest):
            made = issue.relay_card(request, wished, near).encode()
        else:
            raise other_role("an editor")
        return CardMade(self._sealed(made, file, request), request, ends)

    def prepare_editor(self, file: bytes) -> tuple[bytes, Manifest]:
        """Return the manifest that adds an editor, for a root to sign.

        Raises:
            Refusal: the request is refused, the clock is not believed, or there
                are too many editors.
        """
        return Admission(self._home, self._rotation, take_seat(self._home)).prepare(file)

    def admit_editor(self, signed: bytes, file: bytes) -> bytes:
        """Take in a signed manifest, publish it, and return the new editor's card.

        Raises:
            Refusal: it is not signed, is older than what is known, or does not
                name the editor who asked.
        """
        admission = Admission(self._home, self._rotation, take_seat(self._home))
        card, request = admission.admit(signed, file)
        return self._sealed(card.encode(), file, request)

    def recall(self, signed: bytes) -> tuple[Holder, int]:
        """Let a signed recall count: publish it, and replace what its holder knew.

        A recall that was heard from elsewhere can be given too, where whoever published
        it does not get to replacing keys.

        Returns:
            Who was recalled, and how many relays have another beacon key from now on.

        Raises:
            Refusal: nobody who could has signed it, it is of nobody known or of this home, or
                the clock is not believed.
        """
        home, turning = self._home, self._rotation.turning
        recalling = Recalling(home)
        turning.require_ready(recalling.read(signed))
        holder = recalling.publish(signed)
        replaced = turning.begin(holder)
        self._rotation.turn(now=True)
        return holder, replaced

    def _sealed(self, card: bytes, file: bytes, request: EnrolmentRequest) -> bytes:
        return seal_card(card, request.card_key, self._home.entropy, request=words_digest(file))
