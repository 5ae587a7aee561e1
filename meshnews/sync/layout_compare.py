"""The bytes of the messages of the comparison; see docs/protocol/sync.md, "Messages".

`meshnews.sync.layout` reads and writes the others, and the array around all of them.
"""

from collections.abc import Callable
from typing import Final

from meshnews.errors import LocalMisuse, Malformed
from meshnews.limits import (
    BUCKET_ELEMENTS_MAX,
    CELLS_BYTES_MAX,
    CELLS_MAX,
    DAYS_SPANNED_MAX,
    GRID_BITS_MAX,
    KEYS_TOLD_MAX,
    LIST_IDS_MAX,
    PART_BITS_MAX,
    PART_KEYS_MAX,
    PARTS_ASKED_MAX,
    PARTS_KEYS_MAX,
    RANGE_BITS_MAX,
    SPLIT_BITS_MAX,
    SPLIT_FAN_MAX,
    SPLIT_PREFIXES_MAX,
)
from meshnews.store.port import State
from meshnews.sync.field import pack_pairs, read_day, read_traffic, split, unpack_pairs
from meshnews.sync.messages import SHORT_BYTES, Type
from meshnews.sync.question import (
    CELL_BYTES,
    DAY_FINGERPRINT_BYTES,
    RANGE_BYTES,
    SPAN_BYTES,
    SPANS,
    Answer,
    Cells,
    Days,
    Grid,
    List,
    Mode,
    More,
    Parts,
    Question,
    Reaction,
    Reply,
    Spans,
    Split,
    Tell,
    Told,
)
from meshnews.sync.salt import spans_between
from meshnews.wire.codec import Value, as_bytes, as_int, as_list

_STATES: Final = (State.HELD, State.LACKING, State.ACKED, State.ACKED_WITH_BODY)
_ANSWERS: Final = tuple(Answer)
_MODES: Final = tuple(Mode)
_PREFIX_BYTES: Final = 4
_BITMAP_BYTES_MAX: Final = (1 << GRID_BITS_MAX) // 8


def compared_value(message: object) -> Value:  # noqa: C901, PLR0911  one flat row per message
    """Return what a message of the comparison is encoded as.

    Raises:
        LocalMisuse: it is none.
    """
    match message:
        case Spans(traffic, newest, oldest, digests):
            return [2, traffic, newest, oldest, digests]
        case Days(traffic, differing, days, fingerprints, counts):
            return [3, traffic, differing, list(days), fingerprints, list(counts)]
        case Grid(traffic, day, bits, count, fingerprints):
            return [4, traffic, day, bits, count, fingerprints]
        case Split(traffic, day, bits, fan, prefixes, fingerprints):
            starts = b"".join([prefix.to_bytes(_PREFIX_BYTES, "big") for prefix in prefixes])
            return [5, traffic, day, bits, fan, starts, fingerprints]
        case List(traffic, day, bits, prefix, shorts, states):
            return [6, traffic, day, bits, prefix, b"".join(shorts), pack_pairs(states)]
        case Reply(traffic, day, bits, prefix, answers):
            return [7, traffic, day, bits, prefix, len(answers), pack_pairs(answers)]
        case Cells(traffic, day, differing, count, bits, start, end, sums):
            return [18, traffic, day, differing, count, bits, start, end, sums]
        case More(traffic, day, start, end, parts):
            return [19, traffic, day, start, end, list(parts)]
        case Parts(traffic, day, modes, counts, keys):
            return [20, traffic, day, len(modes), pack_pairs(modes), counts, b"".join(keys)]
        case Tell(traffic, day, unknown, receipts, asked):
            return [21, traffic, day, b"".join(unknown), b"".join(receipts), b"".join(asked)]
        case Told(traffic, day, states):
            return [22, traffic, day, len(states), pack_pairs(states)]
        case _:
            raise LocalMisuse("a message of no known kind")


