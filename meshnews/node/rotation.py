"""An editor's calendar: new scan and epoch keys, bulletins and notices in time.

Lives of keys are rotation intervals, never a reason to stop: an editor who was
away for a year publishes what is due when back.  See docs/protocol/keys.md.
"""

from typing import Final

from meshnews.crypto.keys import Ed25519Secret
from meshnews.desk.bulletin import Bulletin, RelayEntry, RelayFlags, sign_bulletin
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.ids import Day
from meshnews.node.desk_keys import DeskKeys
from meshnews.node.home import Home
from meshnews.node.identity import Role
from meshnews.node.notices import Notices
from meshnews.node.person import Person
from meshnews.node.roster import Roster

TURN_S: Final = 3600.0
RENEW_DAYS: Final = 7
"""A bulletin or a manifest's envelope older than this is published afresh."""


class Rotation:
    """Keeps what one editor publishes fresh."""

    def __init__(self, home: Home, notices: Notices) -> None:
        self._home = home
        self._notices = notices
        self._turned_s: float | None = None
        self._day: Day | None = None

    def turn(self, *, now: bool = False) -> None:
        """Publish what is due, once an hour and at a new day; with `now`, at once."""
        home = self._home
        due = self._turned_s is None or home.moment.lived_s >= self._turned_s + TURN_S
        if home.vault is None or not (now or due or self._day != home.moment.today):
            return
        self._turned_s, self._day = home.moment.lived_s, home.moment.today
        signer = Person(home.vault).sign_key()
        if home.identity.role is not Role.EDITOR or signer is None:
            return
        if home.book.manifest is not None and home.book.manifest.is_editor(signer.public):
            self._publish(signer)

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
        elif not self._is_borne(self._known(NoticeKind.BULLETIN, signer)):
            borne = self._known(NoticeKind.BULLETIN, signer)
            self._notices.publish(borne, issuer, issuer_ends=ends)
        manifest = self._known(NoticeKind.MANIFEST, signer)
        bearer = home.book.bearer(manifest)
        if not self._is_borne(manifest) or (
            bearer is not None and bearer.day + RENEW_DAYS <= home.moment.today
        ):
            self._notices.publish(manifest, issuer, issuer_ends=ends)

    def introduce(self, request: bytes) -> None:
        """Let all know an editor's first keys, until it publishes by itself."""
        home = self._home
        issuer, ends = DeskKeys(home.open_vault, home.entropy).issuer(), self.issuer_ends()
        notice = Notice(NoticeKind.EDITOR, request)
        if issuer is not None and ends is not None and home.book.take(notice):
            self._notices.publish(notice, issuer, issuer_ends=ends)

    def _has_changed(self, known: Bulletin, keys: DeskKeys) -> bool:
        return (
            known.scan != keys.scan(self._home.moment.today).public
            or known.relays != self._relays()
        )

    def _is_old(self, known: Bulletin) -> bool:
        """Tell whether its epoch keys reach a week less far ahead than they should."""
        first = min((epoch.first_day for epoch in known.epochs if epoch.days == 1), default=0)
        return first + RENEW_DAYS <= self._home.moment.today

    def _relays(self) -> tuple[RelayEntry, ...]:
        records = Roster(self._home.open_vault).relays()
        own = self._home.identity.relay
        entries = [record.entry for record in records]
        if own is not None:
            flags = RelayFlags.COLLECTOR
            entries.append(RelayEntry(own.static.public, own.notice.public, own.sign.public, flags))
        return tuple(sorted(entries, key=lambda entry: entry.static))

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
            endpoints=() if known is None else known.endpoints,
        )

    def _known(self, kind: NoticeKind, signer: Ed25519Secret) -> Notice:
        signed = self._home.book.signed_object(kind, signer.public)
        assert signed is not None, "an editor without a manifest or bulletin"
        return Notice(kind, signed)

    def _is_borne(self, notice: Notice) -> bool:
        bearer = self._home.book.bearer(notice)
        return bearer is not None and self._home.custody.entry(bearer) is not None

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
