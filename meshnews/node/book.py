"""What this node knows of its desk: manifest, bulletins, recalls.

Kept on carry, since every machine needs it to judge postage and to know whom
to call.  Each object is verified when it comes in and when the node starts;
an older one never takes the place of a newer.  See docs/protocol/keys.md.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from meshnews.bundle.postage import issuer_id
from meshnews.crypto.keys import Ed25519Public, SymmetricKey
from meshnews.desk.bulletin import Bulletin, Directory, read_bulletin, unite, verify_bulletin
from meshnews.desk.bulletin import supersedes as bulletin_supersedes
from meshnews.desk.limits import RECALLED_MAX
from meshnews.desk.manifest import Manifest, verify_manifest
from meshnews.desk.manifest import supersedes as manifest_supersedes
from meshnews.desk.notice import Notice, NoticeKind
from meshnews.desk.recall import Recall, is_by_roots, verify_recall
from meshnews.desk.request import EditorRequest, verify_request
from meshnews.errors import PeerError
from meshnews.ids import BundleId, BundleRef, Day, DeskId, IssuerId, TrafficClass
from meshnews.node import shelf
from meshnews.store.port import Carry

_MANIFEST: Final = b"m"
_BULLETIN: Final = b"b"
_RECALL: Final = b"r"
_EDITOR: Final = b"e"
_BEARER: Final = b"n"
_TAG_BYTES: Final = 4


SELF_RECALLS_MAX: Final = RECALLED_MAX // 2
"""Recalls beyond which none is heard that only the recalled key has signed.

Anybody can make keys and recall them; the roots' word must find room beside that."""


