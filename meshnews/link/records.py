"""Records: the stream of a link in sealed pieces of three sizes.

    record    = AEAD(used (2) ‖ next (1) ‖ data ‖ zeros), as long as was announced, tag included
    used      bytes of data, big endian
    next      0, 1 or 2: the size class of the sender's next record; the first is of class 0
    nonce     counts the sender's records, 64 bits, not sent
    ad        the hash of the handshake's packets for the first record of each direction, else empty

The key of a direction is replaced after every RECORDS_PER_KEY records of it.
A record that fails ends the link.  See docs/protocol/link.md.
"""

from collections import deque
from typing import Final

from meshnews.crypto.noise import CipherState
from meshnews.errors import LocalMisuse, Malformed
from meshnews.limits import RECORD_BYTES, RECORD_S_MAX, RECORDS_PER_KEY

Sizes = tuple[int, int, int]

HEADER_BYTES: Final = 3
OVERHEAD_BYTES: Final = HEADER_BYTES + 16
_RECORD_BYTES_MAX: Final = 0xFFFF
_RECORDS_BELOW: Final = 7
_ZEROS: Final = bytes(_RECORD_BYTES_MAX)


class RecordWriter:
    """Seals what is queued into records.

    Args:
        cipher: of this direction.
        ad: goes with the first record.
        sizes: of the three classes, ascending.
        per_key: records under one key.

    Raises:
        LocalMisuse: the sizes are not ascending, or out of range.
    """

    def __init__(
        self,
        cipher: CipherState,
        *,
        ad: bytes,
        sizes: Sizes = RECORD_BYTES,
        per_key: int = RECORDS_PER_KEY,
    ) -> None:
        _check_sizes(sizes)
        self._cipher = cipher
        self._ad = ad
        self._sizes = sizes
        self._per_key = per_key
        self._next = 0
        self._class_max = 2
        self._queue: deque[bytes | memoryview] = deque()
        self._queued_bytes = 0
        self._records = 0

    @property
    def queued_bytes(self) -> int:
        """Bytes of data that wait for a record."""
        return self._queued_bytes

    @property
    def records(self) -> int:
        """How many records were made."""
        return self._records

    def queue(self, data: bytes) -> None:
        """Append `data` to the stream.

        Raises:
            Nothing.
        """
        if data:
            self._queue.append(data)
            self._queued_bytes += len(data)

    def pace(self, bytes_per_s: float) -> None:
        """Announce no record from now on that takes longer than RECORD_S_MAX at this rate.

        Records of the smallest class are always made.

        Raises:
            Nothing.
        """
        room = bytes_per_s * RECORD_S_MAX
        self._class_max = max(
            (index for index, size in enumerate(self._sizes) if size <= room), default=0
        )

    def take(self, room_bytes: int, *, waiting_bytes: int = 0) -> bytes:
        """Return records of what is queued: as many as fit the room, and at least one.

        Empty when nothing is queued.  While more is waiting, only the first
        record is padded; a rest that would fill another by part stays queued.

        Args:
            room_bytes: about how much is wanted.
            waiting_bytes: what the caller is about to queue next; lets it keep
                the queue short and the records large.

        Raises:
            Exceeded: the key has made 2^64 - 1 records.
        """
        if not self._queued_bytes:
            return b""
        records = [self._seal(waiting_bytes)]
        room_bytes -= len(records[0])
        while self._queued_bytes and (size := self._sizes[self._next]) <= room_bytes:
            if waiting_bytes and self._queued_bytes < size - OVERHEAD_BYTES:
                break
            records.append(self._seal(waiting_bytes))
            room_bytes -= size
        return records[0] if len(records) == 1 else b"".join(records)

    def _seal(self, waiting_bytes: int) -> bytes:
        room = self._sizes[self._next] - OVERHEAD_BYTES
        used = min(room, self._queued_bytes)
        pieces = self._cut(used)
        self._next = self._choose(self._queued_bytes + waiting_bytes)
        pieces.insert(0, bytes((used >> 8, used & 0xFF, self._next)))
        if used < room:
            pieces.append(_ZEROS[: room - used])
        record = self._cipher.encrypt(self._ad, b"".join(pieces))
        self._ad = b""
        self._records += 1
        if self._records % self._per_key == 0:
            self._cipher.rekey()
        return record

    def _cut(self, size: int) -> list[bytes | memoryview]:
        """Take exactly `size` bytes, which are there, from the front of the queue."""
        self._queued_bytes -= size
        queue = self._queue
        pieces: list[bytes | memoryview] = []
        while size:
            piece = queue.popleft()
            if len(piece) > size:
                view = memoryview(piece)
                queue.appendleft(view[size:])
                piece = view[:size]
            pieces.append(piece)
            size -= len(piece)
        return pieces

    def _choose(self, bytes_left: int) -> int:
        """Return the largest class that the rate allows and the bytes left deserve.

        They do when they fill half of it, or seven of the class below: padding
        is cheaper than many seals.
        """
        sizes = self._sizes
        for index in range(self._class_max, 0, -1):
            if 2 * bytes_left >= sizes[index] - OVERHEAD_BYTES or bytes_left >= _RECORDS_BELOW * (
                sizes[index - 1] - OVERHEAD_BYTES
            ):
                return index
        return 0


class RecordReader:
    """Opens records, however their bytes are split.

    Holds less than one record; arguments as for the writer of the other side.

    Raises:
        LocalMisuse: the sizes are not ascending, or out of range.
    """

    def __init__(
        self,
        cipher: CipherState,
        *,
        ad: bytes,
        sizes: Sizes = RECORD_BYTES,
        per_key: int = RECORDS_PER_KEY,
    ) -> None:
        _check_sizes(sizes)
        self._cipher = cipher
        self._ad = ad
        self._sizes = sizes
        self._per_key = per_key
        self._next = 0
        self._buffer = bytearray()
        self._records = 0

    @property
    def records(self) -> int:
        """How many records were opened."""
        return self._records

    def feed(self, data: bytes) -> list[bytes]:
        """Take `data` from the carrier; return the data of the records that it completed.

        Raises:
            Forged: a record is not the next that the peer sealed.
            Malformed: the peer sealed what is no record.

        After either the reader is of no further use.
        """
        buffer = self._buffer
        source: bytes | bytearray = data
        if buffer:
            buffer += data
            source = buffer
        opened: list[bytes] = []
        start, end = 0, len(source)
        with memoryview(source) as view:
            while end - start >= (size := self._sizes[self._next]):
                if piece := self._open(bytes(view[start : start + size])):
                    opened.append(piece)
                start += size
        if source is buffer:
            del buffer[:start]
        else:
            buffer += data[start:]
        return opened

    def _open(self, record: bytes) -> bytes:
        clear = self._cipher.decrypt(self._ad, record)
        self._ad = b""
        self._records += 1
        if self._records % self._per_key == 0:
            self._cipher.rekey()
        end = HEADER_BYTES + (clear[0] << 8 | clear[1])
        zeros = len(clear) - end
        if zeros < 0 or clear[2] > 2:
            raise Malformed("a record header out of range")
        # One comparison in C: padding carries nothing, not even by agreement.
        if not clear.startswith(_ZEROS[:zeros], end):
            raise Malformed("a record padded with other than zeros")
        self._next = clear[2]
        return clear[HEADER_BYTES:end]


def _check_sizes(sizes: Sizes) -> None:
    if not OVERHEAD_BYTES < sizes[0] < sizes[1] < sizes[2] <= _RECORD_BYTES_MAX:
        raise LocalMisuse("record sizes that are not ascending, or out of range")
