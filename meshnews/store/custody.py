r"""Custody: which bundles a node takes, keeps, gives and lets go, and why.

    absent --verified, room--> HELD --receipt--> ACKED_WITH_BODY --6 h, pressure--> ACKED
       |                        |  \--age >= life--> AGED --pressure--> absent
       |                        \--pressure, expiry--> LACKING --room again--> HELD
       \--verified, no room--> LACKING
    own --held back--> WITHHELD --random hold over--> HELD

Everything here happens inside the transaction of the port.  The parts:
`admission` takes in, `room` makes room, `acknowledgement` and `receipts` ack,
`sweep` lets time pass.  See docs/protocol/custody.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from meshnews.bundle.format import Bundle, Offer, parse
from meshnews.bundle.postage import Issuers
from meshnews.bundle.receipt import Receipt, ShortReceipt
from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import Entropy
from meshnews.ids import AuthKind, BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import AGE_LEAST_S_MAX, AGE_ROUND_S
from meshnews.store.acknowledgement import Acknowledgement
from meshnews.store.admission import Admission, Learn, entry_of, life_of
from meshnews.store.age import DAY_S, Moment
from meshnews.store.franking import Franking, franked_as_said
from meshnews.store.partial import Partials
from meshnews.store.port import PAGES, Carry, Entry, Page, State
from meshnews.store.receipts import Receipts
from meshnews.store.room import Room
from meshnews.store.sweep import Sweeper
from meshnews.store.terms import Accepted, Acknowledged, Given, Judgement, Swept, Terms


class Custody:
    """The bundles of one node, under its terms.

    Attributes:
        partials: those that came in part.

    Whatever writes may raise `StoreFull`.
    """

    def __init__(self, carry: Carry, terms: Terms, entropy: Entropy, issuers: Issuers) -> None:
        self._carry = carry
        self._terms = terms
        self._age_key = entropy.draw(32)
        self._room = Room(carry, terms)
        self._franking = Franking(carry, issuers)
        self._receipts = Receipts(carry, terms, entropy)
        self._admission = Admission(carry, terms, self._room, self._franking, self._receipts)
        self._acknowledgement = Acknowledgement(carry, terms, self._franking, self._receipts)
        self._sweeper = Sweeper(carry, terms, self._receipts, self._room)
        self.partials = Partials(carry, self._room)

    @property
    def learn(self) -> Learn:
        """Takes in what a notice bears; the node sets it."""
        return self._admission.learn

    @learn.setter
    def learn(self, learn: Learn) -> None:
        self._admission.learn = learn

    # What is known ----------------------------------------------------------

    def entry(self, ref: BundleRef) -> Entry | None:
        """Return what is known of a bundle."""
        return self._carry.entry(ref)

    def body(self, ref: BundleRef) -> bytes | None:
        """Return the wire form of a bundle that is held, for this machine's own use."""
        return self._carry.body(ref)

    def offer(self, ref: BundleRef) -> Offer | None:
        """Return the offer of a bundle that is held."""
        wire = self._carry.body(ref)
        return None if wire is None else parse(wire).offer

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

    def pages(self, traffic: TrafficClass, day: Day) -> Mapping[int, Page]:
        """Return the pages of one bucket that have elements, ascending."""
        return self._carry.pages(traffic, day)

    def elements(
        self, traffic: TrafficClass, day: Day, *, first: int = 0, end: int = PAGES
    ) -> Sequence[tuple[BundleId, State]]:
        """Return the elements of some pages of one bucket, in order of identifier."""
        return self._carry.elements(traffic, day, first=first, end=end)

    def free_bytes(self) -> int:
        """Return how many bytes of bodies there is room for."""
        return self._room.free_bytes

    def is_stuck(self, share: float) -> bool:
        """Tell whether less than `share` of the quota is free or would make way."""
        return self._room.is_stuck(share)

    def free_space(self, bytes_free: int) -> None:
        """Take note of what the disk has left."""
        self._room.free_space(bytes_free)

    # Taking in --------------------------------------------------------------

    def wants(self, ref: BundleRef, their_state: State, moment: Moment) -> bool:
        """Tell whether the body of a bundle that a peer lists is wanted."""
        return self._admission.wants(ref, their_state, moment)

    def missing(self, traffic: TrafficClass, moment: Moment, *, at_most: int) -> Sequence[Entry]:
        """Return what this node lacks and now has room for: newest first.

        A desk's machine also lacks what was acked before it saw the body.
        """
        return self._admission.missing(traffic, moment, at_most=at_most)

    def judge(self, offer: Offer, moment: Moment, *, age_s: int | None = None) -> Judgement:
        """Judge a bundle by what its identifier commits to, before its body moves.

        With the age that came with the offer, a bundle that is held may become
        younger by it, and one too old for us is refused before it moves.

        Raises:
            Malformed, Forged, Exceeded: this copy's postage is bad; no mark is left.
        """
        return self._admission.judge(offer, moment, age_s)

    def accept(
        self,
        wire: bytes,
        *,
        age_s: int,
        moment: Moment,
        judged: Offer | None = None,
        expected: BundleRef | None = None,
    ) -> Accepted:
        """Verify a bundle that was brought, and keep it if it is wanted.

        The postage of one that is exactly as it was `judged` is not verified again.

        Raises:
            Forged: it is another than was `expected`; nothing is kept.
            Malformed, Forged, Exceeded: it is no bundle, or this copy's postage is
                bad; nothing is kept and no mark is left.
        """
        return self._admission.accept(
            wire, age_s=age_s, moment=moment, judged=judged, expected=expected
        )

    # Giving out -------------------------------------------------------------

    def give(self, ref: BundleRef, moment: Moment) -> Given | None:
        """Return a body to be given to a peer, or None when it may not be or is not held."""
        entry = self._carry.entry(ref)
        if entry is None or not self._may_give(entry, moment):
            return None
        wire = self._carry.body(ref)
        return None if wire is None else Given(wire, self.age_to_say(entry, moment))

    def _may_give(self, entry: Entry, moment: Moment) -> bool:
        if entry.state not in {State.HELD, State.ACKED_WITH_BODY}:
            return False
        if entry.ref.traffic is TrafficClass.NOTICE and entry.pinned:
            return True
        if self._terms.is_over(entry.expiry_day, moment):
            return False
        return self._terms.gathers or entry.dies_at_s > moment.lived_s

    def age_to_say(self, entry: Entry, moment: Moment) -> int:
        """Return the age that is said of a bundle beside it, in seconds.

        Rounded up, and never less than a number that is random but stays the same: if it
        were drawn for each transfer, asking often would show the least.
        """
        life_s = life_of(entry) * DAY_S
        draw = int.from_bytes(b2(Label.AGE_FLOOR, entry.ref.id, key=self._age_key, size=4), "big")
        least_s = AGE_LEAST_S_MAX * draw / (1 << 32)
        age_s = life_s - (entry.dies_at_s - moment.lived_s)
        return min(life_s, -int(-max(age_s, least_s) // AGE_ROUND_S) * AGE_ROUND_S)

    def stored_by_peer(self, ref: BundleRef) -> None:
        """Count another machine that holds a bundle of ours."""
        self._carry.count_copy(ref)

    # Receipts ---------------------------------------------------------------

    def acknowledge(self, receipt: Receipt, moment: Moment) -> Acknowledged:
        """Take in a receipt: a collector keeps it back until its batch.

        Raises:
            Malformed, Forged, Exceeded: it is for a bundle not held and its postage is bad.
        """
        return self._acknowledgement.take(receipt, moment)

    def acknowledge_short(
        self, ref: BundleRef, short: ShortReceipt, moment: Moment
    ) -> Acknowledged:
        """Take in a receipt in the form for those who know the bundle.

        Raises:
            Forged: it is a receipt for another bundle.
            Exceeded: it is for a notice.
        """
        return self._acknowledgement.take_short(ref, short, moment)

    def receipt_for(self, ref: BundleRef) -> Receipt | ShortReceipt | None:
        """Return the receipt of an acked bundle, to be passed on; full where it can be."""
        return self._receipts.kept(ref)

    # Own bundles and archives -----------------------------------------------

    def keep_own(
        self,
        bundle: Bundle,
        moment: Moment,
        *,
        release_after_s: float,
        pinned: bool = True,
    ) -> None:
        """Keep a bundle that this machine made; it enters the set after a hold.

        Own work finds room though the quota is full.  A bundle that is held
        already stays as it is.

        Raises:
            StoreFull: the disk has no room.
        """
        if self._carry.body(bundle.ref) is not None:
            return
        franked = franked_as_said(bundle)
        self._admission.displace(self._franking.displaced(bundle, franked))
        self._room.make(bundle, AuthKind.POSTAGE, moment)
        held_back = release_after_s > 0
        state = State.WITHHELD if held_back else State.HELD
        entry = replace(
            entry_of(bundle, franked, state, 0, moment),
            release_at_s=moment.lived_s + release_after_s if held_back else 0.0,
            had_body=True,
        )
        self._carry.add(_pinned(entry) if pinned else entry, bundle.wire)
        self._receipts.body_came(bundle.ref, moment)

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
        """Keep a bundle whatever presses; a notice besides stays young."""
        entry = self._carry.entry(ref)
        if entry is not None and not entry.pinned:
            self._carry.change(_pinned(entry))

    def unpin(self, ref: BundleRef, moment: Moment) -> None:
        """Let a bundle go by the ordinary rules again."""
        entry = self._carry.entry(ref)
        if entry is None or not entry.pinned:
            return
        latest_s = moment.lived_s + life_of(entry) * DAY_S
        dies_at_s = min(entry.dies_at_s, latest_s)
        self._carry.change(replace(entry, pinned=False, dies_at_s=dies_at_s))

    def let_go(self, ref: BundleRef, moment: Moment) -> None:
        """Unpin a bundle; an acked body goes at once, another would only be fetched again."""
        self.unpin(ref, moment)
        entry = self._carry.entry(ref)
        if entry is not None and entry.state is State.ACKED_WITH_BODY:
            self._room.evict(entry, moment)

    def forget(self, ref: BundleRef) -> None:
        """Drop all that is known of a bundle."""
        self._sweeper.forget(ref)

    # Time -------------------------------------------------------------------

    def sweep(self, moment: Moment) -> Swept:
        """Do what time demands, a bounded piece of it; return what the node must tell others."""
        self.partials.sweep(moment)
        return self._sweeper.sweep(moment)

    def next_s(self, moment: Moment) -> float | None:
        """Return when `sweep` has something to do, in seconds of life."""
        return self._sweeper.next_s(moment)


def _pinned(entry: Entry) -> Entry:
    """Return an entry that stays; a notice in force does not age, or has not."""
    if entry.ref.traffic is not TrafficClass.NOTICE:
        return replace(entry, pinned=True)
    state = State.HELD if entry.state is State.AGED else entry.state
    return replace(entry, pinned=True, state=state, dies_at_s=float("inf"))
