"""How full the battery is (the kernel's power_supply class, in sysfs)."""

from pathlib import Path
from typing import Final

SUPPLIES: Final = Path("/sys/class/power_supply")


def percent_left(supplies: Path = SUPPLIES) -> int:
    """Return the percentage left of the emptiest battery that is being drained; 100 for none."""
    left = [100]
    try:
        batteries = [each for each in supplies.iterdir() if _says(each, "type") == "Battery"]
    except OSError:
        return 100
    for battery in batteries:
        # A mouse has a battery too.
        if _says(battery, "scope") == "Device" or _says(battery, "status") != "Discharging":
            continue
        said = _says(battery, "capacity")
        if said.isascii() and said.isdecimal():
            left.append(int(said))
    return min(left)


def _says(supply: Path, what: str) -> str:
    try:
        return (supply / what).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
