"""The folder that holds everything of one identity: its files, its version, its lock.

    version    the number 2, as text; 0 until the home is made whole
    lock       empty; locked while a daemon runs
    seed       the erase secret, see `keys`
    slots      passphrase slots, see `keys`; none at a relay
    carry.db   bundles, and what it takes to carry them    (and its -wal)
    vault.db   everything of a person; none at a relay     (and its -wal)

No name says what the folder is for.  Every file is readable by its owner only.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from meshnews.control.place import CONFIG_NAME
from meshnews.errors import Refusal
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

HOME_VERSION: Final = 2
"""Raised with every change after which what lies in a home would be read or named another way:
the databases' own versions tell of tables, not of what the bundles in them are."""
_UNFINISHED_NUMBER: Final = 0
_UNFINISHED: Final = b"%d" % _UNFINISHED_NUMBER
_VERSION_BYTES_MAX: Final = 16


@contextmanager
def new_home(folder: Path) -> Iterator[None]:
    """Make `folder` a home, of which the block makes the content; it may exist if it is none yet.

    It is a home once the block has ended well. Whatever ends it before, a power cut too, leaves
    something that is no home: a block that fails is undone at once, one that was cut off by
    whoever makes a home here next.

    A folder that is empty, or holds no more than a configuration, is closed to others. Of one
    with something else in it nothing is known; the doctor tells when it is open.

    Raises:
        Refusal: it is a home already, another process makes it one, or it cannot be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        maker = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as exc:
        raise _not_made(folder, exc) from exc
    try:
        _begin(folder, maker)
        try:
            yield
            _mark(folder, HOME_VERSION)
        except BaseException:
            # The version goes last: until then whoever comes next can still undo the rest.
            with contextlib.suppress(OSError):
                _clear(folder)
                (folder / VERSION_FILE).unlink()
            raise
    except OSError as exc:
        raise _not_made(folder, exc) from exc
    finally:
        os.close(maker)


def create_home(folder: Path) -> None:
    """Make `folder` an empty home; see `new_home`.

    Raises:
        Refusal: it is a home already, or cannot be made.
    """
    with new_home(folder):
        pass


def is_home(folder: Path) -> bool:
    """Tell whether there is a home in `folder`, of whatever version; one half made is none."""
    try:
        return _version(folder) != _UNFINISHED
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def has_content(path: Path) -> bool:
    """Tell whether there is something at `path`, and it is not an empty file."""
    try:
        return path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        raise StoreDamaged(f"{path.name} cannot be read: {exc.strerror}") from exc


def _begin(folder: Path, maker: int) -> None:
    """Let nobody else make a home in `folder`, and let it be none before it is whole."""
    try:
        fcntl.flock(maker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise _exists(folder) from exc
    if is_home(folder):
        raise _exists(folder)
    if (folder / VERSION_FILE).exists():
        _clear(folder)
    elif any((folder / name).exists() for name in STORAGE_FILES):
        # A home whose version was lost: what is undone must be what we made.
        raise _exists(folder)
    if {each.name for each in folder.iterdir()} <= {CONFIG_NAME, VERSION_FILE}:
        folder.chmod(0o700)
    _mark(folder, _UNFINISHED_NUMBER)


def _mark(folder: Path, number: int) -> None:
    """Put a version into `folder`, whole or not at all."""
    draft = folder / f"{VERSION_FILE}.new"
    draft.unlink(missing_ok=True)
    write_new(draft, b"%d\n" % number)
    draft.replace(folder / VERSION_FILE)
    sync_folder(folder)


def _clear(folder: Path) -> None:
    """Remove what a home holds that never was one: nobody's keys, and nothing under them."""
    for name in STORAGE_FILES:
        if name != VERSION_FILE:
            (folder / name).unlink(missing_ok=True)


def _exists(folder: Path) -> Refusal:
    return Refusal(
        "home-exists",
        what=f"{folder} is in use as a home already.",
        meaning="A second identity would destroy the first.",
        remedy="Choose another folder with --home.",
    )


def _not_made(folder: Path, exc: OSError) -> Refusal:
    return Refusal(
        "home-not-made",
        what=f"{folder} cannot be made: {exc.strerror}.",
        meaning="There is nowhere to keep keys and bundles.",
        remedy="Choose a folder that you may write to.",
    )


def check_home(folder: Path) -> None:
    """Return if `folder` is a home that this program understands.

    Raises:
        Refusal: it is no home, or a newer or an older program made it.
        StoreDamaged: its version cannot be read.
    """
    try:
        number = _version(folder)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise _no_home(folder) from exc
    except OSError as exc:
        raise StoreDamaged(f"its version cannot be read: {exc.strerror}") from exc
    if not number.isdigit():
        raise StoreDamaged("its version cannot be read")
    if number == _UNFINISHED:
        raise _no_home(folder)
    if int(number) > HOME_VERSION:
        raise newer(str(folder))
    if int(number) < HOME_VERSION:
        raise _older(folder)


def _version(folder: Path) -> bytes:
    with (folder / VERSION_FILE).open("rb") as file:
        return file.read(_VERSION_BYTES_MAX).strip()


def _no_home(folder: Path) -> Refusal:
    return Refusal(
        "no-home",
        what=f"{folder} is no home.",
        meaning="There are no keys in it.",
        remedy="Make one with init, or name the right folder with --home.",
    )


def _older(folder: Path) -> Refusal:
    return Refusal(
        "older-home",
        what=f"{folder} was made by an older version of this program, in another format.",
        meaning="Nothing was changed. Only that version can read what lies in it, and machines of "
        "this version would refuse it.",
        remedy="Let the older version hand on what it holds, then make a new home with init and "
        "enrol again.",
    )


@contextmanager
def hold_home(folder: Path) -> Iterator[None]:
    """Hold the home while the block runs, so that no second daemon opens it.

    The lock goes with the process, however that ends.

    Raises:
        Refusal: it is no home, a newer or an older program made it, or another process holds it.
        StoreDamaged: its version cannot be read, or the disk cannot be written.
    """
    check_home(folder)
    try:
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise StoreDamaged(f"{LOCK_FILE} cannot be written: {exc.strerror}") from exc
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            if exc.errno not in {errno.EAGAIN, errno.EACCES}:
                raise StoreDamaged(f"it cannot be locked: {exc.strerror}") from exc
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
