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


async def test_a_crowd_of_the_silent_keeps_only_so_many_waiting_and_shuts_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKES_MAX", 3)
    async with doorway(tmp_path) as (port, guests), contextlib.AsyncExitStack() as crowd:
        silent = []
        for _ in range(5):
            one = await trio.open_tcp_stream("127.0.0.1", port)
            silent.append(await crowd.enter_async_context(one))
            await trio.testing.wait_all_tasks_blocked()
        assert await is_ended(silent[0])
        assert await is_ended(silent[1])
        async with await tls_to(port) as late:
            await late.begin()
            await trio.testing.wait_all_tasks_blocked()
            assert len(guests) == 1
        assert await is_ended(silent[2])
        await guests[0].aclose()


async def test_one_machine_that_crowds_the_door_pushes_out_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "HANDSHAKES_MAX", 3)
    async with doorway(tmp_path) as (port, guests), contextlib.AsyncExitStack() as crowd:
        # It came first, from another address, and its line is slow.
        slow = await tls_to(port, own="127.0.0.2")
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(9):
            one = await trio.open_tcp_stream("127.0.0.1", port)
            await crowd.enter_async_context(one)
            await trio.testing.wait_all_tasks_blocked()
        await slow.begin()
        await trio.testing.wait_all_tasks_blocked()
        assert len(guests) == 1
        await slow.aclose()
        await guests[0].aclose()


async def tls_to(port: int, own: str | None = None) -> TlsStream:
    """Return a stream on which TLS has not begun."""
    raw = await trio.open_tcp_stream("127.0.0.1", port, local_address=own)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return TlsStream(trio.SSLStream(raw, context, https_compatible=True))


async def test_a_stream_inside_tls_knows_its_own_end(tmp_path: Path) -> None:
    async with doorway(tmp_path) as (port, guests):
        ours = await tls_to(port)
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
