"""Control messages over a Unix socket: whole frames, the files beside them, the peer.

    frame = length (4 bytes, big endian) ‖ body         see meshnews.control.codec

Files come as SCM_RIGHTS with the first byte of a frame (unix(7)).  Whatever
becomes of a frame, its files are closed.
"""

import array
import contextlib
import os
import select
import socket
import struct
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import trio

from meshnews.control.codec import HEADER_BYTES, body_length
from meshnews.control.limits import CONTROL_FRAME_S_MAX
from meshnews.errors import Malformed
from meshnews.limits import ATTACHMENTS_MAX

RECEIVE_BYTES: Final = 64 * 1024
_FD_BYTES: Final = array.array("i").itemsize
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(ATTACHMENTS_MAX * _FD_BYTES)
_UCRED: Final = struct.Struct("3i")
"""struct ucred of Linux: pid, uid, gid."""


class HungUp(Exception):
    """The asker has gone, or does not take what it asked for."""


class Frame:
    """One received body and the files that came with it; a context that closes them."""

    def __init__(self, body: bytes, descriptors: Sequence[int]) -> None:
        self.body = body
        self.descriptors = tuple(descriptors)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        close_all(self.descriptors)


class ControlWire:
    """One end of a control connection.  Owns the socket."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self._socket = sock

    @property
    def peer_uid(self) -> int:
        """User of the process that opened the connection, as the kernel saw it (SO_PEERCRED)."""
        credentials = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        uid: int = _UCRED.unpack(credentials)[1]
        return uid

    async def receive(self) -> Frame | None:
        """Return the next frame, or None once the peer has hung up between frames.

        Waits as long as it takes for a frame to begin.

        Raises:
            HungUp: the peer went away inside a frame, or took too long over one.
            Malformed: a length out of bounds, or more files than there may be.
        """
        descriptors: list[int] = []
        try:
            body = await self._receive(descriptors)
        except trio.TooSlowError as exc:
            close_all(descriptors)
            raise HungUp from exc
        except BaseException:
            # A cancelled reader, too, leaves no descriptor open.
            close_all(descriptors)
            raise
        return None if body is None else Frame(body, descriptors)

    @property
    def has_room(self) -> bool:
        """Whether the peer has read most of what was sent to it (unix(7): a quarter may wait)."""
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLOUT)
        return bool(poll.poll(0))

    async def send(self, frame: bytes) -> None:
        """Send an encoded frame.

        Raises:
            HungUp: the peer has gone or does not take it in time.
        """
        rest = memoryview(frame)
        with trio.move_on_after(CONTROL_FRAME_S_MAX):
            while rest:
                try:
                    sent = await self._socket.send(rest)
                except OSError as exc:
                    raise HungUp from exc
                rest = rest[sent:]
        if rest:
            raise HungUp

    async def until_disturbed(self) -> None:
        """Wait until the peer hangs up, or sends something out of turn."""
        with contextlib.suppress(OSError):
            await self._socket.recv(1, socket.MSG_PEEK)

    def close(self) -> None:
        """Close the socket.  May be called again."""
        self._socket.close()

    async def _receive(self, descriptors: list[int]) -> bytes | None:
        header = await self._receive_header(descriptors)
        if header is None:
            return None
        with trio.fail_after(CONTROL_FRAME_S_MAX):
            while len(header) < HEADER_BYTES:
                header += await self._some(HEADER_BYTES - len(header))
            return await self._receive_exactly(body_length(header))

    async def _receive_header(self, descriptors: list[int]) -> bytes | None:
        try:
            data, ancillary, flags, _ = await self._socket.recvmsg(
                HEADER_BYTES, _ANCILLARY_BYTES, socket.MSG_CMSG_CLOEXEC
            )
        except OSError as exc:
            raise HungUp from exc
        for level, kind, payload in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(payload[: len(payload) - len(payload) % _FD_BYTES])
                descriptors.extend(numbers)
        if flags & socket.MSG_CTRUNC or len(descriptors) > ATTACHMENTS_MAX:
            raise Malformed("too many files beside a control request")
        return data or None

    async def _receive_exactly(self, size: int) -> bytes:
        body = bytearray()
        while len(body) < size:
            body += await self._some(min(RECEIVE_BYTES, size - len(body)))
        return bytes(body)

    async def _some(self, size: int) -> bytes:
        # Plain recv: files sent with a later byte are thrown away by the kernel.
        try:
            data = await self._socket.recv(size)
        except OSError as exc:
            raise HungUp from exc
        if not data:
            raise HungUp
        return data


def close_all(descriptors: Sequence[int]) -> None:
    """Close every file of `descriptors` that is still open."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            os.close(descriptor)
