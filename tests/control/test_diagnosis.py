"""What the doctor makes of what it is told about the machine and its networks."""

from pathlib import Path

import pytest

from meshnews.control.finding import Check, Finding, Level
from meshnewsd.control.machine_diagnosis import Premises, as_name, of_machine, of_premises
from meshnewsd.control.network_diagnosis import of_networks, of_ports
from meshnewsd.discovery.air import Way
from meshnewsd.discovery.interface import Health
from meshnewsd.platform.interfaces import InterfaceAddress

PORT = 48721
LOOPBACK = InterfaceAddress("lo", 1, "127.0.0.1")
CABLE = InterfaceAddress("eth0", 2, "192.0.2.5")
CABLE_6 = InterfaceAddress("eth0", 2, "fe80::5")
RADIO_6 = InterfaceAddress("wlan0", 3, "fe80::6")
ALL_WAYS = frozenset(("eth0", way) for way in Way)


def diagnose(health: Health, *here: InterfaceAddress, has_finders: bool = True) -> list[Finding]:
    return of_networks(here, health, has_finders=has_finders, port=PORT)


def problems(findings: list[Finding]) -> list[tuple[Check, str]]:
    return [(each.check, each.name) for each in findings if each.level is not Level.GOOD]


def test_a_machine_on_a_network_that_lets_calls_in_has_no_problem() -> None:
    findings = diagnose(Health(open=ALL_WAYS), LOOPBACK, CABLE, CABLE_6)
    assert problems(findings) == []
    assert [each.check for each in findings] == [Check.NETWORKS, Check.FIREWALL]


def test_a_machine_without_a_network_is_told_only_that() -> None:
    assert problems(diagnose(Health(), LOOPBACK)) == [(Check.NETWORKS, "")]


def test_a_network_without_ipv4_is_named() -> None:
    findings = diagnose(Health(open=ALL_WAYS), CABLE, CABLE_6, RADIO_6)
    assert problems(findings) == [(Check.IPV4, "wlan0")]


def test_a_firewall_that_lets_nothing_in_is_one_problem() -> None:
    (problem,) = [each for each in diagnose(Health(deaf=ALL_WAYS), CABLE, CABLE_6)
                  if each.level is not Level.GOOD]  # fmt: skip
    assert (problem.check, problem.name, problem.number) == (Check.FIREWALL, "eth0", PORT)


@pytest.mark.parametrize(
    ("deaf", "checks"),
    [
        ({Way.MULTICAST, Way.MULTICAST_6}, [Check.FIREWALL_MULTICAST]),
        ({Way.MULTICAST}, [Check.FIREWALL_MULTICAST]),
        ({Way.BROADCAST}, [Check.FIREWALL_BROADCAST]),
        ({Way.BROADCAST, Way.MULTICAST}, [Check.FIREWALL_IPV4]),
        ({Way.MULTICAST_6}, [Check.FIREWALL_IPV6]),
        ({Way.BROADCAST, Way.MULTICAST_6}, [Check.FIREWALL_BROADCAST, Check.FIREWALL_IPV6]),
        (set(Way), [Check.FIREWALL]),
    ],
)
def test_a_firewall_is_told_with_the_calls_that_it_keeps_away_and_no_others(
    deaf: set[Way], checks: list[Check]
) -> None:
    kept_away = frozenset(("eth0", way) for way in deaf)
    findings = diagnose(Health(open=ALL_WAYS - kept_away, deaf=kept_away), CABLE, CABLE_6)
    assert problems(findings) == [(check, "eth0") for check in checks]


def test_who_neither_called_nor_heard_is_told_that_nothing_is_known() -> None:
    assert problems(diagnose(Health(), CABLE)) == [(Check.FIREWALL_UNKNOWN, "")]
    assert problems(diagnose(Health(), CABLE, has_finders=False)) == [], "it looks for nobody"


def test_nothing_is_said_of_a_firewall_while_it_is_too_early_to_tell() -> None:
    findings = diagnose(Health(pending=ALL_WAYS), CABLE)
    assert [each.check for each in findings] == [Check.NETWORKS]


def test_a_network_that_carries_no_multicast_is_named_once() -> None:
    missing = frozenset({("eth0", Way.MULTICAST), ("eth0", Way.MULTICAST_6)})
    findings = diagnose(Health(open=ALL_WAYS, missing=missing), CABLE)
    assert problems(findings) == [(Check.NO_MULTICAST, "eth0")]


def test_what_cannot_be_sent_and_who_takes_our_name_is_told() -> None:
    health = Health({"eth0": "not permitted"}, open=ALL_WAYS, rivals=frozenset({"0123456789ab"}))
    assert problems(diagnose(health, CABLE)) == [
        (Check.CALLS, "eth0"),
        (Check.NAME_TAKEN, "0123456789ab"),
    ]


@pytest.fixture
def premises(tmp_path: Path) -> Premises:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o700)
    for name in ("config.toml", "seed"):
        (home / name).touch()
        (home / name).chmod(0o600)
    return Premises(home, home / "config.toml")


def test_what_is_open_in_a_closed_home_is_a_warning_and_in_an_open_one_bad(
    premises: Premises,
) -> None:
    assert problems(of_premises(premises)) == []
    (premises.home / "seed").chmod(0o644)
    premises.config.chmod(0o644)
    expected = [(Check.CONFIG, str(premises.config)), (Check.FILES, "seed")]
    findings = of_premises(premises)
    assert problems(findings) == expected
    assert {each.level for each in findings if each.check is not Check.HOME} == {Level.WARNING}
    premises.home.chmod(0o755)
    assert {each.level for each in of_premises(premises)} == {Level.BAD}


def test_a_configuration_outside_the_home_that_is_open_is_bad(
    premises: Premises, tmp_path: Path
) -> None:
    config = tmp_path / "relay.toml"
    config.touch()
    config.chmod(0o644)
    (_, finding) = of_premises(Premises(premises.home, config))
    assert (finding.check, finding.level) == (Check.CONFIG, Level.BAD)


def test_a_command_without_a_daemon_is_not_asked_whether_it_is_a_service(
    premises: Premises,
) -> None:
    checks = {each.check: each.level for each in of_machine(premises, once=True)}
    assert checks[Check.DAEMON] is Level.WARNING
    assert not checks.keys() & {Check.SERVICE, Check.ENABLED, Check.LINGER}


def test_a_path_of_any_bytes_becomes_text() -> None:
    assert as_name("/home/\udcff") == "/home/\ufffd"
    assert len(as_name("x" * 9000)) == 4096


def test_every_port_that_cannot_be_had_is_named() -> None:
    assert of_ports([]) == []
    said = [(each.check, each.level, each.number) for each in of_ports([80, 7117])]
    assert said == [(Check.PORT, Level.BAD, 80), (Check.PORT, Level.BAD, 7117)]
