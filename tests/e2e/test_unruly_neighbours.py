"""A member with a valid card that misbehaves, and a network that floods, keep nobody from work."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.newsroom import Newsroom
from tests.e2e.unruly import WAYS
from tests.e2e.world import PORT, Machine, open_world, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PICTURE_BYTES = 300_000
WITHIN_S = 60.0
GROWN_MIB_MAX = 40
"""What a relay may have grown by under all of it."""
FLOOD_S = 20
BEACON_PORT = 48721

FLOOD = """
import os, socket, sys, time
host, how, port, end = sys.argv[1], sys.argv[2], int(sys.argv[3]), time.time() + float(sys.argv[4])
if how == "beacons":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        while time.time() < end:
            for size in (1, 48, 64, 96, 160, 1200):
                out.sendto(os.urandom(size), (host, port))
            time.sleep(0.002)
streams = []
while time.time() < end:
    while len(streams) < 500:
        try:
            streams.append(socket.create_connection((host, port), timeout=2))
        except OSError:
            break
        streams[-1].setblocking(False)
    for each in list(streams):
        try:
            if how == "noise":
                each.send(os.urandom(1))
            if not each.recv(64):
                raise ConnectionResetError
        except BlockingIOError:
            pass
        except OSError:
            each.close()
            streams.remove(each)
    time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def newsroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    with open_world(tmp_path_factory.mktemp("unruly")) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        members = [newsroom.add(name, name.partition("-")[0])
                   for name in ("relay-1", "reporter-1", "reporter-2")]  # fmt: skip
        for member in members:
            newsroom.enrol(editor, member)
        newsroom.introduce(editor, *members)
        for machine in (editor, *members[:2]):
            machine.start()
        world.meet(editor, *members)
        yield newsroom


def memory_mib(machine: Machine) -> float:
    """Return what a daemon has in memory."""
    assert machine.process is not None
    lines = Path(f"/proc/{machine.process.pid}/status").read_text("ascii").splitlines()
    (held,) = (line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(held) / 1024


def comes_through(newsroom: Newsroom, slug: str) -> None:
    """Let the honest reporter file, and see that it comes to the desk whole."""
    machines = newsroom.world.machines
    picture = newsroom.folder / f"{slug}.bin"
    picture.write_bytes(bytes(PICTURE_BYTES))
    machines["reporter-1"].ask("file", "--slug", slug, "--now", "--attach", str(picture))

    def is_there() -> bool:
        items = machines["editor-1"].ask("inbox")["items"]
        return any(item["slug"] == slug and item["attachments_complete"] == 1 for item in items)

    wait_until(is_there, within_s=WITHIN_S, what=f"{slug} is at the desk")


@pytest.mark.parametrize("how", WAYS)
def test_a_member_that_misbehaves_holds_nobody_up(newsroom: Newsroom, how: str) -> None:
    machines = newsroom.world.machines
    relay, unruly = machines["relay-1"], machines["reporter-2"]
    folder = newsroom.folder / how
    folder.mkdir()
    comes_through(newsroom, f"before-{how}")
    before = memory_mib(relay)
    unruly.program = ("tests.e2e.unruly", how, str(folder))
    unruly.start()
    try:
        wait_until(
            (folder / "unruly").exists, within_s=WITHIN_S, what="it has misbehaved on a link"
        )
        comes_through(newsroom, f"during-{how}")
        time.sleep(5)
        assert memory_mib(relay) - before < GROWN_MIB_MAX
    finally:
        unruly.kill()


@pytest.mark.parametrize("how", ["beacons", "noise", "silence"])
def test_a_flood_of_strangers_holds_nobody_up(newsroom: Newsroom, how: str) -> None:
    machines = newsroom.world.machines
    relay, stranger = machines["relay-1"], machines["reporter-2"]
    comes_through(newsroom, f"before-{how}")
    before = memory_mib(relay)
    port = BEACON_PORT if how == "beacons" else PORT
    flood = subprocess.Popen(
        ["ip", "netns", "exec", stranger.namespace, sys.executable, "-c", FLOOD,
         relay.address, how, str(port), str(FLOOD_S)],
    )  # fmt: skip
    try:
        time.sleep(3)
        comes_through(newsroom, f"during-{how}")
        flood.wait(timeout=2 * FLOOD_S)
        assert memory_mib(relay) - before < GROWN_MIB_MAX
    finally:
        flood.kill()
        flood.wait()
