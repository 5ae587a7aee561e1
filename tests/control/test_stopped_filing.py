"""Who stops a filing and still listens is told what was done, and it is so."""

import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest
import trio

from meshnews.control.fact import AttachmentOffer
from meshnews.control.reply import Done, Filed, Progress, Refused
from meshnews.control.request import File, Hello, Inbox
from meshnews.node import shelf
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnewsd.control.filing import STEP_BYTES, FilingDesk
from meshnewsd.control.server import Emit, Handlers, serve_fd
from meshnewsd.control.table import Asker
from tests.control.rig import Daemon, running
from tests.control.test_server import Asker as Caller
from tests.control.test_server import welcome
from tests.node.newsroom import Machine, enrolled, make_desk

T = TypeVar("T")
SIZE = 2 * STEP_BYTES


@pytest.fixture(scope="module")
def made() -> Machine:
    editor, _ = make_desk()
    return enrolled(editor, "reporter-1", Role.REPORTER)


@pytest.fixture
def reporter(made: Machine) -> Machine:
    return deepcopy(made)


@pytest.fixture
def video(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "video.mp4"
    path.write_bytes(os.urandom(SIZE))
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Gate(Asker):
    """Lets the handler's n-th question of the node wait until the gate is open."""

    at: int = 0
    reached: trio.Event = field(default_factory=trio.Event)
    opened: trio.Event = field(default_factory=trio.Event)
    asked: list[None] = field(default_factory=list)

    async def ask(self, question: Callable[[Node], T]) -> T:
        self.asked.append(None)
        if len(self.asked) == self.at:
            self.reached.set()
            await self.opened.wait()
        return await Asker.ask(self, question)


@asynccontextmanager
async def conversation(gate: Gate) -> AsyncIterator[Caller]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    handlers: Handlers = {Hello: welcome, File: FilingDesk(gate).file}
    with trio.socket.from_stdlib_socket(ours) as sock:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_fd, theirs.detach(), handlers)
            caller = Caller(sock)
            await caller.greet()
            yield caller
            sock.close()


async def outcome(caller: Caller) -> object:
    while isinstance(answer := await caller.hear(), Progress):
        pass
    return answer


def left_over(daemon: Daemon) -> tuple[int, int]:
    """Return how many pieces of drafts there are, and how many bytes are stored."""
    carry = daemon.machine.carry
    return len(list(carry.scan(shelf.DRAFT))), carry.usage().total


REQUEST = File(text="A fire.", slug="fire", attachments=(AttachmentOffer("video.mp4", SIZE),))
BEGIN, ATTACH, ADD, ADD_MORE, END, FINISH = range(1, 7)


@pytest.mark.parametrize("at", [BEGIN, ATTACH, ADD, ADD_MORE, END])
async def test_stopped_before_its_end_nothing_was_filed_and_nothing_is_left(
    reporter: Machine, video: int, at: int
) -> None:
    async with running(reporter) as daemon:
        before = left_over(daemon)
        gate = Gate(daemon.host, once=False, at=at)
        async with conversation(gate) as caller:
            await caller.send(REQUEST, [video])
            await gate.reached.wait()
            caller.sock.shutdown(socket.SHUT_WR)
            answer = await outcome(caller)
            assert isinstance(answer, Refused)
            assert answer.code == "stopped"
            assert await caller.is_hung_up()
        assert left_over(daemon) == before
        assert await daemon.do(lambda node: node.dispatches.all()) == []


async def test_stopped_at_its_end_it_was_filed_and_that_is_told(
    reporter: Machine, video: int
) -> None:
    async with running(reporter) as daemon:
        gate = Gate(daemon.host, once=False, at=FINISH)
        async with conversation(gate) as caller:
            await caller.send(REQUEST, [video])
            await gate.reached.wait()
            caller.sock.shutdown(socket.SHUT_WR)
            await trio.testing.wait_all_tasks_blocked()
            gate.opened.set()
            answer = await outcome(caller)
            assert isinstance(answer, Filed)
        (dispatch,) = await daemon.do(lambda node: node.dispatches.all())
        assert dispatch.dispatch.ref.id.hex() == answer.id
        assert left_over(daemon)[0] == 0


async def test_who_hangs_up_altogether_leaves_nothing_either(reporter: Machine, video: int) -> None:
    async with running(reporter) as daemon:
        before = left_over(daemon)
        gate = Gate(daemon.host, once=False, at=ADD_MORE)
        async with conversation(gate) as caller:
            await caller.send(REQUEST, [video])
            await gate.reached.wait()
            caller.sock.close()
        assert left_over(daemon) == before


async def test_who_stops_another_request_is_told_nothing_for_it_may_be_done() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    begun = trio.Event()

    async def never(request: Inbox, descriptors: Sequence[int], emit: Emit) -> Done:
        begun.set()
        await trio.sleep_forever()
        raise AssertionError

    with trio.socket.from_stdlib_socket(ours) as sock:
        async with trio.open_nursery() as nursery:
            handlers: Handlers = {Hello: welcome, Inbox: never}
            nursery.start_soon(serve_fd, theirs.detach(), handlers)
            caller = Caller(sock)
            await caller.greet()
            await caller.send(Inbox())
            await begun.wait()
            sock.shutdown(socket.SHUT_WR)
            assert await caller.is_hung_up()


async def test_progress_tells_the_beginning_and_the_end_of_each_file(
    reporter: Machine, video: int
) -> None:
    async with running(reporter) as daemon, conversation(Gate(daemon.host, once=False)) as caller:
        two = (AttachmentOffer("one.mp4", SIZE), AttachmentOffer("two.mp4", SIZE))
        await caller.send(File(text="", slug="fire", attachments=two), [video, video])
        told = []
        while isinstance(answer := await caller.hear(), Progress):
            told.append((answer.index, answer.done))
        assert isinstance(answer, Filed)
    for index in (0, 1):
        of_one = [done for number, done in told if number == index]
        assert (of_one[0], of_one[-1]) == (0, SIZE)
        assert of_one == sorted(of_one)
