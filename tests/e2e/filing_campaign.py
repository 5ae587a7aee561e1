"""SIGKILL while dispatches are being filed: each is filed once and whole, or not at all.

    python -m tests.e2e.filing_campaign --filings 100 --seed 1

A reporter files dispatches with a picture, and each time somebody is killed: the
daemon, the command, both, or the daemon that the command started for itself; at
a random moment, or the daemon at a chosen commit (`tests.e2e.mortal`).  Then the
reporter does what the documentation says: looks with `status`, and files again
what is not there.  In the end every one of them must be at the desk once, to
the byte, with its receipts back, and of those cut off nothing may be left.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.e2e.cut_filing import (
    Attempt,
    attempt,
    desk_with_a_collector,
    kept_for_drafts,
    printed,
    verify,
    words,
)
from tests.e2e.mortal import MOMENTS
from tests.e2e.world import Machine, open_world, wait_until

SIZES: Final = (100, 3_000, 300_000, 3_000_000)
STEPS: Final = (("begin", 1), ("attach", 1), ("add", 1), ("add", 2), ("end_attachment", 1),
                ("finish", 1))  # fmt: skip
ONCE_ENDS_S: Final = 40.0
"""By then a daemon has ended whose only caller was killed."""


@dataclass
class Campaign:
    """One run of it.

    Attributes:
        usual_s: how long a command takes that nobody disturbs.
        counts: how often each kind of death left a dispatch or none.
    """

    folder: Path
    reporter: Machine
    luck: random.Random
    usual_s: dict[bool, float] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def measure(self) -> None:
        """File undisturbed, with a running daemon and without."""
        for is_once in (False, True):
            if not is_once:
                self.reporter.start()
            began = time.monotonic()
            made = attempt(self.reporter, self.folder, f"calm-{is_once}".lower(), size=SIZES[-1])
            self.usual_s[is_once] = time.monotonic() - began
            assert made.identifier is not None
            self.attempts.append(made)
            self.reporter.kill()

    def cut_one(self, number: int) -> None:
        """File one dispatch, let somebody die, and do what a person then does."""
        deaths: dict[str, Callable[[str, int], Attempt]] = {
            "a chosen commit": self._chosen,
            "the daemon": lambda slug, size: self._served(slug, size, daemon=True, command=False),
            "the command": lambda slug, size: self._served(slug, size, daemon=False, command=True),
            "both": lambda slug, size: self._served(slug, size, daemon=True, command=True),
            "the command, alone": lambda slug, size: self._alone(slug, size, child=False),
            "the command's daemon": lambda slug, size: self._alone(slug, size, child=True),
        }
        death = self.luck.choice(sorted(deaths))
        made = deaths[death](f"n{number}", self.luck.choice(SIZES))
        self.reporter.kill()
        self.reporter.program = ("meshnewsd",)
        self.reporter.start()
        made.look(self.reporter)
        told = "told" if made.identifier else "filed" if made.filed else "nothing"
        self.counts[f"{death}: {told}"] += 1
        if not made.filed:
            made = attempt(self.reporter, self.folder, made.slug)
            assert made.identifier is not None, f"{made.slug} cannot be filed again"
            made.look(self.reporter)
        self.attempts.append(made)
        self.reporter.kill()

    def _chosen(self, slug: str, size: int) -> Attempt:
        step, count = self.luck.choice(STEPS)
        self.reporter.program = (
            "tests.e2e.mortal",
            f"{step}:{count}:{self.luck.choice(MOMENTS)}",
        )
        self.reporter.start()
        return attempt(self.reporter, self.folder, slug, size=size)

    def _served(self, slug: str, size: int, *, daemon: bool, command: bool) -> Attempt:
        self.reporter.start()
        filing = self._begin(slug, size, is_once=False)
        if daemon:
            self.reporter.kill()
        if command:
            filing.kill()
        return _ended(filing, slug)

    def _alone(self, slug: str, size: int, *, child: bool) -> Attempt:
        filing = self._begin(slug, size, is_once=True)
        children = _children(filing.pid)
        victims = children if child else [filing.pid]
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        made = _ended(filing, slug)
        wait_until(lambda: not any(map(_is_alive, children)), within_s=ONCE_ENDS_S,
                   what="a daemon ends that has lost its only caller")  # fmt: skip
        return made

    def _begin(self, slug: str, size: int, *, is_once: bool) -> "subprocess.Popen[str]":
        filing = self.reporter.begin(*words(self.folder, slug, size=size))
        time.sleep(self.luck.uniform(0.1, self.usual_s[is_once]))
        return filing


def _ended(filing: "subprocess.Popen[str]", slug: str) -> Attempt:
    said, _ = filing.communicate(timeout=120)
    return Attempt(slug, printed(said))


def _children(process: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        listed = Path(f"/proc/{process}/task/{process}/children").read_text("ascii")
        return [int(word) for word in listed.split()]
    return []


def _is_alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def campaign(folder: Path, *, filings: int, seed: int) -> Counter[str]:
    """Run it; return what became of how many.

    Raises:
        AssertionError: something was lost, changed, halved, doubled or never confirmed.
    """
    with open_world(folder) as world:
        _, editor, reporter = desk_with_a_collector(world)
        run = Campaign(folder, reporter, random.Random(seed))
        run.measure()
        for number in range(filings):
            run.cut_one(number)
        assert kept_for_drafts(reporter) == 0, "something of what was cut off is left"
        reporter.start()
        for made in run.attempts:
            made.look(reporter)
        verify(editor, reporter, folder, run.attempts)
    return run.counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filings", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="filings") as folder:
        try:
            counts = campaign(Path(folder), filings=given.filings, seed=given.seed)
        except AssertionError as fault:
            print(f"seed {given.seed}: {fault}", file=sys.stderr)
            return 1
    for line, count in sorted(counts.items()):
        print(f"{count:5}  {line}")
    took_s = time.monotonic() - began
    print(f"seed {given.seed}: {given.filings} filings cut off in {took_s:.0f} s: once and whole")
    return 0


if __name__ == "__main__":
    sys.exit(main())
