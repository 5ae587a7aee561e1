"""A dead drop in memory, that can be made to fail: passes the contract of the real ones."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import trio

from meshnewsd.uplinks.drop import OBJECT_BYTES_MAX, DropLost


@dataclass
class MemoryDrop:
    """Meets `meshnewsd.uplinks.drop.DropService`.

    Attributes:
        breaks_after: so many calls are answered, then the service is lost; None: never.
        written: how many bytes were ever written.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    breaks_after: int | None = None
    written: int = 0

    async def names(self) -> AsyncGenerator[str]:
        await self._answer()
        for name in sorted(self.files):
            yield name

    async def read(self, name: str) -> bytes | None:
        await self._answer()
        data = self.files.get(name)
        return None if data is None or len(data) > OBJECT_BYTES_MAX else data

    async def write(self, name: str, data: bytes) -> None:
        await self._answer()
        self.files[name] = data
        self.written += len(data)

    async def remove(self, name: str) -> None:
        await self._answer()
        self.files.pop(name, None)

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()

    async def _answer(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.breaks_after is not None:
            if not self.breaks_after:
                raise DropLost("gone")
            self.breaks_after -= 1
