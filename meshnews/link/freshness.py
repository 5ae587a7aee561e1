"""Which beacons are believed to be of now, and which are recordings.

A beacon says an epoch.  A listener with a good clock compares it with its own.
Where one of the two has no clock, only the order is left: no beacon is
believed whose number is below that of the last beacon that *led to a link*.
Merely hearing one leaves no mark, since everybody who was told a relay's key
can make beacons under it, with any number.

Under a mesh key there are many senders, each with its own count, and no order
among them; there the day of the key is the bound.  See docs/protocol/discovery.md.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

from meshnews.ids import Day
from meshnews.limits import BEACON_EPOCH_S, BEACON_EPOCHS_APART_MAX
from meshnews.link.beacon import Flag, Heard
from meshnews.link.rendezvous import Mode

Key = TypeVar("Key", bound=Hashable)

_EPOCHS_PER_DAY: Final = 86400 // BEACON_EPOCH_S
_DAY_ZERO: Final = 18262
"""2020-01-01 in days since 1970."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The numbers of the last beacons of one key that led to a link; -1 before the first."""

    epoch: int = -1
    count: int = -1


class Hearing(Generic[Key]):
    """Judges beacons by what led to links before.

    `marks` are those that the caller kept from earlier runs.
    """

    def __init__(self, marks: Mapping[Key, Mark] | None = None) -> None:
        self._marks = dict(marks or {})

    def is_fresh(self, heard: Heard[Key], *, epoch: int | None) -> bool:
        """Tell whether `heard` may be of now.

        `epoch` is the listener's own; None when its clock was not synchronised
        within 7 days.

        Raises:
            Nothing.
        """
        clockless = Flag.CLOCKLESS in heard.flags
        if not clockless and epoch is not None:
            return abs(heard.epoch - epoch) <= BEACON_EPOCHS_APART_MAX
        day = heard.rendezvous.day
        if day is not None:
            return clockless or abs(day_of(heard.epoch) - day) <= 1
        if Flag.SEEK in heard.flags:
            return True
        mark = self._marks.get(heard.name, Mark())
        return heard.epoch >= (mark.count if clockless else mark.epoch)

    def linked(self, heard: Heard[Key]) -> Mark | None:
        """Take note that the answer to `heard` became a link.

        Returns the mark to be kept, or None when nothing changed.

        Raises:
            Nothing.
        """
        if heard.rendezvous.mode is Mode.MEMBER or Flag.SEEK in heard.flags:
            return None
        before = self._marks.get(heard.name, Mark())
        if Flag.CLOCKLESS in heard.flags:
            after = replace(before, count=max(before.count, heard.epoch))
        else:
            after = replace(before, epoch=max(before.epoch, heard.epoch))
        if after == before:
            return None
        self._marks[heard.name] = after
        return after

    def forget(self, name: Key) -> None:
        """Drop what is known of a key that is no longer used.

        Raises:
            Nothing.
        """
        self._marks.pop(name, None)


def day_of(epoch: int) -> Day:
    """Return the day in which `epoch` lies.

    Raises:
        Nothing.
    """
    return Day(epoch // _EPOCHS_PER_DAY - _DAY_ZERO)
