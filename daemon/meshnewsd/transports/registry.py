"""Which transports there are, by the word that an address begins with."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from meshnewsd.config import Config
from meshnewsd.platform import certificate
from meshnewsd.platform.l2cap import is_known_to_kernel
from meshnewsd.platform.logs import Log
from meshnewsd.transports.bluetooth import BluetoothTransport
from meshnewsd.transports.interface import Host, Transport
from meshnewsd.transports.tcp import TcpTransport
from meshnewsd.transports.tls import TlsHost

Factory = Callable[[Config], Transport | None]
"""Makes a transport; None: this home, or this machine, has no use for it."""

_log = Log("bluetooth")


def make_bluetooth(config: Config) -> Transport | None:
    """Return the transport for Bluetooth, where it is wanted and the kernel has it."""
    if not config.may_use_bluetooth:
        return None
    if not is_known_to_kernel():
        _log.info("there is none here", why="the kernel has no such sockets")
        return None
    return BluetoothTransport(adapter=config.bluetooth_adapter)


TRANSPORTS: Final[Mapping[str, Factory]] = MappingProxyType(
    {
        "tcp": lambda config: TcpTransport(addresses=config.addresses),
        "bluetooth": make_bluetooth,
    }
)


def certificate_file(config: Config, home: Path) -> Path:
    """Return where the certificate and key lie that are shown inside TLS."""
    return Path(config.tls_file) if config.tls_file else home / certificate.FILE


def make_tls_hosts(
    config: Config, transports: Mapping[str, Transport], home: Path
) -> dict[str, Host]:
    """Return what accepts streams inside TLS over one of `transports`; nothing if none is TCP."""
    under = transports.get("tcp")
    if under is None:
        return {}
    file = certificate_file(config, home)
    context = functools.partial(certificate.server_context, file, name=config.tls_name)
    return {TlsHost.name: TlsHost(under, context)}


def make_transports(config: Config) -> dict[str, Transport]:
    """Return one of each that can be used here."""
    made = {name: make(config) for name, make in TRANSPORTS.items()}
    return {name: transport for name, transport in made.items() if transport is not None}
