"""What arrives: tried with the keys of this machine, and opened where one fits.

    chunk awaited        -> its attachment
    class 0              -> a notice to all
    sealed to a person   -> editor: dispatches, cards; reporter: answers

A relay has no key of a person: it only reads notices.  With the vault closed,
what arrives is noted and tried later.  A bundle that was opened before does
nothing, so a crash between the two stores costs nothing.
"""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.format import Bundle, parse, payer_of
from meshnews.bundle.open import Found, Opened, found_by, open_found
from meshnews.bundle.seal import epoch_ref
from meshnews.bundle.statement import REFERENCE_BYTES, Kind, Letter, Priority, read
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, PrekeySecret, X25519Secret
from meshnews.desk.card import decode_relay_record
from meshnews.desk.certificate import Member, decode_member, verify_certificate
from meshnews.desk.manifest import Manifest
from meshnews.desk.recall import revocation_id
from meshnews.errors import Malformed, PeerError
from meshnews.ids import TrafficClass
from meshnews.node import shelf
from meshnews.node.dispatches.dispatch import Dispatches
from meshnews.node.dispatches.item import Alarm, Item, Verdict
from meshnews.node.dispatches.letter import Letters
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.identity import Role
from meshnews.node.office.notices import Notices
from meshnews.node.office.refreshing import Refreshing
from meshnews.node.office.supply import Supply
from meshnews.node.office.turning import Turning
from meshnews.node.person import Person
from meshnews.node.records.chain import Chains
from meshnews.node.records.confirmation import Confirmations
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.node.records.former import replace_relay_key
from meshnews.node.records.keyring import Keyring
from meshnews.node.records.reopening import Before, Reopening
from meshnews.node.records.roster import Known, Roster, keys_of
from meshnews.node.records.wallet import Wallet
from meshnews.store.reference import key_of, ref_of

STEP: Final = 256
"""Bundles tried in one go after the vault was opened."""


@dataclass(frozen=True, slots=True)
class Key:
    """What opens a bundle that was recognised.

    Attributes:
        secret: None when it was deleted after its use.
        byline: to whom a one-time prekey had been given; empty for other keys.
        opened: the purge commitment of the bundle that it has opened before, or none.
    """

    secret: PrekeySecret | None
    byline: bytes = b""
    opened: bytes = b""


