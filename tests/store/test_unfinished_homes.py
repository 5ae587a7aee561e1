"""A home is made whole or not at all: what was cut off is no home, and is in nobody's way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from meshnews.control.fact import Role
from meshnews.control.request import Init
from meshnews.errors import Refusal
from meshnewsd.compose import open_home
from meshnewsd.once import make_home
from meshnewsd.storage.home import (
    SEED_FILE,
    VERSION_FILE,
    check_home,
    create_home,
    is_home,
    new_home,
    write_new,
)

RELAY = Init(Role.RELAY, False, None, None)
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("role", ["relay", "reporter"])
def test_a_making_that_is_cut_off_at_any_step_can_be_begun_again(
    folder_in_memory: Path, role: str
) -> None:
    rooms = os.pathsep.join(str(ROOT / room) for room in (".", "daemon", "cli"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.cut_making", str(folder_in_memory / "home"), role],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": rooms},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15


def cut_off(folder: Path) -> None:
    """Leave what a power cut in the middle of making a home leaves."""
    folder.mkdir()
    (folder / VERSION_FILE).write_bytes(b"0\n")
    (folder / SEED_FILE).write_bytes(b"half")


def test_what_is_half_made_is_no_home_to_anybody(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    cut_off(folder)
    assert not is_home(folder)
    for attempt in (check_home, lambda home: open_home(home, passphrase=None)):
        with pytest.raises(Refusal) as refused:
            attempt(folder)
        assert refused.value.code == "no-home"
    make_home(folder, RELAY)
    open_home(folder, passphrase=None).close()


def test_what_fails_while_it_is_made_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "home"

    def make() -> None:
        with new_home(folder):
            write_new(folder / SEED_FILE, b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(Refusal) as refused:
        make()
    assert refused.value.code == "home-not-made"
    assert "No space left" in refused.value.what
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("left", [["seed"], ["carry.db"], ["seed", "carry.db", "lock"]])
def test_what_is_left_of_a_home_that_lost_its_version_is_not_undone(
    tmp_path: Path, left: list[str]
) -> None:
    for name in left:
        (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(Refusal) as refused:
        make_home(tmp_path, RELAY)
    assert refused.value.code == "home-exists"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(
        left, b"precious"
    )


def test_two_do_not_make_one_home_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    with new_home(folder):
        with pytest.raises(Refusal) as refused:
            create_home(folder)
        assert refused.value.code == "home-exists"
    assert is_home(folder)
