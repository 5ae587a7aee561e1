"""What a desk hands out in quantity: prekeys, postage, and keys of relays.

    packs    [[editor sign 32, scan 32, prekeys (72 each)] …]   ascending by sign
    postage  [[issuer 4, expiry day, class, n, pieces (96 each)] …]
             ascending by the first four; piece = seed (32) ‖ certificate (64)
    relays   [[static 32, beacon key 32, flags] …]              ascending by static

These are parts of cards and refreshes.  See docs/protocol/enrolment.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from meshnews.crypto.keys import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    Ed25519Public,
    PostageKey,
    Prekey,
    SymmetricKey,
    X25519Public,
)
from meshnews.desk.bulletin import NO_FLAGS, RelayFlags
from meshnews.desk.field import (
    as_agree_key,
    as_day,
    as_shared_key,
    as_sign_key,
    expect_ascending,
    pack_prekeys,
    read_prekeys,
)
from meshnews.desk.limits import (
    PACKS_PER_CARD,
    POSTAGE_GROUPS_MAX,
    PREKEYS_PER_PACK,
    RELAYS_ON_CARD_MAX,
)
from meshnews.errors import LocalMisuse, Malformed
from meshnews.ids import Day, IssuerId, TrafficClass
from meshnews.limits import POSTAGE_IDS_MAX
from meshnews.wire.codec import Value, as_bytes, as_int, as_list

PIECE_BYTES: Final = KEY_BYTES + SIGNATURE_BYTES
_ISSUER_ID_BYTES: Final = 4
_FLAGS_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class PrekeyPack:
    """One-time prekeys of one editor, for one member."""

    editor: Ed25519Public
    scan: X25519Public
    prekeys: tuple[Prekey, ...]


@dataclass(frozen=True, slots=True)
class RelayKeys:
    """What it takes to find and link to one relay or collector."""

    static: X25519Public
    beacon_key: SymmetricKey
    flags: RelayFlags = NO_FLAGS
    is_collector: bool = field(init=False, repr=False, compare=False)
    """It stands on the internet and takes in for the desk."""

    def __post_init__(self) -> None:
        # Looked at once: an `in` of flags is dear, and a node asks at each event.
        object.__setattr__(self, "is_collector", RelayFlags.COLLECTOR in self.flags)


def encode_packs(packs: Iterable[PrekeyPack]) -> list[Value]:
    """Return the packs as a value, in order.

    Raises:
        LocalMisuse: a prekey has no PSK, or a wrong size.
    """
    ordered = sorted(packs, key=lambda one: one.editor)
    return [[one.editor, one.scan, pack_prekeys(one.prekeys)] for one in ordered]


def read_packs(value: Value) -> tuple[PrekeyPack, ...]:
    """Return the packs that `encode_packs` wrote.

    Raises:
        Malformed: too many packs or prekeys, out of order, or one twice.
    """
    packs: list[PrekeyPack] = []
    for entry in as_list(value, at_most=PACKS_PER_CARD):
        editor, scan, prekeys = as_list(entry, size=3)
        packs.append(
            PrekeyPack(
                as_sign_key(editor),
                as_agree_key(scan),
                read_prekeys(prekeys, at_most=PREKEYS_PER_PACK),
            )
        )
    expect_ascending([one.editor for one in packs], "packs")
    return tuple(packs)


def grouped(postage: Iterable[PostageKey]) -> tuple[PostageKey, ...]:
    """Return the pieces in the order in which they are written and read.

    Raises:
        Nothing.
    """
    return tuple(sorted(postage, key=_kind))


def encode_postage(postage: Iterable[PostageKey]) -> list[Value]:
    """Return pieces of postage as a value: their kinds once, 96 bytes for each.

    Raises:
        LocalMisuse: a seed or certificate has a wrong size.
    """
    groups: dict[tuple[bytes, int, int, int], list[bytes]] = {}
    for piece in grouped(postage):
        packed = piece.seed + piece.certificate
        if len(piece.seed) != KEY_BYTES or len(packed) != PIECE_BYTES:
            raise LocalMisuse("a piece of postage that is not 96 bytes")
        groups.setdefault(_kind(piece), []).append(packed)
    return [[*kind, b"".join(pieces)] for kind, pieces in groups.items()]


def read_postage(value: Value, *, at_most: int) -> tuple[PostageKey, ...]:
    """Return the pieces that `encode_postage` wrote, their certificates not yet verified.

    Raises:
        Malformed: more than `at_most`, groups out of order or empty, class 0,
            or a length that is no multiple of 96.
    """
    pieces: list[PostageKey] = []
    kinds: list[tuple[bytes, int, int, int]] = []
    for entry in as_list(value, at_most=POSTAGE_GROUPS_MAX):
        issuer, expiry, traffic, n, packed = as_list(entry, size=5)
        room = at_most - len(pieces)
        group = _read_group(
            as_bytes(packed, at_most=room * PIECE_BYTES),
            issuer=IssuerId(as_bytes(issuer, _ISSUER_ID_BYTES)),
            expiry_day=as_day(expiry),
            # Class 0 stays in the desk's hands.
            traffic=TrafficClass(as_int(traffic, TrafficClass.FLASH, TrafficClass.BULK)),
            n=as_int(n, 1, POSTAGE_IDS_MAX),
        )
        kinds.append(_kind(group[0]))
        pieces += group
    expect_ascending(kinds, "kinds of postage")
    return tuple(pieces)


def encode_relay_keys(relays: Iterable[RelayKeys]) -> list[Value]:
    """Return keys of relays as a value, in order.

    Raises:
        Nothing.
    """
    ordered = sorted(relays, key=lambda one: one.static)
    return [[one.static, one.beacon_key.raw, int(one.flags)] for one in ordered]


def read_relay_keys(value: Value) -> tuple[RelayKeys, ...]:
    """Return the keys of relays that `encode_relay_keys` wrote.

    Raises:
        Malformed: too many, out of order, or one twice.
    """
    relays: list[RelayKeys] = []
    for entry in as_list(value, at_most=RELAYS_ON_CARD_MAX):
        static, beacon_key, flags = as_list(entry, size=3)
        relays.append(
            RelayKeys(
                as_agree_key(static),
                as_shared_key(beacon_key),
                RelayFlags(as_int(flags, 0, _FLAGS_MAX)),
            )
        )
    expect_ascending([one.static for one in relays], "relays")
    return tuple(relays)


def _kind(piece: PostageKey) -> tuple[bytes, int, int, int]:
    return piece.issuer, piece.expiry_day, int(piece.traffic), piece.n


def _read_group(
    packed: bytes, *, issuer: IssuerId, expiry_day: Day, traffic: TrafficClass, n: int
) -> Sequence[PostageKey]:
    if not packed or len(packed) % PIECE_BYTES:
        raise Malformed("a group of postage that is empty, or ends in a part of a piece")
    return [
        PostageKey(
            seed=packed[at : at + KEY_BYTES],
            expiry_day=expiry_day,
            traffic=traffic,
            n=n,
            issuer=issuer,
            certificate=packed[at + KEY_BYTES : at + PIECE_BYTES],
        )
        for at in range(0, len(packed), PIECE_BYTES)
    ]
