"""A BLAKE2b keystream that makes handshake messages look like noise to strangers.

    block i = b2(label, i as 8 bytes big endian, key, n=64)
    masked  = message XOR (block 0 ‖ block 1 ‖ …)

It hides the shape of what is public or protected otherwise; it authenticates
nothing.  A key masks one message.
"""

from typing import Final

from meshnews.crypto.digest import Label, b2

BLOCK_BYTES: Final = 64


def keystream(label: Label, key: bytes, size: int) -> bytes:
    """Return the first `size` bytes of the stream of a key of at most 64 bytes.

    Source: docs/protocol/primitives.md, "Mask".

    Raises:
        ValueError: our own code passed a longer key.
    """
    blocks = [
        b2(label, index.to_bytes(8, "big"), key=key, size=BLOCK_BYTES)
        for index in range(-(-size // BLOCK_BYTES))
    ]
    return b"".join(blocks)[:size]


def mask(label: Label, key: bytes, data: bytes) -> bytes:
    """Return `data` masked, or unmasked: the same call undoes itself.

    Source: docs/protocol/primitives.md, "Mask".

    Raises:
        ValueError: our own code passed a key of more than 64 bytes.
    """
    size = len(data)
    stream = int.from_bytes(keystream(label, key, size), "big")
    return (int.from_bytes(data, "big") ^ stream).to_bytes(size, "big")
