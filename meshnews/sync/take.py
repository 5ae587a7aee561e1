"""Fetching what a peer holds: wishes, requests within a window, blocks, verification.

    wish --claimed, room in the window--> WANT data ---------------------+
      |                                                                  v
      +--above SMALL_OFFER_BYTES_MAX--> WANT offer --OFFER judged--> WANT data --DATA…--> accepted

A request ends by its last block, by NOTHELD, by CANCEL when the peer stalls, or
with the link.  See docs/protocol/sync.md, "Transfer".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.format import Bundle, decode_offer
from meshnews.errors import Malformed, OutOfTurn, PeerError
from meshnews.ids import Day, TrafficClass
from meshnews.limits import (
    BUSY_BYTES_PER_S,
    CONTESTED_BYTES_PER_S,
    CONTESTED_S,
    REQUEST_S_MAX,
    STALL_S,
    WISHES_MAX,
)
from meshnews.store.age import Moment
from meshnews.store.custody import Custody
from meshnews.store.port import State
from meshnews.store.terms import Judgement
from meshnews.sync.budget import Budget
from meshnews.sync.messages import Data, Group, How, Name, OfferMessage, Want
from meshnews.sync.request import Request, WantDraft, Wish
from meshnews.sync.rest import Rest
from meshnews.sync.salt import Salt
from meshnews.sync.schedule import Fetcher, InFlight, Schedule, UrgentFirst
from meshnews.sync.underway import Underway

SAVED_APART_S: Final = 1.0
"""What has come of a slow bundle is saved so often, should the power fail."""

_LOOKED_AT_MAX: Final = 4096
"""Wishes weighed for one WANT, so that a batch stays short."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A whole bundle came: what became of it."""

    short: bytes
    bundle: Bundle
    outcome: Judgement


