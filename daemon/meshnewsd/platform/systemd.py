"""Tells systemd how the daemon is doing (sd_notify(3)); nothing where there is no systemd."""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
WATCHDOG: Final = "WATCHDOG=1"


class Notifier:
    """Sends words to the service manager that started us."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        # An at sign stands for the zero byte of an abstract name.
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self.watchdog_s = _watchdog_s(environment)
        """Seconds within which the manager wants to hear WATCHDOG; None: never."""

    def say(self, word: str) -> None:
        """Send one word.  A manager that is not there is no concern of ours."""
        if not self._address:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
        ):
            channel.sendto(word.encode("ascii"), self._address)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    try:
        wanted_us = int(environment.get("WATCHDOG_USEC", "0"))
        meant_for = int(environment.get("WATCHDOG_PID", str(os.getpid())))
    except ValueError:
        return None
    if wanted_us <= 0 or meant_for != os.getpid():
        return None
    return wanted_us / 1e6
