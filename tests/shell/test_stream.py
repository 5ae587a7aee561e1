import contextlib
import fcntl
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from meshnews.ids import LinkId
from meshnews.node.event import Address, Drained, Lost, Received
from meshnewsd.peers.stream import (
    DISCARD_BYTES_MAX,
    FLUSH_S_MAX,
    LINGER_S_MAX,
    SEND_S_MAX,
    SILENCE_S_MAX,
    UNPROCESSED_BYTES_MAX,
    PeerStream,
)
from meshnewsd.transports.memory import PIPE_BYTES_MAX, MemoryNetwork
from meshnewsd.transports.tcp import TcpTransport
from tests.shell.fakes import Postbox

LINK = LinkId(5)
SIOCOUTQNSD = 0x894B
"""Linux: asks how much of a TCP stream was not sent yet."""


@dataclass
class Rig:
    box: Postbox
    peer: PeerStream
    other: trio.abc.HalfCloseableStream
    network: MemoryNetwork
    ended_s: float | None = None

    def received(self) -> bytes:
        return b"".join(each.data for each in self.box.events if isinstance(each, Received))

    def lost(self) -> int:
        return self.box.events.count(Lost(LINK))

    async def run(self) -> None:
        await self.peer.run()
        self.ended_s = trio.current_time()


@contextlib.asynccontextmanager
async def open_rig() -> AsyncIterator[Rig]:
    """A `PeerStream` under way, and the stream at its other end."""
    network = MemoryNetwork()
    doorway = await network.transport("here").bind(0)
    taken: list[trio.abc.HalfCloseableStream] = []

    def take(stream: trio.abc.HalfCloseableStream, address: Address) -> None:
        taken.append(stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, take)
        await wait_all_tasks_blocked()
        other = await network.transport("there").open(doorway.where)
        box = Postbox()
        peer = PeerStream(LINK, taken[0], box.post, is_accepted=True)
        rig = Rig(box, peer, other, network)
        nursery.start_soon(rig.run)
        yield rig
        nursery.cancel_scope.cancel()


async def test_what_comes_in_is_posted() -> None:
    async with open_rig() as rig:
        await rig.other.send_all(b"hello")
        await wait_all_tasks_blocked()
        assert rig.box.events == [Received(LINK, b"hello")]


async def test_what_is_sent_goes_out_and_drained_is_said_once() -> None:
    async with open_rig() as rig:
        rig.peer.send(b"one")
        rig.peer.send(b"two")
        assert await rig.other.receive_some() == b"onetwo"
        await wait_all_tasks_blocked()
        assert rig.box.events == [Drained(LINK)]
        rig.peer.send(b"three")
        await wait_all_tasks_blocked()
        assert rig.box.events == [Drained(LINK)] * 2


async def test_drained_waits_until_the_transport_has_taken_all() -> None:
    async with open_rig() as rig:
        rig.peer.send(bytes(3 * PIPE_BYTES_MAX))
        await wait_all_tasks_blocked()
        assert rig.box.events == []
        taken = 0
        while taken < 3 * PIPE_BYTES_MAX:
            taken += len(await rig.other.receive_some())
        await wait_all_tasks_blocked()
        assert rig.box.events == [Drained(LINK)]


