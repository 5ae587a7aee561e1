"""What the doctor finds: on this machine, on its networks, in its node.

Each finding is one fact; the command line makes it one sentence, with one
remedy where something is wrong.
"""

import os
import stat
from pathlib import Path
from typing import Final

from meshnews.control.fact import Check, Finding, Level
from meshnews.desk.certificate import read_certificate
from meshnews.desk.manifest import Role as EditorRole
from meshnews.ids import Day, TrafficClass
from meshnews.limits import PREKEYS_PER_PACK
from meshnews.node.identity import Role, load_relays
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.node.stock import CARD_POSTAGE
from meshnews.node.wallet import Wallet
from meshnewsd.config import BEACON_PORT
from meshnewsd.control.times import date_of, moment
from meshnewsd.discovery.interface import Outlook
from meshnewsd.platform.host_checks import is_a_service, readable_swap
from meshnewsd.platform.interfaces import list_connected
from meshnewsd.platform.networks import find_networks

DISK_LOW_BYTES: Final = 200 * 1024 * 1024
DISK_GONE_BYTES: Final = 32 * 1024 * 1024
CARD_SOON_DAYS: Final = 60
ISSUER_SOON_DAYS: Final = 60
HEARD_S: Final = 600.0


def of_machine(home: Path, *, once: bool) -> list[Finding]:
    """Return what the machine under the daemon has to tell."""
    swap = readable_swap()
    findings = [
        _home_finding(home),
        _disk_finding(home),
        Finding(check=Check.SWAP, level=_good_if(not swap), name=swap[-64:]),
        Finding(check=Check.DAEMON, level=_good_if(not once)),
    ]
    if not once:
        findings.append(Finding(check=Check.SERVICE, level=_good_if(is_a_service())))
    return findings


def of_networks(outlook: Outlook) -> list[Finding]:
    """Return what the networks that are in reach have to tell."""
    networks, health = find_networks(list_connected()), outlook.health
    findings = [
        Finding(check=Check.NETWORKS, level=_good_if(bool(networks)), number=len(networks)),
        Finding(check=Check.FIREWALL, level=_good_if(not health.is_deaf), number=BEACON_PORT),
    ]
    findings += [
        Finding(check=Check.CALLS, level=Level.WARNING, name=interface)
        for interface in sorted(health.troubles)
    ]
    return findings


def _good_if(is_good: bool) -> Level:  # noqa: FBT001  the one thing it is about
    return Level.GOOD if is_good else Level.WARNING


def _home_finding(home: Path) -> Finding:
    found = home.stat()
    private = stat.S_IMODE(found.st_mode) & 0o077 == 0 and found.st_uid == os.geteuid()
    return Finding(check=Check.HOME, level=Level.GOOD if private else Level.BAD)


def _disk_finding(home: Path) -> Finding:
    room = os.statvfs(home)
    free = room.f_bavail * room.f_frsize
    level = Level.GOOD
    if free < DISK_LOW_BYTES:
        level = Level.BAD if free < DISK_GONE_BYTES else Level.WARNING
    return Finding(check=Check.DISK, level=level, number=free)


def of_node(node: Node) -> list[Finding]:
    """Return what the node itself has to tell."""
    home = node.home
    clock = Level.GOOD if home.wall.trusted else Level.WARNING
    findings = [
        Finding(check=Check.CLOCK, level=clock, day=date_of(home.moment.today)),
        Finding(check=Check.STORE, level=Level.GOOD, number=home.carry.count_elements()),
    ]
    manifest = home.book.manifest
    if manifest is None:
        return [*findings, Finding(check=Check.DESK, level=Level.BAD)]
    name = "" if home.vault is None else Person(home.vault).desk_name() or ""
    findings.append(Finding(check=Check.DESK, level=Level.GOOD, name=name))
    late = manifest.not_after < home.moment.today
    findings.append(
        Finding(
            check=Check.MANIFEST,
            level=Level.WARNING if late else Level.GOOD,
            day=date_of(manifest.not_after),
        )
    )
    if home.identity.role is Role.REPORTER and home.vault is not None:
        findings += _card_findings(node)
    collectors = sum(target.is_collector for target in node.dialler.targets.values())
    if not home.identity.is_collector:
        findings.append(
            Finding(
                check=Check.COLLECTOR,
                level=Level.GOOD if collectors else Level.WARNING,
                number=collectors,
            )
        )
    findings += _desk_findings(node)
    if home.identity.role is not Role.RELAY or load_relays(home.carry):
        met = bool(node.neighbours())
        findings.append(
            Finding(
                check=Check.CONTACT,
                level=Level.GOOD if met else Level.WARNING,
                time=moment(home.wall.s) if met else None,
            )
        )
        findings.append(_heard_finding(node))
    return findings


