"""The folder that holds everything of one identity: its files, its version, its lock.

    version    the number 1, as text                    which program understands the folder
    lock       empty; locked while a daemon runs
    seed       the erase secret, see `keys`
    slots      passphrase slots, see `keys`; none at a relay
    carry.db   bundles, and what it takes to carry them    (and carry.db-wal)
    vault.db   everything of a person; none at a relay     (and vault.db-wal)

No name says what the folder is for.  Every file is readable by its owner only.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from meshnews.errors import Refusal
from meshnewsd.platform.paths import CONFIG_NAME
from meshnewsd.storage.fault import StoreDamaged, newer

VERSION_FILE: Final = "version"
LOCK_FILE: Final = "lock"
SEED_FILE: Final = "seed"
SLOTS_FILE: Final = "slots"
CARRY_FILE: Final = "carry.db"
VAULT_FILE: Final = "vault.db"

STORAGE_FILES: Final = (
    SEED_FILE,
    SLOTS_FILE,
    VAULT_FILE,
    f"{VAULT_FILE}-wal",
    CARRY_FILE,
    f"{CARRY_FILE}-wal",
    LOCK_FILE,
    VERSION_FILE,
)
"""Every file that this room writes, what is worth most to a thief first."""

HOME_VERSION: Final = 1
_VERSION_BYTES_MAX: Final = 16


def create_home(folder: Path) -> None:
    """Make `folder` an empty home; the folder may exist if it is no home yet.

    One that is empty, or holds no more than a configuration, is closed to others. Of one
    with something else in it nothing is known; the doctor tells when it is open.

    Raises:
        Refusal: it is a home already, or cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if {each.name for each in folder.iterdir()} <= {CONFIG_NAME}:
            folder.chmod(0o700)
        write_new(folder / VERSION_FILE, b"%d\n" % HOME_VERSION)
    except FileExistsError as exc:
        raise Refusal(
            "home-exists",
            what=f"{folder} is in use as a home already.",
            meaning="A second identity would destroy the first.",
            remedy="Choose another folder with --home.",
        ) from exc
    except OSError as exc:
        raise Refusal(
            "home-not-made",
            what=f"{folder} cannot be made: {exc.strerror}.",
            meaning="There is nowhere to keep keys and bundles.",
            remedy="Choose a folder that you may write to.",
        ) from exc


def check_home(folder: Path) -> None:
    """Return if `folder` is a home that this program understands.

    Raises:
        Refusal: it is no home, or a newer program made it.
    """
    try:
        with (folder / VERSION_FILE).open("rb") as file:
            text = file.read(_VERSION_BYTES_MAX)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise Refusal(
            "no-home",
            what=f"{folder} is no home.",
            meaning="There are no keys in it.",
            remedy="Make one with init, or name the right folder with --home.",
        ) from exc
    except OSError as exc:
        raise StoreDamaged(f"the home cannot be read: {exc.strerror}") from exc
    number = text.strip()
    if not number.isdigit():
        raise StoreDamaged("the home's version cannot be read")
    if int(number) > HOME_VERSION:
        raise newer(str(folder))


@contextmanager
def hold_home(folder: Path) -> Iterator[None]:
    """Hold the home while the block runs, so that no second daemon opens it.

    The lock goes with the process, however that ends.

    Raises:
        Refusal: it is no home, a newer program made it, or another process holds it.
    """
    check_home(folder)
    lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno not in {errno.EAGAIN, errno.EACCES}:
                raise StoreDamaged(f"the home cannot be locked: {exc.strerror}") from exc
            raise Refusal(
                "home-in-use",
                what=f"Another process has {folder} open.",
                meaning="Two daemons must not write to one home.",
                remedy="Stop the other one, or choose another folder with --home.",
            ) from exc
        yield
    finally:
        os.close(lock)


def write_new(path: Path, content: bytes) -> None:
    """Make a file that only we can read, and return when it is on the disk.

    Raises:
        FileExistsError: there is one already; it is not touched.
        OSError: the disk.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _write_all(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of a file, whole or not at all, and overwrite the old bytes.

    Raises:
        OSError: the disk; the old content still stands, or the new one does.
    """
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    write_new(draft, content)
    old = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        draft.replace(path)
        sync_folder(path.parent)
        _overwrite(old)
    finally:
        os.close(old)


def burn_file(path: Path) -> None:
    """Overwrite a file, then remove it.  A laboratory may still find its bytes on flash.

    Raises:
        FileNotFoundError: there is none.
        OSError: the disk.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        _overwrite(handle)
        # Where the file system is mounted with discard, giving up the blocks trims them.
        os.ftruncate(handle, 0)
        os.fsync(handle)
    finally:
        os.close(handle)
    path.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Return when the names in `folder` are on the disk.

    Raises:
        OSError: the disk.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _overwrite(handle: int) -> None:
    """Write zeros over all of an open file, down to the disk."""
    size = os.fstat(handle).st_size
    os.lseek(handle, 0, os.SEEK_SET)
    _write_all(handle, bytes(size))
    os.fsync(handle)


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]
