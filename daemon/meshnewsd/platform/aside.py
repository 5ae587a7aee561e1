"""One thread for a piece of work that is to be done beside all else, now and then.

    at rest --begin--> busy --the work has returned--> at rest

The thread begins with the first time; what never needs it has none.
"""

import contextlib
import threading
from collections.abc import Callable


class Aside:
    """Does ``work()`` in a thread of its own whenever it is asked to, once at a time.

    Its calls are its owner's, who is one thread too.

    Args:
        work: what is to be done; what it raises is a bug, and is told of where threads' are.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._is_over = False
        self._wanted = threading.Event()
        self._rests = threading.Event()
        self._rests.set()
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether the work that was begun has not returned."""
        return not self._rests.is_set()

    def begin(self) -> bool:
        """Begin the work, unless it is in hand; False: the system has no thread for it."""
        if self.is_busy:
            return True
        if self._thread is None:
            # A disk that hangs must not hold up the end of the process.
            thread = threading.Thread(target=self._run, daemon=True)
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread
        if self._thread is None:
            return False
        self._rests.clear()
        self._wanted.set()
        return True

    def wait(self) -> None:
        """Return when nothing is in hand."""
        self._rests.wait()

    def close(self) -> None:
        """Let the work in hand return, and end the thread.  Again: nothing."""
        self.wait()
        if self._thread is not None:
            self._is_over = True
            self._wanted.set()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while self._wanted.wait() and not self._is_over:
            self._wanted.clear()
            try:
                self._work()
            except BaseException:
                # A bug, and its end: who waits is let go, and what is begun next has a new thread.
                self._thread = None
                raise
            finally:
                self._rests.set()
