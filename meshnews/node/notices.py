"""Notices to all: what an editor publishes, and what every node does with one that comes in.

A notice is a class-0 bundle under the desk notice key with a signed object
inside.  The bundle that bears the newest object of its kind is pinned and
offered until it is superseded; a fresh envelope of the same object takes its
place when its day is later.  See docs/protocol/keys.md.
"""

from typing import Final

from meshnews.bundle.envelope import even_day
from meshnews.bundle.format import Bundle, parse
from meshnews.bundle.open import find, open_found, open_notice
from meshnews.bundle.postage import frank, issue
from meshnews.bundle.seal import epoch_ref, seal_notice
from meshnews.bundle.statement import read
from meshnews.crypto.keys import Ed25519Secret, PrekeySecret
from meshnews.desk.notice import Notice, NoticeKind, decode_notice
from meshnews.errors import PeerError
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import LIVES_DAYS
from meshnews.node.event import Topic
from meshnews.node.home import Home
from meshnews.node.refreshing import Refreshing

LIFE_DAYS: Final = LIVES_DAYS[-1]


class Notices:
    """Publishes and takes in notices to all."""

    def __init__(self, home: Home, refreshing: Refreshing) -> None:
        self._home = home
        self._refreshing = refreshing
        home.custody.learn = self.learn

    def publish(self, notice: Notice, issuer: Ed25519Secret, *, issuer_ends: Day) -> None:
        """Seal a signed object for all, and let it travel at once."""
        home = self._home
        assert home.identity.notice_key is not None, "a desk without a notice key"
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
            home.identity.notice_key.raw,
            day=day,
            entropy=home.entropy,
            auth_for=lambda bundle_id: frank(postage, bundle_id),
        )
        home.publish(sealed.bundle, release_after_s=0.0)
        self._bear(notice, sealed.bundle.ref)

    def learn(self, bundle: Bundle, *, is_franked: bool) -> bool:
        """Take in what a notice bears for all, before it is kept; tell whether it was news."""
        try:
            notice = self._open(bundle)
            if notice is None or not self._home.book.take(notice, is_franked=is_franked):
                return False
        except PeerError:
            # Its signer may stand in a manifest that has not come yet: it is
            # kept as any other bundle and tried again when that has.
            return False
        before = self._home.book.drop_bearer(notice)
        if before is not None:
            self._home.custody.forget(before)
        self._learnt(notice)
        return True

    def arrived(self, bundle: Bundle) -> None:
        """Let a class-0 bundle bear what it brought, if it is for all and none newer does."""
        try:
            notice = self._open(bundle)
            if notice is None:
                self._try_as_ours(bundle)
            elif self.learn(bundle, is_franked=True) or self._home.book.is_known(notice):
                self._bear_if_later(notice, bundle.ref)
        except PeerError:
            return

    def _open(self, bundle: Bundle) -> Notice | None:
        key = self._home.identity.notice_key
        opened = None if key is None else open_notice(bundle, key.raw)
        return None if opened is None else decode_notice(opened.payload)

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

    def _bear_if_later(self, notice: Notice, ref: BundleRef) -> None:
        before = self._home.book.bearer(notice)
        if before is None or before.day < ref.day or self._home.custody.entry(before) is None:
            self._bear(notice, ref)

    def _bear(self, notice: Notice, ref: BundleRef) -> None:
        home = self._home
        before = home.book.bearer(notice)
        home.custody.pin(ref)
        home.book.set_bearer(notice, ref)
        if before is not None and before != ref:
            home.custody.forget(before)
