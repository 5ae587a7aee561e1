"""A node's own beacons: what it shows now, and which answers to it are still welcome.

    one nonce per key, epoch and start; the nonces of this and the two epochs
    before are answered; nothing outlives the process

See docs/protocol/discovery.md.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from meshnews.crypto.entropy import Entropy
from meshnews.errors import LocalMisuse
from meshnews.limits import BEACON_EPOCH_S, BEACON_EPOCHS_ANSWERED
from meshnews.link.beacon import EPOCH_MAX, NONCE_BYTES, Flag, make_beacon
from meshnews.link.rendezvous import Rendezvous
from meshnews.link.short_beacon import SHORT_NONCE_BYTES, make_short_beacon


@dataclass(frozen=True, slots=True)
class OwnBeacon:
    """A beacon of ours that may be answered: its rendezvous and its nonce (16 or 8 bytes)."""

    rendezvous: Rendezvous
    nonce: bytes


class _Shape(NamedTuple):
    """What makes two beacons of one epoch the same bytes."""

    rendezvous: Rendezvous
    port: int
    flags: Flag
    short: bool


class _Shown(NamedTuple):
    nonce: bytes
    beacon: bytes


class BeaconBook:
    """Makes this node's beacons and remembers their nonces for three epochs.

    `count` is the last one that `count` gave in an earlier run, 0 at first;
    `epoch_s` is how long an epoch lasts.
    Whoever keeps the book calls `turn` at the start and whenever `due_s` has
    come or the state of the clock has changed, writes `count` to disk when it
    returns True, and only then shows the new beacons.
    """

    def __init__(self, entropy: Entropy, *, count: int, epoch_s: float = BEACON_EPOCH_S) -> None:
        self._entropy = entropy
        self._epoch_s = epoch_s
        self._count = count
        self._epoch = -1
        self._is_clockless = False
        self._due_s = float("-inf")
        self._pages: deque[dict[_Shape, _Shown]] = deque(maxlen=BEACON_EPOCHS_ANSWERED)

    @property
    def count(self) -> int:
        """The last count shown without a clock: to be kept."""
        return self._count

    @property
    def epoch(self) -> int:
        """The epoch that our beacons say now: of the clock, or the count."""
        return self._epoch

    @property
    def due_s(self) -> float:
        """Seconds since boot at which `turn` wants to be called."""
        return self._due_s

    def turn(self, *, boot_s: float, wall_s: float | None) -> bool:
        """Go to the epoch of this moment; tell whether the beacons have changed.

        Args:
            boot_s: seconds since boot.
            wall_s: seconds since 1970; None when the clock cannot be believed.

        Raises:
            Nothing.
        """
        if wall_s is None:
            if self._is_clockless and boot_s < self._due_s:
                return False
            self._count = min(self._count + 1, EPOCH_MAX)
            self._is_clockless, self._epoch = True, self._count
            self._due_s = boot_s + self._epoch_s
        else:
            wall_s = max(wall_s, 0.0)
            epoch = min(int(wall_s // self._epoch_s), EPOCH_MAX)
            self._due_s = boot_s + self._epoch_s - wall_s % self._epoch_s
            if not self._is_clockless and epoch == self._epoch:
                return False
            self._is_clockless, self._epoch = False, epoch
        self._pages.appendleft({})
        return True

    def beacon(self, rendezvous: Rendezvous, *, port: int, flags: Flag = Flag.NONE) -> bytes:
        """Return the beacon to show at `rendezvous`: the same bytes all through an epoch.

        Another port or other flags make another beacon with a nonce of its own.
        The book adds CLOCKLESS by itself.

        Raises:
            LocalMisuse: `turn` was never called, or `port` does not fit.
        """
        return self._show(_Shape(rendezvous, port, flags, short=False))

    def short_beacon(self, rendezvous: Rendezvous, *, psm: int, flags: Flag = Flag.NONE) -> bytes:
        """Return the 20-byte form of the same for Bluetooth.

        Raises:
            LocalMisuse: `turn` was never called, or `psm` does not fit.
        """
        return self._show(_Shape(rendezvous, psm, flags, short=True))

    def is_own(self, nonce: bytes) -> bool:
        """Tell whether a beacon with this nonce is an echo of ours.

        Raises:
            Nothing.
        """
        return any(shown.nonce == nonce for page in self._pages for shown in page.values())

    def answered(self) -> list[OwnBeacon]:
        """Return the beacons whose answers are welcome, newest first.

        Those that seek others are not among them.

        Raises:
            Nothing.
        """
        return [
            OwnBeacon(shape.rendezvous, shown.nonce)
            for page in self._pages
            for shape, shown in page.items()
            if Flag.SEEK not in shape.flags
        ]

    def drop(self, rendezvous: Rendezvous) -> None:
        """Answer no beacon of `rendezvous` any more: it was used up, closed or replaced.

        Raises:
            Nothing.
        """
        for page in self._pages:
            for shape in [shape for shape in page if shape.rendezvous == rendezvous]:
                del page[shape]

    def _show(self, shape: _Shape) -> bytes:
        if not self._pages:
            raise LocalMisuse("a beacon before the book was opened")
        page = self._pages[0]
        if (shown := page.get(shape)) is None:
            shown = page[shape] = self._make(shape)
        return shown.beacon

    def _make(self, shape: _Shape) -> _Shown:
        flags = shape.flags | (Flag.CLOCKLESS if self._is_clockless else Flag.NONE)
        nonce = self._entropy.draw(SHORT_NONCE_BYTES if shape.short else NONCE_BYTES)
        if shape.short:
            beacon = make_short_beacon(
                shape.rendezvous, epoch=self._epoch, psm=shape.port, flags=flags, nonce=nonce
            )
        else:
            beacon = make_beacon(
                shape.rendezvous, epoch=self._epoch, port=shape.port, flags=flags, nonce=nonce
            )
        return _Shown(nonce, beacon)
