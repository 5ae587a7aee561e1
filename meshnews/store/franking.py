"""By what a store admits: postage that holds, and of the ids under one key only the lowest.

Of the ids under one postage key a node keeps the n + 1 lowest.  One more than the
key was meant for, since a card may be in use on two machines for a while without
bad intent; the lowest, since then all nodes agree which, in whatever order they
came.  Own bundles stay, and acked ones as far as ACKED_PER_KEY (n + 1) in all.
See docs/protocol/custody.md, "Admission".
"""

from typing import Final

from meshnews.bundle.auth_field import Postage, decode_auth
from meshnews.bundle.format import Bundle, Offer
from meshnews.bundle.postage import CertificateMemo, Franked, Issuers, check_bundle
from meshnews.errors import Exceeded, Forged
from meshnews.ids import AuthKind, BundleRef
from meshnews.limits import CLOCK_AHEAD_S_MAX
from meshnews.store.age import DAY_S, Moment
from meshnews.store.port import ACKED, Carry
from meshnews.store.terms import FILING_DAYS

ACKED_PER_KEY: Final = 4
"""Whoever sealed a bundle can make its receipt, so even acked ones have an end."""

_AHEAD_DAYS: Final = CLOCK_AHEAD_S_MAX // DAY_S + FILING_DAYS


class Franking:
    """Judges postage and stamps against what a store holds."""

    def __init__(self, carry: Carry, issuers: Issuers) -> None:
        self._carry = carry
        self._issuers = issuers
        self._memo = CertificateMemo()

    def check(self, bundle: Bundle | Offer, moment: Moment) -> Franked | None:
        """Return how a bundle is admitted; None when it is not, through nobody's fault.

        That is so of an issuer not known here, or known with an earlier last day:
        the peer may have a newer manifest than we.  And of a stamped bundle from so
        far in the future that its day can only be a lie: nothing else would bound it.

        Raises:
            Malformed, Forged, Exceeded: this copy's postage or stamp is bad.
        """
        try:
            franked = check_bundle(bundle, issuers=self._issuers, memo=self._memo)
        except Forged:
            auth = decode_auth(bundle.auth)
            if isinstance(auth, Postage) and not self._issuers(auth.issuer):
                return None
            raise
        except Exceeded:
            auth = decode_auth(bundle.auth)
            if isinstance(auth, Postage) and _is_within(bundle, auth):
                # Then it is the issuer that it outlives.
                return None
            raise
        if franked.kind is AuthKind.STAMP and bundle.day > moment.floor_day + _AHEAD_DAYS:
            return None
        return franked

    def is_among_lowest(self, bundle: Bundle | Offer, franked: Franked) -> bool:
        """Tell whether there are at most n lower ids under the same key."""
        rivals = self._rivals(bundle, franked)
        return len(rivals) <= franked.n or bundle.id < rivals[franked.n].id

    def displaced(self, bundle: Bundle | Offer, franked: Franked) -> list[BundleRef] | None:
        """Return what has to go when a bundle is kept; None when it is too high itself."""
        rivals = self._rivals(bundle, franked)
        if len(rivals) <= franked.n:
            return []
        if bundle.id > rivals[franked.n].id:
            return None
        spared = ACKED_PER_KEY * (franked.n + 1)
        return [
            ref
            for place, ref in enumerate(rivals[franked.n :], franked.n + 1)
            if not self._may_stay(ref, is_spared=place < spared)
        ]

    def _may_stay(self, ref: BundleRef, *, is_spared: bool) -> bool:
        entry = self._carry.entry(ref)
        if entry is None or entry.pinned:
            return True
        return entry.state in ACKED and is_spared

    def _rivals(self, bundle: Bundle | Offer, franked: Franked) -> list[BundleRef]:
        """Return the others under the same key, in order of id."""
        if not franked.postage_key:
            return []
        refs = self._carry.under_postage(franked.postage_key)
        if not refs:
            return []
        return sorted((ref for ref in refs if ref != bundle.ref), key=_id_of)


def franked_as_said(bundle: Bundle) -> Franked:
    """Return how a bundle says it is admitted, for one whose word is known to be good.

    Raises:
        Malformed: its auth field is none.
    """
    auth = decode_auth(bundle.auth)
    if isinstance(auth, Postage):
        return Franked(AuthKind.POSTAGE, auth.key, auth.n)
    return Franked(AuthKind.STAMP, b"", 0)


def _is_within(bundle: Bundle | Offer, postage: Postage) -> bool:
    """Tell whether a bundle claims no more than its postage says."""
    return bundle.traffic >= postage.traffic and bundle.expiry_day <= postage.expiry_day


def _id_of(ref: BundleRef) -> bytes:
    return ref.id
