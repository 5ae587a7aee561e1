"""What one peer was asked for and still owes, and how much of the window that fills.

    asked --last block, NOTHELD, offer not wanted--> ended
          --offer judged--> offered: its blocks are asked for when there is room
          --too late, CANCEL--> late: its blocks may still come, and are let pass

Blocks are weighed in lanes, and what is less urgent weighs nothing: a text is asked for although
a film fills the window, and the giver lets it step in.  What all of it may take of memory is
bounded by how many bundles may have begun to come.

    notices, flashes, small of routine, large of routine, bulk
    |----------------------- of which each fills a window together with those before it

An offer is weighed by the bundle whose blocks are to follow.  No more are asked for ahead than a
window of blocks takes up: what was offered and not fetched crossed in vain when the contact ends,
and while it lasts no other neighbour is asked for it.
"""

from collections.abc import Iterable
from typing import Final

from meshnews.errors import Exceeded
from meshnews.ids import BundleId, TrafficClass
from meshnews.limits import ASKED_MAX, BUNDLES_BEGUN_MAX, SMALL_OFFER_BYTES_MAX, WIRE_BYTES
from meshnews.sync.messages import How
from meshnews.sync.request import Request, Wish
from meshnews.sync.schedule import Schedule, UrgentFirst

_LATE_MAX: Final = ASKED_MAX
"""Cancelled requests whose blocks may still be under way."""

_LANES: Final = 5
_FIRST_LANE: Final = (0, 1, 2, 4)
"""Of each class."""

_AHEAD_LEAST: Final = 4
"""Large bundles of which the offers are asked for ahead where a window holds none."""


