"""A power cut at any moment: the store opens, keeps what was promised, and serves nothing half."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshnews.store.port import State
from meshnewsd.storage import fold
from meshnewsd.storage.home import CARRY_FILE
from meshnewsd.storage.store import open_store
from tests.store.kit import body_of, entry_of
from tests.store.power import VFS, Disk, Recording, Sync, recording_vfs

CARRY_KEY, VAULT_KEY = b"c" * 32, b"v" * 32
BATCHES = 30
PER_BATCH = 5


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    recorded = recording_vfs().record()
    with monkeypatch.context() as patch:
        patch.setattr("meshnewsd.storage.database.VFS", f"multipleciphers-{VFS}")
        yield recorded


def numbers_of(batch: int) -> range:
    return range(batch * PER_BATCH, (batch + 1) * PER_BATCH)


def fill(folder: Path, recording: Recording) -> list[int]:
    """Keep batches of bundles, a note of each in the vault; return where each was promised."""
    promised: list[int] = []
    with open_store(folder, CARRY_KEY, VAULT_KEY) as store:
        vault = store.vault
        assert vault is not None
        for batch in range(BATCHES):

            def work(batch: int = batch) -> None:
                for number in numbers_of(batch):
                    entry = entry_of(number, size=8192)
                    store.carry.add(entry, body_of(entry))
                vault.put("notes", batch.to_bytes(2, "big"), b"kept")
                if batch:
                    store.carry.forget(entry_of((batch - 1) * PER_BATCH, size=8192).ref)

            store.transact(work)
            promised.append(len(recording.operations))
        # What is done at the end of an orderly life is not part of the test.
        del recording.operations[promised[-1] :]
    return promised


def check(folder: Path, kept: int) -> None:
    """Look whether at least the first `kept` batches are there, and nothing half is."""
    with open_store(folder, CARRY_KEY, VAULT_KEY) as store:
        vault = store.vault
        assert vault is not None
        batches = [
            batch
            for batch in range(BATCHES)
            if store.carry.entry(entry_of(batch * PER_BATCH + 1, size=8192).ref) is not None
        ]
        assert batches == list(range(len(batches))), "a batch without the one before"
        assert len(batches) >= kept, f"{kept} batches were promised, {len(batches)} are there"
        assert vault.count("notes") >= len(batches), "carry is ahead of the vault"
        assert vault.count("notes") <= len(batches) + 1
        for batch in batches:
            is_last = batch == batches[-1]
            for number in numbers_of(batch)[0 if is_last else 1 :]:
                entry = entry_of(number, size=8192)
                assert store.carry.state(entry.ref) is State.HELD, f"half of batch {batch}"
                assert store.carry.body(entry.ref) == body_of(entry)


def restored(folder: Path, files: dict[str, bytearray]) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("is_folded", [False, True])
def test_what_was_promised_is_there_after_a_power_cut_at_any_sync(
    folder_in_memory: Path,
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_folded: bool,
) -> None:
    if is_folded:
        # By the thread, by the owner, and while commits go on.
        monkeypatch.setattr(fold, "FOLD_PAGES", 20)
        monkeypatch.setattr(fold, "REST_PAGES", 12)
        monkeypatch.setattr(fold, "LOG_PAGES_MAX", 60)
    (folder_in_memory / "home").mkdir()
    promised = fill(folder_in_memory / "home", recording)
    luck, disk, tried = random.Random(1), Disk(), 0
    operations = list(recording.operations)
    folds = sum(isinstance(one, Sync) and one.name == CARRY_FILE for one in operations)
    assert (folds > 5) is is_folded
    made_at = next(at for at, one in enumerate(operations) if at >= promised[0])
    for at, operation in enumerate(operations):
        disk.do(operation)
        is_boundary = isinstance(operation, Sync) or at + 1 in promised or luck.random() < 0.05
        if at + 1 < made_at or not is_boundary:
            continue
        kept = sum(one <= at + 1 for one in promised)
        for files in disk.after_cut(luck):
            tried += 1
            check(restored(folder_in_memory / f"cut-{tried}", files), kept)
    assert tried > 200


def test_the_recording_is_below_the_encryption(tmp_path: Path, recording: Recording) -> None:
    (tmp_path / "home").mkdir()
    fill(tmp_path / "home", recording)
    written = b"".join(one.data for one in recording.operations if hasattr(one, "data"))
    assert written
    assert b"kept" not in written
    assert b"SQLite format 3" not in written
