"""What goes next, and what is already on its way.

`UrgentFirst` is the order of protocol §7.  Both ends use it: the giver for what
it was asked for, the taker for what it asks for.  A richer order (by rarity, by
the length of contacts) is another `Schedule`; nothing else changes.

`InFlight` is one table for all links of a node:

    unclaimed --claim--> claimed by a link --finish--> unclaimed (it came, or none will do)
        ^                  |
        |                  +--release--> unclaimed; the links whose peers
        +------------------------------- listed it are told to wish again

So nothing is fetched twice at once, and what one peer cannot or will not give
is asked from another that holds it.  All are told, for the next may rest or have
no room: whoever asks first has the claim.  Nothing in the table outlives its links.
"""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Generic, Protocol, TypeVar

from meshnews.ids import BundleId, BundleRef, TrafficClass
from meshnews.sync.request import Wish

Item = TypeVar("Item")


class Schedule(Protocol[Item]):
    """Bundles that wait, each with what is to be done for it."""

    def put(self, ref: BundleRef, size: int, item: Item) -> None:
        """Let `item` wait; `size` is what it will put on the wire."""
        ...

    def pop(self) -> Item | None:
        """Take out what goes next, or None."""
        ...

    def peek(self) -> Item | None:
        """Return what goes next and leave it, or None."""
        ...

    def drop_last(self) -> None:
        """Take out something that would go among the last."""
        ...

    @property
    def waiting_bytes(self) -> int:
        """Sum of the sizes."""
        ...

    def bytes_before(self, traffic: TrafficClass) -> int:
        """Return the sum of the sizes of what is of more urgent classes."""
        ...

    def bytes_through(self, traffic: TrafficClass) -> int:
        """Return the sum of the sizes of what is of this class and of more urgent ones."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Item]: ...


class UrgentFirst(Generic[Item]):
    """The order of protocol §7: class, newest day, size, arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int, int, Item]] = []
        self._arrivals = 0
        self._bytes = [0] * len(TrafficClass)

    def put(self, ref: BundleRef, size: int, item: Item) -> None:
        """Let `item` wait."""
        self._arrivals += 1
        self._bytes[ref.traffic] += size
        heappush(self._heap, (ref.traffic, -ref.day, size, self._arrivals, item))

    def pop(self) -> Item | None:
        """Take out what goes next, or None."""
        if not self._heap:
            return None
        traffic, _, size, _, item = heappop(self._heap)
        self._bytes[traffic] -= size
        return item

    def drop_last(self) -> None:
        """Take out something that would go among the last: the tail of the heap."""
        if self._heap:
            traffic, _, size, _, _ = self._heap.pop()
            self._bytes[traffic] -= size

    def peek(self) -> Item | None:
        """Return what goes next and leave it, or None."""
        return self._heap[0][4] if self._heap else None

    def __iter__(self) -> Iterator[Item]:
        """Yield all that waits, in no order that means anything."""
        return (entry[4] for entry in self._heap)

    @property
    def waiting_bytes(self) -> int:
        """Sum of the sizes."""
        return sum(self._bytes)

    def bytes_before(self, traffic: TrafficClass) -> int:
        """Return the sum of the sizes of what is of more urgent classes."""
        return sum(self._bytes[:traffic])

    def bytes_through(self, traffic: TrafficClass) -> int:
        """Return the sum of the sizes of what is of this class and of more urgent ones."""
        return sum(self._bytes[: traffic + 1])

    def __len__(self) -> int:
        return len(self._heap)


class Fetcher(Protocol):
    """A link that fetches: what the table asks of it."""

    def wish_again(self, wish: Wish) -> None:
        """Wish for a bundle that another link gave up; this one's peer has it too."""
        ...


class InFlight:
    """The table.  Shared by all links of a node."""

    def __init__(self) -> None:
        self._holders: dict[BundleId, Fetcher] = {}
        self._waiting: dict[BundleId, list[tuple[Fetcher, Wish]]] = {}
        self._behind: dict[BundleId, list[tuple[Fetcher, Wish]]] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def claim(self, wish: Wish, fetcher: Fetcher) -> bool:
        """Let `fetcher` fetch a bundle, or remember that its peer has it as well.

        Returns:
            Whether it may fetch: no other link does so already.
        """
        identifier = wish.name.ref.id
        holder = self._holders.setdefault(identifier, fetcher)
        if holder is fetcher:
            return True
        waiting = self._waiting.setdefault(identifier, [])
        if not any(other is fetcher for other, _ in waiting):
            waiting.append((fetcher, wish))
        return False

    def is_contested(self, identifier: BundleId) -> bool:
        """Tell whether another link waits for what one has claimed."""
        return identifier in self._waiting

    def stand_back(self, wish: Wish, fetcher: Fetcher) -> None:
        """Let `fetcher` be told when whoever has the claim next gives it up.

        It contests nothing meanwhile: two slow peers would take it from each other.
        """
        self._behind.setdefault(wish.name.ref.id, []).append((fetcher, wish))

    def finish(self, identifier: BundleId) -> None:
        """Forget a bundle: it came, or it is wanted no longer, whoever has it."""
        self._holders.pop(identifier, None)
        self._waiting.pop(identifier, None)
        self._behind.pop(identifier, None)

    def release(self, identifier: BundleId, fetcher: Fetcher) -> None:
        """Give up what `fetcher` claimed; the other links whose peers have it may try."""
        if self._holders.get(identifier) is fetcher:
            del self._holders[identifier]
            told = self._waiting.pop(identifier, []) + self._behind.pop(identifier, [])
            for waiting, wish in told:
                waiting.wish_again(wish)

    def withdraw(self, fetcher: Fetcher) -> list[Wish]:
        """Forget that `fetcher` waits for anything, and return what: its link has ended or rests.

        What it has claimed it releases itself.
        """
        withdrawn: list[Wish] = []
        for table in (self._waiting, self._behind):
            for identifier, entries in list(table.items()):
                withdrawn += [wish for other, wish in entries if other is fetcher]
                table[identifier] = [entry for entry in entries if entry[0] is not fetcher]
                if not table[identifier]:
                    del table[identifier]
        return withdrawn
