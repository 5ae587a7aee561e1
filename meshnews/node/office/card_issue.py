"""Making cards for reporters and relays.

    reporter   certificate, prekeys and postage of this editor, all collectors, four relays
    relay      its beacon key, all collectors, the relays it is told to be near

Everything that can be refused is looked at before the first write.  A request
for a key that has a card already is answered again, when it shows the same
keys as before: cards get lost.  See docs/protocol/enrolment.md.
"""

import unicodedata
from collections.abc import Mapping
from typing import Final

from meshnews.bundle.postage import issue
from meshnews.bundle.statement import Kind
from meshnews.crypto.keys import Ed25519Public, PostageKey, SymmetricKey
from meshnews.desk.bulletin import Bulletin, RelayEntry, RelayFlags
from meshnews.desk.card import PressCard, RelayCard, RelayRecord
from meshnews.desk.certificate import Member, Share, sign_certificate
from meshnews.desk.limits import (
    MEMBERS_MAX,
    NAME_CHARS_MAX,
    PREKEYS_PER_PACK,
    RELAYS_MAX,
    RELAYS_NAMED_ON_CARD,
    RELAYS_ON_CARD_MAX,
)
from meshnews.desk.manifest import Role
from meshnews.desk.pack import PrekeyPack
from meshnews.desk.recall import revocation_id
from meshnews.desk.request import RelayRequest, ReporterRequest
from meshnews.errors import Refusal
from meshnews.ids import Day
from meshnews.limits import LIVES_DAYS
from meshnews.node import shelf
from meshnews.node.home import Home
from meshnews.node.identity import save_relay
from meshnews.node.office.colleagues import tell_colleagues
from meshnews.node.office.rotation import Rotation
from meshnews.node.office.seat import CARD_DAYS, Seat, require_not_recalled
from meshnews.node.office.supply import Supply
from meshnews.node.office.whole_desk import OWN_NAME, own_record
from meshnews.node.person import Person
from meshnews.node.records.chain import Chains
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.node.records.reply_keys import ReplyKeys, deal
from meshnews.node.records.roster import Roster, keys_of
from meshnews.node.records.stock import CARD_POSTAGE, PostageKind
from meshnews.store.terms import FILING_DAYS

COLLECTORS_ON_CARD: Final = RELAYS_ON_CARD_MAX - RELAYS_NAMED_ON_CARD


def checked_name(name: str) -> str:
    """Return a name in the form in which it is kept.

    Raises:
        Refusal: it is not one line of 1 to 64 characters.
    """
    wished = unicodedata.normalize("NFC", name.strip())
    if not 1 <= len(wished) <= NAME_CHARS_MAX or not wished.isprintable():
        raise Refusal(
            "bad-name",
            what=f"A name is one line of 1 to {NAME_CHARS_MAX} characters.",
            meaning="Nothing was made.",
            remedy="Choose another name.",
        )
    return wished


