"""In the virtual machine: sticks as they are sold, with a real vfat or exfat on them.

    stick = Stick.format(FileSystem.EXFAT, Path("/run/stick.image"))
    with stick.plugged_in(Path("/run/stick")) as folder: ...

Pulled out and plugged in again, a stick has what was written on it.  Any script that
`tests.vm.machine.boot` runs may use them.
"""

import contextlib
import enum
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from tests.vm.machine import MAKERS

STICK_BYTES: Final = 64 << 20
"""Of memory, as far as it is written."""


class FileSystem(enum.StrEnum):
    """What sticks are formatted with; the kernel's names."""

    VFAT = "vfat"
    EXFAT = "exfat"


@dataclass(frozen=True)
class Stick:
    """One stick; `image` is what is on it."""

    kind: FileSystem
    image: Path

    @classmethod
    def format(cls, kind: FileSystem, image: Path) -> Self:
        """Return a new and empty one."""
        with image.open("wb") as file:
            file.truncate(STICK_BYTES)
        folders = (MAKERS / "sbin", MAKERS / "usr/sbin")
        maker = shutil.which(f"mkfs.{kind}", path=os.pathsep.join(map(str, folders)))
        assert maker is not None, f"nothing here makes {kind}"
        subprocess.run([maker, str(image)], check=True, stdout=subprocess.DEVNULL)
        return cls(kind, image)

    @contextlib.contextmanager
    def plugged_in(self, at: Path) -> Iterator[Path]:
        """Yield the folder where it is mounted."""
        at.mkdir(exist_ok=True)
        words = ["mount", "-t", str(self.kind), "-o", "loop", str(self.image), str(at)]
        subprocess.run(words, check=True)
        try:
            yield at
        finally:
            subprocess.run(["umount", str(at)], check=True)
