"""Everything that the daemon and the command line make is for its owner alone, whatever the umask.

Each thing is made as it would be by somebody whose system hands out files to
everybody: with a umask of 0.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.newsroom import Newsroom
from tests.e2e.test_invitation import command
from tests.e2e.test_there_and_back import complete, jpeg
from tests.e2e.world import Machine, open_world, wait_until

pytestmark = pytest.mark.e2e

FILE, FOLDER = 0o600, 0o700


@pytest.fixture(autouse=True)
def _careless_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def too_open(*places: Path) -> list[str]:
    """Return what in some places, and of these places themselves, is open to more than its owner.

    What our own tests write is not looked at: see `tests.e2e.world.Machine.configure`.
    """
    everything = [each for place in places for each in (place, *place.rglob("*"))]
    looked_at = [path for path in everything if path.name != "config.toml"]
    assert looked_at
    return [
        f"{path} {oct(mode)}"
        for path in looked_at
        if (mode := stat.S_IMODE(path.lstat().st_mode)) != (FOLDER if path.is_dir() else FILE)
    ]


def folder_of(tmp_path: Path) -> Path:
    world = tmp_path / "world"
    world.mkdir(mode=FOLDER)
    return world


def kinds(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def invited(editor: Machine, picture: Path) -> None:
    with command(editor, "desk", "invite", "--byline", picture.suffix, "--no-wait",
                 "--qr", str(picture)) as invitation:  # fmt: skip
        invitation.ends()


def test_everything_made_on_a_dispatchs_way_is_for_its_owner_alone(tmp_path: Path) -> None:
    with open_world(folder_of(tmp_path)) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        root, made = tmp_path / "stick", tmp_path / "made"
        for folder in (root, made):
            folder.mkdir(mode=FOLDER)
        editor.cli("desk", "create", "Desk of tests", "--root-folder", str(root),
                   "--root-passphrase-file", str(editor.passphrase_file))  # fmt: skip
        collector = newsroom.add("collector-1", "relay", endpoint=True)
        reporter = newsroom.add("reporter-1", "reporter")
        for joiner in (collector, reporter):
            newsroom.enrol(editor, joiner)
        newsroom.introduce(editor, collector, reporter)
        files = list(world.folder.glob("*.request")) + list(world.folder.glob("*.card"))
        assert len(files) == 4

        for machine in (reporter, collector, editor):
            machine.start()
        for name in ("code.png", "code.svg"):
            invited(editor, made / name)
        jpeg(world.folder / "square.jpg", 300_000)
        (world.folder / "text.txt").write_text("A text.", encoding="utf-8")
        reporter.ask("file", str(world.folder / "text.txt"), "--slug", "square", "--now",
                     "--attach", str(world.folder / "square.jpg"))  # fmt: skip
        world.meet(reporter, collector, editor)
        item = wait_until(lambda: complete(editor), within_s=90, what="all is at the desk")
        editor.ask("open", item["id"], "--save", str(made / "saved"))

        homes = [machine.home for machine in (reporter, collector, editor)]
        assert {"control.sock", "carry.db", "carry.db-wal", "lock", "seed"} <= kinds(collector.home)
        assert {"vault.db", "vault.db-wal", "slots"} <= kinds(reporter.home)
        assert kinds(made) == {"code.png", "code.svg", "saved"}
        assert kinds(made / "saved")
        assert too_open(*homes, root, made, *files) == [], "while they run"
        for machine in (reporter, collector, editor):
            machine.stop()
        assert too_open(*homes) == [], "after they have ended"
        levels = {one["check"]: one["level"] for one in editor.ask("doctor")["findings"]}
        assert levels["home"] == "good"
        assert not levels.keys() & {"socket", "files", "owner"}, "nothing of the kind is found"


def test_a_home_made_with_its_folders_and_configuration_is_for_its_owner_alone(
    tmp_path: Path,
) -> None:
    with open_world(tmp_path) as world:
        machine = world.machine("relay-1")
        home = tmp_path / "new" / "folders" / "home"
        machine.cli("init", "--role", "relay", "--visibility", "veiled", "--home", str(home))
        assert stat.S_IMODE((home / "config.toml").stat().st_mode) == FILE
        assert too_open(tmp_path / "new") == []
