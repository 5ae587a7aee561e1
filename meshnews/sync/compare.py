"""Finding out in what two sets differ: what every way of comparing has in common.

A `Comparison` turns our buckets and the peer's messages into `Findings`: which
bodies the peer may want, which receipts it lacks, what to answer.  What we may
want comes from the peer in the same way, as names and receipts.  The dialler's
side is `meshnews.sync.dial`, the answerer's `meshnews.sync.answer`.  See
docs/protocol/sync.md, "Comparison".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.store.port import PAGES, Page, State
from meshnews.sync.messages import Flag, Hello
from meshnews.sync.question import Method, Question, Reaction
from meshnews.sync.salt import Salt

EVER: Final = Day(0)
"""As the first day to be compared: there is none before it."""


class Elements(Protocol):
    """Our side of the comparison, as the store keeps it."""

    def digests(
        self, traffic: TrafficClass, newest: Day, oldest: Day
    ) -> Sequence[tuple[Day, bytes]]:
        """Return the digests of the buckets from `oldest` to `newest` that are not empty."""
        ...

    def pages(self, traffic: TrafficClass, day: Day) -> Mapping[int, Page]:
        """Return the pages of one bucket that have elements, ascending."""
        ...

    def elements(
        self, traffic: TrafficClass, day: Day, *, first: int = 0, end: int = PAGES
    ) -> Sequence[tuple[BundleId, State]]:
        """Return the compared elements of some pages of one bucket."""
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
    answer: Reaction | None = None
    """What to send after all of these."""


class Comparison(Protocol):
    """One side's part.  The dialler proposes, the answerer never does."""

    @property
    def finished(self) -> bool:
        """Nothing is left to compare."""
        ...

    @property
    def opening(self) -> TrafficClass | None:
        """The class that the next proposal opens, so little may be waiting of those before."""
        ...

    @property
    def asking(self) -> TrafficClass | None:
        """The class that the next proposal is about; None: all is proposed, or never will be."""
        ...

    @property
    def is_asking(self) -> bool:
        """A question has gone out and is not answered."""
        ...

    @property
    def is_cut_short(self) -> bool:
        """Something was left to another contact: the comparison may cost no more."""
        ...

    def credit_bundle(self) -> None:
        """Count a bundle that the peer has stored: it allows us that much more comparison."""
        ...

    def propose(self) -> Question | None:
        """Return the next message that may be sent now, or None."""
        ...

    def receive(self, message: Question | Reaction) -> Findings:
        """Take in a message of the comparison.

        Raises:
            PeerError: it answers nothing that was asked, or contradicts itself.
        """
        ...


@dataclass(frozen=True, slots=True)
class Manner:
    """How to compare over a carrier: bytes against round trips and work.

    Attributes:
        range_elements: about how many elements a range of GRID has.  Fewer: more
            bytes, and less to read where little differs.
        surplus: how many more cells are sent at first than are likely to do.
        fan: into `2 ** fan` ranges SPLIT cuts one.
        listed_max: a range of at most this many elements is listed, not split.
    """

    range_elements: int
    surplus: float
    fan: int
    listed_max: int


SLOW = Manner(range_elements=256, surplus=1.0, fan=2, listed_max=4)
"""For carriers of some 20 kB/s, as §7 of the design says: b = T = 4."""

FAST = Manner(range_elements=64, surplus=1.25, fan=4, listed_max=16)
"""For local networks: b = T = 16."""


@dataclass(frozen=True, slots=True)
class Sides:
    """What both diallers and answerers work with.

    Attributes:
        horizon: the first day that this side compares, class 0 excepted.
    """

    elements: Elements
    salt: Salt
    ours: Hello
    theirs: Hello
    manner: Manner = SLOW
    horizon: Day = EVER

    def bounds(self, traffic: TrafficClass) -> tuple[Day, Day] | None:
        """Return the newest and oldest day to compare, or None when there is nothing."""
        both = self.ours.classes[traffic], self.theirs.classes[traffic]
        newest = [terms.newest for terms in both if Flag.NONEMPTY in terms.flags]
        oldest = max(terms.oldest for terms in both)
        if not newest or max(newest) < oldest:
            return None
        return max(newest), oldest

    def both_know(self, method: Method) -> bool:
        """Tell whether both sides know a way of comparing."""
        return bool(self.ours.methods & self.theirs.methods & method)

    def we_want(self, traffic: TrafficClass, flag: Flag) -> bool:
        """Tell whether we take bodies of a class, and they give them."""
        ours, theirs = self.ours.classes[traffic].flags, self.theirs.classes[traffic].flags
        return flag in ours and Flag.SERVES in theirs

    def they_want(self, traffic: TrafficClass, flag: Flag) -> bool:
        """Tell whether they take bodies of a class, and we give them."""
        ours, theirs = self.ours.classes[traffic].flags, self.theirs.classes[traffic].flags
        return flag in theirs and Flag.SERVES in ours
