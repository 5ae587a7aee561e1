import threading

import pytest
import trio

from meshnewsd.platform.worker import ThreadWorker


async def test_work_is_done_in_one_thread_that_is_not_ours() -> None:
    with ThreadWorker() as worker:
        threads = {await worker.run(threading.get_ident) for _ in range(5)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


async def test_what_work_raises_reaches_the_caller_and_the_worker_goes_on() -> None:
    with ThreadWorker() as worker:
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 // 0)
        assert await worker.run(lambda: 7) == 7


async def test_work_is_done_in_the_order_in_which_it_was_asked_for() -> None:
    order: list[int] = []
    with ThreadWorker() as worker:
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(worker.run, lambda number=number: order.append(number))
                await trio.lowlevel.checkpoint()
    assert sorted(order) == list(range(20))


async def test_a_cancelled_caller_waits_until_what_was_begun_is_done() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        assert may_end.wait(10)
        ended.append(True)

    with ThreadWorker() as worker:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.run, work)
            await trio.to_thread.run_sync(begun.wait)
            nursery.cancel_scope.cancel()
            may_end.set()
        assert ended == [True]


async def test_nothing_is_begun_for_a_caller_who_is_cancelled_already() -> None:
    begun = []
    with ThreadWorker() as worker:
        with trio.CancelScope() as scope:
            scope.cancel()
            await worker.run(lambda: begun.append(True))
        assert scope.cancelled_caught
    assert begun == []


async def test_closing_lets_the_thread_end() -> None:
    with ThreadWorker() as worker:
        thread = await worker.run(threading.current_thread)
    assert not thread.is_alive()
    worker.close()
