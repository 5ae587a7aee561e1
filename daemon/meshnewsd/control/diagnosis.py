"""What the doctor finds in the node: its clock, its desk, its stock, whom it hears.

Each finding is one fact; the command line makes it one sentence, with one
remedy where something is wrong.
"""

from collections.abc import Iterable
from typing import Final

from meshnews.control.finding import Check, Finding, Level
from meshnews.desk.certificate import read_certificate
from meshnews.desk.limits import PREKEYS_PER_PACK
from meshnews.desk.manifest import Role as EditorRole
from meshnews.ids import Day, TrafficClass
from meshnews.limits import CLOCK_AHEAD_S_MAX
from meshnews.node.home import Home
from meshnews.node.identity import Role, load_relays
from meshnews.node.links.target import Target
from meshnews.node.node import Node
from meshnews.node.person import Person
from meshnews.node.records.stock import CARD_POSTAGE
from meshnews.node.records.wallet import Wallet
from meshnews.store.age import DAY_S, day_at
from meshnewsd.control.recall_findings import of_recalls
from meshnewsd.control.times import date_of, moment
from meshnewsd.platform.clock import PLAUSIBLE_WALL_S

CARD_SOON_DAYS: Final = 60
ISSUER_SOON_DAYS: Final = 60
ROOM_SHARE: Final = 0.1
"""Less than this of the room free, or held by what would make way, is too little."""

HEARD_S: Final = 600.0
CLOCK_AHEAD_DAYS_MAX: Final = CLOCK_AHEAD_S_MAX // DAY_S


def _good_if(is_good: bool) -> Level:  # noqa: FBT001  the one thing it is about
    return Level.GOOD if is_good else Level.WARNING


def of_node(node: Node) -> list[Finding]:
    """Return what the node itself has to tell."""
    home = node.home
    findings = [
        _clock_finding(home),
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
    findings += of_recalls(node)
    if home.identity.role is Role.REPORTER and home.vault is not None:
        findings += _card_findings(node)
    targets = node.dialler.targets.values()
    # A machine may be known twice: on networks, and on the air.
    found = {t.relay.static for t in targets if t.is_collector and t.relay and t.addresses}
    found |= {route.relay.static for route in node.uplinks.routes}
    collectors = len(found)
    if not home.identity.is_collector:
        findings.append(
            Finding(
                check=Check.COLLECTOR,
                level=Level.GOOD if collectors else Level.WARNING,
                number=collectors,
            )
        )
    return findings + _desk_findings(node)


def of_links(node: Node) -> list[Finding]:
    """Return what a node with a network has to tell of whom it meets and hears."""
    home = node.home
    if home.book.manifest is None:
        return []
    if home.identity.role is Role.RELAY and not load_relays(home.carry):
        return []
    targets, met = node.dialler.targets.values(), len(node.neighbours())
    near = [target for target in targets if _is_near(target, home.moment.lived_s)]
    heard = max(_machines(near), met)
    findings = [Finding(check=Check.HEARD, level=_good_if(heard > 0), number=heard)]
    if not heard:
        # That nobody has a link and that no relay is near follow from it.
        return findings
    time = moment(home.wall.s) if met else None
    findings.append(Finding(check=Check.CONTACT, level=_good_if(met > 0), time=time))
    if known := sum(target.relay is not None for target in targets):
        relays = sum(target.relay is not None for target in near)
        findings.append(
            Finding(check=Check.RELAYS, level=_good_if(relays > 0), number=relays, of=known)
        )
    return findings


def _is_near(target: Target, lived_s: float) -> bool:
    was_heard = bool(target.heard) and target.heard_at_s >= lived_s - HEARD_S
    is_linked = target.link is not None and target.completed
    return was_heard or is_linked or target.twin is not None


def _machines(targets: Iterable[Target]) -> int:
    """Return how many machines these are, as far as addresses tell.

    A colleague's is another target with each of its beacons.
    """
    seen: set[str] = set()
    number = 0
    for target in targets:
        hosts = {each.where.rpartition(":")[0] for each in target.addresses}
        number += not hosts & seen
        seen |= hosts
    return number


def _clock_finding(home: Home) -> Finding:
    """Tell whether the clock is believed; and if not, whether it can be right at all."""
    wall, today = home.wall, date_of(home.moment.today)
    if wall.trusted:
        return Finding(check=Check.CLOCK, level=Level.GOOD, day=today)
    floor, day = home.moment.floor_day, day_at(wall.s)
    # Before the first floor there is nothing that a clock could be too far ahead of.
    is_ahead = home.moment.has_floor and day > floor + CLOCK_AHEAD_DAYS_MAX
    if wall.s >= PLAUSIBLE_WALL_S and floor <= day and not is_ahead:
        return Finding(check=Check.CLOCK, level=Level.WARNING, day=today)
    return Finding(
        check=Check.CLOCK_WRONG, level=Level.WARNING, day=today, time=moment(max(1, wall.s))
    )


def _desk_findings(node: Node) -> list[Finding]:
    home, findings = node.home, list[Finding]()
    manifest = home.book.manifest
    if home.identity.is_desk and home.custody.is_stuck(ROOM_SHARE):
        quota = home.settings.quota_bytes
        findings.append(Finding(check=Check.ROOM, level=Level.BAD, number=quota))
    if not home.identity.is_desk or manifest is None:
        return findings
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
