"""One control connection, seen from the command line: ask, hear events, get the reply."""

import array
import contextlib
import math
import os
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from meshnews.control import codec
from meshnews.control.place import SOCKET_NAME, SOCKET_PATH_BYTES_MAX
from meshnews.control.reply import Event, Refused, Reply
from meshnews.control.reply_base import ReplyBase
from meshnews.control.request import Request
from meshnews.errors import Malformed
from meshnews_cli import daemon_complaint

Answer = TypeVar("Answer", bound=ReplyBase)

SILENCE_S_MAX: Final = 120.0
"""Without a reply or an event for this long the daemon is given up."""
TURN_S: Final = 1.0
"""How long one wait for the daemon lasts.  Python runs what a signal asks for between two calls:
a Ctrl-C that comes in the moment before a call that waits is heard after it."""
RECEIVE_BYTES: Final = 64 * 1024
_UCRED: Final = struct.Struct("3i")


class Connection:
    """A connection to a daemon.  Owns the socket; a context that closes it."""

    def __init__(self, sock: socket.socket, *, last_words: Callable[[], str] = str) -> None:
        """Take `sock`; `last_words` says what a daemon that died had to say."""
        self._socket = sock
        self._last_words = last_words
        self._patience_s = SILENCE_S_MAX

    def ask(
        self,
        request: Request,
        expected: type[Answer],
        *,
        descriptors: Sequence[int] = (),
        on_event: Callable[[Event], None] | None = None,
        patient: bool = False,
    ) -> Answer:
        """Send `request`, give each event to `on_event`, and return the reply.

        Args:
            request: what to ask.
            expected: the reply that means it was done.
            descriptors: the open files that the request announces.
            on_event: called with every event before the reply.
            patient: wait for ever.

        Raises:
            Refusal: the daemon's, or what went wrong between it and us.
        """
        self._patience_s = math.inf if patient else SILENCE_S_MAX
        try:
            self._send(codec.encode(request), descriptors)
            while isinstance(answer := self._receive(), Event):
                if on_event is not None:
                    on_event(answer)
        except TimeoutError as exc:
            raise daemon_complaint.daemon_silent() from exc
        except Malformed as exc:
            raise daemon_complaint.daemon_strange() from exc
        except OSError as exc:
            raise daemon_complaint.daemon_gone(self._last_words()) from exc
        if isinstance(answer, Refused):
            raise answer.as_refusal()
        if not isinstance(answer, expected):
            raise daemon_complaint.daemon_strange()
        return answer

    def stop(self) -> None:
        """Ask the daemon to stop what it was asked for, and go on listening to what it says."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _send(self, frame: bytes, descriptors: Sequence[int]) -> None:
        self._socket.settimeout(SILENCE_S_MAX)
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        # A daemon that refuses a connection says why and hangs up without
        # listening: what it said is still to be read.
        with contextlib.suppress(BrokenPipeError):
            sent = self._socket.sendmsg([frame], beside if descriptors else [])
            self._socket.sendall(memoryview(frame)[sent:])

    def _receive(self) -> Reply | Event:
        header = self._exactly(codec.HEADER_BYTES)
        return codec.decode_answer(self._exactly(codec.body_length(header)))

    def _exactly(self, size: int) -> bytes:
        body = bytearray()
        while len(body) < size:
            piece = self._some(min(RECEIVE_BYTES, size - len(body)))
            if not piece:
                raise ConnectionResetError
            body += piece
        return bytes(body)

    def _some(self, size: int) -> bytes:
        waited_s = 0.0
        self._socket.settimeout(TURN_S)
        while True:
            try:
                return self._socket.recv(size)
            except TimeoutError:
                waited_s += TURN_S
                if waited_s >= self._patience_s:
                    raise


def connect(home: Path) -> Connection | None:
    """Return a connection to the daemon of `home`, or None when none is running.

    Raises:
        Refusal: the socket cannot be used, or another user answers on it.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(SILENCE_S_MAX)
        try:
            _connect(sock, home)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            sock.close()
            return None
        except OSError as exc:
            raise daemon_complaint.daemon_unreachable(exc) from exc
        _require_own(sock)
    except BaseException:
        # Whatever ends us, Ctrl-C too, leaves no socket open.
        sock.close()
        raise
    return Connection(sock)


def _connect(sock: socket.socket, home: Path) -> None:
    path = home / SOCKET_NAME
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        sock.connect(str(path))
        return
    directory = os.open(home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{directory}/{SOCKET_NAME}")
    finally:
        os.close(directory)


def _require_own(sock: socket.socket) -> None:
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    owner = _UCRED.unpack(credentials)[1]
    if os.geteuid() not in (owner, 0) and owner != 0:
        raise daemon_complaint.daemon_of_other_user()
