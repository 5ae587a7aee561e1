"""A collector called over plain TCP.

An address is ``host:port``; the host is a name or a number, in brackets if IPv6.
"""

from typing import Final

import trio

from meshnews.node.event import Carrier
from meshnewsd.transports import tcp
from meshnewsd.transports.interface import Unreachable

CONNECT_S_MAX: Final = 6.0
"""How long TCP may take; a packet lost twice is sent again after 1 and 3 seconds."""


class DirectUplink:
    """Meets `meshnewsd.transports.interface.Caller`."""

    name = "direct"
    carrier = Carrier.UPLINK

    async def open(self, where: str) -> trio.SocketStream:
        """Connect; see the protocol."""
        return await connect(*tcp.split_where(where))


async def connect(host: str, port: int) -> trio.SocketStream:
    """Return a stream, or give up after `CONNECT_S_MAX`.

    Raises:
        Unreachable: nobody answers in time.
    """
    with trio.move_on_after(CONNECT_S_MAX):
        return await tcp.connect(host, port)
    raise Unreachable("no answer in time")
