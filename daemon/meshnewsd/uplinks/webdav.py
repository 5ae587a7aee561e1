"""A dead drop in a folder of a WebDAV server (RFC 4918).

PROPFIND with depth 1 lists, GET reads, PUT writes, DELETE removes.
"""

import base64
import re
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote, urlsplit

from meshnewsd.uplinks.drop import OBJECT_BYTES_MAX, turned_away
from meshnewsd.uplinks.http import Answer, HttpService

LISTING_BYTES_MAX: Final = 64 * 1024 * 1024
"""A listing of 50,000 files, some 700 bytes each, and room beside."""

_HREF: Final = re.compile(rb"<(?:[A-Za-z0-9]+:)?href(?: [^>]*)?>([^<]{1,2048})</", re.IGNORECASE)
_NAME: Final = re.compile(r"[0-9a-f]{32}")
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_ANSWER_BYTES_MAX: Final = 64 * 1024
_QUESTION: Final = (
    b'<?xml version="1.0" encoding="utf-8"?>'
    b'<propfind xmlns="DAV:"><prop><getcontentlength/></prop></propfind>'
)


class WebDavService:
    """Meets `meshnewsd.uplinks.drop.DropService`.

    Args:
        url: the folder.
        user, password: for basic authentication (RFC 7617); empty: none.
        proxy: see `HttpService`.
    """

    def __init__(self, url: str, *, user: str = "", password: str = "", proxy: str = "") -> None:
        self._folder = url.rstrip("/") + "/"
        parts = urlsplit(self._folder)
        self._path = parts.path
        self._headers = {"host": parts.netloc}
        if user:
            secret = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
            self._headers["authorization"] = f"Basic {secret}"
        self._http = HttpService(proxy=proxy)

    async def names(self) -> AsyncIterator[str]:
        """Yield all names; see the protocol."""
        listing = await self._ask(
            "PROPFIND",
            body=_QUESTION,
            headers={"depth": "1", "content-type": "application/xml"},
            bytes_max=LISTING_BYTES_MAX,
        )
        if listing.status != 207 or listing.body is None:
            raise turned_away("a listing", listing.status)
        # Only what stands in href matters, so no parser of XML meets what a stranger wrote.
        for match in _HREF.finditer(listing.body):
            path = unquote(urlsplit(match[1].decode("utf-8", "replace").strip()).path)
            name = path.rpartition("/")[2]
            if _NAME.fullmatch(name) and path.startswith(self._path):
                yield name

    async def read(self, name: str) -> bytes | None:
        """Return a file; see the protocol."""
        answer = await self._ask("GET", name, bytes_max=OBJECT_BYTES_MAX)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise turned_away("reading", answer.status)
        return answer.body

    async def write(self, name: str, data: bytes) -> None:
        """Write a file; see the protocol."""
        headers = {"content-type": "application/octet-stream"}
        answer = await self._ask("PUT", name, body=data, headers=headers)
        if answer.status not in {200, 201, 204}:
            raise turned_away("writing", answer.status)

    async def remove(self, name: str) -> None:
        """Remove a file; see the protocol."""
        answer = await self._ask("DELETE", name)
        if answer.status not in {200, 202, 204, 404}:
            raise turned_away("removing", answer.status)

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._http.aclose()

    async def _ask(
        self,
        method: str,
        name: str = "",
        *,
        body: bytes = b"",
        headers: Mapping[str, str] = NO_HEADERS,
        bytes_max: int = _ANSWER_BYTES_MAX,
    ) -> Answer:
        return await self._http.ask(
            method,
            self._folder + name,
            body=body,
            headers={**self._headers, **headers},
            bytes_max=bytes_max,
        )
