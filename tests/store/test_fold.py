"""The log of a database is folded beside the commits, and what was committed is never in doubt."""

import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from meshnews.store.port import State
from meshnewsd.storage import database, fold
from meshnewsd.storage.home import CARRY_FILE
from meshnewsd.storage.store import Store, open_store
from tests.store.kit import body_of, entry_of

CARRY_KEY = b"c" * 32
BODY_BYTES = 8192
PATIENCE_S = 10.0


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a log be long with a dozen bundles in it."""
    monkeypatch.setattr(fold, "FOLD_PAGES", 30)
    monkeypatch.setattr(fold, "REST_PAGES", 8)
    monkeypatch.setattr(fold, "LOG_PAGES_MAX", 90)


def add(store: Store, number: int) -> None:
    entry = entry_of(number, size=BODY_BYTES)
    store.transact(lambda: store.carry.add(entry, body_of(entry)))


def has(store: Store, number: int) -> bool:
    entry = entry_of(number, size=BODY_BYTES)
    is_held = store.carry.state(entry.ref) is State.HELD
    return is_held and store.carry.body(entry.ref) == body_of(entry)


def log_pages(store: Store) -> int:
    return store._carry_db._folding._pages


def log_bytes(folder: Path) -> int:
    return (folder / f"{CARRY_FILE}-wal").stat().st_size


def add_until(store: Store, pages: int) -> int:
    """Add bundles until the log is so long; return how many."""
    for number in range(pages):
        if log_pages(store) >= pages:
            return number
        add(store, number)
    raise AssertionError("the log was folded before")


class Gate:
    """Holds every second connection back until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._is_open = threading.Event()
        self.asked = threading.Event()
        self._connect: Callable[[Path, bytes], apsw.Connection] = database._beside
        monkeypatch.setattr(database, "_beside", self._wait_and_connect)

    def open(self) -> None:
        self._is_open.set()

    def _wait_and_connect(self, path: Path, key: bytes) -> apsw.Connection:
        self.asked.set()
        assert self._is_open.wait(PATIENCE_S)
        return self._connect(path, key)


def test_a_log_is_folded_while_commits_go_on_and_begun_afresh(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY) as store:
        longest = 0
        for number in range(400):
            add(store, number)
            longest = max(longest, log_pages(store))
        assert 30 < longest <= 90 + 8
        assert log_bytes(tmp_path) < 2 * 90 * database.PAGE_BYTES
        assert all(has(store, number) for number in range(400))
    with open_store(tmp_path, CARRY_KEY) as store:
        assert all(has(store, number) for number in range(400))


def test_a_commit_does_not_wait_for_a_fold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    with open_store(tmp_path, CARRY_KEY) as store:
        number = add_until(store, 60)
        assert gate.asked.wait(PATIENCE_S)
        assert has(store, number - 1)
        gate.open()
        for each in range(number, number + 200):
            add(store, each)
        assert log_pages(store) <= 90 + 8
        assert all(has(store, each) for each in range(number + 200))


def test_an_owner_waits_for_a_disk_that_is_slower_than_what_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    with open_store(tmp_path, CARRY_KEY) as store:
        numbers = iter(range(add_until(store, 80), 1000))

        def add_more() -> None:
            for _ in range(20):
                add(store, next(numbers))

        waiting = threading.Thread(target=add_more)
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
        gate.open()
        waiting.join(PATIENCE_S)
        assert not waiting.is_alive()
        assert all(has(store, number) for number in range(next(numbers)))


def test_a_fold_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[Path] = []

    def fail(path: Path, _: bytes) -> apsw.Connection:
        tries.append(path)
        raise apsw.CantOpenError("no descriptor is left")

    monkeypatch.setattr(database, "_beside", fail)
    with open_store(tmp_path, CARRY_KEY) as store:
        for number in range(60):
            add(store, number)
        assert len(tries) > 1
        # At the longest the owner does it.
        assert log_pages(store) <= 90 + 8
        assert all(has(store, number) for number in range(60))


class WornOut:
    """A connection to a disk that takes nothing more in the place of the file, for a while."""

    is_broken = True

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.close = connection.close

    def wal_checkpoint(self, *, mode: int) -> tuple[int, int]:
        if WornOut.is_broken:
            raise apsw.IOError("disk I/O error")
        return self._connection.wal_checkpoint(mode=mode)


def test_a_disk_that_takes_nothing_is_told_of_once_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connect = database._beside
    monkeypatch.setattr(database, "_beside", lambda path, key: WornOut(connect(path, key)))
    monkeypatch.setattr(fold, "LOG_PAGES_MAX", 10_000)
    with open_store(tmp_path, CARRY_KEY) as store:
        for number in range(60):
            monkeypatch.setattr(WornOut, "is_broken", number < 30 or number >= 45)
            add(store, number)
            store._carry_db._folding._aside.wait()
        assert all(has(store, number) for number in range(60))
    told = [record.message for record in caplog.records if record.name == "meshnewsd.storage"]
    assert told == 2 * ["the database's log cannot be folded, and grows"]


def test_the_thread_begins_with_the_first_fold_and_ends_with_the_store(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with open_store(tmp_path, CARRY_KEY) as store:
        add(store, 0)
        assert set(threading.enumerate()) <= before
        for number in range(1, 60):
            add(store, number)
        assert len(set(threading.enumerate()) - before) == 1
    assert set(threading.enumerate()) <= before
    store.close()


def test_without_a_thread_the_owner_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with open_store(tmp_path, CARRY_KEY) as store:
        for number in range(60):
            add(store, number)
            assert log_pages(store) < 30 + 8
        assert all(has(store, number) for number in range(60))
