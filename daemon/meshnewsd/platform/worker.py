"""One thread that does one thing after another: the thread that owns the databases.

A hop there and back costs less than `trio.to_thread`, always meets the same
thread, and is never abandoned: what was begun is waited for.
"""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

import outcome
import trio

T = TypeVar("T")

JOIN_S_MAX: Final = 1.0
"""How long `close` waits for the job in hand; a stuck disk must not hold up the end."""


class Worker(Protocol):
    """Does a piece of work somewhere and gives back what it returned or raised."""

    async def run(self, work: Callable[[], T]) -> T:
        """Return what ``work()`` returns; raise what it raises."""
        ...


class ThreadWorker:
    """A `Worker` with a thread of its own.

    Use it as a context manager, inside a trio run::

        with ThreadWorker() as worker:
            total = await worker.run(count_everything)
    """

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._jobs: queue.SimpleQueue[tuple[trio.lowlevel.Task, Callable[[], object]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def run(self, work: Callable[[], T]) -> T:
        """Return what ``work()`` returns in the thread; raise what it raises.

        A cancelled caller still waits until the work is done, so that nobody acts
        while a transaction is open behind his back; it is cancelled at its next
        checkpoint.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        self._jobs.put((trio.lowlevel.current_task(), work))
        done: T = await trio.lowlevel.wait_task_rescheduled(_never_abandon)
        return done

    def close(self) -> None:
        """Let the thread finish what it was given, and end it."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join(JOIN_S_MAX)

    def _work(self) -> None:
        take, give = self._jobs.get, self._token.run_sync_soon
        while (job := take()) is not None:
            task, work = job
            result = outcome.capture(work)
            try:
                give(trio.lowlevel.reschedule, task, result)
            except trio.RunFinishedError:
                return
            # Nothing of a finished job is kept alive while we wait for the next.
            del job, task, work, result


def _never_abandon(_: Callable[[], None]) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED
