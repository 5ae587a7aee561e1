"""How the author of a statement can be answered: a scan key, and one-time keys for its editors.

    reply     = [] | [ scan, [ reply key ≤4 ] ]
    reply key = [ editor8, ref8, one-time key, psk ]
    editor8   = the first 8 bytes of an editor's sign key

A one-time key opens one answer.  Editors answer without agreeing first, so the
author says whose each key is.  See docs/protocol/bundles.md.
"""

from dataclasses import dataclass
from typing import Final

from meshnews.bundle.seal import KEY_REF_BYTES
from meshnews.crypto.keys import KEY_BYTES, Ed25519Public, Prekey, X25519Public, agree_key
from meshnews.errors import Malformed
from meshnews.ids import KeyRef
from meshnews.limits import REPLY_KEYS_MAX
from meshnews.wire.codec import Value, as_bytes, as_list

EDITOR_BYTES: Final = 8
"""Of a sign key: so many that nobody can make a key that is taken for another's."""

_PSK_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ReplyKey:
    """A one-time key of the author to which one editor can seal one answer.

    Attributes:
        editor: the first bytes of the sign key of the editor whose it is.
    """

    editor: bytes
    prekey: Prekey

    @classmethod
    def of(cls, editor: Ed25519Public, prekey: Prekey) -> "ReplyKey":
        """Return a key that is for `editor`."""
        return cls(editor[:EDITOR_BYTES], prekey)

    def is_for(self, editor: Ed25519Public) -> bool:
        """Tell whether `editor` may answer with it."""
        return editor[:EDITOR_BYTES] == self.editor


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """How an author can be answered.

    Attributes:
        scan: by which the author recognises answers.
        keys: each for one answer of one editor.
    """

    scan: X25519Public
    keys: tuple[ReplyKey, ...] = ()


def reply_value(reply: ReplyTo | None) -> Value:
    """Return what stands in a statement; None: its author is not answered by bundles.

    Raises:
        Nothing.
    """
    if reply is None:
        return []
    keys: list[Value] = [
        [key.editor, key.prekey.ref, key.prekey.public, key.prekey.psk] for key in reply.keys
    ]
    return [reply.scan, keys]


def decode_reply(value: Value) -> ReplyTo | None:
    """Return what `reply_value` wrote.

    Raises:
        Malformed: it has not this form, more keys than a statement may bring, or one
            key for two editors.
        Forged: nobody can seal to a key in it: it is of low order.
    """
    if value == []:
        return None
    scan, listed = as_list(value, size=2)
    keys = tuple(map(_decode_key, as_list(listed, at_most=REPLY_KEYS_MAX)))
    if len({key.prekey.ref for key in keys}) != len(keys):
        raise Malformed("the same one twice among reply keys")
    return ReplyTo(agree_key(as_bytes(scan, KEY_BYTES)), keys)


def _decode_key(value: Value) -> ReplyKey:
    editor, ref, public, psk = as_list(value, size=4)
    prekey = Prekey(
        KeyRef(as_bytes(ref, KEY_REF_BYTES)),
        agree_key(as_bytes(public, KEY_BYTES)),
        as_bytes(psk, _PSK_BYTES),
    )
    return ReplyKey(as_bytes(editor, EDITOR_BYTES), prekey)
