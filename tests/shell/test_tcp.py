"""What only TCP has: two families on one port, scopes, scarce descriptors."""

import socket

import pytest
import trio

from meshnews.node.event import Address
from meshnewsd.transports.interface import Unreachable
from meshnewsd.transports.tcp import (
    NEAR_RECEIVE_BYTES_MAX,
    NEAR_RECEIVE_BYTES_MIN,
    NOTSENT_LOWAT_BYTES,
    NOTSENT_LOWAT_BYTES_MIN,
    TcpTransport,
    join_where,
    keep_little_unsent,
    near_receive_bytes,
    split_where,
)


async def test_both_families_are_served_on_one_port() -> None:
    transport = TcpTransport(addresses=["127.0.0.1", "::1"])
    doorway = await transport.bind(0)
    taken: list[Address] = []
    streams: list[trio.abc.HalfCloseableStream] = []

    def take(stream: trio.abc.HalfCloseableStream, address: Address) -> None:
        streams.append(stream)
        taken.append(address)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, take)
        await trio.testing.wait_all_tasks_blocked()
        streams.append(await transport.open(f"127.0.0.1:{doorway.port}"))
        streams.append(await transport.open(f"[::1]:{doorway.port}"))
        with trio.fail_after(10):
            while len(taken) < 2:
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    for stream in streams:
        await stream.aclose()
    await doorway.aclose()
    assert {address.where.rpartition(":")[0] for address in taken} == {"127.0.0.1", "[::1]"}


async def test_streams_send_at_once_and_keep_little_waiting() -> None:
    transport = TcpTransport(addresses=["127.0.0.1"])
    doorway = await transport.bind(0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, lambda stream, address: stream.socket.close())
        await trio.testing.wait_all_tasks_blocked()
        stream = await transport.open(f"127.0.0.1:{doorway.port}")
        assert stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert stream.getsockopt(socket.IPPROTO_TCP, 25) == NOTSENT_LOWAT_BYTES
        for size in (0, 5000, 1 << 20):
            keep_little_unsent(stream, size)
            kept = min(max(size, NOTSENT_LOWAT_BYTES_MIN), NOTSENT_LOWAT_BYTES)
            assert stream.getsockopt(socket.IPPROTO_TCP, 25) == kept
        await stream.aclose()
        keep_little_unsent(stream, 5000)
        nursery.cancel_scope.cancel()
    await doorway.aclose()


async def test_of_a_neighbour_near_by_little_is_on_its_way_or_waits_in_the_kernel() -> None:
    transport = TcpTransport(addresses=["127.0.0.1"])
    doorway = await transport.bind(0)
    taken: list[trio.SocketStream] = []

    def take(stream: trio.abc.HalfCloseableStream, address: Address) -> None:
        assert isinstance(stream, trio.SocketStream)
        taken.append(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, take)
        await trio.testing.wait_all_tasks_blocked()
        taken.append(await transport.open(f"127.0.0.1:{doorway.port}"))
        with trio.fail_after(10):
            while len(taken) < 2:
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    for stream in taken:
        # The kernel doubles what is asked for, and gives half of that to what arrives.
        kept = stream.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert 2 * NEAR_RECEIVE_BYTES_MIN <= kept <= 2 * NEAR_RECEIVE_BYTES_MAX
        await stream.aclose()
    await doorway.aclose()


@pytest.mark.parametrize(
    ("round_trip_ms", "asked"), [(0.0, 32_768), (0.3, 32_768), (3.0, 48_000), (9.9, 65_536)]
)
def test_who_answers_later_has_more_on_its_way(round_trip_ms: float, asked: int) -> None:
    assert near_receive_bytes(round_trip_ms / 1000) == asked


async def test_an_address_that_this_machine_does_not_have_is_passed_over() -> None:
    doorway = await TcpTransport(addresses=["203.0.113.9", "127.0.0.1"]).bind(0)
    assert doorway.port
    await doorway.aclose()


async def test_a_machine_with_none_of_the_addresses_says_so() -> None:
    with pytest.raises(OSError, match="none of the configured addresses"):
        await TcpTransport(addresses=["203.0.113.9"]).bind(0)


async def test_any_free_port_is_one_that_is_free_in_both_families() -> None:
    with socket.socket(socket.AF_INET6) as squatter:
        squatter.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        squatter.bind(("::1", 0))
        squatter.listen()
        doorway = await TcpTransport(addresses=["127.0.0.1", "::1"]).bind(0)
        assert doorway.port != squatter.getsockname()[1]
        await doorway.aclose()


async def test_a_port_that_answers_nobody_is_unreachable() -> None:
    doorway = await TcpTransport(addresses=["127.0.0.1"]).bind(0)
    with pytest.raises(Unreachable, match="nobody answers"):
        await TcpTransport(addresses=[]).open(f"127.0.0.1:{doorway.port}")
    await doorway.aclose()


@pytest.mark.parametrize(
    ("sockaddr", "where"),
    [
        (("192.0.2.1", 80), "192.0.2.1:80"),
        (("2001:db8::1", 80, 0, 0), "[2001:db8::1]:80"),
        (("fe80::1", 80, 0, 1), "[fe80::1%lo]:80"),
        (("fe80::1%lo", 80, 0, 1), "[fe80::1%lo]:80"),
        (("fe80::1", 80, 0, 99999), "[fe80::1%99999]:80"),
    ],
)
def test_an_address_leads_back_to_where_it_came_from(sockaddr: tuple[str, int], where: str) -> None:
    assert join_where(sockaddr) == where
    host, port = split_where(where)
    assert port == 80
    assert host.partition("%")[0] == sockaddr[0].partition("%")[0]


@pytest.mark.parametrize(
    "where", ["host", "::1:80", "[::1]", "[::1]:", ":80", "a:b", "a:0", "a:65536", "a:²", "a:8 0"]
)
def test_what_is_no_address_is_said_to_be_none(where: str) -> None:
    with pytest.raises(Unreachable):
        split_where(where)