# Decoders, each given as many fields as its message has


def _spans(fields: list[Value]) -> Spans:
    _, traffic, first, last, digests = fields
    newest, oldest = read_day(first), read_day(last)
    if newest < oldest:
        raise Malformed("spans that end before they begin")
    return Spans(
        read_traffic(traffic),
        newest,
        oldest,
        as_bytes(digests, spans_between(newest, oldest) * SPAN_BYTES),
    )


def _days(fields: list[Value]) -> Days:
    _, traffic, differing, days, fingerprints, counts = fields
    listed = tuple([read_day(day) for day in as_list(days, at_most=DAYS_SPANNED_MAX)])
    if any(listed[at] <= listed[at + 1] for at in range(len(listed) - 1)):
        raise Malformed("days that do not fall")
    return Days(
        read_traffic(traffic),
        as_int(differing, 0, (1 << SPANS) - 1),
        listed,
        as_bytes(fingerprints, DAY_FINGERPRINT_BYTES * len(listed)),
        tuple(
            [as_int(n, 1, BUCKET_ELEMENTS_MAX) for n in as_list(counts, size=len(listed))],
        ),
    )


def _grid(fields: list[Value]) -> Grid:
    _, traffic, day, bits, count, fingerprints = fields
    known = as_int(bits, 0, GRID_BITS_MAX)
    return Grid(
        read_traffic(traffic),
        read_day(day),
        known,
        as_int(count, 0, BUCKET_ELEMENTS_MAX),
        as_bytes(fingerprints, RANGE_BYTES << known),
    )


def _split(fields: list[Value]) -> Split:
    _, traffic, day, bits, fan, starts, fingerprints = fields
    width = as_int(fan, 1, SPLIT_FAN_MAX)
    known = as_int(bits, 0, SPLIT_BITS_MAX - width)
    prefixes = tuple(
        [
            int.from_bytes(part, "big")
            for part in split(as_bytes(starts), _PREFIX_BYTES, at_most=SPLIT_PREFIXES_MAX)
        ]
    )
    _judge_rising(prefixes, end=1 << known)
    size = RANGE_BYTES * len(prefixes) << width
    return Split(
        *(read_traffic(traffic), read_day(day), known, width, prefixes),
        as_bytes(fingerprints, size),
    )


def _judge_rising(numbers: tuple[int, ...], *, end: int) -> None:
    if list(numbers) != sorted(set(numbers)) or numbers[-1] >= end:
        raise Malformed("ranges that do not rise, or that there are not")


def _list(fields: list[Value]) -> List:
    _, traffic, day, bits, prefix, ids, states = fields
    known, start = _range(bits, prefix)
    data = as_bytes(ids, at_most=LIST_IDS_MAX * SHORT_BYTES)
    shorts = split(data, SHORT_BYTES, at_most=LIST_IDS_MAX) if data else ()
    if list(shorts) != sorted(set(shorts)):
        raise Malformed("listed identifiers that do not rise")
    for short in shorts[:1] + shorts[-1:]:
        if int.from_bytes(short, "big") >> (64 - known) != start:
            raise Malformed("a listed identifier outside its range")
    pairs = unpack_pairs(as_bytes(states), len(shorts))
    return List(
        *(read_traffic(traffic), read_day(day), known, start, shorts),
        tuple([_STATES[pair] for pair in pairs]),
    )


def _range(bits: Value, prefix: Value) -> tuple[int, int]:
    known = as_int(bits, 0, RANGE_BITS_MAX)
    return known, as_int(prefix, 0, (1 << known) - 1)


def _reply(fields: list[Value]) -> Reply:
    _, traffic, day, bits, prefix, count, answers = fields
    pairs = unpack_pairs(as_bytes(answers), as_int(count, 0, LIST_IDS_MAX))
    return Reply(
        *(read_traffic(traffic), read_day(day), *_range(bits, prefix)),
        tuple([_ANSWERS[pair] for pair in pairs]),
    )


