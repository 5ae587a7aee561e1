"""One link, whole: handshake, records, frames; bytes in, messages out.

             start / first bytes            handshake done
    CALLING ───────────────────▶ SHAKING ───────────────────▶ OPEN
                                    │ PeerError                 │ PeerError
                                    ▼                           ▼
                                  FAILED ◀──────────────────────┘

Whatever fails, fails for good: there is nothing more to send, and every call
raises.  See docs/protocol/link.md.
"""

from meshnews.crypto.entropy import Entropy
from meshnews.errors import Forged, LocalMisuse, OutOfTurn, PeerError
from meshnews.limits import RECORD_BYTES, RECORDS_PER_KEY
from meshnews.link.handshake import Answering, Calling, Established
from meshnews.link.party import LinkKeys, Peer, ReplayGuard, Target
from meshnews.link.records import RecordReader, RecordWriter, Sizes
from meshnews.wire.frames import FrameReader, encode_frame


class LinkSession:
    """A private stream of messages with one neighbour.

    Made by `initiate` or `respond`.  The caller keeps its own queue in order
    of urgency: what was handed to `queue` goes out in that order, so it hands
    over little at a time, and takes it at once.
    """

    def __init__(self, handshake: Calling | Answering, *, sizes: Sizes, per_key: int) -> None:
        self._handshake: Calling | Answering | None = handshake
        self._sizes = sizes
        self._per_key = per_key
        self._outbox = b""
        self._established: Established | None = None
        self._writer: RecordWriter | None = None
        self._reader: RecordReader | None = None
        self._frames = FrameReader()
        self._has_failed = False
        self._was_spoilt = False

    @classmethod
    def initiate(
        cls,
        target: Target,
        *,
        entropy: Entropy,
        sizes: Sizes = RECORD_BYTES,
        per_key: int = RECORDS_PER_KEY,
    ) -> "LinkSession":
        """Return the calling side of a link to `target`.

        `sizes` is RECORD_BYTES, or RECORD_BYTES_BLUETOOTH there; both sides know the carrier.

        Raises:
            LocalMisuse: the target is not whole.
        """
        return cls(Calling(target, entropy), sizes=sizes, per_key=per_key)

    @classmethod
    def respond(
        cls,
        keys: LinkKeys,
        *,
        replay: ReplayGuard,
        entropy: Entropy,
        sizes: Sizes = RECORD_BYTES,
        per_key: int = RECORDS_PER_KEY,
    ) -> "LinkSession":
        """Return the side that was called.

        Raises:
            Nothing.
        """
        return cls(Answering(keys, replay, entropy), sizes=sizes, per_key=per_key)

    @property
    def established(self) -> bool:
        """The handshake is done, and the link has not failed since.

        A caller of a relay or member may believe it: the responder has answered
        as who it is.  A responder knows so far that the call is no recording;
        that the caller is still there shows with its first record.  In an
        enrolment each side has proved the invitation only by its first record.
        """
        return self._established is not None and not self._has_failed

    @property
    def was_spoilt(self) -> bool:
        """It has failed in a record that the peer did not seal so, behind some that it did.

        That is the doing of somebody or something on the way, who could as well have
        ended the stream: it says nothing of the peer.
        """
        return self._was_spoilt

    @property
    def session_id(self) -> bytes:
        """64 bytes that both sides share and no other link has: the Noise handshake hash.

        Raises:
            LocalMisuse: the handshake is not done.
            OutOfTurn: the link has failed.
        """
        return self._done.session_id

    @property
    def peer(self) -> Peer:
        """What the handshake said of the other side.

        Raises:
            LocalMisuse: the handshake is not done.
            OutOfTurn: the link has failed.
        """
        return self._done.peer

    @property
    def queued_bytes(self) -> int:
        """Bytes that `take` has still to give, before sealing."""
        records = self._writer.queued_bytes if self._writer else 0
        return len(self._outbox) + records

    @property
    def records_sent(self) -> int:
        """Records made so far."""
        return self._writer.records if self._writer else 0

    @property
    def records_received(self) -> int:
        """Records opened so far."""
        return self._reader.records if self._reader else 0

    @property
    def is_inside_message(self) -> bool:
        """A message has begun to come in and is not whole: its deadline runs."""
        return self._frames.is_inside_frame

    def start(self) -> bytes:
        """Return what the caller sends first; empty for the side that was called.

        Raises:
            LocalMisuse: it was started before.
            OutOfTurn: the link has failed.
        """
        self._check()
        if self._established is not None:
            raise LocalMisuse("a link that was started before")
        return self._handshake.start() if isinstance(self._handshake, Calling) else b""

    def receive(self, data: bytes) -> list[bytes]:
        """Take bytes from the carrier; return the messages that they completed.

        There may be something to `take` afterwards.

        Raises:
            PeerError: the link has failed, now or before.  Stay silent, and close
                after a random time.
        """
        self._check()
        try:
            return self._receive(data)
        except PeerError as fault:
            self._was_spoilt = isinstance(fault, Forged) and self.records_received > 0
            self._fail()
            raise

    def queue(self, message: bytes) -> None:
        """Commit `message` to the link, after all before it.

        Raises:
            OutOfTurn: the link has failed.
            LocalMisuse: the handshake is not done, or the message is empty or too long.
        """
        self._open_writer.queue(encode_frame(message))

    def take(self, room_bytes: int, *, waiting_bytes: int = 0) -> bytes:
        """Return bytes for the carrier: about `room_bytes`, and at least one record if any waits.

        `waiting_bytes` is what the caller is about to queue next, so that its
        records can be large though it hands over little at a time.

        Raises:
            OutOfTurn: the link has failed.
        """
        self._check()
        out, self._outbox = self._outbox, b""
        if self._writer is None:
            return out
        records = self._writer.take(room_bytes - len(out), waiting_bytes=waiting_bytes)
        return out + records if out else records

    def pace(self, bytes_per_s: float) -> None:
        """Choose records for a carrier that was measured at this rate.

        Raises:
            LocalMisuse: the handshake is not done.
            OutOfTurn: the link has failed.
        """
        self._open_writer.pace(bytes_per_s)

    @property
    def _done(self) -> Established:
        self._check()
        if self._established is None:
            raise LocalMisuse("a link that is not open yet")
        return self._established

    @property
    def _open_writer(self) -> RecordWriter:
        self._check()
        if self._writer is None:
            raise LocalMisuse("a link that is not open yet")
        return self._writer

    def _receive(self, data: bytes) -> list[bytes]:
        if self._reader is None:
            handshake = self._handshake
            assert handshake is not None, "kept until the link is open"
            self._outbox += handshake.feed(data)
            if handshake.established is None:
                return []
            data = handshake.established.rest
            self._reader = self._open(handshake.established)
        messages: list[bytes] = []
        for piece in self._reader.feed(data):
            messages += self._frames.feed(piece)
        return messages

    def _open(self, done: Established) -> RecordReader:
        sizes, per_key, ad = self._sizes, self._per_key, done.wire_hash
        self._writer = RecordWriter(done.send, ad=ad, sizes=sizes, per_key=per_key)
        self._established = done
        self._handshake = None
        return RecordReader(done.receive, ad=ad, sizes=sizes, per_key=per_key)

    def _check(self) -> None:
        if self._has_failed:
            raise OutOfTurn("a link that has failed")

    def _fail(self) -> None:
        self._has_failed = True
        self._handshake = self._writer = self._reader = None
        self._outbox = b""
