"""Ctrl-C while a dispatch is filed or an attachment saved: what was done is said, and is so."""

import hashlib
import json
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import trio

from meshnews.control.fact import Phase
from meshnews.control.reply import AttachmentSaved, Filed, Progress
from meshnews.control.request import File, Open, SaveAttachment
from meshnews_cli.stopping import Stopping
from meshnews_cli.stopping_complaint import INTERRUPTED
from meshnewsd.control.server import Emit, Handler
from meshnewsd.control.wire import HungUp
from tests.cli import examples
from tests.cli.conftest import RunCommand, StartDaemon
from tests.cli.test_commands import opened


def press_ctrl_c() -> None:
    """Send the main thread, where the command runs, what a terminal would."""
    identifier = threading.main_thread().ident
    assert identifier is not None
    signal.pthread_kill(identifier, signal.SIGINT)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Let Ctrl-C be heard also where whoever started the tests has it ignored, as a shell does
    for what runs in its background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    (tmp_path / "video.mp4").write_bytes(b"picture")
    return ["file", "--slug", "fire", "--attach", str(tmp_path / "video.mp4")]


async def seal_until_stopped(request: File, descriptors: Sequence[int], emit: Emit) -> Filed:
    """Seal without end."""
    await emit(Progress(Phase.SEALING, 0, 1, 7))
    press_ctrl_c()
    await trio.sleep_forever()
    raise AssertionError


async def seal_all_the_same(request: File, descriptors: Sequence[int], emit: Emit) -> Filed:
    """Be at the end already, where nothing is stopped any more."""
    press_ctrl_c()
    # The stop arrives as the end of what the asker sends, and cancels.
    try:
        await trio.sleep_forever()
    finally:
        return Filed(id="7k2mq9xa")  # noqa: B012  it is what is shown


def never_answers(over: threading.Event, *, times: int = 1) -> Handler:
    async def handle(request: File, descriptors: Sequence[int], emit: Emit) -> Filed:
        press_ctrl_c()
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            # The first was heard: two that come at once are one.
            for _ in range(times - 1):
                press_ctrl_c()
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(over.wait)
            raise
        raise AssertionError

    return handle


@pytest.fixture
def over(daemon: StartDaemon) -> Iterator[threading.Event]:
    """Set when the command has ended; until then a daemon may keep it waiting."""
    event = threading.Event()
    yield event
    event.set()


def test_ctrl_c_while_sealing_says_that_nothing_was_filed(
    daemon: StartDaemon, cli: RunCommand, command: list[str]
) -> None:
    daemon({File: seal_until_stopped})
    outcome = cli(*command)
    assert outcome.status == INTERRUPTED
    assert outcome.out == ""
    assert "Filing was stopped" in outcome.err
    assert "Nothing was filed" in outcome.err


def test_ctrl_c_is_told_to_a_script_with_a_code(
    daemon: StartDaemon, cli: RunCommand, command: list[str]
) -> None:
    daemon({File: seal_until_stopped})
    outcome = cli(*command, "--json")
    assert (outcome.status, outcome.out) == (INTERRUPTED, "")
    assert json.loads(outcome.err.splitlines()[-1])["refused"]["code"] == "stopped"


def test_ctrl_c_that_comes_too_late_leaves_a_dispatch_that_is_told(
    daemon: StartDaemon, cli: RunCommand, command: list[str]
) -> None:
    daemon({File: seal_all_the_same})
    outcome = cli(*command)
    assert (outcome.status, outcome.out) == (0, "7k2mq9xa\n")
    assert outcome.err.startswith("Filed: sealed for the desk")


