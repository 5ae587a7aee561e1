"""Which transports there are, by the word that an address begins with."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from meshnewsd.config import Config
from meshnewsd.transports.interface import Transport
from meshnewsd.transports.tcp import TcpTransport

Factory = Callable[[Config], Transport]

TRANSPORTS: Final[Mapping[str, Factory]] = MappingProxyType(
    {
        "tcp": lambda config: TcpTransport(addresses=config.addresses),
    }
)


def make_transports(config: Config) -> dict[str, Transport]:
    """Return one of each."""
    return {name: make(config) for name, make in TRANSPORTS.items()}
