"""Beacons: 48 bytes that tell who knows the key where to come, and a stranger nothing.

    beacon = nonce (16) ‖ masked (8) ‖ mac (24)
    masked = (epoch (4) ‖ port (2) ‖ flags (2)) xor b2('bcn-mask', nonce, key=K_bcn)[:8]
    mac    = b2('bcn-mac', nonce ‖ masked, key=K_bcn, n=24)

Integers are big endian.  The epoch counts 900-second steps since 1970; a
sender that has no clock counts up from a number it keeps, and sets the flag
CLOCKLESS.  The same bytes travel on every carrier of a local network.
See docs/protocol/discovery.md.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from meshnews.crypto.digest import Label, b2, same
from meshnews.errors import LocalMisuse
from meshnews.link.rendezvous import Rendezvous

Name = TypeVar("Name")

BEACON_BYTES: Final = 48
NONCE_BYTES: Final = 16
_SAID_BYTES: Final = 24
_MAC_BYTES: Final = 24

EPOCH_MAX: Final = 0xFFFFFFFF


class Flag(enum.IntFlag):
    """What a beacon says besides.  Bits without a name are sent as 0 and not looked at."""

    NONE = 0
    SEEK = 0x0001
    """Sent under somebody else's key by one who looks for its holder; nobody dials it."""
    CLOCKLESS = 0x8000
    """The epoch is a count of the sender's own."""


@dataclass(frozen=True, slots=True)
class Heard(Generic[Name]):
    """A beacon that one of our keys made sense of.

    Attributes:
        name: what the caller calls the key.
        rendezvous: where it belongs.
        epoch: the sender's epoch, or its count when it has no clock.
        port: where the sender listens; 0 when it does not.
        flags: see `Flag`.
        nonce: names the beacon; the answer to it is bound to this.
    """

    name: Name
    rendezvous: Rendezvous
    epoch: int
    port: int
    flags: Flag
    nonce: bytes


def make_beacon(
    rendezvous: Rendezvous, *, epoch: int, port: int, flags: Flag, nonce: bytes
) -> bytes:
    """Return the 48 bytes of a beacon.

    A nonce must never serve twice under one key with other contents.

    Raises:
        LocalMisuse: a number or the nonce does not fit its field.
    """
    if not (0 <= epoch <= EPOCH_MAX and 0 <= port <= 0xFFFF and 0 <= flags <= 0xFFFF):
        raise LocalMisuse("a number too large for a beacon")
    if len(nonce) != NONCE_BYTES:
        raise LocalMisuse("a beacon nonce that is not 16 bytes")
    said = (epoch << 32 | port << 16 | flags) ^ _mask(rendezvous.beacon_key, nonce)
    start = nonce + said.to_bytes(8, "big")
    return start + b2(Label.BCN_MAC, start, key=rendezvous.beacon_key, size=_MAC_BYTES)


def hear(packet: bytes, candidates: Iterable[tuple[Name, Rendezvous]]) -> Heard[Name] | None:
    """Return what `packet` says to the first of the candidates whose key made it.

    None when it is no beacon, or none of ours.  Whether it is fresh is another
    question: see `meshnews.link.freshness`.

    Raises:
        Nothing, whatever `packet` is.
    """
    if len(packet) != BEACON_BYTES:
        return None
    start, mac = packet[:_SAID_BYTES], packet[_SAID_BYTES:]
    for name, rendezvous in candidates:
        key = rendezvous.beacon_key
        if same(b2(Label.BCN_MAC, start, key=key, size=_MAC_BYTES), mac):
            nonce = start[:NONCE_BYTES]
            said = int.from_bytes(start[NONCE_BYTES:], "big") ^ _mask(key, nonce)
            return Heard(
                name=name,
                rendezvous=rendezvous,
                epoch=said >> 32,
                port=said >> 16 & 0xFFFF,
                flags=Flag(said & 0xFFFF),
                nonce=nonce,
            )
    return None


def _mask(key: bytes, nonce: bytes) -> int:
    return int.from_bytes(b2(Label.BCN_MASK, nonce, key=key)[:8], "big")
