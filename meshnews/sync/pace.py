"""How a conversation goes on over what carries it."""

from dataclasses import dataclass

from meshnews.ids import TrafficClass
from meshnews.sync.compare import FAST, Manner


@dataclass(frozen=True, slots=True)
class Pace:
    """What suits a carrier.

    Attributes:
        block_bytes: largest block of one DATA.
        window_bytes: how much is asked for and not yet received at a time.
        manner: how to compare.
        takes_bulk: bulk is asked for before `take_bulk` too.
        most: classes after this one are not compared at all, in neither direction.
        unloads: what it has to give is compared without waiting for what it has to fetch.
    """

    block_bytes: int
    window_bytes: int
    manner: Manner = FAST
    takes_bulk: bool = True
    most: TrafficClass = TrafficClass.BULK
    unloads: bool = False
