"""One stream to a neighbour: reads into events, writes what `Send` asks, ends once.

    open --Close--> flushing --all is sent--> silence --after_s--> ended
     |                 |                        |
     +--- end, break, stall, cut, forget -------+----------------> ended

Reading waits while more than `UNPROCESSED_BYTES_MAX` of this stream have not yet
been through a committed batch, so a fast neighbour is slowed down by TCP and not
by our memory.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import trio

from meshnews.ids import LinkId
from meshnews.node.event import Drained, Event, Lost, Received
from meshnewsd.platform.logs import Log
from meshnewsd.transports.packet_stream import PacketStream
from meshnewsd.transports.tcp import keep_little_unsent, own_host

RECEIVE_BYTES: Final = 64 * 1024
"""One system call's worth."""

SEGMENT_BYTES: Final = 64 * 1024
"""So much the kernel sends as one."""

UNPROCESSED_BYTES_MAX: Final = 512 * 1024
"""What one neighbour may have waiting for a commit; keeps a fast link busy during an fsync."""

SEND_S_MAX: Final = 60.0
"""A neighbour that takes nothing for this long is gone."""

FLUSH_S_MAX: Final = 5.0
"""How long a `Close` waits for what was to be sent before it."""

LINGER_S_MAX: Final = 1.0
"""How long the end of a stream waits for the other side's, so that our last bytes arrive."""

SILENCE_S_MAX: Final = 120.0
"""Longest silence; more than any that the protocol asks for."""

DISCARD_BYTES_MAX: Final = 1024 * 1024
"""What is read and thrown away of a stream that is being closed; then it is read no more."""

CLOSE_S_MAX: Final = 1.0

_log = Log("peers")


class Post(Protocol):
    """Hands an event to the node; calls `done` once it is committed."""

    def __call__(self, event: Event, done: Callable[[], None] | None = None) -> None:
        """Queue the event.  Never blocks."""
        ...


class PeerStream:
    """Owns one stream for as long as it lasts."""

    def __init__(
        self, link: LinkId, stream: trio.abc.HalfCloseableStream, post: Post, *, is_accepted: bool
    ) -> None:
        self.link = link
        self.is_accepted = is_accepted
        self._stream = stream
        self._post = post
        self._outgoing: deque[bytes] = deque()
        self._unprocessed = 0
        self._discarded = 0
        self._close_after_s: float | None = None
        self._is_forgotten = False
        self._scope = trio.CancelScope()
        self._sending = trio.CancelScope()
        self._write_wanted = trio.Event()
        self._read_wanted = trio.Event()

    @property
    def is_closing(self) -> bool:
        """Whether the node is done with it."""
        return self._close_after_s is not None

    @property
    def own_host(self) -> str | None:
        """The address of our end, for a transport that has such."""
        return own_host(self._stream)

    def send(self, data: bytes) -> None:
        """Write `data` after what was asked before; `Drained` follows when all is taken."""
        if not self.is_closing:
            self._outgoing.append(data)
            self._write_wanted.set()

    def close(self, after_s: float) -> None:
        """End the stream after a silence.  Nothing of it but `Lost` reaches the node any more."""
        if not self.is_closing:
            self._close_after_s = min(max(after_s, 0.0), SILENCE_S_MAX)
            flushed_s = trio.current_time() + FLUSH_S_MAX
            self._sending.deadline = min(self._sending.deadline, flushed_s)
            if isinstance(self._stream, PacketStream):
                # A radio carries few: this one may go when another wants its place.
                self._stream.spare()
            self._write_wanted.set()
            self._read_wanted.set()

    def cut(self) -> None:
        """End the stream at once."""
        self._scope.cancel()

    def forget(self) -> None:
        """End the stream at once and say nothing of it: the node that knew it is gone."""
        self._is_forgotten = True
        self._scope.cancel()

    async def run(self) -> None:
        """Serve the stream until it ends; `Lost` is the last thing said of it."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read)
                    nursery.start_soon(self._write)
        finally:
            with trio.move_on_after(CLOSE_S_MAX, shield=True):
                await trio.aclose_forcefully(self._stream)
            self._outgoing.clear()
            _log.debug("ended", link=self.link)
            if not self._is_forgotten:
                self._post(Lost(self.link))

    async def _read(self) -> None:
        while True:
            try:
                data = await self._stream.receive_some(RECEIVE_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                break
            if not data:
                break
            if self.is_closing:
                await self._discard(len(data))
            else:
                await self._hand_over(bytes(data))
        self._scope.cancel()

    async def _hand_over(self, data: bytes) -> None:
        size = len(data)
        self._unprocessed += size
        self._post(Received(self.link, data), lambda: self._processed(size))
        while self._unprocessed > UNPROCESSED_BYTES_MAX and not self.is_closing:
            self._read_wanted = trio.Event()
            await self._read_wanted.wait()

    def _processed(self, size: int) -> None:
        self._unprocessed -= size
        self._read_wanted.set()

    async def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > DISCARD_BYTES_MAX:
            await trio.sleep_forever()

    async def _write(self) -> None:
        while not self.is_closing:
            if not self._outgoing:
                self._write_wanted = trio.Event()
                await self._write_wanted.wait()
                continue
            self._sending = trio.move_on_after(SEND_S_MAX)
            with self._sending:
                await self._send_outgoing()
            if self._sending.cancelled_caught:
                _log.info("neighbour takes nothing", link=self.link)
                if not self.is_closing:
                    self._scope.cancel()
                # Behind what was sent in part nothing makes sense.
                self._outgoing.clear()
        await self._finish(self._close_after_s or 0.0)
        self._scope.cancel()

    async def _send_outgoing(self) -> None:
        """Send what waits, and say so when nothing is left."""
        parts = self._outgoing
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        # The node sends what goes in a tenth of a second, so that what is urgent waits no
        # longer; what the kernel takes ahead of the network would come on top.
        keep_little_unsent(self._stream, len(data) // 2)
        try:
            await self._stream.send_all(data)
            # A segment that the kernel has begun it fills to the end, whatever may be unsent: a
            # small send is taken at once, and would look as if the network had carried it.
            if len(data) < SEGMENT_BYTES and not self.is_closing:
                await self._stream.wait_send_all_might_not_block()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._scope.cancel()
            return
        if not parts and not self.is_closing:
            self._post(Drained(self.link))

    async def _finish(self, after_s: float) -> None:
        if self._outgoing:
            with trio.move_on_after(FLUSH_S_MAX):
                await self._send_outgoing()
        if after_s > 0:
            await trio.sleep(after_s)
            return
        try:
            await self._stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        # The reader ends all this as soon as the other side ends too.
        await trio.sleep(LINGER_S_MAX)
