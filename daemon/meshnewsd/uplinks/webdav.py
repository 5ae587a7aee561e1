"""A dead drop in a folder of a WebDAV server (RFC 4918).

PROPFIND with depth 1 lists, GET reads, PUT writes, DELETE removes.
"""

import re
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx2

from meshnewsd.uplinks.drop import OBJECT_BYTES_MAX, DropLost
from meshnewsd.uplinks.http import HttpService

LISTING_BYTES_MAX: Final = 64 * 1024 * 1024
"""A listing of 50,000 files, some 700 bytes each, and room beside."""

_HREF: Final = re.compile(rb"<(?:[A-Za-z0-9]+:)?href(?: [^>]*)?>([^<]{1,2048})</", re.IGNORECASE)
_NAME: Final = re.compile(r"[0-9a-f]{32}")
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
    """

    def __init__(self, url: str, *, user: str = "", password: str = "") -> None:
        self._folder = url.rstrip("/") + "/"
        self._path = urlsplit(self._folder).path
        self._http = HttpService(auth=httpx2.BasicAuth(user, password) if user else None)

    async def names(self) -> AsyncIterator[str]:
        """Yield all names; see the protocol."""
        status, body = await self._http.ask(
            "PROPFIND",
            self._folder,
            body=_QUESTION,
            headers={"Depth": "1", "Content-Type": "application/xml"},
            bytes_max=LISTING_BYTES_MAX,
        )
        if status != 207 or body is None:
            raise DropLost(f"a listing was answered with {status}")
        # Only what stands in href matters, so no parser of XML meets what a stranger wrote.
        for match in _HREF.finditer(body):
            path = unquote(urlsplit(match[1].decode("utf-8", "replace").strip()).path)
            name = path.rpartition("/")[2]
            if _NAME.fullmatch(name) and path.startswith(self._path):
                yield name

    async def read(self, name: str) -> bytes | None:
        """Return a file; see the protocol."""
        status, body = await self._http.ask("GET", self._folder + name, bytes_max=OBJECT_BYTES_MAX)
        if status == 404:
            return None
        if status != 200:
            raise DropLost(f"reading was answered with {status}")
        return body

    async def write(self, name: str, data: bytes) -> None:
        """Write a file; see the protocol."""
        status, _ = await self._http.ask(
            "PUT",
            self._folder + name,
            body=data,
            headers={"Content-Type": "application/octet-stream"},
            bytes_max=_ANSWER_BYTES_MAX,
        )
        if status not in {200, 201, 204}:
            raise DropLost(f"writing was answered with {status}")

    async def remove(self, name: str) -> None:
        """Remove a file; see the protocol."""
        status, _ = await self._http.ask("DELETE", self._folder + name, bytes_max=_ANSWER_BYTES_MAX)
        if status not in {200, 202, 204, 404}:
            raise DropLost(f"removing was answered with {status}")

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._http.aclose()
