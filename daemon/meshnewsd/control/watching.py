"""Handlers of looking round: who is near, and whether this machine is ready."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshnews.control.fact import CarrierName, Check, Finding, Level, NeighbourKind, Visibility
from meshnews.control.fact import Neighbour as NeighbourFact
from meshnews.control.reply import Diagnosis, NeighbourListing, Visible
from meshnews.control.request import Doctor, Look, Neighbours, TrustNetwork
from meshnews.desk.certificate import read_certificate
from meshnews.desk.manifest import Role as EditorRole
from meshnews.ids import Day, TrafficClass
from meshnews.limits import PREKEYS_PER_PACK
from meshnews.node.identity import Role, load_relays
from meshnews.node.node import Neighbour, Node
from meshnews.node.person import Person
from meshnews.node.roster import Roster
from meshnews.node.stock import CARD_POSTAGE
from meshnews.node.wallet import Wallet
from meshnewsd.control.table import Asker
from meshnewsd.control.times import date_of, moment

if TYPE_CHECKING:
    from meshnewsd.control.server import Emit

DISK_LOW_BYTES: Final = 200 * 1024 * 1024
DISK_GONE_BYTES: Final = 32 * 1024 * 1024
CARD_SOON_DAYS: Final = 60


class LookoutDesk:
    """The handlers, with the way to the node and the home's folder."""

    def __init__(self, asker: Asker, home: Path) -> None:
        self._asker = asker
        self._home = home

    async def neighbours(self, _: Neighbours, __: Sequence[int], ___: "Emit") -> NeighbourListing:
        """Tell who is near."""

        def act(node: Node) -> NeighbourListing:
            names = _relay_names(node)
            now = node.home.wall.s
            return NeighbourListing(
                visibility=Visibility(node.surroundings.visibility.value),
                neighbours=tuple(_fact(one, names, now) for one in node.neighbours()),
            )

        return await self._asker.ask(act)

    async def look(self, request: Look, _: Sequence[int], __: "Emit") -> Visible:
        """Be findable for a while."""

        def act(node: Node) -> Visible:
            node.surroundings.look(float(request.seconds))
            return _visible(node)

        return await self._asker.ask(act)

    async def trust(self, request: TrustNetwork, _: Sequence[int], __: "Emit") -> Visible:
        """Trust the networks that are here, or no longer."""

        def act(node: Node) -> Visible:
            if request.trusted:
                node.surroundings.trust()
            else:
                node.surroundings.distrust()
            return _visible(node)

        return await self._asker.ask(act)

    async def doctor(self, _: Doctor, __: Sequence[int], ___: "Emit") -> Diagnosis:
        """Check that this machine is ready."""
        findings = [
            _home_finding(self._home),
            _disk_finding(self._home),
            Finding(check=Check.DAEMON, level=Level.WARNING if self._asker.once else Level.GOOD),
        ]
        findings += await self._asker.ask(_node_findings)
        return Diagnosis(tuple(findings))


def _visible(node: Node) -> Visible:
    around = node.surroundings
    left_s = around.look_left_s
    return Visible(
        visibility=Visibility(around.visibility.value),
        interfaces=around.places() or (),
        until=moment(int(node.home.wall.s + left_s)) if left_s > 0 else None,
    )


def _relay_names(node: Node) -> dict[bytes, str]:
    vault = node.home.vault
    if vault is None or not node.home.identity.is_desk:
        return {}
    return {bytes(one.entry.static): one.name for one in Roster(vault).relays()}


def _fact(one: Neighbour, names: dict[bytes, str], now: int) -> NeighbourFact:
    if one.collector:
        kind = NeighbourKind.COLLECTOR
    elif one.relay:
        kind = NeighbourKind.RELAY
    else:
        kind = NeighbourKind.MEMBER if one.called else NeighbourKind.CALLER
    since = moment(max(1, now - one.since_s))
    assert since is not None, "a time after 1970"
    return NeighbourFact(
        kind=kind,
        name=names.get(one.relay, one.relay[:4].hex()),
        carrier=CarrierName(one.carrier),
        since=since,
        bytes_received=one.received,
        bytes_sent=one.sent,
        bytes_per_s=(one.received + one.sent) // max(1, one.since_s),
    )


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


def _node_findings(node: Node) -> list[Finding]:
    home = node.home
    clock = Level.GOOD if home.wall.trusted else Level.WARNING
    findings = [Finding(check=Check.CLOCK, level=clock, day=date_of(home.moment.today))]
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
    if home.identity.is_desk:
        editors = len(manifest.holders_of(EditorRole.OPEN))
        level = Level.WARNING if editors < 2 else Level.GOOD
        findings.append(Finding(check=Check.EDITORS, level=level, number=editors))
        if home.identity.endpoint:
            findings.append(Finding(check=Check.ONE_MACHINE, level=Level.WARNING))
    if home.identity.role is not Role.RELAY or load_relays(home.carry):
        met = bool(node.neighbours())
        findings.append(
            Finding(
                check=Check.CONTACT,
                level=Level.GOOD if met else Level.WARNING,
                time=moment(home.wall.s) if met else None,
            )
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
    findings.append(
        _stock(Check.KEYS, keys, PREKEYS_PER_PACK),
    )
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
