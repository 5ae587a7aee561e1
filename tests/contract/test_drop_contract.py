"""What every file service does for a dead drop: the real ones, and the one for tests."""

from collections.abc import AsyncIterator, Iterator

import pytest
import trio

from meshnewsd.uplinks.drop import OBJECT_BYTES_MAX, DropLost, DropService
from meshnewsd.uplinks.s3 import S3Service, canonical_query, sign
from meshnewsd.uplinks.webdav import WebDavService
from tests.contract.drop_servers import PASSWORD, USER, has_webdav, nginx
from tests.contract.memory_drop import MemoryDrop
from tests.contract.swift_server import ACCESS_KEY, REGION, SECRET, has_swift, swift

OTHER = "another"
EXAMPLE_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SWIFT = pytest.mark.skipif(not has_swift(), reason="needs OpenStack Swift")
KINDS = [
    "memory",
    pytest.param(
        "webdav", marks=pytest.mark.skipif(not has_webdav(), reason="needs nginx with dav-ext")
    ),
    pytest.param("s3", marks=[SWIFT, pytest.mark.slow]),
]


@pytest.fixture(scope="module")
def webdav_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with nginx(tmp_path_factory.mktemp("nginx")) as url:
        yield url


@pytest.fixture(scope="module")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with swift(tmp_path_factory.mktemp("swift")) as url:
        yield url


@pytest.fixture(params=KINDS)
async def drop(request: pytest.FixtureRequest) -> AsyncIterator[DropService]:
    service: DropService
    if request.param == "memory":
        service = MemoryDrop()
    elif request.param == "s3":
        service = S3Service(
            request.getfixturevalue("s3_url"), access_key=ACCESS_KEY, secret=SECRET, region=REGION
        )
        await service.make_bucket()
    else:
        url = request.getfixturevalue("webdav_url")
        service = WebDavService(url, user=USER, password=PASSWORD)
    for name in await listed(service):
        await service.remove(name)
    yield service
    await service.aclose()


async def listed(drop: DropService) -> list[str]:
    with trio.fail_after(30):
        return sorted([name async for name in drop.names()])


def name(number: int) -> str:
    return f"{number:032x}"


async def test_an_empty_drop_has_no_names(drop: DropService) -> None:
    assert await listed(drop) == []


async def test_what_was_written_is_listed_and_read(drop: DropService) -> None:
    await drop.write(name(1), b"one")
    await drop.write(name(2), bytes(OBJECT_BYTES_MAX))
    assert await listed(drop) == [name(1), name(2)]
    assert await drop.read(name(1)) == b"one"
    assert await drop.read(name(2)) == bytes(OBJECT_BYTES_MAX)


async def test_what_is_written_twice_is_there_once(drop: DropService) -> None:
    await drop.write(name(1), b"one")
    await drop.write(name(1), b"another")
    assert await listed(drop) == [name(1)]
    assert await drop.read(name(1)) == b"another"


async def test_what_was_removed_is_gone_and_may_be_removed_again(drop: DropService) -> None:
    await drop.write(name(1), b"one")
    for _ in range(2):
        await drop.remove(name(1))
    assert await listed(drop) == []
    assert await drop.read(name(1)) is None


async def test_what_is_larger_than_any_object_is_not_read(drop: DropService) -> None:
    await drop.write(name(1), bytes(OBJECT_BYTES_MAX + 1))
    assert await drop.read(name(1)) is None


async def test_a_long_listing_is_whole(drop: DropService) -> None:
    for number in range(250):
        await drop.write(name(number), b"x")
    assert await listed(drop) == [name(number) for number in range(250)]


@pytest.mark.slow
async def test_two_thousand_objects_are_listed_page_by_page(drop: DropService) -> None:
    numbers = list(range(2000))

    async def write() -> None:
        while numbers:
            await drop.write(name(numbers.pop()), b"x")

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(write)
    assert await listed(drop) == [name(number) for number in range(2000)]


async def test_many_may_write_at_once(drop: DropService) -> None:
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(drop.write, name(number), bytes([number]) * 2088)
    assert len(await listed(drop)) == 20
    assert await drop.read(name(7)) == bytes([7]) * 2088


@pytest.mark.skipif(not has_webdav(), reason="needs nginx with dav-ext")
async def test_files_of_others_are_not_listed(webdav_url: str) -> None:
    drop = WebDavService(webdav_url, user=USER, password=PASSWORD)
    path = WebDavService(webdav_url, user=USER, password=PASSWORD)
    await path.write("readme.txt", b"somebody else's")
    await path.write("UPPER" + name(1)[5:], b"somebody else's")
    assert all(len(each) == 32 and each == each.lower() for each in await listed(drop))
    for other in ("readme.txt", "UPPER" + name(1)[5:]):
        await path.remove(other)
    await drop.aclose()
    await path.aclose()


@pytest.mark.skipif(not has_webdav(), reason="needs nginx with dav-ext")
async def test_a_wrong_password_is_a_drop_that_is_lost(webdav_url: str) -> None:
    drop = WebDavService(webdav_url, user=USER, password=OTHER)
    with pytest.raises(DropLost, match="401"):
        await listed(drop)
    with pytest.raises(DropLost, match="401"):
        await drop.write(name(1), b"x")
    await drop.aclose()


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n<html>"])
async def test_what_is_no_such_service_is_lost(answer: bytes) -> None:
    async def odd(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some(10_000)
            await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, odd, listeners)
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/drop"
        for drop in (WebDavService(url), S3Service(url, access_key="a", secret=OTHER)):
            with pytest.raises(DropLost):
                await listed(drop)
            await drop.aclose()
        nursery.cancel_scope.cancel()


async def test_nobody_at_the_address_is_a_drop_that_is_lost() -> None:
    for drop in (
        WebDavService("http://127.0.0.1:1/drop"),
        S3Service("http://127.0.0.1:1/drop", access_key="a", secret=OTHER),
    ):
        with pytest.raises(DropLost):
            await listed(drop)
        await drop.aclose()


def test_a_signature_is_the_one_of_the_published_example() -> None:
    # "GET Bucket (List Objects)" of the S3 API reference, "Signature Calculations".
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": empty,
        "x-amz-date": "20130524T000000Z",
    }
    made = sign(
        "GET",
        "/",
        canonical_query({"max-keys": "2", "prefix": "J"}),
        headers,
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret=EXAMPLE_KEY,
        region="us-east-1",
    )
    expected = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    assert made.endswith(
        f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={expected}"
    )
