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
        home.custody.is_news = self.is_news

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

    def is_news(self, bundle: Bundle) -> bool:
        """Tell whether a bundle opens to something validly signed that is newer than ours."""
        try:
            notice = self._open(bundle)
            return notice is not None and self._home.book.is_news(notice)
        except PeerError:
            return False

    def arrived(self, bundle: Bundle) -> None:
        """Take in what a class-0 bundle bears, if it is for all and is not older than ours."""
        try:
            notice = self._open(bundle)
            if notice is None:
                self._try_as_ours(bundle)
                return
            if self._home.book.take(notice):
                self._bear(notice, bundle.ref)
                self._learnt(notice)
            elif self._home.book.is_known(notice):
                self._refresh(notice, bundle.ref)
        except PeerError:
            # Its signer may stand in a manifest that has not come yet: it is
            # held as any other bundle and tried again when that has.
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

    def _refresh(self, notice: Notice, ref: BundleRef) -> None:
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
