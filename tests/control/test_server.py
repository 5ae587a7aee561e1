"""The control server, over real Unix sockets, on trio's test clock."""

import array
import os
import socket
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from meshnews.control import codec, refusal
from meshnews.control.enrol_request import EnrolCard
from meshnews.control.fact import AttachmentOffer, Phase, Role, Topic
from meshnews.control.limits import (
    CONTROL_CONNECTIONS_MAX,
    CONTROL_FRAME_BYTES_MAX,
    CONTROL_FRAME_S_MAX,
    CONTROL_HELLO_S_MAX,
)
from meshnews.control.place import SOCKET_NAME
from meshnews.control.reply import Changed, Done, Event, Filed, Progress, Refused, Reply, Welcome
from meshnews.control.request import (
    Doctor,
    File,
    Hello,
    Inbox,
    Neighbours,
    Open,
    Request,
    StatusRequest,
    Watch,
)
from meshnews.errors import Forged, Malformed, StoreFull
from meshnewsd.control.server import AlreadyServed, ControlServer, Emit, Handler, Handlers, serve_fd
from meshnewsd.host import NodeFailed
from meshnewsd.platform import paths
from meshnewsd.storage.fault import HalfKept

WELCOME = Welcome(version=codec.VERSION, program="0.1.0", role=Role.REPORTER)


class Asker:
    """The other end of a connection."""

    def __init__(self, sock: trio.socket.SocketType) -> None:
        self.sock = sock

    async def send(self, request: Request, descriptors: Sequence[int] = ()) -> None:
        await self.send_raw(codec.encode(request), descriptors)

    async def send_raw(self, frame: bytes, descriptors: Sequence[int] = ()) -> None:
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        sent = await self.sock.sendmsg([frame], beside if descriptors else [])
        while sent < len(frame):
            sent += await self.sock.send(frame[sent:])

    async def exactly(self, size: int) -> bytes:
        body = b""
        while len(body) < size:
            piece = await self.sock.recv(size - len(body))
            if not piece:
                raise EOFError
            body += piece
        return body

    async def hear(self) -> Reply | Event:
        length = codec.body_length(await self.exactly(codec.HEADER_BYTES))
        return codec.decode_answer(await self.exactly(length))

    async def ask(self, request: Request, descriptors: Sequence[int] = ()) -> Reply | Event:
        await self.send(request, descriptors)
        return await self.hear()

    async def greet(self) -> None:
        assert await self.ask(Hello(codec.VERSION)) == WELCOME

    async def is_hung_up(self) -> bool:
        try:
            return await self.sock.recv(1) == b""
        except ConnectionResetError:
            return True


async def welcome(request: Hello, descriptors: Sequence[int], emit: Emit) -> Reply:
    return WELCOME


def table(**handlers: Handler) -> dict[type[Request], Any]:
    kinds: dict[str, type[Request]] = {
        "doctor": Doctor,
        "file": File,
        "inbox": Inbox,
        "neighbours": Neighbours,
        "open": Open,
        "status": StatusRequest,
        "watch": Watch,
        "enrol_card": EnrolCard,
    }
    return {Hello: welcome, **{kinds[name]: handler for name, handler in handlers.items()}}


async def done(request: Request, descriptors: Sequence[int], emit: Emit) -> Reply:
    return Done()


