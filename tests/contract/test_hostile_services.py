"""A file service that means harm, or something in its place: it costs little and breaks nothing."""

import datetime as dt
import functools
import itertools
import random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from meshnews.node.links.drop_memory import NAMES_MAX
from meshnewsd.uplinks.drop import DropLost
from meshnewsd.uplinks.http import HttpService
from meshnewsd.uplinks.s3 import PAGES_MAX, S3Service
from meshnewsd.uplinks.webdav import HREF_BYTES_MAX, Listing, WebDavService
from tests.contract.file_service import answer, request, says, service

NAME = "ab" * 16
SECRET = "another"
FOLDER = "/drop/"
END_OF_DAYS = "Fri, 31 Dec 9999 23:59:59 GMT"
WITHIN_S = 20


def href(name: str, before: str = FOLDER) -> bytes:
    return f"<D:response><D:href>{before}{name}</D:href></D:response>".encode()


def names_in(*pieces: bytes, folder: str = FOLDER) -> list[str]:
    listing = Listing(folder)
    for piece in pieces:
        listing.read(piece)
    return list(listing.names)


# A listing of WebDAV ----------------------------------------------------------------


@given(st.lists(st.integers(0, 400), max_size=12))
def test_a_listing_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    names = [f"{number:032x}" for number in range(5)]
    whole = b"".join(map(href, names))
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[start:end] for start, end in itertools.pairwise(edges)]
    assert names_in(*pieces) == names


@pytest.mark.parametrize(
    "before",
    ["/drop/", "http://files.example/drop/", "https://[2001:db8::1]:8443/drop/", "/%64rop/"],
)
def test_a_path_may_be_written_in_each_way_that_is_allowed(before: str) -> None:
    assert names_in(href(NAME, before)) == [NAME]


def test_a_folder_with_a_blank_in_its_name_is_one_too() -> None:
    assert names_in(href(NAME, "/my%20files/"), folder="/my files/") == [NAME]


@pytest.mark.parametrize(
    "odd",
    [
        b"<href>//[</href>",
        b"<href>http://[::1/drop/</href>",
        b"<href>\xff\xfe\x00</href>",
        b"<href>http://\xe2\x84\x80/drop/</href>",
        b"<href>%ff%00%zz/</href>",
        b"<href>" + b"a" * 3 * HREF_BYTES_MAX + b"</href>",
    ],
)
def test_words_that_are_no_path_are_passed_over(odd: bytes) -> None:
    assert names_in(odd, href(NAME)) == [NAME]


@pytest.mark.parametrize("again", [b"<href ", b"<a", b"<href x=", b"<D:href>", b"<" + b"a" * 64])
def test_a_listing_made_to_be_read_slowly_is_read_as_fast_as_any(again: bytes) -> None:
    # One that took time by the square of its length would take hours.
    listing = Listing(FOLDER)
    piece = again * (65536 // len(again))
    for _ in range(64):
        assert listing.read(piece)
    listing.read(href(NAME))
    assert list(listing.names) == [NAME]
    whole = Listing(FOLDER)
    whole.read(piece * 64)
    assert not whole.names


def test_of_a_listing_without_an_end_no_more_is_read_than_anybody_looks_at() -> None:
    listing, number = Listing(FOLDER), 0
    while listing.read(b"".join(href(f"{number + each:032x}") for each in range(1000))):
        number += 1000
        assert number < NAMES_MAX + 1000
    assert len(listing.names) >= NAMES_MAX


async def test_a_service_that_lists_without_an_end_is_hung_up_on() -> None:
    sent = 0

    async def endless(stream: trio.SocketStream) -> None:
        nonlocal sent
        await request(stream)
        await stream.send_all(b"HTTP/1.1 207 so\r\n\r\n")
        while True:
            await stream.send_all(b"".join(href(f"{sent + each:032x}") for each in range(1000)))
            sent += 1000

    async with service(endless) as port:
        drop = WebDavService(f"http://127.0.0.1:{port}{FOLDER}")
        with trio.fail_after(WITHIN_S):
            assert len([name async for name in drop.names()]) >= NAMES_MAX
        await drop.aclose()
    assert sent < 2 * NAMES_MAX


# A listing of S3 -------------------------------------------------------------------------


async def test_pages_that_lead_in_a_circle_have_an_end() -> None:
    calls = 0
    page = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated>"
        b"<NextContinuationToken>again</NextContinuationToken>"
    )

    async def circle(stream: trio.SocketStream) -> None:
        nonlocal calls
        while True:
            await request(stream)
            calls += 1
            await stream.send_all(answer(200, page))

    async with service(circle) as port:
        drop = S3Service(f"http://127.0.0.1:{port}/drop", access_key="a", secret=SECRET)
        with trio.fail_after(WITHIN_S), pytest.raises(DropLost):
            _ = [name async for name in drop.names()]
        await drop.aclose()
    assert calls == PAGES_MAX


