"""The home's folder, its lock and its key files."""

import os
import stat
from pathlib import Path

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.errors import Refusal
from meshnewsd.storage.fault import StoreDamaged
from meshnewsd.storage.home import (
    HOME_VERSION,
    SEED_FILE,
    SLOTS_FILE,
    STORAGE_FILES,
    VERSION_FILE,
    check_home,
    create_home,
    hold_home,
)
from meshnewsd.storage.keys import (
    SLOTS_MAX,
    Cost,
    add_passphrase,
    burn_keys,
    change_passphrase,
    create_keys,
    open_keys,
    wants_passphrase,
)

CHEAP = Cost(passes=1, memory_bytes=8192)
RIGHT, OTHER = "correct horse", "battery staple"
TELLING = ("press", "news", "mesh", "secure", "report", "dispatch", "desk")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    create_home(folder)
    return folder


def entropy(seed: int = 0) -> SeededEntropy:
    return SeededEntropy(b"home" + bytes((seed,)))


def code_of(caught: pytest.ExceptionInfo[Refusal]) -> str:
    return caught.value.code


# The folder


def test_a_home_is_for_its_owner_only(home: Path) -> None:
    create_keys(home, entropy(), passphrase=RIGHT, cost=CHEAP)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in home.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [[], ["config.toml"]])
def test_a_folder_that_was_there_is_closed_when_it_becomes_a_home(
    tmp_path: Path, content: list[str]
) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    for name in content:
        (folder / name).touch()
    folder.chmod(0o755)
    create_home(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_with_something_else_in_it_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "letters").touch()
    tmp_path.chmod(0o755)
    create_home(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    with pytest.raises(Refusal):
        create_home(tmp_path)


def test_no_name_says_what_it_is_for(home: Path) -> None:
    create_keys(home, entropy(), passphrase=RIGHT, cost=CHEAP)
    for name in (*STORAGE_FILES, *(path.name for path in home.iterdir())):
        assert not any(word in name for word in TELLING)
    for path in home.iterdir():
        content = path.read_bytes().lower()
        assert not any(word.encode() in content for word in TELLING)


def test_a_home_is_not_made_twice(home: Path) -> None:
    with pytest.raises(Refusal) as refused:
        create_home(home)
    assert code_of(refused) == "home-exists"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Refusal) as refused:
        create_home(tmp_path / "file" / "home")
    assert code_of(refused) == "home-not-made"


