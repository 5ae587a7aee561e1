"""The doorway inside TLS, and who stands before it without a word."""

import contextlib
import datetime as dt
import functools
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from meshnews.node.event import Address
from meshnewsd.platform import certificate
from meshnewsd.transports import tls
from meshnewsd.transports.tcp import TcpTransport, own_host
from meshnewsd.transports.tls import TlsHost, TlsStream

DEADLINE_S = 10


@contextlib.asynccontextmanager
async def doorway(folder: Path) -> AsyncIterator[tuple[int, list[trio.abc.HalfCloseableStream]]]:
    context = functools.partial(
        certificate.server_context, folder / "server.pem", name="www.example.org"
    )
    guests: list[trio.abc.HalfCloseableStream] = []

    def take(stream: trio.abc.HalfCloseableStream, _: Address) -> None:
        guests.append(stream)

    door = await TlsHost(TcpTransport(addresses=["127.0.0.1"]), context).bind(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(door.serve, take)
        await trio.testing.wait_all_tasks_blocked()
        yield door.port, guests
        nursery.cancel_scope.cancel()
    await door.aclose()


async def is_ended(stream: trio.SocketStream) -> bool:
    with trio.move_on_after(DEADLINE_S):
        try:
            while await stream.receive_some(4096):
                pass
        except trio.BrokenResourceError:
            return True
        return True
    return False


async def test_who_says_nothing_is_turned_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_S_MAX", 0.1)
    async with doorway(tmp_path) as (port, guests):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stranger:
            assert await is_ended(stranger)
        assert guests == []


@pytest.mark.parametrize("words", [b"\0" * 600, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff"])
async def test_what_is_no_tls_is_turned_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: bytes
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKE_S_MAX", 0.3)
    async with doorway(tmp_path) as (port, guests):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stranger:
            await stranger.send_all(words)
            assert await is_ended(stranger)
        assert guests == []


async def test_a_crowd_of_the_silent_keeps_only_so_many_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKES_MAX", 3)
    async with doorway(tmp_path) as (port, _), contextlib.AsyncExitStack() as crowd:
        for _ in range(3):
            await crowd.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
        await trio.testing.wait_all_tasks_blocked()
        async with await trio.open_tcp_stream("127.0.0.1", port) as late:
            assert await is_ended(late)


async def test_a_stream_inside_tls_knows_its_own_end(tmp_path: Path) -> None:
    async with doorway(tmp_path) as (port, guests):
        raw = await trio.open_tcp_stream("127.0.0.1", port)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        ours = TlsStream(trio.SSLStream(raw, context, https_compatible=True))
        await ours.begin()
        await trio.testing.wait_all_tasks_blocked()
        assert own_host(ours) == own_host(guests[0]) == "127.0.0.1"
        await ours.aclose()
        await guests[0].aclose()


def test_a_certificate_that_the_home_makes_lasts_ten_years_and_is_made_once(
    tmp_path: Path,
) -> None:
    file = tmp_path / "server.pem"
    certificate.server_context(file, name="www.example.org")
    made = x509.load_pem_x509_certificate(file.read_bytes())
    assert made.not_valid_after_utc - made.not_valid_before_utc >= dt.timedelta(days=3650)
    shown = certificate.fingerprint(file)
    certificate.server_context(file, name="www.example.org")
    assert certificate.fingerprint(file) == shown == made.fingerprint(hashes.SHA256()).hex()