@pytest.mark.parametrize("forget", [False, True])
def test_a_second_ctrl_c_waits_for_nobody_and_says_that_nothing_is_known(
    daemon: StartDaemon,
    cli: RunCommand,
    command: list[str],
    over: threading.Event,
    forget: bool,
) -> None:
    daemon({File: never_answers(over, times=2)})
    outcome = cli(*command, *(["--forget"] if forget else []))
    assert (outcome.status, outcome.out) == (INTERRUPTED, "")
    assert "all of it was filed or nothing" in outcome.err
    assert ("meshnews status" in outcome.err) is not forget
    assert ("--forget" in outcome.err) is forget


def test_a_daemon_that_does_not_say_what_it_did_is_not_waited_for_long(
    daemon: StartDaemon,
    cli: RunCommand,
    command: list[str],
    over: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("meshnews_cli.stopping.STOP_S_MAX", 0.05)
    daemon({File: never_answers(over)})
    outcome = cli(*command)
    assert outcome.status == INTERRUPTED
    assert "did not say in time" in outcome.err


def test_a_daemon_that_ends_instead_of_answering_leaves_it_unknown(
    daemon: StartDaemon, cli: RunCommand, command: list[str]
) -> None:
    async def hang_up(request: File, descriptors: Sequence[int], emit: Emit) -> Filed:
        press_ctrl_c()
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            raise HungUp from None
        raise AssertionError

    daemon({File: hang_up})
    outcome = cli(*command)
    assert outcome.status == INTERRUPTED
    assert "which of both is not known" in outcome.err


def test_ctrl_c_before_anything_was_asked_says_that_nothing_was_filed(
    daemon: StartDaemon, cli: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("meshnews_cli.material.read_text", interrupted)
    fake = daemon({File: Filed(id="7k2mq9xa")})
    outcome = cli("file", "--slug", "fire")
    assert outcome.status == INTERRUPTED
    assert "Stopped before anything was filed." in outcome.err
    assert not fake.asked_for(File)


def test_ctrl_c_means_what_it_meant_before_when_the_command_is_over(
    daemon: StartDaemon, cli: RunCommand, command: list[str]
) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    daemon({File: seal_until_stopped})
    cli(*command)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_command_that_was_told_to_ignore_ctrl_c_ignores_it(
    daemon: StartDaemon, cli: RunCommand, command: list[str]
) -> None:
    async def seal(request: File, descriptors: Sequence[int], emit: Emit) -> Filed:
        press_ctrl_c()
        await emit(Progress(Phase.SEALING, 0, 7, 7))
        return Filed(id="7k2mq9xa")

    daemon({File: seal})
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert cli(*command).out == "7k2mq9xa\n"
    finally:
        signal.signal(signal.SIGINT, before)


def test_only_the_first_ctrl_c_asks() -> None:
    asked: list[None] = []

    class Fake:
        def stop(self) -> None:
            asked.append(None)

    with pytest.raises(KeyboardInterrupt), Stopping(Fake()) as stopping:  # type: ignore[arg-type]  # as much of a connection as it uses
        assert not stopping.is_asked
        press_ctrl_c()
        assert stopping.is_asked
        press_ctrl_c()
    assert asked == [None]


# Saving


def test_ctrl_c_while_saving_leaves_whole_files_only(
    daemon: StartDaemon, cli: RunCommand, tmp_path: Path
) -> None:
    content = examples.PHOTO

    async def save(
        request: SaveAttachment, descriptors: Sequence[int], emit: Emit
    ) -> AttachmentSaved:
        os.write(descriptors[0], content if request.index == 0 else content[:4])
        if request.index:
            press_ctrl_c()
            await trio.sleep_forever()
        return AttachmentSaved(len(content), hashlib.sha256(content).digest())

    daemon({Open: opened("a.jpg", "b.jpg"), SaveAttachment: save})
    outcome = cli("open", "7k2m", "--save", tmp_path / "out")
    assert outcome.status == INTERRUPTED
    assert "Stopped: 1 of 2 attachments saved." in outcome.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["7k2mq9xa.txt", "a.jpg"]
    assert (tmp_path / "out" / "a.jpg").read_bytes() == content