class Taker:
    """What this side of one link fetches."""

    def __init__(
        self,
        custody: Custody,
        inflight: InFlight,
        *,
        salt: Salt,
        budget: Budget,
        window_bytes: int,
        fetcher: Fetcher,
    ) -> None:
        self._custody = custody
        self._inflight = inflight
        self._salt = salt
        self._budget = budget
        self._underway = Underway(window_bytes)
        self._window = window_bytes
        self._fetcher = fetcher
        self._wishes: Schedule[Wish] = UrgentFirst()
        self._progress_s = 0.0
        self._came_bytes = 0
        self._looked_s = 0.0
        self._rest = Rest()
        self._weighing = False
        self.takes_bulk = True
        """Whether bulk is asked for; until then what was named of it waits."""

    # What there is to do

    @property
    def is_idle(self) -> bool:
        """Nothing is wished for or asked for."""
        return not self._wishes and self._underway.is_idle

    def is_ready_for(self, traffic: TrafficClass) -> bool:
        """Tell whether so little of more urgent classes is left to fetch that this is compared."""
        if self._rest:
            return True
        before = self._wishes.bytes_before(traffic) + self._underway.bytes_before(traffic)
        return before <= self._window

    @property
    def wishes(self) -> int:
        """How many bundles are wished for and not yet asked for."""
        return len(self._wishes)

    @property
    def wanted_bytes(self) -> int:
        """How much of what the peer has is wished for and not here yet."""
        return self._wishes.waiting_bytes + self._underway.due_bytes

    @property
    def can_ask(self) -> bool:
        """There may be something to ask for, and room for it in the window."""
        if self._rest or self._underway.is_full:
            return False
        if self._underway.has_room_for_offered:
            return True
        top = self._wishes.peek()
        if top is None or self._must_wait(top):
            return False
        return self._underway.has_room_for(top, is_first=True)

    @property
    def is_weighing(self) -> bool:
        """The last `next_want` stopped at its bound: there is more to look at, and room for it."""
        return self._weighing and self.can_ask

    @property
    def deadline_s(self) -> float | None:
        """When the peer is too late with something, or may be asked again."""
        times = [] if self._rest.until_s is None else [self._rest.until_s]
        if self._underway:
            times += [self._progress_s + STALL_S, self._looked_s + CONTESTED_S]
        return min(times, default=None)

    # Wishing and asking

    def wish(self, wish: Wish) -> None:
        """Wish for a bundle; of too many wishes one of the last is dropped."""
        if len(self._wishes) >= WISHES_MAX:
            self._wishes.drop_last()
        self._wishes.put(wish.name.ref, wish.name.size, wish)

    def next_want(self, moment: Moment) -> Want | None:
        """Return a request for what fits the window now, or None."""
        if not self._underway:
            self._progress_s = self._looked_s = moment.lived_s
        draft = WantDraft()
        while draft.has_room:
            request = self._next_request(moment)
            if request is None:
                break
            short = self._salt.position(request.ref.id)
            request.asked_at_s, request.asked_at_bytes = moment.lived_s, self._came_bytes
            if request.how is How.DATA:
                request.begun = self._begun(request)
            self._underway.add(short, request)
            draft.add(request, short)
        return draft.message()

    def _begun(self, request: Request) -> bytes:
        """Return what is here of a bundle; nothing if it is more than there can be."""
        begun = self._custody.partials.begun(request.ref)
        if len(begun) < request.wish.name.size:
            return begun
        # Whoever brought it had named another size.
        self._custody.partials.drop(request.ref)
        return b""

    def _next_request(self, moment: Moment) -> Request | None:
        self._weighing = False
        if self._underway.is_full or self._rest:
            return None
        for _ in range(_LOOKED_AT_MAX):
            offered = self._underway.pop_offered()
            if offered is not None:
                return offered
            wish = self._wishes.peek()
            if wish is None or self._must_wait(wish) or not self._underway.has_room_for(wish):
                return None
            self._wishes.pop()
            how = self._underway.how_to_ask(wish, self._salt.position(wish.name.ref.id))
            if how is None or not self._is_worth(wish, moment):
                continue
            request = Request(wish, how)
            if not self._underway.is_like_offered(request):
                return request
            self._underway.put_offered(request)
        self._weighing = True
        return None

    def _must_wait(self, wish: Wish) -> bool:
        # Bulk comes last of all: whatever comes after it may wait as well.
        return wish.name.ref.traffic is TrafficClass.BULK and not self.takes_bulk

    def _is_worth(self, wish: Wish, moment: Moment) -> bool:
        name = wish.name
        if not self._custody.wants(name.ref, _state(name), moment):
            return False
        is_asked = self._salt.position(name.ref.id) in self._underway
        if is_asked or self._underway.is_offered(name.ref.id):
            # News may name what the comparison does, and who is asked for a body twice cuts us.
            return False
        return self._inflight.claim(wish, self._fetcher)

    # Answers

    def take_offer(self, message: OfferMessage, moment: Moment) -> Group | None:
        """Judge an offer that was asked for; return what to cancel, if it is not wanted.

        Raises:
            PeerError: it was not asked for, or is of a bundle nobody should take.
        """
        offer = decode_offer(message.offer)
        short = self._salt.position(offer.id)
        request = self._underway.get(short)
        if request is None or request.how is not How.OFFER:
            if self._underway.is_late(short):
                self._progress(moment)
                return None
            raise OutOfTurn("OfferMessage that was not asked for")
        if offer.ref != request.ref or offer.size != request.wish.name.size:
            raise Malformed("an offer of another size than its name said")
        judgement = self._custody.judge(offer, moment, age_s=message.age_s)
        self._underway.end(short, request)
        self._underway.answered(short)
        self._progress(moment)
        if judgement is Judgement.WANTED:
            self._underway.put_offered(Request(request.wish, How.DATA, judged=offer))
            return None
        self._inflight.finish(offer.id)
        return Group(offer.traffic, offer.day, (short,))

    def take_data(self, data: Data, moment: Moment) -> Taken | None:
        """Take in a block; when it completes a bundle, have it verified and kept.

        Raises:
            PeerError: it was not asked for, or the bundle is not what was named.
        """
        short = data.short
        request = self._underway.get(short)
        if request is None or request.how is How.OFFER:
            if self._underway.is_late(short):
                self._progress(moment)
                return None
            raise OutOfTurn("Data that was not asked for")
        is_last = request.add(data, moment.lived_s)
        self._underway.came(request, len(data.block))
        self._underway.answered(short)
        self._came_bytes += len(data.block)
        self._progress(moment)
        if is_last:
            self._underway.end(short, request)
            return self._whole(short, request, moment)
        if moment.lived_s >= request.saved_s + SAVED_APART_S:
            self._save(request)
        return None

    def _whole(self, short: bytes, request: Request, moment: Moment) -> Taken | None:
        """Have a bundle verified that has come whole, and kept."""
        ref = request.ref
        try:
            accepted = self._custody.accept(
                request.so_far,
                age_s=request.age_s,
                moment=moment,
                judged=request.judged,
                expected=ref,
            )
        except PeerError:
            self._inflight.release(ref.id, self._fetcher)
            if not request.begun:
                raise
            # Whose part was wrong, nobody can tell.
            self._custody.partials.never_join(ref)
            self.wish(request.wish)
            return None
        except BaseException:
            self._inflight.release(ref.id, self._fetcher)
            raise
        self._inflight.finish(ref.id)
        if request.begun or request.is_saved:
            self._custody.partials.drop(ref)
        if accepted.outcome is Judgement.WANTED:
            self._budget.allow_for_bundle()
        return Taken(short, accepted.bundle, accepted.outcome)

    def not_held(self, groups: Iterable[Group], moment: Moment) -> None:
        """Give up what the peer does not hold, after all.

        Raises:
            PeerError: it was not asked for.
        """
        self._progress(moment)
        for group in groups:
            for short in group.shorts:
                request = self._underway.get(short)
                if request is None:
                    if not self._underway.is_late(short):
                        raise OutOfTurn("NotHeld that was not asked for")
                    continue
                self._underway.end(short, request)
                if self._underway.is_late(short):
                    # It may be of what was given up, and this one's answer still to come.
                    self._underway.let_pass(short, request)
                self._inflight.release(request.ref.id, self._fetcher)
                if request.begun:
                    # Asked for the rest it had none: what we have may be anything.
                    self._custody.partials.drop(request.ref)
                    self.wish(request.wish)
                elif not request.wish.unlisted:
                    self._rest.named_in_vain(moment.lived_s)

    # Time and endings

    def give_up_late(self, moment: Moment) -> Sequence[Group]:
        """Return what to cancel because the peer is too late with it; others may be asked."""
        now_s = moment.lived_s
        self._rest.look(now_s)
        stalled = bool(self._underway) and now_s >= self._progress_s + STALL_S
        late = [
            (short, request)
            for short, request in self._underway.items()
            if stalled or self._is_late(request, now_s)
        ]
        self._looked_s = now_s
        if stalled:
            self._rest.silent(now_s)
        groups: dict[tuple[TrafficClass, Day], list[bytes]] = {}
        for short, request in late:
            ref = request.ref
            self._underway.cancel(short, request)
            self._save(request)
            groups.setdefault((ref.traffic, ref.day), []).append(short)
        given_up = [request for _, request in late]
        if stalled:
            given_up += self._underway.drop_offered()
            for wish in self._inflight.withdraw(self._fetcher):
                # Nobody is to give up anything for a peer that is not asked.
                self.wish(wish)
        for request in given_up:
            is_contested = self._inflight.is_contested(request.ref.id)
            self._inflight.release(request.ref.id, self._fetcher)
            if stalled or not is_contested:
                # Asked for again, after a rest if need be, unless it came from somebody else.
                self.wish(request.wish)
            else:
                self._inflight.stand_back(request.wish, self._fetcher)
        return [Group(*bucket, tuple(shorts)) for bucket, shorts in groups.items()]

    def _is_late(self, request: Request, now_s: float) -> bool:
        waited_s = now_s - request.asked_at_s
        meanwhile_bytes = self._came_bytes - request.asked_at_bytes
        if waited_s >= REQUEST_S_MAX and meanwhile_bytes < waited_s * BUSY_BYTES_PER_S:
            # With more than that, a line is busy with what is to come before it: a window takes
            # 16 kbit/s five minutes, and what is more urgent steps in front.
            return True
        # Whoever claims to have something and lets it trickle must not keep
        # it from being asked of somebody else.
        return (
            waited_s >= CONTESTED_S
            and request.came < waited_s * CONTESTED_BYTES_PER_S
            and self._inflight.is_contested(request.ref.id)
        )

    def end(self) -> None:
        """Give up everything: the link has ended.  What came in part is kept."""
        requests = [*self._underway.requests, *self._underway.drop_offered()]
        self._wishes = UrgentFirst()
        self._underway.clear()
        self._inflight.withdraw(self._fetcher)
        for request in requests:
            self._save(request)
            self._inflight.release(request.ref.id, self._fetcher)

    def _save(self, request: Request) -> None:
        if request.came:
            request.is_saved, request.saved_s = True, self._progress_s
            self._custody.partials.save(request.ref, request.so_far, self._progress_s)

    def _progress(self, moment: Moment) -> None:
        self._progress_s = moment.lived_s
        self._rest.spoke()


def _state(name: Name) -> State:
    return State.ACKED_WITH_BODY if name.acked else State.HELD
