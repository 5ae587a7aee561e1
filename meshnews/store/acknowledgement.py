"""Which receipts a node believes, before anything is done because of them.

A receipt of a bundle that is held proves itself by the bundle.  One of a bundle never
held is as good as its postage, and finds a place only while its issuer has one left.
What a believed receipt does to the store is in `meshnews.store.receipts`.  See
docs/protocol/custody.md, "Receipts".
"""

from typing import Final

from meshnews.bundle.auth_field import Postage, decode_auth
from meshnews.bundle.format import parse
from meshnews.bundle.receipt import Receipt, ShortReceipt
from meshnews.errors import Exceeded, Forged
from meshnews.ids import BundleRef, TrafficClass
from meshnews.limits import STAMPS_KNOWN_MAX
from meshnews.store.admission import entry_of
from meshnews.store.age import Moment
from meshnews.store.franking import Franking
from meshnews.store.port import ACKED, WITH_BODY, Carry, Entry, State
from meshnews.store.receipts import Receipts
from meshnews.store.terms import Acknowledged, Terms

_STAMP_ISSUER: Final = b""
"""Under this, receipts of stamped bundles never held are counted."""


class Acknowledgement:
    """Judges the receipts that come to one store, and has the good ones taken in."""

    def __init__(self, carry: Carry, terms: Terms, franking: Franking, receipts: Receipts) -> None:
        self._carry = carry
        self._terms = terms
        self._franking = franking
        self._receipts = receipts

    def take(self, receipt: Receipt, moment: Moment) -> Acknowledged:
        """Take in a receipt: a collector keeps it back until its batch.

        Raises:
            Malformed, Forged, Exceeded: it is for a bundle not held and its postage is bad.
        """
        known = self._carry.entry(receipt.ref)
        if known is None:
            return self._take_unknown(receipt, moment)
        if known.state in WITH_BODY:
            return self.take_short(receipt.ref, receipt.short, moment)
        if known.state is State.ACKED:
            return Acknowledged.KNOWN
        return self._take_known(known, self._as_kept(receipt, moment), moment)

    def _take_unknown(self, receipt: Receipt, moment: Moment) -> Acknowledged:
        offer = receipt.offer
        if self._receipts.is_pending(receipt.ref):
            return Acknowledged.KNOWN
        if self._terms.is_over(offer.expiry_day, moment):
            return Acknowledged.REFUSED
        issuer = self._issuer_of(receipt)
        if issuer is None or not self._receipts.has_place(issuer):
            # Before its postage is looked at: there may be thousands of these.
            return Acknowledged.NO_ROOM
        franked = self._franking.check(offer, moment)
        if franked is None or not self._franking.is_among_lowest(offer, franked):
            return Acknowledged.REFUSED
        entry = entry_of(offer, franked, State.ACKED, 0, moment)
        return self._receipts.take_unknown(receipt, entry, issuer, moment)

    def _as_kept(self, receipt: Receipt, moment: Moment) -> bytes:
        """Return a receipt as it can be passed on: in full only with postage that holds.

        Whoever is given another blames the giver, and the identifier names its key only.
        """
        if self._franking.check(receipt.offer, moment) is None:
            return receipt.short.encode()
        return receipt.encode()

    def _issuer_of(self, receipt: Receipt) -> bytes | None:
        """Return under whom a receipt is counted; None when a stamp finds no place."""
        auth = decode_auth(receipt.auth)
        if isinstance(auth, Postage):
            return auth.issuer
        return None if self._carry.usage().stamps >= STAMPS_KNOWN_MAX else _STAMP_ISSUER

    def take_short(self, ref: BundleRef, short: ShortReceipt, moment: Moment) -> Acknowledged:
        """Take in a receipt in the form for those who know the bundle.

        Raises:
            Forged: it is a receipt for another bundle.
            Exceeded: it is for a notice.
        """
        if ref.traffic is TrafficClass.NOTICE:
            raise Exceeded("a receipt for a notice")
        if short.id != ref.id:
            raise Forged("a receipt for another bundle")
        known = self._carry.entry(ref)
        if known is None:
            return Acknowledged.REFUSED
        wire = self._carry.body(ref)
        receipt = short.encode()
        if wire is not None:
            bundle = parse(wire)
            receipt = Receipt(short.purge, bundle.h_ct, bundle.meta, bundle.auth).encode()
        return self._take_known(known, receipt, moment)

    def _take_known(self, known: Entry, receipt: bytes, moment: Moment) -> Acknowledged:
        if known.state in ACKED:
            return Acknowledged.KNOWN
        return self._receipts.take(known, receipt, moment)
