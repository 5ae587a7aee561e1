"""Standard streams that are closed or full: a command does its work, or says what happened."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in (".", "daemon", "cli")),
}


def shell(script: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a script in which ``meshnews`` is the command under test."""
    define = f'meshnews() {{ "{sys.executable}" -m meshnews_cli "$@"; }}; '
    return subprocess.run(
        ["bash", "-c", define + script, "bash", *map(str, words)],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_a_command_works_with_streams_closed(tmp_path: Path, closed: str) -> None:
    home = tmp_path / "home"
    done = shell(f'meshnews init --role relay --home "$1" {closed}', home)
    assert (done.returncode, done.stderr) == (0, "")
    assert shell('meshnews status --home "$1"', home).returncode == 0


def test_what_is_not_typed_because_standard_input_is_closed_is_nothing(tmp_path: Path) -> None:
    done = shell('meshnews file - --slug s --home "$1" <&-', tmp_path / "home")
    assert done.returncode == 1
    assert "There is no text and no attachment." in done.stderr


@pytest.mark.parametrize("words", ["--help", "--version", "completion bash"])
def test_output_that_finds_no_room_is_told(words: str) -> None:
    done = shell(f"meshnews {words} > /dev/full")
    assert done.returncode == 1
    assert "The output cannot be written (no space left on device)." in done.stderr
    assert "Traceback" not in done.stderr


def test_who_has_read_enough_is_told_nothing() -> None:
    done = shell("meshnews --help | head -c 1 > /dev/null")
    assert (done.returncode, done.stderr) == (0, "")
