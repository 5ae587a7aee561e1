"""A large attachment is watched on its way: real daemons, a slow cable, scripts and a terminal."""

import contextlib
import json
import os
import pty
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from meshnewsd.control.following import APART_S
from tests.cli import schema
from tests.cli.screen import Screen
from tests.e2e.newsroom import Newsroom
from tests.e2e.world import Machine, open_world, run, wait_until

pytestmark = pytest.mark.e2e

VIDEO_BYTES = 20_000_000
CABLE = "24mbit"
"""So slow that the video takes some seconds, which is what there is to watch."""
IDLE_S = 20.0
WATCHED_SHARE_MAX = 0.02
"""Of one processor, what a watcher may cost the daemon of two machines that have nothing to do."""


def command(machine: Machine, *words: str) -> tuple[list[str], dict[str, str]]:
    """Return how `meshnews` is started on a machine, and with which environment."""
    secret = ("--passphrase-file", str(machine.passphrase_file)) if machine.has_vault else ()
    inside = machine._inside(sys.executable, "-m", "meshnews_cli", *words, *secret)
    return inside, machine._environment()


@dataclass
class Watcher:
    """`status --watch --json`, and the lines that it printed, with when they came."""

    machine: Machine
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        words, environment = command(self.machine, "status", "--watch", "--json")
        self.process = subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.events.append((time.monotonic(), json.loads(line)))

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [event for _, event in list(self.events) if event["event"] == kind]

    @property
    def links(self) -> list[dict[str, Any]]:
        """Every neighbour as it was told, each time it was."""
        return [one for event in self.told("neighbours") for one in event["neighbours"]]

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(10) == 130
        self._thread.join(10)


@contextlib.contextmanager
def watching(machine: Machine) -> Iterator[Watcher]:
    watcher = Watcher(machine)
    try:
        wait_until(lambda: watcher.told("neighbours"), within_s=20, what="the first look")
        yield watcher
        watcher.stop()
    finally:
        watcher.process.kill()
        watcher.process.wait()


@dataclass
class OnTerminal:
    """A command on a terminal of its own, and what a person sees there."""

    machine: Machine
    words: tuple[str, ...]
    raw: bytes = b""

    def __post_init__(self) -> None:
        self._keyboard, terminal = pty.openpty()
        words, environment = command(self.machine, *self.words)
        # A session of its own, with the terminal in charge: Ctrl-C is typed, not sent.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *words],
            env={**environment, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
        )
        os.close(terminal)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while piece := os.read(self._keyboard, 65536):
                self.raw += piece

    @property
    def screen(self) -> Screen:
        screen = Screen()
        screen.feed(self.raw.decode(errors="replace"))
        return screen

    def type(self, key: bytes) -> None:
        os.write(self._keyboard, key)

    def end(self) -> int:
        status = self.process.wait(30)
        self._thread.join(10)
        os.close(self._keyboard)
        return status


