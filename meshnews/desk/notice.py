"""What a notice to all carries, and what roots are asked to sign.

    notice = pack['manifest' | 'bulletin' | 'recall' | 'editor', signed object]

The signed object is that of `meshnews.desk.manifest`, `.bulletin`, `.recall` or
`.request` (an editor's), to the byte, and is judged there.  Marks travel under
the member notice key and are no notices of this kind.  See docs/protocol/keys.md.
"""

import enum
from dataclasses import dataclass
from typing import Final

from meshnews.desk.limits import (
    BULLETIN_BYTES_MAX,
    MANIFEST_BYTES_MAX,
    NOTICE_BYTES_MAX,
    RECALL_BYTES_MAX,
    REQUEST_BYTES_MAX,
)
from meshnews.desk.manifest import TAG as MANIFEST_TAG
from meshnews.desk.manifest import Manifest, read_unsigned_manifest
from meshnews.desk.recall import TAG as RECALL_TAG
from meshnews.desk.recall import Recall, read_unsigned_recall
from meshnews.desk.root import decode_root_signed
from meshnews.errors import Malformed
from meshnews.wire.codec import as_bytes, as_list, decode, encode


class NoticeKind(enum.StrEnum):
    """Which signed object a notice carries."""

    MANIFEST = "manifest"
    BULLETIN = "bulletin"
    RECALL = "recall"
    EDITOR = "editor"
    """The request file of an editor who has joined and not yet been heard: its first keys."""


_BYTES_MAX: Final = {
    NoticeKind.MANIFEST: MANIFEST_BYTES_MAX,
    NoticeKind.BULLETIN: BULLETIN_BYTES_MAX,
    NoticeKind.RECALL: RECALL_BYTES_MAX,
    NoticeKind.EDITOR: REQUEST_BYTES_MAX,
}
_KINDS: Final = {kind.value: kind for kind in NoticeKind}


@dataclass(frozen=True, slots=True)
class Notice:
    """A signed object, not yet verified, and which it is."""

    kind: NoticeKind
    signed: bytes

    def encode(self) -> bytes:
        """Return the payload of the class-0 bundle.

        Raises:
            Nothing.
        """
        return encode([self.kind.value, self.signed])


def decode_notice(payload: bytes) -> Notice:
    """Return the notice in an opened class-0 bundle; its object is not yet verified.

    Raises:
        Malformed: `payload` is no notice, of a kind not known here, or over
            the limit of its kind.
    """
    tag, signed = as_list(decode(payload, bytes_max=NOTICE_BYTES_MAX), size=2)
    kind = _KINDS.get(tag) if isinstance(tag, str) else None
    if kind is None:
        raise Malformed("a notice of a kind not known here")
    return Notice(kind, as_bytes(signed, at_most=_BYTES_MAX[kind]))


def read_unsigned(data: bytes) -> Manifest | Recall:
    """Return what a file asks the roots to sign, so that a person can be shown it first.

    Raises:
        Malformed: `data` is no such file, or of a kind that roots do not sign.
        Forged: body and roots are of different desks.
    """
    body = decode_root_signed(data).body
    fields = as_list(decode(body, bytes_max=MANIFEST_BYTES_MAX))
    match fields[:1]:
        case [tag] if tag == MANIFEST_TAG:
            return read_unsigned_manifest(data)
        case [tag] if tag == RECALL_TAG:
            return read_unsigned_recall(data)
        case _:
            raise Malformed("nothing that roots sign")
