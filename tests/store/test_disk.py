"""What only the store on disk has to do: cipher, locks, versions, faults, sudden death."""

import functools
import os
import signal
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from meshnews.errors import LocalMisuse, Refusal, StoreFull
from meshnews.ids import Day, TrafficClass
from meshnews.store.port import State
from meshnewsd.storage.database import PAGE_BYTES, Database, open_database
from meshnewsd.storage.fault import HalfKept, StoreDamaged
from meshnewsd.storage.home import CARRY_FILE, VAULT_FILE
from meshnewsd.storage.schema import CARRY_SCHEMA, VAULT_SCHEMA, Schema
from meshnewsd.storage.store import Store, open_store
from tests.store.kit import TODAY, body_of, entry_of, identifier
from tests.store.writer import BATCH

CARRY_KEY, VAULT_KEY = b"c" * 32, b"v" * 32


def add(store: Store, *numbers: int) -> None:
    def work() -> None:
        for number in numbers:
            store.carry.add(entry_of(number), body_of(entry_of(number)))

    store.transact(work)


def connection_of(database: Database) -> apsw.Connection:
    return database._connection


# What lies on the disk


def test_nothing_is_readable_in_the_files(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        vault = store.vault
        assert vault is not None
        add(store, *range(100))
        store.transact(lambda: vault.put("person", b"name", b"Reporter One" * 20))
        before_closing = [path.read_bytes() for path in tmp_path.iterdir()]
    after_closing = [path.read_bytes() for path in tmp_path.iterdir()]
    for content in before_closing + after_closing:
        assert not content.startswith(b"SQLite format 3")
        for telling in (
            b"Reporter One",
            b"CREATE",
            b"bundle",
            b"person",
            identifier(7),
            b"\x11" * 64,
        ):
            assert telling not in content


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
            add(store, 1)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert set(modes) == {
        f"{name}{end}" for name in (CARRY_FILE, VAULT_FILE) for end in ("", "-wal")
    }
    assert set(modes.values()) == {0o600}


def test_what_was_dropped_is_overwritten(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY) as store:
        add(store, 1)
        store.transact(lambda: store.carry.forget(entry_of(1).ref))
        assert connection_of(store._carry_db).pragma("secure_delete") == 1


def test_the_vault_stays_closed_without_its_key(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY) as store:
        assert store.vault is None
        add(store, 1)
    assert [path.name for path in tmp_path.iterdir()] == [CARRY_FILE]


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 33])
def test_a_key_of_another_length_is_our_bug(tmp_path: Path, key: bytes) -> None:
    with pytest.raises(LocalMisuse):
        open_store(tmp_path, key)


def test_another_key_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        add(store, 1)
    with pytest.raises(Refusal) as wrong:
        open_store(tmp_path, b"x" * 32)
    assert wrong.value.code == "store-unreadable"
    with pytest.raises(Refusal):
        open_store(tmp_path, CARRY_KEY, b"x" * 32)
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        assert store.carry.state(entry_of(1).ref) is State.HELD


def test_a_plain_database_is_refused(tmp_path: Path) -> None:
    plain = apsw.Connection(str(tmp_path / CARRY_FILE))
    plain.execute("CREATE TABLE a (b)")
    plain.close()
    with pytest.raises(Refusal) as wrong:
        open_store(tmp_path, CARRY_KEY)
    assert wrong.value.code == "store-unreadable"


def test_a_second_opening_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY) as store:
        add(store, 1)
        with pytest.raises(Refusal) as busy:
            open_store(tmp_path, CARRY_KEY)
        assert busy.value.code == "home-in-use"
        add(store, 2)


def test_another_process_is_refused_too(tmp_path: Path) -> None:
    """SQLite's locks go with any descriptor of the file that its process closes."""
    script = (
        "import pathlib, sys; from meshnews.errors import Refusal\n"
        "from meshnewsd.storage.store import open_store\n"
        "try: open_store(pathlib.Path(sys.argv[1]), sys.argv[2].encode())\n"
        "except Refusal as refusal: print(refusal.code)\n"
    )
    words = [sys.executable, "-c", script, str(tmp_path), CARRY_KEY.decode()]
    with open_store(tmp_path, CARRY_KEY) as store:
        add(store, 1)
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert done.stdout == "home-in-use\n"
        add(store, 2)


