"""What can go wrong with a home and its databases, in the house's words."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from meshnews.errors import MeshnewsError, Refusal, StoreFull

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a system says for want of room.  SQLite itself knows the first, and only of writes: a
quota, and what a file system finds out when it syncs or makes a file, is a broken disk to it."""


class StoreDamaged(MeshnewsError):
    """A database cannot be read or written any more: a broken disk, file or file system.

    Nothing that was committed before is known to be lost, and nothing of the
    running transaction was kept.
    """


class HalfKept(StoreFull):
    """The disk was full when the vault's part of a transaction was on it and carry's was not.

    Whoever starts the node next completes what the vault says was done.
    """


def unreadable(name: str) -> Refusal:
    """Return the refusal for a database that the key does not open."""
    return Refusal(
        "store-unreadable",
        what=f"{name} cannot be read with the keys of this home.",
        meaning="It was written with other keys, or it is damaged.",
        remedy="Put back the whole folder from one copy, or start a new home.",
    )


def in_use(name: str) -> Refusal:
    """Return the refusal for a database that another process has open."""
    return Refusal(
        "home-in-use",
        what=f"{name} is open in another process.",
        meaning="Two programs must not write to one home.",
        remedy="Stop the other one, or choose another home.",
    )


def newer(name: str) -> Refusal:
    """Return the refusal for what a newer version of the program wrote."""
    return Refusal(
        "newer-home",
        what=f"{name} was written by a newer version of this program.",
        meaning="This version would not understand it, and has changed nothing.",
        remedy="Install the newer version again.",
    )


def missing(name: str) -> Refusal:
    """Return the refusal for a database that is gone from a home that was whole."""
    return Refusal(
        "home-incomplete",
        what=f"{name} is gone from this home, or is empty.",
        meaning="What it held cannot be made again from the rest. Nothing was changed.",
        remedy="Put back the whole folder from one copy, or start a new home.",
    )


def damaged(folder: Path, fault: StoreDamaged) -> Refusal:
    """Return the refusal for a home that cannot be opened through `fault`."""
    return Refusal(
        "home-damaged",
        what=f"The home {folder} cannot be opened: {fault}.",
        meaning="Its disk fails, or cannot be written, or one of its files is damaged. Nothing in "
        "it was removed.",
        remedy="See that the disk is whole, can be written, and that the files are yours; else "
        "put back the whole folder from one copy, or start a new home.",
    )


def full(folder: Path) -> Refusal:
    """Return the refusal for a home on a disk that has no room to open it."""
    return Refusal(
        "disk-full",
        what=f"The disk of the home {folder} has no room left.",
        meaning="Without any it cannot be opened; what is in it is unharmed.",
        remedy="Free some space, and try again.",
    )


@contextmanager
def refusing(folder: Path) -> Iterator[None]:
    """Let a fault of the disk under a home, while the block opens it, be told to a person.

    Raises:
        Refusal: the fault, in three sentences.
    """
    try:
        yield
    except StoreDamaged as fault:
        raise damaged(folder, fault) from fault
    except StoreFull as fault:
        raise full(folder) from fault


def is_no_room(errno_said: int | None) -> bool:
    """Tell whether the system's number for a fault says that there is no room."""
    return errno_said in _NO_ROOM


def translate(fault: apsw.Error, errno_said: int) -> MeshnewsError | None:
    """Return what `fault` is in the house's words; None for a bug of ours.

    `errno_said` is the system's number for it, 0 where it gave none.
    """
    match fault:
        case apsw.FullError():
            return StoreFull("the disk has no room")
        case apsw.IOError() | apsw.CantOpenError() if is_no_room(errno_said):
            return StoreFull("the disk has no room")
        case (
            apsw.CorruptError()
            | apsw.NotADBError()
            | apsw.IOError()
            | apsw.CantOpenError()
            | apsw.ReadOnlyError()
        ):
            return StoreDamaged(f"the database gave {type(fault).__name__}")
        case apsw.BusyError() | apsw.LockedError():
            return in_use("The store")
        case _:
            return None
