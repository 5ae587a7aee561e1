"""Answers control requests on a Unix socket, or on one descriptor for ``--once``.

The server knows how requests arrive and what may stand beside them; what each
does is a table of handlers that it is given.  A handler gets the request, the
descriptors that came with it, and `emit` for events; it returns the reply or
raises `Refusal`.  It is cancelled when the asker hangs up, so whatever it
promises must be done in one piece.  Descriptors are closed once it has ended.
An asker may end what it sends and go on to listen: that cancels too, and where a
request is undone by it the refusal `stopped` is the answer.
"""

import contextlib
import errno
import functools
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import trio

from meshnews.control import codec, refusal
from meshnews.control.limits import CONTROL_CONNECTIONS_MAX, CONTROL_HELLO_S_MAX
from meshnews.control.reply import Event, Progress, Refused, Reply
from meshnews.control.request import Hello, Request
from meshnews.errors import Malformed, PeerError, Refusal, StoreFull
from meshnewsd.control.wire import ControlWire, Frame, HungUp
from meshnewsd.host import NodeFailed
from meshnewsd.platform.logs import Log
from meshnewsd.platform.paths import reachable
from meshnewsd.storage.fault import HalfKept
from meshnewsd.supervise import contain

Emit: TypeAlias = Callable[[Event], Awaitable[None]]
Handler: TypeAlias = Callable[[Any, Sequence[int], Emit], Awaitable[Reply]]
"""Called with a request, its descriptors and a way to send events.

``Any`` stands for the request type under which the handler is in the table.
"""
Handlers: TypeAlias = Mapping[type[Request], Handler]

_OUT_OF_RESOURCES: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE_S: Final = 0.1

_log = Log("control")


class AlreadyServed(Exception):
    """Another process answers on the home's control socket."""


class _Conversation:
    """One connection: hello, then one request at a time."""

    def __init__(self, wire: ControlWire, handlers: Handlers) -> None:
        self._wire = wire
        self._handlers = handlers
        self.scope = trio.CancelScope()
        self.idle_since: float | None = trio.current_time()
        """When the last request was answered; None while one is being answered."""

    async def run(self) -> None:
        """Converse until either side ends it.  Closes the connection."""
        with contextlib.closing(self._wire), self.scope, contextlib.suppress(HungUp):
            if self._wire.peer_uid not in (os.geteuid(), 0):
                _log.warning("refused a connection of another user")
                return
            with trio.move_on_after(CONTROL_HELLO_S_MAX) as patience:
                frame = await self._next_frame()
            if patience.cancelled_caught or frame is None:
                return
            greeted = False
            while frame is not None:
                with frame:
                    self.idle_since = None
                    reply, goes_on = await self._answer(frame, greeted=greeted)
                greeted = True
                await self._wire.send(codec.encode(reply))
                if not goes_on:
                    return
                self.idle_since = trio.current_time()
                frame = await self._next_frame()

    async def _next_frame(self) -> Frame | None:
        try:
            return await self._wire.receive()
        except Malformed:
            await self._wire.send(codec.encode(Refused.of(refusal.not_understood())))
            raise HungUp from None

    async def _answer(self, frame: Frame, *, greeted: bool) -> tuple[Reply, bool]:
        """Return the reply to a frame, and whether the conversation goes on after it."""
        try:
            request = codec.decode_request(frame.body)
        except Malformed:
            return Refused.of(refusal.not_understood()), False
        is_hello = isinstance(request, Hello)
        if not (greeted or is_hello) or not _fits(request, frame.descriptors):
            return Refused.of(refusal.not_understood()), False
        if isinstance(request, Hello) and request.version != codec.VERSION:
            return Refused.of(refusal.other_version(request.version, codec.VERSION)), False
        handler = self._handlers.get(type(request))
        if handler is None:
            return Refused.of(refusal.not_offered()), True
        return await self._run_handler(handler, request, frame.descriptors), True

    async def _run_handler(
        self, handler: Handler, request: Request, descriptors: Sequence[int]
    ) -> Reply:
        reply: Reply | None = None
        is_stopped = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._give_up_when_disturbed, nursery.cancel_scope)
            try:
                with contextlib.suppress(HungUp):
                    reply = await _reply_of(handler, request, descriptors, self._emit)
            except trio.Cancelled:
                is_stopped = True
                raise
            nursery.cancel_scope.cancel()
        if is_stopped and request.is_undone_when_stopped:
            # Who stopped it by ending what he sends may still listen.
            await self._wire.send(codec.encode(Refused.of(refusal.stopped())))
        if reply is None:
            raise HungUp
        return reply

    async def _give_up_when_disturbed(self, scope: trio.CancelScope) -> None:
        # One request at a time: bytes that come before the reply end the
        # conversation just as hanging up does.
        await self._wire.until_disturbed()
        scope.cancel()

    async def _emit(self, event: Event) -> None:
        # A command that is suspended (Ctrl-Z) reads nothing for as long as that lasts.
        # How far its work was in the meantime is of no use to it later.
        if isinstance(event, Progress) and not self._wire.has_room:
            return
        await self._wire.send(codec.encode(event))


