"""What every way to a collector does, asked of each driver over real sockets."""

import contextlib
import functools
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest
import trio

from meshnews.node.event import Address, Carrier, Trouble
from meshnewsd.platform import certificate
from meshnewsd.transports.interface import Doorway, Unreachable
from meshnewsd.transports.tcp import TcpTransport
from meshnewsd.transports.tls import TlsHost
from meshnewsd.uplinks.registry import UPLINKS
from tests.contract.socks_proxy import Proxy

DEADLINE_S = 10
NAME = "www.example.org"
Serve = Callable[[trio.SocketStream], Awaitable[None]]


@dataclass
class Place:
    """A driver, and everything that has to be there for it on this machine."""

    kind: str
    pem: Path
    proxy: Proxy
    guests: list[trio.abc.HalfCloseableStream] = field(default_factory=list)
    arrived: trio.Event = field(default_factory=trio.Event)

    @property
    def is_tls(self) -> bool:
        return "tls" in self.kind

    @property
    def is_proxied(self) -> bool:
        return "socks" in self.kind

    @property
    def pin(self) -> str:
        return certificate.fingerprint(self.pem) or ""

    def where(self, port: int, *, host: str = "127.0.0.1", pin: str | None = None) -> str:
        place = f"{host}:{port}"
        if self.is_tls:
            place = f"{place} {self.pin if pin is None else pin} {NAME}"
        return f"127.0.0.1:{self.proxy.port} {place}" if self.is_proxied else place

    async def open(self, where: str) -> trio.abc.HalfCloseableStream:
        with trio.fail_after(DEADLINE_S):
            return await UPLINKS[self.kind]().open(where)

    async def trouble(self, where: str) -> Trouble:
        with pytest.raises(Unreachable) as caught:
            await self.open(where)
        return caught.value.trouble

    def take(self, stream: trio.abc.HalfCloseableStream, _: Address) -> None:
        self.guests.append(stream)
        self.arrived.set()

    @contextlib.asynccontextmanager
    async def collector(self) -> AsyncIterator[Doorway]:
        """Serve as a collector does."""
        tcp = TcpTransport(addresses=["127.0.0.1"])
        context = functools.partial(certificate.server_context, self.pem, name=NAME)
        host = TlsHost(tcp, context) if self.is_tls else tcp
        doorway = await host.bind(0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(doorway.serve, self.take)
            await trio.testing.wait_all_tasks_blocked()
            yield doorway
            nursery.cancel_scope.cancel()
        await doorway.aclose()

    async def guest(self) -> trio.abc.HalfCloseableStream:
        with trio.fail_after(DEADLINE_S):
            await self.arrived.wait()
        return self.guests[0]


@contextlib.asynccontextmanager
async def somebody(serve: Serve) -> AsyncIterator[int]:
    """Answer calls in one's own way; yields the port."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def handle(stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                await serve(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    certificate.server_context(file, name=NAME)
    return file


@pytest.fixture(params=UPLINKS)
async def place(request: pytest.FixtureRequest, pem: Path) -> AsyncIterator[Place]:
    proxy = Proxy()
    async with proxy.running():
        yield Place(request.param, pem, proxy)


async def test_bytes_go_both_ways(place: Place) -> None:
    async with place.collector() as doorway:
        ours = await place.open(place.where(doorway.port))
        theirs = await place.guest()
        async with ours, theirs:
            await ours.send_all(b"to you")
            assert await theirs.receive_some(100) == b"to you"
            await theirs.send_all(b"and back")
            assert await ours.receive_some(100) == b"and back"


async def test_much_arrives_whole_and_in_order_both_ways_at_once(place: Place) -> None:
    much = bytes(range(256)) * 8192

    async def read(stream: trio.abc.ReceiveStream) -> None:
        whole = bytearray()
        while len(whole) < len(much):
            whole += await stream.receive_some(65536)
        assert bytes(whole) == much

    async with place.collector() as doorway:
        ours = await place.open(place.where(doorway.port))
        theirs = await place.guest()
        with trio.fail_after(DEADLINE_S):
            async with ours, theirs, trio.open_nursery() as nursery:
                for stream in (ours, theirs):
                    nursery.start_soon(stream.send_all, much)
                    nursery.start_soon(read, stream)


async def test_closing_is_the_end_for_the_other_side(place: Place) -> None:
    async with place.collector() as doorway:
        ours = await place.open(place.where(doorway.port))
        theirs = await place.guest()
        async with theirs:
            await ours.send_all(b"last words")
            await ours.aclose()
            with trio.fail_after(DEADLINE_S):
                assert await theirs.receive_some(100) == b"last words"
                assert await theirs.receive_some(100) == b""


async def test_saying_that_nothing_follows_leaves_the_other_direction_open(place: Place) -> None:
    async with place.collector() as doorway:
        ours = await place.open(place.where(doorway.port))
        theirs = await place.guest()
        async with ours, theirs:
            await ours.send_eof()
            await theirs.send_all(b"still here")
            with trio.fail_after(DEADLINE_S):
                assert await ours.receive_some(100) == b"still here"


async def test_what_it_opens_is_an_uplink(place: Place) -> None:
    driver = UPLINKS[place.kind]()
    assert (driver.name, driver.carrier) == (place.kind, Carrier.UPLINK)


async def test_a_port_where_nobody_listens_refuses(place: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert await place.trouble(place.where(taken.getsockname()[1])) is Trouble.REFUSED


async def test_one_who_takes_the_call_and_ends_it_cuts(place: Place) -> None:
    async def cut(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)

    async with somebody(cut) as port:
        if place.is_tls:
            assert await place.trouble(place.where(port)) is Trouble.CUT
        else:
            # Without TLS the handshake is the node's, and so is its judgement.
            stream = await place.open(place.where(port))
            await stream.send_all(b"first message")
            assert await stream.receive_some(100) == b""
            await stream.aclose()


async def test_a_reset_cuts(place: Place) -> None:
    async def reset(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    if place.is_tls:
        async with somebody(reset) as port:
            assert await place.trouble(place.where(port)) is Trouble.CUT


async def test_a_page_in_place_of_tls_is_a_stranger(place: Place) -> None:
    async def portal(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(b"HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n")
        await stream.receive_some(1)

    if place.is_tls:
        async with somebody(portal) as port:
            assert await place.trouble(place.where(port)) is Trouble.STRANGER


async def test_another_certificate_is_told_before_anything_is_sent(place: Place) -> None:
    if not place.is_tls:
        return
    other = hashlib.sha256(b"another").hexdigest()
    async with place.collector() as doorway:
        where = place.where(doorway.port, pin=other)
        assert await place.trouble(where) is Trouble.OTHER_CERTIFICATE
        theirs = await place.guest()
        async with theirs:
            with trio.fail_after(DEADLINE_S):
                assert await theirs.receive_some(100) == b""


async def test_one_who_says_nothing_is_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshnewsd.uplinks.tls.BEGIN_S_MAX", 0.2)

    async def silence(stream: trio.SocketStream) -> None:
        await trio.sleep(DEADLINE_S)

    if place.is_tls:
        async with somebody(silence) as port:
            assert await place.trouble(place.where(port)) is Trouble.SILENT


async def test_a_name_that_leads_nowhere_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def know_none(host: str, *_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    if not place.is_proxied:
        monkeypatch.setattr(socket, "getaddrinfo", know_none)
    trouble = await place.trouble(place.where(443, host="nowhere.invalid"))
    # A proxy resolves names itself, and says only that it did not get there.
    assert trouble is (Trouble.NO_ANSWER if place.is_proxied else Trouble.NO_NAME)


@pytest.mark.parametrize("where", ["", ":", "nowhere", "127.0.0.1:0", "a b c d e", "::1:443"])
async def test_words_that_name_no_place_are_unreachable(place: Place, where: str) -> None:
    with pytest.raises(Unreachable):
        await place.open(where)


async def test_a_call_that_is_given_up_leaves_nothing_open(place: Place) -> None:
    async def silence(stream: trio.SocketStream) -> None:
        with trio.fail_after(DEADLINE_S):
            while await stream.receive_some(1000):
                pass
        ended.set()

    ended = trio.Event()
    async with somebody(silence) as port:
        with trio.move_on_after(0.3):
            stream = await UPLINKS[place.kind]().open(place.where(port))
            await stream.aclose()
        with trio.fail_after(DEADLINE_S):
            await ended.wait()


async def test_a_name_reaches_the_proxy_as_it_is_and_nobody_else(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not place.is_proxied:
        return
    asked: list[str] = []
    real = socket.getaddrinfo

    def note(host: str, *args: object, **kwargs: object) -> object:
        asked.append(str(host))
        return real(host, *args, **kwargs)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(socket, "getaddrinfo", note)
    await place.trouble(place.where(443, host="hiddenhiddenhidden.onion"))
    assert place.proxy.names == ["hiddenhiddenhidden.onion"]
    assert set(asked) <= {"127.0.0.1"}


async def test_a_proxy_that_is_not_there_is_told_as_such(place: Place) -> None:
    if not place.is_proxied:
        return
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = taken.getsockname()[1]
        where = place.where(443).replace(f":{place.proxy.port} ", f":{gone} ")
        assert await place.trouble(where) is Trouble.PROXY_GONE


@pytest.mark.parametrize("words", [b"", b"\x05\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_what_is_no_proxy_is_told_as_such(place: Place, words: bytes) -> None:
    if not place.is_proxied:
        return

    async def odd(stream: trio.SocketStream) -> None:
        await stream.receive_some(100)
        await stream.send_all(words)

    async with somebody(odd) as port:
        where = place.where(443).replace(f":{place.proxy.port} ", f":{port} ")
        assert await place.trouble(where) is Trouble.PROXY_REFUSED


def test_a_certificate_stays_the_same_from_start_to_start(tmp_path: Path) -> None:
    file = tmp_path / "server.pem"
    certificate.server_context(file, name=NAME)
    before = certificate.fingerprint(file)
    certificate.server_context(file, name="another")
    assert certificate.fingerprint(file) == before
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_that_holds_no_certificate_is_told(tmp_path: Path) -> None:
    file = tmp_path / "server.pem"
    assert certificate.fingerprint(file) is None
    file.write_text("nothing of the kind")
    assert certificate.fingerprint(file) is None
    with pytest.raises(ssl.SSLError):
        certificate.server_context(file, name=NAME)
