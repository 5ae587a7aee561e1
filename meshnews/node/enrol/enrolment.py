"""Joining a desk: the request of this home, and taking in the card that answers it.

A request is made once and given out again as it was until its card has come.
A card is shown before it is taken, so that people can compare whose it is: who
has seen the request can seal a card of a desk of his own to it.  It is taken in
wholly or not at all: everything is verified first, and all writes are in the
caller's transaction.  See docs/protocol/enrolment.md.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from meshnews.crypto.keys import Ed25519Secret, SymmetricKey, X25519Secret
from meshnews.crypto.words import SafetyWord, safety_words
from meshnews.desk.bulletin import RelayEntry, RelayFlags
from meshnews.desk.card import (
    EditorCard,
    PressCard,
    RelayCard,
    Verified,
    decode_editor_card,
    decode_press_card,
    decode_relay_card,
)
from meshnews.desk.cardfile import open_card
from meshnews.desk.certificate import read_certificate, verify_certificate
from meshnews.desk.limits import REPLY_KEYS_IN_REQUEST
from meshnews.desk.manifest import Manifest
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.pack import RelayKeys
from meshnews.desk.request import (
    EditorRequest,
    EnrolmentRequest,
    RelayRequest,
    ReporterRequest,
    sign_request,
    words_digest,
)
from meshnews.errors import Forged, PeerError
from meshnews.ids import Day, DeskId
from meshnews.node.enrol import enrolment_refusal as refusal
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.identity import Role, save_relay, with_beacon_key
from meshnews.node.own_values import OwnValues
from meshnews.node.person import Person
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.node.records.roster import Roster, keys_of
from meshnews.node.records.wallet import Wallet

_REQUEST: Final = b"request"
_CARD_KEY: Final = b"card-key"
_TAKEN: Final = b"card-taken"
"""Set from the taking in of a card until its request is forgotten."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a card made of this home.

    Attributes:
        desk_name: what the desk calls itself; a relay is not told.
        name: the byline; empty for a relay or editor.
        expiry_day: until when the desk means the card to last; None: no such day.
    """

    desk: DeskId
    desk_name: str
    name: str
    expiry_day: Day | None


_Card: TypeAlias = PressCard | RelayCard | EditorCard


class Enrolment:
    """The joiner's side of enrolment: its request, and the card that answers it."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._values = OwnValues(home)

    def request(self) -> bytes:
        """Return the request file of this home, the same until a card has answered it.

        Raises:
            Refusal: it is an editor's that belongs to a desk already, or is a whole desk.
        """
        home = self._home
        stored = self._values.get(_REQUEST)
        if stored is not None and self._values.get(_TAKEN) is None:
            return stored
        if home.identity.role is Role.EDITOR and home.identity.desk is not None:
            raise refusal.has_desk()
        if home.identity.role is Role.EDITOR and home.identity.endpoint:
            raise refusal.whole_desk()
        card_key = X25519Secret(home.entropy.draw(32))
        request = self._make(card_key)
        self._values.delete(_TAKEN)
        self._values.put(_CARD_KEY, card_key.raw)
        self._values.put(_REQUEST, request)
        return request

    def _make(self, card_key: X25519Secret) -> bytes:
        home = self._home
        request: EnrolmentRequest
        if home.identity.role is Role.RELAY:
            own = home.identity.relay
            assert own is not None, "a relay without keys"
            flags = RelayFlags.COLLECTOR if home.identity.endpoint else RelayFlags(0)
            entry = RelayEntry(own.static.public, own.notice.public, own.sign.public, flags)
            request = RelayRequest(card_key.public, entry)
            return sign_request(request, own.sign)
        signer = self._person_key
        today = home.moment.today
        if home.identity.role is Role.REPORTER:
            wallet = Wallet(home.open_vault, home.entropy)
            request = ReporterRequest(
                card_key.public,
                signer.public,
                wallet.reply_scan(today),
                wallet.make_reply_keys(REPLY_KEYS_IN_REQUEST),
            )
        else:
            keys = DeskKeys(home.open_vault, home.entropy)
            issuer = keys.issuer()
            assert issuer is not None, "an editor without an issuer"
            request = EditorRequest(
                card_key.public,
                signer.public,
                keys.scan(today).public,
                issuer.public,
                keys.epochs(today),
            )
        return sign_request(request, signer)

    @property
    def _person_key(self) -> Ed25519Secret:
        signer = Person(self._home.open_vault).sign_key()
        assert signer is not None, "a person without a key that signs"
        return signer

    def desk_of(self, file: bytes) -> DeskId:
        """Return the desk whose card `file` is, everything in it verified and nothing taken in.

        Raises:
            Refusal: as `take_card`.
        """
        _, verified = self._read(file)
        return verified.manifest.desk

    def take_card(
        self,
        file: bytes,
        *,
        desk: DeskId | None = None,
        proven: Callable[[Manifest], None] = lambda _: None,
    ) -> Enrolled:
        """Take in the card that a desk made for this home's request.

        Args:
            file: the card file.
            desk: whose it must be; None: of the home's own, or of one whose words were
                compared.
            proven: raises PeerError for a manifest by which it is not the desk's.

        Raises:
            Refusal: there is no request, the card does not answer it, or it is of
                another desk than this home's.
        """
        card, verified = self._read(file, desk, proven)
        enrolled = self._take(card, verified.manifest)
        self._values.put(_TAKEN, b"\x01")
        self._home.tell(Topic.DESK)
        return enrolled

    def _read(
        self,
        file: bytes,
        desk: DeskId | None = None,
        proven: Callable[[Manifest], None] = lambda _: None,
    ) -> tuple[_Card, Verified]:
        """Open a card file and verify all of it, and that it is of a desk it may be of."""
        own = self._home.identity.desk
        request, raw_key = self._values.get(_REQUEST), self._values.get(_CARD_KEY)
        if request is None or raw_key is None or self._values.get(_TAKEN) is not None:
            raise refusal.no_request() if own is None else refusal.card_taken()
        try:
            card = open_card(file, X25519Secret(raw_key), request=words_digest(request))
            opened = self._verify(card)
            manifest = opened[1].manifest
            if desk not in {None, manifest.desk}:
                raise Forged("a card of another desk than the one that was asked")
            proven(manifest)
        except PeerError as exc:
            raise refusal.card_unproven() from exc
        if own not in {None, manifest.desk}:
            raise refusal.card_of_other_desk()
        return opened

    def _verify(self, encoded: bytes) -> tuple[_Card, Verified]:
        if self._home.identity.role is Role.RELAY:
            relay_card = decode_relay_card(encoded)
            return relay_card, relay_card.verify()
        card: PressCard | EditorCard
        if self._home.identity.role is Role.REPORTER:
            card = decode_press_card(encoded)
        else:
            card = decode_editor_card(encoded)
        return card, card.verify(self._person_key.public)

    def tidy(self) -> None:
        """Forget the request that a card has answered; to be called in a later transaction.

        The vault is on disk before carry.  A request that went with the card would
        be missing when the power goes out between the two, and with it any way to
        take the card in again.
        """
        if not self._values.is_open or self._values.get(_TAKEN) is None:
            return
        self._values.delete(_TAKEN)
        if self._home.identity.desk is not None:
            self._values.delete(_REQUEST)
            self._values.delete(_CARD_KEY)

    def _take(self, card: _Card, manifest: Manifest) -> Enrolled:
        match card:
            case PressCard():
                return self._take_press(card, manifest)
            case RelayCard():
                return self._take_relay(card, manifest)
            case EditorCard():
                return self._take_editor(card, manifest)

    def _take_press(self, card: PressCard, manifest: Manifest) -> Enrolled:
        home = self._home
        person = Person(home.open_vault)
        certificate = read_certificate(card.certificate)
        Wallet(home.open_vault, home.entropy).fill(card)
        person.set_certificate(card.certificate)
        person.set_desk_name(card.desk_name)
        person.set_mesh_key(card.mesh_key, card.mesh_day)
        person.set_member_notice_key(card.member_notice_key)
        self._join(manifest, card.manifest, card.bulletins, card.desk_notice_key, card.relays)
        return Enrolled(manifest.desk, card.desk_name, certificate.name, certificate.expiry_day)

    def _take_relay(self, card: RelayCard, manifest: Manifest) -> Enrolled:
        home = self._home
        home.become(with_beacon_key(home.identity, card.beacon_key))
        self._join(manifest, card.manifest, card.bulletins, card.desk_notice_key, card.relays)
        return Enrolled(manifest.desk, "", "", None)

    def _take_editor(self, card: EditorCard, manifest: Manifest) -> Enrolled:
        home = self._home
        person = Person(home.open_vault)
        roster = Roster(home.open_vault)
        for record in reversed(card.relays):
            roster.add_relay(record)
        for member in card.members:
            # One whose signer has left the desk is known by name no more.
            try:
                verify_certificate(member.certificate, manifest)
            except PeerError:
                continue
            roster.add_member(member, own=self._person_key.public)
        person.set_desk_name(card.desk_name)
        person.set_mesh_key(card.mesh_key, card.mesh_day)
        person.set_member_notice_key(card.member_notice_key)
        relays = [keys_of(record) for record in card.relays]
        self._join(manifest, card.manifest, card.bulletins, card.desk_notice_key, relays)
        return Enrolled(manifest.desk, card.desk_name, "", None)

    def _join(
        self,
        manifest: Manifest,
        signed: bytes,
        bulletins: Sequence[bytes],
        notice_key: SymmetricKey,
        relays: Sequence[RelayKeys],
    ) -> None:
        home = self._home
        home.become(replace(home.identity, desk=manifest.desk, notice_key=notice_key))
        home.book.take(Notice(NoticeKind.MANIFEST, signed))
        for bulletin in bulletins:
            # Each held under the card's manifest; this home may know a newer
            # one, in which its editor is no longer.
            with contextlib.suppress(PeerError):
                home.book.take(Notice(NoticeKind.BULLETIN, bulletin))
        home.raise_floor(manifest.floor_time)
        for keys in relays:
            save_relay(home.carry, keys)


def request_words(request: bytes) -> list[SafetyWord]:
    """Return the eight words by which two people compare a request file."""
    return safety_words(words_digest(request))


def desk_words(desk: DeskId) -> list[SafetyWord]:
    """Return the eight words that stand for a desk, shown to everybody who joins it."""
    return safety_words(desk)
