"""What is spoken inside a link: by whom messages are taken in and given out.

A link is for one of two things.  Neighbours synchronise, which is
`meshnews.sync.machine`; a desk and somebody who joins it enrol, which is
`meshnews.node.enrol.reception` on the one side and `meshnews.node.enrol.applicant` on the
other.  The switchboard treats both alike.
"""

from collections.abc import Sequence
from typing import Protocol

from meshnews.store.age import Moment
from meshnews.sync.event import SyncEvent


class Speaker(Protocol):
    """One side of what is spoken on one link."""

    @property
    def queued(self) -> bool:
        """There may be something to send; a `pull` can still come back empty."""
        ...

    @property
    def deadline_s(self) -> float | None:
        """When to call `tick`, in seconds of the node's life; 0 for at once."""
        ...

    @property
    def is_over(self) -> bool:
        """Nothing is to be said after what is queued: the link can end."""
        ...

    def start(self, moment: Moment) -> None:
        """Begin: the link stands."""
        ...

    def receive(self, message: bytes, moment: Moment) -> Sequence[SyncEvent]:
        """Advance on one message; return what a sync conversation reports.

        Raises:
            PeerError: the other side is to be left in silence.
        """
        ...

    def harvest(self) -> Sequence[SyncEvent]:
        """Return what happened before a fault, and was not told because of it."""
        ...

    def tick(self, moment: Moment) -> Sequence[SyncEvent]:
        """Do what time demands.

        Raises:
            PeerError: as `receive`.
        """
        ...

    def pull(self, room_bytes: int, moment: Moment) -> list[bytes]:
        """Return messages for about `room_bytes`, at least one if any is ready.

        Raises:
            PeerError: as `receive`.
        """
        ...

    def ended(self) -> None:
        """Let go of everything: the link is gone."""
        ...
