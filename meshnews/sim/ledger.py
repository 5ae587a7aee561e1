"""Where everything is, and since when: written down as the stores of all machines change."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from meshnews.ids import BundleRef
from meshnews.store.memory import MemoryCarry
from meshnews.store.port import WITH_BODY, Entry, State

Noted = Callable[[BundleRef, Entry | None, Entry | None], None]


@dataclass(slots=True)
class Stay:
    """An item on one machine, from its first bundle to its last.

    Attributes:
        whole_s: when all its bundles were there; None: they never were.
        until_s: when the last was gone; None: some are there yet.
    """

    since_s: float
    whole_s: float | None = None
    until_s: float | None = None


@dataclass
class Ledger:
    """What each machine has of each item.

    Attributes:
        stays: by slug and machine, in order of time.
        given: of each item, bundles that came to some machine.
        sizes: of how many bundles each item is made.
    """

    now_s: Callable[[], float]
    stays: dict[tuple[str, str], list[Stay]] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    _parts: dict[BundleRef, str] = field(default_factory=dict)
    _here: dict[tuple[str, str], int] = field(default_factory=dict)

    def files(self, slug: str, refs: Iterable[BundleRef], author: str) -> None:
        """Take note that an item is made of these bundles, all at its author's."""
        parts = list(refs)
        self.sizes[slug] = len(parts)
        self._parts |= dict.fromkeys(parts, slug)
        self._here[slug, author] = len(parts)
        self.stays[slug, author] = [Stay(self.now_s(), self.now_s())]

    def slug_of(self, ref: BundleRef) -> str | None:
        """Return of which item a bundle is a part; None: of none in the plan."""
        return self._parts.get(ref)

    def came(self, ref: BundleRef, machine: str) -> None:
        """Take note of a body that is on a machine now."""
        slug = self._parts.get(ref)
        if slug is None:
            return
        here = self._here[slug, machine] = self._here.get((slug, machine), 0) + 1
        stays = self.stays.setdefault((slug, machine), [])
        if here == 1:
            stays.append(Stay(self.now_s()))
        if here == self.sizes[slug] and stays[-1].whole_s is None:
            stays[-1].whole_s = self.now_s()
        self.given[slug] = self.given.get(slug, 0) + 1

    def went(self, ref: BundleRef, machine: str) -> None:
        """Take note of a body that is on a machine no more."""
        slug = self._parts.get(ref)
        if slug is None:
            return
        self._here[slug, machine] -= 1
        if not self._here[slug, machine]:
            self.stays[slug, machine][-1].until_s = self.now_s()

    def copies(self, slug: str) -> int:
        """Return how many machines have ever had all of an item."""
        found = (stays for (one, _), stays in self.stays.items() if one == slug)
        return sum(any(stay.whole_s is not None for stay in stays) for stays in found)


@dataclass
class Bodies:
    """One copy of each body, however many machines hold it: memory for thousands of nodes."""

    known: dict[bytes, bytes] = field(default_factory=dict)

    def one(self, body: bytes) -> bytes:
        """Return the copy that all share."""
        return self.known.setdefault(body, body)


class WatchedCarry(MemoryCarry):
    """A store in memory that says what changes in it, and shares its bodies with others."""

    def __init__(self, bodies: Bodies, *, disk_bytes: int | None = None) -> None:
        super().__init__(disk_bytes=disk_bytes)
        self.noted: Noted = lambda *_: None
        self._bodies = bodies

    def add(self, entry: Entry, body: bytes) -> None:
        """Keep a bundle, as `MemoryCarry.add` does.

        Raises:
            StoreFull: there is no room for the body.
            LocalMisuse: state and body contradict each other.
        """
        before = self.entry(entry.ref)
        super().add(entry, self._bodies.one(body) if body else body)
        self._note(entry.ref, before, entry, is_other=True)

    def change(self, entry: Entry) -> None:
        """Replace the entry under the same reference, as `MemoryCarry.change` does.

        Raises:
            LocalMisuse: there is none, or the new state wants a body that is not there.
        """
        before = self.entry(entry.ref)
        super().change(entry)
        self._note(entry.ref, before, entry)

    def forget(self, ref: BundleRef) -> None:
        """Remove entry, body and receipt, if there are any.

        Raises:
            Nothing.
        """
        before = self.entry(ref)
        super().forget(ref)
        self._note(ref, before, None)

    def _note(
        self, ref: BundleRef, before: Entry | None, after: Entry | None, *, is_other: bool = False
    ) -> None:
        if is_other or state_of(before) != state_of(after):
            self.noted(ref, before, after)
            if self._journal.is_open:
                self._journal.note(lambda: self.noted(ref, after, before))


def state_of(entry: Entry | None) -> State | None:
    """Return the state of an entry, if there is one.

    Raises:
        Nothing.
    """
    return None if entry is None else entry.state


def has_body(entry: Entry | None) -> bool:
    """Tell whether a body is there.

    Raises:
        Nothing.
    """
    return entry is not None and entry.state in WITH_BODY