def processor_s(machine: Machine) -> float:
    """Return how long a daemon has kept a processor busy."""
    assert machine.process is not None
    fields = Path(f"/proc/{machine.process.pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share(machine: Machine) -> float:
    """Return the share of one processor that a daemon takes while nothing happens."""
    before = processor_s(machine)
    time.sleep(IDLE_S)
    return (processor_s(machine) - before) / IDLE_S


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    """A reporter and a relay that have not met, on cables that carry little."""
    with open_world(tmp_path) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        relay, reporter = newsroom.add("relay-1", "relay"), newsroom.add("reporter-1", "reporter")
        for joiner in (relay, reporter):
            newsroom.enrol(editor, joiner)
        newsroom.introduce(relay, reporter)
        for machine in (relay, reporter):
            run("ip", "netns", "exec", machine.namespace, "tc", "qdisc", "add", "dev", "eth0",
                "root", "tbf", "rate", CABLE, "burst", "32kb", "latency", "50ms")  # fmt: skip
            machine.start()
        yield reporter, relay


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    path.write_bytes(random.Random(5).randbytes(VIDEO_BYTES))
    return path


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Return one that takes long enough to seal for whoever thinks better of it."""
    path = tmp_path / "film.mp4"
    path.write_bytes(random.Random(6).randbytes(5 * VIDEO_BYTES))
    return path


def test_a_large_attachment_is_watched_from_both_ends(
    machines: tuple[Machine, Machine], video: Path
) -> None:
    reporter, relay = machines
    with watching(reporter) as near, watching(relay) as far:
        filed = reporter.cli("file", "--slug", "fire", "--now", "--json", "--attach", str(video))
        sealed = [json.loads(line) for line in filed.stderr.splitlines()]
        check_sealing(sealed)
        reporter.world.meet(reporter, relay)
        wait_until(lambda: all_carried(near), within_s=120, what="the video is at the relay")
        wait_until(lambda: is_at_rest(near) and is_at_rest(far), within_s=30, what="rest is told")
        for watcher in (near, far):
            check_events(watcher)
        check_reporter(near)
        check_relay(far)
        # Nothing happens any more, so nothing is told, and hardly anything is done.
        count = len(near.events), len(far.events)
        watched = share(reporter)
        assert (len(near.events), len(far.events)) == count
    alone = share(reporter)
    print(f"\nidle, linked: {alone:.3%} of a processor; with a watcher: {watched:.3%}")
    assert watched - alone < WATCHED_SHARE_MAX


def check_sealing(events: list[dict[str, Any]]) -> None:
    for event in events:
        schema.check(event)
    done = [event["done"] for event in events]
    assert (done[0], done[-1]) == (0, VIDEO_BYTES)
    assert done == sorted(done)


def all_carried(watcher: Watcher) -> bool:
    told = watcher.told("dispatch")
    return bool(told) and told[-1]["parts"][0]["carried"] == told[-1]["parts"][0]["pieces"]


def is_at_rest(watcher: Watcher) -> bool:
    links = watcher.links
    return bool(links) and links[-1]["sent_per_s"] == links[-1]["received_per_s"] == 0


def check_events(watcher: Watcher) -> None:
    for _, event in watcher.events:
        schema.check(event)
    # One look may tell of a dispatch and of neighbours.
    came = [at_s for at_s, event in watcher.events if event["event"] == "neighbours"]
    assert len(came) <= (came[-1] - came[0]) / APART_S + 2


def check_reporter(watcher: Watcher) -> None:
    (identifier,) = {event["id"] for event in watcher.told("dispatch")}
    assert len(identifier) == 64
    carried = [event["parts"][0]["carried"] for event in watcher.told("dispatch")]
    assert carried[0] == 0
    assert carried == sorted(carried)
    assert len(set(carried)) >= 4, "it was seen on its way"
    assert watcher.told("dispatch")[-1]["state"] == "carried"
    assert watcher.told("dispatch")[-1]["parts"][0]["received"] == 0
    sent = [link["bytes_sent"] for link in watcher.links]
    assert sent == sorted(sent)
    assert sent[-1] > VIDEO_BYTES
    assert any(link["to_send"] for link in watcher.links)
    assert watcher.links[-1]["to_send"] == 0


def check_relay(watcher: Watcher) -> None:
    assert not watcher.told("dispatch"), "a relay has filed nothing"
    compared = [link["to_receive"] for link in watcher.links if link["compared"]]
    assert max(compared) > VIDEO_BYTES // 4
    assert compared == sorted(compared, reverse=True)
    assert compared[-1] == 0
    assert watcher.links[-1]["bytes_received"] > VIDEO_BYTES


def test_a_person_watches_it_on_a_terminal_and_may_stop_filing(
    machines: tuple[Machine, Machine], video: Path, film: Path
) -> None:
    reporter, relay = machines
    view = OnTerminal(reporter, ("status", "--watch"))
    wait_until(lambda: "Nothing has been filed" in view.screen.text, within_s=30, what="the view")
    # Ctrl-C while sealing: nothing is filed, and that is said.
    stopped = OnTerminal(reporter, ("file", "--slug", "no", "--attach", str(film)))
    wait_until(lambda: "of 100.0 MB, " in stopped.screen.text, within_s=30, what="a bar")
    assert "Ctrl-C stops" in stopped.screen.text
    stopped.type(b"\x03")
    assert stopped.end() == 130
    assert "Filing was stopped before it was done." in stopped.screen.text
    assert stopped.screen.is_cursor_shown
    assert reporter.ask("status")["dispatches"] == []
    # Left alone, it is filed, and nothing of the bar remains.
    filed = OnTerminal(reporter, ("file", "--slug", "fire", "--now", "--attach", str(video)))
    assert filed.end() == 0
    assert "Sealing video.mp4" in filed.raw.decode()
    assert "Sealing" not in filed.screen.text
    assert "Filed: sealed for the desk" in filed.screen.text
    reporter.world.meet(reporter, relay)
    wait_until(lambda: " of 307 carried" in view.screen.text, within_s=60, what="pieces")
    wait_until(lambda: "a second now" in view.screen.text, within_s=60, what="a speed")
    assert "relay " in view.screen.text
    wait_until(lambda: "307 of 307 carried" in view.screen.text, within_s=120, what="all of them")
    assert not view.screen.overrun
    view.type(b"\x03")
    assert view.end() == 130
    assert view.screen.is_cursor_shown
    assert view.screen.text.strip("^C\n ") == ""


def test_ctrl_c_is_answered_also_where_the_command_has_a_daemon_of_its_own(
    machines: tuple[Machine, Machine], video: Path, film: Path
) -> None:
    reporter, _ = machines
    reporter.stop()
    stopped = OnTerminal(reporter, ("file", "--slug", "no", "--attach", str(film)))
    wait_until(lambda: "of 100.0 MB, " in stopped.screen.text, within_s=30, what="a bar")
    stopped.type(b"\x03")
    assert stopped.end() == 130
    assert "Nothing was filed" in stopped.screen.text
    filed = reporter.cli("file", "--slug", "fire", "--attach", str(video), "--json")
    check_sealing([json.loads(line) for line in filed.stderr.splitlines()])
    (dispatch,) = reporter.ask("status")["dispatches"]
    assert dispatch["id"] == json.loads(filed.stdout)["id"]
