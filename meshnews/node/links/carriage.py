"""What suits each carrier: how much goes at once, how two stores are compared, whether bulk goes.

An uplink may be as slow as 16 kbit/s and as fast as a cable: its blocks are small
enough that what is urgent steps in between two within seconds.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from meshnews.ids import TrafficClass
from meshnews.limits import (
    BLOCK_BYTES_BLUETOOTH,
    BLOCK_BYTES_LAN,
    BLOCK_BYTES_UPLINK,
    RECORD_BYTES,
    RECORD_BYTES_BLUETOOTH,
)
from meshnews.link.records import Sizes
from meshnews.node.event import Carrier
from meshnews.sync.compare import FAST, SLOW, Manner
from meshnews.sync.pace import Pace


@dataclass(frozen=True, slots=True)
class Carriage:
    """What suits one carrier.

    Attributes:
        records: sizes of the records of a link.
        block_bytes: largest block of one DATA.
        window_bytes: asked for and not yet here, on one link.
        manner: how two stores are compared.
        hold_s_max: how long a neighbour is not told of what entered the set.
    """

    records: Sizes
    block_bytes: int
    window_bytes: int
    manner: Manner = FAST
    hold_s_max: float = 0.0


CARRIAGES: Final = MappingProxyType(
    {
        Carrier.LAN: Carriage(RECORD_BYTES, BLOCK_BYTES_LAN, 2 * 1024 * 1024),
        Carrier.BLUETOOTH: Carriage(RECORD_BYTES_BLUETOOTH, BLOCK_BYTES_BLUETOOTH, 32 * 1024, SLOW),
        Carrier.UPLINK: Carriage(RECORD_BYTES, BLOCK_BYTES_UPLINK, 512 * 1024, hold_s_max=5.0),
    }
)


def pace_on(
    carrier: Carrier, *, is_metered: bool, is_narrow: bool = False, unloads: bool = False
) -> Pace:
    """Return how a conversation goes on over a carrier.

    Args:
        carrier: what it runs over.
        is_metered: what crosses an uplink is paid for: no bulk crosses it.
        is_narrow: the way rests, and was called for a flash: notices and flashes alone cross it.
        unloads: over an uplink, what goes up does not wait for what comes down.

    Raises:
        Nothing.
    """
    suits, most = CARRIAGES[carrier], TrafficClass.BULK
    if is_metered and carrier is Carrier.UPLINK:
        most = TrafficClass.ROUTINE
    if is_narrow:
        most = TrafficClass.FLASH
    return Pace(
        block_bytes=suits.block_bytes,
        window_bytes=suits.window_bytes,
        manner=suits.manner,
        takes_bulk=carrier is not Carrier.BLUETOOTH,
        most=most,
        unloads=unloads and carrier is Carrier.UPLINK,
    )
