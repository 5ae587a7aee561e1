"""Starts a daemon for one command, where none is running: no network, one connection.

The daemon is ``python -m meshnewsd --once --home HOME --control-fd N`` on one end
of a socket pair.  It ends when the other end is closed.
"""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from meshnews_cli import daemon_complaint
from meshnews_cli.client import Connection
from meshnews_cli.terminal import safe_line

ENDING_S_MAX: Final = 30.0
"""How long to wait for it to put its stores away before leaving it to itself."""
LAST_WORDS_BYTES_MAX: Final = 400


class OnceDaemon:
    """A daemon of our own.  `connection` is the way to it."""

    def __init__(self, home: Path) -> None:
        """Start it on `home`.

        Raises:
            Refusal: it cannot be started.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._log = os.memfd_create("log")
        try:
            # A process group of its own: Ctrl-C reaches this command alone,
            # which then hangs up, and the daemon ends in good order.
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
                [
                    *(sys.executable, "-m", "meshnewsd", "--once", "--home", str(home)),
                    *("--control-fd", str(theirs.fileno())),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._log,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        except OSError as exc:
            ours.close()
            os.close(self._log)
            raise daemon_complaint.daemon_gone(str(exc.strerror)) from exc
        finally:
            theirs.close()
        self.connection = Connection(ours, last_words=self._last_words)

    def close(self) -> None:
        """Hang up and wait until the daemon has ended, so that the home is free again."""
        self.connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDING_S_MAX)
        os.close(self._log)

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        size = os.fstat(self._log).st_size
        raw = os.pread(self._log, LAST_WORDS_BYTES_MAX, max(0, size - LAST_WORDS_BYTES_MAX))
        lines = [line.strip(" |") for line in raw.decode("utf-8", errors="replace").split("\n")]
        said = (line for line in reversed(lines) if any(map(str.isalpha, line)))
        return safe_line(next(said, ""))
