"""A disk that is full at any write: nothing promised is lost, it is said, and it goes on."""

import contextlib
import errno
import functools
import resource
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from meshnews.errors import StoreFull
from meshnews.store.port import State
from meshnewsd.storage import fold
from meshnewsd.storage.store import Store, open_store
from tests.store.kit import body_of, entry_of
from tests.store.power import VFS, Recording, RecordingVfs, recording_vfs

CARRY_KEY, VAULT_KEY = b"c" * 32, b"v" * 32
BATCHES = 5
PER_BATCH = 3


class Connection(apsw.Connection):
    """Closes without a word of a log that could not be folded into its file.

    To SQLite that is no fault: the log stays.  The binding tells of it all the same where
    the file system is written in Python, as here, and nowhere else.
    """

    def close(self, force: bool = False) -> None:
        with contextlib.suppress(apsw.FullError):
            super().close(force)


@pytest.fixture
def vfs(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingVfs]:
    with monkeypatch.context() as patch:
        patch.setattr("meshnewsd.storage.database.apsw.Connection", Connection)
        patch.setattr("meshnewsd.storage.database.VFS", f"multipleciphers-{VFS}")
        yield recording_vfs()


class Life:
    """A store that is opened, filled batch by batch, and closed; when it is full, room is made.

    Attributes:
        promised: batches whose transaction has returned.
        refused: how often it was said that there is no room.
    """

    def __init__(self, folder: Path, recording: Recording) -> None:
        folder.mkdir()
        self.folder = folder
        self.recording = recording
        self.promised: list[int] = []
        self.refused = 0

    def run(self) -> None:
        with self._opened() as store:
            for batch in range(BATCHES):
                self._keep(store, batch)
        with self._opened() as store:
            self.check(store)

    def _opened(self) -> Store:
        try:
            return open_store(self.folder, CARRY_KEY, VAULT_KEY)
        except StoreFull:
            self._make_room()
            return open_store(self.folder, CARRY_KEY, VAULT_KEY)

    def _make_room(self) -> None:
        self.refused += 1
        self.recording.full_from = None

    def _keep(self, store: Store, batch: int) -> None:
        work = functools.partial(fill, store, batch)
        try:
            store.transact(work)
        except StoreFull:
            self.check(store)
            self._make_room()
            store.transact(work)
        self.promised.append(batch)

    def check(self, store: Store) -> None:
        """Look whether all that was promised is there, and nothing of what was refused."""
        vault = store.vault
        assert vault is not None
        assert store.carry.count_elements() == len(self.promised) * PER_BATCH
        for batch in self.promised:
            assert vault.get("notes", bytes([batch])) == b"kept" * 100
            for number in numbers_of(batch):
                entry = entry_of(number, size=8192)
                assert store.carry.state(entry.ref) is State.HELD
                assert store.carry.body(entry.ref) == body_of(entry)


def numbers_of(batch: int) -> range:
    return range(batch * PER_BATCH, (batch + 1) * PER_BATCH)


def fill(store: Store, batch: int) -> None:
    vault = store.vault
    assert vault is not None
    vault.put("notes", bytes([batch]), b"kept" * 100)
    for number in numbers_of(batch):
        entry = entry_of(number, size=8192)
        store.carry.add(entry, body_of(entry))


@pytest.mark.parametrize("is_folded", [False, True])
def test_a_disk_that_is_full_at_any_write_loses_nothing_and_goes_on_when_there_is_room(
    folder_in_memory: Path, vfs: RecordingVfs, monkeypatch: pytest.MonkeyPatch, *, is_folded: bool
) -> None:
    if is_folded:
        monkeypatch.setattr(fold, "FOLD_PAGES", 15)
        monkeypatch.setattr(fold, "REST_PAGES", 8)
        monkeypatch.setattr(fold, "LOG_PAGES_MAX", 30)
    whole = vfs.record()
    Life(folder_in_memory / "whole", whole).run()
    refused = 0
    for at in range(len(whole.operations)):
        recording = vfs.record()
        recording.full_from = at
        life = Life(folder_in_memory / f"full-{at}", recording)
        life.run()
        refused += life.refused
    # All but the folding of the logs into their files at the end: they stay, which is no loss.
    assert refused > 100, f"{refused} of {len(whole.operations)}"


def test_a_home_opens_on_a_disk_that_has_no_room_at_all(tmp_path: Path) -> None:
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        store.transact(functools.partial(fill, store, 0))
    with no_file_may_grow(), open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        assert store.carry.count_elements() == PER_BATCH


@contextlib.contextmanager
def no_file_may_grow() -> Iterator[None]:
    """Let the system itself refuse every byte, also those that pass by SQLite's own calls."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.ENOSPC])
def test_a_quota_is_no_broken_disk(tmp_path: Path, vfs: RecordingVfs, number: int) -> None:
    recording = vfs.record()
    recording.no_room, recording.errno = apsw.IOError, number
    with open_store(tmp_path, CARRY_KEY, VAULT_KEY) as store:
        recording.full_from = 0
        with pytest.raises(StoreFull):
            store.transact(functools.partial(fill, store, 0))
        recording.full_from = None
        store.transact(functools.partial(fill, store, 0))
        assert store.carry.count_elements() == PER_BATCH
