"""What of a home other users can get at."""

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from meshnewsd.platform.exposure import Exposure, exposure_of

PRIVATE = Exposure(home=False, above=None, socket=False, config=False, files=(), foreign=())


@pytest.fixture
def home() -> Iterator[Path]:
    # In a folder that others may enter, unlike pytest's own.
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        yield make_home(Path(outer) / "inner" / "home")


def make_home(folder: Path) -> Path:
    folder.mkdir(parents=True)
    folder.parent.chmod(0o755)
    folder.chmod(0o700)
    for name in ("carry.db", "config.toml"):
        (folder / name).touch()
        (folder / name).chmod(0o600)
    with socket.socket(socket.AF_UNIX) as listener:
        os.fchmod(listener.fileno(), 0o600)
        listener.bind(str(folder / "control.sock"))
    return folder


def look(home: Path, config: Path | None = None) -> Exposure:
    return exposure_of(home, socket=home / "control.sock", config=config or home / "config.toml")


def test_a_home_of_ones_own_is_open_to_nobody(home: Path) -> None:
    assert look(home) == PRIVATE


@pytest.mark.parametrize("mode", [0o710, 0o701, 0o770, 0o755])
def test_a_folder_that_others_may_enter_is_open(home: Path, mode: int) -> None:
    home.chmod(mode)
    assert look(home) == replace(PRIVATE, home=True)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666])
def test_each_thing_in_it_is_named_for_what_it_is(home: Path, mode: int) -> None:
    (home / "carry.db").chmod(mode)
    assert look(home) == replace(PRIVATE, files=("carry.db",))
    (home / "carry.db").chmod(0o600)
    (home / "config.toml").chmod(mode)
    assert look(home) == replace(PRIVATE, config=True)
    (home / "config.toml").chmod(0o600)
    (home / "control.sock").chmod(mode)
    assert look(home) == replace(PRIVATE, socket=True)


def test_a_file_in_a_folder_of_the_home_is_found(home: Path) -> None:
    (home / "old").mkdir(mode=0o700)
    (home / "old" / "copy").touch()
    (home / "old" / "copy").chmod(0o644)
    assert look(home) == replace(PRIVATE, files=("old/copy",))


def test_a_link_is_not_judged_by_what_it_leads_to(home: Path) -> None:
    (home / "log").symlink_to("/etc/passwd")
    assert look(home) == PRIVATE


def test_a_configuration_elsewhere_is_looked_at_too(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.touch()
    other.chmod(0o644)
    (home / "config.toml").chmod(0o644)
    assert look(home, other) == replace(PRIVATE, config=True, files=("config.toml",))


def test_what_is_not_there_is_not_open(home: Path) -> None:
    for name in ("control.sock", "config.toml"):
        (home / name).unlink()
    assert look(home) == PRIVATE


def test_a_folder_above_in_which_others_may_rename_is_named(home: Path) -> None:
    home.parent.chmod(0o777)
    assert look(home) == replace(PRIVATE, above=home.parent)
    home.parent.chmod(0o777 | stat.S_ISVTX)
    assert look(home) == PRIVATE, "as in /tmp, where nobody renames what is not theirs"


def test_what_lies_in_a_folder_that_is_closed_to_others_is_out_of_their_reach(home: Path) -> None:
    home.parent.chmod(0o777)
    home.parents[1].chmod(0o700)
    assert look(home) == PRIVATE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_belongs_to_somebody_else_is_named(home: Path) -> None:
    os.chown(home / "carry.db", 12345, -1)
    assert look(home) == replace(PRIVATE, foreign=("carry.db",))
    os.chown(home / "carry.db", 0, -1)
    os.chown(home.parent, 12345, -1)
    assert look(home) == replace(PRIVATE, above=home.parent)