class CardIssue:
    """Makes the cards of one desk, as one of its editors."""

    def __init__(
        self,
        home: Home,
        rotation: Rotation,
        seat: Seat,
        postage: Mapping[PostageKind, int] = CARD_POSTAGE,
    ) -> None:
        self._home = home
        self._rotation = rotation
        self._seat = seat
        self._postage_on_card = postage
        self._roster = Roster(home.open_vault)

    def check(self, name: str, near: tuple[str, ...], *, is_relay: bool) -> None:
        """Return if a card under this name could be made for somebody not known yet.

        Raises:
            Refusal: this editor may not make it, the name is taken, or no relay has
                one of the names in `near`.
        """
        self._require(Role.PUBLISH if is_relay else Role.ENROL)
        self._require_free(name, b"")
        self._relays_near(near)
        if not is_relay:
            self._postage_ends()

    def press_card(self, request: ReporterRequest, name: str, near: tuple[str, ...]) -> PressCard:
        """Return a reporter's card, and know the reporter from now on.

        Raises:
            Refusal: this editor may not enrol, the key or the name is refused, or
                no relay has one of the names in `near`.
        """
        self._require(Role.ENROL)
        self._require_new_reporter(request, name)
        ends = self._postage_ends()
        named = self._relays_near(near) if near else self._newest_relays()
        relays = tuple(map(keys_of, [*self._collectors(), *named]))
        Supply(self._home).issued(request.byline, relays)
        certificate = self._certify(request, name)
        manifest, bulletins = self._home.book.signed()
        person, notice_key = Person(self._home.open_vault), self._home.identity.notice_key
        mesh, member_key = person.mesh_key(), person.member_notice_key()
        assert mesh is not None, "a desk without a mesh key"
        assert member_key is not None, "a desk without a member notice key"
        assert notice_key is not None, "a desk without a notice key"
        return PressCard(
            manifest=manifest,
            bulletins=bulletins,
            desk_notice_key=notice_key,
            relays=relays,
            desk_name=person.desk_name() or "",
            certificate=certificate,
            packs=(self._pack(request),),
            postage=tuple(self._postage(ends)),
            mesh_key=mesh[0],
            mesh_day=mesh[1],
            member_notice_key=member_key,
        )

    def _require_new_reporter(self, request: ReporterRequest, name: str) -> None:
        require_not_recalled(self._home, request.byline)
        if self._seat.manifest.is_editor(request.byline):
            raise _key_known()
        self._require_free(name, request.byline)
        known = self._roster.member(request.byline) is not None
        if not known and self._home.open_vault.count(shelf.MEMBER) >= MEMBERS_MAX:
            raise _too_many(f"A desk has at most {MEMBERS_MAX} reporters.")

    def _certify(self, request: ReporterRequest, name: str) -> bytes:
        certificate = sign_certificate(
            self._seat.signer,
            desk=self._seat.manifest.desk,
            byline=request.byline,
            name=name,
            expiry_day=Day(self._home.moment.today + CARD_DAYS),
        )
        shares = self._shares(request)
        if self._roster.member(request.byline) is None:
            Chains(self._home.open_vault).begin(request.byline)
        member = Member(certificate, request.reply_scan, shares)
        self._roster.add_member(member, own=self._seat.signer.public)
        self._tell_editors(member.encode())
        return certificate

    def _shares(self, request: ReporterRequest) -> tuple[Share, ...]:
        """Deal the reply keys of a request out among the editors, if nobody can have done so.

        The request of a card that was lost may be shown to any editor: whoever only
        heard of the member cannot know all that was dealt before.
        """
        own, keys = self._seat.signer.public, ReplyKeys(self._home.open_vault, request.byline)
        fresh = [key for key in request.reply_keys if not keys.is_known(key.ref)]
        known = self._roster.member(request.byline)
        if known is None or known.card.editor == own:
            # In an order that everybody finds, so that two editors who are asked
            # before they hear of each other deal alike.
            editors = sorted([*self._others(), *([own] if Role.OPEN in self._seat.roles else [])])
            return tuple(Share(editor, share) for editor, share in deal(fresh, editors).items())
        for key in fresh:
            keys.pass_over(key.ref)
        return ()

    def _pack(self, request: ReporterRequest) -> PrekeyPack:
        keys = DeskKeys(self._home.open_vault, self._home.entropy)
        scan = keys.scan(self._home.moment.today).public
        made = keys.make_pack(request.byline, PREKEYS_PER_PACK)
        return PrekeyPack(self._seat.signer.public, scan, made)

    def _postage_ends(self) -> Day:
        """Return the last day of this editor's issuer, if a bundle of today can still use it.

        Raises:
            Refusal: it cannot.
        """
        ends = self._seat.issuer_ends
        if ends is None or ends < self._home.moment.today + FILING_DAYS + LIVES_DAYS[-1]:
            raise Refusal(
                "issuer-lapsed",
                what="The key with which this editor makes postage has come to its last days.",
                meaning="No card was made: relays would not carry what is filed with it.",
                remedy="Let the desk's list of editors be renewed and signed with the root key.",
            )
        return ends

    def _postage(self, ends: Day) -> list[PostageKey]:
        made: list[PostageKey] = []
        for (traffic, n), count in self._postage_on_card.items():
            made += issue(
                self._seat.issuer,
                self._home.entropy,
                expiry_day=ends,
                traffic=traffic,
                n=n,
                count=count,
            )
        return made

    def _tell_editors(self, record: bytes) -> None:
        """Let the other editors know of a card."""
        tell_colleagues(self._home, self._seat, Kind.CARD, record)

    def _others(self) -> dict[Ed25519Public, Bulletin]:
        """Return the other editors that open and can be told of a card, ascending."""
        seat, bulletins = self._seat, sorted(self._home.book.bulletins.items())
        return {
            key: bulletin
            for key, bulletin in bulletins
            if key != seat.signer.public and Role.OPEN in seat.manifest.roles_of(key)
        }

    def relay_card(self, request: RelayRequest, name: str, near: tuple[str, ...]) -> RelayCard:
        """Return a relay's card, and publish the relay.

        Raises:
            Refusal: this editor may not publish, a key or the name is refused, or
                no relay has one of the names in `near`.
        """
        self._require(Role.PUBLISH)
        entry, notice_key = request.entry, self._home.identity.notice_key
        assert notice_key is not None, "a desk without a notice key"
        known = self._require_same_relay(entry)
        self._require_free(name, entry.static)
        others = [*self._collectors(), *self._relays_near(near)]
        beacon = SymmetricKey(self._home.entropy.draw(32)) if known is None else known.beacon_key
        record = RelayRecord(entry, beacon, name)
        self._roster.add_relay(record)
        save_relay(self._home.carry, keys_of(record))
        told = tuple(keys_of(one) for one in others if one.entry.static != entry.static)
        Supply(self._home).issued(entry.static, told)
        self._tell_editors(record.encode())
        self._rotation.turn(now=True)
        manifest, bulletins = self._home.book.signed()
        return RelayCard(
            manifest=manifest,
            bulletins=bulletins,
            desk_notice_key=notice_key,
            relays=told,
            beacon_key=beacon,
        )

    def _require_same_relay(self, entry: RelayEntry) -> RelayRecord | None:
        """Return the relay with these keys, if there is one; part of them is not enough.

        Only the sign key of a request is proven.  Whoever showed the static key
        of another's relay would be given its beacon key.
        """
        require_not_recalled(self._home, entry.static)
        require_not_recalled(self._home, entry.sign)
        relays = [*self._own(), *self._roster.relays()]
        for one in relays:
            shown, kept = _keys(entry), _keys(one.entry)
            if shown == kept and one.name != OWN_NAME:
                return one
            if shown & kept:
                raise _key_known()
        if len(relays) >= RELAYS_MAX - 1:
            raise _too_many(f"A desk has at most {RELAYS_MAX - 1} relays.")
        return None

    def _require(self, role: Role) -> None:
        if role not in self._seat.roles:
            raise Refusal(
                "may-not",
                what="The desk's list of editors does not let this editor make such cards.",
                meaning="Nobody would believe it, so none was made.",
                remedy="Ask another editor of the desk.",
            )

    def _require_free(self, name: str, key: bytes) -> None:
        """Return if no card of another key has this name, capitals or not."""
        taken = {known.card.name: byline for byline, known in self._roster.members()}
        names = [one for one, byline in taken.items() if byline != key]
        names += [one.name for one in self._roster.relays() if one.entry.static != key]
        names += [one.name for one in self._own()]
        if _folded(name) in map(_folded, names):
            raise Refusal(
                "name-taken",
                what="That name is in use by another card of this desk.",
                meaning="No card was made: two could not be told apart.",
                remedy="Choose another name.",
            )

    def _collectors(self) -> list[RelayRecord]:
        return [one for one in self._relays() if _collects(one)][:COLLECTORS_ON_CARD]

    def _newest_relays(self) -> list[RelayRecord]:
        return [one for one in self._relays() if not _collects(one)][:RELAYS_NAMED_ON_CARD]

    def _relays_near(self, near: tuple[str, ...]) -> list[RelayRecord]:
        """Return the relays of these names; collectors are on the card anyway.

        Raises:
            Refusal: none has one of the names, or there are too many.
        """
        by_name = {_folded(one.name): one for one in self._relays()}
        wished = list(dict.fromkeys(map(_folded, near)))
        if len(wished) > RELAYS_NAMED_ON_CARD:
            raise Refusal(
                "too-many-near",
                what=f"A card names at most {RELAYS_NAMED_ON_CARD} relays.",
                meaning="No card was made.",
                remedy="Give --near fewer times.",
            )
        if any(name not in by_name for name in wished):
            raise Refusal(
                "name-unknown",
                what="No relay of the desk has one of the names given with --near.",
                meaning="No card was made.",
                remedy="Give that relay its card first, or leave --near out.",
            )
        return [by_name[name] for name in wished if not _collects(by_name[name])]

    def _relays(self) -> list[RelayRecord]:
        """Return the relays and collectors that are not recalled, the newest first."""
        book = self._home.book
        known = [*self._own(), *self._roster.relays()]
        return [one for one in known if not book.is_recalled(revocation_id(one.entry.static))]

    def _own(self) -> list[RelayRecord]:
        one = own_record(self._home)
        return [] if one is None else [one]


def _collects(record: RelayRecord) -> bool:
    return RelayFlags.COLLECTOR in record.entry.flags


def _keys(entry: RelayEntry) -> set[tuple[int, bytes]]:
    return set(enumerate([entry.static, entry.notice, entry.sign]))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def _key_known() -> Refusal:
    return Refusal(
        "key-known",
        what="The desk knows a key in this request from another card.",
        meaning="It could be somebody who poses as another, so no card was made.",
        remedy="Let a new home be made, and compare the words of its request by voice.",
    )


def _too_many(what: str) -> Refusal:
    return Refusal(
        "desk-full",
        what=what,
        meaning="No card was made.",
        remedy="Recall those who have left, and let an editor with room make the card.",
    )
