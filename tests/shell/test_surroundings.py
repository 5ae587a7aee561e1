"""What the system tells about networks and swap, and how finders fare."""

import getpass
import os
from dataclasses import replace
from pathlib import Path

import pytest

from meshnews.control.fact import RadioState
from meshnews.node.event import Network
from meshnewsd.discovery.air import Way
from meshnewsd.discovery.interface import Health, Outlook, Radio, reachable
from meshnewsd.platform.battery import percent_left
from meshnewsd.platform.host_checks import (
    Comeback,
    Places,
    comeback,
    hides_bluetooth_address,
    is_a_service,
    readable_swap,
)
from meshnewsd.platform.interfaces import InterfaceAddress
from meshnewsd.platform.networks import find_networks

LOOPBACK = InterfaceAddress("lo", 1, "127.0.0.1")
CABLE = InterfaceAddress("eth0", 2, "192.0.2.5")
CABLE_6 = InterfaceAddress("eth0", 2, "fe80::5")
RADIO = InterfaceAddress("wlan0", 3, "198.51.100.5")

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""
NEIGHBOURS = """\
IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0
192.0.2.7        0x1         0x0         00:00:00:00:00:00     *        eth0
"""
ROUTES_6 = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fe800000000000000000000000000001 00000400 00000003 00000000 00000003    wlan0\n"
    "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000100 00000002 00000000 00000001    wlan0\n"
)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    (tmp_path / "route").write_text(ROUTES)
    (tmp_path / "arp").write_text(NEIGHBOURS)
    (tmp_path / "ipv6_route").write_text(ROUTES_6)
    return tmp_path


def test_a_network_is_known_by_its_router(tables: Path) -> None:
    assert find_networks([LOOPBACK, CABLE, CABLE_6, RADIO], tables) == (
        Network("eth0", b"4" + bytes.fromhex("02fc00000005")),
        Network("wlan0", b"6" + bytes.fromhex("fe800000000000000000000000000001")),
    )


def test_a_router_whose_hardware_is_not_known_yet_marks_nothing(tables: Path) -> None:
    (tables / "arp").write_text(NEIGHBOURS.splitlines()[0] + "\n")
    assert find_networks([CABLE], tables) == (Network("eth0", b""),)


def test_a_kernel_without_such_tables_marks_nothing(tmp_path: Path) -> None:
    assert find_networks([CABLE, RADIO], tmp_path) == (Network("eth0", b""), Network("wlan0", b""))


def test_a_machine_without_networks_is_on_none(tables: Path) -> None:
    assert find_networks([LOOPBACK], tables) == ()


def test_a_home_is_found_only_where_its_keeper_restricted_it_to() -> None:
    here = [LOOPBACK, CABLE, RADIO]
    assert reachable(here, None) == [CABLE, RADIO]
    assert reachable(here, ["198.51.100.5"]) == [RADIO]


HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


@pytest.mark.parametrize(
    ("line", "uuid", "found"),
    [
        ("", None, ""),
        ("/dev/zram0 partition 100 0 5\n", None, ""),
        ("/dev/dm-0 partition 100 0 -2\n", "CRYPT-LUKS2-0123", ""),
        ("/dev/dm-0 partition 100 0 -2\n", "LVM-0123", "/dev/dm-0"),
        ("/swapfile file 100 0 -2\n", None, "/swapfile"),
        ("/my\\040swap file 100 0 -2\n", None, "/my swap"),
    ],
)
def test_swap_that_keeps_keys_readable_is_named(
    tmp_path: Path, line: str, uuid: str | None, found: str
) -> None:
    (tmp_path / "swaps").write_text(HEAD + line)
    if uuid is not None:
        (tmp_path / "dm-0" / "dm").mkdir(parents=True)
        (tmp_path / "dm-0" / "dm" / "uuid").write_text(uuid)
    assert readable_swap(tmp_path / "swaps", tmp_path) == found


def test_a_system_without_swap_has_none(tmp_path: Path) -> None:
    assert readable_swap(tmp_path / "none", tmp_path) == ""


def test_who_was_started_by_a_service_manager_knows_it() -> None:
    assert is_a_service({"SYSTEMD_EXEC_PID": str(os.getpid()), "INVOCATION_ID": "0" * 32})
    assert is_a_service({"INVOCATION_ID": "0" * 32}), "an older systemd names no process"
    assert not is_a_service({})


def test_who_was_started_in_a_terminal_that_is_a_service_is_none_itself() -> None:
    inherited = {"SYSTEMD_EXEC_PID": str(os.getppid()), "INVOCATION_ID": "0" * 32}
    assert not is_a_service(inherited)
    assert comeback(inherited) == (Comeback.BY_HAND, "")


