r"""Filing: sealing a dispatch for the desk, so that this machine cannot open it any more.

    begin -> (attach -> add … -> end_attachment) … -> finish
          \-> abandon

Chunks of attachments go to carry as they are sealed, withheld from the set.
`finish` seals the text that names them, spends what sealing needs and deletes
it, and lets everything enter the set after one random hold.

The vault commits before carry, and each is atomic alone.  So the sealed text
also lies on a shelf of the vault until carry is known to have it, and chunks
are known by their draft: `recover` completes what a crash cut in two, and
drops the chunks of what was never finished.
"""

from dataclasses import dataclass, field
from typing import Final

from meshnews.bundle.chunks import TreeWriter
from meshnews.bundle.envelope import even_day
from meshnews.bundle.format import Bundle
from meshnews.bundle.postage import ByPostage
from meshnews.bundle.seal import Draft as Envelope
from meshnews.bundle.seal import Reader, draft, seal
from meshnews.bundle.statement import (
    AttachmentTree,
    Inner,
    Kind,
    Priority,
    ReplyKey,
    ReplyTo,
    Role,
    chain_link,
    clean_text,
    text_capacity,
    write,
)
from meshnews.crypto.keys import Ed25519Public
from meshnews.desk.certificate import read_certificate
from meshnews.desk.limits import EDITORS_MAX
from meshnews.desk.manifest import Role as EditorRole
from meshnews.errors import LocalMisuse
from meshnews.ids import BundleRef, Day
from meshnews.limits import ATTACHMENTS_MAX, CHUNK_BYTES, SLUG_CHARS_MAX
from meshnews.node import shelf
from meshnews.node.dispatches import filing_refusal as refusal
from meshnews.node.dispatches.dispatch import Attached, Dispatch, Dispatches
from meshnews.node.dispatches.filing_room import require_room
from meshnews.node.dispatches.purse import CHUNK_KINDS, LIFE_DAYS, Purse, latest_day, text_kind
from meshnews.node.home import Home
from meshnews.node.office.recalling import require_in_force
from meshnews.node.person import Person
from meshnews.node.records.outbox import Outbox
from meshnews.node.records.reply_keys import deal, in_turn
from meshnews.node.records.wallet import Wallet
from meshnews.store.age import day_at
from meshnews.store.reference import key_of, ref_of

REPLY_KEYS: Final = 4
_NEVER_S: Final = 1e12
"""The release time of a chunk whose dispatch is not finished."""


@dataclass
class FilingDraft:
    """A dispatch while it is being filed.  Lives in memory; its chunks are on carry."""

    id: bytes
    priority: Priority
    day: Day
    clock_trusted: bool
    knows_day: bool
    """By the clock or from a person; otherwise `day` is the latest that can be."""
    purse: Purse
    attachments: list[Attached] = field(default_factory=list)
    trees: list[AttachmentTree] = field(default_factory=list)
    parts: list[list[BundleRef]] = field(default_factory=list)
    writer: TreeWriter | None = None
    rest: bytes = b""


@dataclass(frozen=True, slots=True)
class Filed:
    """What `finish` tells: the identifier, and what a person should know."""

    ref: BundleRef
    readers: int
    shared_keys: bool
    """An editor was sealed to by an epoch key, which other dispatches share."""
    stale_keys: bool
    """And one such key no longer covers the date."""


