"""What the library asks of a store; SQLite and the memory twin both give it.

The calls are synchronous and are made inside one transaction that the shell
opens round a batch of events: either everything that the batch wrote is on
disk when its effects leave the node, or none of it is and no effect leaves.
So nothing here says commit, and a promise made to a peer is always kept.
`Stores` is what the shell holds.

Two stores, each with shelves of small records: *carry* (bundles, and what it
takes to carry them) and *vault* (everything that belongs to a person; a relay
has none, and a locked daemon has none open).
"""

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from meshnews.ids import AuthKind, BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import DAY_MAX

Outcome = TypeVar("Outcome")


class State(enum.IntEnum):
    """What is known of a bundle.  The first four are elements of the compared set."""

    HELD = 0
    LACKING = 1
    """Header verified, body not kept for a reason of our own."""
    ACKED = 2
    ACKED_WITH_BODY = 3
    WITHHELD = 4
    """Own work whose first sighting is delayed.  In no set yet."""
    AGED = 5
    """Age reached life.  In no set any more; the first to be evicted after acked and stamped."""


COMPARED: frozenset[State] = frozenset(
    {State.HELD, State.LACKING, State.ACKED, State.ACKED_WITH_BODY}
)
ACKED: frozenset[State] = frozenset({State.ACKED, State.ACKED_WITH_BODY})
WITH_BODY: frozenset[State] = frozenset(
    {State.HELD, State.ACKED_WITH_BODY, State.WITHHELD, State.AGED}
)


_NO_DAY: Final = Day(DAY_MAX)

PAGES: Final = 256
"""Pages of a bucket: its elements by the first byte of their identifiers."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a bucket that has elements.

    Attributes:
        digest: b2(BUCKET_PAGE, id ‖ acked for each compared element in order of id),
            where acked is one byte, 1 for ACKED and ACKED_WITH_BODY, else 0.
        count: how many elements it has.
    """

    digest: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Entry:
    """Everything a store keeps about one bundle beside its body and receipt.

    Times named ``_s`` are seconds of the node's own life (`store.age.Lifetime`),
    which survive restarts and never run backwards.
    """

    ref: BundleRef
    state: State
    size: int
    """Bytes of the wire form."""
    auth: AuthKind
    postage_key: bytes
    """Public half of the postage key, 32 bytes; empty for a stamp."""
    expiry_day: Day
    dies_at_s: float
    """When its age reaches its life."""
    acked_at_s: float = 0.0
    release_at_s: float = 0.0
    """When a WITHHELD bundle enters the set."""
    copies: int = 0
    """How many other machines have said STORED for it."""
    pinned: bool = False
    """Never evicted: own unacked work, opened archives, a desk's newest notices."""
    had_body: bool = False
    """The body is here, or once was: tells what a desk has yet to fetch."""
    arrival_day: Day = _NO_DAY
    """The day on which it came, as far as this node could tell."""

    @property
    def standing_day(self) -> Day:
        """The day by which it stands in the order of eviction.

        Whoever dates a bundle ahead gains nothing over those that came the same day.
        """
        return min(self.ref.day, self.arrival_day)


@dataclass(frozen=True, slots=True)
class Usage:
    """What the bodies held take, by class and by what admitted them.

    Attributes:
        by_class: bytes of bodies in each class.
        stamped: bytes of bodies admitted by a stamp.
        stamps: how many entries, of any state, were admitted by a stamp.
    """

    by_class: tuple[int, int, int, int]
    stamped: int
    stamps: int = 0

    @property
    def total(self) -> int:
        """Bytes of all bodies."""
        return sum(self.by_class)