@asynccontextmanager
async def conversation(handlers: Handlers, *, greeted: bool = True) -> AsyncIterator[Asker]:
    """One connection through `serve_fd`, as ``--once`` has it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with trio.socket.from_stdlib_socket(ours) as sock:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_fd, theirs.detach(), handlers)
            asker = Asker(sock)
            if greeted:
                await asker.greet()
            yield asker
            sock.close()


@asynccontextmanager
async def served(path: Path, handlers: Handlers) -> AsyncIterator[ControlServer]:
    server = ControlServer(handlers)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.serve, path)
        yield server
        nursery.cancel_scope.cancel()


async def dial(path: Path) -> Asker:
    sock = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    await sock.connect(str(path))
    return Asker(sock)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_requests_are_answered_one_after_another() -> None:
    async with conversation(table(inbox=done, doctor=done)) as asker:
        assert await asker.ask(Inbox()) == Done()
        assert await asker.ask(Doctor()) == Done()


async def test_a_frame_may_arrive_byte_by_byte() -> None:
    async with conversation(table(inbox=done)) as asker:
        for byte in codec.encode(Inbox()):
            await asker.sock.send(bytes([byte]))
            await trio.testing.wait_all_tasks_blocked()
        assert await asker.hear() == Done()


async def test_events_come_before_the_reply() -> None:
    async def handler(request: Inbox, descriptors: Sequence[int], emit: Emit) -> Reply:
        await emit(Progress(Phase.SEALING, 0, 1, 2))
        await emit(Progress(Phase.SEALING, 0, 2, 2))
        return Done()

    async with conversation(table(inbox=handler)) as asker:
        await asker.send(Inbox())
        heard = [await asker.hear() for _ in range(3)]
    assert heard == [
        Progress(Phase.SEALING, 0, 1, 2),
        Progress(Phase.SEALING, 0, 2, 2),
        Done(),
    ]


async def test_a_refusal_is_a_reply_and_the_conversation_goes_on() -> None:
    async def handler(request: Open, descriptors: Sequence[int], emit: Emit) -> Reply:
        raise refusal.no_such_item(request.id)

    async with conversation(table(open=handler, inbox=done)) as asker:
        assert await asker.ask(Open("7k2m")) == Refused.of(refusal.no_such_item("7k2m"))
        assert await asker.ask(Inbox()) == Done()


@pytest.mark.parametrize(
    ("weather", "code"),
    [
        (StoreFull(), "disk-full"),
        (HalfKept(), "disk-full-late"),
        (Forged("x"), "bad-file"),
    ],
)
async def test_weather_and_bad_files_become_refusals(weather: Exception, code: str) -> None:
    async def handler(request: EnrolCard, descriptors: Sequence[int], emit: Emit) -> Reply:
        raise weather

    async with conversation(table(enrol_card=handler)) as asker:
        reply = await asker.ask(EnrolCard(b"card"))
    assert isinstance(reply, Refused)
    assert reply.code == code


async def test_a_bug_in_a_handler_is_loud() -> None:
    async def handler(request: Inbox, descriptors: Sequence[int], emit: Emit) -> Reply:
        raise KeyError("bug")

    with pytest.RaisesGroup(pytest.RaisesExc(KeyError), flatten_subgroups=True):
        async with conversation(table(inbox=handler)) as asker:
            await asker.send(Inbox())
            await asker.is_hung_up()


async def test_a_handler_that_fails_ends_no_conversation_but_its_own(tmp_path: Path) -> None:
    async def broken(request: Request, descriptors: Sequence[int], emit: Emit) -> Reply:
        raise ZeroDivisionError

    path = tmp_path / "socket"
    async with served(path, table(doctor=broken, inbox=done)):
        other, unlucky = await dial(path), await dial(path)
        with other.sock, unlucky.sock:
            await other.greet()
            await unlucky.greet()
            await unlucky.send(Doctor())
            assert await unlucky.is_hung_up()
            assert await other.ask(Inbox()) == Done()


async def test_what_the_node_fails_at_is_a_refusal() -> None:
    async def handler(request: Inbox, descriptors: Sequence[int], emit: Emit) -> Reply:
        raise NodeFailed("a fault of ours")

    async with conversation(table(inbox=handler)) as asker:
        assert await asker.ask(Inbox()) == Refused.of(refusal.node_failed())


async def test_a_request_without_a_handler_is_refused() -> None:
    async with conversation(table()) as asker:
        assert await asker.ask(Neighbours()) == Refused.of(refusal.not_offered())


async def test_hello_comes_first() -> None:
    async with conversation(table(inbox=done), greeted=False) as asker:
        assert await asker.ask(Inbox()) == Refused.of(refusal.not_understood())
        assert await asker.is_hung_up()


async def test_hello_may_be_said_again() -> None:
    async with conversation(table(inbox=done)) as asker:
        await asker.greet()
        assert await asker.ask(Inbox()) == Done()


async def test_another_version_is_refused() -> None:
    async with conversation(table(), greeted=False) as asker:
        assert await asker.ask(Hello(99)) == Refused.of(refusal.other_version(99, codec.VERSION))
        assert await asker.is_hung_up()


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x00\x00\x00",
        (CONTROL_FRAME_BYTES_MAX + 1).to_bytes(4, "big"),
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x03abc",
    ],
)
async def test_garbage_is_refused_before_more_of_it_is_awaited(frame: bytes) -> None:
    async with conversation(table()) as asker:
        await asker.send_raw(frame)
        assert await asker.hear() == Refused.of(refusal.not_understood())
        assert await asker.is_hung_up()


async def test_files_reach_the_handler_and_are_closed_after_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "b").write_bytes(b"second")
    seen: list[bytes] = []
    kept: list[int] = []

    async def handler(request: File, descriptors: Sequence[int], emit: Emit) -> Reply:
        kept.extend(descriptors)
        seen.extend(os.read(each, 100) for each in descriptors)
        return Filed(id="7k2m")

    request = File(
        text="x", slug="s", attachments=(AttachmentOffer("a", 5), AttachmentOffer("b", 6))
    )
    async with conversation(table(file=handler, inbox=done)) as asker:
        files = [os.open(tmp_path / name, os.O_RDONLY) for name in ("a", "b")]
        reply = await asker.ask(request, files)
        for each in files:
            os.close(each)
        assert reply == Filed(id="7k2m")
        assert seen == [b"first", b"second"]
        for each in kept:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(each)


@pytest.mark.parametrize("count", [0, 1, 3, 16, 17, 40])
async def test_the_wrong_number_of_files_is_refused_and_they_are_closed(
    tmp_path: Path, count: int
) -> None:
    (tmp_path / "a").write_bytes(b"x")
    offers = (AttachmentOffer("a", 1), AttachmentOffer("b", 1))
    async with conversation(table(file=done)) as asker:
        before = open_files()
        files = [os.open(tmp_path / "a", os.O_RDONLY) for _ in range(count)]
        reply = await asker.ask(File(text="x", slug="s", attachments=offers), files)
        for each in files:
            os.close(each)
        assert reply == Refused.of(refusal.not_understood())
        assert open_files() <= before


async def test_a_pipe_in_place_of_a_file_is_refused() -> None:
    async with conversation(table(file=done)) as asker:
        reading, writing = os.pipe()
        offers = (AttachmentOffer("a", 1),)
        reply = await asker.ask(File(text="x", slug="s", attachments=offers), [reading])
        os.close(reading)
        os.close(writing)
        assert reply == Refused.of(refusal.not_understood())


async def test_files_beside_a_request_that_never_becomes_whole_are_closed(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    (tmp_path / "a").write_bytes(b"x")
    async with conversation(table()) as asker:
        before = open_files()
        with (tmp_path / "a").open("rb") as file:
            await asker.send_raw(b"\x00\x00\x01\x00", [file.fileno()])
        began_s = trio.current_time()
        assert await asker.is_hung_up()
        assert trio.current_time() - began_s == pytest.approx(CONTROL_FRAME_S_MAX)
        assert open_files() <= before


async def test_an_asker_that_does_not_say_hello_is_dropped(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with conversation(table(), greeted=False) as asker:
        assert await asker.is_hung_up()
        assert trio.current_time() >= CONTROL_HELLO_S_MAX


async def test_a_greeted_asker_may_think_as_long_as_it_likes(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with conversation(table(inbox=done)) as asker:
        await trio.sleep(86_400)
        assert await asker.ask(Inbox()) == Done()


async def test_an_asker_that_takes_no_events_is_dropped(
    autojump_clock: trio.testing.MockClock,
) -> None:
    ended = trio.Event()

    async def handler(request: Watch, descriptors: Sequence[int], emit: Emit) -> Reply:
        try:
            while True:
                await emit(Changed(Topic.DISPATCH, "7" * 64))
        finally:
            ended.set()

    async with conversation(table(watch=handler)) as asker:
        await asker.send(Watch((Topic.DISPATCH,)))
        await ended.wait()


async def test_hanging_up_cancels_the_handler() -> None:
    began, ended = trio.Event(), trio.Event()

    async def handler(request: Watch, descriptors: Sequence[int], emit: Emit) -> Reply:
        began.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()
        return Done()

    async with conversation(table(watch=handler)) as asker:
        await asker.send(Watch((Topic.DISPATCH,)))
        await began.wait()
        asker.sock.close()
        await ended.wait()


async def test_a_request_before_the_last_reply_ends_the_conversation() -> None:
    async def handler(request: Inbox, descriptors: Sequence[int], emit: Emit) -> Reply:
        await trio.sleep_forever()
        return Done()

    async with conversation(table(inbox=handler)) as asker:
        await asker.send(Inbox())
        await trio.testing.wait_all_tasks_blocked()
        await asker.send(Inbox())
        assert await asker.is_hung_up()


async def test_only_a_unix_stream_socket_is_served() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, pytest.raises(Malformed):
        await serve_fd(theirs.detach(), table())
    with pytest.raises(OSError, match="socket"):
        await serve_fd(os.open("/dev/null", os.O_RDONLY), table())


async def test_the_socket_is_its_owners_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / SOCKET_NAME
    old = os.umask(0)
    try:
        async with served(path, table()):
            assert stat.S_IMODE(path.lstat().st_mode) == 0o600
            asker = await dial(path)
            await asker.greet()
            asker.sock.close()
    finally:
        os.umask(old)
    assert not path.exists()


async def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / SOCKET_NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    async with served(path, table()):
        asker = await dial(path)
        await asker.greet()
        asker.sock.close()


async def test_a_socket_in_use_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / SOCKET_NAME
    async with served(path, table()):
        with pytest.raises(AlreadyServed):
            await ControlServer(table()).serve(path)
        asker = await dial(path)
        await asker.greet()
        asker.sock.close()


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / SOCKET_NAME
    path.write_bytes(b"precious")
    with pytest.raises(OSError, match="in use"):
        await ControlServer(table()).serve(path)
    assert path.read_bytes() == b"precious"


async def test_a_home_with_a_long_path_has_its_socket_too(tmp_path: Path) -> None:
    home = tmp_path / ("h" * 120)
    home.mkdir()
    path = home / SOCKET_NAME
    async with served(path, table()):
        with paths.reachable(path) as name:
            asker = await dial(Path(name))
        await asker.greet()
        asker.sock.close()


async def test_a_newcomer_replaces_the_connection_idle_for_longest(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    path = tmp_path / SOCKET_NAME
    async with served(path, table(inbox=done)):
        askers = []
        for _ in range(CONTROL_CONNECTIONS_MAX):
            askers.append(await dial(path))
            await askers[-1].greet()
            await trio.sleep(1)
        assert await askers[0].ask(Inbox()) == Done()
        newcomer = await dial(path)
        await newcomer.greet()
        assert await askers[1].is_hung_up()
        assert await askers[0].ask(Inbox()) == Done()
        for each in [*askers, newcomer]:
            each.sock.close()


async def test_a_newcomer_is_refused_while_all_are_at_work(tmp_path: Path) -> None:
    path = tmp_path / SOCKET_NAME

    async def handler(request: Inbox, descriptors: Sequence[int], emit: Emit) -> Reply:
        await trio.sleep_forever()
        return Done()

    async with served(path, table(inbox=handler)):
        askers = []
        for _ in range(CONTROL_CONNECTIONS_MAX):
            askers.append(await dial(path))
            await askers[-1].greet()
            await askers[-1].send(Inbox())
        await trio.testing.wait_all_tasks_blocked()
        newcomer = await dial(path)
        assert await newcomer.hear() == Refused.of(refusal.busy())
        for each in [*askers, newcomer]:
            each.sock.close()


# An asker that is suspended


async def test_work_goes_on_while_its_asker_is_suspended_and_the_answer_waits_for_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def work(request: Inbox, descriptors: Sequence[int], emit: Emit) -> Reply:
        for done in range(20_000):
            await emit(Progress(Phase.SEALING, 0, done, 20_000))
        return Done()

    async with conversation(table(inbox=work)) as asker:
        await asker.send(Inbox())
        await trio.sleep(100 * CONTROL_FRAME_S_MAX)
        told = []
        while isinstance(answer := await asker.hear(), Progress):
            told.append(answer.done)
        assert answer == Done()
        assert told == list(range(len(told))), "what there was room for"
        assert len(told) < 20_000