# Versions


def test_a_file_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    newer = Schema((*CARRY_SCHEMA.steps, "CREATE TABLE more (a)"))
    open_database(tmp_path / CARRY_FILE, CARRY_KEY, newer, cache_kib=64).close()
    with pytest.raises(Refusal) as refused:
        open_store(tmp_path, CARRY_KEY)
    assert refused.value.code == "newer-home"


def test_an_older_file_goes_through_the_steps_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / VAULT_FILE
    open_database(path, VAULT_KEY, VAULT_SCHEMA, cache_kib=64).close()
    step = "CREATE TABLE more (a); INSERT INTO more VALUES (7)"
    newer = Schema((*VAULT_SCHEMA.steps, step))
    for _ in range(2):
        database = open_database(path, VAULT_KEY, newer, cache_kib=64)
        assert database.rows("SELECT a FROM more") == [(7,)]
        assert database.rows("PRAGMA user_version") == [(2,)]
        database.close()


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / VAULT_FILE
    open_database(path, VAULT_KEY, VAULT_SCHEMA, cache_kib=64).close()
    broken = Schema((*VAULT_SCHEMA.steps, "CREATE TABLE more (a); CREATE TABLE more (a)"))
    with pytest.raises(LocalMisuse):
        open_database(path, VAULT_KEY, broken, cache_kib=64)
    database = open_database(path, VAULT_KEY, VAULT_SCHEMA, cache_kib=64)
    assert database.rows("PRAGMA user_version") == [(1,)]
    database.close()


# Transactions and faults


@pytest.mark.parametrize(
    "work",
    [
        lambda store: store.carry.put("a", b"b", b"c"),
        lambda store: store.carry.add(entry_of(1), body_of(entry_of(1))),
        lambda store: store.carry.count_copy(entry_of(1).ref),
        lambda store: store.vault.delete("a", b"b"),
    ],
)
def test_writing_outside_a_transaction_is_our_bug(
    tmp_path: Path, work: Callable[[Store], object]
) -> None:
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store, pytest.raises(LocalMisuse):
        work(store)


