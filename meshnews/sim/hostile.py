"""Hostile nodes: members of the desk's mesh whose disks lie to them, and so to everybody.

Each runs the real node, with real keys, so its links stand; what it reads from
its store is not what was written there.  What it sends is therefore well formed
and false, which is the worst that somebody who has taken a relay can do.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.sim.ledger import Bodies, WatchedCarry
from meshnews.sim.plan import Mischief
from meshnews.store.bucket import PageIndex
from meshnews.store.port import PAGES, Page, State

FLOOD_IDS: Final = 5000
"""Bundles that are announced each day and that there are not."""

_ACKED: Final = {State.ACKED: State.LACKING, State.ACKED_WITH_BODY: State.HELD}


def carry_of(mischief: Mischief | None, bodies: Bodies) -> WatchedCarry:
    """Return the store of a node: one that lies, where it is hostile.

    Raises:
        Nothing.
    """
    kinds: dict[Mischief | None, type[WatchedCarry]] = {
        Mischief.DROP: _Dropping,
        Mischief.WITHHOLD: _Withholding,
        Mischief.CORRUPT: _Corrupting,
        Mischief.LIE: _Lying,
        Mischief.FLOOD: _Flooding,
    }
    return kinds.get(mischief, WatchedCarry)(bodies)


class _Dropping(WatchedCarry):
    """Says that it stores what comes, and has none of it when it is asked."""

    def body(self, ref: BundleRef) -> bytes | None:
        """Return nothing, but for notices: without those it would be no member.

        Raises:
            Nothing.
        """
        return super().body(ref) if ref.traffic is TrafficClass.NOTICE else None


class _Corrupting(WatchedCarry):
    """Gives bodies whose second half is another's: what came before it was good."""

    def body(self, ref: BundleRef) -> bytes | None:
        """Return the wire form with one byte changed near its end.

        Raises:
            Nothing.
        """
        body = super().body(ref)
        if body is None or ref.traffic is TrafficClass.NOTICE:
            return body
        at = len(body) * 3 // 4
        return body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]


class _Showing(WatchedCarry):
    """Shows other elements than it has, and digests that fit what it shows."""

    def pages(self, traffic: TrafficClass, day: Day) -> Mapping[int, Page]:
        """Return the pages of what `elements` shows.

        Raises:
            Nothing.
        """
        return self._shown(traffic, day).pages()

    def bucket_digest(self, traffic: TrafficClass, day: Day) -> bytes:
        """Return the digest of what `elements` shows.

        Raises:
            Nothing.
        """
        return self._shown(traffic, day).digest()

    def _shown(self, traffic: TrafficClass, day: Day) -> PageIndex:
        return PageIndex(lambda first, end: self.elements(traffic, day, first=first, end=end))


class _Withholding(_Showing):
    """Shows nobody that the desk has anything, and passes no receipt on."""

    def elements(
        self, traffic: TrafficClass, day: Day, *, first: int = 0, end: int = PAGES
    ) -> Sequence[tuple[BundleId, State]]:
        """Return the elements, none of them acked.

        Raises:
            Nothing.
        """
        found = super().elements(traffic, day, first=first, end=end)
        return [(identifier, _ACKED.get(state, state)) for identifier, state in found]

    def receipt(self, ref: BundleRef) -> bytes | None:  # noqa: ARG002  the port's
        """Return no receipt.

        Raises:
            Nothing.
        """
        return None


class _Lying(WatchedCarry):
    """Compares with digests that mean nothing."""

    def bucket_digest(self, traffic: TrafficClass, day: Day) -> bytes:
        """Return a digest that no bucket has.

        Raises:
            Nothing.
        """
        return b2(Label.BUCKET, super().bucket_digest(traffic, day) + b"a lie")


class _Flooding(_Showing):
    """Announces thousands of bundles that there are not."""

    def elements(
        self, traffic: TrafficClass, day: Day, *, first: int = 0, end: int = PAGES
    ) -> Sequence[tuple[BundleId, State]]:
        """Return the elements, and among them many that were made up.

        Raises:
            Nothing.
        """
        found = list(super().elements(traffic, day, first=first, end=end))
        if traffic is TrafficClass.NOTICE:
            return found
        bucket = bytes([traffic]) + day.to_bytes(2, "big")
        made = (
            BundleId(b2(Label.BUCKET, bucket + number.to_bytes(4, "big")))
            for number in range(FLOOD_IDS)
        )
        found += [(one, State.HELD) for one in made if first <= one[0] < end]
        return sorted(found)
