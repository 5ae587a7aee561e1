"""What the system under a daemon does that its keeper should know.

Sources: proc(5), swapon(8), the kernel's device-mapper, systemd.exec(5),
systemd.unit(5), loginctl(1), main.conf of BlueZ.
"""

import configparser
import enum
import getpass
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SWAPS: Final = Path("/proc/swaps")
BLOCK_DEVICES: Final = Path("/sys/class/block")
BLUETOOTH_CONFIGURATION: Final = Path("/etc/bluetooth/main.conf")
_ENCRYPTED: Final = "CRYPT-"
_IN_MEMORY: Final = "zram"
_SPACE_IN_PATH: Final = "\\040"


def readable_swap(swaps: Path = SWAPS, devices: Path = BLOCK_DEVICES) -> str:
    """Return a swap to which memory is written as it is, so that keys may stay on disk; or ""."""
    try:
        lines = swaps.read_text("utf-8").splitlines()[1:]
    except OSError:
        return ""
    names = [line.split()[0].replace(_SPACE_IN_PATH, " ") for line in lines if line.strip()]
    return next((name for name in names if not _is_harmless(name, devices)), "")


def _is_harmless(name: str, devices: Path) -> bool:
    device = Path(name).name
    if device.startswith(_IN_MEMORY):
        return True
    try:
        return (devices / device / "dm" / "uuid").read_text("ascii").startswith(_ENCRYPTED)
    except (OSError, UnicodeDecodeError):
        return False


class Comeback(enum.Enum):
    """Whether a daemon is there again after a power cut."""

    YES = enum.auto()
    NOT_ENABLED = enum.auto()
    """It is a service that nothing starts with the machine."""
    NOT_LINGERING = enum.auto()
    """It is a user's service, and such a one starts when its user logs in."""
    BY_HAND = enum.auto()


@dataclass(frozen=True, slots=True)
class Places:
    """Where systemd keeps what is asked here; tests have other places."""

    groups: Path = Path("/proc/self/cgroup")
    system: Path = Path("/etc/systemd/system")
    user: tuple[Path, ...] = (
        Path("~/.config/systemd/user").expanduser(),
        Path("/etc/systemd/user"),
    )
    linger: Path = Path("/var/lib/systemd/linger")


def is_a_service(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a service manager started this very process.

    A shell in a desktop's terminal is a service's child too, and hands on what
    it was told, so the process that was meant counts (SYSTEMD_EXEC_PID, of
    systemd 248 and later).
    """
    meant = environment.get("SYSTEMD_EXEC_PID")
    if meant is not None:
        return meant == str(os.getpid())
    return "INVOCATION_ID" in environment


def comeback(
    environment: Mapping[str, str] = os.environ, places: Places | None = None
) -> tuple[Comeback, str]:
    """Return whether this daemon comes back after a power cut, and its unit as far as known."""
    if not is_a_service(environment):
        return Comeback.BY_HAND, ""
    places = places or Places()
    unit, is_user = _unit(places.groups)
    if not unit:
        # Another service manager than systemd: it started us, and is believed.
        return Comeback.YES, ""
    folders = places.user if is_user else (places.system,)
    if not any(_is_wanted(unit, folder) for folder in folders):
        return Comeback.NOT_ENABLED, unit
    if is_user and not (places.linger / getpass.getuser()).exists():
        return Comeback.NOT_LINGERING, unit
    return Comeback.YES, unit


def _unit(groups: Path) -> tuple[str, bool]:
    """Return the unit of this process, and whether a user's manager runs it."""
    try:
        text = groups.read_text("utf-8", errors="replace")
    except OSError:
        return "", False
    names = [part for part in re.split(r"[/\n]", text) if part.endswith(".service")]
    managers = [name for name in names if re.fullmatch(r"user@\d+\.service", name)]
    units = [name for name in names if name not in managers]
    return (units[-1] if units else ""), bool(managers)


def _is_wanted(unit: str, folder: Path) -> bool:
    """Tell whether a unit is enabled: some target wants or requires it."""
    kinds = ("*.wants", "*.requires", "*.upholds")
    return any(
        (wanting / unit).is_symlink() for kind in kinds for wanting in sorted(folder.glob(kind))
    )


def hides_bluetooth_address(configuration: Path = BLUETOOTH_CONFIGURATION) -> bool:
    """Tell whether bluetoothd is configured to have adapters change their address on the air."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(configuration.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return False
    said = parser.get("General", "Privacy", fallback="off").strip().lower()
    # The limited ones show the adapter's own address while it may be paired with.
    return said in {"device", "network", "on"}
