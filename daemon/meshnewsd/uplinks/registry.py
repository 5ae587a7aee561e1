"""Which ways to a collector there are, by the word that an address begins with."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from meshnewsd.transports.interface import Caller
from meshnewsd.uplinks.direct import DirectUplink
from meshnewsd.uplinks.socks import SocksTlsUplink, SocksUplink
from meshnewsd.uplinks.tls import TlsUplink

UPLINKS: Final[Mapping[str, Callable[[], Caller]]] = MappingProxyType(
    {
        "direct": DirectUplink,
        "tls": TlsUplink,
        "socks": SocksUplink,
        "socks-tls": SocksTlsUplink,
    }
)


def make_uplinks() -> dict[str, Caller]:
    """Return one of each."""
    return {name: make() for name, make in UPLINKS.items()}
