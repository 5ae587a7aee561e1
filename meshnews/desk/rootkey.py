"""The file of one root key: an Ed25519 seed in a passphrase slot, and nothing else.

    file = 01 ‖ slot (the form of `meshnews.crypto.slots`)

It names no desk and no person, and does not say what the key is for: whoever
finds it sees a slot.  Which desk it belongs to is learnt by opening it.
See docs/protocol/keys.md.
"""

from typing import Final

from meshnews.crypto.entropy import Entropy
from meshnews.crypto.keys import Ed25519Secret
from meshnews.crypto.slots import MEMORY_BYTES, PASSES, decode_slot, new_slot, open_slot
from meshnews.desk.limits import ROOT_KEY_BYTES_MAX
from meshnews.errors import Malformed

_VERSION: Final = b"\x01"


def write_root_key(
    root: Ed25519Secret,
    passphrase: str,
    entropy: Entropy,
    *,
    opslimit: int = PASSES,
    memlimit_bytes: int = MEMORY_BYTES,
) -> bytes:
    """Return the file that keeps `root` under `passphrase`.

    Raises:
        LocalMisuse: the limits are outside what slots allow.
        Refusal: the passphrase is empty or too long, or there is not enough memory.
    """
    slot = new_slot(
        root.raw,
        passphrase,
        entropy,
        opslimit=opslimit,
        memlimit_bytes=memlimit_bytes,
    )
    return _VERSION + slot.encode()


def open_root_key(file: bytes, passphrase: str) -> Ed25519Secret:
    """Return the root key in `file`.

    Raises:
        Malformed: `file` is no root key, or asks for more work than slots allow.
        Forged: the passphrase is another, or the file was changed.
        Refusal: the passphrase is empty or too long, or there is not enough memory.
    """
    if len(file) > ROOT_KEY_BYTES_MAX:
        raise Malformed("a root key file of too many bytes")
    if not file.startswith(_VERSION):
        raise Malformed("no root key, or of another version")
    return Ed25519Secret(open_slot(decode_slot(file[1:]), passphrase))
