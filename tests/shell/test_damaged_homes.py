"""A home that cannot be opened is told in three sentences, by daemon and command, and kept."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import meshnewsd
from meshnews.control.fact import Role
from meshnews.control.request import Init
from meshnews.errors import Refusal
from meshnewsd.compose import open_home
from meshnewsd.once import make_home
from meshnewsd.storage.home import HOME_VERSION
from meshnewsd.storage.keys import Cost

CHEAP = Cost(passes=1, memory_bytes=8192)
PASSPHRASE = "four words for me"
PAGE_BYTES = 8192
SHELF = Path(meshnewsd.__file__).parents[1]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join(map(str, (SHELF, SHELF.parent, SHELF.parent / "cli"))),
}

Damage = Callable[[Path], None]


def flip(name: str, place: int) -> Damage:
    def damage(home: Path) -> None:
        content = bytearray((home / name).read_bytes())
        content[place] ^= 1
        (home / name).write_bytes(content)

    return damage


def cut(name: str, size: int) -> Damage:
    return lambda home: os.truncate(home / name, size)


def lose(name: str) -> Damage:
    return lambda home: (home / name).unlink()


def put_folder(name: str) -> Damage:
    def damage(home: Path) -> None:
        (home / name).unlink(missing_ok=True)
        (home / name).mkdir()

    return damage


def write(name: str, text: str) -> Damage:
    def damage(home: Path) -> None:
        (home / name).write_text(text)

    return damage


RELAYS: dict[str, tuple[Damage, str]] = {
    "a newer version": (write("version", f"{HOME_VERSION + 1}\n"), "newer-home"),
    "an older version": (write("version", f"{HOME_VERSION - 1}\n"), "older-home"),
    "a version that is none": (write("version", "x\n"), "home-damaged"),
    "an empty version": (write("version", ""), "home-damaged"),
    "a folder as version": (put_folder("version"), "home-damaged"),
    "no secret": (lose("seed"), "home-destroyed"),
    "half a secret": (cut("seed", 10), "home-damaged"),
    "another secret": (flip("seed", 10), "store-unreadable"),
    "no bundles": (lose("carry.db"), "home-incomplete"),
    "an empty file of bundles": (cut("carry.db", 0), "home-incomplete"),
    "the first page broken": (flip("carry.db", 3000), "store-unreadable"),
    "a later page broken": (flip("carry.db", 3 * PAGE_BYTES + 3000), "home-damaged"),
    "half a file of bundles": (cut("carry.db", 5 * PAGE_BYTES), "home-damaged"),
    "a folder of bundles": (put_folder("carry.db"), "home-damaged"),
    "a folder as lock": (put_folder("lock"), "home-damaged"),
}
REPORTERS: dict[str, tuple[Damage, str]] = {
    "no slots": (lose("slots"), "home-damaged"),
    "half a slot": (cut("slots", 50), "home-damaged"),
    "no vault": (lose("vault.db"), "home-incomplete"),
    "an empty vault": (cut("vault.db", 0), "home-incomplete"),
    "half a vault": (cut("vault.db", PAGE_BYTES), "home-damaged"),
}


def home_of(tmp_path: Path, role: Role, passphrase: str | None) -> Path:
    home = tmp_path / "home"
    make_home(home, Init(role, False, passphrase, None), cost=CHEAP)
    return home


def content(home: Path) -> dict[str, bytes]:
    files = [path for path in home.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(home)): path.read_bytes() for path in files}


def run(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_damaged_relays_home_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    whole = home_of(tmp_path, Role.RELAY, None)
    for name, (damage, code) in RELAYS.items():
        home = tmp_path / name
        shutil.copytree(whole, home)
        damage(home)
        before = content(home)
        with pytest.raises(Refusal) as refused:
            open_home(home, passphrase=None).close()
        assert refused.value.code == code, name
        assert content(home) == before, name


@pytest.mark.parametrize("name", REPORTERS)
def test_a_damaged_persons_home_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    damage, code = REPORTERS[name]
    home = home_of(tmp_path, Role.REPORTER, PASSPHRASE)
    damage(home)
    before = content(home)
    with pytest.raises(Refusal) as refused:
        open_home(home, passphrase=PASSPHRASE).close()
    assert refused.value.code == code
    assert content(home) == before


@pytest.mark.parametrize("name", ["a version that is none", "a later page broken", "no bundles"])
def test_daemon_and_command_say_the_same_in_three_sentences(tmp_path: Path, name: str) -> None:
    damage, code = RELAYS[name]
    home = home_of(tmp_path, Role.RELAY, None)
    damage(home)
    daemon = run("meshnewsd", "--home", str(home))
    command = run("meshnews_cli", "status", "--json", "--home", str(home))
    assert (daemon.returncode, command.returncode) == (1, 1)
    refused = json.loads(command.stderr)["refused"]
    assert refused["code"] == code
    assert daemon.stderr.splitlines() == [refused[key] for key in ("what", "meaning", "remedy")]


def test_what_only_the_nodes_start_finds_broken_is_told_too(tmp_path: Path) -> None:
    home = home_of(tmp_path, Role.REPORTER, PASSPHRASE)
    flip("vault.db", PAGE_BYTES + 3000)(home)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    secret = ("--home", str(home), "--passphrase-file", str(tmp_path / "passphrase"))
    daemon = run("meshnewsd", *secret)
    command = run("meshnews_cli", "status", "--json", *secret)
    assert (daemon.returncode, command.returncode) == (1, 1)
    refused = json.loads(command.stderr)["refused"]
    assert refused["code"] == "home-damaged"
    assert refused["what"] in daemon.stderr
    assert "Traceback" not in daemon.stderr


def test_a_configuration_that_is_refused_is_told_by_commands_too(tmp_path: Path) -> None:
    home = home_of(tmp_path, Role.RELAY, None)
    (home / "config.toml").write_text("prot = 1\n")
    command = run("meshnews_cli", "status", "--json", "--home", str(home))
    assert command.returncode == 1
    assert "'prot'" in json.loads(command.stderr)["refused"]["what"]
