"""What one peer was asked for and still owes, and how much of the window that fills.

    asked --last block, NOTHELD, offer judged--> ended
          --too late, CANCEL--> late: its blocks may still come, and are let pass

Offers are counted, blocks weighed.  What is urgent is weighed against itself alone, so
that it is asked for although the window is full of other things.
"""

from collections.abc import Iterable
from typing import Final

from meshnews.ids import TrafficClass
from meshnews.limits import ASKED_MAX, SMALL_OFFER_BYTES_MAX, WIRE_BYTES
from meshnews.sync.messages import How
from meshnews.sync.request import Request, Wish

_LATE_MAX: Final = ASKED_MAX
"""Cancelled requests whose blocks may still be under way."""


class Underway:
    """The requests at one peer, by the short identifiers it answers with."""

    def __init__(self, window_bytes: int) -> None:
        self._window = window_bytes
        self._requests: dict[bytes, Request] = {}
        self._late: dict[bytes, None] = {}
        self._due_bytes = [0] * len(TrafficClass)
        self._offers = 0
        self._offered_bytes = [0] * len(TrafficClass)
        self._offers_max = max(4, 2 * window_bytes // WIRE_BYTES[-1])

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
    def oldest(self) -> Request | None:
        """What has been owed for longest."""
        return next(iter(self._requests.values()), None)

    @property
    def due_bytes(self) -> int:
        """How many bytes of blocks are owed."""
        return sum(self._due_bytes)

    def due_before(self, traffic: TrafficClass) -> int:
        """Return how many bytes of blocks of more urgent classes are owed."""
        return sum(self._due_bytes[:traffic])

    def offered_before(self, traffic: TrafficClass) -> int:
        """Return how large what is more urgent is of which the offer is owed."""
        return sum(self._offered_bytes[:traffic])

    @property
    def is_full(self) -> bool:
        """Nothing more may be asked for, whatever it is."""
        return len(self._requests) >= ASKED_MAX

    @property
    def has_room(self) -> bool:
        """The blocks of one more bundle may be asked for."""
        return self.due_bytes < self._window

    def has_room_for(self, wish: Wish, *, is_first: bool = False) -> bool:
        """Tell whether a wish may be asked for: its offer when it is large, else its blocks.

        The `is_first` of a WANT has to find half a window: one for every bundle would
        cost both ends more.
        """
        if wish.name.size > SMALL_OFFER_BYTES_MAX:
            return self._offers < self._offers_max
        is_urgent = wish.name.ref.traffic <= TrafficClass.FLASH
        before = self.due_before(TrafficClass.ROUTINE) if is_urgent else self.due_bytes
        return before <= self._window // 2 if is_first else before < self._window

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
            self._note_offer(request.wish, 1)
        else:
            self._note_due(request.wish, request.due)

    def came(self, request: Request, size: int) -> None:
        """Note that a block of so many bytes has come."""
        self._note_due(request.wish, -size)

    def end(self, short: bytes, request: Request) -> None:
        """Note that nothing more is owed of a request."""
        del self._requests[short]
        if request.how is How.OFFER:
            self._note_offer(request.wish, -1)
        else:
            self._note_due(request.wish, -request.due)

    def cancel(self, short: bytes, request: Request) -> None:
        """End a request whose answer may still come."""
        self.end(short, request)
        if len(self._late) >= _LATE_MAX:
            del self._late[next(iter(self._late))]
        self._late[short] = None

    def clear(self) -> None:
        """Forget what is owed: the link has ended."""
        self._requests.clear()

    def _note_offer(self, wish: Wish, more: int) -> None:
        self._offers += more
        self._offered_bytes[wish.name.ref.traffic] += more * wish.name.size

    def _note_due(self, wish: Wish, more_bytes: int) -> None:
        self._due_bytes[wish.name.ref.traffic] += more_bytes
