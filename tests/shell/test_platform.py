import gc
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from meshnews.control.place import SOCKET_PATH_BYTES_MAX
from meshnewsd.platform import process
from meshnewsd.platform.clock import (
    PLAUSIBLE_WALL_S,
    TRUST_KEPT_S,
    ClockTrust,
    MachineClock,
    is_synchronised,
)
from meshnewsd.platform.entropy import OsEntropy
from meshnewsd.platform.interfaces import (
    POLL_TOLD_S,
    AddressWatch,
    InterfaceAddress,
    list_addresses,
)
from meshnewsd.platform.paths import find_home, reachable
from meshnewsd.platform.systemd import READY, Notifier

LATER_S = PLAUSIBLE_WALL_S + 1e6


# The clock


def clock(tmp_path: Path, *, synchronised: bool, chip: bool, trust: str = "auto") -> MachineClock:
    rtc = tmp_path / "rtc0"
    if chip:
        rtc.mkdir()
    return MachineClock(ClockTrust(trust), clock_chip=rtc, synchronised=lambda: synchronised)


@pytest.mark.parametrize(
    ("synchronised", "chip", "wall_s", "believed"),
    [
        (False, False, LATER_S, False),
        (True, False, LATER_S, True),
        (False, True, LATER_S, True),
        (True, True, LATER_S, True),
        (True, True, 600.0, False),
        (False, True, PLAUSIBLE_WALL_S - 1, False),
    ],
)
def test_the_wall_clock_is_believed_when_something_vouches_for_a_plausible_time(
    tmp_path: Path, synchronised: bool, chip: bool, wall_s: float, believed: bool
) -> None:
    ours = clock(tmp_path, synchronised=synchronised, chip=chip)
    assert ours.is_trusted(boot_s=1.0, wall_s=wall_s) is believed


def test_the_configuration_may_overrule_it(tmp_path: Path) -> None:
    trusted = clock(tmp_path, synchronised=False, chip=False, trust="trusted")
    assert trusted.is_trusted(boot_s=1.0, wall_s=0.0)
    untrusted = clock(tmp_path, synchronised=True, chip=True, trust="untrusted")
    assert not untrusted.is_trusted(boot_s=1.0, wall_s=LATER_S)


def test_a_clock_that_becomes_synchronised_is_soon_believed(tmp_path: Path) -> None:
    answers = iter([False, True])
    ours = MachineClock(clock_chip=tmp_path / "none", synchronised=lambda: next(answers))
    assert not ours.is_trusted(boot_s=100.0, wall_s=LATER_S)
    assert not ours.is_trusted(boot_s=100.0 + TRUST_KEPT_S / 2, wall_s=LATER_S)
    assert ours.is_trusted(boot_s=100.0 + TRUST_KEPT_S, wall_s=LATER_S)


def test_this_machine_tells_its_boot_and_its_time() -> None:
    first, second = MachineClock()(), MachineClock()()
    assert first.boot_id == second.boot_id
    assert len(first.boot_id) == 16
    assert 0 < first.boot_s <= second.boot_s
    assert isinstance(is_synchronised(), bool)


def test_a_boot_without_a_name_begins_with_the_program(tmp_path: Path) -> None:
    named = tmp_path / "boot_id"
    named.write_text("01234567-89ab-cdef-0123-456789abcdef\n")
    assert MachineClock(boot_id_file=named)().boot_id.hex() == "0123456789abcdef0123456789abcdef"
    named.write_text("what")
    for nameless in (named, tmp_path / "none"):
        first, second = MachineClock(boot_id_file=nameless), MachineClock(boot_id_file=nameless)
        assert first().boot_id == first().boot_id != second().boot_id
        # However long this machine was on before: with every start that would be lived again.
        assert 0.0 <= first().boot_s < 60.0


# Paths


