"""Inside the virtual machine: joins each serial port called hciN to a new controller of the kernel.

port --HCI packets (Bluetooth Core 5.3, vol 4, part A)--> /dev/vhci, and back
"""

import errno
import os
import select
import selectors
from collections.abc import Callable
from pathlib import Path

HEADERS = {1: (3, 2, 1), 2: (4, 2, 2), 3: (3, 2, 1), 4: (2, 1, 1), 5: (4, 2, 2)}
"""By type of packet: bytes of its header, where in it the length stands, how long that is."""

NEW_CONTROLLER = b"\xff\x00"


class Wire:
    """One port and one controller."""

    def __init__(self, port: Path, events: selectors.BaseSelector) -> None:
        self._port = os.open(port, os.O_RDWR | os.O_NONBLOCK)
        self._kernel = os.open("/dev/vhci", os.O_RDWR | os.O_NONBLOCK)
        self._buffer = b""
        os.write(self._kernel, NEW_CONTROLLER)
        for number, move in ((self._port, self._from_port), (self._kernel, self._from_kernel)):
            events.register(number, selectors.EVENT_READ, move)

    def _from_kernel(self) -> None:
        packet = _read(self._kernel, 4096)
        # The answer to our wish for a controller is for us alone.
        if packet and packet[:1] != NEW_CONTROLLER[:1]:
            _write(self._port, packet)

    def _from_port(self) -> None:
        self._buffer += _read(self._port, 65536)
        while (size := self._packet_bytes()) and len(self._buffer) >= size:
            packet, self._buffer = self._buffer[:size], self._buffer[size:]
            self._give_kernel(packet)

    def _give_kernel(self, packet: bytes) -> None:
        try:
            os.write(self._kernel, packet)
        except OSError as exc:
            # For a controller that is powered off the kernel takes nothing; what a radio hears
            # then is lost.
            if exc.errno != errno.ENXIO:
                raise

    def _packet_bytes(self) -> int:
        if not self._buffer:
            return 0
        header, at, width = HEADERS[self._buffer[0]]
        if len(self._buffer) < 1 + header:
            return 0
        raw = self._buffer[1 + at : 1 + at + width]
        return 1 + header + (int.from_bytes(raw, "little") & 0x3FFF)


def _read(number: int, size: int) -> bytes:
    try:
        return os.read(number, size)
    except BlockingIOError:
        return b""


def _write(number: int, packet: bytes) -> None:
    while packet:
        try:
            packet = packet[os.write(number, packet) :]
        except BlockingIOError:
            select.select([], [number], [])


def main() -> None:
    events = selectors.DefaultSelector()
    ports = {
        (each / "name").read_text("ascii").strip(): Path("/dev") / each.name
        for each in Path("/sys/class/virtio-ports").iterdir()
    }
    wires = [Wire(ports[name], events) for name in sorted(ports) if name.startswith("hci")]
    assert wires, "no controller was handed in"
    while True:
        for key, _ in events.select():
            move: Callable[[], None] = key.data
            move()


if __name__ == "__main__":
    main()
