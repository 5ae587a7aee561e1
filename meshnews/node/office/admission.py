"""A further editor: the manifest that adds one is prepared, signed elsewhere, and taken in.

    request -> prepare -> unsigned manifest -> sign_offline -> admit -> editor's card

See docs/protocol/enrolment.md, "Second editor".
"""

from dataclasses import replace

from meshnews.crypto.keys import Ed25519Public
from meshnews.desk.card import EditorCard
from meshnews.desk.certificate import Member
from meshnews.desk.limits import EDITORS_MAX, ISSUERS_MAX
from meshnews.desk.manifest import (
    Editor,
    Issuer,
    Manifest,
    Role,
    unsigned_manifest,
    verify_manifest,
)
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.request import EditorRequest
from meshnews.errors import PeerError, Refusal
from meshnews.ids import Day
from meshnews.node.home import Home
from meshnews.node.office.rotation import Rotation
from meshnews.node.office.seat import (
    ALL_ROLES,
    CARD_DAYS,
    Seat,
    floor_time,
    other_role,
    read_request,
    require_not_recalled,
)
from meshnews.node.office.whole_desk import own_record
from meshnews.node.person import Person
from meshnews.node.records.roster import Roster


class Admission:
    """Lets further editors in, as one of a desk's editors."""

    def __init__(self, home: Home, rotation: Rotation, seat: Seat) -> None:
        self._home = home
        self._rotation = rotation
        self._seat = seat

    def prepare(self, file: bytes) -> tuple[bytes, Manifest]:
        """Return the manifest that adds an editor, for a root to sign; nothing is changed.

        Editors who were recalled leave it, and so do issuers whose time is over.

        Raises:
            Refusal: the request is refused, the clock is not believed, or there
                are too many editors.
        """
        request, known = self._asked(file), self._seat.manifest
        floor = floor_time(self._home)
        today = self._home.moment.today
        ends = Day(today + CARD_DAYS)
        editors = {one.sign: one for one in known.editors if not known.is_recalled(one.sign)}
        editors[request.sign] = Editor(request.sign, ALL_ROLES)
        issuers = {one.key: one for one in known.issuers if one.expiry_day >= today}
        issuers[request.issuer] = Issuer(request.issuer, ends)
        if len(editors) > EDITORS_MAX or len(issuers) > ISSUERS_MAX:
            raise Refusal(
                "too-many-editors",
                what=f"A desk has at most {EDITORS_MAX} editors.",
                meaning="Nothing was prepared.",
                remedy="Recall an editor who has left first.",
            )
        prepared = replace(
            known,
            version=known.version + 1,
            floor_time=max(known.floor_time, floor),
            not_after=Day(max(known.not_after, ends)),
            editors=tuple(editors[key] for key in sorted(editors)),
            issuers=tuple(issuers[key] for key in sorted(issuers)),
        )
        return unsigned_manifest(prepared), prepared

    def admit(self, signed: bytes, file: bytes) -> tuple[EditorCard, EditorRequest]:
        """Take in a signed manifest, let all know of it, and return the new editor's card.

        Raises:
            Refusal: it is not signed, is older than what is known, or does not
                name the editor who asked.
        """
        home, request = self._home, self._asked(file)
        if self._is_news(signed, request):
            home.book.take(Notice(NoticeKind.MANIFEST, signed))
            assert home.book.manifest is not None, "it was taken"
            home.raise_floor(home.book.manifest.floor_time)
            self._rotation.announce_manifest()
            self._rotation.turn(now=True)
        self._rotation.introduce(file)
        person, roster = Person(home.open_vault), Roster(home.open_vault)
        mesh, notice_key = person.mesh_key(), person.member_notice_key()
        assert mesh is not None, "a desk without a mesh key"
        assert notice_key is not None, "a desk without a member notice key"
        assert home.identity.notice_key is not None, "a desk without a notice key"
        manifest, bulletins = home.book.signed()
        own = own_record(home)
        card = EditorCard(
            manifest=manifest,
            bulletins=bulletins,
            desk_notice_key=home.identity.notice_key,
            desk_name=person.desk_name() or "",
            mesh_key=mesh[0],
            mesh_day=mesh[1],
            member_notice_key=notice_key,
            relays=(*([] if own is None else [own]), *roster.relays()),
            members=self._members(request.sign),
        )
        return card, request

    def _members(self, editor: Ed25519Public) -> tuple[Member, ...]:
        """Return the reporters, and of this editor's reply keys the share of a further one."""
        manifest = self._home.book.manifest
        assert manifest is not None, "it was taken"
        openers = manifest.holders_of(Role.OPEN)
        return Roster(self._home.open_vault).members_for(editor, openers=openers)

    def _asked(self, file: bytes) -> EditorRequest:
        request = read_request(file)
        if not isinstance(request, EditorRequest):
            raise other_role("a reporter or a relay")
        require_not_recalled(self._home, request.sign)
        if Roster(self._home.open_vault).member(request.sign) is not None:
            raise Refusal(
                "key-known",
                what="The key in this request is a reporter's of this desk.",
                meaning="Nothing was prepared.",
                remedy="Let a new home be made with `meshnews init --role editor`.",
            )
        return request

    def _is_news(self, signed: bytes, request: EditorRequest) -> bool:
        """Tell whether a signed manifest is to be taken in; one that has been may be shown again.

        Raises:
            Refusal: neither.
        """
        known = self._seat.manifest
        try:
            manifest = verify_manifest(signed, known.desk)
        except PeerError as exc:
            raise Refusal(
                "manifest-unreadable",
                what="This file is no list of editors of this desk, or the root has not signed it.",
                meaning="Nothing was published.",
                remedy="Sign the file with `meshnews desk sign FILE --root-folder DIR`.",
            ) from exc
        if not manifest.is_editor(request.sign) or request.issuer not in _issuers(manifest):
            raise other_role("somebody whom this list of editors does not name")
        # Of two with one version machines keep one, and an editor would be
        # lost again: the second is prepared anew.
        if manifest.version > known.version:
            return True
        if known.is_editor(request.sign) and request.issuer in _issuers(known):
            return False
        raise Refusal(
            "manifest-old",
            what="The desk has published a newer list of editors since this one was prepared.",
            meaning="Nothing was published.",
            remedy="Prepare it again with `meshnews desk editor REQUEST`.",
        )


def _issuers(manifest: Manifest) -> set[bytes]:
    return {one.key for one in manifest.issuers}