class Opening:
    """Opens what arrives for this machine."""

    def __init__(
        self,
        home: Home,
        *,
        letters: Letters,
        confirmations: Confirmations,
        notices: Notices,
        dispatches: Dispatches,
        refreshing: Refreshing,
        supply: Supply,
        turning: Turning,
    ) -> None:
        self._home = home
        self._letters = letters
        self._confirmations = confirmations
        self._notices = notices
        self._dispatches = dispatches
        self._refreshing = refreshing
        self._supply = supply
        self._turning = turning

    def arrived(self, bundle: Bundle) -> None:
        """Try a bundle that this node has just stored."""
        home = self._home
        if bundle.traffic is TrafficClass.NOTICE:
            self._notices.arrived(bundle)
            return
        if home.identity.role is Role.RELAY:
            return
        if home.vault is None:
            home.carry.put(shelf.UNTRIED, key_of(bundle.ref), b"")
            return
        if self._letters.chunk_arrived(bundle):
            return
        if home.vault.get(shelf.LETTER, bundle.id) is None:
            self._try(bundle)

    def catch_up(self) -> None:
        """Try some of what arrived while the vault was closed."""
        home = self._home
        if home.vault is None:
            return
        for key, _ in home.carry.scan(shelf.UNTRIED, at_most=STEP):
            home.carry.delete(shelf.UNTRIED, key)
            wire = home.custody.body(ref_of(key))
            if wire is not None:
                self.arrived(parse(wire))

    def sweep(self) -> None:
        """Burn prekeys and scan keys whose time has come, and let held receipts go."""
        home = self._home
        if home.vault is None:
            return
        self._confirmations.release()
        self._confirmations.tidy()
        Reopening(home.vault).tidy(home.moment.floor_day)
        if home.identity.role is Role.EDITOR:
            DeskKeys(home.vault, home.entropy).burn(home.moment.lived_s)
        else:
            wallet = Wallet(home.vault, home.entropy)
            wallet.burn_spent(home.carry)
            wallet.drop_reply_scans(home.moment.floor_day)

    # Recognising --------------------------------------------------------------

    def _try(self, bundle: Bundle) -> None:
        before = Reopening(self._home.open_vault).find(bundle)
        if before is not None:
            self._confirm(bundle, before)
            return
        for scan in self._scans(bundle):
            known = [(found, self._key(found, scan)) for found in found_by(bundle, scan)]
            if known:
                # Who names another's scan key has seals made for that one beside its own.
                found, key = max(known, key=_usefulness)
                self._recognised(bundle, found, key)
                return

    def _scans(self, bundle: Bundle) -> list[X25519Secret]:
        vault, entropy = self._home.open_vault, self._home.entropy
        if self._home.identity.role is Role.EDITOR:
            return DeskKeys(vault, entropy).scans()
        if bundle.traffic is TrafficClass.BULK:
            # Answers are never of class 3, and chunks come by the thousand.
            return []
        # By the floor: a clock that is wrong must not make us deaf to an answer.
        return Wallet(vault, entropy).reply_scans(self._home.moment.floor_day)

    def _key(self, found: Found, scan: X25519Secret) -> Key:
        if self._home.identity.role is Role.EDITOR:
            return self._editor_key(found)
        return self._reporter_key(found, scan)

    def _recognised(self, bundle: Bundle, found: Found, key: Key) -> None:
        if key.secret is None:
            # Whoever carried what it opened can copy the seal, and nothing else.
            if key.byline and key.opened != bundle.pc:
                self._unreadable(bundle, key.byline)
            return
        try:
            opened = open_found(bundle, found, key.secret)
        except PeerError:
            # A seal around other bytes: a carrier's work, that says nothing of whose seal it was.
            return
        try:
            letter = read(opened.payload, bundle.pc)
        except PeerError:
            # Its author's own work: nobody else can read it either, so it is
            # shown and never confirmed.
            if key.byline:
                self._unreadable(bundle, key.byline)
            return
        if letter.statement.desk != self._home.identity.desk:
            return
        if self._home.identity.role is Role.EDITOR:
            self._for_editor(bundle, letter, key, opened.purge)
        else:
            self._for_reporter(bundle, letter, found, opened)

    def _editor_key(self, found: Found) -> Key:
        keys = DeskKeys(self._home.open_vault, self._home.entropy)
        given = keys.prekey(found.ref)
        if given is not None:
            return Key(given.secret, given.byline, given.opened)
        shared = keys.epoch_secret(found.ref)
        if shared is not None:
            return Key(shared)
        burnt = keys.burnt(found.ref)
        return Key(None) if burnt is None else Key(None, burnt.byline, burnt.opened)

    def _reporter_key(self, found: Found, scan: X25519Secret) -> Key:
        secret = Wallet(self._home.open_vault, self._home.entropy).reply_key(found.ref)
        if secret is None and found.ref == epoch_ref(scan.public):
            secret = PrekeySecret(found.ref, scan, b"")
        return Key(secret)

    def _confirm(self, bundle: Bundle, before: Before) -> None:
        """Make the receipt of what was opened, and know it again under other postage."""
        home = self._home
        Reopening(home.open_vault).note(bundle, before)
        if home.identity.role is Role.EDITOR:
            self._confirmations.confirm(bundle, before.purge)
        elif before.payer == payer_of(bundle.auth, bundle.kind):
            hold_s_max = home.settings.reply_receipt_hold_s_max
            self._confirmations.release_later(bundle, before.purge, home.hold_s(hold_s_max))

    # An editor ------------------------------------------------------------------

    def _for_editor(self, bundle: Bundle, letter: Letter, key: Key, purge: bytes) -> None:
        home = self._home
        if letter.inner.kind is Kind.CARD:
            self._take_card(letter)
        elif letter.inner.kind is Kind.REFRESH:
            self._take_keys(letter)
        elif letter.inner.kind in {Kind.DISPATCH, Kind.ORDER}:
            self._take_dispatch(bundle, letter, key)
        self._confirm(bundle, Before(purge))
        keys = DeskKeys(home.open_vault, home.entropy)
        given = None if key.secret is None else keys.prekey(key.secret.ref)
        if given is not None:
            keys.use(given, bundle.pc, home.moment.lived_s)

    def _take_dispatch(self, bundle: Bundle, letter: Letter, key: Key) -> None:
        if self._is_shown(letter):
            return
        roster = Roster(self._home.open_vault)
        known = roster.member(letter.author)
        alarms: list[Alarm] = [Alarm.TWO_PLACES] if key.opened else []
        alarms += self._follow_chain(letter, bundle)
        if known is not None and not self._home.book.is_recalled(revocation_id(letter.author)):
            if letter.statement.reply is not None:
                roster.heard(letter.author, letter.statement.reply, own=self._own())
            self._supply.met(letter.author, letter, by_prekey=bool(key.byline))
        statement, inner = letter.statement, letter.inner
        self._letters.add(
            Item(
                ref=bundle.ref,
                kind=inner.kind,
                author=letter.author,
                name="" if known is None else known.card.name,
                slug=inner.slug,
                priority=inner.priority,
                claimed_at=statement.claimed_time,
                arrived_at=max(1, self._home.wall.s),
                text=inner.text,
                reference=inner.reference,
                pc=bundle.pc[:REFERENCE_BYTES],
                verdict=self._verdict(known, alarms),
                alarms=tuple(alarms),
                trees=tuple((tree, 0) for tree in statement.attachments),
            )
        )

    def _is_shown(self, letter: Letter) -> bool:
        """Tell whether this statement is an item already: a reader can seal it once more."""
        item = Chains(self._home.open_vault).item_of(letter)
        return item is not None and self._letters.heading(item) is not None

    def _verdict(self, known: Known | None, alarms: Collection[Alarm] = ()) -> Verdict:
        manifest = self._home.book.manifest
        if known is None or manifest is None:
            return Verdict.UNPROVEN
        if self._home.book.is_recalled(revocation_id(known.card.byline)):
            # The holder's own machine goes on where it was; whoever has an older
            # copy of it, or the card alone, does not.
            fits = Alarm.GAP not in alarms and Alarm.BRANCH not in alarms
            return Verdict.UNPROVEN if fits else Verdict.FORK
        try:
            card = verify_certificate(known.certificate, manifest)
        except PeerError:
            return Verdict.UNPROVEN
        if card.expiry_day < self._home.moment.floor_day:
            return Verdict.LAPSED
        return Verdict.VERIFIED

    def _follow_chain(self, letter: Letter, bundle: Bundle) -> list[Alarm]:
        place = Chains(self._home.open_vault).follow(letter, bundle.id)
        if place.settles:
            self._letters.settle_gap(place.settles)
        return [*([Alarm.GAP] if place.gap else []), *([Alarm.BRANCH] if place.branch else [])]

    def _take_card(self, letter: Letter) -> None:
        """Take in what another editor tells of a card it has made."""
        manifest = self._home.book.manifest
        try:
            if manifest is not None and manifest.is_editor(letter.author):
                self._take_record(letter.inner.cargo, manifest)
        except PeerError:
            return

    def _take_keys(self, letter: Letter) -> None:
        """Take in keys that another editor has replaced."""
        with contextlib.suppress(PeerError):
            self._turning.take(letter)

    def _take_record(self, record: bytes, manifest: Manifest) -> None:
        """Take in a member, or a relay, that another editor gave a card to."""
        roster = Roster(self._home.open_vault)
        try:
            relay = decode_relay_record(record)
        except Malformed:
            member = decode_member(record)
            self._take_member(roster, member, manifest)
        else:
            relay = Keyring(self._home).corrected(relay)
            roster.add_relay(relay)
            replace_relay_key(self._home, keys_of(relay))
            self._home.tell(Topic.DESK)

    def _take_member(self, roster: Roster, member: Member, manifest: Manifest) -> None:
        byline = verify_certificate(member.certificate, manifest).byline
        is_new = roster.member(byline) is None
        roster.add_member(member, own=self._own())
        known = roster.member(byline)
        if is_new and known is not None:
            # In a mesh a dispatch may well be faster than word of who wrote it.
            gaps = Chains(self._home.open_vault).begin(byline)
            name, verdict = known.card.name, self._verdict(known)
            self._letters.name_author(byline, name=name, verdict=verdict, gaps=gaps)

    def _own(self) -> Ed25519Public:
        signer = Person(self._home.open_vault).sign_key()
        assert signer is not None, "an editor without a key that signs"
        return signer.public

    def _unreadable(self, bundle: Bundle, byline: bytes) -> None:
        if not Reopening(self._home.open_vault).is_first_unreadable(bundle):
            return
        known = Roster(self._home.open_vault).member(byline) if byline else None
        self._letters.add(
            Item(
                ref=bundle.ref,
                kind=Kind.DISPATCH,
                author=byline,
                name="" if known is None else known.card.name,
                slug="",
                priority=Priority.ROUTINE,
                claimed_at=0,
                arrived_at=max(1, self._home.wall.s),
                text="",
                reference=b"",
                verdict=Verdict.UNREADABLE,
            )
        )
        self._home.custody.pin(bundle.ref)

    # A reporter -----------------------------------------------------------------

    def _for_reporter(self, bundle: Bundle, letter: Letter, found: Found, opened: Opened) -> None:
        home = self._home
        manifest = home.book.manifest
        if manifest is None or not manifest.is_editor(letter.author):
            return
        inner = letter.inner
        if inner.kind is Kind.READ:
            self._dispatches.on_read(inner.reference, max(1, home.wall.s))
        elif inner.kind is Kind.REPLY:
            self._letters.add(
                Item(
                    ref=bundle.ref,
                    kind=Kind.REPLY,
                    author=letter.author,
                    name="",
                    slug=inner.slug,
                    priority=inner.priority,
                    claimed_at=letter.statement.claimed_time,
                    arrived_at=max(1, home.wall.s),
                    text=inner.text,
                    reference=self._dispatches.named(inner.reference)[:REFERENCE_BYTES],
                    verdict=Verdict.DESK,
                )
            )
        elif not self._takes_refresh(letter):
            return
        self._confirm(bundle, Before(opened.purge, Ed25519Secret(opened.answer_seed).public))
        Wallet(home.open_vault, home.entropy).spend_reply_key(found.ref, bundle.ref)

    def _takes_refresh(self, letter: Letter) -> bool:
        try:
            taken = self._refreshing.take(letter)
        except PeerError:
            # An editor's machine that writes nonsense: nothing to keep, and no
            # reason to let it come again.
            return True
        self._notices.follow_keys()
        return taken


def _usefulness(pair: tuple[Found, Key]) -> tuple[bool, bool]:
    """Order keys: one that opens, then one that was burnt, then one that nobody here knows."""
    _, key = pair
    return key.secret is not None, bool(key.byline)
