"""A scripted daemon over the real server, and a way to run the command line against it."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import pytest
import trio

from meshnews.control import codec
from meshnews.control.fact import Role
from meshnews.control.place import SOCKET_NAME
from meshnews.control.reply import Reply, Welcome
from meshnews.control.request import Hello, Request
from meshnews_cli.main import run
from meshnewsd.control.server import ControlServer, Emit, Handler

Answer = Reply | Exception | Handler
Asked = TypeVar("Asked", bound=Request)


@dataclass
class FakeDaemon:
    """Answers what it is told to, and remembers what it was asked."""

    home: Path
    welcome: Welcome
    answers: dict[type[Request], Answer]
    asked: list[Request] = field(default_factory=list)

    def handlers(self) -> Mapping[type[Request], Handler]:
        kinds = {Hello, *self.answers}
        return {kind: self._handler(kind) for kind in kinds}

    def _handler(self, kind: type[Request]) -> Handler:
        async def handle(request: Request, descriptors: Sequence[int], emit: Emit) -> Reply:
            self.asked.append(request)
            if kind is Hello:
                return self.welcome
            answer = self.answers[kind]
            if isinstance(answer, Exception):
                raise answer
            if callable(answer):
                return await answer(request, descriptors, emit)
            return answer

        return handle

    def asked_for(self, kind: type[Asked]) -> list[Asked]:
        return [request for request in self.asked if isinstance(request, kind)]


class StartDaemon(Protocol):
    def __call__(self, answers: dict[type[Request], Answer], **welcome: object) -> FakeDaemon: ...


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    status: int
    out: str
    err: str


RunCommand = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "<+06>-06")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("MESHNEWS_HOME", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def daemon(home: Path) -> Iterator[StartDaemon]:
    """Start a daemon for the home; it ends with the test."""
    ending: list[Callable[[], None]] = []

    def start(answers: dict[type[Request], Answer], **welcome: object) -> FakeDaemon:
        facts: dict[str, object] = {
            "version": codec.VERSION,
            "program": "0.1.0",
            "role": Role.REPORTER,
            **welcome,
        }
        fake = FakeDaemon(home, Welcome(**facts), answers)  # type: ignore[arg-type]  # by name
        started = threading.Event()
        scope = trio.CancelScope()
        tokens: list[trio.lowlevel.TrioToken] = []

        async def serve() -> None:
            tokens.append(trio.lowlevel.current_trio_token())
            with scope:
                async with trio.open_nursery() as nursery:
                    server = ControlServer(fake.handlers())
                    await nursery.start(server.serve, home / SOCKET_NAME)
                    started.set()

        thread = threading.Thread(target=trio.run, args=(serve,), daemon=True)
        thread.start()
        assert started.wait(10)

        def end() -> None:
            tokens[0].run_sync_soon(scope.cancel)
            thread.join(10)
            assert not thread.is_alive()

        ending.append(end)
        return fake

    yield start
    for end in ending:
        end()


@pytest.fixture
def cli(home: Path, capsys: pytest.CaptureFixture[str]) -> RunCommand:
    """Run ``meshnews`` on the home, in this process."""

    def run_command(*arguments: str | os.PathLike[str], with_home: bool = True) -> Outcome:
        typed = [os.fspath(each) for each in arguments]
        status = run([*typed, "--home", str(home)] if with_home else typed)
        out, err = capsys.readouterr()
        return Outcome(status, out, err)

    return run_command
