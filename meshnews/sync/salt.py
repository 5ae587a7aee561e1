"""Names and digests that hold for one session only, so that nobody can aim at them.

    salt        = b2('sync-salt', dialler's nonce ‖ acceptor's nonce, key = session, n = 32)
    position    = b2('sync-position', id, key = salt, n = 8)           also the short id
    fingerprint = b2('sync-day', bucket digest, key = salt, n = 4)
    span digest = b2('sync-span', day u32 ‖ bucket digest …, key = salt, n = 8)
    range       = b2('sync-grid', page u8 ‖ page digest …, key = salt, n = 4)

`session` is the handshake hash of the link.  See docs/protocol/sync.md, "Salt".
"""

from collections.abc import Callable, Iterable, Mapping

from meshnews.crypto.digest import Label, b2, b2_under
from meshnews.ids import Day
from meshnews.store.port import PAGES, Page
from meshnews.sync.messages import SHORT_BYTES
from meshnews.sync.question import RANGE_BYTES, SPAN_BYTES, SPANS


class Salt:
    """The salted functions of one session.

    Attributes:
        position: returns where an identifier stands among the elements of its
            bucket: 8 bytes.
    """

    def __init__(self, *, session: bytes, dialler_nonce: bytes, acceptor_nonce: bytes) -> None:
        assert len(session) <= 64, "a handshake hash has at most 64 bytes"
        self._key = b2(Label.SYNC_SALT, dialler_nonce + acceptor_nonce, key=session)
        self.position: Callable[[bytes], bytes] = b2_under(
            Label.SYNC_POSITION, key=self._key, size=SHORT_BYTES
        )

    def fingerprint(self, bucket_digest: bytes) -> bytes:
        """Return the 4 bytes that two equal buckets share."""
        return b2(Label.SYNC_DAY, bucket_digest, key=self._key, size=4)

    def span_digests(
        self, digests: Iterable[tuple[Day, bytes]], *, newest: Day, oldest: Day
    ) -> bytes:
        """Return one digest of 8 bytes for each span from `newest` back to `oldest`.

        `digests` are those of the buckets that are not empty.
        """
        spans: list[list[bytes]] = [[] for _ in range(spans_between(newest, oldest))]
        for day, digest in sorted(digests):
            spans[span_of(day, newest)] += (day.to_bytes(4, "big"), digest)
        return b"".join(
            b2(Label.SYNC_SPAN, b"".join(parts), key=self._key, size=SPAN_BYTES) for parts in spans
        )

    def ranges(self, pages: Mapping[int, Page], bits: int) -> bytes:
        """Return one fingerprint of 4 bytes for each of `2 ** bits` ranges of pages."""
        width = PAGES >> bits
        ranges: list[list[bytes]] = [[] for _ in range(1 << bits)]
        for number in sorted(pages):
            ranges[number // width] += (bytes((number,)), pages[number].digest)
        return b"".join(
            b2(Label.SYNC_GRID, b"".join(parts), key=self._key, size=RANGE_BYTES)
            for parts in ranges
        )


def span_of(day: Day, newest: Day) -> int:
    """Return in which span a day lies: 2-day steps back 0, 1, 2 to 3, 4 to 7, … and from 256."""
    return min(((newest - day) // 2).bit_length(), SPANS - 1)


def spans_between(newest: Day, oldest: Day) -> int:
    """Return how many spans the days from `newest` back to `oldest` lie in."""
    return span_of(oldest, newest) + 1
