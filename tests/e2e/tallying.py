"""A real daemon that writes down every block of a bundle that reaches it.

    python -m tests.e2e.tallying FILE [arguments of meshnewsd]

Each line of FILE is a block: the bundle's identifier, where in it the block begins and
how long it is.  Blocks of a request that was given up meanwhile have a dash for identifier.
"""

import functools
import sys
from collections import Counter
from pathlib import Path
from typing import TextIO

from meshnews.store.age import Moment
from meshnews.sync.messages import Data
from meshnews.sync.take import Taken, Taker
from meshnewsd.main import main


def watch(tally: TextIO) -> None:
    """Let every taker of this process write down what reaches it."""
    take_data = Taker.take_data

    @functools.wraps(take_data)
    def written_down(self: Taker, data: Data, moment: Moment) -> Taken | None:
        request = self._underway.get(data.short)
        name = "-" if request is None else request.ref.id.hex()
        tally.write(f"{name} {data.offset} {len(data.block)}\n")
        return take_data(self, data, moment)

    Taker.take_data = written_down  # type: ignore[method-assign]  # this process is a test's


def blocks_in(path: Path) -> Counter[tuple[str, int]]:
    """Return how often each block stands in a tally, by bundle and place."""
    lines = path.read_text("ascii").splitlines()
    return Counter((name, int(at)) for name, at, _ in map(str.split, lines))


def bytes_in(path: Path) -> int:
    """Return how many bytes all blocks of a tally have together."""
    return sum(int(line.split()[2]) for line in path.read_text("ascii").splitlines())


if __name__ == "__main__":
    file, *arguments = sys.argv[1:]
    sys.argv[1:] = arguments
    with Path(file).open("a", encoding="ascii", buffering=1) as tally:
        watch(tally)
        main()
