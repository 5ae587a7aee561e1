"""What the roots of a desk sign: t of its n keys, over exactly the bytes of the body.

    signed    = pack[body, roots [key 32 …], threshold t, signatures [[index, signature 64] …]]
    signature = Ed25519(root[index], 'root1' ‖ body)
    desk_id   = b2('desk', root keys ‖ t as one byte)[:16]

Roots ascend, 1 ≤ t ≤ n ≤ ROOTS_MAX; signatures ascend by index, so one root
counts once.  The body is itself packed and opens with a tag that says what it
is ('man1', 'rec1') and with `desk_id`.  With fewer than t signatures it is the
*unsigned form*: a file that a person carries to where the root is.
See docs/protocol/keys.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.keys import Ed25519Public, Ed25519Secret, verify
from meshnews.desk.field import DESK_ID_BYTES, as_sign_key, as_signature, expect_ascending
from meshnews.desk.limits import MANIFEST_BYTES_MAX, ROOTS_MAX
from meshnews.errors import Forged, LocalMisuse, Refusal
from meshnews.ids import DeskId
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, decode, encode

FIELDS: Final = 4
"""Length of the outer array, which tells this form from others."""


def desk_id(root_keys: Sequence[bytes], threshold: int) -> DeskId:
    """Return the identifier of the desk with these root keys, in ascending order.

    Raises:
        Nothing.
    """
    digest = b2(Label.DESK, b"".join(root_keys) + bytes([threshold]))
    return DeskId(digest[:DESK_ID_BYTES])


@dataclass(frozen=True, slots=True)
class Roots:
    """Who speaks for a desk: its root keys in ascending order, and how many must agree."""

    keys: tuple[Ed25519Public, ...]
    threshold: int

    @property
    def desk(self) -> DeskId:
        """The identifier that these keys and this threshold give the desk."""
        return desk_id(self.keys, self.threshold)


@dataclass(frozen=True, slots=True)
class RootSigned:
    """A body with the signatures collected so far, none of them verified."""

    body: bytes
    roots: Roots
    signatures: tuple[tuple[int, bytes], ...] = ()

    @property
    def missing(self) -> int:
        """How many more roots must sign."""
        return max(0, self.roots.threshold - len(self.signatures))

    def encode(self) -> bytes:
        """Return the canonical encoding.

        Raises:
            LocalMisuse: a field has no encoding.
        """
        signatures: list[Value] = [list(one) for one in sorted(self.signatures)]
        return encode([self.body, list(self.roots.keys), self.roots.threshold, signatures])


def new_roots(keys: Sequence[Ed25519Public], threshold: int) -> Roots:
    """Return the roots of a new desk, put in order.

    Raises:
        LocalMisuse: a key stands twice, there are none or too many, or the
            threshold is not 1 … n.
    """
    if len(set(keys)) != len(keys) or not 1 <= threshold <= len(keys) <= ROOTS_MAX:
        raise LocalMisuse(f"{threshold} of {len(keys)} root keys")
    return Roots(tuple(sorted(keys)), threshold)


def decode_root_signed(data: bytes, *, bytes_max: int = MANIFEST_BYTES_MAX) -> RootSigned:
    """Return body, roots and signatures as they stand in `data`, none verified.

    Raises:
        Malformed: `data` does not have this form, or a count is out of range.
    """
    body, roots, threshold, signatures = as_list(decode(data, bytes_max=bytes_max), size=FIELDS)
    keys = tuple(as_sign_key(key) for key in as_list(roots, at_most=ROOTS_MAX))
    expect_ascending(keys, "root keys")
    needed = as_int(threshold, 1, len(keys))
    found: list[tuple[int, bytes]] = []
    for entry in as_list(signatures, at_most=len(keys)):
        index, value = as_list(entry, size=2)
        found.append((as_int(index, 0, len(keys) - 1), as_signature(value)))
    expect_ascending([(index,) for index, _ in found], "root signatures")
    return RootSigned(as_bytes(body, at_most=bytes_max), Roots(keys, needed), tuple(found))


def add_signature(unsigned: bytes, root: Ed25519Secret) -> bytes:
    """Return `unsigned` with the signature of `root` added; twice by one root counts once.

    What the body says is for `meshnews.desk.notice.read_unsigned` and for the
    person to judge before.

    Raises:
        Malformed: `unsigned` is no file to be signed by a root.
        Refusal: `root` is no root of that desk.
    """
    signed = decode_root_signed(unsigned)
    if root.public not in signed.roots.keys:
        raise Refusal(
            "wrong-root",
            what="This root key does not belong to the desk of this file.",
            meaning="Nothing was signed.",
            remedy="Use the root key that was made with this desk.",
        )
    index = signed.roots.keys.index(root.public)
    signatures = dict(signed.signatures)
    signatures[index] = root.sign(Label.ROOT_1, signed.body)
    return RootSigned(signed.body, signed.roots, tuple(signatures.items())).encode()


def verify_root_signed(
    data: bytes, *, desk: DeskId | None = None, bytes_max: int = MANIFEST_BYTES_MAX
) -> RootSigned:
    """Return what t roots signed, every signature verified.

    With `desk` the roots must be those of that desk; without it the caller
    learns which desk speaks, and no more.

    Raises:
        Malformed: `data` does not have this form.
        Forged: another desk, fewer signatures than the threshold, or one that
            does not hold.
    """
    signed = decode_root_signed(data, bytes_max=bytes_max)
    if desk is not None and signed.roots.desk != desk:
        raise Forged("signed by the roots of another desk")
    if signed.missing:
        raise Forged(f"{signed.missing} root signatures missing")
    for index, value in signed.signatures:
        verify(signed.roots.keys[index], value, Label.ROOT_1, signed.body)
    return signed
