"""How much comparison a peer may make us do before it has brought anything.

A comparison costs its asker little and its answerer a look at its whole store,
so a peer has an allowance: RECONCILE_BYTES_BASE, more for every bundle of its
that was verified, and what an honest list of a bucket as large as ours takes.
"""

from typing import Final

from meshnews.errors import Exceeded
from meshnews.limits import RECONCILE_BYTES_BASE, RECONCILE_BYTES_PER_BUNDLE

LISTED_BYTES: Final = 9
"""One listed element takes 8.25 bytes."""

VAIN_BYTES: Final = 64
"""What is charged for each bundle named and then not held, or receipt that had no room."""


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
