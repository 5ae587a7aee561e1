"""The network interfaces of this machine and their addresses, and when they change."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ifaddr
import trio

SYSTEM_INTERFACES: Final = Path("/sys/class/net")

POLL_S: Final = 2.0
"""How soon a cable that was plugged in is noticed."""


@dataclass(frozen=True, slots=True, order=True)
class InterfaceAddress:
    """One address of one interface."""

    interface: str
    index: int
    address: str
    """Without a scope."""

    @property
    def is_loopback(self) -> bool:
        """Whether it reaches nobody but this machine."""
        return ipaddress.ip_address(self.address).is_loopback

    @property
    def packed(self) -> bytes:
        """4 or 16 bytes."""
        return ipaddress.ip_address(self.address).packed


def list_addresses() -> frozenset[InterfaceAddress]:
    """Return every address of every interface, loopback included.

    Raises:
        OSError: the kernel does not tell.
    """
    found = set()
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            found.add(InterfaceAddress(adapter.name, adapter.index or 0, address))
    return frozenset(found)


def list_connected() -> frozenset[InterfaceAddress]:
    """Return the addresses of interfaces that have a carrier: a cable, an access point.

    Raises:
        OSError: the kernel does not tell.
    """
    found = list_addresses()
    connected = {name for name in {each.interface for each in found} if _has_carrier(name)}
    return frozenset(each for each in found if each.interface in connected)


def _has_carrier(interface: str) -> bool:
    try:
        return (SYSTEM_INTERFACES / interface / "carrier").read_text("ascii").strip() != "0"
    except OSError:
        # An interface that is switched off does not say; nor is one of its
        # streams alive.
        return False


class AddressWatch:
    """Follows the addresses by looking every `POLL_S`.

    Raises:
        OSError: the kernel does not tell; also from `changed`.
    """

    def __init__(self, look: Callable[[], frozenset[InterfaceAddress]] = list_addresses) -> None:
        self._look = look
        self.addresses = look()
        """As they were when last looked at."""

    async def changed(self) -> frozenset[InterfaceAddress]:
        """Wait until the addresses are others than `addresses`, and return them."""
        while True:
            await trio.sleep(POLL_S)
            seen = self._look()
            if seen != self.addresses:
                self.addresses = seen
                return seen
