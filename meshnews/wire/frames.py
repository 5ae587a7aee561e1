"""Length-prefixed frames, read incrementally.

    frame = length (3 bytes, big endian, 1 … FRAME_BYTES_MAX) ‖ body

The reader is fed whatever the link delivers and hands back whole bodies.  It
keeps at most one incomplete frame, so a peer can make us keep
FRAME_BYTES_MAX + 3 bytes and not one more.
"""

from typing import Final

from meshnews.errors import LocalMisuse, Malformed
from meshnews.limits import FRAME_BYTES_MAX

HEADER_BYTES: Final = 3


def encode_frame(body: bytes) -> bytes:
    """Return `body` as one frame.

    Source: docs/protocol/primitives.md, "Frames".

    Raises:
        LocalMisuse: `body` is empty or longer than FRAME_BYTES_MAX.
    """
    if not 1 <= len(body) <= FRAME_BYTES_MAX:
        raise LocalMisuse(f"a frame body of {len(body)} bytes")
    return len(body).to_bytes(HEADER_BYTES, "big") + body


class FrameReader:
    """Turns a byte stream into frame bodies.

    Source: docs/protocol/primitives.md, "Frames".
    """

    __slots__ = ("_part",)

    def __init__(self) -> None:
        self._part = bytearray()

    @property
    def is_inside_frame(self) -> bool:
        """A frame has begun and is not whole: its deadline runs."""
        return bool(self._part)

    def feed(self, data: bytes) -> list[bytes]:
        """Take `data` from the link; return the bodies it completed.

        Raises:
            Malformed: a length is zero or above FRAME_BYTES_MAX.  The reader is
                of no further use; drop the link.
        """
        # Most frames come whole: then nothing is copied but their bodies.
        if not self._part:
            bodies, end = _cut(data)
            self._part += data[end:]
            return bodies
        self._part += data
        bodies, end = _cut(self._part)
        del self._part[:end]
        return bodies


def _cut(stream: bytes | bytearray) -> tuple[list[bytes], int]:
    """Return the whole bodies at the start of `stream`, and where they end."""
    bodies: list[bytes] = []
    start = 0
    while len(stream) - start >= HEADER_BYTES:
        body_at = start + HEADER_BYTES
        length = int.from_bytes(stream[start:body_at], "big")
        # Judge the length before waiting for the body: a liar must not make
        # us keep what we would refuse anyway.
        if not 1 <= length <= FRAME_BYTES_MAX:
            raise Malformed(f"a frame of {length} bytes")
        end = body_at + length
        if len(stream) < end:
            break
        bodies.append(bytes(stream[body_at:end]))
        start = end
    return bodies, start
