"""The auth field of a bundle: who pays for it, in a form of its own for every value.

    auth    = postage | stamp, filled up with zeros to 179 bytes
    postage = pack[ 1, pk32, expiry_day, class, n, kid4, cert64, sig64 ]
    stamp   = pack[ 2, nonce8, bits ]

What the fields mean is told by `postage` and `stamp`, and in docs/protocol/bundles.md.
"""

from dataclasses import dataclass
from typing import Final

from meshnews.bundle.shape import AUTH_BYTES
from meshnews.crypto.keys import KEY_BYTES, SIGNATURE_BYTES, Ed25519Public
from meshnews.errors import LocalMisuse, Malformed
from meshnews.ids import AuthKind, Day, IssuerId, TrafficClass
from meshnews.limits import POSTAGE_IDS_MAX, STAMP_BITS_MAX, STAMP_BITS_MIN
from meshnews.wire.codec import encode

ISSUER_ID_BYTES: Final = 4
NONCE_BYTES: Final = 8

_POSTAGE_LEAD: Final = b"\x98\x01\xc4\x20"
_KID_LEAD: Final = b"\xc4\x04"
_SIGNATURE_LEAD: Final = b"\xc4\x40"
_STAMP_LEAD: Final = b"\x93\x02\xc4\x08"
_DAY_AT: Final = len(_POSTAGE_LEAD) + KEY_BYTES
_STAMP_BYTES: Final = len(_STAMP_LEAD) + NONCE_BYTES + 1
_DAY_2_BYTES: Final = 0xCC
_DAY_3_BYTES: Final = 0xCD


@dataclass(frozen=True, slots=True)
class Postage:
    """The fields of one postage, read and not yet believed."""

    key: Ed25519Public
    expiry_day: Day
    traffic: TrafficClass
    n: int
    issuer: IssuerId
    certificate: bytes
    signature: bytes

    @property
    def certified(self) -> bytes:
        """What the issuer signed."""
        return what_is_certified(self.key, self.expiry_day, self.traffic, self.n)


@dataclass(frozen=True, slots=True)
class Stamp:
    """The fields of one stamp, read and not yet believed."""

    nonce: bytes
    bits: int


def encode_auth(auth: Postage | Stamp) -> bytes:
    """Return the auth field, filled up with zeros.

    Raises:
        LocalMisuse: it is longer than an auth field.
    """
    if isinstance(auth, Postage):
        fields = encode(
            [
                int(AuthKind.POSTAGE),
                auth.key,
                auth.expiry_day,
                int(auth.traffic),
                auth.n,
                auth.issuer,
                auth.certificate,
                auth.signature,
            ]
        )
    else:
        fields = encode([int(AuthKind.STAMP), auth.nonce, auth.bits])
    if len(fields) > AUTH_BYTES:
        raise LocalMisuse("an auth field that is too long")
    return fields.ljust(AUTH_BYTES, b"\0")


def decode_auth(auth: bytes) -> Postage | Stamp:
    """Return the fields of an auth field; whether they hold is for others to say.

    Raises:
        Malformed: it is none, or not in canonical form.
    """
    if len(auth) != AUTH_BYTES:
        raise Malformed("an auth field of the wrong length")
    read = _read_postage(auth) if auth.startswith(_POSTAGE_LEAD) else _read_stamp(auth)
    # One encoding for every value, zeros behind it: comparing judges all of it.
    if encode_auth(read) != auth:
        raise Malformed("an auth field that is not in canonical form")
    return read


def _read_postage(auth: bytes) -> Postage:
    """Read the fields from where they would stand in the canonical form."""
    at = _DAY_AT
    day = auth[at]
    if day == _DAY_3_BYTES:
        day, at = int.from_bytes(auth[at + 1 : at + 3], "big"), at + 2
    elif day == _DAY_2_BYTES:
        day, at = auth[at + 1], at + 1
    traffic, n = auth[at + 1], auth[at + 2]
    if traffic > TrafficClass.BULK or not 1 <= n <= POSTAGE_IDS_MAX:
        raise Malformed("postage with a class or n that none may have")
    kid_at = at + 3 + len(_KID_LEAD)
    certificate_at = kid_at + ISSUER_ID_BYTES + len(_SIGNATURE_LEAD)
    signature_at = certificate_at + SIGNATURE_BYTES + len(_SIGNATURE_LEAD)
    return Postage(
        key=Ed25519Public(auth[len(_POSTAGE_LEAD) : _DAY_AT]),
        expiry_day=Day(day),
        traffic=TrafficClass(traffic),
        n=n,
        issuer=IssuerId(auth[kid_at : kid_at + ISSUER_ID_BYTES]),
        certificate=auth[certificate_at : certificate_at + SIGNATURE_BYTES],
        signature=auth[signature_at : signature_at + SIGNATURE_BYTES],
    )


def _read_stamp(auth: bytes) -> Stamp:
    """Read the fields from where they would stand in the canonical form."""
    bits = auth[_STAMP_BYTES - 1]
    if not STAMP_BITS_MIN <= bits <= STAMP_BITS_MAX:
        raise Malformed("a stamp with too few or too many bits, or no auth field")
    return Stamp(auth[len(_STAMP_LEAD) : len(_STAMP_LEAD) + NONCE_BYTES], bits)


def what_is_certified(key: bytes, expiry_day: Day, traffic: TrafficClass, n: int) -> bytes:
    """Return what an issuer signs when it certifies a postage key."""
    return key + expiry_day.to_bytes(2, "big") + bytes((traffic, n))
