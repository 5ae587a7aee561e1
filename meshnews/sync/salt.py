"""Names and digests that hold for one session only, so that nobody can aim at them.

    salt        = b2('sync-salt', dialler's nonce ‖ acceptor's nonce, key = session, n = 32)
    position    = b2('sync-position', id, key = salt, n = 8)           also the short id
    fingerprint = b2('sync-day', bucket digest, key = salt, n = 4)
    span digest = b2('sync-span', day u32 ‖ bucket digest …, key = salt, n = 8)

`session` is the handshake hash of the link.  See docs/protocol/sync.md, "Salt".
"""

from collections.abc import Iterable

from meshnews.crypto.digest import Label, b2
from meshnews.ids import Day
from meshnews.sync.messages import SPANS


class Salt:
    """The salted functions of one session."""

    def __init__(self, *, session: bytes, dialler_nonce: bytes, acceptor_nonce: bytes) -> None:
        assert len(session) <= 64, "a handshake hash has at most 64 bytes"
        self._key = b2(Label.SYNC_SALT, dialler_nonce + acceptor_nonce, key=session)

    def position(self, identifier: bytes) -> bytes:
        """Return where an identifier stands among the elements of its bucket: 8 bytes."""
        return b2(Label.SYNC_POSITION, identifier, key=self._key, size=8)

    def fingerprint(self, bucket_digest: bytes) -> bytes:
        """Return the 4 bytes that two equal buckets share."""
        return b2(Label.SYNC_DAY, bucket_digest, key=self._key, size=4)

    def span_digests(self, digests: Iterable[tuple[Day, bytes]], *, newest: Day) -> bytes:
        """Return one digest of 8 bytes for each span back from `newest`.

        `digests` are those of the buckets that are not empty.
        """
        spans: list[list[bytes]] = [[] for _ in range(SPANS)]
        for day, digest in sorted(digests):
            spans[span_of(day, newest)] += (day.to_bytes(4, "big"), digest)
        return b"".join(
            b2(Label.SYNC_SPAN, b"".join(parts), key=self._key, size=8) for parts in spans
        )


def span_of(day: Day, newest: Day) -> int:
    """Return in which span a day lies: 2-day steps back 0, 1, 2 to 3, 4 to 7, … and from 256."""
    return min(((newest - day) // 2).bit_length(), SPANS - 1)
