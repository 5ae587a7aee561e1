"""What Ctrl-C does while a daemon works on something that it can drop again.

    working --Ctrl-C--> the daemon is asked to stop --its answer--> known what was done
                            |
                            +--Ctrl-C again, or STOP_S_MAX--> KeyboardInterrupt: not known

An exception in the middle of an answer would lose it, so the first Ctrl-C raises none.
"""

import signal
from types import FrameType, TracebackType
from typing import Final, Self

from meshnews_cli.client import Connection

STOP_S_MAX: Final = 5.0
"""How long the daemon may take to say what was done: more, and a person thinks that it hangs."""


class Stopping:
    """Stands in for the handler of SIGINT.  A context that puts the one before back."""

    def __init__(self, connection: Connection) -> None:
        """Take the connection on which the daemon will be asked."""
        self._connection = connection
        self._is_in_force = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
        self.is_asked = False
        """Ctrl-C was typed."""

    def __enter__(self) -> Self:
        if self._is_in_force:
            self._alarm = signal.signal(signal.SIGALRM, self._give_up)
            self._interrupt = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_in_force:
            signal.signal(signal.SIGINT, self._interrupt)
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._alarm)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked:
            self._give_up(number, frame)
        self.is_asked = True
        signal.setitimer(signal.ITIMER_REAL, STOP_S_MAX)
        self._connection.stop()

    def _give_up(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  a handler's
        raise KeyboardInterrupt
