"""Files that the command line writes: new ones only, readable by their owner alone."""

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from meshnews_cli import file_complaint
from meshnews_cli.names import numbered

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
COPIES_MAX: Final = 1000
_HASH_BLOCK_BYTES: Final = 1 << 20


def read_small(path: Path, bytes_max: int, *, may_be_empty: bool = False) -> bytes:
    """Return what is in a file of at most `bytes_max` bytes.

    Raises:
        Refusal: it cannot be read, is empty, or is larger.
    """
    try:
        with path.open("rb") as file:
            body = file.read(bytes_max + 1)
    except OSError as exc:
        raise file_complaint.unreadable(path, exc) from exc
    if len(body) > bytes_max:
        raise file_complaint.file_too_large(path, bytes_max)
    if not body and not may_be_empty:
        raise file_complaint.file_empty(path)
    return body


class NewFile:
    """A file that was not there before; it disappears again unless it is filled."""

    def __init__(self, path: Path) -> None:
        """Make it, empty, so that a name that cannot be used is known before anything is asked.

        Raises:
            Refusal: there is something already, or it cannot be made.
        """
        self.path = path
        try:
            self._descriptor = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE
            )
        except FileExistsError as exc:
            raise file_complaint.file_exists(path) from exc
        except OSError as exc:
            raise file_complaint.unwritable(path, exc) from exc
        self._is_filled = self._is_lent = False

    def lend(self) -> int:
        """Return its descriptor for somebody else to fill it, its name being on the disk.

        What comes to be in it stays, whatever becomes of us: it may be all there is.
        """
        # Not every file system lets its folders be synced.
        with contextlib.suppress(OSError):
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self._is_lent = True
        return self._descriptor

    def fill(self, body: bytes) -> None:
        """Write `body` and see it onto the disk.

        Raises:
            OSError: it cannot be written.
        """
        with os.fdopen(self._descriptor, "wb", closefd=False) as file:
            file.write(body)
        os.fsync(self._descriptor)
        self._is_filled = True

    def close(self) -> None:
        """Close it, and remove it again if it was not filled."""
        is_filled = self._is_filled
        if self._is_lent:
            is_filled = os.fstat(self._descriptor).st_size > 0
        os.close(self._descriptor)
        if not is_filled:
            with contextlib.suppress(OSError):
                self.path.unlink()


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Make `path` and yield what fills it.

    Raises:
        Refusal: see `NewFile`; or it cannot be filled.
    """
    file = NewFile(path)
    try:

        def fill(body: bytes) -> None:
            try:
                file.fill(body)
            except OSError as exc:
                raise file_complaint.unwritable(path, exc) from exc

        yield fill
    finally:
        file.close()


class Folder:
    """A folder into which things are saved.  A context that lets go of it."""

    def __init__(self, path: Path) -> None:
        """Open it; it is made if only its last part is missing.

        Raises:
            Refusal: it cannot be made or opened.
        """
        self.path = path
        try:
            path.mkdir(mode=FOLDER_MODE, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as exc:
            raise file_complaint.unwritable(path, exc) from exc

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._descriptor)

    def find(
        self,
        wished: str,
        size: int,
        sha256: bytes,
        *,
        tell: Callable[[int], None] = lambda _: None,
    ) -> str | None:
        """Return the name under which this content lies here already: `wished`, or a copy of it.

        `tell` hears how much was read of what may be it.
        """
        for copy in range(1, COPIES_MAX + 1):
            name = numbered(wished, copy)
            try:
                descriptor = self._open(name, os.O_RDONLY | os.O_NONBLOCK)
            except FileNotFoundError:
                return None
            except OSError:
                continue
            try:
                if is_content(descriptor, size, sha256, tell=tell):
                    return name
            except OSError:
                continue
            finally:
                os.close(descriptor)
        return None

    @contextlib.contextmanager
    def temporary(self) -> Iterator[tuple[int, Callable[[str], str]]]:
        """Yield a descriptor of a new file, and a function that gives the file its name.

        The function takes the wished name and returns the one it could have: with
        a number when others have it already.  Unnamed, the file disappears.

        Raises:
            OSError: it cannot be made, or not be named.
        """
        hidden = f".{secrets.token_hex(8)}.part"
        descriptor = self._open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        remains = True

        def name_it(wished: str) -> str:
            nonlocal remains
            os.fsync(descriptor)
            name = self._reserve(wished)
            os.rename(hidden, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            remains = False
            os.fsync(self._descriptor)
            return name

        try:
            yield descriptor, name_it
        finally:
            os.close(descriptor)
            if remains:
                with contextlib.suppress(OSError):
                    os.unlink(hidden, dir_fd=self._descriptor)

    def _reserve(self, wished: str) -> str:
        # A link would be simpler, but FAT and exFAT have none.  The empty file
        # is ours, so that renaming onto it overwrites nothing of anybody's.
        for copy in range(1, COPIES_MAX + 1):
            name = numbered(wished, copy)
            with contextlib.suppress(FileExistsError):
                os.close(self._open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
                return name
        raise FileExistsError

    def _open(self, name: str, flags: int) -> int:
        return os.open(
            name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE, dir_fd=self._descriptor
        )


def is_content(
    descriptor: int, size: int, sha256: bytes, *, tell: Callable[[int], None] = lambda _: None
) -> bool:
    """Say whether an open file has this size and hash; `tell` hears how much was read."""
    import hashlib

    if os.fstat(descriptor).st_size != size:
        return False
    digest = hashlib.sha256()
    offset = 0
    while block := os.pread(descriptor, _HASH_BLOCK_BYTES, offset):
        digest.update(block)
        offset += len(block)
        tell(offset)
    return offset == size and digest.digest() == sha256
