"""What `init` writes into a new home's configuration: what its keeper said, and nothing else."""

import stat
from pathlib import Path

import pytest

from meshnews.control.fact import Role, Visibility
from meshnews.control.request import Init
from meshnews.errors import Refusal
from meshnews.node.settings import Visibility as HomeVisibility
from meshnewsd.config import load_config
from meshnewsd.once import make_home

SILENT, VEILED, OPEN = Visibility.SILENT, Visibility.VEILED, Visibility.OPEN


def relay(wish: Visibility | None, *, endpoint: bool = False) -> Init:
    return Init(Role.RELAY, endpoint, None, wish)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def fixed(home: Path) -> HomeVisibility | None:
    return load_config(home / "config.toml").visibility


@pytest.mark.parametrize("wish", [VEILED, SILENT])
def test_what_is_not_usual_for_the_role_is_written_down(home: Path, wish: Visibility) -> None:
    make_home(home, relay(wish))
    assert fixed(home) is HomeVisibility(wish.value)
    assert stat.S_IMODE((home / "config.toml").stat().st_mode) == 0o600


@pytest.mark.parametrize("wish", [OPEN, None])
def test_what_is_usual_is_not_fixed(home: Path, wish: Visibility | None) -> None:
    make_home(home, relay(wish))
    assert not (home / "config.toml").exists()


def test_a_person_who_wants_silence_can_still_trust_a_network_later(home: Path) -> None:
    make_home(home, Init(Role.REPORTER, False, "four words for me", SILENT))
    assert not (home / "config.toml").exists()


def configured(home: Path, text: str) -> bytes:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(text)
    return (home / "config.toml").read_bytes()


@pytest.mark.parametrize("said", [None, HomeVisibility.SILENT])
def test_a_configuration_that_says_otherwise_is_left_alone_and_no_home_is_made(
    home: Path, said: HomeVisibility | None
) -> None:
    before = configured(home, "port = 7117\n")
    with pytest.raises(Refusal) as refusal:
        make_home(home, relay(VEILED), said=said)
    assert refusal.value.code == "config-differs"
    assert [path.name for path in home.iterdir()] == ["config.toml"]
    assert (home / "config.toml").read_bytes() == before


@pytest.mark.parametrize(("wish", "said"), [(OPEN, None), (VEILED, HomeVisibility.VEILED)])
def test_a_configuration_that_says_the_same_is_kept(
    home: Path, wish: Visibility, said: HomeVisibility | None
) -> None:
    before = configured(home, "port = 7117\n")
    make_home(home, relay(wish), said=said)
    assert (home / "config.toml").read_bytes() == before
