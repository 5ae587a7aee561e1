import asyncio
import threading

import pytest
import trio

from meshnewsd.platform.asyncio_thread import AsyncioThread


async def test_what_a_coroutine_of_asyncio_returns_reaches_trio() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return threading.get_ident()

    async with AsyncioThread() as thread:
        found = {await thread.run(work) for _ in range(3)}
    assert len(found) == 1
    assert found != {threading.get_ident()}


async def test_what_it_raises_reaches_the_caller_and_the_thread_goes_on() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async def succeed() -> int:
        return 7

    async with AsyncioThread() as thread:
        with pytest.raises(ZeroDivisionError):
            await thread.run(fail)
        assert await thread.run(succeed) == 7


async def test_a_cancelled_caller_waits_until_the_coroutine_has_cleaned_up() -> None:
    begun, ended = trio.Event(), []

    async with AsyncioThread() as thread:

        async def work() -> None:
            thread.tell_trio(begun.set)
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append(True)

        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(thread.run, work)
                await begun.wait()
                scope.cancel()
        assert scope.cancelled_caught
        assert ended == [True]


async def test_a_caller_that_is_cancelled_already_begins_nothing() -> None:
    begun = []

    async def work() -> None:
        begun.append(True)

    async with AsyncioThread() as thread:
        with trio.CancelScope() as scope:
            scope.cancel()
            await thread.run(work)
        await thread.run(lambda: asyncio.sleep(0))
    assert begun == []


async def test_a_coroutine_that_cancels_itself_is_a_fault_of_ours() -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    async with AsyncioThread() as thread:
        with pytest.raises(RuntimeError, match="inside"):
            await thread.run(work)


async def test_both_sides_can_tell_each_other_something_without_waiting() -> None:
    heard = trio.Event()
    async with AsyncioThread() as thread:
        thread.tell(lambda: thread.tell_trio(heard.set))
        with trio.fail_after(5):
            await heard.wait()


async def test_the_end_of_the_thread_ends_what_still_runs_there() -> None:
    ended = threading.Event()

    async def linger() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    kept = []
    async with AsyncioThread() as thread:
        thread.tell(lambda: kept.append(asyncio.ensure_future(linger())))
        await thread.run(lambda: asyncio.sleep(0))
    assert ended.is_set()


async def test_what_is_said_after_the_end_is_lost() -> None:
    async with AsyncioThread() as thread:
        pass
    thread.tell(lambda: pytest.fail("nobody is there"))
