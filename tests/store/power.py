"""A disk that remembers: every write and sync below the encryption, and what a power cut leaves.

A crash happens between two operations.  What a file had synced by then is there.
Of what was written to it since, each sector of 512 bytes may be there or not,
in any order: a disk promises no more.  Lengths and removals are taken as done.
"""

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR_BYTES = 512
VFS = "recorded"


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes put somewhere in a file."""

    name: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Sync:
    """A file's writes so far are on the disk for good."""

    name: str


@dataclass(frozen=True, slots=True)
class Truncate:
    """A file has another length."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Delete:
    """A file is gone."""

    name: str


Operation = Write | Sync | Truncate | Delete


@dataclass
class Recording:
    """What was done to the files of one folder, in order.

    Attributes:
        full_from: after so many operations nothing can be written any more; None: there is room.
        no_room: how the disk says that, and `errno` what the system calls it.
    """

    operations: list[Operation] = field(default_factory=list)
    full_from: int | None = None
    no_room: type[apsw.Error] = apsw.FullError
    errno: int = 0

    def must_have_room(self) -> None:
        if self.full_from is not None and len(self.operations) >= self.full_from:
            raise self.no_room("no room")

    def note(self, operation: Operation) -> None:
        self.operations.append(operation)


class RecordedFile(apsw.VFSFile):
    """A file that notes what is done to it."""

    def __init__(self, recording: Recording, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        self._name = Path(path).name
        self._recording = recording

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802  apsw's names
        self._recording.must_have_room()
        super().xWrite(data, offset)
        self._recording.note(Write(self._name, offset, bytes(data)))

    def xSync(self, flags: int) -> None:  # noqa: N802  apsw's name
        super().xSync(flags)
        self._recording.note(Sync(self._name))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  apsw's name
        super().xTruncate(newsize)
        self._recording.note(Truncate(self._name, newsize))


class RecordingVfs(apsw.VFS):
    """Opens recorded files, below the encryption: `multipleciphers-recorded` stands on it."""

    def __init__(self) -> None:
        super().__init__(VFS, "unix-excl")
        self._recording = Recording()

    def record(self) -> Recording:
        """Begin a new recording."""
        self._recording = Recording()
        return self._recording

    def xOpen(self, name: Any, flags: list[int]) -> RecordedFile:  # noqa: N802  apsw's name
        return RecordedFile(self._recording, name, flags)

    def xGetLastError(self) -> tuple[int, str]:  # noqa: N802  apsw's name
        return self._recording.errno, "no room"

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802  apsw's name
        super().xDelete(filename, syncdir)
        self._recording.note(Delete(Path(filename).name))


@functools.cache
def recording_vfs() -> RecordingVfs:
    """Return the one there is: the library does not survive a second under one name."""
    return RecordingVfs()


@dataclass
class Disk:
    """The files after a power cut.

    Attributes:
        synced: what is there for certain.
        loose: what was written since, sector by sector, in the order of writing.
    """

    synced: dict[str, bytearray] = field(default_factory=dict)
    loose: list[Write] = field(default_factory=list)

    def do(self, operation: Operation) -> None:
        match operation:
            case Write():
                self.loose.append(operation)
            case Sync(name):
                for write in self.loose:
                    if write.name == name:
                        put(self.synced, write)
                self.loose = [write for write in self.loose if write.name != name]
            case Truncate(name, size):
                # A length is metadata: it takes hold at once, and what lay beyond is gone.
                file = self.synced.setdefault(name, bytearray())
                del file[size:]
                self.loose = [w for w in self.loose if w.name != name or w.offset < size]
            case Delete(name):
                self.synced.pop(name, None)
                self.loose = [write for write in self.loose if write.name != name]

    def sectors(self) -> list[Write]:
        return [
            Write(write.name, write.offset + at, write.data[at : at + SECTOR_BYTES])
            for write in self.loose
            for at in range(0, len(write.data), SECTOR_BYTES)
        ]

    def after_cut(self, luck: random.Random) -> Iterator[dict[str, bytearray]]:
        """Yield what may be found: nothing of what is loose, all of it, and parts in any order."""
        sectors = self.sectors()
        some = [one for one in sectors if luck.random() < 0.5]
        shuffled = luck.sample(sectors, len(sectors))
        torn = sectors[: luck.randint(0, len(sectors))]
        for survivors in ([], sectors, some, shuffled[: len(sectors) // 2], torn):
            files = {name: bytearray(content) for name, content in self.synced.items()}
            for write in survivors:
                put(files, write)
            yield files


def put(files: dict[str, bytearray], write: Write) -> None:
    file = files.setdefault(write.name, bytearray())
    if len(file) < write.offset:
        file.extend(bytes(write.offset - len(file)))
    file[write.offset : write.offset + len(write.data)] = write.data
