"""One HTTP service: requests with deadlines, bounded answers, and one exception for all that fails.

The door of httpx2.  Nothing of the machine's surroundings (proxies and the like in
the environment) is believed, and no redirection followed.
"""

import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Final

import httpx2

from meshnewsd.uplinks.drop import DropLost

STEP_S_MAX: Final = 20.0
"""How long connecting, sending a piece or waiting for a piece may each take."""

AGENT: Final = "curl/8.5.0"
"""What programs without a name of their own are often seen as."""


class HttpService:
    """The client of one service."""

    def __init__(
        self, *, auth: httpx2.Auth | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        self._client = httpx2.AsyncClient(
            auth=auth,
            verify=context or ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=STEP_S_MAX,
            headers={"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
        )

    async def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        bytes_max: int,
    ) -> tuple[int, bytes | None]:
        """Return the status of an answer and its body; None for a body above `bytes_max`.

        Raises:
            DropLost: there is no answer, or none that can be read.
        """
        async with self._answer(method, url, body, headers or {}) as response:
            status, read = response.status_code, bytearray()
            length = response.headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > bytes_max:
                return status, None
            async with contextlib.aclosing(response.aiter_raw()) as pieces:
                async for piece in pieces:
                    read += piece
                    if len(read) > bytes_max:
                        return status, None
            return status, bytes(read)

    @contextlib.asynccontextmanager
    async def _answer(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx2.Response]:
        try:
            async with self._client.stream(
                method, url, content=body or None, headers=headers
            ) as response:
                yield response
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as exc:
            raise DropLost(type(exc).__name__) from exc

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._client.aclose()
