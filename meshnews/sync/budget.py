"""How much comparison a peer may make us do before it has brought anything.

A comparison costs its asker little and its answerer a look at its whole store, so a
peer has an allowance: RECONCILE_BYTES_BASE, more for every bundle of its that was
verified, and once for each bucket what an honest list of it takes.  From it go the
bytes of its questions and those of our cells and ranges in answer to them.

An honest dialler keeps the same account with a `Purse` and stops long before its end.
"""

from collections.abc import Sequence
from typing import Final

from meshnews.errors import Exceeded
from meshnews.ids import BundleRef, TrafficClass
from meshnews.limits import (
    RECEIPTS_FOUND_MAX,
    RECONCILE_BYTES_BASE,
    RECONCILE_BYTES_PER_BUNDLE,
)

LISTED_BYTES: Final = 9
"""One listed element takes 8.25 bytes."""

DAY_BYTES_LEAST: Final = 512
"""What is left to each day behind: enough for a short list, or for GRID and some cells."""


class Budget:
    """What is left of a peer's allowance, in bytes of comparison."""

    def __init__(self) -> None:
        self._left = RECONCILE_BYTES_BASE

    @property
    def left(self) -> int:
        """Bytes that may still be spent."""
        return self._left

    def charge(self, spent_bytes: int) -> None:
        """Take `spent_bytes` from the allowance.

        Raises:
            Exceeded: there was less of it.
        """
        self._left -= spent_bytes
        if self._left < 0:
            raise Exceeded("more comparison than the bundles it brought")

    def allow_listing(self, elements: int) -> None:
        """Allow one listing of a bucket in which we have `elements`."""
        self._left += LISTED_BYTES * elements

    def allow_for_bundle(self) -> None:
        """Allow what a verified bundle earns."""
        self._left += RECONCILE_BYTES_PER_BUNDLE


class Purse:
    """What a dialler may still spend, by its own count.

    It has half of the fixed part, so that the answerer never has to cut it.  A class, and
    in it a day, leaves half of what it finds to those behind, and to each of them
    DAY_BYTES_LEAST if there is as much for all: days with tens of thousands of receipts
    that the peer has no room for do not keep the bundles of other days back.
    """

    def __init__(self) -> None:
        self._left = RECONCILE_BYTES_BASE // 2
        self.ran_out = False
        """Something was left uncompared for want of it."""

    def credit_bundle(self) -> None:
        """Add what a bundle earns that the peer has stored."""
        self._left += RECONCILE_BYTES_PER_BUNDLE

    def share(self, *, behind: int, above: "Share | None" = None) -> "Share":
        """Return the share of a class, or of a day in the share of its class.

        Args:
            behind: how many classes, or days, come after it.
            above: the share of its class.
        """
        reserve = above.reserve if above is not None else 0
        if behind:
            here = max(0, self._left - reserve)
            least = min(DAY_BYTES_LEAST, here // (behind + 1))
            reserve += max(here // 2, least * behind)
        return Share(self, reserve)

    def take(self, spent_bytes: int, *, reserve: int) -> bool:
        """Spend, if at least `reserve` is left then; tell whether it was."""
        if self._left - spent_bytes < reserve:
            self.ran_out = True
            return False
        self._left -= spent_bytes
        return True


class Share:
    """What one class or one day may spend."""

    def __init__(self, purse: Purse, reserve: int) -> None:
        self._purse = purse
        self.reserve = reserve
        self._own = 0

    def allow_listing(self, elements: int) -> None:
        """Add what the answerer allows for a bucket in which it has `elements`."""
        self._own += LISTED_BYTES * elements

    def spend(self, spent_bytes: int) -> bool:
        """Spend so much, if there is as much; tell whether there was."""
        from_own = min(spent_bytes, self._own)
        if not self._purse.take(spent_bytes - from_own, reserve=self.reserve):
            return False
        self._own -= from_own
        return True


class ReceiptQuota:
    """How many full receipts one comparison may let us send.

    A class leaves half of what it finds to those behind: receipts that the peer has no
    room for are found again in every contact.
    """

    def __init__(self) -> None:
        self._left = RECEIPTS_FOUND_MAX
        self._reserve: dict[TrafficClass, int] = {}

    def admit(self, refs: Sequence[BundleRef]) -> list[BundleRef]:
        """Return those of `refs` whose receipts may be sent; the rest is for another contact."""
        admitted: list[BundleRef] = []
        for ref in refs:
            is_last = ref.traffic is TrafficClass.BULK
            reserve = self._reserve.setdefault(ref.traffic, 0 if is_last else self._left // 2)
            if self._left > reserve:
                self._left -= 1
                admitted.append(ref)
        return admitted
