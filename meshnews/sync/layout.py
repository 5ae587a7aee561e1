"""The bytes of every sync message; see docs/protocol/sync.md, "Messages".

    message = pack[ type, fields… ]           canonical msgpack, 1..FRAME_BYTES_MAX bytes

References are grouped by bucket: the class and the day stand once before the
identifiers of a group, which lie one behind the other in one byte string.
Every count is judged before anything is made of the bytes it counts.  The messages of
the comparison are in `meshnews.sync.layout_compare`.
"""

from collections.abc import Callable, Iterable
from typing import Final

from meshnews.bundle.receipt import SHORT_RECEIPT_BYTES
from meshnews.errors import Malformed
from meshnews.ids import BundleId, BundleRef, Day, TrafficClass
from meshnews.limits import (
    FRAME_BYTES_MAX,
    GROUPS_PER_MESSAGE_MAX,
    NAMES_PER_MESSAGE_MAX,
    RECEIPTS_PER_MESSAGE_MAX,
    SHORT_RECEIPTS_PER_MESSAGE_MAX,
    WANTS_PER_MESSAGE_MAX,
    WIRE_BYTES,
)
from meshnews.sync.field import (
    groups_value,
    read_day,
    read_groups,
    read_traffic,
    split,
)
from meshnews.sync.layout_compare import COMPARED_DECODERS, compared_value
from meshnews.sync.messages import (
    AGE_S_MAX,
    CLASSES,
    FREE_KIB_MAX,
    ID_BYTES,
    INSTANCE_BYTES,
    NONCE_BYTES,
    OFFER_FIELD_BYTES_MAX,
    SHORT_BYTES,
    VERSION,
    Acked,
    Bye,
    Cancel,
    ClassTerms,
    Data,
    Done,
    Flag,
    Have,
    Hello,
    How,
    Message,
    Name,
    NotHeld,
    OfferMessage,
    Reason,
    Stored,
    Type,
    Want,
    WantGroup,
)
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, decode, encode

_SIZE_CODE: Final = {size: code for code, size in enumerate(WIRE_BYTES)}
_ACKED_BIT: Final = 4
_FLAGS_MAX: Final = 31
_METHODS_MAX: Final = 255


def decode_message(body: bytes) -> Message:
    """Return the message that `body` encodes (docs/protocol/sync.md, "Messages").

    Raises:
        Malformed: it encodes none.
    """
    fields = decode(body, bytes_max=FRAME_BYTES_MAX)
    if type(fields) is not list or not fields or type(fields[0]) is not int:
        raise Malformed("a message without a type")
    known = _DECODERS.get(fields[0])
    if known is None:
        raise Malformed("a message of no known type")
    length, decoder = known
    if len(fields) != length:
        raise Malformed(f"a message of {len(fields)} fields where {length} belong")
    return decoder(fields)


def encode_message(message: Message) -> bytes:
    """Return the canonical encoding of `message`.

    Raises:
        LocalMisuse: a field holds what has no encoding.
    """
    return encode(_value(message))


def _value(message: Message) -> Value:  # noqa: C901, PLR0911  one flat row per message
    match message:
        case Hello():
            classes = [
                [int(terms.flags), terms.newest, terms.oldest, terms.free_kib]
                for terms in message.classes
            ]
            return [
                *(1, message.version, message.nonce, message.instance),
                *(classes, message.frame_bytes_max, message.methods),
            ]
        case Want(groups):
            return [8, [_want_group_value(group) for group in groups]]
        case OfferMessage(age_s, offer):
            return [9, age_s, offer]
        case Data(traffic, day, short, age_s, offset, block):
            return [10, traffic, day, short, age_s, offset, block]
        case Stored(bundles, receipts):
            return [11, groups_value(bundles), groups_value(receipts)]
        case Acked(confirm, full, short):
            return [12, int(confirm), list(full), _short_receipts_value(short)]
        case NotHeld(bare):
            return [13, groups_value(bare)]
        case Cancel(bare):
            return [14, groups_value(bare)]
        case Have(names):
            return [15, _names_value(names)]
        case Bye(reason):
            return [16, int(reason)]
        case Done():
            return [17]
        case _:
            return compared_value(message)


# Decoders, each given as many fields as its message has


def _hello(fields: list[Value]) -> Hello:
    _, version, nonce, instance, classes, frame_bytes_max, methods = fields
    if as_int(version, 0, 255) != VERSION:
        raise Malformed("another version of the protocol")
    terms: list[ClassTerms] = []
    for item in as_list(classes, size=len(CLASSES)):
        flags, newest, oldest, free_kib = as_list(item, size=4)
        one = ClassTerms(
            Flag(as_int(flags, 0, _FLAGS_MAX)),
            read_day(newest),
            read_day(oldest),
            as_int(free_kib, 0, FREE_KIB_MAX),
        )
        if one.newest and Flag.NONEMPTY not in one.flags:
            raise Malformed("a newest day of nothing")
        terms.append(one)
    return Hello(
        nonce=as_bytes(nonce, NONCE_BYTES),
        instance=as_bytes(instance, INSTANCE_BYTES),
        classes=tuple(terms),
        frame_bytes_max=as_int(frame_bytes_max, FRAME_BYTES_MAX, 1 << 24),
        methods=as_int(methods, 1, _METHODS_MAX),
    )


