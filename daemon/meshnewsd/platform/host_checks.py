"""What the system under a daemon does that its keeper should know.

Sources: proc(5), swapon(8), the kernel's device-mapper, systemd.exec(5).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SWAPS: Final = Path("/proc/swaps")
BLOCK_DEVICES: Final = Path("/sys/class/block")
_ENCRYPTED: Final = "CRYPT-"
_IN_MEMORY: Final = "zram"


def readable_swap(swaps: Path = SWAPS, devices: Path = BLOCK_DEVICES) -> str:
    """Return a swap to which memory is written as it is, so that keys may stay on disk; or ""."""
    try:
        lines = swaps.read_text("utf-8").splitlines()[1:]
    except OSError:
        return ""
    names = [line.split()[0] for line in lines if line.strip()]
    return next((name for name in names if not _is_harmless(name, devices)), "")


def _is_harmless(name: str, devices: Path) -> bool:
    device = Path(name).name
    if device.startswith(_IN_MEMORY):
        return True
    try:
        return (devices / device / "dm" / "uuid").read_text("ascii").startswith(_ENCRYPTED)
    except (OSError, UnicodeDecodeError):
        return False


def is_a_service(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a service manager started this, and so will start it again."""
    return "INVOCATION_ID" in environment
