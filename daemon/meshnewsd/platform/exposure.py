"""What of a home other users of the machine can get at.

Judged by owner and mode alone (stat(2)); what root can do is not the point.
"""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ENTRIES_MAX: Final = 4096
"""More files than this are no home of ours; the first tell enough."""

_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
_OTHERS_ENTER: Final = 0o011
_GROUP_WRITES: Final = 0o020
_ROOT: Final = 0


@dataclass(frozen=True, slots=True)
class Exposure:
    """What others can get at, or could if the home's folder were open to them.

    Attributes:
        home: they can enter the folder.
        above: a folder over the home in which they may rename or replace things.
        socket: the control socket is theirs to use.
        config: the configuration is theirs to read or to change.
        files: any other file that is, relative to the home.
        foreign: what in the home belongs to somebody else.
    """

    home: bool
    above: Path | None
    socket: bool
    config: bool
    files: tuple[str, ...]
    foreign: tuple[str, ...]


def exposure_of(home: Path, *, socket: Path, config: Path) -> Exposure:
    """Return what others can get at of `home`; `config` may lie outside it.

    Raises:
        OSError: the home cannot be looked at.
    """
    entries = list(_entries(home))
    own = os.geteuid()
    return Exposure(
        home=_is_open(home.stat()),
        above=_loose_folder_above(home),
        socket=_is_there_and_open(socket),
        config=_is_there_and_open(config),
        files=tuple(
            str(path.relative_to(home))
            for path, found in entries
            if path not in (socket, config) and _is_open(found)
        ),
        foreign=tuple(str(path.relative_to(home)) for path, f in entries if f.st_uid != own),
    )


def _entries(home: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield everything in the home with its state, links not followed and left out."""
    for number, path in enumerate(sorted(home.rglob("*"))):
        if number == ENTRIES_MAX:
            return
        try:
            found = path.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISLNK(found.st_mode):
            yield path, found


def _is_open(found: os.stat_result) -> bool:
    return stat.S_IMODE(found.st_mode) & _OTHERS != 0


def _is_there_and_open(path: Path) -> bool:
    try:
        return _is_open(path.stat())
    except OSError:
        return False


def _loose_folder_above(home: Path) -> Path | None:
    """Return the outermost folder over the home whose entries others may rename.

    In one with the sticky bit nobody renames what is not theirs, and below one that
    nobody else may enter nobody else renames anything.
    """
    for folder in reversed(home.resolve().parents):
        found = folder.stat()
        if found.st_uid not in (_ROOT, os.geteuid()) or _is_loose(found):
            return folder
        if not found.st_mode & _OTHERS_ENTER:
            return None
    return None


def _is_loose(found: os.stat_result) -> bool:
    writes = found.st_mode & _OTHERS_WRITE
    if writes == _GROUP_WRITES and _is_group_of_one(found.st_gid):
        return False
    return bool(writes) and not found.st_mode & stat.S_ISVTX


def _is_group_of_one(group: int) -> bool:
    """Tell whether a group is this user's private one, as many systems give to each."""
    try:
        found, user = grp.getgrgid(group), pwd.getpwuid(os.geteuid())
    except KeyError:
        return False
    return found.gr_name == user.pw_name and set(found.gr_mem) <= {user.pw_name}