def test_a_folder_without_a_version_is_no_home(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(Refusal) as refused:
            check_home(folder)
        assert code_of(refused) == "no-home"


@pytest.mark.parametrize(
    ("version", "code"),
    [
        (b"%d\n" % (HOME_VERSION + 1), "newer-home"),
        (b"999999999999\n", "newer-home"),
        (b"%d\n" % (HOME_VERSION - 1), "older-home"),
    ],
)
def test_a_home_of_another_version_is_refused_and_left_alone(
    home: Path, version: bytes, code: str
) -> None:
    (home / VERSION_FILE).write_bytes(version)
    before = {each.name: each.read_bytes() for each in home.iterdir()}
    for attempt in (check_home, open_keys, wants_passphrase):
        with pytest.raises(Refusal) as refused:
            attempt(home)
        assert code_of(refused) == code
    assert {each.name: each.read_bytes() for each in home.iterdir()} == before


@pytest.mark.parametrize("version", [b"", b"x", b"-1", b"1" * 4000])
def test_a_version_that_is_none_is_damage_or_newer(home: Path, version: bytes) -> None:
    (home / VERSION_FILE).write_bytes(version)
    with pytest.raises((StoreDamaged, Refusal)):
        check_home(home)


def test_a_home_is_held_by_one_at_a_time(home: Path) -> None:
    with hold_home(home):
        with pytest.raises(Refusal) as refused, hold_home(home):
            pytest.fail("held twice")
        assert code_of(refused) == "home-in-use"
    with hold_home(home):
        pass


# Keys


def test_the_same_keys_come_back(home: Path) -> None:
    made = create_keys(home, entropy(), passphrase=RIGHT, cost=CHEAP)
    assert wants_passphrase(home)
    again = open_keys(home, passphrase=RIGHT)
    assert again == made
    assert made.vault is not None
    assert made.vault != made.carry
    assert made.carry.raw.hex() not in repr(made)


def test_a_relay_needs_no_passphrase_and_has_no_vault(home: Path) -> None:
    made = create_keys(home, entropy(), passphrase=None)
    assert not wants_passphrase(home)
    assert open_keys(home) == made
    assert made.vault is None
    assert not (home / SLOTS_FILE).exists()


def test_no_two_homes_have_the_same_keys(tmp_path: Path) -> None:
    keys = []
    for seed in range(2):
        create_home(tmp_path / str(seed))
        keys.append(create_keys(tmp_path / str(seed), entropy(seed), passphrase=None).carry.raw)
    assert keys[0] != keys[1]


def test_a_wrong_or_missing_passphrase_is_refused(home: Path) -> None:
    create_keys(home, entropy(), passphrase=RIGHT, cost=CHEAP)
    for passphrase, code in (("wrong", "wrong-passphrase"), (None, "passphrase-wanted")):
        with pytest.raises(Refusal) as refused:
            open_keys(home, passphrase=passphrase)
        assert code_of(refused) == code


def test_keys_are_not_made_twice(home: Path) -> None:
    made = create_keys(home, entropy(), passphrase=RIGHT, cost=CHEAP)
    for passphrase in ("two", None):
        with pytest.raises(Refusal) as refused:
            create_keys(home, entropy(1), passphrase=passphrase, cost=CHEAP)
        assert code_of(refused) == "keys-exist"
    assert open_keys(home, passphrase=RIGHT) == made


def test_a_changed_passphrase_opens_in_place_of_the_old_one(home: Path) -> None:
    made = create_keys(home, entropy(), passphrase=RIGHT, cost=CHEAP)
    with pytest.raises(Refusal):
        change_passphrase(home, entropy(1), old="wrong", new=OTHER, cost=CHEAP)
    change_passphrase(home, entropy(1), old=RIGHT, new=OTHER, cost=CHEAP)
    assert open_keys(home, passphrase=OTHER) == made
    with pytest.raises(Refusal):
        open_keys(home, passphrase=RIGHT)
    assert sorted(path.name for path in home.iterdir()) == [SEED_FILE, SLOTS_FILE, VERSION_FILE]


def test_several_passphrases_open_one_home_up_to_a_limit(home: Path) -> None:
    made = create_keys(home, entropy(), passphrase=RIGHT, cost=CHEAP)
    for number in range(1, SLOTS_MAX):
        add_passphrase(home, entropy(number), old=RIGHT, new=str(number), cost=CHEAP)
    assert open_keys(home, passphrase=str(SLOTS_MAX - 1)) == made
    assert open_keys(home, passphrase=RIGHT) == made
    with pytest.raises(Refusal) as refused:
        add_passphrase(home, entropy(9), old=RIGHT, new="9", cost=CHEAP)
    assert code_of(refused) == "too-many-passphrases"


def test_the_old_slots_are_overwritten_on_the_disk(home: Path, tmp_path: Path) -> None:
    create_keys(home, entropy(), passphrase=RIGHT, cost=CHEAP)
    os.link(home / SLOTS_FILE, tmp_path / "what a laboratory finds")
    change_passphrase(home, entropy(1), old=RIGHT, new=OTHER, cost=CHEAP)
    assert not any((tmp_path / "what a laboratory finds").read_bytes())


def test_without_the_erase_secret_the_passphrase_is_worth_nothing(
    home: Path, tmp_path: Path
) -> None:
    made = create_keys(home, entropy(), passphrase=RIGHT, cost=CHEAP)
    os.link(home / SEED_FILE, tmp_path / "what a laboratory finds")
    burn_keys(home)
    assert (tmp_path / "what a laboratory finds").read_bytes() == b""
    with pytest.raises(Refusal) as refused:
        open_keys(home, passphrase=RIGHT)
    assert code_of(refused) == "home-destroyed"
    with pytest.raises(FileNotFoundError):
        burn_keys(home)
    (home / SEED_FILE).write_bytes(b"\x01\x01" + bytes(32))
    assert open_keys(home, passphrase=RIGHT) != made


@pytest.mark.parametrize(
    "content", [b"", b"\x01", b"\x02\x01" + bytes(32), b"\x01\x01" + bytes(31)]
)
def test_a_broken_seed_is_said_to_be_damage(home: Path, content: bytes) -> None:
    create_keys(home, entropy(), passphrase=None)
    (home / SEED_FILE).write_bytes(content)
    with pytest.raises(StoreDamaged):
        open_keys(home)


@pytest.mark.parametrize("cut", [0, 1, 2, 50, 98])
def test_broken_slots_are_said_to_be_damage(home: Path, cut: int) -> None:
    create_keys(home, entropy(), passphrase=RIGHT, cost=CHEAP)
    slots = (home / SLOTS_FILE).read_bytes()
    for content in (slots[:cut], slots[:2] + bytes(97), slots + b"x"):
        (home / SLOTS_FILE).write_bytes(content)
        with pytest.raises(StoreDamaged):
            open_keys(home, passphrase=RIGHT)
    (home / SLOTS_FILE).unlink()
    with pytest.raises(StoreDamaged):
        open_keys(home, passphrase=RIGHT)
