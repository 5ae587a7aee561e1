"""The command line as a process: the real daemon started for one command, a real terminal."""

import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import meshnews_cli
import meshnewsd
from meshnews.control.request import StatusRequest
from tests.cli import examples
from tests.cli.conftest import RunCommand, StartDaemon

SHELVES = [Path(module.__file__ or "").parents[1] for module in (meshnews_cli, meshnewsd)]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([*map(str, SHELVES), str(SHELVES[0].parent)]),
    "TERM": "dumb",
}

ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "meshnews_cli", *sys.argv[1:]])
"""

LIGHT = """
import sys
from meshnews_cli.main import run
status = run(sys.argv[1:])
heavy = {"trio", "nacl", "msgpack", "rich", "apsw", "asyncio", "subprocess", "json"}
print(sorted(heavy & set(sys.modules)), file=sys.stderr)
sys.exit(status)
"""


def meshnews(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "meshnews_cli", *map(str, words)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def on_terminal(*words: str | Path, typed: str) -> tuple[int, str]:
    """Run a command on a terminal of its own and type `typed` there; return what was shown."""
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_TERMINAL, *map(str, words)],
        env=ENVIRONMENT,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""
    lines = typed.splitlines(keepends=True)
    try:
        while piece := os.read(keyboard, 4096):
            shown += piece
            if lines and shown.rstrip(b" ").endswith(b":"):
                os.write(keyboard, lines.pop(0).encode())
    except OSError:
        pass  # The terminal is gone: the command has ended.
    finally:
        os.close(keyboard)
    return process.wait(30), shown.decode()


def test_commands_work_without_a_daemon(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = meshnews("init", "--role", "relay", "--home", home)
    assert (made.returncode, made.stderr) == (0, "")
    again = meshnews("init", "--role", "relay", "--home", home, "--json")
    assert again.returncode == 1
    assert json.loads(again.stderr)["refused"]["code"] == "home-exists"
    status = meshnews("status", "--home", home, "--json")
    assert status.returncode == 0
    assert json.loads(status.stdout)["daemon_running"] is False


def test_what_makes_this_machine_less_findable_needs_no_daemon(tmp_path: Path) -> None:
    home, secret = tmp_path / "home", tmp_path / "secret"
    secret.write_text("four words for me\n")
    access = ("--home", home, "--passphrase-file", secret)
    assert meshnews("init", "--role", "reporter", *access).returncode == 0
    for words in (("enrol", "--stop"), ("look", "0"), ("neighbours", "--distrust-network")):
        outcome = meshnews(*words, *access)
        assert (outcome.returncode, outcome.stderr.startswith("Meaning:")) == (0, False), words


def test_a_passphrase_is_typed_twice_at_init_and_once_afterwards(tmp_path: Path) -> None:
    home = tmp_path / "home"
    init = ("init", "--role", "editor", "--home", home)
    status, shown = on_terminal(*init, typed="\nfour words for me\nfour words for you\n")
    assert status == 1
    assert "not the same" in shown
    assert "four words" not in shown
    status, shown = on_terminal(*init, typed="\nfour words for me\nfour words for me\n")
    assert status == 0
    assert "An editor's home is ready" in shown
    status, shown = on_terminal("doctor", "--home", home, typed="four words for you\n")
    assert status == 1
    assert "passphrase" in shown.splitlines()[1]
    assert "Meaning:" in shown
    # Who the home is lies behind the passphrase.
    status, shown = on_terminal("doctor", "--home", home, typed="four words for me\n")
    assert "Home of an editor" in shown
    assert status == 1
    assert "NOT READY" in shown


def config_of(home: Path) -> str | None:
    file = home / "config.toml"
    return file.read_text() if file.exists() else None


def test_a_person_is_asked_who_may_notice_the_machine(tmp_path: Path) -> None:
    home = tmp_path / "home"
    status, shown = on_terminal(
        *("init", "--role", "reporter", "--home", home),
        typed="loud\nveiled\nfour words for me\nfour words for me\n",
    )
    assert status == 0
    words = " ".join(shown.split())
    assert "Who may notice this machine on the networks that it will be on?" in words
    for degree in ("open Everybody on a network", "veiled Who knows this program", "silent Nobody"):
        assert degree in words
    assert "[silent]" in words
    assert config_of(home) == 'visibility = "veiled"\n'
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600


def test_nobody_is_asked_under_json_nor_where_a_configuration_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    init = ("init", "--role", "relay", "--home", home)
    status, shown = on_terminal(*init, "--json", typed="")
    assert (status, config_of(home)) == (0, None)
    assert json.loads(shown)["role"] == "relay"
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    (other / "config.toml").write_text("port = 7117\n")
    status, shown = on_terminal("init", "--role", "relay", "--home", other, typed="")
    assert (status, config_of(other)) == (0, "port = 7117\n")
    assert "notice" not in shown


def test_a_script_without_a_terminal_is_told_of_the_option(tmp_path: Path) -> None:
    outcome = meshnews("init", "--role", "editor", "--home", tmp_path / "h")
    assert outcome.returncode == 1
    assert "--passphrase-file FILE" in outcome.stderr
    assert not (tmp_path / "h").exists()


def test_a_daemon_that_dies_is_told_with_its_last_words(
    cli: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nprintf 'one\\n\\033[2Jlast words\\n\\n' >&2\nexit 1\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    outcome = cli("inbox")
    assert outcome.status == 1
    assert "<U+001B>[2Jlast words" in outcome.err
    assert "It is not known whether" in outcome.err


def test_a_daemon_that_cannot_be_started_is_told(
    cli: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    outcome = cli("inbox")
    assert outcome.status == 1
    assert outcome.err.startswith("The daemon ended before it answered.")


@pytest.mark.parametrize("words", [["--help"], ["status"], ["inbox", "--help"]])
def test_little_is_imported_before_the_first_output(
    daemon: StartDaemon, home: Path, words: list[str]
) -> None:
    daemon({StatusRequest: examples.STATUS})
    given = [] if "--help" in words else ["--home", str(home)]
    outcome = subprocess.run(
        [sys.executable, "-c", LIGHT, *words, *given],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0
    assert outcome.stderr.splitlines()[-1] == "[]"
