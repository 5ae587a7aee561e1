"""An editor's office: making a desk, and cards for those who join it.

What changes the manifest is prepared here and signed elsewhere, with the root
from its stick; `sign_offline` needs no home.  See docs/protocol/enrolment.md.
"""

import unicodedata
from dataclasses import dataclass, replace
from typing import Final

from meshnews.bundle.envelope import even_day
from meshnews.bundle.postage import frank, issue
from meshnews.bundle.seal import Reader, draft, epoch_prekey, seal
from meshnews.bundle.statement import Inner, Kind, Priority, chain_link, write
from meshnews.crypto.keys import Ed25519Secret, PostageKey, SymmetricKey
from meshnews.crypto.slots import MEMORY_BYTES, PASSES
from meshnews.desk.bulletin import RelayFlags
from meshnews.desk.card import EditorCard, PressCard, RelayCard, RelayRecord
from meshnews.desk.cardfile import seal_card
from meshnews.desk.certificate import Member, sign_certificate
from meshnews.desk.manifest import (
    Editor,
    Issuer,
    Manifest,
    Role,
    read_unsigned_manifest,
    sign_manifest,
    supersedes,
    unsigned_manifest,
    verify_manifest,
)
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.pack import PrekeyPack
from meshnews.desk.request import (
    EditorRequest,
    EnrolmentRequest,
    RelayRequest,
    ReporterRequest,
    verify_request,
    words_digest,
)
from meshnews.desk.root import add_signature, new_roots
from meshnews.desk.rootkey import open_root_key, write_root_key
from meshnews.errors import PeerError, Refusal
from meshnews.ids import Day, DeskId, TrafficClass
from meshnews.limits import EDITORS_MAX, LIVES_DAYS, PREKEYS_PER_PACK, RELAYS_NAMED_ON_CARD
from meshnews.node.desk_keys import DeskKeys
from meshnews.node.home import DAY_ZERO_S, Home
from meshnews.node.identity import Role as HomeRole
from meshnews.node.identity import save_relay, with_beacon_key
from meshnews.node.person import Person
from meshnews.node.roster import Roster, keys_of
from meshnews.node.rotation import Rotation

CARD_DAYS: Final = 400
"""How long cards, issuers and manifests are meant to last."""
DAY_S: Final = 86400
LIFE_DAYS: Final = LIVES_DAYS[-1]
ALL_ROLES: Final = Role.OPEN | Role.PUBLISH | Role.ENROL

CARD_POSTAGE: Final = (
    (TrafficClass.FLASH, 1, 16),
    (TrafficClass.ROUTINE, 1, 240),
    (TrafficClass.ROUTINE, 16, 64),
    (TrafficClass.BULK, 16, 2100),
)
"""Postage on a press card: class, bundles franked by one key, keys."""


@dataclass(frozen=True, slots=True)
class CardMade:
    """A card for somebody who asked."""

    card: bytes
    request: EnrolmentRequest
    expiry_day: Day | None


@dataclass(frozen=True, slots=True)
class RootSigned:
    """A manifest that a root has signed, and what it says."""

    signed: bytes
    manifest: Manifest


