"""Several simulations at once, each in a process of its own: one takes one core."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def outcomes(
    work: Callable[[Task], Outcome], tasks: Iterable[Task], *, jobs: int
) -> Iterator[Outcome]:
    """Yield what became of each task, in order; `work` is a function of a module."""
    if jobs <= 1:
        yield from map(work, tasks)
        return
    # A process that ends with its work gives back what that has taken of memory.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(work, tasks)
