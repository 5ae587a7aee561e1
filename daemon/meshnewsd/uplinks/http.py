"""One HTTP service: requests with deadlines, bounded answers, and one exception for all that fails.

Nothing of the machine's surroundings (proxies and the like in the environment) is
believed, and no redirection followed.  This file and `http_stream` are the door of httpcore2.
"""

import contextlib
import datetime as dt
import email.utils
import functools
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
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

Sink = Callable[[bytes], bool]
"""Is handed a body piece by piece; tells whether it wants more."""

_FIXDATE: Final = re.compile(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT")
"""The one form of a date that is sent today (RFC 9110, section 5.6.7)."""

_LENGTH_DIGITS_MAX: Final = 15

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
        body: None when it was larger than was asked for; empty when a sink had it.
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
            ssl_context=context or _authorities(), network_backend=Opener(proxy)
        )

    async def ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str],
        bytes_max: int,
        sink: Sink | None = None,
    ) -> Answer:
        """Return what the service answers, its body up to `bytes_max`.

        Args:
            method: of the request.
            url: in ASCII.
            body: of the request.
            headers: besides those that every request has; with ``host``.
            bytes_max: of the answer's body.
            sink: what takes the body, for one that nobody wants to hold whole.

        Raises:
            DropLost: there is no answer, or none that can be read.
        """
        async with self._answer(method, url, body, headers) as response:
            given = {name.lower(): value for name, value in response.headers}
            body_read = bytearray()
            is_whole = not _is_longer(given.get(b"content-length", b""), bytes_max)
            if is_whole:
                is_whole = await _pour(response, sink or _into(body_read), bytes_max)
            date = _date(given.get(b"date", b""))
            return Answer(response.status, bytes(body_read) if is_whole else None, date)

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


def _is_longer(length: bytes, bytes_max: int) -> bool:
    """Tell whether a body is said to be longer than it may be; what is no number says nothing."""
    return length.isdigit() and (len(length) > _LENGTH_DIGITS_MAX or int(length) > bytes_max)


def _into(whole: bytearray) -> Sink:
    def add(piece: bytes) -> bool:
        whole.extend(piece)
        return True

    return add


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Return a context that believes whom this machine believes; reading them all takes a while."""
    return ssl.create_default_context()


async def _pour(response: httpcore2.Response, sink: Sink, bytes_max: int) -> bool:
    """Hand over a body until the sink has enough; tell whether it was no longer than it may be."""
    size = 0
    async with contextlib.aclosing(response.aiter_stream()) as pieces:
        async for piece in pieces:
            size += len(piece)
            if size > bytes_max:
                return False
            if not sink(piece):
                return True
    return True


def _date(header: bytes) -> dt.datetime | None:
    words = header.decode("ascii", "replace")
    if _FIXDATE.fullmatch(words) is None:
        return None
    try:
        return email.utils.parsedate_to_datetime(words)
    except ValueError:
        return None


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
