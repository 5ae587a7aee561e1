"""Finding out in what two sets differ: what every way of comparing has in common.

A `Comparison` turns our buckets and the peer's messages into `Findings`: which
bodies the peer may want, which receipts it lacks, what to answer.  What we may
want comes from the peer in the same way, as names and receipts, so a finer
comparison replaces `meshnews.sync.plain` and nothing else.  See
docs/protocol/sync.md, "Comparison".
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import LIST_IDS_MAX, RANGE_BITS_MAX
from meshnews.store.port import State
from meshnews.sync.messages import Days, Flag, Hello, List, Reply, Spans
from meshnews.sync.salt import Salt


class Elements(Protocol):
    """Our side of the comparison, as the store keeps it."""

    def digests(
        self, traffic: TrafficClass, newest: Day, oldest: Day
    ) -> Sequence[tuple[Day, bytes]]:
        """Return the digests of the buckets from `oldest` to `newest` that are not empty."""
        ...

    def elements(self, traffic: TrafficClass, day: Day) -> Sequence[tuple[BundleId, State]]:
        """Return the compared elements of one bucket."""
        ...


@dataclass(slots=True)
class Findings:
    """What one message of the comparison brought to light."""

    names: list[BundleRef] = field(default_factory=list)
    """Bodies we hold that the peer may want."""
    short_receipts: list[BundleRef] = field(default_factory=list)
    """Receipts the peer lacks, of bundles it knows."""
    full_receipts: list[BundleRef] = field(default_factory=list)
    """Receipts the peer lacks, of bundles it does not know."""
    answer: Days | Reply | None = None
    """What to send after all of these."""


class Comparison(Protocol):
    """One side's part.  The dialler proposes, the answerer never does."""

    @property
    def finished(self) -> bool:
        """Nothing is left to compare."""
        ...

    @property
    def is_opening(self) -> bool:
        """The next proposal opens a class, so little may be waiting of those before."""
        ...

    def credit_bundle(self) -> None:
        """Count a bundle that the peer has stored: it allows us that much more comparison."""
        ...

    def propose(self) -> Spans | List | None:
        """Return the next message that may be sent now, or None."""
        ...

    def receive(self, message: Spans | Days | List | Reply) -> Findings:
        """Take in a message of the comparison.

        Raises:
            PeerError: it answers nothing that was asked, or contradicts itself.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sides:
    """What both diallers and answerers work with."""

    elements: Elements
    salt: Salt
    ours: Hello
    theirs: Hello

    def bounds(self, traffic: TrafficClass) -> tuple[Day, Day] | None:
        """Return the newest and oldest day to compare, or None when there is nothing."""
        both = self.ours.classes[traffic], self.theirs.classes[traffic]
        newest = [terms.newest for terms in both if Flag.NONEMPTY in terms.flags]
        oldest = max(terms.oldest for terms in both)
        if not newest or max(newest) < oldest:
            return None
        return max(newest), oldest

    def we_want(self, traffic: TrafficClass, flag: Flag) -> bool:
        """Tell whether we take bodies of a class, and they give them."""
        ours, theirs = self.ours.classes[traffic].flags, self.theirs.classes[traffic].flags
        return flag in ours and Flag.SERVES in theirs

    def they_want(self, traffic: TrafficClass, flag: Flag) -> bool:
        """Tell whether they take bodies of a class, and we give them."""
        ours, theirs = self.ours.classes[traffic].flags, self.theirs.classes[traffic].flags
        return flag in theirs and Flag.SERVES in ours


class Snapshot:
    """One bucket by position, as it was when it was first looked at."""

    def __init__(self, elements: Sequence[tuple[BundleId, State]], salt: Salt) -> None:
        position = salt.position
        self._by_short = {
            position(identifier): (identifier, state) for identifier, state in elements
        }
        self._shorts = sorted(self._by_short)

    def __len__(self) -> int:
        return len(self._shorts)

    def get(self, short: bytes) -> tuple[BundleId, State] | None:
        """Return the element at a position."""
        return self._by_short.get(short)

    def within(self, bits: int, prefix: int) -> list[bytes]:
        """Return the positions that begin with the `bits` bits of `prefix`, ascending."""
        low = prefix << (64 - bits)
        start = bisect_left(self._shorts, low.to_bytes(8, "big"))
        high = low + (1 << (64 - bits))
        if high >> 64:
            return self._shorts[start:]
        return self._shorts[start : bisect_left(self._shorts, high.to_bytes(8, "big"))]

    def bits_for(self, count: int) -> int:
        """Return into how many bits' ranges to cut, so that each fits a LIST on both sides."""
        bits = 0
        while max(count, len(self)) > LIST_IDS_MAX // 2 << bits and bits < RANGE_BITS_MAX:
            bits += 1
        return bits
