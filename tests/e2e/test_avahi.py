"""What a stranger with avahi-browse sees: a neutral service where we are open, else nothing."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.newsroom import Newsroom
from tests.e2e.world import Machine, open_world, run, wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("avahi-browse") is None, reason="apt install avahi-utils"),
]

BUS = """<busconfig><type>system</type><listen>unix:path={socket}</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/>
<allow receive_sender="*"/></policy></busconfig>
"""
SERVE = """mount -t tmpfs none /run && mkdir /run/avahi-daemon &&
dbus-daemon --config-file="$0" --nofork --nopidfile & sleep 1
exec avahi-daemon -f "$1" --no-drop-root --no-chroot --no-rlimits"""
TELLING = ("press", "news", "mesh", "secure", "report", "dispatch", "desk")


@contextmanager
def avahi(stranger: Machine, folder: Path) -> Iterator[str]:
    """Run an avahi daemon on a stranger's machine; yield the address of its bus."""
    socket = folder / "bus"
    (folder / "bus.conf").write_text(BUS.format(socket=socket))
    (folder / "avahi.conf").write_text("[server]\nhost-name=stranger\n")
    address = f"unix:path={socket}"
    process = subprocess.Popen(
        ["ip", "netns", "exec", stranger.namespace, "unshare", "--pid", "--fork", "--kill-child",
         "--mount", "sh", "-c", SERVE, str(folder / "bus.conf"), str(folder / "avahi.conf")],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DBUS_SYSTEM_BUS_ADDRESS": address},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(socket.exists, within_s=10, what="a bus")
        time.sleep(3)
        yield address
    finally:
        process.kill()
        process.wait(timeout=10)


def browse(stranger: Machine, bus: str) -> list[str]:
    """Return what avahi-browse finds, resolved, one service a line."""
    told = run("ip", "netns", "exec", stranger.namespace, "env", f"DBUS_SYSTEM_BUS_ADDRESS={bus}",
               "timeout", "15", "avahi-browse", "-aprt").stdout  # fmt: skip
    return [line for line in told.splitlines() if line.startswith("=")]


@pytest.mark.parametrize("visibility", ["open", "veiled"])
def test_avahi_sees_a_neutral_service_in_open_and_nothing_in_veiled(
    tmp_path: Path, visibility: str
) -> None:
    with open_world(tmp_path) as world:
        newsroom = Newsroom(world)
        editor = newsroom.add("editor-1", "editor")
        newsroom.found(editor)
        relay = newsroom.add("relay-1", "relay")
        newsroom.enrol(editor, relay)
        relay.settings["visibility"] = f'"{visibility}"'
        stranger = world.machine("stranger-1")
        world.meet(relay, stranger)
        relay.start()
        with avahi(stranger, tmp_path) as bus:
            time.sleep(3)
            seen = [
                line for line in browse(stranger, bus) if relay.address in line or "fd77" in line
            ]
        if visibility == "veiled":
            assert seen == []
        else:
            assert seen
            assert all(";_relay._tcp;" in line for line in seen)
            assert not [word for word in TELLING for line in seen if word in line.lower()]