class DeskBook:
    """The signed objects of one desk, the newest of each.

    Attributes:
        manifest: what the roots say, with the recalls that were heard beside it.
    """

    def __init__(self, carry: Carry, desk: DeskId | None) -> None:
        self._carry = carry
        self.desk = desk
        self.manifest: Manifest | None = None
        self._as_signed: Manifest | None = None
        self.bulletins: dict[Ed25519Public, Bulletin] = {}
        self._recalls: dict[bytes, Recall] = {}
        self._issuers: dict[IssuerId, list[tuple[Ed25519Public, Day]]] = {}
        if desk is not None:
            self._load()

    def _load(self) -> None:
        stored = self._carry.get(shelf.DESK, _MANIFEST)
        if stored is None:
            return
        manifest = verify_manifest(stored, self.desk)
        for _, value in self._carry.scan(shelf.DESK, _RECALL):
            recall = verify_recall(value, desk=manifest.desk)
            self._recalls[recall.revocation] = recall
        self._adopt(manifest)

    def _adopt(self, manifest: Manifest) -> None:
        self._as_signed = manifest
        self.manifest = manifest.also_recalling(self._recalls)
        self._issuers.clear()
        for issuer in manifest.issuers:
            known = self._issuers.setdefault(issuer_id(issuer.key), [])
            known.append((issuer.key, issuer.expiry_day))
        self._read_bulletins()

    def _read_bulletins(self) -> None:
        self.bulletins.clear()
        for _, value in self._carry.scan(shelf.DESK, _EDITOR):
            introduced = self._introduction(value)
            if introduced is not None:
                self.bulletins[introduced.signer] = introduced
        for _, value in self._carry.scan(shelf.DESK, _BULLETIN):
            self._read_bulletin(value)

    def _introduction(self, file: bytes) -> Bulletin | None:
        """Read an editor's request as what it says before its first bulletin: version 0."""
        request = verify_request(file)
        manifest = self.manifest
        if manifest is None or not isinstance(request, EditorRequest):
            return None
        if not manifest.is_editor(request.sign):
            return None
        return Bulletin(manifest.desk, request.sign, 0, request.scan, request.epochs)

    def _read_bulletin(self, value: bytes) -> None:
        # A bulletin of an editor whom a newer manifest dropped stays on the
        # shelf and counts no more.
        assert self.manifest is not None
        try:
            bulletin = verify_bulletin(value, self.manifest)
        except PeerError:
            return
        self.bulletins[bulletin.signer] = bulletin

    def issuers(self, issuer: IssuerId) -> Sequence[tuple[Ed25519Public, Day]]:
        """Return the postage issuers that go by this name, with the last day of each."""
        return self._issuers.get(issuer, ())

    @property
    def directory(self) -> Directory:
        """The relays, collectors and endpoints of the desk."""
        if self.manifest is None:
            return Directory((), ())
        return unite(self.bulletins.values(), self.manifest)

    def is_recalled(self, revoked: bytes) -> bool:
        """Tell whether a revocation identifier has been recalled, by manifest or notice."""
        return self.manifest is not None and revoked in self.manifest.recalled

    def is_news(self, notice: Notice, *, is_franked: bool = True) -> bool:
        """Tell whether `notice` carries something valid that is newer than what is known.

        A recall signed by the recalled key alone, which may be anybody's, is news only
        when an editor's postage brings it.

        Raises:
            PeerError: it carries nothing that this desk signed.
        """
        match notice.kind:
            case NoticeKind.MANIFEST:
                offered = verify_manifest(notice.signed, self.desk)
                return manifest_supersedes(offered, self._as_signed)
            case NoticeKind.BULLETIN:
                if self.manifest is None:
                    return False
                bulletin = verify_bulletin(notice.signed, self.manifest)
                return bulletin_supersedes(bulletin, self.bulletins.get(bulletin.signer))
            case NoticeKind.RECALL:
                return self._is_new_recall(notice.signed, is_franked=is_franked)
            case NoticeKind.EDITOR:
                introduced = self._introduction(notice.signed)
                return introduced is not None and introduced.signer not in self.bulletins

    def _is_new_recall(self, signed: bytes, *, is_franked: bool) -> bool:
        if self.manifest is None:
            return False
        recall = verify_recall(signed, desk=self.manifest.desk)
        if recall.revocation in self._recalls:
            return False
        known = len(self.manifest.recalled)
        if is_by_roots(signed):
            return known < RECALLED_MAX
        return is_franked and known < SELF_RECALLS_MAX

    def is_known(self, notice: Notice) -> bool:
        """Tell whether `notice` carries exactly what is known already: a fresh envelope of it."""
        return self._carry.get(shelf.DESK, self._key(notice)) == notice.signed

    def take(self, notice: Notice, *, is_franked: bool = True) -> bool:
        """Keep what `notice` carries if it is news; tell whether it was.

        Raises:
            PeerError: it carries nothing that this desk signed.
        """
        if not self.is_news(notice, is_franked=is_franked):
            return False
        self._carry.put(shelf.DESK, self._key(notice), notice.signed)
        match notice.kind:
            case NoticeKind.MANIFEST:
                self._adopt(verify_manifest(notice.signed, self.desk))
            case NoticeKind.BULLETIN:
                self._read_bulletin(notice.signed)
            case NoticeKind.RECALL:
                assert self._as_signed is not None
                recall = verify_recall(notice.signed, desk=self._as_signed.desk)
                self._recalls[recall.revocation] = recall
                self._adopt(self._as_signed)
            case NoticeKind.EDITOR:
                self._read_bulletins()
        return True

    def signed(self) -> tuple[bytes, tuple[bytes, ...]]:
        """Return the newest manifest and the bulletins that count, as signed, for a card."""
        manifest = self._carry.get(shelf.DESK, _MANIFEST) or b""
        bulletins = tuple(
            value
            for key, value in self._carry.scan(shelf.DESK, _BULLETIN)
            if key[1:] in self.bulletins
        )
        return manifest, bulletins

    def signed_object(self, kind: NoticeKind, signer: bytes) -> bytes | None:
        """Return the newest manifest, or a signer's newest bulletin, as signed."""
        key = _MANIFEST if kind is NoticeKind.MANIFEST else _BULLETIN + signer
        return self._carry.get(shelf.DESK, key)

    def _key(self, notice: Notice) -> bytes:
        match notice.kind:
            case NoticeKind.MANIFEST:
                return _MANIFEST
            case NoticeKind.BULLETIN:
                return _BULLETIN + read_bulletin(notice.signed).signer
            case NoticeKind.RECALL:
                assert self.desk is not None
                return _RECALL + verify_recall(notice.signed, desk=self.desk).revocation
            case NoticeKind.EDITOR:
                return _EDITOR + verify_request(notice.signed).signer

    def recalls(self) -> Iterator[Notice]:
        """Yield the recalls that were heard as notices, as signed."""
        for _, value in self._carry.scan(shelf.DESK, _RECALL):
            yield Notice(NoticeKind.RECALL, value)

    # The bundles that bear them, by the desk notice key of their envelopes --

    def bearer(self, notice: Notice, under: SymmetricKey) -> BundleRef | None:
        """Return the bundle in which this node holds the newest object of this kind."""
        value = self._carry.get(shelf.DESK, self._bearer_key(notice) + _tag(under))
        return None if value is None else _bearer(value)

    def set_bearer(self, notice: Notice, under: SymmetricKey, ref: BundleRef) -> None:
        """Take note of the bundle that bears the newest object of this kind."""
        value = ref.day.to_bytes(4, "big") + ref.id
        self._carry.put(shelf.DESK, self._bearer_key(notice) + _tag(under), value)

    def drop_bearers(self, notice: Notice) -> list[BundleRef]:
        """Take note that no bundle here bears the newest object of this kind; return what did."""
        dropped = list(self._carry.scan(shelf.DESK, self._bearer_key(notice)))
        for key, _ in dropped:
            self._carry.delete(shelf.DESK, key)
        return [_bearer(value) for _, value in dropped]

    def drop_bearers_besides(self, keys: Sequence[SymmetricKey]) -> list[BundleRef]:
        """Take note that envelopes under other keys than these bear nothing; return them."""
        tags = tuple(map(_tag, keys))
        dropped = [
            (key, value)
            for key, value in self._carry.scan(shelf.DESK, _BEARER)
            if not key.endswith(tags)
        ]
        for key, _ in dropped:
            self._carry.delete(shelf.DESK, key)
        return [_bearer(value) for _, value in dropped]

    def _bearer_key(self, notice: Notice) -> bytes:
        return _BEARER + self._key(notice)


def _tag(under: SymmetricKey) -> bytes:
    return under.raw[:_TAG_BYTES]


def _bearer(value: bytes) -> BundleRef:
    day = Day(int.from_bytes(value[:4], "big"))
    return BundleRef(TrafficClass.NOTICE, day, BundleId(value[4:]))