MANAGED = {"INVOCATION_ID": "0" * 32}
SYSTEM_GROUPS = "0::/system.slice/relayd.service\n"
USER_GROUPS = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/relayd.service\n"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "linger").mkdir()
    return Places(
        groups=tmp_path / "cgroup",
        system=tmp_path / "system",
        user=(tmp_path / "user",),
        linger=tmp_path / "linger",
    )


def enable(folder: Path, target: str) -> None:
    (folder / target).mkdir(parents=True)
    (folder / target / "relayd.service").symlink_to("/nowhere/relayd.service")


def test_a_service_comes_back_when_a_target_wants_it(places: Places) -> None:
    places.groups.write_text(SYSTEM_GROUPS)
    assert comeback(MANAGED, places) == (Comeback.NOT_ENABLED, "relayd.service")
    enable(places.system, "multi-user.target.wants")
    assert comeback(MANAGED, places) == (Comeback.YES, "relayd.service")


def test_a_users_service_comes_back_only_when_it_lingers(places: Places) -> None:
    places.groups.write_text(USER_GROUPS)
    enable(places.system, "multi-user.target.wants")
    assert comeback(MANAGED, places) == (Comeback.NOT_ENABLED, "relayd.service")
    enable(places.user[0], "default.target.wants")
    assert comeback(MANAGED, places) == (Comeback.NOT_LINGERING, "relayd.service")
    (places.linger / getpass.getuser()).touch()
    assert comeback(MANAGED, places) == (Comeback.YES, "relayd.service")


@pytest.mark.parametrize("groups", ["0::/\n", "", None])
def test_a_manager_that_is_not_systemd_is_believed(places: Places, groups: str | None) -> None:
    if groups is not None:
        places.groups.write_text(groups)
    assert comeback(MANAGED, places) == (Comeback.YES, "")


class FakeFinder:
    name = "fake"

    def __init__(self, health: Health) -> None:
        self.health = health

    def show(self, shown: object) -> None: ...

    def beckon(self, beacons: tuple[bytes, ...], after_s: float) -> None: ...

    async def run(self) -> None: ...


def test_an_outlook_tells_what_any_finder_has_to_tell() -> None:
    assert Outlook().health == Health()
    calling = FakeFinder(
        Health(
            {"eth0": "not permitted"},
            open=frozenset({("wlan0", Way.BROADCAST)}),
            deaf=frozenset({("wlan0", Way.MULTICAST)}),
            missing=frozenset({("eth1", Way.MULTICAST)}),
        )
    )
    naming = FakeFinder(Health(rivals=frozenset({"0123456789ab"})))
    assert Outlook([calling, naming]).health == replace(calling.health, rivals=naming.health.rivals)
    outlook = Outlook([FakeFinder(Health()), FakeFinder(Health(radio=Radio.OFF))])
    assert outlook.health.radio is Radio.OFF


@pytest.mark.parametrize(
    ("text", "hides"),
    [
        ("[General]\nPrivacy = device\n", True),
        ("[General]\n# Privacy = device\n", False),
        ("[General]\nPrivacy=off\n", False),
        ("[General]\nPrivacy = limited-device\n", False),
        ("[Policy]\nAutoEnable=true\n", False),
        ("Privacy = device\n", False),
    ],
)
def test_bluez_says_in_its_configuration_whether_addresses_change(
    tmp_path: Path, text: str, hides: bool
) -> None:
    (tmp_path / "main.conf").write_text(text)
    assert hides_bluetooth_address(tmp_path / "main.conf") is hides


def test_without_a_configuration_of_bluez_addresses_stay_the_same(tmp_path: Path) -> None:
    assert not hides_bluetooth_address(tmp_path / "none")


def battery(folder: Path, name: str, **facts: str) -> None:
    (folder / name).mkdir()
    for what, said in facts.items():
        (folder / name / what).write_text(said + "\n")


def test_the_emptiest_battery_that_is_drained_counts(tmp_path: Path) -> None:
    assert percent_left(tmp_path) == 100
    battery(tmp_path, "AC", type="Mains", online="0")
    battery(tmp_path, "BAT0", type="Battery", status="Discharging", capacity="40")
    battery(tmp_path, "BAT1", type="Battery", status="Discharging", capacity="17")
    battery(tmp_path, "mouse", type="Battery", scope="Device", status="Discharging", capacity="3")
    assert percent_left(tmp_path) == 17


def test_a_battery_that_is_being_charged_is_no_reason_to_rest(tmp_path: Path) -> None:
    battery(tmp_path, "BAT0", type="Battery", status="Charging", capacity="5")
    assert percent_left(tmp_path) == 100
    assert percent_left(tmp_path / "none") == 100


def test_the_doctor_knows_every_way_that_bluetooth_fares() -> None:
    assert {each.value for each in Radio} == {each.value for each in RadioState}
