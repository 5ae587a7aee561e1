"""What a node says of itself at the start of a conversation: HELLO.

See docs/protocol/sync.md, "Messages".
"""

from typing import Final

from meshnews.ids import Day, TrafficClass
from meshnews.limits import FRAME_BYTES_MAX
from meshnews.store.age import Moment
from meshnews.store.custody import Custody
from meshnews.sync.messages import CLASSES, FREE_KIB_MAX, ClassTerms, Flag, Hello
from meshnews.sync.question import EVERY_METHOD

ALIVE_DAYS: Final = 16
"""A bundle filed before this many days ago has expired, whatever its life."""

COLLECTED_DAYS: Final = 48
"""How far back a desk's machines compare: a collector keeps for 30 days more."""


def greeting(
    custody: Custody,
    moment: Moment,
    *,
    desk: bool,
    nonce: bytes,
    instance: bytes,
    has_bulk: bool = True,
) -> Hello:
    """Return the HELLO of a node that holds what `custody` does.

    Without `has_bulk`, it neither gives bulk nor takes it.

    Raises:
        Nothing.
    """
    back = COLLECTED_DAYS if desk else ALIVE_DAYS
    floor = max(0, moment.floor_day - back) & ~1
    free_kib = _roundly(min(custody.free_bytes() // 1024, FREE_KIB_MAX))
    usual = Flag.SERVES | Flag.WANTS | (Flag.WANTS_ACKED if desk else Flag(0))
    classes: list[ClassTerms] = []
    for traffic in CLASSES:
        # Notices in force have no last day.
        oldest = Day(floor if traffic else 0)
        days = custody.days(traffic)
        flags = Flag(0) if traffic is TrafficClass.BULK and not has_bulk else usual
        if days:
            classes.append(ClassTerms(flags | Flag.NONEMPTY, days[-1], oldest, free_kib))
        else:
            classes.append(ClassTerms(flags, Day(0), oldest, free_kib))
    return Hello(
        nonce=nonce,
        instance=instance,
        classes=tuple(classes),
        frame_bytes_max=FRAME_BYTES_MAX,
        methods=int(EVERY_METHOD),
    )


def _roundly(number: int) -> int:
    """Return the power of two below: an exact number would tell one node from others."""
    return 1 << number.bit_length() - 1 if number else 0
