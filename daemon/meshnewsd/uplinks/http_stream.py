"""Streams for HTTP, opened as those to a collector are: plainly, or by a SOCKS5 proxy.

    drop ── http ── httpcore2 ── this file ── direct | socks

By a proxy the name goes to it as it is, and this machine asks nobody for it.
"""

import ssl
from collections.abc import Iterable
from typing import Any, Final

import httpcore2
import trio

from meshnews.node.event import Trouble
from meshnewsd.transports.interface import Unreachable
from meshnewsd.uplinks import direct, socks

NO_PROXY: Final = ""
"""The way that needs none."""


class NotReached(httpcore2.ConnectError):
    """There is no stream to the service.

    Attributes:
        trouble: why; httpcore2 passes on what was raised, and drops its cause.
    """

    def __init__(self, message: str, trouble: Trouble) -> None:
        super().__init__(message)
        self.trouble = trouble


class Opener(httpcore2.AsyncNetworkBackend):
    """Opens streams for httpcore2.

    Args:
        proxy: ``number:port`` of a SOCKS5 proxy; `NO_PROXY`: a plain call.
    """

    def __init__(self, proxy: str) -> None:
        self._proxy = proxy

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109  httpcore2 declares it so
        local_address: str | None = None,  # noqa: ARG002  the same
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002  the same
    ) -> "HttpStream":
        """Connect; what is beside host and port is not for us: drivers have their own deadlines.

        Raises:
            NotReached: nobody answers.
        """
        try:
            if self._proxy == NO_PROXY:
                return HttpStream(await direct.connect(host, port))
            place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            return HttpStream(await socks.connect(self._proxy, place))
        except Unreachable as exc:
            raise NotReached(str(exc), exc.trouble) from exc


class HttpStream(httpcore2.AsyncNetworkStream):
    """A stream as httpcore2 wants it."""

    def __init__(self, stream: "trio.SocketStream | trio.SSLStream[trio.SocketStream]") -> None:
        self._stream = stream
        self._is_answered = False

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore2 names it so
    ) -> bytes:
        """Return what came; nothing at the end.

        Raises:
            httpcore2.ReadTimeout, httpcore2.ReadError: it did not come, or the stream was
                cut: an end before the first byte of an answer is one.
        """
        try:
            with trio.fail_after(_seconds(timeout)):
                read = bytes(await self._stream.receive_some(max_bytes))
        except trio.TooSlowError as exc:
            raise httpcore2.ReadTimeout("nothing came") from exc
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise httpcore2.ReadError("cut") from exc
        if not (read or self._is_answered):
            raise httpcore2.ReadError("ended without an answer")
        self._is_answered = True
        return read

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore2 names it so
    ) -> None:
        """Send all of it.

        Raises:
            httpcore2.WriteTimeout, httpcore2.WriteError: it was not taken.
        """
        self._is_answered = False
        try:
            with trio.fail_after(_seconds(timeout)):
                await self._stream.send_all(buffer)
        except trio.TooSlowError as exc:
            raise httpcore2.WriteTimeout("it is not taken") from exc
        except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
            raise httpcore2.WriteError("cut") from exc

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore2 names it so
    ) -> "HttpStream":
        """Return the stream inside TLS.

        Raises:
            NotReached: there is no TLS, or not with whom we wanted.
        """
        assert isinstance(self._stream, trio.SocketStream), "TLS is not begun twice"
        inside = trio.SSLStream(
            self._stream, ssl_context, server_hostname=server_hostname, https_compatible=True
        )
        try:
            with trio.fail_after(_seconds(timeout)):
                await inside.do_handshake()
        except trio.TooSlowError as exc:
            await trio.aclose_forcefully(self._stream)
            raise NotReached("no TLS in time", Trouble.SILENT) from exc
        except (trio.BrokenResourceError, ssl.CertificateError) as exc:
            await trio.aclose_forcefully(self._stream)
            raise NotReached("no TLS", _trouble(exc)) from exc
        return HttpStream(inside)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401  httpcore2 declares it so
        """Tell whether the service has hung up on a stream that waits to be used again."""
        if info != "is_readable":
            return None
        stream = self._stream
        plain = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
        return plain.socket.is_readable()


def _trouble(failure: BaseException) -> Trouble:
    """Return why TLS did not come to be: trio says so of a cause, or raises it as it is."""
    cause = failure if isinstance(failure, ssl.SSLError) else failure.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Trouble.NO_AUTHORITY
    # An end without a word is an error of TLS too, and means that somebody cut.
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return Trouble.STRANGER
    return Trouble.CUT


def _seconds(timeout: float | None) -> float:
    return float("inf") if timeout is None else timeout
