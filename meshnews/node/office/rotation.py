"""An editor's calendar: new scan and epoch keys, bulletins and notices in time.

Lives of keys are rotation intervals, never a reason to stop: an editor who was
away for a year publishes what is due when back.  See docs/protocol/keys.md.
"""

from typing import Final

from meshnews.bundle.envelope import even_day
from meshnews.crypto.keys import Ed25519Secret, SymmetricKey
from meshnews.desk.bulletin import Bulletin, Endpoint, RelayEntry, RelayFlags, sign_bulletin
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.recall import revocation_id
from meshnews.ids import Day
from meshnews.link.rendezvous import mesh_key_on
from meshnews.node.home import Home
from meshnews.node.identity import Role
from meshnews.node.office.notices import LIFE_DAYS, Notices
from meshnews.node.office.supply import Supply
from meshnews.node.office.turning import Turning
from meshnews.node.person import Person
from meshnews.node.records.desk_keys import DeskKeys
from meshnews.node.records.roster import Roster
from meshnews.store.port import Vault
from meshnews.store.terms import FILING_DAYS

TURN_S: Final = 3600.0
RENEW_DAYS: Final = 7
"""A bulletin or a manifest's envelope older than this is published afresh."""


class Rotation:
    """Keeps what one editor publishes fresh."""

    def __init__(self, home: Home, notices: Notices, supply: Supply, turning: Turning) -> None:
        self._home = home
        self._notices = notices
        self._supply = supply
        self.turning = turning
        self._turned_s: float | None = None
        self._day: Day | None = None
        self._version: int | None = None
        self._notice_key: SymmetricKey | None = None

    def turn(self, *, now: bool = False) -> None:
        """Publish what is due, once an hour, at a new day, manifest or key; with `now`, at once."""
        home = self._home
        if home.vault is None or not (now or self._is_due()):
            return
        self._turned_s, self._day = home.moment.lived_s, home.moment.today
        self._version = self._manifest_version()
        self.turning.restore()
        self._notice_key = home.identity.notice_key
        self._ratchet(home.vault)
        signer = Person(home.vault).sign_key()
        if home.identity.role is not Role.EDITOR or signer is None:
            return
        if home.book.manifest is not None and home.book.manifest.is_editor(signer.public):
            self._publish(signer)
            self._supply.turn()
            self.turning.turn()

    def _is_due(self) -> bool:
        moment = self._home.moment
        if self._turned_s is None or moment.lived_s >= self._turned_s + TURN_S:
            return True
        if self.turning.is_behind:
            return True
        is_now = (moment.today, self._manifest_version(), self._home.identity.notice_key)
        return (self._day, self._version, self._notice_key) != is_now

    def _manifest_version(self) -> int | None:
        manifest = self._home.book.manifest
        return None if manifest is None else manifest.version

    def _ratchet(self, vault: Vault) -> None:
        """Forget the mesh keys of days that are over, as far as the time floor knows."""
        person = Person(vault)
        stored = person.mesh_key()
        # The day before is kept: a colleague's clock may be a day behind.
        day = Day(self._home.moment.floor_day - 1)
        if stored is not None and stored[1] < day:
            key, day_from = stored
            person.set_mesh_key(mesh_key_on(key, day_from=day_from, day_to=day), day)

    def _publish(self, signer: Ed25519Secret) -> None:
        home = self._home
        keys = DeskKeys(home.open_vault, home.entropy)
        issuer, ends = keys.issuer(), self.issuer_ends()
        if issuer is None or ends is None:
            return
        known = home.book.bulletins.get(signer.public)
        if known is None or self._has_changed(known, keys) or self._is_old(known):
            notice = Notice(
                NoticeKind.BULLETIN, sign_bulletin(self._bulletin(signer, keys), signer)
            )
            home.book.take(notice)
            self._notices.publish(notice, issuer, issuer_ends=ends)
        elif not self._notices.is_borne(self._known(NoticeKind.BULLETIN, signer)):
            borne = self._known(NoticeKind.BULLETIN, signer)
            self._notices.publish(borne, issuer, issuer_ends=ends)
        manifest = self._known(NoticeKind.MANIFEST, signer)
        if not self._notices.is_borne(manifest) or self._is_stale(manifest, ends):
            self._notices.publish(manifest, issuer, issuer_ends=ends)
        for recall in home.book.recalls():
            if not self._notices.is_borne(recall):
                self._notices.publish(recall, issuer, issuer_ends=ends)

    def announce_manifest(self) -> None:
        """Publish the manifest at once: a root has signed a new one."""
        home = self._home
        issuer, ends = DeskKeys(home.open_vault, home.entropy).issuer(), self.issuer_ends()
        signer = Person(home.open_vault).sign_key()
        if issuer is not None and ends is not None and signer is not None:
            manifest = self._known(NoticeKind.MANIFEST, signer)
            self._notices.publish(manifest, issuer, issuer_ends=ends)

    def introduce(self, request: bytes) -> None:
        """Let all know an editor's first keys, until it publishes by itself."""
        home = self._home
        issuer, ends = DeskKeys(home.open_vault, home.entropy).issuer(), self.issuer_ends()
        notice = Notice(NoticeKind.EDITOR, request)
        if issuer is not None and ends is not None and home.book.take(notice):
            self._notices.publish(notice, issuer, issuer_ends=ends)

    def _has_changed(self, known: Bulletin, keys: DeskKeys) -> bool:
        # Version 0 is what its request said of an editor: it has published nothing yet.
        return (
            known.version == 0
            or known.scan != keys.scan(self._home.moment.today).public
            or known.relays != self._relays()
            or known.endpoints != self._endpoints(known)
        )

    def _is_old(self, known: Bulletin) -> bool:
        """Tell whether its epoch keys reach a week less far ahead than they should."""
        first = min((epoch.first_day for epoch in known.epochs if epoch.days == 1), default=0)
        return first + RENEW_DAYS <= self._home.moment.today

    def _is_stale(self, notice: Notice, ends: Day) -> bool:
        """Tell whether its envelope is a week old, and a fresh one would have a later day."""
        bearer, today = self._notices.bearer(notice), self._home.moment.today
        # An issuer at its end certifies the same last day again and again.
        latest = even_day(Day(min(today, ends - FILING_DAYS - LIFE_DAYS)))
        return bearer is not None and bearer.day < latest and bearer.day + RENEW_DAYS <= today

    def _relays(self) -> tuple[RelayEntry, ...]:
        home = self._home
        known = [record.entry for record in Roster(home.open_vault).relays()]
        entries = [one for one in known if not home.book.is_recalled(revocation_id(one.static))]
        own = home.identity.relay
        if own is not None:
            flags = RelayFlags.COLLECTOR
            entries.append(RelayEntry(own.static.public, own.notice.public, own.sign.public, flags))
        return tuple(sorted(entries, key=lambda entry: entry.static))

    def _endpoints(self, known: Bulletin | None) -> tuple[Endpoint, ...]:
        wished = Person(self._home.open_vault).endpoints()
        if wished is None:
            return () if known is None else known.endpoints
        return wished

    def _bulletin(self, signer: Ed25519Secret, keys: DeskKeys) -> Bulletin:
        home = self._home
        assert home.book.desk is not None, "an editor without a desk"
        known = home.book.bulletins.get(signer.public)
        today = home.moment.today
        return Bulletin(
            desk=home.book.desk,
            signer=signer.public,
            version=1 if known is None else known.version + 1,
            scan=keys.scan(today).public,
            epochs=keys.epochs(today),
            relays=self._relays(),
            endpoints=self._endpoints(known),
        )

    def _known(self, kind: NoticeKind, signer: Ed25519Secret) -> Notice:
        signed = self._home.book.signed_object(kind, signer.public)
        assert signed is not None, "an editor without a manifest or bulletin"
        return Notice(kind, signed)

    def issuer_ends(self) -> Day | None:
        """Return the last day of this editor's postage issuer; None: the manifest has it not."""
        home = self._home
        issuer = DeskKeys(home.open_vault, home.entropy).issuer()
        if issuer is None or home.book.manifest is None:
            return None
        for one in home.book.manifest.issuers:
            if one.key == issuer.public:
                return one.expiry_day
        return None