def test_the_home_given_comes_before_the_environment_and_that_before_the_default() -> None:
    environment = {"MESHNEWS_HOME": "/from/environment", "HOME": "/root"}
    assert find_home("/given", environment) == Path("/given")
    assert find_home(None, environment) == Path("/from/environment")
    default = find_home(None, {"MESHNEWS_HOME": ""})
    assert default.is_absolute()
    assert not re.search("press|news|mesh|secure|report|dispatch|desk", default.name)


@pytest.mark.parametrize("depth", [0, 12])
def test_a_socket_is_reached_however_long_its_path(tmp_path: Path, depth: int) -> None:
    home = tmp_path.joinpath(*["a-long-directory-name"] * depth)
    home.mkdir(parents=True, exist_ok=True)
    path = home / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as caller:
        with reachable(path) as name:
            assert len(os.fsencode(name)) <= SOCKET_PATH_BYTES_MAX
            listener.bind(name)
        listener.listen(1)
        assert stat.S_ISSOCK(path.stat().st_mode)
        with reachable(path) as name:
            caller.connect(name)


def test_reaching_leaves_no_descriptor_open(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 90) / "control.sock"
    path.parent.mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with reachable(path) as name:
        assert "/proc/self/fd/" in name
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# The service manager


def test_the_service_manager_hears_what_is_said(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).say(READY)
        assert manager.recv(100) == b"READY=1"


def test_an_abstract_name_is_understood() -> None:
    name = f"{os.getpid()}-notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).say(READY)
        assert manager.recv(100) == b"READY=1"


def test_without_a_manager_nothing_happens() -> None:
    Notifier({}).say(READY)
    Notifier({"NOTIFY_SOCKET": "/nowhere/at/all"}).say(READY)


@pytest.mark.parametrize(
    ("environment", "within_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_fed_only_where_it_waits_for_us(
    environment: dict[str, str], within_s: float | None
) -> None:
    assert Notifier(environment).watchdog_s == within_s


# The process

SHOW_PROCESS = """
import os, resource, sys
from pathlib import Path
from meshnewsd.platform import process
process.harden()
process.rename(sys.argv[1])
print(Path("/proc/self/comm").read_text().strip())
print(Path("/proc/self/cmdline").read_bytes().rstrip(b"\\0").decode())
print(resource.getrlimit(resource.RLIMIT_CORE))
Path(sys.argv[2]).touch()
"""


def test_what_is_loaded_is_not_looked_through_again() -> None:
    before = gc.get_threshold()
    try:
        process.keep_what_is_loaded()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == process.COLLECTED_EACH
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@pytest.mark.parametrize("title", ["relayd", "a much longer title than a name may be"])
def test_a_process_shows_its_title_and_keeps_its_files_to_itself(
    tmp_path: Path, title: str
) -> None:
    made = tmp_path / "made"
    daemon = Path(process.__file__).parents[2]
    paths = os.pathsep.join([str(daemon), str(daemon.parent)])
    shown = subprocess.run(
        [sys.executable, "-c", SHOW_PROCESS, title, str(made)],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert shown == [title[:15], title, "(0, 0)"]
    assert stat.S_IMODE(made.stat().st_mode) == 0o600


# Interfaces and randomness


def test_this_machine_has_a_loopback() -> None:
    assert any(each.is_loopback and each.address == "127.0.0.1" for each in list_addresses())


async def test_a_change_of_addresses_is_told_once(autojump_clock: MockClock) -> None:
    home = InterfaceAddress("lo", 1, "127.0.0.1")
    cable = InterfaceAddress("eth0", 2, "192.0.2.1")
    seen = iter([{home}, {home}, {home, cable}, {home, cable}, {home}])
    watch = AddressWatch(lambda: frozenset(next(seen)))
    began_s = trio.current_time()
    assert await watch.changed() == {home, cable}
    # Nothing changed that the kernel would have told of.
    assert trio.current_time() - began_s == pytest.approx(POLL_TOLD_S)
    assert await watch.changed() == {home}
    assert watch.addresses == {home}


def test_randomness_has_the_asked_for_length_and_does_not_repeat() -> None:
    assert len(OsEntropy().draw(32)) == 32
    assert OsEntropy().draw(16) != OsEntropy().draw(16)