class Shelves(Protocol):
    """Small records on named shelves, in order of their keys.

    A shelf's name is a short ASCII word from the library; keys and values are
    bytes.  An absent record reads as None.
    """

    def get(self, shelf: str, key: bytes) -> bytes | None:
        """Return the record under `key`."""
        ...

    def put(self, shelf: str, key: bytes, value: bytes) -> None:
        """Write the record under `key`, in place of any before it."""
        ...

    def delete(self, shelf: str, key: bytes) -> None:
        """Remove the record under `key`, if there is one, and overwrite its bytes."""
        ...

    def scan(
        self,
        shelf: str,
        prefix: bytes = b"",
        *,
        after: bytes | None = None,
        at_most: int | None = None,
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield the records whose keys begin with `prefix`, in order of key.

        With `after`, only keys above it; with `at_most`, no more than that many: a
        shelf of many or large records is read a page at a time.  The records are
        those at the time of the call: a caller may write to the shelf while it reads.
        """
        ...

    def count(self, shelf: str) -> int:
        """Return how many records `shelf` has."""
        ...


class Carry(Shelves, Protocol):
    """The bundles a node carries.

    A write raises `StoreFull` when the disk has no room; whoever catches it
    saves nothing, for the whole transaction is lost then.  A `ref` with no
    entry is a `LocalMisuse` for the calls that change one.

    Where an order leaves two entries level, the one that arrived first comes
    first: an entry keeps its place in the order of arrival until it is forgotten.
    """

    def entry(self, ref: BundleRef) -> Entry | None:
        """Return what is known of `ref`."""
        ...

    def state(self, ref: BundleRef) -> State | None:
        """Return the state of `ref`; costs less than the whole entry."""
        ...

    def add(self, entry: Entry, body: bytes) -> None:
        """Keep a bundle, in place of any entry under the same reference; a receipt stays.

        `body` is the wire form; empty exactly when the state is not in WITH_BODY.
        """
        ...

    def change(self, entry: Entry) -> None:
        """Replace the entry under the same reference.

        The body stays when the new state is in WITH_BODY and is dropped (and its
        bytes overwritten) otherwise.  A state in WITH_BODY for an entry that has
        no body is a `LocalMisuse`.
        """
        ...

    def count_copy(self, ref: BundleRef) -> None:
        """Raise `copies` by one, if there is an entry."""
        ...

    def forget(self, ref: BundleRef) -> None:
        """Remove entry, body and receipt, if there are any."""
        ...

    def body(self, ref: BundleRef) -> bytes | None:
        """Return the wire form, or None when it is not held."""
        ...

    def set_receipt(self, ref: BundleRef, receipt: bytes) -> None:
        """Keep a receipt (its encoding, full or short) of an entry, in place of any before."""
        ...

    def receipt(self, ref: BundleRef) -> bytes | None:
        """Return the receipt, or None."""
        ...

    def days(self, traffic: TrafficClass) -> list[Day]:
        """Return the days that have elements in the compared set, ascending."""
        ...

    def elements(
        self, traffic: TrafficClass, day: Day, *, first: int = 0, end: int = PAGES
    ) -> Sequence[tuple[BundleId, State]]:
        """Return the compared elements of the pages `first` … `end` - 1, in order of identifier.

        Of a large bucket, nobody should ask for more pages at once than fit memory.
        """
        ...

    def pages(self, traffic: TrafficClass, day: Day) -> Mapping[int, Page]:
        """Return the pages of one bucket that have elements, ascending.

        Each is read again only after it changed.
        """
        ...

    def bucket_digest(self, traffic: TrafficClass, day: Day) -> bytes:
        """Return 32 bytes that two stores share exactly when their buckets agree.

        b2(BUCKET, page u8 ‖ page digest for each page that has elements, ascending).
        An empty bucket gives 32 zero bytes.
        """
        ...

    def under_postage(self, postage_key: bytes) -> Sequence[BundleRef]:
        """Return the entries admitted by one postage key, in order of reference."""
        ...

    def released(self, now_s: float) -> Sequence[Entry]:
        """Return the WITHHELD entries whose `release_at_s` has come, earliest first."""
        ...

    def next_release_s(self) -> float | None:
        """Return the earliest `release_at_s` among WITHHELD entries."""
        ...

    def dying(self, now_s: float, *, at_most: int) -> Sequence[Entry]:
        """Return HELD and LACKING entries whose `dies_at_s` has come, earliest first."""
        ...

    def acked_before(self, moment_s: float, *, at_most: int) -> Sequence[Entry]:
        """Return ACKED_WITH_BODY entries acked before `moment_s`, none pinned, earliest first."""
        ...

    def expired(self, day: Day, *, at_most: int) -> Sequence[Entry]:
        """Return entries with a body whose `expiry_day` is before `day`, none pinned.

        The earliest `expiry_day` comes first.
        """
        ...

    def bygone(self, traffic: TrafficClass, day: Day, *, at_most: int) -> Sequence[BundleRef]:
        """Return entries without a body filed before `day`, in order of reference."""
        ...

    def first_to_go(self, *, at_most: int) -> Sequence[Entry]:
        """Return bodies in the order of eviction, none pinned or WITHHELD or of class 0.

        ACKED_WITH_BODY; stamped; AGED; the others; in each of these four class 3,
        2, 1, then the lowest `standing_day` and in it the most copied first.
        """
        ...

    def lacking(self, traffic: TrafficClass, *, at_most: int) -> Sequence[BundleRef]:
        """Return LACKING entries of a class, newest day first."""
        ...

    def unseen(self, traffic: TrafficClass, *, at_most: int) -> Sequence[BundleRef]:
        """Return ACKED entries of a class whose body was never here, newest day first."""
        ...

    def usage(self) -> Usage:
        """Return how many bytes of bodies are held."""
        ...

    def count_elements(self) -> int:
        """Return how many entries there are, of any state."""
        ...


class Vault(Shelves, Protocol):
    """The shelves of a person.  The same calls; another file, another key."""


class Stores(Protocol):
    """The stores of one home, and the transaction that spans them."""

    @property
    def carry(self) -> Carry:
        """The bundles."""
        ...

    @property
    def vault(self) -> Vault | None:
        """The person's shelves; None at a relay and in a locked daemon."""
        ...

    def transact(self, work: Callable[[], Outcome]) -> Outcome:
        """Run `work`; keep everything it wrote, or nothing when it raises.

        Raises:
            StoreFull: the disk had no room; nothing was kept.
        """
        ...