def _cells(fields: list[Value]) -> Cells:
    _, traffic, day, differing, count, bits, start, end, sums = fields
    first = as_int(start, 0, CELLS_MAX)
    last = as_int(end, first, CELLS_MAX)
    data = as_bytes(sums, at_most=CELLS_BYTES_MAX)
    if bool(data) != (last > first) or (data and len(data) % (CELL_BYTES * (last - first))):
        raise Malformed("cells of no whole parts")
    return Cells(
        read_traffic(traffic),
        read_day(day),
        as_bytes(differing, at_most=_BITMAP_BYTES_MAX),
        as_int(count, 0, BUCKET_ELEMENTS_MAX),
        as_int(bits, 0, PART_BITS_MAX),
        first,
        last,
        data,
    )


def _more(fields: list[Value]) -> More:
    _, traffic, day, start, end, parts = fields
    first = as_int(start, 0, CELLS_MAX - 1)
    last = as_int(end, first + 1, CELLS_MAX)
    most = (1 << PART_BITS_MAX) - 1
    asked = tuple([as_int(part, 0, most) for part in as_list(parts, at_most=PARTS_ASKED_MAX)])
    if not asked:
        raise Malformed("a message about nothing")
    _judge_rising(asked, end=most + 1)
    return More(read_traffic(traffic), read_day(day), first, last, asked)


def _parts(fields: list[Value]) -> Parts:
    _, traffic, day, number, packed, counts, keys = fields
    ranges = as_int(number, 0, SPLIT_PREFIXES_MAX << SPLIT_FAN_MAX)
    pairs = unpack_pairs(as_bytes(packed), ranges)
    if max(pairs, default=0) > Mode.LISTED:
        raise Malformed("a range in no known mode")
    listed = as_bytes(counts, pairs.count(Mode.LISTED))
    if max(listed, default=0) > PART_KEYS_MAX or sum(listed) > PARTS_KEYS_MAX:
        raise Malformed("more keys than a range is listed with")
    data = as_bytes(keys, SHORT_BYTES * sum(listed))
    return Parts(
        *(read_traffic(traffic), read_day(day)),
        tuple([_MODES[pair] for pair in pairs]),
        listed,
        split(data, SHORT_BYTES, at_most=PARTS_KEYS_MAX) if data else (),
    )


def _tell(fields: list[Value]) -> Tell:
    _, traffic, day, *lists = fields
    room = KEYS_TOLD_MAX
    keys: list[tuple[bytes, ...]] = []
    for item in lists:
        data = as_bytes(item, at_most=KEYS_TOLD_MAX * SHORT_BYTES)
        keys.append(split(data, SHORT_BYTES, at_most=room) if data else ())
        room -= len(keys[-1])
    if room == KEYS_TOLD_MAX:
        raise Malformed("a message about nothing")
    return Tell(read_traffic(traffic), read_day(day), *keys)


def _told(fields: list[Value]) -> Told:
    _, traffic, day, number, packed = fields
    pairs = unpack_pairs(as_bytes(packed), as_int(number, 0, KEYS_TOLD_MAX))
    return Told(read_traffic(traffic), read_day(day), tuple([_STATES[pair] for pair in pairs]))


COMPARED_DECODERS: Final[dict[int, tuple[int, Callable[[list[Value]], Question | Reaction]]]] = {
    Type.SPANS: (5, _spans),
    Type.DAYS: (6, _days),
    Type.GRID: (6, _grid),
    Type.SPLIT: (7, _split),
    Type.LIST: (7, _list),
    Type.REPLY: (7, _reply),
    Type.CELLS: (9, _cells),
    Type.MORE: (6, _more),
    Type.PARTS: (7, _parts),
    Type.TELL: (6, _tell),
    Type.TOLD: (5, _told),
}
"""For each type the number of its fields, and what reads them."""
