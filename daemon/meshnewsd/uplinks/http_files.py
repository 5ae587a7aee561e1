"""What file services over HTTP have in common: GET reads, PUT writes, DELETE removes.

How a question is put, signed or with a password, and how names are listed, each kind
says itself.  Source: RFC 9110, sections 9.3 and 15.
"""

from abc import ABC, abstractmethod
from typing import Final

from meshnewsd.uplinks.drop import OBJECT_BYTES_MAX, turned_away
from meshnewsd.uplinks.http import Answer, HttpService

ANSWER_BYTES_MAX: Final = 64 * 1024
"""Of an answer that says only whether it was done."""

LISTING_BYTES_MAX: Final = 64 * 1024 * 1024
"""A listing of 50,000 files, some 700 bytes each, and room beside."""

_READ: Final = 200
_GONE: Final = 404
_WRITTEN: Final = frozenset({200, 201, 204})
_REMOVED: Final = frozenset({200, 202, 204, _GONE})


class HttpFiles(ABC):
    """The half of a `meshnewsd.uplinks.drop.DropService` that needs no listing.

    Args:
        proxy: see `HttpService`.
    """

    def __init__(self, *, proxy: str) -> None:
        self._http = HttpService(proxy=proxy)

    @abstractmethod
    async def _ask(
        self, method: str, name: str, *, body: bytes = b"", bytes_max: int = ANSWER_BYTES_MAX
    ) -> Answer:
        """Return what the service answers about a file.

        Raises:
            DropLost: see `HttpService.ask`.
        """

    async def read(self, name: str) -> bytes | None:
        """Return a file; see the protocol."""
        answer = await self._ask("GET", name, bytes_max=OBJECT_BYTES_MAX)
        if answer.status == _GONE:
            return None
        if answer.status != _READ:
            raise turned_away("reading", answer.status)
        return answer.body

    async def write(self, name: str, data: bytes) -> None:
        """Write a file; see the protocol."""
        answer = await self._ask("PUT", name, body=data)
        if answer.status not in _WRITTEN:
            raise turned_away("writing", answer.status)

    async def remove(self, name: str) -> None:
        """Remove a file; see the protocol."""
        answer = await self._ask("DELETE", name)
        if answer.status not in _REMOVED:
            raise turned_away("removing", answer.status)

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._http.aclose()
