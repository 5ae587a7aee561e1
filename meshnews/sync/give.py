"""Giving what a peer asks for: names, requests in order of urgency, offers, blocks.

    named --WANT--> queued --> DATA … DATA --> sent --STORED--> forgotten
                      |  +--> OFFER --> named     +----CANCEL--> forgotten
                      +--> NOTHELD

Bodies are read from the store when they are about to be sent, never before.
See docs/protocol/sync.md, "Transfer".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from meshnews.bundle.format import parse
from meshnews.errors import Exceeded, OutOfTurn
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import BLOCK_BYTES_MIN, GIVEN_MAX, WANTS_QUEUED_MAX, WIRE_BYTES
from meshnews.store.age import Moment
from meshnews.store.custody import Custody
from meshnews.store.terms import Given
from meshnews.sync.layout import encode_data, encode_message
from meshnews.sync.messages import (
    ID_BYTES,
    OFFER_FIELD_BYTES_MAX,
    Group,
    How,
    Name,
    OfferMessage,
    Want,
)
from meshnews.sync.salt import Salt
from meshnews.sync.schedule import Schedule, UrgentFirst

BLOCK_S: Final = 0.175
"""A block takes no longer than this at the measured rate, unless it would be too small.

With the message that names it, a flash leaves behind one block within 200 ms; the heads of
blocks are 31 bytes each, and of 64 kbit/s they took three hundredths when this was 100 ms."""

LITTLE_BYTES_MIN: Final = 16 * 1024
LITTLE_BLOCKS: Final = 16
"""With more than so much asked for, nothing less urgent is named or compared by who calls: the
names of a film of a gigabyte are half a megabyte, and the list of a smaller one 3 s of 64 kbit/s,
which a picture would have to share."""

_MISSES_MAX: Final = 256
"""Requests found empty in one go, so that a pull stays short."""


@dataclass(slots=True)
class _Order:
    """One thing the peer asked for."""

    ref: BundleRef
    short: bytes
    size: int
    how: How
    offset: int
    acked: bool
    cancelled: bool = False
    given: Given | None = None


class Giver:
    """What this side of one link gives."""

    def __init__(self, custody: Custody, *, salt: Salt, block_bytes: int) -> None:
        self._custody = custody
        self._salt = salt
        self._block = self._block_max = block_bytes
        self._named: dict[bytes, Name] = {}
        self._orders: Schedule[_Order] = UrgentFirst()
        self._queued: dict[bytes, _Order] = {}
        self._current: _Order | None = None
        self._halted: list[_Order] = []
        self._sent: dict[bytes, tuple[BundleRef, bool]] = {}
        self._missing: list[tuple[TrafficClass, Day, bytes]] = []

    def pace(self, bytes_per_s: float) -> None:
        """Give blocks from now on that take about BLOCK_S each at this rate.

        Something more urgent waits for the block that has begun, and for no more.
        """
        fitting = int(bytes_per_s * BLOCK_S)
        self._block = min(max(fitting, 2 * BLOCK_BYTES_MIN), self._block_max)

    @property
    def little_bytes(self) -> int:
        """What the line takes in about three seconds; while its rate is not known, a guess."""
        return max(LITTLE_BYTES_MIN, LITTLE_BLOCKS * self._block)

    @property
    def is_idle(self) -> bool:
        """Nothing is asked for, and the fate of everything sent is known."""
        return not (self._queued or self._sent or self._missing)

    @property
    def is_owed(self) -> bool:
        """The fate of something sent is not told yet."""
        return bool(self._sent)

    @property
    def has_data(self) -> bool:
        """Something is asked for and not yet sent."""
        return bool(self._queued)

    @property
    def has_misses(self) -> bool:
        """Something asked for is not held, and the peer not told yet."""
        return bool(self._missing)

    @property
    def waiting_bytes(self) -> int:
        """About how much is asked for and not yet sent."""
        begun_bytes = sum(order.size for order in self._halted)
        if self._current is not None:
            begun_bytes += self._current.size
        return self._orders.waiting_bytes + begun_bytes

    def bytes_before(self, traffic: TrafficClass) -> int:
        """Return about how much of more urgent classes is asked for and not yet sent."""
        begun = [*self._halted, *([] if self._current is None else [self._current])]
        begun_bytes = sum(order.size for order in begun if order.ref.traffic < traffic)
        return self._orders.bytes_before(traffic) + begun_bytes

    @property
    def waiting(self) -> int:
        """How many requests take room, those included that were cancelled since."""
        return len(self._orders)

    def name(self, name: Name) -> None:
        """Remember a bundle that is being named to the peer."""
        if len(self._named) >= GIVEN_MAX:
            del self._named[next(iter(self._named))]
        self._named[self._salt.position(name.ref.id)] = name

    def want(self, message: Want) -> None:
        """Queue what the peer asks for.

        Raises:
            PeerError: it asks twice, or for more than it may leave waiting.
        """
        for group in message.groups:
            full = len(group.ids[0]) == ID_BYTES
            offsets = group.offsets or (0,) * len(group.ids)
            for one, offset in zip(group.ids, offsets, strict=True):
                short = self._salt.position(one) if full else one
                name = self._named.get(short)
                if full:
                    ref = BundleRef(group.traffic, group.day, BundleId(one))
                elif name is not None and name.ref[:2] == (group.traffic, group.day):
                    ref = name.ref
                else:
                    # Named so long ago that we forgot, or never.
                    self._miss(group.traffic, group.day, short)
                    continue
                size = name.size if name is not None else WIRE_BYTES[0]
                if group.how is How.OFFER:
                    # It is as small as it is soon needed: what follows it may be the next of all.
                    size = min(size, OFFER_FIELD_BYTES_MAX)
                acked = name is not None and name.acked
                self._queue(_Order(ref, short, size, group.how, offset, acked))

    def _miss(self, traffic: TrafficClass, day: Day, short: bytes) -> None:
        if len(self._missing) >= WANTS_QUEUED_MAX:
            raise Exceeded("more requests than may wait")
        self._missing.append((traffic, day, short))

    def _queue(self, order: _Order) -> None:
        if order.short in self._queued:
            raise OutOfTurn("Want of what was asked for already")
        if len(self._orders) >= WANTS_QUEUED_MAX:
            self._drop_cancelled()
        if len(self._orders) >= WANTS_QUEUED_MAX:
            raise Exceeded("more requests than may wait")
        self._queued[order.short] = order
        self._orders.put(order.ref, order.size, order)

    def _drop_cancelled(self) -> None:
        """Make room: what was cancelled waits in the schedule until its turn comes."""
        waiting = [order for order in self._orders if not order.cancelled]
        self._orders = UrgentFirst()
        for order in waiting:
            self._orders.put(order.ref, order.size, order)

    def next(self, moment: Moment) -> bytes | None:
        """Return the next OFFER or DATA, encoded, or None.

        Raises:
            PeerError: the peer asks on and on, and says STORED of nothing.
        """
        for _ in range(_MISSES_MAX):
            order = self._next_order()
            if order is None:
                return None
            if order.given is None:
                order.given = self._custody.give(order.ref, moment)
            given = order.given
            if given is None or order.offset >= len(given.wire):
                self._missing.append((order.ref.traffic, order.ref.day, order.short))
                self._finish(order)
            elif order.how is How.OFFER:
                self._finish(order)
                offer = parse(given.wire).offer.encode()
                return encode_message(OfferMessage(given.age_s, offer))
            else:
                return self._next_block(order, given)
        return None

    def _next_order(self) -> _Order | None:
        while (top := self._orders.peek()) is not None and top.cancelled:
            self._orders.pop()
        begun, self._current = self._current, None
        while (begun is None or begun.cancelled) and self._halted:
            begun = self._halted.pop()
        if begun is not None and not begun.cancelled:
            if top is None or top.ref.traffic >= begun.ref.traffic:
                self._current = begun
                return begun
            # Something more urgent came: the rest of this body waits on disk.
            begun.given = None
            self._halted.append(begun)
        self._current = self._orders.pop()
        return self._current

    def _next_block(self, order: _Order, given: Given) -> bytes:
        wire, start = given.wire, order.offset
        end = start + self._block
        block = wire if not start and end >= len(wire) else wire[start:end]
        order.offset = end
        if end >= len(wire):
            self._finish(order)
            if len(self._sent) >= GIVEN_MAX:
                raise Exceeded("it tells the fate of nothing that it was given")
            self._sent[order.short] = order.ref, order.acked
        ref = order.ref
        return encode_data(
            ref.traffic, ref.day, order.short, age_s=given.age_s, offset=start, block=block
        )

    def _finish(self, order: _Order) -> None:
        del self._queued[order.short]
        order.given = None
        self._current = None
        self._forget_cancelled()

    def _forget_cancelled(self) -> None:
        """Let what was cancelled count no more once nothing else is left: none of it is given."""
        if not self._queued:
            self._orders, self._current = UrgentFirst(), None
            self._halted.clear()

    def take_missing(self, at_most: int) -> list[tuple[TrafficClass, Day, bytes]]:
        """Return what to say NOTHELD of: class, day and short identifier."""
        missing, self._missing = self._missing[:at_most], self._missing[at_most:]
        return missing

    def stored(self, groups: Iterable[Group]) -> Iterator[tuple[BundleRef, bool]]:
        """Take note of what the peer keeps; yield it, and whether we hold it as acked.

        Raises:
            PeerError: it says so of what was not given to it.
        """
        for group in groups:
            for short in group.shorts:
                sent = self._sent.pop(short, None)
                if sent is None:
                    raise OutOfTurn("Stored of what was not given")
                self._named.pop(short, None)
                yield sent

    def cancel(self, groups: Iterable[Group]) -> None:
        """Give no longer, or know as not kept, what the peer cancels."""
        for group in groups:
            for short in group.shorts:
                order = self._queued.pop(short, None)
                if order is not None:
                    order.cancelled = True
                    order.given = None
                self._sent.pop(short, None)
        self._forget_cancelled()
