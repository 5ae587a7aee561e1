"""Notices to all: what an editor publishes, and what every node does with one that comes in.

A notice is a class-0 bundle under the desk notice key with a signed object
inside.  The bundle that bears the newest object of its kind is pinned and
offered until it is superseded; a fresh envelope of the same object takes its
place when its day is later.  When the desk notice key was replaced, notices are
made and read under both for a while, and each has its bearer.
See docs/protocol/keys.md and docs/protocol/recall.md.
"""

from dataclasses import dataclass
from typing import Final

from meshnews.bundle.envelope import even_day
from meshnews.bundle.format import Bundle, parse
from meshnews.bundle.open import find, open_found, open_notice
from meshnews.bundle.postage import ByPostage, issue
from meshnews.bundle.seal import epoch_ref, seal_notice
from meshnews.bundle.statement import read
from meshnews.crypto.keys import Ed25519Secret, PrekeySecret, SymmetricKey
from meshnews.desk.notice import Notice, NoticeKind, decode_notice
from meshnews.errors import PeerError
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import LIVES_DAYS
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.office.refreshing import Refreshing
from meshnews.node.records.former import notice_keys

LIFE_DAYS: Final = LIVES_DAYS[-1]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A notice, and the desk notice key that opened it."""

    notice: Notice
    under: SymmetricKey


class Notices:
    """Publishes and takes in notices to all."""

    def __init__(self, home: Home, refreshing: Refreshing) -> None:
        self._home = home
        self._refreshing = refreshing
        self._tried_under = home.identity.notice_key
        home.custody.learn = self.learn

    def publish(self, notice: Notice, issuer: Ed25519Secret, *, issuer_ends: Day) -> None:
        """Seal a signed object for all, under each key that holders read by, and let it travel."""
        keys = notice_keys(self._home)
        assert keys, "a desk without a notice key"
        for key in keys:
            self._publish(notice, key, issuer, issuer_ends)

    def _publish(
        self, notice: Notice, key: SymmetricKey, issuer: Ed25519Secret, issuer_ends: Day
    ) -> None:
        home = self._home
        day = even_day(min(home.moment.today, issuer_ends - 2 - LIFE_DAYS))
        postage = issue(
            issuer,
            home.entropy,
            expiry_day=Day(day + 2 + LIFE_DAYS),
            traffic=TrafficClass.NOTICE,
            n=1,
            count=1,
        )[0]
        sealed = seal_notice(
            notice.encode(),
            key.raw,
            day=day,
            entropy=home.entropy,
            franker=ByPostage(postage),
        )
        home.publish(sealed.bundle, release_after_s=0.0)
        self._bear(notice, key, sealed.bundle.ref)

    def bearer(self, notice: Notice) -> BundleRef | None:
        """Return the bundle that bears the newest object of this kind under the key of today."""
        key = self._home.identity.notice_key
        return None if key is None else self._home.book.bearer(notice, key)

    def is_borne(self, notice: Notice) -> bool:
        """Tell whether that bundle is here."""
        bearer = self.bearer(notice)
        return bearer is not None and self._home.custody.entry(bearer) is not None

    def follow_keys(self) -> None:
        """Try again what could not be read, once the desk notice key was replaced."""
        if self._home.identity.notice_key != self._tried_under:
            self._tried_under = self._home.identity.notice_key
            self._try_again()

    def sweep(self) -> None:
        """Let envelopes go under keys that count no more."""
        home = self._home
        for ref in home.book.drop_bearers_besides(notice_keys(home)):
            home.custody.unpin(ref, home.moment)

    def learn(self, bundle: Bundle, *, is_franked: bool) -> bool:
        """Take in what a notice bears for all, before it is kept; tell whether it was news."""
        try:
            opened = self._open(bundle)
            if opened is None or not self._home.book.take(opened.notice, is_franked=is_franked):
                return False
        except PeerError:
            # Its signer may stand in a manifest that has not come yet: it is
            # kept as any other bundle and tried again when that has.
            return False
        for before in self._home.book.drop_bearers(opened.notice):
            self._home.custody.forget(before)
        self._learnt(opened.notice)
        return True

    def arrived(self, bundle: Bundle) -> None:
        """Let a class-0 bundle bear what it brought, if it is for all and none newer does."""
        try:
            opened = self._open(bundle)
            if opened is None:
                self._try_as_ours(bundle)
            elif self.learn(bundle, is_franked=True) or self._home.book.is_known(opened.notice):
                self._bear_if_later(opened.notice, opened.under, bundle.ref)
        except PeerError:
            return

    def _open(self, bundle: Bundle) -> "_Opened | None":
        for key in notice_keys(self._home):
            opened = open_notice(bundle, key.raw)
            if opened is not None:
                return _Opened(decode_notice(opened.payload), key)
        return None

    def _try_as_ours(self, bundle: Bundle) -> None:
        """Open what is sealed to this relay alone: a refresh."""
        own, desk = self._home.identity.relay, self._home.identity.desk
        found = None if own is None else find(bundle, own.notice)
        if own is None or found is None:
            return
        secret = PrekeySecret(epoch_ref(own.notice.public), own.notice, b"")
        if found.ref == secret.ref:
            letter = read(open_found(bundle, found, secret).payload, bundle.pc)
            if letter.statement.desk == desk:
                self._refreshing.take(letter)
                self.follow_keys()

    def _learnt(self, notice: Notice) -> None:
        self._home.tell(Topic.DESK)
        manifest = self._home.book.manifest
        if notice.kind is NoticeKind.MANIFEST and manifest is not None:
            self._home.raise_floor(manifest.floor_time)
            self._try_again()

    def _try_again(self) -> None:
        """Try what lay there unrecognised: its signer may be in the new manifest."""
        home = self._home
        for day in home.custody.days(TrafficClass.NOTICE):
            for identifier, _ in home.custody.elements(TrafficClass.NOTICE, day):
                ref = BundleRef(TrafficClass.NOTICE, day, BundleId(identifier))
                wire = home.custody.body(ref)
                if wire is not None:
                    self.arrived(parse(wire))

    def _bear_if_later(self, notice: Notice, under: SymmetricKey, ref: BundleRef) -> None:
        before = self._home.book.bearer(notice, under)
        if before is None or before.day < ref.day or self._home.custody.entry(before) is None:
            self._bear(notice, under, ref)

    def _bear(self, notice: Notice, under: SymmetricKey, ref: BundleRef) -> None:
        home = self._home
        before = home.book.bearer(notice, under)
        home.custody.pin(ref)
        home.book.set_bearer(notice, under, ref)
        if before is not None and before != ref:
            home.custody.forget(before)
