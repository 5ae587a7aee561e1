"""Where neighbours come in: takes the ports, and listens at them when it may.

An open or veiled home always listens.  A silent one takes its port, so that a
beacon could name it, but listens only while the node shows a beacon (an
invitation is open, or its keeper wants to be found); at other times the machine
answers like one that offers nothing.
"""

import functools
from collections.abc import Mapping, Sequence

import trio

from meshnews.node.event import Listening
from meshnewsd.peers.peers import Peers
from meshnewsd.peers.stream import Post
from meshnewsd.platform.logs import Log
from meshnewsd.transports.interface import Doorway, Transport

_log = Log("doors")


class Doors:
    """The doorways of every transport.

    Args:
        transports: what can be listened at, by name.
        ports: the ports to take on each; 0 for any.
        peers: takes in who comes.
        post: tells the node what ports were taken.
        is_shy: listen only while a beacon is shown.
    """

    def __init__(
        self,
        *,
        transports: Mapping[str, Transport],
        ports: Sequence[int],
        peers: Peers,
        post: Post,
        is_shy: bool,
    ) -> None:
        self._transports = transports
        self._ports = tuple(ports)
        self._peers = peers
        self._post = post
        self._is_shy = is_shy
        self._is_shown = False
        self._changed = trio.Event()
        self._listening: list[Listening] = []

    @property
    def listening(self) -> tuple[Listening, ...]:
        """The ports taken, as the node was told of them."""
        return tuple(self._listening)

    def show(self, *, is_shown: bool) -> None:
        """Hear that the node now shows a beacon, or none."""
        if is_shown != self._is_shown:
            self._is_shown = is_shown
            self._changed.set()
            self._changed = trio.Event()

    async def run(self) -> None:
        """Take the ports and let neighbours in, until cancelled.

        Raises:
            OSError: a port cannot be had, or was lost.
        """
        doorways: list[tuple[Transport, Doorway]] = []
        try:
            for transport in self._transports.values():
                for port in self._ports:
                    doorways.append((transport, await transport.bind(port)))  # noqa: PERF401  the finally clause must see every one that was opened
            self._listening = [Listening(way.name, door.port) for way, door in doorways]
            for listening in self._listening:
                _log.info("port taken", transport=listening.transport, port=listening.port)
                self._post(listening)
            while True:
                await self._serve(doorways)
        finally:
            self._listening = []
            with trio.CancelScope(shield=True):
                for _, door in doorways:
                    await door.aclose()

    @property
    def _may_listen(self) -> bool:
        return self._is_shown or not self._is_shy

    async def _serve(self, doorways: Sequence[tuple[Transport, Doorway]]) -> None:
        while not self._may_listen:
            await self._changed.wait()
        async with trio.open_nursery() as nursery:
            for transport, door in doorways:
                take = functools.partial(self._peers.accept, transport.carrier)
                nursery.start_soon(door.serve, take)
            while self._may_listen:
                await self._changed.wait()
            nursery.cancel_scope.cancel()
