"""docs/operating.md, done as it says: its own blocks, on a clean server under systemd."""

import re
import shutil
import time
from pathlib import Path

import pytest

from tests.e2e import debian
from tests.e2e.debian import Server
from tests.e2e.internet import Internet, open_internet
from tests.e2e.newsroom import Newsroom
from tests.e2e.test_wire import states, wire
from tests.e2e.world import CommandFailed, Machine, open_world, wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(debian.missing()), reason=f"needs {' '.join(debian.missing())} (apt install)"
    ),
]

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
ADDRESS = "203.0.113.7"
PACKAGES = ("python3-venv",)
TEN_MINUTES_S = 600.0
CARRIED = ("hub.request", "hub.card")
AGAIN = "systemctl show --property=NRestarts --property=ActiveState --value hub | sort"
YES = "y\n"
"""What a person says who has compared the words."""


def blocks() -> list[tuple[str, str]]:
    """Return the blocks of the section on a collector, each with the machine it is for."""
    page = PAGE.read_text("utf-8")
    section = page.split("## A collector in ten minutes\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^```sh(?: (editor))?\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return [(machine or "server", script) for machine, script in found]


def fresh_debian() -> None:
    """Have a clean root and wheels, or skip: they come from the internet the first time."""
    try:
        debian.make_root(*PACKAGES)
        debian.make_wheels()
    except CommandFailed as exc:
        pytest.skip(f"a clean Debian could not be fetched: {exc}")


def at_the_editors(editor: Machine, script: str, folder: Path, pin: str) -> None:
    """Run a block at the editor's machine, in a folder; its words in capitals are filled in."""
    for line in script.replace("SHA256", pin).splitlines():
        words = line.split("#")[0].split()
        assert words[0] == "meshnews", line
        words = [str(folder / word) if word in CARRIED else word for word in words[1:]]
        editor.cli(*words, stdin=YES)


def follow(server: Server, root: Path, editor: Machine, folder: Path) -> None:
    """Do what the page says, block by block, and carry files between the two machines."""
    said, asked = "", set[str]()
    for where, script in blocks():
        for name in CARRIED:
            if where == "editor" and name in script and "-o " + name not in script:
                shutil.copy(root / "var" / "lib" / "hub" / name, folder / name)
            elif where == "server" and f" {name} " in script and (folder / name).exists():
                shutil.copy(folder / name, root / "root" / name)
        if where == "server":
            said += server.shell(script, stdin=YES)
        else:
            pins = re.findall(r"\b[0-9a-f]{64}\b", said)
            at_the_editors(editor, script, folder, pins[-1] if pins else "")
        asked.add(where)
    assert asked == {"server", "editor"}


def test_a_collector_stands_in_ten_minutes_by_what_the_page_says(tmp_path: Path) -> None:
    fresh_debian()
    with open_world(tmp_path) as world, open_internet(world) as internet:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        ground = world.machine("server")
        for machine in (editor, ground):
            internet.join(machine)
        internet.gives(ground, ADDRESS)
        editor.start()
        folder = tmp_path / "carried"
        folder.mkdir()
        with debian.boot(tmp_path / "server", ground.namespace) as server:
            began = time.monotonic()
            follow(server, tmp_path / "server" / "root", editor, folder)
            wait_until(lambda: wire(editor)["up_since"], within_s=90, what="the editor is there")
            took_s = time.monotonic() - began
            print(f"a collector that its desk has called: {took_s:.0f} s after the first block")
            assert took_s < TEN_MINUTES_S
            assert server.shell("systemctl is-active hub").strip() == "active"
            assert seen_of_it(server) == ["hub", "hub", "hub"]
            a_flash_gets_through(newsroom, internet, editor)
            server.shell("systemctl kill --signal=KILL hub")
            wait_until(
                lambda: server.shell(AGAIN).split() == ["1", "active"],
                within_s=60,
                what="the system has started it again",
            )


def seen_of_it(server: Server) -> list[str]:
    """Return who its process is, what it is called, and the words it was called with."""
    return server.shell(
        'cd "/proc/$(systemctl show --property=MainPID --value hub)"\n'
        "stat -c %U . && cat comm && tr '\\0' ' ' <cmdline"
    ).split()


def a_flash_gets_through(newsroom: Newsroom, internet: Internet, editor: Machine) -> None:
    """Let a gateway bring a reporter's flash, with the interval that collectors come with."""
    world = newsroom.world
    gateway, reporter = newsroom.add("relay-1", "relay"), newsroom.add("reporter-1", "reporter")
    for joiner in (gateway, reporter):
        newsroom.enrol(editor, joiner)
    for machine in (gateway, reporter):
        machine.start()
    reporter.cli("file", "-", "--slug", "square", "--flash", "--now", stdin="Алаңда атыс.")
    world.meet(reporter, gateway)
    wait_until(lambda: states(reporter) == ["carried"], within_s=60, what="carried")
    internet.join(gateway)
    wait_until(lambda: states(reporter) == ["received"], within_s=300, what="received")
