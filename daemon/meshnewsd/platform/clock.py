"""What the machine's clocks say, and whether the wall clock may be believed.

Boot time comes from CLOCK_BOOTTIME, which counts sleep; the boot's identifier
from ``/proc/sys/kernel/random/boot_id``.  The wall clock is believed when the
kernel says that it is synchronised, or when a clock chip backs it, and in both
cases only when it shows a time after this program was written.
"""

import ctypes
import enum
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from meshnews.store.age import Clock

PLAUSIBLE_WALL_S: Final = 1_767_225_600.0
"""2026-01-01 UTC: no right clock shows less to this program."""

BOOT_ID_FILE: Final = Path("/proc/sys/kernel/random/boot_id")
CLOCK_CHIP: Final = Path("/sys/class/rtc/rtc0")

TRUST_KEPT_S: Final = 10.0
"""How long an answer about trust is used again before the kernel is asked anew."""

_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 256
"""More than struct timex has on any 64-bit Linux; all zero asks and changes nothing."""


class ClockTrust(enum.StrEnum):
    """How the configuration wants the wall clock judged."""

    AUTO = "auto"
    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


def read_boot_id(source: Path = BOOT_ID_FILE) -> bytes | None:
    """Return 16 bytes that differ from boot to boot; None: the kernel does not tell."""
    try:
        return uuid.UUID(source.read_text("ascii").strip()).bytes
    except (OSError, ValueError):
        return None


def is_synchronised() -> bool:
    """Tell whether the kernel's clock is disciplined by a time service (adjtimex(2))."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return False
    return isinstance(state, int) and 0 <= state < _TIME_ERROR


class MachineClock:
    """Reads this machine's clocks.  Called once for each batch of events.

    Where the kernel does not name the boot, every start of the program counts as one, and
    its uptime from then: else the same uptime would be lived again with each start.
    """

    def __init__(
        self,
        trust: ClockTrust = ClockTrust.AUTO,
        *,
        boot_id_file: Path = BOOT_ID_FILE,
        clock_chip: Path = CLOCK_CHIP,
        synchronised: Callable[[], bool] = is_synchronised,
    ) -> None:
        self._trust = trust
        named = read_boot_id(boot_id_file)
        self._boot_id = os.urandom(16) if named is None else named
        self._booted_s = time.clock_gettime(time.CLOCK_BOOTTIME) if named is None else 0.0
        self._clock_chip = clock_chip
        self._synchronised = synchronised
        self._backed = False
        self._asked_at_s = -TRUST_KEPT_S

    def __call__(self) -> Clock:
        """Return the present moment."""
        boot_s = time.clock_gettime(time.CLOCK_BOOTTIME) - self._booted_s
        wall_s = time.time()
        return Clock(
            boot_s=boot_s,
            boot_id=self._boot_id,
            wall_s=wall_s,
            wall_is_trusted=self.is_trusted(boot_s=boot_s, wall_s=wall_s),
        )

    def is_trusted(self, *, boot_s: float, wall_s: float) -> bool:
        """Tell whether a wall clock that shows `wall_s` may be believed."""
        if self._trust is not ClockTrust.AUTO:
            return self._trust is ClockTrust.TRUSTED
        if wall_s < PLAUSIBLE_WALL_S:
            return False
        if boot_s - self._asked_at_s >= TRUST_KEPT_S:
            self._asked_at_s = boot_s
            self._backed = self._synchronised() or self._clock_chip.exists()
        return self._backed
