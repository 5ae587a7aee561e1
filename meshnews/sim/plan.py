"""A contact plan: who there is, who meets whom and when, what goes wrong, what is filed.

Instants are seconds since 1970 UTC, and an interval holds its start and not its end.
"""

import enum
from dataclasses import dataclass, replace
from typing import Final
from unicodedata import is_normalized

from meshnews.errors import Refusal
from meshnews.node.event import Carrier
from meshnews.sim.stream import NO_FAULTS, Faults
from meshnews.store.age import DAY_S, DAY_ZERO_S

DESK: Final = "desk"
"""The node that collects and opens what is filed."""

KIB: Final = 1024

NODES_MAX: Final = 1024
"""As many as a desk can have."""

YEARS: Final = (2020, 2149)
"""In which a plan can be played: time begins in 2020, and what a desk signs names days that
are years ahead and have 16 bits."""

_FIRST_S: Final = DAY_ZERO_S
_LAST_S: Final = DAY_ZERO_S + 47_482 * DAY_S


class Part(enum.StrEnum):
    """What a node is for."""

    REPORTER = "reporter"
    RELAY = "relay"
    EDITOR = "editor"
    COURIER = "courier"
    """A stick in a pocket: it carries as a relay does."""


class WallClock(enum.StrEnum):
    """What a node's wall clock is worth."""

    RIGHT = "right"
    STOPPED = "stopped"
    """It stands at the first second of 1970, and the machine knows that it cannot tell."""


class Mischief(enum.StrEnum):
    """What a hostile node does with what it is given."""

    DROP = "drop"
    """Says that it has stored what comes, and keeps nothing of it to give."""
    WITHHOLD = "withhold"
    """Passes no receipt on."""
    REPLAY = "replay"
    """Sends some of what it sends twice."""
    CORRUPT = "corrupt"
    """Changes bytes of the bodies it gives."""
    LIE = "lie"
    """Compares with digests that are made up."""
    FLOOD = "flood"
    """Announces bundles that there are not."""


class Urgency(enum.StrEnum):
    """In what order items travel, the first first."""

    FLASH = "flash"
    URGENT = "urgent"
    ROUTINE = "routine"
    PICTURE = "picture"
    BULK = "bulk"

    @property
    def rank(self) -> int:
        """Its place in that order."""
        return list(Urgency).index(self)


@dataclass(frozen=True, slots=True)
class Post:
    """One node of a plan.

    Attributes:
        kind: the machine, in words.
        quota_bytes: most bytes of bodies; None: as the daemon's default.
        mischief: what it does against the rules; None: it is honest.
    """

    name: str
    part: Part
    kind: str = "laptop"
    quota_bytes: int | None = None
    clock: WallClock = WallClock.RIGHT
    mischief: Mischief | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """Two nodes within reach of each other."""

    a: str
    b: str
    start_s: float
    end_s: float
    kbit_s: float
    carrier: Carrier = Carrier.LAN
    delay_s: float = 0.005
    faults: Faults = NO_FAULTS


