"""What a node says of itself at the start of a conversation: HELLO.

See docs/protocol/sync.md, "Messages".
"""

from typing import Final

from meshnews.ids import Day, TrafficClass
from meshnews.limits import FRAME_BYTES_MAX
from meshnews.store.age import Moment
from meshnews.store.custody import Custody
from meshnews.sync.messages import CLASSES, ClassTerms, Flag, Hello
from meshnews.sync.question import EVERY_METHOD

ALIVE_DAYS: Final = 16
"""A bundle filed before this many days ago has expired, whatever its life."""

COLLECTED_DAYS: Final = 48
"""How far back a desk's machines compare: a collector keeps for 30 days more."""


FREE_KIB_SAID: Final = 0
"""Nothing depends on what is said here, and a number of one's own would be known again."""


def horizon(moment: Moment, *, desk: bool) -> Day:
    """Return the first day that a node compares, class 0 excepted.

    Raises:
        Nothing.
    """
    back = COLLECTED_DAYS if desk else ALIVE_DAYS
    return Day(max(0, moment.floor_day - back) & ~1)


def greeting(
    custody: Custody,
    *,
    oldest: Day,
    desk: bool,
    nonce: bytes,
    instance: bytes,
    bulk_flags: Flag,
    most: TrafficClass = TrafficClass.BULK,
) -> Hello:
    """Return the HELLO of a node that holds what `custody` does.

    Args:
        custody: the store.
        oldest: the first day to compare, class 0 excepted; 0 says nothing of it.
        desk: it is one of a desk's machines.
        nonce: random, of this conversation alone.
        instance: what this node is called on this stream.
        bulk_flags: what its routing says of it, for bulk.
        most: what comes after this class is neither given nor taken.

    Raises:
        Nothing.
    """
    usual = Flag.SERVES | Flag.WANTS | (Flag.WANTS_ACKED if desk else Flag(0))
    classes: list[ClassTerms] = []
    for traffic in CLASSES:
        # Notices in force have no last day.
        first = oldest if traffic else Day(0)
        days = custody.days(traffic)
        flags = Flag(0) if traffic > most else usual
        if flags and traffic is TrafficClass.BULK:
            flags |= bulk_flags
        if days:
            classes.append(ClassTerms(flags | Flag.NONEMPTY, days[-1], first, FREE_KIB_SAID))
        else:
            classes.append(ClassTerms(flags, Day(0), first, FREE_KIB_SAID))
    return Hello(
        nonce=nonce,
        instance=instance,
        classes=tuple(classes),
        frame_bytes_max=FRAME_BYTES_MAX,
        methods=int(EVERY_METHOD),
    )
