"""What a stream makes of how the kernel tells of an end, which is before what came in earlier.

Of a connection that was lost: once an error, then what came in earlier, then that there is
nothing yet, for ever.  Datagrams to a port that nobody holds any more do the same.

Of a channel that the other side closed: once the end, then what came in earlier, then the end
for ever (`bt_sock_recvmsg` of Linux 6.1).  With a packet that is empty other sockets do too.
"""

import contextlib
import socket
from collections.abc import Iterator

import pytest
import trio

from meshnewsd.transports.packet_stream import PacketStream

HERE = "127.0.0.1"


@contextlib.contextmanager
def lost_channel(*packets: bytes) -> Iterator[PacketStream]:
    """Yield a stream to which these came before its connection was lost."""
    with (
        socket.socket(type=socket.SOCK_DGRAM) as ours,
        socket.socket(type=socket.SOCK_DGRAM) as theirs,
    ):
        for end in (ours, theirs):
            end.bind((HERE, 0))
        ours.connect(theirs.getsockname())
        ours.setblocking(False)
        for packet in packets:
            theirs.sendto(packet, ours.getsockname())
        theirs.close()
        # It is this that meets nobody; the error waits for who asks next.
        ours.send(b"is anybody there")
        stream = PacketStream(ours, packet_bytes=512, caller=None, closed=lambda _: None)
        yield stream


async def test_a_lost_connection_is_noticed_by_who_waits_for_more() -> None:
    with lost_channel() as stream, trio.fail_after(10), pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()


async def test_what_came_before_the_loss_is_given_first() -> None:
    with lost_channel(b"last", b"words") as stream, trio.fail_after(10):
        assert await stream.receive_some() == b"last"
        assert await stream.receive_some() == b"words"
        for _ in range(2):
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()


async def test_what_came_before_the_end_is_given_first() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, trio.fail_after(10):
        for packet in (b"all", b"", b"last", b"words"):
            theirs.send(packet)
        theirs.close()
        ours.setblocking(False)
        stream = PacketStream(ours, packet_bytes=512, caller=None, closed=lambda _: None)
        came = [await stream.receive_some() for _ in range(5)]
    assert came == [b"all", b"last", b"words", b"", b""]
