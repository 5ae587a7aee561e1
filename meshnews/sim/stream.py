"""What lies between two machines that meet, and the streams that run over it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from meshnews.crypto.entropy import Entropy, between
from meshnews.ids import LinkId
from meshnews.node.event import Carrier

if TYPE_CHECKING:
    from meshnews.sim.machine import Machine

CUT_S_MAX: Final = 60.0
"""A stream that is to be cut is cut within this."""


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong on a way: each a share of the streams, or of what is sent.

    Attributes:
        cut: of the streams, ended from outside at a random moment.
        half_open: of the streams, fall silent at such a moment and nobody is told.
        dropped: of what is sent, never arrives.
        doubled: arrives twice.
        swapped: arrives after what was sent next.
        flipped: arrives with one bit changed.
    """

    cut: float = 0.0
    half_open: float = 0.0
    dropped: float = 0.0
    doubled: float = 0.0
    swapped: float = 0.0
    flipped: float = 0.0

    @property
    def spoils_bytes(self) -> bool:
        """What arrives may be other than what was sent."""
        return bool(self.dropped or self.doubled or self.swapped or self.flipped)


NO_FAULTS: Final = Faults()


@dataclass(frozen=True, slots=True)
class Way:
    """What streams between two machines are like.

    Attributes:
        rate: bytes a second, each way.
        delay_s: how late they come.
        is_wire: beacons do not cross it; only known addresses are reached.
        ahead: as long as fewer bytes wait in the sender's system, it takes up to so many more.
    """

    rate: float
    delay_s: float
    carrier: Carrier = Carrier.LAN
    is_wire: bool = False
    ahead: int = 0
    faults: Faults = NO_FAULTS

    def ahead_s(self, size: int) -> float:
        """Return how long before its last byte is on the way a send of `size` has been taken."""
        return (self.ahead + min(size, self.ahead)) / self.rate


@dataclass
class Stream:
    """One open stream: at each end a machine and its name for the stream.

    Attributes:
        free_s: when each direction has taken what was sent before.
        is_silent: both ends believe in it, and nothing arrives any more.
        kept: what each direction keeps back, to let it arrive too late.
    """

    ends: "tuple[Machine, Machine]"
    links: tuple[LinkId, LinkId]
    way: Way
    free_s: list[float] = field(default_factory=lambda: [0.0, 0.0])
    is_open: bool = True
    is_silent: bool = False
    kept: list[bytes] = field(default_factory=lambda: [b"", b""])

    def spoilt(self, end: int, data: bytes, luck: Entropy) -> bytes:
        """Return what arrives of `data`, as the faults of the way will have it.

        Raises:
            Nothing.
        """
        faults = self.way.faults
        if between(luck, 0, 1) < faults.flipped:
            bit = int(between(luck, 0, len(data) * 8 - 1))
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            data = bytes(changed)
        if between(luck, 0, 1) < faults.dropped:
            data = b""
        if between(luck, 0, 1) < faults.doubled:
            data += data
        late, self.kept[end] = self.kept[end], b""
        if not late and between(luck, 0, 1) < faults.swapped:
            self.kept[end] = data
            return b""
        return data + late