def test_a_transaction_that_writes_nothing_touches_no_file(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        add(store, 1)
        before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
        sizes = {path: path.stat().st_size for path in tmp_path.iterdir()}
        for _ in range(3):
            store.transact(lambda: store.carry.entry(entry_of(1).ref))
        assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
        assert {path: path.stat().st_size for path in tmp_path.iterdir()} == sizes


def test_a_full_disk_keeps_nothing_and_the_store_goes_on(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        add(store, 1)
        connection = connection_of(store._carry_db)
        connection.pragma("max_page_count", int(connection.pragma("page_count")) + 4)
        with pytest.raises(StoreFull):
            add(store, *range(2, 200))
        assert store.carry.count_elements() == 1
        assert store.carry.usage().total == 2048
        assert store.carry.days(TrafficClass.ROUTINE) == [TODAY]
        connection.pragma("max_page_count", 1 << 30)
        add(store, *range(2, 200))
        assert store.carry.count_elements() == 199


def test_who_catches_a_full_disk_cannot_commit_the_rest(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY) as store:
        connection = connection_of(store._carry_db)
        connection.pragma("max_page_count", int(connection.pragma("page_count")) + 4)

        def work() -> None:
            store.carry.put("a", b"b", b"c")
            with pytest.raises(StoreFull):
                for number in range(200):
                    store.carry.add(entry_of(number), body_of(entry_of(number)))

        with pytest.raises(StoreFull):
            store.transact(work)
        assert store.carry.get("a", b"b") is None
        assert store.carry.count_elements() == 0


def test_a_disk_that_is_full_between_the_two_commits_is_told_apart(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        vault, connection = store.vault, connection_of(store._carry_db)
        assert vault is not None

        def no_room() -> bool:
            raise apsw.FullError

        def write_both() -> None:
            vault.put("outbox", b"1", b"")
            store.carry.put("a", b"b", b"c")

        connection.set_commit_hook(no_room)
        with pytest.raises(HalfKept):
            store.transact(write_both)
        assert vault.get("outbox", b"1") == b""
        with pytest.raises(StoreFull) as caught:
            store.transact(lambda: store.carry.put("a", b"b", b"c"))
        assert type(caught.value) is StoreFull, "nothing of it was kept"
        connection.set_commit_hook(None)


def test_a_broken_page_is_said_to_be_damage(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY) as store:
        add(store, *range(500))
    path = tmp_path / CARRY_FILE
    content = bytearray(path.read_bytes())
    for at in range(20 * PAGE_BYTES, 60 * PAGE_BYTES, PAGE_BYTES):
        content[at + 100] ^= 1
    path.write_bytes(content)
    with open_store(tmp_path, CARRY_KEY) as store, pytest.raises(StoreDamaged):
        for number in range(500):
            store.carry.body(entry_of(number).ref)


def test_the_vault_is_committed_before_carry(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        vault = store.vault
        assert vault is not None
        connection = connection_of(store._carry_db)
        connection.set_commit_hook(lambda: True)  # refuses every commit

        def work() -> None:
            vault.put("outbox", b"1", b"")
            store.carry.put("a", b"b", b"c")

        with pytest.raises(Exception, match="ConstraintError"):
            store.transact(work)
        connection.set_commit_hook(None)
        assert vault.get("outbox", b"1") == b""
        assert store.carry.get("a", b"b") is None
        add(store, 1)


# Sudden death


def write_until_killed(folder: Path, first: int, commits: int) -> int:
    """Let a process write until so many commits were said to be done; return what it said."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.writer", str(folder), str(first)],
        cwd=root,
        env={"PYTHONPATH": f"{root}:{root / 'daemon'}"},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(commits)][-1]
    process.send_signal(signal.SIGKILL)
    # What was committed between the last line read and the signal counts as well.
    rest = process.stdout.read().split()
    process.wait()
    process.stdout.close()
    return int(rest[-1]) if rest else said


@pytest.mark.parametrize("commits", [1, 5, 60])
def test_a_killed_writer_loses_no_committed_bundle(tmp_path: Path, commits: int) -> None:
    said = 0
    for _ in range(2):
        said = write_until_killed(tmp_path, said, commits)
        with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
            vault, carry = store.vault, store.carry
            assert vault is not None
            held = [carry.body(entry_of(n).ref) for n in range(said)]
            assert held == [body_of(entry_of(n)) for n in range(said)]
            count = carry.count_elements()
            assert count == len(carry.elements(TrafficClass.ROUTINE, Day(TODAY)))
            # Whole batches only, and nothing on carry that the vault does not know.
            assert count % BATCH == 0
            assert vault.count("outbox") in {count, count + BATCH}
            assert connection_of(store._carry_db).pragma("integrity_check") == "ok"
            said = vault.count("outbox")
            store.transact(functools.partial(fill_up, store, said))


def fill_up(store: Store, said: int) -> None:
    """Put on carry what the vault knows and carry lacks, as a node does when it starts."""
    for number in range(store.carry.count_elements(), said):
        store.carry.add(entry_of(number), body_of(entry_of(number)))


def test_nothing_is_remembered_of_a_transaction_that_a_broken_disk_does_not_take_back(
    tmp_path: Path,
) -> None:
    """The node that is built again asks the same store."""
    store = open_store(tmp_path, CARRY_KEY, VAULT_KEY)
    add(store, 1)
    before = store.carry.usage()

    def work() -> None:
        store.carry.add(entry_of(2), body_of(entry_of(2)))
        assert store.carry.entry(entry_of(2).ref) is not None
        connection_of(store._carry_db).close(True)

    with pytest.raises(apsw.ConnectionClosedError):
        store.transact(work)
    assert store.carry.usage() == before
    with pytest.raises(apsw.ConnectionClosedError):
        store.carry.entry(entry_of(2).ref)


def test_days_on_which_nothing_lies_cost_no_memory_however_many_are_asked_about(
    tmp_path: Path,
) -> None:
    days = range(0, 1000, 2)
    with open_store(tmp_path, CARRY_KEY) as store:
        store.carry.pages(TrafficClass.BULK, Day(1001))
        tracemalloc.start()
        try:
            for day in days:
                assert not store.carry.pages(TrafficClass.BULK, Day(day))
            kept_bytes, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert kept_bytes < 100 * len(days)
