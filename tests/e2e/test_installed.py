"""What `pip install .` gives works by itself in an empty environment, and claims no common name."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
ROOMS = {"meshnews", "meshnewsd", "meshnews_cli"}
TOO_COMMON = ("daemon", "cli", "tests", "docs")
BARE = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)), cwd=cwd, env=BARE, capture_output=True, text=True, check=False
    )


def installed(folder: Path) -> Path:
    """Return an environment with this program alone; what it needs is borrowed from our own."""
    place = folder / "environment"
    assert run(sys.executable, "-m", "venv", place, cwd=folder).returncode == 0
    done = run(place / "bin" / "pip", "install", "--no-deps", ROOT, cwd=folder)
    if "No matching distribution found for hatchling" in done.stderr:
        pytest.skip("nothing can be built here: there is no network")
    assert done.returncode == 0, done.stderr
    (packages,) = place.glob("lib/python*/site-packages")
    before = {path.name for path in packages.iterdir()}
    assert before >= ROOMS
    assert before.isdisjoint(TOO_COMMON)
    # A line of a path file adds a folder, and nothing that path files in that folder add.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


def test_what_is_installed_works_by_itself_and_claims_no_common_name(tmp_path: Path) -> None:
    place = installed(tmp_path)
    programs, home = place / "bin", tmp_path / "home"
    where = "import importlib.util as u, sys; print(u.find_spec(sys.argv[1]).origin)"
    for room in ROOMS:
        origin = run(programs / "python", "-c", where, room, cwd=tmp_path).stdout
        assert origin.startswith(str(place)), room
    assert run(programs / "meshnewsd", "--help", cwd=tmp_path).returncode == 0
    assert run(programs / "meshnews", "--version", cwd=tmp_path).stdout.strip()
    made = run(programs / "meshnews", "init", "--role", "relay", "--home", home, cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    asked = run(programs / "meshnews", "status", "--home", home, cwd=tmp_path)
    assert asked.stdout == "Nothing has been filed here.\n"
