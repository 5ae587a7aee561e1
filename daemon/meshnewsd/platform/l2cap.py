"""The kernel's Bluetooth: which adapters there are, and LE channels of packets as sockets.

Python names the type of a Low Energy address only from 3.14 on, and some builds of
it have no Bluetooth at all; the kernel has both, so its structures are written out:

    sockaddr_l2     family u16 ‖ psm u16 ‖ address 6 (backwards) ‖ cid u16 ‖ type u8 ‖ pad
    hci_dev_list    count u16 ‖ pad 2 ‖ count times (number u16 ‖ pad 2 ‖ flags u32)
    hci_dev_info    number u16 ‖ name 8 ‖ address 6 (backwards) ‖ flags u32 ‖
                    type u8 ‖ features 8 ‖ … (92 bytes)

A channel is credit-based flow control over one connection of the radio: reliable,
in order, and in packets (SOCK_SEQPACKET).  Nothing here needs any right.
Sources: Bluetooth Core 5.3 vol 3 part A (L2CAP), net/bluetooth of Linux 6.1.
"""

import ctypes
import enum
import errno
import fcntl
import os
import re
import socket
import struct
from dataclasses import dataclass
from typing import Final, Protocol

PSM_FIRST: Final = 0x80
PSM_LAST: Final = 0xFF
"""Ports that anybody may take on LE; all fit the byte of a short beacon."""

PACKET_BYTES_MAX: Final = 2048
"""Largest packet we take in; the other side is told."""

SEND_BUFFER_BYTES: Final = 16 * 1024
"""What the kernel keeps unsent: half a second of a real radio, and what is urgent waits no more."""

ADAPTERS_MAX: Final = 16
BACKLOG: Final = 8

_FAMILY: Final = 31
_L2CAP: Final = 0
_HCI: Final = 1
_SOL_BLUETOOTH: Final = 274
_SNDMTU: Final = 12
_RCVMTU: Final = 13
_LIST_ADAPTERS: Final = 0x800448D2
_ADAPTER_FACTS: Final = 0x800448D3
_IS_UP: Final = 0x1
_SOCKADDR: Final = struct.Struct("<HH6sHBx")
_LIST_HEAD: Final = struct.Struct("<Hxx")
_LIST_ENTRY: Final = struct.Struct("<HxxI")
_HAS_LE: Final = 0x40
_FACTS: Final = struct.Struct("<H8s6sIx8s")
_FACTS_BYTES: Final = 92
_ADDRESS: Final = re.compile(r"[0-9a-f]{2}(?:\.[0-9a-f]{2}){5}", re.ASCII)

_libc: Final = ctypes.CDLL(None, use_errno=True)


class Kind(enum.IntEnum):
    """Where an address comes from: the maker of the adapter, or chance."""

    PUBLIC = 1
    RANDOM = 2


@dataclass(frozen=True, slots=True)
class Place:
    """One machine on the air: an address (``c4.1f.…``, lower case) of one kind."""

    address: str
    kind: Kind

    @property
    def packed(self) -> bytes:
        """The six bytes as the kernel has them, last first."""
        return bytes.fromhex(self.address.replace(".", ""))[::-1]


@dataclass(frozen=True, slots=True, order=True)
class Adapter:
    """One Bluetooth controller of this machine.

    Attributes:
        number: 0 of ``hci0``.
        name: what it is called; ``hci0``.
        address: its maker's address, as in `Place`.
        is_up: it is powered, and has Low Energy.
    """

    number: int
    name: str
    address: str
    is_up: bool

    @property
    def place(self) -> Place:
        """Where it is on the air, to the kernel of this machine."""
        return Place(self.address, Kind.PUBLIC)


class Kernel(Protocol):
    """What a transport asks of the kernel; tests have another."""

    def adapters(self) -> tuple[Adapter, ...]:
        """Return the adapters there are, by number; none where there is no Bluetooth."""
        ...

    def bind(self, adapter: Adapter, psm: int) -> socket.socket:
        """Return a socket that has taken a port, 0 for none, and does not listen.

        Raises:
            OSError: the port is taken, or the adapter is gone.
        """
        ...

    def accept(self, listener: socket.socket) -> tuple[socket.socket, Place]:
        """Return a channel that somebody opened, and who; does not wait.

        Raises:
            OSError: BlockingIOError when there is none.
        """
        ...

    def connect(self, sock: socket.socket, to: Place, psm: int) -> None:
        """Begin to open a channel; the socket is writable once that has come to an end.

        Raises:
            OSError: it cannot be begun.
        """
        ...

    def packet_bytes(self, sock: socket.socket) -> int:
        """Return how long a packet to the other side may be."""
        ...


