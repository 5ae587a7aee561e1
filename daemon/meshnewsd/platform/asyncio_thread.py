"""One asyncio loop in a thread of its own, for libraries that know no other: bleak, dbus-fast.

    trio task ──run(work)──> loop: await work() ──result──> trio task
                 cancel ──> cancel there, wait for its clean-up ──> Cancelled

Only control calls cross (a fraction of a millisecond each); what moves in bulk has
sockets that trio drives itself.  See docs/decisions/0150.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import outcome
import trio

T = TypeVar("T")

CLEAN_UP_S_MAX: Final = 2.0
"""How long the end waits for what runs in the thread; a stuck bus must not hold up the daemon."""


class AsyncioThread:
    """Runs coroutines of asyncio for tasks of trio.

    Use it as an async context manager, inside a trio run::

        async with AsyncioThread() as thread:
            found = await thread.run(lambda: BleakScanner.discover())
    """

    def __init__(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._is_up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._work, name="asyncio", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        await trio.to_thread.run_sync(self._is_up.wait)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._ending is not None, "it has begun"
        self.tell(self._ending.set)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._thread.join, CLEAN_UP_S_MAX)

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what the coroutine ``work()`` returns; raise what it raises.

        A cancelled caller has the coroutine cancelled too, and waits until that has
        cleaned up after itself.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        call = _Call(work, self._token, trio.lowlevel.current_task())
        assert self._loop is not None, "it has begun"
        self._loop.call_soon_threadsafe(call.start)
        raise_cancel: Callable[[], None] | None = None

        def abort(raiser: Callable[[], None]) -> trio.lowlevel.Abort:
            nonlocal raise_cancel
            raise_cancel = raiser
            self.tell(call.cancel)
            return trio.lowlevel.Abort.FAILED

        try:
            done: T = await trio.lowlevel.wait_task_rescheduled(abort)
        except asyncio.CancelledError:
            if raise_cancel is None:
                raise RuntimeError("a call was cancelled from inside the thread") from None
            raise_cancel()
            raise
        return done

    def tell_trio(self, say: Callable[[], object]) -> None:
        """Have ``say()`` called by trio soon; for use inside the thread.  Lost when trio ended."""
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(say)

    def tell(self, say: Callable[[], object]) -> None:
        """Have ``say()`` called in the thread soon.  Lost when the thread has ended."""
        assert self._loop is not None, "it has begun"
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(say)

    def _work(self) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._live())

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._is_up.set()
        await self._ending.wait()


class _Call:
    """One coroutine on its way through the thread."""

    def __init__(
        self,
        work: Callable[[], Coroutine[Any, Any, object]],
        token: trio.lowlevel.TrioToken,
        caller: trio.lowlevel.Task,
    ) -> None:
        self._work = work
        self._token = token
        self._caller = caller
        self._task: asyncio.Task[object] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work())
        self._task.add_done_callback(self._done)

    def cancel(self) -> None:
        # It was started before: what is said to a loop is heard in order.
        assert self._task is not None
        self._task.cancel()

    def _done(self, task: "asyncio.Task[object]") -> None:
        result = outcome.capture(task.result)
        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(trio.lowlevel.reschedule, self._caller, result)
