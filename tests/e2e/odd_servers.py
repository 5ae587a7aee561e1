"""What stands in the way on hostile networks, as programs to be run inside a namespace.

python -m tests.e2e.odd_servers dns ADDRESS            answers every name with one address
python -m tests.e2e.odd_servers portal PORT            a sign-in page, whatever is asked
python -m tests.e2e.odd_servers swallow PORT           takes everything and says nothing
python -m tests.e2e.odd_servers intercept PORT PEM     speaks TLS with a certificate of its own
python -m tests.e2e.odd_servers tire PORT HOST TO      passes on to a host's port, and soon swallows
"""

import contextlib
import socket
import ssl
import sys
import threading
from collections.abc import Callable

EVERYWHERE = "0.0.0.0"  # noqa: S104  inside a namespace of its own
TIRED_BYTES = 6_000
"""Enough for all that comes before a bundle, and not for one."""
PAGE = b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n"


def serve(port: int, handle: Callable[[socket.socket], None]) -> None:
    """Answer every call in a thread of its own."""
    listener = socket.create_server((EVERYWHERE, port), backlog=64)
    print("ready", flush=True)
    while True:
        guest, _ = listener.accept()
        threading.Thread(target=contain, args=(guest, handle), daemon=True).start()


def contain(guest: socket.socket, handle: Callable[[socket.socket], None]) -> None:
    with guest:
        try:
            handle(guest)
        except OSError:
            return


def portal(guest: socket.socket) -> None:
    while guest.recv(4096):
        guest.sendall(PAGE)


def swallow(guest: socket.socket) -> None:
    while guest.recv(4096):
        pass


def interceptor(pem: str) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def handle(guest: socket.socket) -> None:
        with context.wrap_socket(guest, server_side=True) as inside:
            portal(inside)

    return handle


class Tired:
    """Passes bytes on, both ways, until it has passed so many of the caller's."""

    def __init__(self, host: str, port: int) -> None:
        self._where = host, port

    def handle(self, guest: socket.socket) -> None:
        passed, is_tired = 0, threading.Event()
        with socket.create_connection(self._where) as onward:
            words = (onward, guest, is_tired)
            threading.Thread(target=self._back, args=words, daemon=True).start()
            while some := guest.recv(4096):
                passed += len(some)
                if passed > TIRED_BYTES:
                    is_tired.set()
                else:
                    onward.sendall(some)

    @staticmethod
    def _back(onward: socket.socket, guest: socket.socket, is_tired: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while some := onward.recv(4096):
                if not is_tired.is_set():
                    guest.sendall(some)


def lie(address: str) -> None:
    """Answer every question for an A record with `address`, others with nothing (RFC 1035)."""
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.bind((EVERYWHERE, 53))
    print("ready", flush=True)
    while True:
        query, whom = asked.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        is_a = query[end - 4 : end - 2] == b"\0\1"
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address) if is_a else b""
        counts = b"\0\1" + (b"\0\1" if is_a else b"\0\0") + b"\0\0\0\0"
        asked.sendto(query[:2] + b"\x81\x80" + counts + query[12:end] + record, whom)


def main(kind: str, *words: str) -> None:
    match kind:
        case "dns":
            lie(words[0])
        case "portal":
            serve(int(words[0]), portal)
        case "swallow":
            serve(int(words[0]), swallow)
        case "intercept":
            serve(int(words[0]), interceptor(words[1]))
        case "tire":
            serve(int(words[0]), Tired(words[1], int(words[2])).handle)


if __name__ == "__main__":
    main(*sys.argv[1:])
