"""Handshake packets: Noise messages that look like nothing.

    packet = nonce (16) ‖ masked ‖ junk
    masked = (junk length (2, big endian, 0..HANDSHAKE_JUNK_BYTES_MAX) ‖ Noise message)
             xor the stream 'link-stream' under
             b2('link-mask', turn (1) ‖ nonce ‖ beacon nonce, key=K_link)

The turn is 0, 1, 2 for the first, second, third packet of a handshake; the
beacon nonce is that of the beacon being answered, or empty.  To who lacks
K_link every byte is uniform and the length is random.
See docs/protocol/link.md.
"""

from typing import Final

from meshnews.crypto.digest import Label, b2
from meshnews.crypto.entropy import Entropy, below
from meshnews.crypto.mask import mask
from meshnews.limits import HANDSHAKE_JUNK_BYTES_MAX

PACKET_NONCE_BYTES: Final = 16
HEADER_BYTES: Final = PACKET_NONCE_BYTES + 2
"""What stands before the Noise message."""


def make_packet(
    message: bytes, *, mask_key: bytes, turn: int, beacon_nonce: bytes, entropy: Entropy
) -> bytes:
    """Return `message` masked, with a fresh nonce and a random length of junk.

    Raises:
        Nothing.
    """
    nonce = entropy.draw(PACKET_NONCE_BYTES)
    junk = entropy.draw(below(entropy, HANDSHAKE_JUNK_BYTES_MAX + 1))
    key = _key(mask_key, turn, nonce, beacon_nonce)
    return nonce + mask(Label.LINK_STREAM, key, len(junk).to_bytes(2, "big") + message) + junk


def open_packet(
    head: bytes, *, mask_key: bytes, turn: int, beacon_nonce: bytes
) -> tuple[bytes, int] | None:
    """Return the message and the length of the junk that follows `head`.

    `head` is a packet without its junk.  None when the length is out of
    range, as it is for 99 of 100 wrong keys: cheap to try.

    Raises:
        Nothing, whatever `head` is.
    """
    key = _key(mask_key, turn, head[:PACKET_NONCE_BYTES], beacon_nonce)
    clear = mask(Label.LINK_STREAM, key, head[PACKET_NONCE_BYTES:])
    junk_bytes = int.from_bytes(clear[:2], "big")
    if junk_bytes > HANDSHAKE_JUNK_BYTES_MAX:
        return None
    return clear[2:], junk_bytes


def _key(mask_key: bytes, turn: int, nonce: bytes, beacon_nonce: bytes) -> bytes:
    return b2(Label.LINK_MASK, bytes([turn]) + nonce + beacon_nonce, key=mask_key)
