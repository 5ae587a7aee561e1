"""To whom a copy of bulk is passed on: the one question, and two ways to answer it.

    Routing     one for a node: what it says of itself in HELLO, and how it meets a neighbour
    Gate        one for a contact: whether a bundle may be named there, and that it was taken

Only class 3 is asked about.  Whatever is more urgent goes to everybody, and what a gate
holds back stays where it is, for the neighbours to come.  See docs/protocol/sync.md,
"Routing", and docs/decisions/0067.
"""

from collections.abc import Callable
from typing import Final, Protocol

from meshnews.crypto.entropy import Entropy, below
from meshnews.ids import BundleRef
from meshnews.limits import HANDED_MAX
from meshnews.sync.messages import Flag

SPRAY_COPIES: Final = 8
"""Copies that a binary spray makes: whoever has one half as often as it was halved."""

GENERATION_S: Final = 3 * 3600
"""In about this time a copy is passed on once; so old a bundle is a generation older."""

TRICKLE: Final = 8
"""In one of so many contacts everything is passed on, whatever was handed on before."""

_NEARER: Final = Flag.WANTS_ACKED | Flag.SAW_DESK


class Gate(Protocol):
    """Which bulk may be named to one neighbour, for as long as the contact lasts."""

    def lets(self, ref: BundleRef, age_s: int) -> bool:
        """Tell whether a copy of a bundle of the age that is said of it may go there."""
        ...

    def took(self, ref: BundleRef) -> None:
        """Take note that the neighbour says to have one more copy, and has it from here."""
        ...


class Routing(Protocol):
    """How a node passes bulk on."""

    @property
    def flags(self) -> Flag:
        """What HELLO says of this node beside its terms for bulk."""
        ...

    def meet(self, neighbour: Flag) -> Gate:
        """Return the gate to a neighbour that says this of itself for bulk."""
        ...


class _Open:
    """Lets everything pass; obeys `Gate`."""

    def lets(self, ref: BundleRef, age_s: int) -> bool:  # noqa: ARG002  whatever it is
        return True

    def took(self, ref: BundleRef) -> None:
        """Count nothing."""


_OPEN: Final = _Open()


class Flooding:
    """Everything to everybody; obeys `Routing`."""

    @property
    def flags(self) -> Flag:
        """Nothing."""
        return Flag(0)

    def meet(self, neighbour: Flag) -> Gate:  # noqa: ARG002  all are alike
        """Return a gate that lets everything pass.

        Raises:
            Nothing.
        """
        return _OPEN


class SprayAndFocus:
    """A few copies to anybody, then only towards the desk; obeys `Routing`.

    Of a spray that hands half of its copies on each time, a holder of 2^k copies serves k
    neighbours.  No count of copies travels: it would tell an author from a relay, and a
    relay could lie in it.  The age that is said beside a bundle anyway stands in its
    place; a generation older, every holder serves one neighbour fewer, and at least one.

    Nobody can stop the spreading: whoever says to be near the desk gets a copy and costs
    nobody else one; whoever takes copies under many names cannot touch the contacts drawn by
    lot, in which everything passes.  What was handed on is kept in memory alone: forgotten,
    it costs some copies more.

    Args:
        entropy: draws the lots.
        saw_desk: tells whether this node says that it lately saw the desk.
        copies: a power of two.
    """

    def __init__(
        self, entropy: Entropy, saw_desk: Callable[[], bool], *, copies: int = SPRAY_COPIES
    ) -> None:
        self._entropy = entropy
        self._saw_desk = saw_desk
        self._served_max = copies.bit_length() - 1
        self._handed: dict[BundleRef, int] = {}

    @property
    def flags(self) -> Flag:
        """Whether this node lately saw the desk."""
        return Flag.SAW_DESK if self._saw_desk() else Flag(0)

    def meet(self, neighbour: Flag) -> Gate:
        """Return the gate to a neighbour; it is open to whoever is nearer the desk.

        Raises:
            Nothing.
        """
        if neighbour & _NEARER or below(self._entropy, TRICKLE) == 0:
            return _OPEN
        return _Spray(self)

    def has_left(self, ref: BundleRef, age_s: int) -> bool:
        """Tell whether one more neighbour may be served with a bundle.

        Raises:
            Nothing.
        """
        served_max = max(1, self._served_max - age_s // GENERATION_S)
        return self._handed.get(ref, 0) < served_max

    def hand_on(self, ref: BundleRef) -> None:
        """Count a neighbour that was served.

        Raises:
            Nothing.
        """
        count = self._handed.pop(ref, 0) + 1
        if len(self._handed) >= HANDED_MAX:
            del self._handed[next(iter(self._handed))]
        self._handed[ref] = count


class _Spray:
    """The gate to somebody who is no nearer to the desk; obeys `Gate`."""

    def __init__(self, spray: SprayAndFocus) -> None:
        self._spray = spray

    def lets(self, ref: BundleRef, age_s: int) -> bool:
        return self._spray.has_left(ref, age_s)

    def took(self, ref: BundleRef) -> None:
        self._spray.hand_on(ref)