@dataclass(frozen=True, slots=True)
class Pause:
    """A machine switched off; `is_seized`: taken away, and looked at."""

    node: str
    start_s: float
    end_s: float
    is_seized: bool = False


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One thing to be carried.

    Attributes:
        to_field: it is the desk's word to all, and not for the desk.
    """

    slug: str
    author: str
    filed_s: float
    size_bytes: int
    urgency: Urgency
    to_field: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan.  A contact with the desk over `Carrier.UPLINK` is a gateway's way out."""

    about: str
    posts: tuple[Post, ...]
    contacts: tuple[Contact, ...]
    pauses: tuple[Pause, ...] = ()
    items: tuple[PlanItem, ...] = ()

    @property
    def start_s(self) -> float:
        """When the first thing happens."""
        firsts = [one.start_s for one in self.contacts] + [one.filed_s for one in self.items]
        return min(firsts, default=0.0)

    @property
    def end_s(self) -> float:
        """When the last contact is over."""
        return max((one.end_s for one in self.contacts), default=self.start_s)

    def post(self, name: str) -> Post:
        """Return the node of that name.

        Raises:
            Refusal: there is none.
        """
        for post in self.posts:
            if post.name == name:
                return post
        raise refused(f"There is no node called {name!r} in the plan.")

    def with_post(self, changed: Post) -> "Plan":
        """Return the plan with one node changed.

        Raises:
            Refusal: there is no node of that name.
        """
        before = self.post(changed.name)
        posts = tuple(changed if post is before else post for post in self.posts)
        return replace(self, posts=posts)

    def with_faults(self, faults: Faults) -> "Plan":
        """Return the plan with these faults in every contact.

        Raises:
            Nothing.
        """
        contacts = tuple(replace(one, faults=faults) for one in self.contacts)
        return replace(self, contacts=contacts)

    def check(self) -> None:
        """Return if the parts of the plan fit together.

        Raises:
            Refusal: they do not, and how.
        """
        names = [post.name for post in self.posts]
        if len(names) > NODES_MAX:
            raise refused(f"more than {NODES_MAX} nodes are in it.")
        for text in (self.about, *names, *(item.slug for item in self.items)):
            _check_line(text)
        if len(names) != len(set(names)):
            raise refused("Two nodes have one name.")
        if self.post(DESK).part is not Part.EDITOR:
            raise refused("The desk has to be an editor.")
        if not self.items:
            raise refused("Nothing is filed in it.")
        for contact in self.contacts:
            self._check_contact(contact)
        for pause in self.pauses:
            self.post(pause.node)
            if pause.end_s <= pause.start_s:
                raise refused(f"A pause of {pause.node!r} ends before it begins.")
        self._check_items()

    def _check_contact(self, contact: Contact) -> None:
        self.post(contact.a), self.post(contact.b)
        if contact.a == contact.b:
            raise refused(f"{contact.a!r} meets itself.")
        if contact.kbit_s <= 0:
            raise refused(f"A contact of {contact.a!r} carries nothing.")
        if contact.end_s <= contact.start_s:
            raise refused(f"A contact of {contact.a!r} ends before it begins.")
        if contact.carrier is Carrier.UPLINK and DESK not in {contact.a, contact.b}:
            raise refused(f"{contact.a!r} has an uplink that does not lead to the desk.")
        _check_years(f"A contact of {contact.a!r}", contact.start_s, contact.end_s)

    def _check_items(self) -> None:
        slugs = [item.slug for item in self.items]
        if len(slugs) != len(set(slugs)):
            raise refused("Two items have one slug.")
        for item in self.items:
            _check_years(f"{item.slug!r}", item.filed_s)
            if item.size_bytes < 1:
                raise refused(f"{item.slug!r} is empty.")
            part = self.post(item.author).part
            if item.to_field and part is not Part.EDITOR:
                raise refused(f"{item.author!r} is no editor, and cannot speak to all.")
            if part in {Part.RELAY, Part.COURIER} or (item.author == DESK and not item.to_field):
                raise refused(f"{item.author!r} cannot file {item.slug!r}.")


def _check_line(text: str) -> None:
    """Refuse what could not stand in a picture, drive a terminal or be the name on a card."""
    if not text.isprintable() or not is_normalized("NFC", text):
        raise refused(f"{text[:64]!a} is not one line of plain characters in normal form C.")


def _check_years(what: str, *instants: float) -> None:
    first, last = YEARS
    if not all(_FIRST_S <= at_s < _LAST_S for at_s in instants):
        raise refused(f"{what} is not in the years {first} to {last}.")


def refused(why: str) -> Refusal:
    """Return the refusal of a plan."""
    return Refusal(
        "plan-refused",
        what=f"This is no plan that can be played: {why}",
        meaning="Nothing was simulated.",
        remedy="docs/simulation.md says what a plan is made of.",
    )
