"""What the doctor finds on the networks that are in reach."""

from collections.abc import Iterable, Sequence
from typing import Final

from meshnews.control.finding import Check, Finding, Level
from meshnewsd.discovery.air import Way
from meshnewsd.discovery.interface import Health
from meshnewsd.platform.interfaces import InterfaceAddress

_KEPT_AWAY: Final = {
    frozenset({Way.BROADCAST}): (Check.FIREWALL_BROADCAST,),
    frozenset({Way.MULTICAST}): (Check.FIREWALL_MULTICAST,),
    frozenset({Way.MULTICAST, Way.MULTICAST_6}): (Check.FIREWALL_MULTICAST,),
    frozenset({Way.BROADCAST, Way.MULTICAST}): (Check.FIREWALL_IPV4,),
    frozenset({Way.MULTICAST_6}): (Check.FIREWALL_IPV6,),
    frozenset({Way.BROADCAST, Way.MULTICAST_6}): (Check.FIREWALL_BROADCAST, Check.FIREWALL_IPV6),
}
"""What to say of the ways that are shut while another is open: no sentence denies another."""
_NOT_CARRIED: Final = {
    Way.BROADCAST: Check.NO_BROADCAST,
    Way.MULTICAST: Check.NO_MULTICAST,
    Way.MULTICAST_6: Check.NO_MULTICAST,
}
_IPV4_BYTES: Final = 4


def of_networks(
    connected: Iterable[InterfaceAddress], health: Health, *, has_finders: bool, port: int
) -> list[Finding]:
    """Return what the networks in reach have to tell.

    Args:
        connected: the addresses of interfaces that have a carrier.
        health: how the finders fare.
        has_finders: whether anything is looked for on a network at all.
        port: the UDP port of others' calls.
    """
    found = [each for each in connected if not each.is_loopback]
    names = sorted({each.interface for each in found})
    with_ipv4 = {each.interface for each in found if len(each.packed) == _IPV4_BYTES}
    findings = [
        Finding(
            check=Check.NETWORKS,
            level=Level.GOOD if names else Level.WARNING,
            number=len(names),
        )
    ]
    findings += [_warning(Check.IPV4, name) for name in names if name not in with_ipv4]
    findings += [_warning(Check.CALLS, name, port) for name in sorted(health.troubles)]
    if has_finders and names:
        findings += _of_firewalls(names, health, port)
    findings += _unique(_warning(_NOT_CARRIED[way], name) for name, way in sorted(health.missing))
    findings += [_warning(Check.NAME_TAKEN, name) for name in sorted(health.rivals)]
    return findings


def of_ports(missing: Iterable[int]) -> list[Finding]:
    """Return one finding for each port that was named and cannot be had."""
    return [Finding(check=Check.PORT, level=Level.BAD, number=port) for port in missing]


def _of_firewalls(names: Sequence[str], health: Health, port: int) -> list[Finding]:
    """Return one finding for each interface where something is kept away, or one for all."""
    findings: list[Finding] = []
    for name in names:
        deaf = frozenset(way for interface, way in health.deaf if interface == name)
        if not deaf:
            continue
        is_shut = not any(interface == name for interface, _ in health.open)
        checks = (Check.FIREWALL,) if is_shut else _KEPT_AWAY[deaf]
        findings += [_warning(check, name, port) for check in checks]
    if findings or (health.pending and not health.open):
        return findings
    check = Check.FIREWALL if health.open else Check.FIREWALL_UNKNOWN
    level = Level.GOOD if health.open else Level.WARNING
    return [Finding(check=check, level=level, number=port)]


def _warning(check: Check, name: str, number: int | None = None) -> Finding:
    return Finding(check=check, level=Level.WARNING, name=name, number=number)


def _unique(findings: Iterable[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))
