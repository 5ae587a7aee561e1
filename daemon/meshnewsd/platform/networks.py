"""Telling networks apart: by their router, as the kernel knows it.

A network is marked by the hardware address of its IPv4 router, else by the
link-local address of its IPv6 router.  One without a router has no mark: any
network can have the same addresses.  Sources: proc(5), and the kernel's
Documentation/networking for the format of the tables.
"""

import binascii
import ipaddress
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from meshnews.node.event import Network
from meshnewsd.platform.interfaces import InterfaceAddress

TABLES: Final = Path("/proc/net")

_GATEWAY: Final = 0x2
"""RTF_GATEWAY: the route leads through a router."""
_NO_HARDWARE: Final = "00:00:00:00:00:00"
_MARK_4: Final = b"4"
_MARK_6: Final = b"6"


def find_networks(
    connected: Iterable[InterfaceAddress], tables: Path = TABLES
) -> tuple[Network, ...]:
    """Return the networks behind interfaces that have a carrier, in order of interface."""
    names = sorted({each.interface for each in connected if not each.is_loopback})
    marks = _routers_6(tables) | _routers_4(tables)
    return tuple(Network(name, marks.get(name, b"")) for name in names)


def _routers_4(tables: Path) -> dict[str, bytes]:
    """Return interface -> mark, for routers whose hardware address is known."""
    hardware = {
        (fields[5], fields[0]): fields[3]
        for fields in _rows(tables / "arp", columns=6)
        if fields[3] != _NO_HARDWARE
    }
    marks: dict[str, bytes] = {}
    for interface, destination, gateway, flags, *_ in _rows(tables / "route", columns=8):
        if int(destination, 16) or not int(flags, 16) & _GATEWAY:
            continue
        address = str(ipaddress.IPv4Address(struct.pack("=I", int(gateway, 16))))
        if known := hardware.get((interface, address)):
            marks.setdefault(interface, _MARK_4 + binascii.unhexlify(known.replace(":", "")))
    return marks


def _routers_6(tables: Path) -> dict[str, bytes]:
    marks: dict[str, bytes] = {}
    for fields in _rows(tables / "ipv6_route", columns=10, header=False):
        destination, prefix, gateway, flags, interface = (
            fields[0],
            fields[1],
            fields[4],
            fields[8],
            fields[9],
        )
        if int(destination, 16) or int(prefix, 16) or not int(flags, 16) & _GATEWAY:
            continue
        marks.setdefault(interface, _MARK_6 + binascii.unhexlify(gateway))
    return marks


def _rows(table: Path, *, columns: int, header: bool = True) -> list[list[str]]:
    """Return the rows of a table of the kernel; none when it keeps no such table."""
    try:
        lines = table.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    rows = [line.split() for line in lines[int(header) :]]
    return [row for row in rows if len(row) >= columns]