class Office:
    """What an editor does for the desk."""

    def __init__(self, home: Home, rotation: Rotation) -> None:
        self._home = home
        self._rotation = rotation

    # The desk ---------------------------------------------------------------

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
            Refusal: the home is no editor's or belongs to a desk, or a name or
                passphrase is refused.
        """
        home = self._home
        if home.identity.role is not HomeRole.EDITOR:
            raise _not_editor()
        if home.identity.desk is not None:
            raise Refusal(
                "desk-exists",
                what="This home belongs to a desk already.",
                meaning="Nothing was changed.",
                remedy="Make another home with --home for another desk.",
            )
        root = Ed25519Secret(home.entropy.draw(32))
        file = write_root_key(
            root, root_passphrase, home.entropy, opslimit=passes, memlimit_bytes=memory_bytes
        )
        manifest = self._first_manifest(root)
        self._found(manifest, _checked_name(name))
        home.book.take(Notice(NoticeKind.MANIFEST, sign_manifest(manifest, [root])))
        home.raise_floor(manifest.floor_time)
        self._rotation.turn(now=True)
        return file

    def _first_manifest(self, root: Ed25519Secret) -> Manifest:
        home = self._home
        signer, issuer = self._signer(), self._issuer()
        ends = Day(home.moment.today + CARD_DAYS)
        return Manifest(
            roots=new_roots([root.public], 1),
            version=1,
            floor_time=self._floor_time(),
            not_after=ends,
            editors=(Editor(signer.public, ALL_ROLES),),
            issuers=(Issuer(issuer.public, ends),),
        )

    def _floor_time(self) -> int:
        """Return the signing time less a day; a clock not believed says the floor's day."""
        home = self._home
        if home.wall.trusted:
            return max(DAY_ZERO_S, home.wall.s - DAY_S)
        return DAY_ZERO_S + home.moment.floor_day * DAY_S

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

    def _signer(self) -> Ed25519Secret:
        signer = Person(self._home.open_vault).sign_key()
        assert signer is not None, "an editor without a key that signs"
        return signer

    def _issuer(self) -> Ed25519Secret:
        issuer = DeskKeys(self._home.open_vault, self._home.entropy).issuer()
        assert issuer is not None, "an editor without an issuer"
        return issuer

    def _manifest(self) -> Manifest:
        manifest = self._home.book.manifest
        if self._home.identity.role is not HomeRole.EDITOR:
            raise _not_editor()
        if manifest is None:
            raise Refusal(
                "no-desk",
                what="This home belongs to no desk yet.",
                meaning="There is nothing that a card could be for.",
                remedy="Make a desk with `meshnews desk create`, or join one with "
                "`meshnews enrol --request FILE`.",
            )
        return manifest

    # Cards ------------------------------------------------------------------

    def read_request(self, file: bytes) -> EnrolmentRequest:
        """Return what a request file asks.

        Raises:
            Refusal: it is no request, or was changed on its way.
        """
        try:
            return verify_request(file)
        except PeerError as exc:
            raise Refusal(
                "request-unreadable",
                what="This file is no request, or it was changed on its way.",
                meaning="No card was made.",
                remedy="Ask for the file again: `meshnews enrol --request FILE` makes it.",
            ) from exc

    def card(self, file: bytes, *, name: str, near: tuple[str, ...] = ()) -> CardMade:
        """Return the card that answers a reporter's or relay's request, under a name.

        Raises:
            Refusal: the request or a name is refused.
        """
        self._manifest()
        request = self.read_request(file)
        wished = _checked_name(name)
        if isinstance(request, ReporterRequest):
            made, expiry = self._press_card(request, wished, near).encode(), self._ends()
        elif isinstance(request, RelayRequest):
            made, expiry = self._relay_card(request, wished, near).encode(), None
        else:
            raise _other_role("an editor")
        sealed = seal_card(made, request.card_key, self._home.entropy, request=words_digest(file))
        return CardMade(sealed, request, expiry)

    def _press_card(self, request: ReporterRequest, name: str, near: tuple[str, ...]) -> PressCard:
        home = self._home
        vault, signer = home.open_vault, self._signer()
        roster, person = Roster(vault), Person(vault)
        if roster.member(request.byline) is None:
            self._require_free(name)
        certificate = sign_certificate(
            signer,
            desk=self._manifest().desk,
            byline=request.byline,
            name=name,
            expiry_day=Day(home.moment.today + CARD_DAYS),
        )
        member = Member(certificate, request.reply_scan, request.reply_keys)
        roster.add_member(member)
        self._tell_editors(member)
        keys = DeskKeys(vault, home.entropy)
        pack = PrekeyPack(
            signer.public,
            keys.scan(home.moment.today).public,
            keys.make_pack(request.byline, PREKEYS_PER_PACK),
        )
        mesh, notice_key = person.mesh_key(), person.member_notice_key()
        assert mesh is not None, "a desk without a mesh key"
        assert notice_key is not None, "a desk without a member notice key"
        assert home.identity.notice_key is not None, "a desk without a notice key"
        manifest, bulletins = home.book.signed()
        return PressCard(
            manifest=manifest,
            bulletins=bulletins,
            desk_notice_key=home.identity.notice_key,
            relays=tuple(map(keys_of, self._relays_for(near))),
            desk_name=person.desk_name() or "",
            certificate=certificate,
            packs=(pack,),
            postage=tuple(self._card_postage()),
            mesh_key=mesh[0],
            mesh_day=mesh[1],
            member_notice_key=notice_key,
        )

    def _card_postage(self) -> list[PostageKey]:
        issuer, ends = self._issuer(), self._ends()
        made: list[PostageKey] = []
        for traffic, n, count in CARD_POSTAGE:
            made += issue(
                issuer, self._home.entropy, expiry_day=ends, traffic=traffic, n=n, count=count
            )
        return made

    def _ends(self) -> Day:
        ends = self._rotation.issuer_ends()
        assert ends is not None, "an editor whose issuer the manifest does not know"
        return ends

    def _relay_card(self, request: RelayRequest, name: str, near: tuple[str, ...]) -> RelayCard:
        home = self._home
        roster = Roster(home.open_vault)
        known = [one for one in roster.relays() if one.entry.static == request.entry.static]
        if not known:
            self._require_free(name)
        beacon = known[0].beacon_key if known else SymmetricKey(home.entropy.draw(32))
        others = [
            one
            for one in self._relays_for(near, only_named=True)
            if one.entry.static != request.entry.static
        ]
        record = RelayRecord(request.entry, beacon, name)
        roster.add_relay(record)
        save_relay(home.carry, keys_of(record))
        self._rotation.turn(now=True)
        assert home.identity.notice_key is not None, "a desk without a notice key"
        manifest, bulletins = home.book.signed()
        return RelayCard(
            manifest=manifest,
            bulletins=bulletins,
            desk_notice_key=home.identity.notice_key,
            relays=tuple(map(keys_of, others)),
            beacon_key=beacon,
        )

    def _relays_for(self, near: tuple[str, ...], *, only_named: bool = False) -> list[RelayRecord]:
        """Return all collectors, and the relays named, or else the newest four."""
        known = [*self._own_record(), *Roster(self._home.open_vault).relays()]
        collectors = [one for one in known if RelayFlags.COLLECTOR in one.entry.flags]
        relays = [one for one in known if RelayFlags.COLLECTOR not in one.entry.flags]
        if near:
            relays = [self._named(relays, name) for name in near]
        elif only_named:
            relays = []
        return [*collectors, *relays[:RELAYS_NAMED_ON_CARD]]

    def _own_record(self) -> list[RelayRecord]:
        """Return this machine, where it is a whole desk."""
        own = self._home.identity.relay
        if own is None or own.beacon_key is None:
            return []
        entries = self._home.book.directory.relays
        return [
            RelayRecord(entry, own.beacon_key, "desk")
            for entry in entries
            if entry.static == own.static.public
        ]

    @staticmethod
    def _named(relays: list[RelayRecord], name: str) -> RelayRecord:
        for one in relays:
            if _folded(one.name) == _folded(name):
                return one
        raise Refusal(
            "name-unknown",
            what="No relay of the desk has one of the names given with --near.",
            meaning="No card was made.",
            remedy="Give a relay its card first, or leave --near out.",
        )

    def _require_free(self, name: str) -> None:
        roster = Roster(self._home.open_vault)
        taken = [known.card.name for _, known in roster.members()]
        taken += [record.name for record in roster.relays()]
        if _folded(name) in {_folded(one) for one in taken}:
            raise Refusal(
                "name-taken",
                what="That name is in use by another card of this desk.",
                meaning="No card was made: two could not be told apart.",
                remedy="Choose another name.",
            )

    # Further editors ----------------------------------------------------------

    def prepare_editor(self, file: bytes) -> tuple[bytes, Manifest]:
        """Return the manifest that adds an editor, for a root to sign.

        Raises:
            Refusal: the request is refused, or there are too many editors.
        """
        manifest = self._manifest()
        request = self.read_request(file)
        if not isinstance(request, EditorRequest):
            raise _other_role("a reporter or a relay")
        editors = {one.sign: one for one in manifest.editors}
        editors[request.sign] = Editor(request.sign, ALL_ROLES)
        issuers = {one.key: one for one in manifest.issuers}
        ends = Day(self._home.moment.today + CARD_DAYS)
        issuers[request.issuer] = Issuer(request.issuer, ends)
        if len(editors) > EDITORS_MAX:
            raise Refusal(
                "too-many-editors",
                what=f"A desk has at most {EDITORS_MAX} editors.",
                meaning="Nothing was prepared.",
                remedy="Recall an editor who has left first.",
            )
        prepared = replace(
            manifest,
            version=manifest.version + 1,
            floor_time=max(manifest.floor_time, self._floor_time()),
            not_after=Day(max(manifest.not_after, ends)),
            editors=tuple(editors[key] for key in sorted(editors)),
            issuers=tuple(issuers[key] for key in sorted(issuers)),
        )
        return unsigned_manifest(prepared), prepared

    def admit_editor(self, signed: bytes, file: bytes) -> bytes:
        """Take in a signed manifest, publish it, and return the new editor's card.

        Raises:
            Refusal: it is not signed, is older than what is known, or does not
                name the editor who asked.
        """
        manifest = self._manifest()
        request = self.read_request(file)
        if not isinstance(request, EditorRequest):
            raise _other_role("a reporter or a relay")
        self._take_manifest(signed, manifest, request)
        self._rotation.introduce(file)
        home = self._home
        vault = home.open_vault
        person, roster = Person(vault), Roster(vault)
        mesh, notice_key = person.mesh_key(), person.member_notice_key()
        assert mesh is not None, "a desk without a mesh key"
        assert notice_key is not None, "a desk without a member notice key"
        assert home.identity.notice_key is not None, "a desk without a notice key"
        current, bulletins = home.book.signed()
        card = EditorCard(
            manifest=current,
            bulletins=bulletins,
            desk_notice_key=home.identity.notice_key,
            desk_name=person.desk_name() or "",
            mesh_key=mesh[0],
            mesh_day=mesh[1],
            member_notice_key=notice_key,
            relays=(*self._own_record(), *roster.relays()),
            members=roster.as_members(),
        )
        return seal_card(card.encode(), request.card_key, home.entropy, request=words_digest(file))

    def _take_manifest(self, signed: bytes, known: Manifest, request: EditorRequest) -> None:
        try:
            manifest = verify_manifest(signed, known.desk)
        except PeerError as exc:
            raise Refusal(
                "manifest-unproven",
                what="The root's signature on this file is missing or does not hold.",
                meaning="Nothing was published.",
                remedy="Sign the file with `meshnews desk sign FILE --root-folder DIR`.",
            ) from exc
        if not manifest.is_editor(request.sign):
            raise _other_role("somebody whom this manifest does not name")
        if manifest == known:
            return
        if not supersedes(manifest, known):
            raise Refusal(
                "manifest-old",
                what="The desk has published a newer manifest since this one was prepared.",
                meaning="Nothing was published.",
                remedy="Prepare it again with `meshnews desk editor REQUEST`.",
            )
        self._home.book.take(Notice(NoticeKind.MANIFEST, signed))
        self._home.raise_floor(manifest.floor_time)
        self._rotation.turn(now=True)

    def _tell_editors(self, member: Member) -> None:
        """Let the other editors know of a card, sealed to their scan keys."""
        home = self._home
        signer = self._signer()
        readers = [
            Reader(bulletin.scan, epoch_prekey(bulletin.scan))
            for key, bulletin in sorted(home.book.bulletins.items())
            if key != signer.public and Role.OPEN in self._manifest().roles_of(key)
        ]
        if not readers:
            return
        inner = Inner(Kind.CARD, "", Priority.ROUTINE, cargo=member.encode())
        post(home, inner, readers, signer=signer, issuer=self._issuer(), desk=self._manifest().desk)


