"""Recall: who must not be trusted any more, and since when.

    body        = pack['rec1', desk_id, revocation id 16, time]
    by roots    = the form of `meshnews.desk.root` over that body
    by the key  = pack[body, key 32, signature 64],  Ed25519(key, 'recall1' ‖ body)
    revocation id = b2('rev', key)[:16]

The key is a reporter's byline key, a relay's static key or an editor's sign
key.  A byline or sign key may recall itself, so its holder can leave a recall
with somebody before it is needed; `time` 0 then says "since this is heard".
See docs/protocol/keys.md.
"""

from dataclasses import dataclass
from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.keys import Ed25519Secret, verify
from meshnews.desk.field import (
    as_desk_id,
    as_sign_key,
    as_signature,
    as_time,
    expect_tag,
    ours,
)
from meshnews.desk.limits import RECALL_BYTES_MAX
from meshnews.desk.root import FIELDS, Roots, RootSigned, decode_root_signed, verify_root_signed
from meshnews.errors import Forged
from meshnews.ids import DeskId
from meshnews.wire.codec import as_bytes, as_list, decode, encode

TAG: Final = "rec1"
REVOCATION_ID_BYTES: Final = 16


def revocation_id(key: bytes) -> bytes:
    """Return the 16 bytes by which a recall names the holder of `key`.

    Raises:
        Nothing.
    """
    return b2(Label.REV, key)[:REVOCATION_ID_BYTES]


@dataclass(frozen=True, slots=True)
class Recall:
    """One recalled card, relay or editor.

    Attributes:
        desk: whose.
        revocation: `revocation_id` of its key.
        time: seconds since 1970 after which it is not to be trusted; 0 when
            the holder recalled itself in advance.
    """

    desk: DeskId
    revocation: bytes
    time: int

    def encode_body(self) -> bytes:
        """Return the bytes that are signed.

        Raises:
            LocalMisuse: a field is out of its range.
        """
        body = encode([TAG, self.desk, self.revocation, self.time])
        return ours(body, decode_body)


def decode_body(body: bytes) -> Recall:
    """Return the recall in a body whose signature is somebody else's business.

    Raises:
        Malformed: the body does not have this form.
    """
    tag, desk, revocation, time = as_list(decode(body, bytes_max=RECALL_BYTES_MAX), size=4)
    expect_tag(tag, TAG)
    return Recall(as_desk_id(desk), as_bytes(revocation, REVOCATION_ID_BYTES), as_time(time))


def unsigned_recall(recall: Recall, roots: Roots) -> bytes:
    """Return the file that the roots are to sign with `meshnews.desk.root.add_signature`.

    Raises:
        LocalMisuse: a field is out of its range, or the roots are another desk's.
    """
    return ours(RootSigned(recall.encode_body(), roots).encode(), read_unsigned_recall)


def read_unsigned_recall(data: bytes) -> Recall:
    """Return what roots are asked to sign, no signature looked at.

    Raises:
        Malformed: `data` does not have this form.
        Forged: body and roots are of different desks.
    """
    return _of_roots(decode_root_signed(data, bytes_max=RECALL_BYTES_MAX))


def recall_oneself(desk: DeskId, secret: Ed25519Secret, *, time: int = 0) -> bytes:
    """Return a recall of the holder of `secret`, signed by itself.

    Raises:
        LocalMisuse: a field is out of its range.
    """
    body = Recall(desk, revocation_id(secret.public), time).encode_body()
    return encode([body, secret.public, secret.sign(Label.RECALL_1, body)])


def verify_recall(data: bytes, *, desk: DeskId) -> Recall:
    """Return a recall that the roots of `desk`, or the recalled key itself, signed.

    Raises:
        Malformed: `data` does not have either form.
        Forged: another desk, another key than the recalled one, too few root
            signatures, or one that does not hold.
    """
    fields = as_list(decode(data, bytes_max=RECALL_BYTES_MAX))
    if len(fields) == FIELDS:
        return _of_roots(verify_root_signed(data, desk=desk, bytes_max=RECALL_BYTES_MAX))
    raw, signer, proof = as_list(fields, size=3)
    key = as_sign_key(signer)
    body = as_bytes(raw, at_most=RECALL_BYTES_MAX)
    recall = decode_body(body)
    if recall.desk != desk:
        raise Forged("a recall of another desk")
    if recall.revocation != revocation_id(key):
        raise Forged("a recall signed by another key than the recalled one")
    verify(key, as_signature(proof), Label.RECALL_1, body)
    return recall


def is_by_roots(data: bytes) -> bool:
    """Tell whether a verified recall is in the form that roots sign, not the recalled key.

    Raises:
        Malformed: `data` has neither form.
    """
    return len(as_list(decode(data, bytes_max=RECALL_BYTES_MAX))) == FIELDS


def _of_roots(signed: RootSigned) -> Recall:
    recall = decode_body(signed.body)
    if recall.desk != signed.roots.desk:
        raise Forged("a recall under the roots of another desk")
    return recall
