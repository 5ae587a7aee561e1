"""A real daemon that meets its fate at a chosen moment of a filing.

    python -m tests.e2e.mortal STEP:COUNT:MOMENT[:FOLDER] [arguments of meshnewsd]

STEP is one of `STEPS`, COUNT says which of them, 1 for the first.  Each is a
transaction, and a transaction commits twice, the vault's file before carry's:

    before    neither is committed
    between   the vault is, carry is not
    after     both are, and nobody has been told

There the daemon kills itself with SIGKILL.  With a FOLDER it does not: it makes
the file `reached` there and goes on once there is a file `go`, so that somebody
else can be killed meanwhile.
"""

import functools
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from meshnews.node.dispatches.filing import Filing
from meshnewsd.main import main
from meshnewsd.storage.database import Database
from meshnewsd.storage.store import Store

STEPS: Final = ("begin", "attach", "add", "end_attachment", "finish", "abandon")
MOMENTS: Final = ("before", "between", "after")
PATIENCE_S: Final = 30.0


@dataclass
class Fate:
    """Watches the steps of filings and the commits of each, and strikes at one."""

    step: str
    count: int
    moment: str
    folder: Path | None
    seen: Counter[str] = field(default_factory=Counter)
    running: str = ""
    commits: int = 0

    def begin(self) -> None:
        """Take note that a transaction begins."""
        self.running, self.commits = "", 0

    def does(self, step: str) -> None:
        """Take note that the transaction does a step of a filing."""
        self.running = step
        self.seen[step] += 1

    def commit(self, carry_out: Callable[[], None]) -> None:
        """Commit one of the two files, if that is granted."""
        self._strike_at(MOMENTS[self.commits])
        carry_out()
        self.commits += 1
        if MOMENTS[self.commits] == "after":
            self._strike_at("after")

    def _strike_at(self, moment: str) -> None:
        if (self.running, self.seen[self.step], moment) != (self.step, self.count, self.moment):
            return
        if self.folder is None:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            self._wait(self.folder)

    def _wait(self, folder: Path) -> None:
        (folder / "reached").touch()
        end = time.monotonic() + PATIENCE_S
        while not (folder / "go").exists() and time.monotonic() < end:
            time.sleep(0.01)


def bind(fate: Fate) -> None:
    """Let the filing and the storage of this process obey `fate`."""
    for step in STEPS:
        _wrap(Filing, step, functools.partial(fate.does, step))
    _wrap(Store, "transact", fate.begin)
    commit = Database.commit

    def watched_commit(database: Database) -> None:
        fate.commit(lambda: commit(database))

    _replace(Database, "commit", watched_commit)


def _wrap(owner: type, name: str, first: Callable[[], None]) -> None:
    """Let a method call `first` before it does what it does."""
    method = getattr(owner, name)

    def watched(*args: Any, **kwargs: Any) -> Any:
        first()
        return method(*args, **kwargs)

    _replace(owner, name, watched)


def _replace(owner: type, name: str, method: Callable[..., Any]) -> None:
    setattr(owner, name, method)


def fate_of(word: str) -> Fate:
    """Return the fate that was given as the first argument."""
    step, count, moment, *folder = word.split(":", 3)
    assert step in STEPS, step
    assert moment in MOMENTS, moment
    return Fate(step, int(count), moment, Path(folder[0]) if folder else None)


if __name__ == "__main__":
    bind(fate_of(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
