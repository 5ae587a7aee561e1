"""The short beacon, 20 bytes, for Bluetooth adverts.

    beacon = nonce (8) ‖ masked (2) ‖ mac (10)
    masked = (psm (1) ‖ flags (1)) xor b2('bcn-short-mask', nonce, key=K_bcn)[:2]
    mac    = b2('bcn-short-mac', nonce ‖ masked ‖ epoch mod 256 (1), key=K_bcn, n=10)

The epoch is not sent: whoever hears it tries the epochs that may be.
See docs/protocol/discovery.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic

from meshnews.crypto.digest import Label, b2, same
from meshnews.errors import LocalMisuse
from meshnews.limits import BEACON_EPOCHS_APART_MAX
from meshnews.link.beacon import Flag, Name
from meshnews.link.rendezvous import Rendezvous

SHORT_BEACON_BYTES: Final = 20
SHORT_NONCE_BYTES: Final = 8
_SAID_BYTES: Final = 10
_MAC_BYTES: Final = 10
_SEEK: Final = 0x01
_CLOCKLESS: Final = 0x80


@dataclass(frozen=True, slots=True)
class HeardShort(Generic[Name]):
    """A short beacon that one of our keys made sense of.

    Attributes:
        name: what the caller calls the key.
        rendezvous: where it belongs.
        epoch_low: the sender's epoch or count, modulo 256.
        psm: where the sender listens; 0 when it does not.
        flags: as in the long form.
        nonce: 8 bytes; the answer to it is bound to this.
    """

    name: Name
    rendezvous: Rendezvous
    epoch_low: int
    psm: int
    flags: Flag
    nonce: bytes


def make_short_beacon(
    rendezvous: Rendezvous, *, epoch: int, psm: int, flags: Flag, nonce: bytes
) -> bytes:
    """Return the 20 bytes of a short beacon; only the low 8 bits of `epoch` go into it.

    Raises:
        LocalMisuse: a number or the nonce does not fit its field.
    """
    if not (epoch >= 0 and 0 <= psm <= 0xFF and len(nonce) == SHORT_NONCE_BYTES):
        raise LocalMisuse("a number or nonce that does not fit a short beacon")
    byte = (_SEEK if Flag.SEEK in flags else 0) | (_CLOCKLESS if Flag.CLOCKLESS in flags else 0)
    key = rendezvous.beacon_key
    start = nonce + ((psm << 8 | byte) ^ _mask(key, nonce)).to_bytes(2, "big")
    return start + _mac(key, start, epoch & 0xFF)


def hear_short(
    packet: bytes, candidates: Iterable[tuple[Name, Rendezvous]], *, epoch: int | None
) -> HeardShort[Name] | None:
    """Return what `packet` says to the first candidate whose key and a likely epoch made it.

    `epoch` is the listener's own; None when its clock cannot be believed, and
    then, as for every sender without a clock, all 256 are tried.

    Raises:
        Nothing, whatever `packet` is.
    """
    if len(packet) != SHORT_BEACON_BYTES:
        return None
    start, mac = packet[:_SAID_BYTES], packet[_SAID_BYTES:]
    nonce = start[:SHORT_NONCE_BYTES]
    for name, rendezvous in candidates:
        key = rendezvous.beacon_key
        said = int.from_bytes(start[SHORT_NONCE_BYTES:], "big") ^ _mask(key, nonce)
        for low in _likely(epoch, clockless=bool(said & _CLOCKLESS)):
            if same(_mac(key, start, low), mac):
                flags = Flag.SEEK if said & _SEEK else Flag.NONE
                if said & _CLOCKLESS:
                    flags |= Flag.CLOCKLESS
                return HeardShort(name, rendezvous, low, said >> 8, flags, nonce)
    return None


def _likely(epoch: int | None, *, clockless: bool) -> Iterable[int]:
    if epoch is None or clockless:
        return range(256)
    apart = BEACON_EPOCHS_APART_MAX
    return [(epoch + step) & 0xFF for step in range(-apart, apart + 1)]


def _mask(key: bytes, nonce: bytes) -> int:
    return int.from_bytes(b2(Label.BCN_SHORT_MASK, nonce, key=key)[:2], "big")


def _mac(key: bytes, start: bytes, epoch_low: int) -> bytes:
    return b2(Label.BCN_SHORT_MAC, start + bytes([epoch_low]), key=key, size=_MAC_BYTES)
