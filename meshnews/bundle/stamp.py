"""Work in place of postage, for those who have none: a number that only trying finds.

    b2('stamp', id ‖ nonce8) begins with at least `bits` zero bits

See docs/protocol/bundles.md.
"""

from dataclasses import dataclass

from meshnews.bundle.auth_field import NONCE_BYTES, Stamp, encode_auth
from meshnews.crypto.digest import Label, b2
from meshnews.errors import Forged, LocalMisuse
from meshnews.ids import BundleId
from meshnews.limits import STAMP_BITS_MAX, STAMP_BITS_MIN


@dataclass(frozen=True, slots=True)
class ByStamp:
    """A franker that pays with work: see `make_stamp`."""

    bits: int = STAMP_BITS_MIN
    first: int = 0

    @property
    def payer(self) -> bytes:
        """Nobody: anyone may stamp anything."""
        return b""

    def auth(self, id: BundleId) -> bytes:  # noqa: A002  the protocol's word
        """Return the auth field, once its work is done."""
        return make_stamp(id, bits=self.bits, first=self.first)


def find_stamp(id: BundleId, *, bits: int, first: int, tries: int) -> bytes | None:  # noqa: A002  the protocol's word
    """Return the auth field with the first nonce that gives a stamp of `bits`, if one does.

    Tries `tries` nonces from `first` on: about 2^bits are needed, a microsecond
    each, so whoever has other things to do asks for a few thousand at a time.

    Raises:
        LocalMisuse: `bits` is one that no stamp may have.
    """
    if not STAMP_BITS_MIN <= bits <= STAMP_BITS_MAX:
        raise LocalMisuse("a stamp with too few or too many bits")
    limit = (1 << (8 * NONCE_BYTES - bits)).to_bytes(NONCE_BYTES, "big")
    for number in range(first, first + tries):
        nonce = number.to_bytes(NONCE_BYTES, "big")
        if b2(Label.STAMP, id + nonce) < limit:
            return encode_auth(Stamp(nonce, bits))
    return None


def make_stamp(id: BundleId, *, bits: int = STAMP_BITS_MIN, first: int = 0) -> bytes:  # noqa: A002  the protocol's word
    """Return an auth field with a stamp of `bits` for the bundle `id`; takes about 2^bits tries.

    Raises:
        LocalMisuse: `bits` is one that no stamp may have.
    """
    tries = 1 << 12
    while (auth := find_stamp(id, bits=bits, first=first, tries=tries)) is None:
        first += tries
    return auth


def verify_work(stamp: Stamp, id: BundleId) -> None:  # noqa: A002  the protocol's word
    """Return if the work of a stamp was done for the bundle `id`.

    Raises:
        Forged: it was not.
    """
    work = int.from_bytes(b2(Label.STAMP, id + stamp.nonce)[:NONCE_BYTES], "big")
    if work >> (8 * NONCE_BYTES - stamp.bits):
        raise Forged("a stamp whose work was not done")
