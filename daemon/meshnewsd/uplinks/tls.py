"""A collector called inside TLS, its certificate pinned.

An address is ``host:port pin name``: the SHA-256 of the certificate in
hexadecimal, and the name to ask for (SNI, RFC 6066); ``-`` for no name, so that
none is sent.  The ClientHello is the one that every program over OpenSSL sends.
"""

import functools
import hashlib
import hmac
import ssl
from typing import Final

import trio

from meshnews.node.event import Carrier, Trouble
from meshnewsd.transports import tcp
from meshnewsd.transports.interface import Unreachable
from meshnewsd.transports.tls import TlsStream
from meshnewsd.uplinks import direct

BEGIN_S_MAX: Final = 8.0
"""How long TLS may take once there is a stream; 5 kB cross 16 kbit/s in about 3 s."""

PIN_BYTES: Final = 32
NO_NAME: Final = "-"
PROTOCOLS: Final = ("h2", "http/1.1")
"""What browsers offer (ALPN, RFC 7301)."""


class TlsUplink:
    """Meets `meshnewsd.transports.interface.Caller`."""

    name = "tls"
    carrier = Carrier.UPLINK

    async def open(self, where: str) -> TlsStream:
        """Connect and begin TLS; see the protocol."""
        place, pin, name = split_where(where)
        stream = await direct.connect(*tcp.split_where(place))
        return await begin(stream, pin=pin, name=name)


def split_where(where: str) -> tuple[str, bytes, str | None]:
    """Return host and port, the pin, and the name to ask for.

    Raises:
        Unreachable: it is no such address.
    """
    words = where.split(" ")
    if len(words) != 3:
        raise Unreachable("not host:port, pin and name")
    place, digits, name = words
    try:
        pin = bytes.fromhex(digits)
    except ValueError:
        raise Unreachable("a pin that is no number") from None
    if len(pin) != PIN_BYTES:
        raise Unreachable("a pin of another length")
    return place, pin, None if name == NO_NAME else name


async def begin(stream: trio.SocketStream, *, pin: bytes, name: str | None) -> TlsStream:
    """Return `stream` inside TLS; on failure it is closed.

    Raises:
        Unreachable: what is there has another certificate, does not speak TLS, or is silent.
    """
    inner = trio.SSLStream(stream, _context(), server_hostname=name, https_compatible=True)
    inside = TlsStream(inner)
    try:
        await _shake(inside, pin)
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(inside)
        raise
    return inside


async def _shake(inside: TlsStream, pin: bytes) -> None:
    try:
        with trio.fail_after(BEGIN_S_MAX):
            await inside.begin()
    except trio.TooSlowError as exc:
        raise Unreachable("no TLS in time", Trouble.SILENT) from exc
    except trio.BrokenResourceError as exc:
        raise Unreachable("no TLS", _trouble(exc.__cause__)) from exc
    if not hmac.compare_digest(hashlib.sha256(inside.certificate).digest(), pin):
        raise Unreachable("another certificate", Trouble.OTHER_CERTIFICATE)


def _trouble(cause: BaseException | None) -> Trouble:
    # An end without a word is an error of TLS too, and means that somebody cut.
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
        return Trouble.STRANGER
    return Trouble.CUT


@functools.cache
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The pin takes the place of names and authorities.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(PROTOCOLS))
    return context
