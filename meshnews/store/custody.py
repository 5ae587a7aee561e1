r"""Custody: which bundles a node takes, keeps, gives and lets go, and why.

    absent --verified, room--> HELD --receipt--> ACKED_WITH_BODY --6 h, pressure--> ACKED
       |                        |  \--age >= life--> AGED --pressure--> absent
       |                        \--pressure--> LACKING --asked for again--> HELD
       \--verified, no room--> LACKING

Nothing a peer can falsify (bad postage, great age, wrong bytes) leaves a mark
against an identifier: that copy is refused, and another may be taken.
Everything here happens inside the transaction of the port.  See
docs/protocol/custody.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from meshnews.bundle.format import Bundle, Offer, parse
from meshnews.bundle.postage import (
    CertificateMemo,
    Franked,
    Issuers,
    Postage,
    check_bundle,
    decode_auth,
)
from meshnews.bundle.receipt import (
    Receipt,
    ShortReceipt,
    decode_receipt,
    decode_short_receipt,
)
from meshnews.bundle.shape import HEAD_AT
from meshnews.crypto.entropy import Entropy, between
from meshnews.errors import Exceeded, Forged, LocalMisuse, PeerError
from meshnews.ids import AuthKind, BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import AGE_ROUND_S, RECEIPTS_UNKNOWN_MAX
from meshnews.store.age import DAY_S, Moment
from meshnews.store.port import WITH_BODY, Carry, Entry, State
from meshnews.store.room import Room
from meshnews.store.sweep import Sweeper
from meshnews.store.terms import (
    Accepted,
    Acknowledged,
    Given,
    Judgement,
    Swept,
    Terms,
)

__all__ = [
    "Accepted",
    "Acknowledged",
    "Custody",
    "Given",
    "Judgement",
    "Swept",
    "Terms",
]

AGE_HIDDEN_S_MAX: Final = 3600.0
"""An age is never said to be less than a random time up to this."""

UNKNOWN: Final = "unknown"
"""Shelf: issuer -> how many receipts of bundles never held are kept of it (u32)."""

LIFE_DAYS_MAX: Final = 16
"""The longest life, and the two days of its filing day."""

_FULL_RECEIPT_BYTES_MIN: Final = 65
_LIFE_AFTER_HEAD: Final = 3


class Custody:
    """The bundles of one node, under its terms.

    Attributes:
        is_news: tells whether a notice whose postage cannot be judged carries
            something validly signed and new; set by the node.
    """

    def __init__(
        self,
        carry: Carry,
        terms: Terms,
        entropy: Entropy,
        issuers: Issuers,
    ) -> None:
        self._carry = carry
        self._terms = terms
        self._entropy = entropy
        self._issuers = issuers
        self._memo = CertificateMemo()
        self._room = Room(carry, terms.quota_bytes)
        self._sweeper = Sweeper(carry, terms, entropy, self._room)
        self.is_news: Callable[[Bundle], bool] = lambda _: False

    # What is known --------------------------------------------------------

    def entry(self, ref: BundleRef) -> Entry | None:
        """Return what is known of a bundle."""
        return self._carry.entry(ref)

    def body(self, ref: BundleRef) -> bytes | None:
        """Return the wire form of a bundle that is held, for this machine's own use."""
        return self._carry.body(ref)

    def days(self, traffic: TrafficClass) -> list[Day]:
        """Return the days that have elements, ascending."""
        return self._carry.days(traffic)

    def digests(
        self, traffic: TrafficClass, newest: Day, oldest: Day
    ) -> Sequence[tuple[Day, bytes]]:
        """Return the digests of the buckets from `oldest` to `newest` that are not empty."""
        return [
            (day, self._carry.bucket_digest(traffic, day))
            for day in self._carry.days(traffic)
            if oldest <= day <= newest
        ]

    def elements(self, traffic: TrafficClass, day: Day) -> Sequence[tuple[BundleId, State]]:
        """Return the elements of one bucket, in order of identifier."""
        return self._carry.elements(traffic, day)

    def free_bytes(self) -> int:
        """Return how many bytes of bodies there is room for."""
        return self._room.free_bytes

    def free_space(self, bytes_free: int) -> None:
        """Take note of what the disk has left."""
        self._room.free_space(bytes_free)

    # Taking in ------------------------------------------------------------

    def wants(self, ref: BundleRef, their_state: State, moment: Moment) -> bool:
        """Tell whether the body of a bundle that a peer lists is wanted."""
        if their_state not in WITH_BODY:
            return False
        known = self._carry.entry(ref)
        if known is None:
            if their_state is State.ACKED_WITH_BODY and not self._terms.desk:
                return False
            return self._may_live(ref, moment)
        if known.state is State.LACKING:
            return self._room.could_take(ref, known.size)
        return self._terms.desk and known.state is State.ACKED and not known.had_body

    def _may_live(self, ref: BundleRef, moment: Moment) -> bool:
        if ref.traffic is TrafficClass.NOTICE or self._terms.desk:
            return True
        return ref.day + LIFE_DAYS_MAX >= moment.floor_day

    def judge(self, offer: Offer, moment: Moment) -> Judgement:
        """Judge a bundle by what its identifier commits to, before its body moves.

        Raises:
            Malformed, Forged, Exceeded: this copy's postage is bad; no mark is left.
        """
        known = self._carry.entry(offer.ref)
        if known is not None and not self._lacks_body(known):
            return Judgement.KNOWN
        refusal = self._refusal(offer, moment)
        if refusal is not None:
            return refusal
        franked = self._franked(offer)
        if known is None and not self._among_lowest(offer, franked):
            return Judgement.REFUSED
        if self._room.could_take(offer.ref, offer.size):
            return Judgement.WANTED
        if known is None:
            self._note_lacking(offer, franked, moment)
        return Judgement.NO_ROOM

    def accept(
        self, wire: bytes, *, age_s: int, moment: Moment, judged: Offer | None = None
    ) -> Accepted:
        """Verify a bundle that was brought, and keep it if it is wanted.

        Raises:
            Malformed, Forged, Exceeded: it is no bundle, or this copy's postage is
                bad; nothing is kept and no mark is left.
        """
        bundle = parse(wire)
        known = self._carry.entry(bundle.ref)
        if known is not None and not self._lacks_body(known):
            self._take_younger(known, bundle, age_s, moment)
            return Accepted(bundle, Judgement.KNOWN)
        refusal = self._refusal(bundle, moment)
        if refusal is not None:
            return self._accept_stranger(bundle, refusal, age_s, moment)
        is_judged = judged is not None and judged.ref == bundle.ref and judged.auth == bundle.auth
        franked = self._named(bundle) if is_judged else self._franked(bundle)
        if known is None and not self._make_lowest(bundle, franked):
            return Accepted(bundle, Judgement.REFUSED)
        if not self._room.make(bundle.ref, bundle.size, franked.kind):
            if known is None:
                self._note_lacking(bundle, franked, moment)
            return Accepted(bundle, Judgement.NO_ROOM)
        self._keep(bundle, franked, age_s, moment, known)
        return Accepted(bundle, Judgement.WANTED)

    def _accept_stranger(
        self, bundle: Bundle, refusal: Judgement, age_s: int, moment: Moment
    ) -> Accepted:
        """Keep a notice that is news whatever its postage: its issuer may be in it."""
        if bundle.traffic is not TrafficClass.NOTICE or not self.is_news(bundle):
            return Accepted(bundle, refusal)
        franked = Franked(AuthKind.POSTAGE, b"", 0)
        self._keep(bundle, franked, age_s, moment, None)
        return Accepted(bundle, Judgement.WANTED)

    def _lacks_body(self, known: Entry) -> bool:
        if known.state is State.LACKING:
            return True
        return self._terms.desk and known.state is State.ACKED and not known.had_body

    def _refusal(self, bundle: Bundle | Offer, moment: Moment) -> Judgement | None:
        """Say why a bundle is not for us through nobody's fault; None: go on and verify it."""
        if bundle.expiry_day < moment.floor_day and not self._terms.desk:
            return Judgement.REFUSED
        auth = decode_auth(bundle.auth)
        if isinstance(auth, Postage) and not self._issuers(auth.issuer):
            return Judgement.REFUSED
        return None

    def _franked(self, bundle: Bundle | Offer) -> Franked:
        return check_bundle(bundle, issuers=self._issuers, memo=self._memo)

    @staticmethod
    def _named(bundle: Bundle) -> Franked:
        auth = decode_auth(bundle.auth)
        if isinstance(auth, Postage):
            return Franked(AuthKind.POSTAGE, auth.key, auth.n)
        return Franked(AuthKind.STAMP, b"", 0)

    # At most n + 1 under one postage key, the lowest: then all nodes agree which.

    def _others(self, franked: Franked) -> list[BundleRef]:
        if not franked.postage_key:
            return []
        refs = self._carry.under_postage(franked.postage_key)
        return sorted(refs, key=lambda ref: ref.id)

    def _among_lowest(self, bundle: Bundle | Offer, franked: Franked) -> bool:
        others = self._others(franked)
        return len(others) <= franked.n or bundle.id < others[franked.n].id

    def _make_lowest(self, bundle: Bundle, franked: Franked) -> bool:
        others = self._others(franked)
        if len(others) <= franked.n:
            return True
        if bundle.id >= others[franked.n].id:
            return False
        for ref in others[franked.n :]:
            other = self._carry.entry(ref)
            acked = other is not None and other.state in {State.ACKED, State.ACKED_WITH_BODY}
            if other is not None and not acked and not other.pinned:
                self._carry.forget(ref)
        return True

    def _keep(
        self,
        bundle: Bundle,
        franked: Franked,
        age_s: int,
        moment: Moment,
        known: Entry | None,
    ) -> None:
        dies_at_s = _dies_at_s(bundle.life, age_s, moment)
        state = State.HELD
        if known is not None and known.state is State.ACKED:
            state = State.ACKED_WITH_BODY
        elif dies_at_s <= moment.lived_s and not self._keeps_aged(bundle.ref):
            state = State.AGED
        self._carry.add(
            Entry(
                ref=bundle.ref,
                state=state,
                size=bundle.size,
                auth=franked.kind,
                postage_key=franked.postage_key,
                expiry_day=bundle.expiry_day,
                dies_at_s=dies_at_s,
                acked_at_s=0.0 if known is None else known.acked_at_s,
                copies=0 if known is None else known.copies,
                had_body=True,
            ),
            bundle.wire,
        )

    def _keeps_aged(self, ref: BundleRef) -> bool:
        return self._terms.collector or self._terms.desk or ref.traffic is TrafficClass.NOTICE

    def _note_lacking(self, bundle: Bundle | Offer, franked: Franked, moment: Moment) -> None:
        self._carry.add(
            Entry(
                ref=bundle.ref,
                state=State.LACKING,
                size=bundle.size,
                auth=franked.kind,
                postage_key=franked.postage_key,
                expiry_day=bundle.expiry_day,
                dies_at_s=_dies_at_s(bundle.life, 0, moment),
            ),
            b"",
        )

    def _take_younger(self, known: Entry, bundle: Bundle, age_s: int, moment: Moment) -> None:
        """Of several copies the smallest age counts, also later."""
        dies_at_s = _dies_at_s(bundle.life, age_s, moment)
        if known.state not in {State.HELD, State.AGED} or dies_at_s <= known.dies_at_s:
            return
        alive = dies_at_s > moment.lived_s
        state = State.HELD if alive else known.state
        self._carry.change(replace(known, state=state, dies_at_s=dies_at_s))

    def missing(self, traffic: TrafficClass, moment: Moment, *, at_most: int) -> Sequence[Entry]:
        """Return what this node lacks and now has room for: most urgent and newest first.

        A desk also lacks what was acked before it saw the body.
        """
        refs: list[BundleRef] = []
        if self._terms.desk:
            refs += self._carry.unseen(traffic, at_most=at_most)
        if self._room.is_easy and len(refs) < at_most:
            refs += self._carry.lacking(traffic, at_most=at_most - len(refs))
        found = (self._carry.entry(ref) for ref in refs if self._may_live(ref, moment))
        return [entry for entry in found if entry is not None]

    # Giving out -----------------------------------------------------------

    def give(self, ref: BundleRef, moment: Moment) -> Given | None:
        """Return a body to be given to a peer, or None when it may not be or is not held."""
        entry = self._carry.entry(ref)
        if entry is None or entry.state not in {State.HELD, State.ACKED_WITH_BODY}:
            return None
        alive = entry.dies_at_s > moment.lived_s or self._keeps_aged(ref)
        wire = self._carry.body(ref) if alive else None
        if wire is None:
            return None
        return Given(wire, self._age_to_say(_life_of(wire), entry, moment))

    def _age_to_say(self, life: int, entry: Entry, moment: Moment) -> int:
        age_s = life * DAY_S - (entry.dies_at_s - moment.lived_s)
        least_s = between(self._entropy, 0.0, AGE_HIDDEN_S_MAX)
        rounded = -int(-max(age_s, least_s, 0.0) // AGE_ROUND_S) * AGE_ROUND_S
        return min(rounded, life * DAY_S)

    def stored_by_peer(self, ref: BundleRef) -> None:
        """Count another machine that holds a bundle of ours."""
        self._carry.count_copy(ref)

    # Receipts -------------------------------------------------------------

    def acknowledge(self, receipt: Receipt, moment: Moment) -> Acknowledged:
        """Take in a receipt: a collector keeps it back until its batch.

        Raises:
            Malformed, Forged: it is for a bundle never held and its postage is bad.
            Exceeded: of such receipts there are too many by its issuer.
        """
        known = self._carry.entry(receipt.ref)
        if known is None:
            auth = decode_auth(receipt.auth)
            if not isinstance(auth, Postage) or not self._issuers(auth.issuer):
                return Acknowledged.REFUSED
            franked = self._franked(receipt.offer)
            if self._terms.collector:
                return self._sweeper.hold_back(receipt.ref, receipt.encode(), moment)
            self._count_unknown(auth.issuer)
            return self._ack_unknown(receipt, franked, moment)
        return self._acknowledge_known(known, receipt.encode(), moment)

    def acknowledge_short(
        self, ref: BundleRef, short: ShortReceipt, moment: Moment
    ) -> Acknowledged:
        """Take in a receipt in the form for those who know the bundle.

        Raises:
            Forged: it is a receipt for another bundle.
        """
        if short.id != ref.id:
            raise Forged("a receipt for another bundle")
        known = self._carry.entry(ref)
        if known is None:
            return Acknowledged.REFUSED
        wire = self._carry.body(ref)
        receipt = short.encode()
        if wire is not None:
            bundle = parse(wire)
            receipt = Receipt(short.purge, bundle.h_ct, bundle.meta, bundle.auth).encode()
        return self._acknowledge_known(known, receipt, moment)

    def _acknowledge_known(self, known: Entry, receipt: bytes, moment: Moment) -> Acknowledged:
        if known.ref.traffic is TrafficClass.NOTICE:
            raise Exceeded("a receipt for a notice")
        if known.state in {State.ACKED, State.ACKED_WITH_BODY}:
            return Acknowledged.KNOWN
        if self._terms.collector:
            return self._sweeper.hold_back(known.ref, receipt, moment)
        self._sweeper.ack(known, receipt, moment)
        return Acknowledged.NEW

    def _ack_unknown(self, receipt: Receipt, franked: Franked, moment: Moment) -> Acknowledged:
        offer = receipt.offer
        entry = Entry(
            ref=offer.ref,
            state=State.ACKED,
            size=offer.size,
            auth=franked.kind,
            postage_key=franked.postage_key,
            expiry_day=offer.expiry_day,
            dies_at_s=_dies_at_s(offer.life, 0, moment),
            acked_at_s=moment.lived_s,
        )
        self._carry.add(entry, b"")
        self._carry.set_receipt(offer.ref, receipt.encode())
        return Acknowledged.NEW

    def _count_unknown(self, issuer: bytes) -> None:
        stored = self._carry.get(UNKNOWN, issuer)
        count = 0 if stored is None else int.from_bytes(stored, "big")
        if count >= RECEIPTS_UNKNOWN_MAX:
            raise Exceeded("too many receipts of bundles never held")
        self._carry.put(UNKNOWN, issuer, (count + 1).to_bytes(4, "big"))

    def receipt_for(self, ref: BundleRef) -> Receipt | ShortReceipt | None:
        """Return the receipt of an acked bundle, to be passed on."""
        stored = self._carry.receipt(ref)
        if stored is None:
            return None
        try:
            if len(stored) < _FULL_RECEIPT_BYTES_MIN:
                return decode_short_receipt(stored)
            return decode_receipt(stored)
        except PeerError as exc:
            raise LocalMisuse("a receipt was kept that is none") from exc

    # Own bundles and archives ---------------------------------------------

    def keep_own(
        self,
        bundle: Bundle,
        moment: Moment,
        *,
        release_after_s: float,
        pinned: bool = True,
    ) -> None:
        """Keep a bundle that this machine made; it enters the set after a hold.

        Raises:
            StoreFull: the disk has no room.
        """
        franked = self._named(bundle)
        held = release_after_s > 0
        self._carry.add(
            Entry(
                ref=bundle.ref,
                state=State.WITHHELD if held else State.HELD,
                size=bundle.size,
                auth=franked.kind,
                postage_key=franked.postage_key,
                expiry_day=bundle.expiry_day,
                dies_at_s=_dies_at_s(bundle.life, 0, moment),
                release_at_s=moment.lived_s + release_after_s if held else 0.0,
                pinned=pinned,
                had_body=True,
            ),
            bundle.wire,
        )

    def release_own(self, ref: BundleRef, moment: Moment, *, release_after_s: float) -> None:
        """Let a withheld bundle enter the set, now or after a hold."""
        entry = self._carry.entry(ref)
        if entry is None or entry.state is not State.WITHHELD:
            return
        if release_after_s > 0:
            release_at_s = moment.lived_s + release_after_s
            self._carry.change(replace(entry, release_at_s=release_at_s))
        else:
            self._carry.change(replace(entry, state=State.HELD, release_at_s=0.0))

    def pin(self, ref: BundleRef) -> None:
        """Keep a bundle whatever presses."""
        self._set_pinned(ref, pinned=True)

    def unpin(self, ref: BundleRef) -> None:
        """Let a bundle go by the ordinary rules again."""
        self._set_pinned(ref, pinned=False)

    def _set_pinned(self, ref: BundleRef, *, pinned: bool) -> None:
        entry = self._carry.entry(ref)
        if entry is not None and entry.pinned != pinned:
            self._carry.change(replace(entry, pinned=pinned))

    def forget(self, ref: BundleRef) -> None:
        """Drop all that is known of a bundle."""
        self._carry.forget(ref)

    # Time -----------------------------------------------------------------

    def sweep(self, moment: Moment) -> Swept:
        """Do what time demands, a bounded piece of it; return what the node must tell others."""
        return self._sweeper.sweep(moment)

    def next_s(self, moment: Moment) -> float | None:
        """Return when `sweep` has something to do, in seconds of life."""
        return self._sweeper.next_s(moment)


def _life_of(wire: bytes) -> int:
    """Return the life in days of a bundle that was verified when it was kept."""
    return wire[HEAD_AT[len(wire)] + _LIFE_AFTER_HEAD]


def _dies_at_s(life: int, age_s: float, moment: Moment) -> float:
    return moment.lived_s + life * DAY_S - min(max(age_s, 0), life * DAY_S)