class LinuxKernel:
    """Meets `Kernel`."""

    def adapters(self) -> tuple[Adapter, ...]:
        """Return the adapters there are; see the protocol."""
        try:
            with _open(socket.SOCK_RAW, _HCI) as sock:
                numbers = _list_numbers(sock)
                found = [_facts(sock, number) for number in numbers]
        except OSError:
            # A kernel without Bluetooth, or a sandbox that keeps it from us.
            return ()
        return tuple(sorted(each for each in found if each is not None))

    def bind(self, adapter: Adapter, psm: int) -> socket.socket:
        """Return a socket at a port; see the protocol."""
        sock = _open(socket.SOCK_SEQPACKET, _L2CAP)
        try:
            _check(_libc.bind, sock, _pack(adapter.place, psm))
            sock.setsockopt(_SOL_BLUETOOTH, _RCVMTU, struct.pack("=H", PACKET_BYTES_MAX))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        except BaseException:
            # Whatever ends us, the socket is not left to chance.
            sock.close()
            raise
        return sock

    def accept(self, listener: socket.socket) -> tuple[socket.socket, Place]:
        """Return a channel; see the protocol."""
        raw = ctypes.create_string_buffer(_SOCKADDR.size)
        size = ctypes.c_uint(_SOCKADDR.size)
        flags = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        number = _libc.accept4(listener.fileno(), raw, ctypes.byref(size), flags)
        if number < 0:
            raise _last_error()
        sock = socket.socket(fileno=number)
        _, _, packed, _, kind = _SOCKADDR.unpack(raw.raw)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            return sock, Place(packed[::-1].hex("."), Kind(kind))
        except (OSError, ValueError) as exc:
            sock.close()
            raise OSError(errno.ECONNABORTED, "not a channel of Low Energy, or gone") from exc

    def connect(self, sock: socket.socket, to: Place, psm: int) -> None:
        """Begin to open a channel; see the protocol."""
        try:
            _check(_libc.connect, sock, _pack(to, psm))
        except BlockingIOError:
            # EINPROGRESS: what becomes of it is told when the socket is writable.
            return

    def packet_bytes(self, sock: socket.socket) -> int:
        """Return how long a packet may be; see the protocol."""
        return max(1, sock.getsockopt(_SOL_BLUETOOTH, _SNDMTU) & 0xFFFF)


def is_address(text: str) -> bool:
    """Tell whether `text` is an address as `Place` has them."""
    return _ADDRESS.fullmatch(text) is not None


def choose(adapters: tuple[Adapter, ...], wanted: str) -> Adapter | None:
    """Return the adapter to use: the first that is powered, or only the one called `wanted`."""
    return next((each for each in adapters if each.is_up and wanted in {"", each.name}), None)


def is_known_to_kernel() -> bool:
    """Tell whether this kernel can have Bluetooth at all."""
    try:
        _open(socket.SOCK_SEQPACKET, _L2CAP).close()
    except OSError:
        return False
    return True


def _open(kind: int, protocol: int) -> socket.socket:
    return socket.socket(_FAMILY, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)


def _list_numbers(sock: socket.socket) -> list[int]:
    head = _LIST_HEAD.pack(ADAPTERS_MAX)
    request = bytearray(head + bytes(ADAPTERS_MAX * _LIST_ENTRY.size))
    fcntl.ioctl(sock, _LIST_ADAPTERS, request)
    (count,) = _LIST_HEAD.unpack_from(request)
    entries = _LIST_ENTRY.iter_unpack(request[_LIST_HEAD.size :])
    return [number for number, _ in entries][: min(count, ADAPTERS_MAX)]


def _facts(sock: socket.socket, number: int) -> Adapter | None:
    facts = bytearray(struct.pack("<H", number) + bytes(_FACTS_BYTES - 2))
    try:
        fcntl.ioctl(sock, _ADAPTER_FACTS, facts)
    except OSError as exc:
        if exc.errno == errno.ENODEV:
            return None
        raise
    return read_facts(facts)


def read_facts(facts: bytes | bytearray) -> Adapter:
    """Return the adapter that the kernel described; one without Low Energy never counts as up."""
    number, name, packed, flags, features = _FACTS.unpack_from(facts)
    word = name.rstrip(b"\0").decode("ascii", "replace")
    # Bluetooth Core 5.3, vol 2, part C, 3.3: bit 38 is "LE Supported (Controller)".
    is_up = bool(flags & _IS_UP and features[4] & _HAS_LE)
    return Adapter(number, word, packed[::-1].hex("."), is_up)


def _pack(place: Place, psm: int) -> bytes:
    return _SOCKADDR.pack(_FAMILY, psm, place.packed, 0, place.kind)


def _check(call: "ctypes._NamedFuncPointer", sock: socket.socket, sockaddr: bytes) -> None:
    if call(sock.fileno(), sockaddr, len(sockaddr)) != 0:
        raise _last_error()


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