async def _reply_of(
    handler: Handler, request: Request, descriptors: Sequence[int], emit: Emit
) -> Reply:
    try:
        return await handler(request, descriptors, emit)
    except Refusal as why:
        return Refused.of(why)
    except HalfKept:
        return Refused.of(refusal.disk_full_late())
    except StoreFull:
        return Refused.of(refusal.disk_full())
    except PeerError:
        return Refused.of(refusal.unproven_file())
    except NodeFailed:
        return Refused.of(refusal.node_failed())


def _fits(request: Request, descriptors: Sequence[int]) -> bool:
    """Say whether beside `request` stand the files it announces, and only plain files."""
    return len(descriptors) == request.descriptors and all(
        stat.S_ISREG(os.fstat(descriptor).st_mode) for descriptor in descriptors
    )


class ControlServer:
    """Serves one home's control socket."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._conversations: set[_Conversation] = set()

    async def serve(
        self, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Accept connections on the Unix socket `path` until cancelled; started once bound.

        The socket is readable and writable by its owner alone.  One that an
        earlier process left behind is replaced.

        Raises:
            AlreadyServed: another process listens there.
            OSError: the socket cannot be made.
        """
        listener, identity = _listen(path)
        try:
            async with trio.open_nursery() as nursery:
                task_status.started()
                while True:
                    sock = await _accept(listener)
                    converse = functools.partial(self._converse, ControlWire(sock))
                    nursery.start_soon(contain, "conversation", converse)
        finally:
            listener.close()
            _remove(path, identity)

    async def serve_one(self, sock: trio.socket.SocketType) -> None:
        """Converse on a connected socket until either side ends it."""
        await self._converse(ControlWire(sock))

    async def _converse(self, wire: ControlWire) -> None:
        if not self._make_room():
            with contextlib.closing(wire), contextlib.suppress(HungUp):
                await wire.send(codec.encode(Refused.of(refusal.busy())))
            return
        conversation = _Conversation(wire, self._handlers)
        self._conversations.add(conversation)
        try:
            await conversation.run()
        finally:
            self._conversations.discard(conversation)

    def _make_room(self) -> bool:
        """Drop the conversation idle for longest when there are too many; say if there is room."""
        if len(self._conversations) < CONTROL_CONNECTIONS_MAX:
            return True
        idle = [each for each in self._conversations if each.idle_since is not None]
        if not idle:
            return False
        longest = min(idle, key=lambda each: each.idle_since or 0.0)
        longest.scope.cancel()
        self._conversations.discard(longest)
        return True


async def serve_fd(descriptor: int, handlers: Handlers) -> None:
    """Serve the one connection on `descriptor`, a connected Unix stream socket.

    Returns when the asker hangs up.  Owns the descriptor.

    Raises:
        OSError: it is not a socket.
        Malformed: it is a socket of another kind.
    """
    raw = socket.socket(fileno=descriptor)
    if raw.family != socket.AF_UNIX or raw.type != socket.SOCK_STREAM:
        raw.close()
        raise Malformed("not a Unix stream socket")
    await ControlServer(handlers).serve_one(trio.socket.from_stdlib_socket(raw))


def _listen(path: Path) -> tuple[trio.socket.SocketType, os.stat_result]:
    """Return a listening socket at `path`, and what `lstat` says of its file."""
    _clear(path)
    with contextlib.ExitStack() as undo:
        raw = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        # On Linux the socket's file gets the mode of the socket itself, so it
        # is never open to others, not even for a moment.
        os.fchmod(raw.fileno(), 0o600)
        with reachable(path) as name:
            raw.bind(name)
        raw.listen(CONTROL_CONNECTIONS_MAX)
        undo.pop_all()
    return trio.socket.from_stdlib_socket(raw), path.lstat()


def _clear(path: Path) -> None:
    """Remove the socket that a process which is no more has left at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, reachable(path) as name:
        probe.settimeout(0)
        outcome = probe.connect_ex(name)
    if outcome == errno.ENOENT:
        return
    if outcome != errno.ECONNREFUSED:
        raise AlreadyServed
    if stat.S_ISSOCK(path.lstat().st_mode):
        path.unlink()


async def _accept(listener: trio.socket.SocketType) -> trio.socket.SocketType:
    while True:
        try:
            sock, _ = await listener.accept()
        except OSError as exc:
            if exc.errno not in _OUT_OF_RESOURCES:
                raise
            _log.warning("cannot take another connection now")
            await trio.sleep(_PAUSE_S)
        else:
            return sock


def _remove(path: Path, identity: os.stat_result) -> None:
    """Unlink the socket, unless another process has since put its own there."""
    with contextlib.suppress(OSError):
        now = path.lstat()
        if (now.st_dev, now.st_ino) == (identity.st_dev, identity.st_ino):
            path.unlink()