# Answers --------------------------------------------------------------------------------

HEADS = [
    b"Content-Length: 999999999999999999999",
    b"Content-Length: " + b"9" * 5000,
    b"Content-Length: -1",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"Transfer-Encoding: gzip, chunked",
    b"X: " + b"a" * 200_000,
    b"\xff\xfe: \x00",
    b"Date: Mon, 99 Abc 2026 08:00:00 GMT",
    b"Date: Sat, 21 Nov 99999999999999999999 08:00:00 GMT",
    b"Date: Sat, 21 Nov 2026 08:00:00 +99999999999999999",
    f"Date: {END_OF_DAYS}".encode(),
]


@pytest.mark.parametrize("status", [100, 101, 200, 204, 403])
@pytest.mark.parametrize("head", HEADS)
async def test_an_answer_made_to_harm_is_a_drop_that_is_lost_or_an_empty_one(
    head: bytes, status: int
) -> None:
    words = f"HTTP/1.1 {status} so\r\n".encode() + head + b"\r\n\r\n<ListBucketResult></"
    await all_bear(words)


@pytest.mark.parametrize("seed", range(30))
async def test_noise_in_place_of_an_answer_is_a_drop_that_is_lost_or_an_empty_one(
    seed: int,
) -> None:
    luck = random.Random(seed)
    whole = bytearray(answer(luck.choice([200, 207]), b"<ListBucketResult>" + href("x"), Date="x"))
    for _ in range(luck.randrange(1, 6)):
        whole[luck.randrange(len(whole))] = luck.randrange(256)
    await all_bear(bytes(whole[: luck.randrange(1, len(whole) + 1)]))


async def all_bear(words: bytes) -> None:
    """Let each kind of service be asked for everything; nothing but `DropLost` is raised."""
    async with service(functools.partial(says, words)) as port:
        url = f"http://127.0.0.1:{port}{FOLDER}"
        for drop in (WebDavService(url), S3Service(url, access_key="a", secret=SECRET)):
            for ask in (listed, read, drop_write, drop_remove):
                try:
                    with trio.fail_after(WITHIN_S):
                        await ask(drop)
                except DropLost:
                    continue
            await drop.aclose()


async def listed(drop: WebDavService | S3Service) -> None:
    assert [name async for name in drop.names()] == []


async def read(drop: WebDavService | S3Service) -> None:
    await drop.read(NAME)


async def drop_write(drop: WebDavService | S3Service) -> None:
    await drop.write(NAME, bytes(2088))


async def drop_remove(drop: WebDavService | S3Service) -> None:
    await drop.remove(NAME)


# Clocks -------------------------------------------------------------------------------------


async def test_a_service_at_the_end_of_days_does_not_stop_the_clock() -> None:
    at = dt.datetime(2026, 11, 21, 8, 0, tzinfo=dt.UTC)

    def later() -> dt.datetime:
        nonlocal at
        at += dt.timedelta(seconds=10)
        return at

    async with service(functools.partial(says, answer(403, Date=END_OF_DAYS))) as port:
        url = f"http://127.0.0.1:{port}/drop"
        drop = S3Service(url, access_key="a", secret=SECRET, now=later)
        for _ in range(3):
            with pytest.raises(DropLost, match="403"):
                await drop.read(NAME)
        await drop.aclose()


@pytest.mark.parametrize("length", [b"x", b"", b"1_0", "٣".encode()])
async def test_a_length_that_is_no_number_says_nothing(length: bytes) -> None:
    words = b"HTTP/1.0 200 so\r\nContent-Length: " + length + b"\r\n\r\nwell"
    async with service(functools.partial(says, words)) as port:
        http = HttpService()
        url = f"http://127.0.0.1:{port}/"
        try:
            got = await http.ask("GET", url, headers={"host": "localhost"}, bytes_max=10)
        except DropLost:
            pass
        else:
            assert got.body == b"well"
        await http.aclose()
