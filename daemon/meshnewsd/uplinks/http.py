"""One HTTP service: requests with deadlines, bounded answers, and one exception for all that fails.

Nothing of the machine's surroundings (proxies and the like in the environment) is
believed, and no redirection followed.  This file and `http_stream` are the door of httpcore2.
"""

import contextlib
import datetime as dt
import email.utils
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import httpcore2

from meshnews.node.event import Trouble
from meshnewsd.uplinks.drop import DropLost
from meshnewsd.uplinks.http_stream import NO_PROXY, NotReached, Opener

STEP_S_MAX: Final = 20.0
"""How long connecting, sending a piece or waiting for a piece may each take."""

AGENT: Final = b"curl/8.5.0"
"""What programs without a name of their own are often seen as."""

_STEPS: Final = {
    "timeout": dict.fromkeys(("connect", "read", "write", "pool"), STEP_S_MAX),
}
_FAILURES: Final = (
    httpcore2.NetworkError,
    httpcore2.TimeoutException,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered.

    Attributes:
        status: of RFC 9110, section 15.
        body: None when it was larger than was asked for.
        date: when the service says it answered; None: it does not say.
    """

    status: int
    body: bytes | None
    date: dt.datetime | None


class HttpService:
    """The client of one service.

    Args:
        proxy: ``number:port`` of a SOCKS5 proxy through which alone it is called.
        context: for TLS.
    """

    def __init__(self, *, proxy: str = NO_PROXY, context: ssl.SSLContext | None = None) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context or ssl.create_default_context(), network_backend=Opener(proxy)
        )

    async def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str],
        bytes_max: int,
    ) -> Answer:
        """Return what the service answers, its body up to `bytes_max`.

        Args:
            method: of the request.
            url: in ASCII.
            body: of the request.
            headers: besides those that every request has; with ``host``.
            bytes_max: of the answer's body.

        Raises:
            DropLost: there is no answer, or none that can be read.
        """
        async with self._answer(method, url, body, headers) as response:
            given = {name.lower(): value for name, value in response.headers}
            read = await _read(response, given.get(b"content-length", b"0"), bytes_max)
            return Answer(response.status, read, _date(given.get(b"date", b"")))

    @contextlib.asynccontextmanager
    async def _answer(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[httpcore2.Response]:
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        sent += [(b"user-agent", AGENT), (b"accept", b"*/*"), (b"accept-encoding", b"identity")]
        content = body if body or method == "PUT" else None
        try:
            async with self._pool.stream(
                method, url, headers=sent, content=content, extensions=_STEPS
            ) as response:
                yield response
        except _FAILURES as exc:
            raise DropLost(type(exc).__name__, _trouble(exc)) from exc

    async def aclose(self) -> None:
        """Let go of connections."""
        await self._pool.aclose()


async def _read(response: httpcore2.Response, length: bytes, bytes_max: int) -> bytes | None:
    if not length.isdigit() or int(length) > bytes_max:
        return None
    read = bytearray()
    async with contextlib.aclosing(response.aiter_stream()) as pieces:
        async for piece in pieces:
            read += piece
            if len(read) > bytes_max:
                return None
    return bytes(read)


def _date(header: bytes) -> dt.datetime | None:
    try:
        at = email.utils.parsedate_to_datetime(header.decode("ascii", "replace"))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _trouble(failure: BaseException) -> Trouble:
    """Return what is the matter, as far as it can be told from here."""
    match failure:
        case NotReached():
            return failure.trouble
        case httpcore2.TimeoutException():
            return Trouble.SILENT
        case httpcore2.NetworkError():
            return Trouble.CUT
        case _:
            return Trouble.STRANGER
