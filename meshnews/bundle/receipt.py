"""Receipts: proof, by whoever opened or sealed a bundle, that it has arrived.

    receipt = pack[ r, h_ct, meta, auth ]              the offer with r in place of pc
    short   = r ‖ h_rest                               64 bytes, for an id already known
    id      = b2('bundle-id', b2('purge-commit', r) ‖ h_rest)

A receipt for an id never held counts only if its `auth` is good for that id:
see `postage.check_bundle` on its `offer`.  Class 0 has no receipts.
See docs/protocol/bundles.md.
"""

from dataclasses import dataclass, field
from typing import Final

from meshnews.bundle.format import (
    Bundle,
    Offer,
    bundle_id,
    commitment,
    decode_four,
)
from meshnews.bundle.shape import HASH_BYTES
from meshnews.crypto.digest import same
from meshnews.errors import LocalMisuse, Malformed
from meshnews.ids import BundleId, BundleRef, TrafficClass
from meshnews.wire.codec import encode

SHORT_RECEIPT_BYTES: Final = 2 * HASH_BYTES


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt that stands for itself: it proves, and says what it is about.

    Raises:
        Malformed: `meta` is one that no bundle may have, or of class 0.
    """

    purge: bytes = field(repr=False)
    h_ct: bytes = field(repr=False)
    meta: bytes = field(repr=False)
    auth: bytes = field(repr=False)
    offer: Offer = field(init=False, compare=False)

    def __post_init__(self) -> None:
        offer = Offer(commitment(self.purge), self.h_ct, self.meta, self.auth)
        if offer.traffic is TrafficClass.NOTICE:
            raise Malformed("a receipt for a notice")
        object.__setattr__(self, "offer", offer)

    @property
    def ref(self) -> BundleRef:
        """What it acknowledges."""
        return self.offer.ref

    @property
    def short(self) -> "ShortReceipt":
        """The form for those who know the bundle."""
        return ShortReceipt(self.purge, self.offer.h_rest)

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return encode([self.purge, self.h_ct, self.meta, self.auth])


@dataclass(frozen=True, slots=True)
class ShortReceipt:
    """A receipt for an id that is known: it proves, and names only the id."""

    purge: bytes = field(repr=False)
    h_rest: bytes = field(repr=False)

    @property
    def id(self) -> BundleId:
        """What it acknowledges."""
        return bundle_id(commitment(self.purge), self.h_rest)

    def encode(self) -> bytes:
        """Return the 64 bytes."""
        return self.purge + self.h_rest


def decode_receipt(data: bytes) -> Receipt:
    """Return the receipt that `data` encodes (protocol §4).

    Raises:
        Malformed: it encodes none, or one for a notice.
    """
    purge, h_ct, meta, auth = decode_four(data)
    return Receipt(purge, h_ct, meta, auth)


def decode_short_receipt(data: bytes) -> ShortReceipt:
    """Return the short receipt that `data` is (protocol §4).

    Raises:
        Malformed: it has another length.
    """
    if len(data) != SHORT_RECEIPT_BYTES:
        raise Malformed("a short receipt of the wrong length")
    return ShortReceipt(data[:HASH_BYTES], data[HASH_BYTES:])


def receipt_of(bundle: Bundle | Offer, purge: bytes) -> Receipt:
    """Return the receipt for `bundle`, by the preimage that sealing or opening it gave.

    Raises:
        LocalMisuse: `purge` is not the preimage of its commitment, or the bundle
            is of class 0.
    """
    if not same(commitment(purge), bundle.pc):
        raise LocalMisuse("the preimage of another bundle")
    if bundle.traffic is TrafficClass.NOTICE:
        raise LocalMisuse("a receipt for a notice")
    return Receipt(purge, bundle.h_ct, bundle.meta, bundle.auth)
