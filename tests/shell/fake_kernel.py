"""Adapters and channels without Bluetooth: packets over UNIX sockets, with the kernel's rules.

What differs from the real thing: a direction can be closed by itself, and what was
sent before a close always arrives.
"""

import errno
import secrets
import socket
from dataclasses import dataclass, field
from typing import Final

from meshnewsd.platform.l2cap import PSM_FIRST, PSM_LAST, Adapter, Kind, Place

PACKET_BYTES: Final = 512

RADIO_VARIABLE: Final = "MESHNEWS_TEST_RADIO"
"""Set where two real adapters are connected: the address at which the first shows itself."""

HERE: Final = Adapter(0, "hci0", "00.1b.dc.00.00.01", is_up=True)
THERE: Final = Adapter(1, "hci1", "00.1b.dc.00.00.02", is_up=True)


@dataclass
class FakeAir:
    """What several kernels share: who listens where."""

    name: str = field(default_factory=lambda: secrets.token_hex(8))

    def socket_name(self, place: Place, psm: int) -> str:
        return f"\0{self.name}/{place.kind.name}/{place.address}/{psm}"


@dataclass
class FakeKernel:
    """Meets `meshnewsd.platform.l2cap.Kernel`."""

    air: FakeAir
    found: tuple[Adapter, ...] = (HERE,)
    gone: bool = False
    """Every channel has ended before anything is asked of it."""

    def adapters(self) -> tuple[Adapter, ...]:
        return self.found

    def bind(self, adapter: Adapter, psm: int) -> socket.socket:
        if adapter not in self.found:
            raise OSError(errno.EADDRNOTAVAIL, "no such adapter")
        if psm and not PSM_FIRST <= psm <= PSM_LAST:
            raise OSError(errno.EINVAL, "no such port")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # The sender of a packet learns of a full queue by not being let, as in the kernel.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        sock.setblocking(False)
        where = self.air.socket_name(adapter.place, psm or secrets.randbits(32) + 256)
        try:
            sock.bind(where)
        except OSError:
            sock.close()
            raise
        return sock

    def accept(self, listener: socket.socket) -> tuple[socket.socket, Place]:
        sock, name = listener.accept()
        sock.setblocking(False)
        _, kind, address, _ = bytes(name).decode().split("/")
        return sock, Place(address, Kind[kind])

    def connect(self, sock: socket.socket, to: Place, psm: int) -> None:
        sock.connect(self.air.socket_name(to, psm))

    def packet_bytes(self, sock: socket.socket) -> int:
        if self.gone:
            raise OSError(errno.ENOTCONN, "the channel has ended")
        return PACKET_BYTES