class Underway:
    """The requests at one peer, by the short identifiers it answers with."""

    def __init__(self, window_bytes: int) -> None:
        self._window = window_bytes
        self._requests: dict[bytes, Request] = {}
        self._late: dict[bytes, frozenset[How]] = {}
        self._offered: Schedule[Request] = UrgentFirst()
        self._offered_ids: set[BundleId] = set()
        self._due_bytes = [0] * _LANES
        self._asked_bytes = [0] * _LANES
        self._ahead_bytes = max(window_bytes, _AHEAD_LEAST * WIRE_BYTES[-1])

    def __len__(self) -> int:
        return len(self._requests)

    def __contains__(self, short: bytes) -> bool:
        return short in self._requests

    def items(self) -> Iterable[tuple[bytes, Request]]:
        """Return what is owed, by short identifier, the oldest first."""
        return self._requests.items()

    @property
    def requests(self) -> Iterable[Request]:
        """What is owed, the oldest first."""
        return self._requests.values()

    @property
    def is_idle(self) -> bool:
        """Nothing is owed, nor offered and to be asked for."""
        return not (self._requests or self._offered)

    @property
    def due_bytes(self) -> int:
        """How much is to come of all that is owed or offered."""
        return sum(one.due for one in (*self._requests.values(), *self._offered))

    def bytes_before(self, traffic: TrafficClass) -> int:
        """Return how much is to come of what is more urgent."""
        lanes = _FIRST_LANE[traffic]
        asked = sum(self._asked_bytes[:lanes]) + sum(self._due_bytes[:lanes])
        return asked + self._offered.bytes_before(traffic)

    @property
    def is_full(self) -> bool:
        """Nothing more may be asked for, whatever it is."""
        return len(self._requests) >= ASKED_MAX

    def has_room_for(self, wish: Wish, *, is_first: bool = False) -> bool:
        """Tell whether a wish may be asked for: its offer when it is large, else its blocks.

        The `is_first` of a WANT has to find half a window: one for every bundle would
        cost both ends more.
        """
        lane = _lane(wish)
        if _is_large(wish):
            offered = self._offered.bytes_through(wish.name.ref.traffic)
            before, most = _through(lane, self._asked_bytes) + offered, self._ahead_bytes
        else:
            before, most = _through(lane, self._due_bytes), self._window
        return before <= most // 2 if is_first else before < most

    @property
    def has_room_for_offered(self) -> bool:
        """There is something that was offered, and room for its blocks."""
        top = self._offered.peek()
        return top is not None and _through(_lane(top.wish), self._due_bytes) < self._window

    def pop_offered(self) -> Request | None:
        """Take out what was offered and is now to be asked for, or None."""
        request = self._offered.pop() if self.has_room_for_offered else None
        if request is not None:
            self._offered_ids.remove(request.ref.id)
        return request

    def is_offered(self, identifier: BundleId) -> bool:
        """Tell whether a bundle was offered and waits for its turn."""
        return identifier in self._offered_ids

    def is_like_offered(self, request: Request) -> bool:
        """Tell whether the blocks of a large bundle are asked for without its offer.

        They wait for room as if it had come: the window is one of blocks.
        """
        return request.how is How.DATA and _is_large(request.wish)

    def put_offered(self, request: Request) -> None:
        """Let a request for the blocks of what was offered wait for its turn."""
        self._offered.put(request.ref, request.wish.name.size, request)
        self._offered_ids.add(request.ref.id)

    def drop_offered(self) -> list[Request]:
        """Take out all that was offered: it is not going to be asked for."""
        dropped, self._offered = list(self._offered), UrgentFirst()
        self._offered_ids.clear()
        return dropped

    def get(self, short: bytes) -> Request | None:
        """Return the request that an answer belongs to."""
        return self._requests.get(short)

    def is_late(self, short: bytes) -> bool:
        """Tell whether this was cancelled: an answer to it is nobody's fault."""
        return short in self._late

    def add(self, short: bytes, request: Request) -> None:
        """Note what is being asked for."""
        self._requests[short] = request
        if request.how is How.OFFER:
            self._note_asked(request.wish, 1)
        else:
            self._note_due(request.wish, request.due)

    def came(self, request: Request, size: int) -> None:
        """Note that a block of so many bytes has come.

        Raises:
            Exceeded: one bundle after the other is begun, and none ended.
        """
        self._note_due(request.wish, -size)
        is_begun_now = request.came == size and request.due
        if is_begun_now and sum(1 for one in self.requests if one.came) > BUNDLES_BEGUN_MAX:
            raise Exceeded("bundles that are begun and not ended")

    def end(self, short: bytes, request: Request) -> None:
        """Note that nothing more is owed of a request."""
        del self._requests[short]
        if request.how is How.OFFER:
            self._note_asked(request.wish, -1)
        else:
            self._note_due(request.wish, -request.due)

    def cancel(self, short: bytes, request: Request) -> None:
        """End a request whose answer may still come."""
        self.end(short, request)
        self.let_pass(short, request)

    def let_pass(self, short: bytes, request: Request) -> None:
        """Note that the answer to a request that has ended may still come."""
        ways = self._late.pop(short, frozenset()) | {request.how}
        if len(self._late) >= _LATE_MAX:
            del self._late[next(iter(self._late))]
        self._late[short] = ways

    def answered(self, short: bytes) -> None:
        """Note that what came answers what is asked now: what was cancelled before has gone by."""
        self._late.pop(short, None)

    def how_to_ask(self, wish: Wish, short: bytes) -> How | None:
        """Return what to ask for first; None: nothing, for no answer could be told from a late one.

        The answer to what was cancelled is told by its kind, and comes first.
        """
        late = self._late.get(short)
        if late is None:
            return How.OFFER if _is_large(wish) else How.DATA
        return next((how for how in How if how not in late), None)

    def clear(self) -> None:
        """Forget what is owed: the link has ended."""
        self._requests.clear()

    def _note_asked(self, wish: Wish, more: int) -> None:
        self._asked_bytes[_lane(wish)] += more * wish.name.size

    def _note_due(self, wish: Wish, more_bytes: int) -> None:
        self._due_bytes[_lane(wish)] += more_bytes


def _is_large(wish: Wish) -> bool:
    return wish.name.size > SMALL_OFFER_BYTES_MAX


def _lane(wish: Wish) -> int:
    traffic = wish.name.ref.traffic
    return _FIRST_LANE[traffic] + (traffic is TrafficClass.ROUTINE and _is_large(wish))


def _through(lane: int, by_lane: list[int]) -> int:
    return sum(by_lane[: lane + 1])
