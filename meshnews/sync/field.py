"""Fields that several sync messages share; see docs/protocol/sync.md, "Messages"."""

from collections.abc import Iterable, Sequence
from struct import iter_unpack
from typing import Final

from meshnews.errors import Malformed
from meshnews.ids import Day, TrafficClass
from meshnews.limits import DAY_MAX, GROUPS_PER_MESSAGE_MAX, WANTS_PER_MESSAGE_MAX
from meshnews.sync.messages import CLASSES, SHORT_BYTES, Group
from meshnews.wire.codec import Value, as_bytes, as_int, as_list


def pack_pairs(values: Sequence[int]) -> bytes:
    """Return the values 0 … 3 four to a byte, the first in the lowest bits.

    Raises:
        Nothing.
    """
    padded = [*values, 0, 0, 0]
    return bytes(
        padded[at] | padded[at + 1] << 2 | padded[at + 2] << 4 | padded[at + 3] << 6
        for at in range(0, len(values), 4)
    )


_PAIRS: Final = tuple((byte & 3, byte >> 2 & 3, byte >> 4 & 3, byte >> 6) for byte in range(256))


def unpack_pairs(packed: bytes, count: int) -> list[int]:
    """Return the `count` values that `pack_pairs` packed.

    Raises:
        Malformed: the length is another, or a bit behind the last value is set.
    """
    if len(packed) != (count + 3) // 4:
        raise Malformed("states of another count than their identifiers")
    values = [value for byte in packed for value in _PAIRS[byte]]
    if any(values[count:]):
        raise Malformed("a state without its identifier")
    return values[:count]


def read_traffic(value: Value) -> TrafficClass:
    """Return the class that `value` numbers.

    Raises:
        Malformed: it numbers none.
    """
    return CLASSES[as_int(value, 0, len(CLASSES) - 1)]


def read_day(value: Value) -> Day:
    """Return the even day that `value` is.

    Raises:
        Malformed: it is none.
    """
    day = as_int(value, 0, DAY_MAX)
    if day % 2:
        raise Malformed("an odd day")
    return Day(day)


def split(data: bytes, width: int, *, at_most: int) -> tuple[bytes, ...]:
    """Return the parts of `data`, `width` bytes each, at least one.

    Raises:
        Malformed: it is empty, no whole number of parts, or more than `at_most`.
    """
    count, rest = divmod(len(data), width)
    if rest or not 1 <= count <= at_most:
        raise Malformed("identifiers of the wrong length or number")
    return tuple([part for (part,) in iter_unpack(f"{width}s", data)])


def read_groups(value: Value, *, may_be_empty: bool = False) -> tuple[Group, ...]:
    """Return groups of short identifiers: `[class, day, ids]` each, none of them empty.

    Raises:
        Malformed: they have another form, or are too many.
    """
    items = as_list(value, at_most=GROUPS_PER_MESSAGE_MAX)
    if not items and not may_be_empty:
        raise Malformed("a message about nothing")
    groups: list[Group] = []
    room = WANTS_PER_MESSAGE_MAX
    for item in items:
        traffic, day, ids = as_list(item, size=3)
        shorts = split(as_bytes(ids), SHORT_BYTES, at_most=room)
        room -= len(shorts)
        groups.append(Group(read_traffic(traffic), read_day(day), shorts))
    return tuple(groups)


def groups_value(groups: Iterable[Group]) -> list[Value]:
    """Return what `read_groups` reads."""
    return [[group.traffic, group.day, b"".join(group.shorts)] for group in groups]
