"""Where a home is, and how its socket is reached when its path is long.

A home is one directory that holds everything of one identity.  Its default name
says nothing about what it is for.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from meshnews.control.place import HOME_FOLDER, HOME_VARIABLE, SOCKET_PATH_BYTES_MAX


def find_home(given: str | None, environment: Mapping[str, str]) -> Path:
    """Return the home: the one given, else the environment's, else the default."""
    chosen = given or environment.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs  # noqa: PLC0415  a start with a home given need not pay for it

    return platformdirs.user_data_path(HOME_FOLDER, appauthor=False)


def free_bytes(folder: Path) -> int:
    """Return how much room there is for us on the disk under `folder`.

    Raises:
        OSError: it cannot be asked.
    """
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Yield a name of the Unix socket `path` that is short enough to bind or connect to.

    A path too long for the kernel is reached through its directory, held open
    for as long as the context lasts: ``/proc/self/fd/N/NAME``.  So the socket is
    always in its home, and never in a directory that others may write to.

    Raises:
        OSError: the directory cannot be opened.
    """
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