def post(
    home: Home,
    inner: Inner,
    readers: list[Reader],
    *,
    signer: Ed25519Secret,
    issuer: Ed25519Secret,
    desk: DeskId,
) -> "bytes":
    """Seal an editor's statement, frank it on the spot and let it travel; return its identifier."""
    person = Person(home.open_vault)
    seq, prev = person.chain()
    envelope = draft(home.entropy)
    payload = write(
        inner,
        signer=signer,
        pc=envelope.pc,
        desk=desk,
        seq=seq,
        prev=prev,
        claimed_time=max(0, home.wall.s),
    )
    day = even_day(home.moment.today)
    traffic = inner.priority.traffic
    postage = issue(
        issuer,
        home.entropy,
        expiry_day=Day(day + 2 + LIFE_DAYS),
        traffic=traffic,
        n=1,
        count=1,
    )[0]
    bundle = seal(
        payload,
        readers,
        traffic=traffic,
        day=day,
        life=LIFE_DAYS,
        entropy=home.entropy,
        auth_for=lambda bundle_id: frank(postage, bundle_id),
        envelope=envelope,
    ).bundle
    person.set_chain(seq + 1, chain_link(payload))
    home.publish(bundle, release_after_s=0.0)
    return bundle.id


def sign_offline(unsigned: bytes, root_file: bytes, passphrase: str) -> RootSigned:
    """Return a prepared manifest signed by the root in a file; needs no home.

    Raises:
        Refusal: the manifest or the root file cannot be read, the passphrase is
            wrong, or the root is another desk's.
    """
    try:
        manifest = read_unsigned_manifest(unsigned)
    except PeerError as exc:
        raise Refusal(
            "manifest-unreadable",
            what="This file is no manifest that was prepared for signing.",
            meaning="Nothing was signed.",
            remedy="Prepare it with `meshnews desk editor REQUEST`.",
        ) from exc
    try:
        root = open_root_key(root_file, passphrase)
    except PeerError as exc:
        raise Refusal(
            "wrong-root-passphrase",
            what="The root key cannot be opened: the passphrase is wrong or the file damaged.",
            meaning="Nothing was signed.",
            remedy="Try again, or use another copy of the root key.",
        ) from exc
    return RootSigned(add_signature(unsigned, root), manifest)


def _checked_name(name: str) -> str:
    wished = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(wished) <= 64 or not wished.isprintable():
        raise Refusal(
            "bad-name",
            what="A name is one line of 1 to 64 characters.",
            meaning="Nothing was made.",
            remedy="Choose another name.",
        )
    return wished


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _not_editor() -> Refusal:
    return Refusal(
        "wrong-role",
        what="This is work for an editor, and this home is not one.",
        meaning="Nothing was changed.",
        remedy="Name the right home with --home.",
    )


def _other_role(role: str) -> Refusal:
    return Refusal(
        "request-of-other-role",
        what=f"This request is of {role}.",
        meaning="No card was made.",
        remedy="`desk card` is for reporters and relays, `desk editor` for editors.",
    )