def _want(fields: list[Value]) -> Want:
    items = as_list(fields[1], at_most=GROUPS_PER_MESSAGE_MAX)
    if not items:
        raise Malformed("a message about nothing")
    groups: list[WantGroup] = []
    room = WANTS_PER_MESSAGE_MAX
    for item in items:
        traffic, day, width, ids, how, offsets = as_list(item, size=6)
        if width not in {SHORT_BYTES, ID_BYTES}:
            raise Malformed("identifiers of no known width")
        parts = split(as_bytes(ids), as_int(width, SHORT_BYTES, ID_BYTES), at_most=room)
        room -= len(parts)
        starts = as_list(offsets, at_most=len(parts))
        if starts and len(starts) != len(parts):
            raise Malformed("offsets of another count than their identifiers")
        groups.append(
            WantGroup(
                *(read_traffic(traffic), read_day(day), parts, How(as_int(how, 0, len(How) - 1))),
                tuple([as_int(start, 0, WIRE_BYTES[-1] - 1) for start in starts]),
            )
        )
    return Want(tuple(groups))


def _want_group_value(group: WantGroup) -> Value:
    ids = b"".join(group.ids)
    return [group.traffic, group.day, len(group.ids[0]), ids, group.how, list(group.offsets)]


def _offer(fields: list[Value]) -> OfferMessage:
    _, age_s, offer = fields
    return OfferMessage(as_int(age_s, 0, AGE_S_MAX), as_bytes(offer, at_most=OFFER_FIELD_BYTES_MAX))


def _data(fields: list[Value]) -> Data:
    _, traffic, day, short, age_s, offset, block = fields
    if type(block) is not bytes or not block:
        raise Malformed("a block without bytes")
    return Data(
        read_traffic(traffic),
        read_day(day),
        as_bytes(short, SHORT_BYTES),
        as_int(age_s, 0, AGE_S_MAX),
        as_int(offset, 0, WIRE_BYTES[-1] - 1),
        block,
    )


def _stored(fields: list[Value]) -> Stored:
    bundles = read_groups(fields[1], may_be_empty=True)
    receipts = read_groups(fields[2], may_be_empty=True)
    if not bundles and not receipts:
        raise Malformed("a message about nothing")
    return Stored(bundles, receipts)


def _acked(fields: list[Value]) -> Acked:
    _, confirm, full, groups = fields
    items = as_list(full, at_most=RECEIPTS_PER_MESSAGE_MAX)
    receipts = tuple([as_bytes(item, at_most=OFFER_FIELD_BYTES_MAX) for item in items])
    short: list[tuple[TrafficClass, Day, bytes]] = []
    for group in as_list(groups, at_most=GROUPS_PER_MESSAGE_MAX):
        traffic, day, ids = as_list(group, size=3)
        room = SHORT_RECEIPTS_PER_MESSAGE_MAX - len(short)
        bucket = read_traffic(traffic), read_day(day)
        short += [
            (*bucket, part) for part in split(as_bytes(ids), SHORT_RECEIPT_BYTES, at_most=room)
        ]
    if not receipts and not short:
        raise Malformed("a message about nothing")
    return Acked(bool(as_int(confirm, 0, 1)), receipts, tuple(short))


def _short_receipts_value(short: Iterable[tuple[TrafficClass, Day, bytes]]) -> list[Value]:
    runs: dict[tuple[TrafficClass, Day], list[bytes]] = {}
    for traffic, day, receipt in short:
        runs.setdefault((traffic, day), []).append(receipt)
    return [[traffic, day, b"".join(parts)] for (traffic, day), parts in runs.items()]


def _have(fields: list[Value]) -> Have:
    items = as_list(fields[1], at_most=GROUPS_PER_MESSAGE_MAX)
    if not items:
        raise Malformed("a message about nothing")
    names: list[Name] = []
    for item in items:
        class_value, day_value, ids, codes = as_list(item, size=4)
        traffic, day = read_traffic(class_value), read_day(day_value)
        parts = split(as_bytes(ids), ID_BYTES, at_most=NAMES_PER_MESSAGE_MAX - len(names))
        for part, code in zip(parts, as_bytes(codes, len(parts)), strict=True):
            if code > 7:
                raise Malformed("a name with an unknown bit")
            ref = BundleRef(traffic, day, BundleId(part))
            names.append(Name(ref, WIRE_BYTES[code & 3], bool(code & _ACKED_BIT)))
    return Have(tuple(names))


def _names_value(names: Iterable[Name]) -> list[Value]:
    runs: dict[tuple[TrafficClass, Day], tuple[list[bytes], list[int]]] = {}
    for name in names:
        ids, codes = runs.setdefault((name.ref.traffic, name.ref.day), ([], []))
        ids.append(name.ref.id)
        codes.append(_SIZE_CODE[name.size] | (_ACKED_BIT if name.acked else 0))
    return [
        [traffic, day, b"".join(ids), bytes(codes)] for (traffic, day), (ids, codes) in runs.items()
    ]


_DECODERS: Final[dict[int, tuple[int, Callable[[list[Value]], Message]]]] = {
    Type.HELLO: (7, _hello),
    Type.WANT: (2, _want),
    Type.OFFER: (3, _offer),
    Type.DATA: (7, _data),
    Type.STORED: (3, _stored),
    Type.ACKED: (4, _acked),
    Type.NOTHELD: (2, lambda fields: NotHeld(read_groups(fields[1]))),
    Type.CANCEL: (2, lambda fields: Cancel(read_groups(fields[1]))),
    Type.HAVE: (2, _have),
    Type.BYE: (2, lambda fields: Bye(Reason(as_int(fields[1], 0, len(Reason) - 1)))),
    Type.DONE: (1, lambda _: Done()),
    **COMPARED_DECODERS,
}


def encode_data(
    traffic: int, day: int, short: bytes, *, age_s: int, offset: int, block: bytes
) -> bytes:
    """Return one DATA message, without the detour over its value object.

    Raises:
        LocalMisuse: a field holds what has no encoding.
    """
    return encode((10, traffic, day, short, age_s, offset, block))