async def test_small_sends_do_not_pile_up_in_the_kernel_of_a_slow_line() -> None:
    """One after the other they would fill a segment, which the kernel lets grow to 64 kB."""
    doorway = await TcpTransport(addresses=["127.0.0.1"]).bind(0)
    taken: list[trio.abc.HalfCloseableStream] = []
    box, send_bytes = Postbox(), 4096
    async with trio.open_nursery() as nursery:
        nursery.start_soon(doorway.serve, lambda stream, _: taken.append(stream))
        await wait_all_tasks_blocked()
        ours = await TcpTransport(addresses=[]).open(f"127.0.0.1:{doorway.port}")
        while not taken:
            await trio.lowlevel.checkpoint()
        assert isinstance(taken[0], trio.SocketStream)
        taken[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        peer = PeerStream(LINK, ours, box.post, is_accepted=False)
        nursery.start_soon(peer.run)
        sends = 0
        while box.events.count(Drained(LINK)) == sends:
            peer.send(bytes(send_bytes))
            sends += 1
            await wait_all_tasks_blocked()
        unsent = fcntl.ioctl(ours.socket.fileno(), SIOCOUTQNSD, bytes(4))
        nursery.cancel_scope.cancel()
    await taken[0].aclose()
    await doorway.aclose()
    assert struct.unpack("i", unsent)[0] <= 2 * send_bytes


async def test_reading_waits_for_the_node_to_keep_up() -> None:
    async with open_rig() as rig:
        rig.box.commits_at_once = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(rig.other.send_all, bytes(4 * UNPROCESSED_BYTES_MAX))
            await wait_all_tasks_blocked()
            held = len(rig.received())
            assert held <= UNPROCESSED_BYTES_MAX + PIPE_BYTES_MAX
            while len(rig.received()) < 4 * UNPROCESSED_BYTES_MAX:
                before = len(rig.received())
                rig.box.commit()
                await wait_all_tasks_blocked()
                assert len(rig.received()) > before


async def test_the_other_sides_end_is_lost_once() -> None:
    async with open_rig() as rig:
        await rig.other.send_all(b"bye")
        await rig.other.aclose()
        await wait_all_tasks_blocked()
        assert rig.box.events == [Received(LINK, b"bye"), Lost(LINK)]


async def test_a_pulled_cable_is_lost_once() -> None:
    async with open_rig() as rig:
        rig.peer.send(bytes(10 * PIPE_BYTES_MAX))
        await wait_all_tasks_blocked()
        rig.network.cut()
        await wait_all_tasks_blocked()
        assert rig.box.events == [Lost(LINK)]


async def test_a_neighbour_that_takes_nothing_is_lost(autojump_clock: MockClock) -> None:
    async with open_rig() as rig:
        rig.peer.send(bytes(2 * PIPE_BYTES_MAX))
        began_s = trio.current_time()
        await trio.sleep(SEND_S_MAX + 5)
        assert rig.lost() == 1
        assert rig.ended_s == pytest.approx(began_s + SEND_S_MAX)


async def test_a_close_without_silence_lets_the_last_words_arrive(
    autojump_clock: MockClock,
) -> None:
    async with open_rig() as rig:
        rig.peer.send(b"last words")
        rig.peer.close(0.0)
        assert await rig.other.receive_some() == b"last words"
        assert await rig.other.receive_some() == b""
        await rig.other.aclose()
        await wait_all_tasks_blocked()
        assert rig.box.events == [Lost(LINK)]


async def test_a_close_does_not_wait_long_for_the_other_side(autojump_clock: MockClock) -> None:
    async with open_rig() as rig:
        began_s = trio.current_time()
        rig.peer.close(0.0)
        await trio.sleep(10)
        assert rig.ended_s == pytest.approx(began_s + LINGER_S_MAX)


async def test_silence_says_nothing_and_throws_away_what_comes(autojump_clock: MockClock) -> None:
    async with open_rig() as rig:
        began_s = trio.current_time()
        rig.peer.close(20.0)
        with trio.move_on_after(10):
            while True:
                await rig.other.send_all(b"are you there?")
                await trio.sleep(1)
        with trio.move_on_after(5) as waited:
            await rig.other.receive_some()
        assert waited.cancelled_caught
        await trio.sleep(20)
        assert rig.box.events == [Lost(LINK)]
        assert rig.ended_s == pytest.approx(began_s + 20)


async def test_silence_reads_no_more_than_its_bound(autojump_clock: MockClock) -> None:
    async with open_rig() as rig:
        rig.peer.close(60.0)
        sent = 0
        with trio.move_on_after(30):
            while True:
                await rig.other.send_all(bytes(PIPE_BYTES_MAX))
                sent += PIPE_BYTES_MAX
        assert sent <= DISCARD_BYTES_MAX + 3 * PIPE_BYTES_MAX


async def test_silence_has_a_longest(autojump_clock: MockClock) -> None:
    async with open_rig() as rig:
        began_s = trio.current_time()
        rig.peer.close(1e9)
        await trio.sleep(SILENCE_S_MAX + 10)
        assert rig.ended_s == pytest.approx(began_s + SILENCE_S_MAX)


async def test_after_a_close_nothing_is_sent_and_a_second_close_changes_nothing(
    autojump_clock: MockClock,
) -> None:
    async with open_rig() as rig:
        rig.peer.close(10.0)
        rig.peer.send(b"too late")
        rig.peer.close(0.0)
        with trio.move_on_after(9) as waited:
            await rig.other.receive_some()
        assert waited.cancelled_caught


async def test_a_close_frees_a_reader_that_waits_for_the_node(autojump_clock: MockClock) -> None:
    async with open_rig() as rig:
        rig.box.commits_at_once = False
        with trio.move_on_after(1):
            await rig.other.send_all(bytes(4 * UNPROCESSED_BYTES_MAX))
        rig.peer.close(0.0)
        await trio.sleep(LINGER_S_MAX + 0.1)
        assert rig.lost() == 1


async def test_a_stream_that_is_cut_is_lost_once() -> None:
    async with open_rig() as rig:
        rig.peer.cut()
        await wait_all_tasks_blocked()
        assert rig.box.events == [Lost(LINK)]
        assert await rig.other.receive_some() == b""


async def test_a_stream_that_is_forgotten_says_nothing() -> None:
    async with open_rig() as rig:
        rig.peer.forget()
        await rig.other.send_all(b"hello?")
        await wait_all_tasks_blocked()
        assert rig.box.events == []
        assert rig.ended_s is not None


async def test_a_close_waits_little_for_a_neighbour_that_takes_nothing(
    autojump_clock: MockClock,
) -> None:
    async with open_rig() as rig:
        rig.peer.send(bytes(3 * PIPE_BYTES_MAX))
        await wait_all_tasks_blocked()
        rig.peer.close(0.0)
        await trio.sleep(FLUSH_S_MAX + LINGER_S_MAX + 0.1)
        assert rig.lost() == 1
