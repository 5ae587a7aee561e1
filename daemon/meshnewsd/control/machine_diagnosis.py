"""What the doctor finds on the machine under the daemon: who can get in, disk, swap, service."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshnews.control.finding import NAME_CHARS_MAX, Check, Finding, Level
from meshnews.control.place import SOCKET_NAME
from meshnewsd.platform.exposure import exposure_of
from meshnewsd.platform.host_checks import Comeback, comeback, readable_swap

DISK_LOW_BYTES: Final = 200 * 1024 * 1024
DISK_GONE_BYTES: Final = 32 * 1024 * 1024

_COMEBACKS: Final = {
    Comeback.YES: (Check.SERVICE, Level.GOOD),
    Comeback.BY_HAND: (Check.SERVICE, Level.WARNING),
    Comeback.NOT_ENABLED: (Check.ENABLED, Level.WARNING),
    Comeback.NOT_LINGERING: (Check.LINGER, Level.WARNING),
}


@dataclass(frozen=True, slots=True)
class Premises:
    """What of the file system is this home's.

    Attributes:
        home: its folder.
        config: its configuration, which may lie elsewhere, or not be there.
        certificate: what it shows inside TLS; None: it listens nowhere for that.
    """

    home: Path
    config: Path
    certificate: Path | None = None


def of_machine(premises: Premises, *, once: bool) -> list[Finding]:
    """Return what the machine under the daemon has to tell."""
    swap = readable_swap()
    findings = [
        *of_premises(premises),
        _disk_finding(premises.home),
        Finding(check=Check.SWAP, level=Level.WARNING if swap else Level.GOOD, name=as_name(swap)),
        Finding(check=Check.DAEMON, level=Level.WARNING if once else Level.GOOD),
    ]
    if not once:
        state, unit = comeback()
        check, level = _COMEBACKS[state]
        findings.append(Finding(check=check, level=level, name=as_name(unit)))
    return findings


def of_premises(premises: Premises) -> list[Finding]:
    """Return who else can get at the home and what is in it.

    What is open inside a closed folder is out of reach, until a copy is made of it or the
    folder is opened: a warning.
    """
    home, config = premises.home, premises.config
    found = exposure_of(home, socket=home / SOCKET_NAME, config=config)
    level = Level.BAD if found.home else Level.WARNING
    is_outside = config.parent != home
    findings = [Finding(check=Check.HOME, level=Level.BAD if found.home else Level.GOOD)]
    if found.above is not None:
        findings.append(Finding(check=Check.ABOVE, level=Level.BAD, name=as_name(str(found.above))))
    if found.foreign:
        findings.append(_some(Check.OWNER, Level.BAD, found.foreign))
    if found.socket:
        findings.append(Finding(check=Check.SOCKET, level=level))
    if found.config:
        its_level = Level.BAD if is_outside else level
        findings.append(Finding(check=Check.CONFIG, level=its_level, name=as_name(str(config))))
    if found.files:
        findings.append(_some(Check.FILES, level, found.files))
    return findings


def _some(check: Check, level: Level, names: tuple[str, ...]) -> Finding:
    return Finding(check=check, level=level, number=len(names), name=as_name(names[0]))


def _disk_finding(home: Path) -> Finding:
    room = os.statvfs(home)
    free = room.f_bavail * room.f_frsize
    level = Level.GOOD
    if free < DISK_LOW_BYTES:
        level = Level.BAD if free < DISK_GONE_BYTES else Level.WARNING
    return Finding(check=Check.DISK, level=level, number=free)


def as_name(path: str) -> str:
    """Return a path as text that a message can hold, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", errors="replace")[-NAME_CHARS_MAX:]
