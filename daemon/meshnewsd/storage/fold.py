"""Folds the log of a database into its file beside the commits, which need not wait for it.

    log   |== folded ==|------ came since ------>        grows with each commit
          0            folded                 pages

From `FOLD_PAGES` on a thread folds, over a connection of its own, what the log held when it
began.  What came meanwhile is folded next, each time less; the last `REST_PAGES` the
owner folds after a commit, since only a log that is folded whole is begun afresh.  At
`LOG_PAGES_MAX` the owner waits: then the disk is slower than what comes.

On a card such a fold takes as long as many commits: a flash would wait for it, and so would the
word that a bundle is kept.  The thread begins with the first fold; most machines never need it.

What cannot be folded, on a disk that is full or broken, stays in the log, where it is as safe;
it is logged once, and tried again after the next commit.  A commit that finds no room says so
itself.
"""

from collections.abc import Callable
from typing import Final

import apsw

from meshnewsd.platform.aside import Aside
from meshnewsd.platform.logs import Log

_log = Log("storage")

FOLD_PAGES: Final = 1000
"""The log is folded from about 8 MB on."""

REST_PAGES: Final = 64
"""So much is folded in about the time that a commit takes."""

LOG_PAGES_MAX: Final = 4000
"""About 32 MB."""


class Folding:
    """When the log of one database is folded, and by whom.

    Args:
        connection: the owner's, through which its commits go.
        connect: makes another to the same file; called in the thread.
    """

    def __init__(self, connection: apsw.Connection, connect: Callable[[], apsw.Connection]) -> None:
        self._connection = connection
        self._connect = connect
        self._beside: apsw.Connection | None = None
        self._aside = Aside(self._fold_beside)
        self._log = 0
        self._pages = 0
        self._folded = (0, 0)
        self._is_failing = False
        connection.set_wal_hook(self._note)

    def committed(self) -> None:
        """Fold what is to be folded, or have it folded.  After each commit, by the owner."""
        if self._pages < FOLD_PAGES:
            return
        if self._pages >= LOG_PAGES_MAX:
            self._aside.wait()
        elif self._aside.is_busy:
            return
        log, folded = self._folded
        rest = self._pages - folded if log == self._log else self._pages
        is_for_owner = rest <= REST_PAGES or self._pages >= LOG_PAGES_MAX
        if is_for_owner or not self._aside.begin():
            self._fold(self._log, lambda: self._connection)

    def close(self) -> None:
        """End the thread, once it has folded what it began.  Again: nothing."""
        self._aside.close()
        if self._beside is not None:
            self._beside.close()
            self._beside = None

    def _note(self, _: apsw.Connection, __: str, pages: int) -> int:
        """Take note of how long the log is; SQLite calls it within each COMMIT that wrote."""
        if pages < self._pages:
            # Begun afresh: what the thread may be about to say is of the one before.
            self._log += 1
        self._pages = pages
        return apsw.SQLITE_OK

    def _fold_beside(self) -> None:
        """Fold in the thread, over a connection that lives as long as the store is open."""
        self._fold(self._log, self._open_beside)

    def _open_beside(self) -> apsw.Connection:
        self._beside = self._beside or self._connect()
        return self._beside

    def _fold(self, log: int, connection: Callable[[], apsw.Connection]) -> None:
        """Fold what the log holds now as far as nobody reads it, and note how far."""
        pages = 0
        try:
            _, pages = connection().wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.BusyError:
            pass
        except (apsw.Error, MemoryError) as exc:
            # No room, no descriptor, or a disk that wears out: the last its keeper should know.
            if not self._is_failing:
                _log.warning("the database's log cannot be folded, and grows", cause=exc)
            self._is_failing = True
        else:
            self._is_failing = False
        self._folded = (log, max(pages, 0))
