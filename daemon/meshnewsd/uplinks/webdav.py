"""A dead drop in a folder of a WebDAV server (RFC 4918).

PROPFIND with depth 1 lists, GET reads, PUT writes, DELETE removes.
"""

import base64
import re
from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import unquote, urlsplit

from meshnews.node.links.drop_memory import NAMES_MAX
from meshnewsd.uplinks.drop import turned_away
from meshnewsd.uplinks.http import Answer
from meshnewsd.uplinks.http_files import ANSWER_BYTES_MAX, LISTING_BYTES_MAX, HttpFiles

HREF_BYTES_MAX: Final = 2048
"""Of the path of a file, as it stands in a listing."""

# What repeats has an end, or ends at the next "<": a listing cannot be written so that
# reading it takes longer than its length.
_HREF: Final = re.compile(
    rb"<(?:[A-Za-z0-9]{1,32}:)?href(?: [^<>]{0,256})?>([^<]{1,%d})</" % HREF_BYTES_MAX,
    re.IGNORECASE,
)
_ENTRY_BYTES_MAX: Final = HREF_BYTES_MAX + 512
"""Of all that `_HREF` matches."""

_NAME: Final = re.compile(r"[0-9a-f]{32}")
_LISTED: Final = 207
_QUESTION: Final = (
    b'<?xml version="1.0" encoding="utf-8"?>'
    b'<propfind xmlns="DAV:"><prop><getcontentlength/></prop></propfind>'
)
_ASKING: Final = {"depth": "1", "content-type": "application/xml"}
_WRITING: Final = {"content-type": "application/octet-stream"}


class WebDavService(HttpFiles):
    """Meets `meshnewsd.uplinks.drop.DropService`.

    Args:
        url: the folder.
        user, password: for basic authentication (RFC 7617); empty: none.
        proxy: see `HttpService`.
    """

    def __init__(self, url: str, *, user: str = "", password: str = "", proxy: str = "") -> None:
        super().__init__(proxy=proxy)
        self._folder = url.rstrip("/") + "/"
        parts = urlsplit(self._folder)
        self._path = unquote(parts.path)
        self._headers = {"host": parts.netloc}
        if user:
            secret = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
            self._headers["authorization"] = f"Basic {secret}"

    async def names(self) -> AsyncGenerator[str]:
        """Yield all names; see the protocol."""
        listing = Listing(self._path)
        answer = await self._http.ask(
            "PROPFIND",
            self._folder,
            body=_QUESTION,
            headers={**self._headers, **_ASKING},
            bytes_max=LISTING_BYTES_MAX,
            sink=listing.read,
        )
        if answer.status != _LISTED or answer.body is None:
            raise turned_away("a listing", answer.status)
        for name in listing.names:
            yield name

    async def _ask(
        self, method: str, name: str, *, body: bytes = b"", bytes_max: int = ANSWER_BYTES_MAX
    ) -> Answer:
        headers = {**self._headers, **_WRITING} if body else self._headers
        url = self._folder + name
        return await self._http.ask(method, url, body=body, headers=headers, bytes_max=bytes_max)


class Listing:
    """The names in a listing that is read piece by piece.

    Only what stands in href matters, so no parser of XML meets what a stranger wrote.

    Attributes:
        names: those found so far, each once, in their order.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._rest = b""
        self.names: dict[str, None] = {}

    def read(self, piece: bytes) -> bool:
        """Look for names; tell whether there is room for more."""
        text = self._rest + piece
        end = 0
        for match in _HREF.finditer(text):
            end = match.end()
            self._take(match[1])
        self._rest = text[max(end, len(text) - _ENTRY_BYTES_MAX) :]
        return len(self.names) < NAMES_MAX

    def _take(self, href: bytes) -> None:
        words = unquote(href.decode("utf-8", "replace").strip())
        folder, _, name = words.rpartition("/")
        if _NAME.fullmatch(name) and _path_of(folder + "/").startswith(self._folder):
            self.names[name] = None


def _path_of(href: str) -> str:
    """Return the path of an absolute URI, or of a path (RFC 4918, section 8.3)."""
    scheme, _, rest = href.partition("://")
    return "/" + rest.partition("/")[2] if rest and "/" not in scheme else href
