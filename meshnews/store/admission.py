r"""Admission: which bundles a node takes, and what it notes of those it does not.

    absent --verified, room--> HELD            ACKED --body comes, gathers--> ACKED_WITH_BODY
       |                        |
       \--verified, no room--> LACKING --room again--> HELD

Nothing a peer can falsify (bad postage, great age, wrong bytes) leaves a mark
against an identifier: that copy is not kept, and another may be.
See docs/protocol/custody.md, "Admission".
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from meshnews.bundle.format import Bundle, Offer, parse
from meshnews.bundle.postage import Franked
from meshnews.errors import Forged, PeerError
from meshnews.ids import AuthKind, BundleRef, TrafficClass
from meshnews.limits import STAMPS_KNOWN_MAX
from meshnews.store.age import DAY_S, Moment
from meshnews.store.franking import Franking, franked_as_said
from meshnews.store.port import WITH_BODY, Carry, Entry, State
from meshnews.store.receipts import Receipts
from meshnews.store.room import Room
from meshnews.store.terms import FILING_DAYS, Accepted, Judgement, Terms


class Learn(Protocol):
    """What a node does with a notice before it is kept."""

    def __call__(self, bundle: Bundle, *, is_franked: bool) -> bool:
        """Take in what a notice bears, if that is validly signed and new; tell whether it was.

        `is_franked`: its postage holds, as far as is known here.
        """
        ...


def _learn_nothing(bundle: Bundle, *, is_franked: bool) -> bool:  # noqa: ARG001  as `Learn` is called
    return False


_BODILESS: Final = frozenset({State.LACKING, State.ACKED})


class Admission:
    """Takes bundles in for one store.

    Attributes:
        learn: takes in what a notice bears; set by the node.
    """

    def __init__(
        self, carry: Carry, terms: Terms, room: Room, franking: Franking, receipts: Receipts
    ) -> None:
        self._carry = carry
        self._terms = terms
        self._room = room
        self._franking = franking
        self._receipts = receipts
        self.learn: Learn = _learn_nothing

    def wants(self, ref: BundleRef, their_state: State, moment: Moment) -> bool:
        """Tell whether the body of a bundle that a peer lists is wanted."""
        if their_state not in WITH_BODY:
            return False
        state = self._carry.state(ref)
        if state is None:
            is_due = their_state is State.HELD or self._terms.gathers
            return is_due and self._terms.may_live(ref, moment)
        if state is State.AGED:
            # A liar may have aged it; an honest peer that still offers it can mend that.
            return their_state is State.HELD
        if state not in _BODILESS:
            return False
        known = self._carry.entry(ref)
        return known is not None and self._is_lacking(known, moment)

    def _is_lacking(self, known: Entry, moment: Moment) -> bool:
        """Tell whether the body of a known bundle would be taken now."""
        if self._has_enough(known) or self._terms.is_over(known.expiry_day, moment):
            return False
        return self._room.could_take(known, known.auth, moment)

    def _has_enough(self, known: Entry) -> bool:
        """Tell whether nothing more is wanted of a known bundle, room or not."""
        if known.state is State.ACKED:
            return known.had_body or not self._terms.gathers
        return known.state is not State.LACKING

    def missing(self, traffic: TrafficClass, moment: Moment, *, at_most: int) -> Sequence[Entry]:
        """Return what this node lacks and now has room for: newest first.

        A desk's machine also lacks what was acked before it saw the body.
        """
        refs: list[BundleRef] = []
        if self._terms.gathers:
            refs += self._carry.unseen(traffic, at_most=at_most)
        if len(refs) < at_most and self._room.is_easy(traffic):
            refs += self._carry.lacking(traffic, at_most=at_most - len(refs))
        entries = (self._carry.entry(ref) for ref in refs)
        return [entry for entry in entries if entry and self._is_lacking(entry, moment)]

    def judge(self, offer: Offer, moment: Moment, age_s: int | None) -> Judgement:
        """Judge a bundle by what its identifier commits to, before its body moves.

        Raises:
            Malformed, Forged, Exceeded: this copy's postage is bad; no mark is left.
        """
        known = self._carry.entry(offer.ref)
        if known is not None and self._has_enough(known):
            if age_s is not None:
                self._take_younger(known, age_s, moment)
            return Judgement.KNOWN
        if offer.traffic is TrafficClass.NOTICE:
            # Whether it is news, and so taken whatever its postage, shows inside.
            return Judgement.WANTED
        franked = self._admitted(offer, age_s, moment)
        if franked is None:
            return Judgement.REFUSED
        if self._is_outrun(offer, franked, known):
            return Judgement.REFUSED
        if self._has_room(offer, franked, known, moment):
            return Judgement.WANTED
        self._note_lacking(offer, franked, known, moment)
        return Judgement.NO_ROOM

    def accept(
        self,
        wire: bytes,
        *,
        age_s: int,
        moment: Moment,
        judged: Offer | None,
        expected: BundleRef | None,
    ) -> Accepted:
        """Verify a bundle that was brought, and keep it if it is wanted.

        Raises:
            Forged: it is another than was `expected`; nothing is kept.
            Malformed, Forged, Exceeded: it is no bundle, or this copy's postage is
                bad; nothing is kept and no mark is left.
            StoreFull: the disk has no room.
        """
        bundle = parse(wire)
        if expected is not None and bundle.ref != expected:
            raise Forged("another bundle than was asked for")
        known = self._carry.entry(bundle.ref)
        if known is not None and self._has_enough(known):
            self._take_younger(known, age_s, moment)
            return Accepted(bundle, Judgement.KNOWN)
        if bundle.traffic is TrafficClass.NOTICE:
            return Accepted(bundle, self._take_notice(bundle, known, age_s, moment))
        is_judged = judged is not None and judged == bundle.offer
        return Accepted(bundle, self._take(bundle, known, age_s, moment, is_judged=is_judged))

    def _take(
        self, bundle: Bundle, known: Entry | None, age_s: int, moment: Moment, *, is_judged: bool
    ) -> Judgement:
        franked: Franked | None
        if is_judged and not self._is_past(bundle, age_s, moment):
            franked = franked_as_said(bundle)
        else:
            franked = self._admitted(bundle, age_s, moment)
        if franked is None:
            return Judgement.REFUSED
        displaced = None if known else self._franking.displaced(bundle, franked)
        if known is None and displaced is None:
            return Judgement.REFUSED
        if not self._may_add(franked, known) or not self._room.make(bundle, franked.kind, moment):
            self._note_lacking(bundle, franked, known, moment)
            return Judgement.NO_ROOM
        self.displace(displaced)
        self.keep(bundle, franked, known, age_s, moment)
        return Judgement.WANTED

    def _take_notice(
        self, bundle: Bundle, known: Entry | None, age_s: int, moment: Moment
    ) -> Judgement:
        """Take a notice.  What it bears is learnt first: its own issuer may be in it.

        Only what is properly franked is kept, also when it is news: a bundle is given on,
        and whoever is given a bad one blames the giver.
        """
        franked, fault = self._franked(bundle, moment)
        is_news = self.learn(bundle, is_franked=franked is not None)
        if is_news and franked is None:
            franked, fault = self._franked(bundle, moment)
        if fault is not None and not is_news:
            raise fault
        if franked is None or not (is_news or self._is_welcome(bundle, moment)):
            return Judgement.REFUSED
        displaced = None if known else self._franking.displaced(bundle, franked)
        if known is None and displaced is None:
            return Judgement.REFUSED
        self.displace(displaced)
        self._room.make(bundle, franked.kind, moment)
        self.keep(bundle, franked, known, age_s, moment)
        return Judgement.WANTED

    def _franked(self, bundle: Bundle, moment: Moment) -> tuple[Franked | None, PeerError | None]:
        try:
            return self._franking.check(bundle, moment), None
        except PeerError as exc:
            return None, exc

    def _is_welcome(self, bundle: Bundle, moment: Moment) -> bool:
        """Tell whether a notice may come in that brings nothing new for all."""
        if self._is_past(bundle, None, moment):
            return False
        return self._room.has_room_for_notice(bundle.size)

    def displace(self, refs: Sequence[BundleRef] | None) -> None:
        """Let go of what stands above a lower id under the same postage key."""
        for ref in refs or ():
            self._receipts.forget(ref)
            self._carry.forget(ref)

    def _is_past(self, bundle: Bundle | Offer, age_s: int | None, moment: Moment) -> bool:
        """Tell whether this copy has had its time."""
        if self._terms.is_over(bundle.expiry_day, moment):
            return True
        if age_s is None or self._terms.gathers:
            return False
        return age_s >= bundle.life * DAY_S

    def _admitted(
        self, bundle: Bundle | Offer, age_s: int | None, moment: Moment
    ) -> Franked | None:
        if self._is_past(bundle, age_s, moment):
            return None
        return self._franking.check(bundle, moment)

    def _is_outrun(self, offer: Offer, franked: Franked, known: Entry | None) -> bool:
        return known is None and not self._franking.is_among_lowest(offer, franked)

    def _has_room(
        self, offer: Offer, franked: Franked, known: Entry | None, moment: Moment
    ) -> bool:
        if not self._may_add(franked, known):
            return False
        return self._room.could_take(offer, franked.kind, moment)

    def _may_add(self, franked: Franked, known: Entry | None) -> bool:
        """Tell whether a further entry of this kind may be made."""
        if known is not None or franked.kind is AuthKind.POSTAGE:
            return True
        return self._carry.usage().stamps < STAMPS_KNOWN_MAX

    def _note_lacking(
        self, bundle: Bundle | Offer, franked: Franked, known: Entry | None, moment: Moment
    ) -> None:
        """Leave a mark that a verified bundle exists, so that nobody offers it in vain again."""
        if known is None and self._may_add(franked, known):
            self._carry.add(entry_of(bundle, franked, State.LACKING, 0, moment), b"")

    def keep(
        self,
        bundle: Bundle,
        franked: Franked,
        known: Entry | None,
        age_s: float,
        moment: Moment,
    ) -> None:
        """Put a verified bundle, of which at most a mark is known, into the store."""
        entry = entry_of(bundle, franked, State.HELD, age_s, moment)
        if known is not None:
            acked = known.state is State.ACKED
            entry = replace(
                entry,
                state=State.ACKED_WITH_BODY if acked else State.HELD,
                acked_at_s=known.acked_at_s,
                copies=known.copies,
                arrival_day=known.arrival_day,
            )
        self._carry.add(replace(entry, had_body=True), bundle.wire)
        self._receipts.body_came(bundle.ref, moment)

    def _take_younger(self, known: Entry, age_s: int, moment: Moment) -> None:
        """Of several copies the smallest age counts, also later."""
        if known.state not in {State.HELD, State.AGED}:
            return
        dies_at_s = dies_at(life_of(known), age_s, moment)
        if dies_at_s <= known.dies_at_s:
            return
        state = State.HELD if dies_at_s > moment.lived_s else known.state
        self._carry.change(replace(known, state=state, dies_at_s=dies_at_s))


def entry_of(
    bundle: Bundle | Offer, franked: Franked, state: State, age_s: float, moment: Moment
) -> Entry:
    """Return a fresh entry for a verified bundle.

    Raises:
        Nothing.
    """
    return Entry(
        ref=bundle.ref,
        state=state,
        size=bundle.size,
        auth=franked.kind,
        postage_key=franked.postage_key,
        expiry_day=bundle.expiry_day,
        dies_at_s=dies_at(bundle.life, age_s, moment),
        arrival_day=moment.today,
    )


def life_of(entry: Entry) -> int:
    """Return the life in days of a bundle, which its expiry day tells.

    Raises:
        Nothing.
    """
    return entry.expiry_day - entry.ref.day - FILING_DAYS


def dies_at(life: int, age_s: float, moment: Moment) -> float:
    """Return when a bundle of `life` days that is `age_s` old reaches its life.

    Raises:
        Nothing.
    """
    life_s = life * DAY_S
    return moment.lived_s + life_s - min(max(age_s, 0), life_s)
