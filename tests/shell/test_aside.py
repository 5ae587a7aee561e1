"""A thread for what is done beside all else."""

import queue
import threading

import pytest

from meshnewsd.platform.aside import Aside

PATIENCE_S = 10.0


class Held:
    """Work that goes on until it is let go."""

    def __init__(self) -> None:
        self.times = 0
        self.has_begun = threading.Event()
        self._go = threading.Semaphore(0)

    def __call__(self) -> None:
        self.has_begun.set()
        assert self._go.acquire(timeout=PATIENCE_S)
        self.times += 1

    def let_go(self) -> None:
        self._go.release()


def test_work_is_done_beside_and_can_be_waited_for() -> None:
    work = Held()
    aside = Aside(work)
    assert not aside.is_busy
    assert aside.begin()
    assert aside.is_busy
    work.let_go()
    aside.wait()
    assert not aside.is_busy
    assert work.times == 1
    assert aside.begin()
    work.let_go()
    aside.close()
    aside.close()
    assert work.times == 2


def test_work_in_hand_is_not_begun_again() -> None:
    work = Held()
    aside = Aside(work)
    assert aside.begin()
    assert work.has_begun.wait(PATIENCE_S)
    work.has_begun.clear()
    assert aside.begin()
    work.let_go()
    work.let_go()
    aside.wait()
    assert not work.has_begun.wait(0.1)
    aside.close()
    assert work.times == 1


def test_nothing_begins_before_it_is_asked_for_and_nothing_is_left_of_it() -> None:
    before = set(threading.enumerate())
    aside = Aside(lambda: None)
    assert set(threading.enumerate()) <= before
    for _ in range(50):
        aside.begin()
        aside.wait()
    assert len(set(threading.enumerate()) - before) == 1
    aside.close()
    assert set(threading.enumerate()) <= before


def test_a_bug_in_the_work_is_told_of_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    told: queue.SimpleQueue[object] = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", lambda bug: told.put(bug.exc_type))

    def fail() -> None:
        raise AssertionError("a bug")

    aside = Aside(fail)
    for _ in range(3):
        assert aside.begin()
        assert told.get(timeout=PATIENCE_S) is AssertionError
        assert not aside.is_busy
    aside.close()


def test_a_system_without_threads_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        aside = Aside(lambda: None)
        assert not aside.begin()
        assert not aside.is_busy
        aside.wait()
        aside.close()
