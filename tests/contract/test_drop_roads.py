"""How file services are reached: by a proxy, inside TLS, by a wrong clock; and what goes wrong."""

import datetime as dt
import functools
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio

from meshnews.node.event import Trouble
from meshnewsd.platform import certificate
from meshnewsd.uplinks.drop import DropLost, DropService
from meshnewsd.uplinks.http import HttpService
from meshnewsd.uplinks.s3 import S3Service
from meshnewsd.uplinks.webdav import WebDavService
from tests.contract.drop_servers import PASSWORD, USER, has_webdav, nginx
from tests.contract.file_service import answer, request, says, service
from tests.contract.socks_proxy import Proxy
from tests.contract.swift_server import ACCESS_KEY, REGION, SECRET, has_swift, swift

NAME = "ab" * 16
OTHER = "another"
NOW = dt.datetime(2026, 11, 21, 8, 0, tzinfo=dt.UTC)
START = dt.datetime(1970, 1, 1, 0, 10, tzinfo=dt.UTC)
LISTING = b'<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>'


async def trouble(drop: DropService) -> Trouble:
    """Return how a drop is lost."""
    with trio.fail_after(15), pytest.raises(DropLost) as caught:
        _ = [name async for name in drop.names()]
    await drop.aclose()
    return caught.value.trouble


def both(url: str, *, proxy: str = "") -> list[DropService]:
    return [
        WebDavService(url, proxy=proxy),
        S3Service(url, access_key="a", secret=OTHER, proxy=proxy),
    ]


# By a proxy --------------------------------------------------------------------


@pytest.fixture(scope="module")
def webdav_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nginx(tmp_path_factory.mktemp("nginx")) as url:
        yield url


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    async with proxy.running():
        yield proxy


@pytest.mark.skipif(not has_webdav(), reason="needs nginx with dav-ext")
async def test_through_a_proxy_it_is_the_same_service(webdav_url: str, proxy: Proxy) -> None:
    # What is asked for is the name: only the proxy learns where it leads.
    url = webdav_url.replace("127.0.0.1", "localhost")
    drop = WebDavService(url, user=USER, password=PASSWORD, proxy=f"127.0.0.1:{proxy.port}")
    await drop.write(NAME, b"one")
    assert [name async for name in drop.names()] == [NAME]
    assert await drop.read(NAME) == b"one"
    await drop.remove(NAME)
    await drop.aclose()
    assert set(proxy.names) == {"localhost"}


async def test_a_name_that_only_a_proxy_knows_goes_to_it_as_it_is(proxy: Proxy) -> None:
    for drop in both("http://hidden.onion/drop", proxy=f"127.0.0.1:{proxy.port}"):
        assert await trouble(drop) is Trouble.NO_ANSWER
    assert proxy.names == ["hidden.onion"] * 2


async def test_a_proxy_that_is_not_there_is_told_as_such() -> None:
    for drop in both("http://files.example/drop", proxy="127.0.0.1:1"):
        assert await trouble(drop) is Trouble.PROXY_GONE


# What stands in the way ----------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (b"", Trouble.CUT),
        (b"SSH-2.0-odd\r\n\r\n", Trouble.STRANGER),
        (answer(200, b"<html>sign in</html>"), Trouble.STRANGER),
        (answer(302, Location="http://login.example/"), Trouble.STRANGER),
        (answer(401), Trouble.DENIED),
        (answer(403), Trouble.DENIED),
        (answer(404), Trouble.NO_FOLDER),
        (answer(507), Trouble.FULL),
        (answer(503), Trouble.FAULTY),
    ],
)
async def test_each_answer_is_told_apart(words: bytes, expected: Trouble) -> None:
    async with service(functools.partial(says, words)) as port:
        for drop in both(f"http://127.0.0.1:{port}/drop"):
            assert await trouble(drop) is expected


async def test_nobody_there_is_told_apart() -> None:
    for drop in both("http://127.0.0.1:1/drop"):
        assert await trouble(drop) is Trouble.REFUSED


async def test_a_certificate_that_nobody_vouches_for_ends_it_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    context = certificate.server_context(tmp_path / "server.pem", name="files.example")
    sent = []

    async def intercept(stream: trio.SocketStream) -> None:
        inside = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        sent.append(await inside.receive_some(10))

    async with service(intercept) as port:
        for drop in both(f"https://localhost:{port}/drop"):
            assert await trouble(drop) is Trouble.NO_AUTHORITY
    assert not any(sent)


async def test_inside_tls_it_answers_whoever_trusts_its_certificate(tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    context = certificate.server_context(pem, name="localhost")

    async def inside(stream: trio.SocketStream) -> None:
        shown = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        await shown.receive_some(10_000)
        await shown.send_all(answer(200, b"well"))

    async with service(inside) as port:
        trusting = HttpService(context=ssl.create_default_context(cafile=pem))
        url = f"https://localhost:{port}/"
        got = await trusting.ask("GET", url, headers={"host": "localhost"}, bytes_max=10)
        await trusting.aclose()
    assert (got.status, got.body) == (200, b"well")


async def test_a_service_that_hangs_up_between_questions_is_called_again() -> None:
    calls = []

    async def once(stream: trio.SocketStream) -> None:
        calls.append(await request(stream))
        await stream.send_all(answer(200, LISTING))

    async with service(once) as port:
        drop = S3Service(f"http://127.0.0.1:{port}/drop", access_key="a", secret=OTHER)
        for _ in range(3):
            assert [name async for name in drop.names()] == []
            await trio.sleep(0.05)
        await drop.aclose()
    assert len(calls) == 3


# By a wrong clock ------------------------------------------------------------------


async def test_a_machine_in_1970_signs_by_the_services_clock() -> None:
    stamps: list[str] = []

    async def strict(stream: trio.SocketStream) -> None:
        while True:
            (stamp,) = re.findall(rb"x-amz-date: (\S+)", await request(stream))
            stamps.append(stamp.decode())
            is_right = stamps[-1] == "20261121T080000Z"
            date = NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")
            await stream.send_all(answer(200 if is_right else 403, LISTING, Date=date))

    async with service(strict) as port:
        url = f"http://127.0.0.1:{port}/drop"
        drop = S3Service(url, access_key="a", secret=OTHER, now=lambda: START)
        for _ in range(2):
            assert [name async for name in drop.names()] == []
        await drop.aclose()
    assert stamps == ["19700101T001000Z", "20261121T080000Z", "20261121T080000Z"]


@pytest.mark.parametrize("date", ["", "no date", "Sat, 21 Nov 2026 08:01:00 GMT"])
async def test_a_refusal_that_is_not_about_the_time_is_one(date: str) -> None:
    async with service(functools.partial(says, answer(403, Date=date))) as port:
        url = f"http://127.0.0.1:{port}/drop"
        drop = S3Service(url, access_key="a", secret=OTHER, now=lambda: NOW)
        assert await trouble(drop) is Trouble.DENIED


@pytest.mark.slow
@pytest.mark.skipif(not has_swift(), reason="needs OpenStack Swift (swift-proxy and its servers)")
async def test_a_real_service_is_reached_from_1970(tmp_path: Path) -> None:
    with swift(tmp_path) as url:
        drop = S3Service(
            url, access_key=ACCESS_KEY, secret=SECRET, region=REGION, now=lambda: START
        )
        await drop.make_bucket()
        await drop.write(NAME, b"one")
        assert [name async for name in drop.names()] == [NAME]
        await drop.aclose()