def _heard_finding(node: Node) -> Finding:
    since_s = node.home.moment.lived_s - HEARD_S
    heard = sum(bool(t.heard) and t.heard_at_s >= since_s for t in node.dialler.targets.values())
    near = max(heard, len(node.neighbours()))
    return Finding(check=Check.HEARD, level=_good_if(near > 0), number=near)


def _desk_findings(node: Node) -> list[Finding]:
    home, findings = node.home, list[Finding]()
    manifest = home.book.manifest
    if not home.identity.is_desk or manifest is None:
        return []
    editors = len(manifest.holders_of(EditorRole.OPEN))
    level = Level.WARNING if editors < 2 else Level.GOOD
    findings.append(Finding(check=Check.EDITORS, level=level, number=editors))
    if home.identity.endpoint:
        findings.append(Finding(check=Check.ONE_MACHINE, level=Level.WARNING))
    ends = None if home.vault is None else node.work.rotation.issuer_ends()
    if ends is not None:
        left = ends - home.moment.today
        level = Level.GOOD if left >= ISSUER_SOON_DAYS else Level.WARNING
        findings.append(
            Finding(check=Check.ISSUER, level=level if left >= 0 else Level.BAD, day=date_of(ends))
        )
    return findings


def _card_findings(node: Node) -> list[Finding]:
    home = node.home
    assert home.vault is not None, "a reporter's open home"
    certificate = Person(home.vault).certificate()
    if certificate is None:
        return [Finding(check=Check.CARD, level=Level.BAD)]
    card = read_certificate(certificate)
    left = card.expiry_day - home.moment.today
    level = Level.GOOD
    if left < CARD_SOON_DAYS:
        level = Level.BAD if left < 0 else Level.WARNING
    findings = [
        Finding(check=Check.CARD, level=level, name=card.name, day=date_of(Day(card.expiry_day)))
    ]
    wallet = Wallet(home.vault, home.entropy)
    manifest = home.book.manifest
    editors = () if manifest is None else manifest.holders_of(EditorRole.OPEN)
    keys = sum(wallet.prekeys_left(editor) for editor in editors)
    findings.append(_stock(Check.KEYS, keys, PREKEYS_PER_PACK))
    ends = [
        epoch.end_day
        for editor in editors
        if (bulletin := home.book.bulletins.get(editor)) is not None
        for epoch in bulletin.epochs
    ]
    if ends:
        last = Day(max(ends) - 1)
        level = _good_if(last >= home.moment.today)
        findings.append(Finding(check=Check.EPOCH_KEYS, level=level, day=date_of(last)))
    for check, traffic in (
        (Check.POSTAGE, TrafficClass.ROUTINE),
        (Check.FLASH_POSTAGE, TrafficClass.FLASH),
    ):
        full = sum(n * count for (kind, n), count in CARD_POSTAGE.items() if kind is traffic)
        findings.append(_stock(check, wallet.postage_left(traffic), full))
    return findings


def _stock(check: Check, left: int, full: int) -> Finding:
    level = Level.GOOD if left * 2 >= full else Level.WARNING
    return Finding(check=check, level=level if left else Level.BAD, number=left, of=full)