class Filing:
    """Files dispatches for one person."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._outbox = Outbox(home)

    def begin(self, priority: Priority, *, today: Day | None = None) -> FilingDraft:
        """Return a new draft.

        `today` is the date a person gave; without it the clock is asked, and
        when that cannot be believed the day is the latest that postage allows:
        too long a life is better than silent loss.

        Raises:
            Refusal: there is no card or it was recalled, no postage is left, or `today` cannot be.
        """
        home = self._home
        if home.vault is None or Person(home.vault).certificate() is None:
            raise refusal.no_card()
        require_in_force(home)
        wallet, floor_day, kind = self._wallet(), home.moment.floor_day, text_kind(priority)
        latest = latest_day(wallet, [kind], floor_day=floor_day)
        trusted = home.wall.trusted
        if today is not None and today < floor_day:
            raise refusal.date_too_early()
        if today is not None:
            day = today
        elif trusted:
            day = home.moment.today
        else:
            day = latest_day(wallet, [kind, *CHUNK_KINDS], floor_day=floor_day)
        if day > latest:
            raise refusal.no_postage()
        return FilingDraft(
            home.entropy.draw(16),
            priority,
            even_day(day),
            trusted,
            trusted or today is not None,
            Purse(even_day(day)),
        )

    # Attachments ----------------------------------------------------------

    def attach(
        self,
        filing: FilingDraft,
        name: str,
        *,
        size: int,
        role: Role,
        bytes_free: int | None = None,
    ) -> None:
        """Begin an attachment of `size` bytes; `bytes_free` is what the disk has left, if known.

        Raises:
            Refusal: there are too many already, or the disk has no room for it.
        """
        if filing.writer is not None:
            raise LocalMisuse("an attachment inside an attachment")
        if len(filing.trees) >= ATTACHMENTS_MAX:
            raise refusal.too_many_attachments()
        require_room(size, bytes_free)
        filing.writer = TreeWriter(
            self._home.entropy.draw(32),
            name=name,
            size=size,
            role=role,
            life=LIFE_DAYS,
            day=filing.day,
            franker=lambda traffic: filing.purse.chunk_franker(self._wallet(), traffic),
        )
        filing.attachments.append(Attached(name, size, 0))
        filing.parts.append([])

    def add(self, filing: FilingDraft, data: bytes) -> None:
        """Take the next bytes of the attachment, however many.

        Raises:
            Refusal: no postage is left.
            StoreFull: there is no room.
        """
        writer = _writing(filing)
        pending = filing.rest + data
        whole = len(pending) - len(pending) % CHUNK_BYTES
        for start in range(0, whole, CHUNK_BYTES):
            self._keep_chunks(filing, writer.add(pending[start : start + CHUNK_BYTES]))
        filing.rest = pending[whole:]

    def end_attachment(self, filing: FilingDraft) -> None:
        """Seal what is left of the attachment.

        Raises:
            Refusal: the file is not as long as was said, or no postage is left.
        """
        writer = _writing(filing)
        try:
            if filing.rest:
                self._keep_chunks(filing, writer.add(filing.rest))
            bundles, tree = writer.finish()
        except LocalMisuse as exc:
            raise refusal.file_changed() from exc
        self._keep_chunks(filing, bundles)
        filing.rest, filing.writer = b"", None
        filing.trees.append(tree)
        made = filing.attachments[-1]
        filing.attachments[-1] = Attached(made.name, made.size, len(filing.parts[-1]))

    def _keep_chunks(self, filing: FilingDraft, bundles: list[Bundle]) -> None:
        for bundle in bundles:
            self._home.publish(bundle, release_after_s=_NEVER_S)
            self._home.carry.put(shelf.DRAFT, key_of(bundle.ref), filing.id)
            filing.parts[-1].append(bundle.ref)

    def _wallet(self) -> Wallet:
        return Wallet(self._home.open_vault, self._home.entropy)

    # The end --------------------------------------------------------------

    def finish(
        self, filing: FilingDraft, *, text: str, slug: str, now: bool, forget: bool
    ) -> Filed:
        """Seal the text, and let the dispatch travel: at once, or after a random hold.

        Raises:
            Refusal: the text or slug cannot be sealed, no editor can be sealed
                to, no postage is left, or chunks are gone since the node was
                built anew.
        """
        home = self._home
        if filing.writer is not None:
            raise LocalMisuse("an attachment that was not ended")
        if not all(self._is_unfinished(filing, ref) for part in filing.parts for ref in part):
            raise refusal.interrupted()
        inner = self._inner(filing, text, slug)
        readers, stale = self._readers(filing)
        person = Person(home.open_vault)
        signer = person.sign_key()
        assert signer is not None, "a card without a byline key"
        assert home.identity.desk is not None, "a card without a desk"
        seq, prev = person.chain()
        envelope = draft(home.entropy)
        payload = write(
            inner,
            signer=signer,
            pc=envelope.pc,
            desk=home.identity.desk,
            seq=seq,
            prev=prev,
            claimed_time=_claimed_time(home),
            attachments=filing.trees,
            reply=self._reply_to(list(readers), seq),
        )
        bundle = self._seal(filing, payload, list(readers.values()), envelope)
        person.set_chain(seq + 1, chain_link(payload))
        self._release(filing, bundle, now=now)
        if not forget:
            self._record(filing, bundle, inner.slug)
        shared = any(not reader.prekey.psk for reader in readers.values())
        return Filed(bundle.ref, len(readers), shared, stale)

    def _inner(self, filing: FilingDraft, text: str, slug: str) -> Inner:
        word = clean_text(slug, multiline=False)
        if not word or any(char.isspace() for char in word) or len(word) > SLUG_CHARS_MAX:
            raise refusal.bad_slug()
        words = clean_text(text)
        room = text_capacity(
            word,
            traffic=filing.priority.traffic,
            day=filing.day,
            attachments=len(filing.trees),
            reply_keys=REPLY_KEYS,
        )
        needed = len(words.encode("utf-8"))
        if needed > room:
            raise refusal.text_too_long(needed, room)
        return Inner(Kind.DISPATCH, word, filing.priority, text=words)

    def _readers(self, filing: FilingDraft) -> tuple[dict[Ed25519Public, Reader], bool]:
        """Return which editors the text is sealed to, and whether one has only a stale key."""
        home = self._home
        manifest = home.book.manifest
        assert manifest is not None, "a card without a manifest"
        wallet = self._wallet()
        readers: dict[Ed25519Public, Reader] = {}
        stale = False
        for editor in manifest.holders_of(EditorRole.OPEN)[:EDITORS_MAX]:
            bulletin = home.book.bulletins.get(editor)
            own = wallet.draw_prekey(editor)
            if own is not None:
                scan = own.scan if bulletin is None else bulletin.scan
                readers[editor] = Reader(scan, own.prekey)
            elif bulletin is not None:
                choice = bulletin.epoch_for(filing.day if filing.knows_day else None)
                if choice is not None:
                    readers[editor] = Reader(bulletin.scan, choice.epoch.prekey)
                    stale = stale or choice.stale
        if not readers:
            raise refusal.no_reader()
        return readers, stale

    def _reply_to(self, editors: list[Ed25519Public], seq: int) -> ReplyTo:
        """Make keys for answers, each for one of the editors who can read the dispatch."""
        wallet, certificate = self._wallet(), Person(self._home.open_vault).certificate()
        assert certificate is not None, "a draft without a card"
        keeper = read_certificate(certificate).editor
        scan = wallet.reply_scan(self._home.moment.today)
        dealt = deal(wallet.make_reply_keys(REPLY_KEYS), in_turn(editors, first=keeper, start=seq))
        keys = (ReplyKey.of(editor, key) for editor, share in dealt.items() for key in share)
        return ReplyTo(scan, tuple(keys))

    def _seal(
        self, filing: FilingDraft, payload: bytes, readers: list[Reader], envelope: Envelope
    ) -> Bundle:
        kind = text_kind(filing.priority)
        key = filing.purse.draw(self._wallet(), kind)
        return seal(
            payload,
            readers,
            traffic=kind[0],
            day=filing.day,
            life=LIFE_DAYS,
            entropy=self._home.entropy,
            franker=ByPostage(key),
            envelope=envelope,
        ).bundle

    def _release(self, filing: FilingDraft, bundle: Bundle, *, now: bool) -> None:
        home = self._home
        urgent = filing.priority in (Priority.FLASH, Priority.URGENT)
        longest = home.settings.flash_hold_s_max if urgent else home.settings.hold_s_max
        hold_s = 0.0 if now else home.hold_s(longest)
        self._outbox.keep(bundle, filing.id, hold_s=hold_s)
        home.publish(bundle, release_after_s=hold_s)
        self._let_go([ref for part in filing.parts for ref in part], hold_s)

    def _let_go(self, chunks: list[BundleRef], hold_s: float) -> None:
        home = self._home
        for ref in chunks:
            home.custody.release_own(ref, home.moment, release_after_s=hold_s)
            if hold_s <= 0:
                home.announced.append(ref)
            home.carry.delete(shelf.DRAFT, key_of(ref))

    def _record(self, filing: FilingDraft, bundle: Bundle, slug: str) -> None:
        dispatch = Dispatch(
            ref=bundle.ref,
            draft=filing.id,
            filed_at=max(1, self._home.wall.s),
            clock_trusted=filing.clock_trusted,
            slug=slug,
            priority=filing.priority,
            attachments=tuple(filing.attachments),
        )
        Dispatches(self._home).record(dispatch, filing.parts, pc=bundle.pc)

    def abandon(self, filing: FilingDraft) -> None:
        """Drop a draft and its chunks; what they spent is gone.

        Of a dispatch that was finished nothing is dropped: whoever was cut off from
        `finish` cannot know that it was.
        """
        for part in filing.parts:
            for ref in part:
                if self._is_unfinished(filing, ref):
                    self._drop(ref)

    def finished_as(self, filing: FilingDraft) -> BundleRef | None:
        """Return as what a draft was filed, for who was cut off from `finish`; None: it was not."""
        for progress in Dispatches(self._home).all():
            if progress.dispatch.draft == filing.id:
                return progress.dispatch.ref
        return self._outbox.find(filing.id)

    def _is_unfinished(self, filing: FilingDraft, ref: BundleRef) -> bool:
        return self._home.carry.get(shelf.DRAFT, key_of(ref)) == filing.id

    def _drop(self, ref: BundleRef) -> None:
        self._home.custody.forget(ref)
        self._home.carry.delete(shelf.DRAFT, key_of(ref))

    # After a crash --------------------------------------------------------

    def recover(self) -> None:
        """Complete what a crash cut in two, and drop what was never finished.

        To be called once, when the node starts.  Does nothing while the vault
        is closed: only it knows what was finished.
        """
        home = self._home
        if home.vault is None:
            return
        finished = self._outbox.restore()
        for key, draft_id in home.carry.scan(shelf.DRAFT):
            if draft_id in finished:
                self._let_go([ref_of(key)], finished[draft_id])
            else:
                self._drop(ref_of(key))


def _claimed_time(home: Home) -> int:
    """Return when the author says it was written; 0 where the clock shows what cannot be."""
    return home.wall.s if day_at(home.wall.s) >= max(1, home.moment.floor_day) else 0


def _writing(filing: FilingDraft) -> TreeWriter:
    if filing.writer is None:
        raise LocalMisuse("bytes for no attachment")
    return filing.writer
