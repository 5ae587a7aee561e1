"""The network interfaces of this machine and their addresses, and when they change.

The kernel's word (rtnetlink(7)) that something changed only makes us look at
once; we look now and then without it too.
"""

import contextlib
import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ifaddr
import trio

SYSTEM_INTERFACES: Final = Path("/sys/class/net")

POLL_S: Final = 2.0
"""How soon a change is noticed where the kernel says nothing of changes."""

POLL_TOLD_S: Final = 10.0
"""And where it does, should a word of it ever be missed."""

SETTLE_S: Final = 0.05
"""What changes together is looked at together."""

_NETLINK_GROUPS: Final = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""
_NETLINK_ROUTE: Final = 0
_NETLINK_BYTES: Final = 64 * 1024


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
    """Follows the addresses: looks when the kernel says so, and now and then besides.

    Raises:
        OSError: the kernel does not tell; also from `changed`.
    """

    def __init__(self, look: Callable[[], frozenset[InterfaceAddress]] = list_addresses) -> None:
        self._look = look
        self.addresses = look()
        """As they were when last looked at."""

    async def changed(self) -> frozenset[InterfaceAddress]:
        """Wait until the addresses are others than `addresses`, and return them."""
        with _KernelWord() as word:
            while True:
                seen = self._look()
                if seen != self.addresses:
                    self.addresses = seen
                    await trio.lowlevel.checkpoint()
                    return seen
                with trio.move_on_after(word.trusted_s):
                    await word.heard()


class _KernelWord(contextlib.AbstractContextManager["_KernelWord"]):
    """The kernel's word that an interface or an address changed."""

    def __init__(self) -> None:
        self._socket: trio.socket.SocketType | None = None
        try:
            plain = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE)
        except (AttributeError, OSError):
            # No Linux, or a sandbox that keeps the kernel's word from us.
            return
        try:
            plain.bind((0, _NETLINK_GROUPS))
        except OSError:
            plain.close()
        else:
            self._socket = trio.socket.from_stdlib_socket(plain)

    @property
    def trusted_s(self) -> float:
        """How long to go without looking oneself."""
        return POLL_S if self._socket is None else POLL_TOLD_S

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    async def heard(self) -> None:
        """Wait for the kernel's word, if it gives any."""
        if self._socket is None:
            await trio.sleep_forever()
        else:
            # Too many words at once (ENOBUFS) are a word too.
            with contextlib.suppress(OSError):
                await self._socket.recv(_NETLINK_BYTES)
            await trio.sleep(SETTLE_S)
