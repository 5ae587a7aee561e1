"""Where neighbours come in: takes the ports, and listens at them when and where it may.

    generation of ports --a later one is asked for--> kept for a while --> closed

Streams are accepted as long as the node shows a beacon, and on the interfaces
where it shows it; at other times, and elsewhere, the machine answers like one
that offers nothing.  Each epoch has ports of its own, so that the port does not
tell whose beacon it was; those of before stay good while their beacons do.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from meshnews.node.event import Advertise, Listening
from meshnewsd.peers.peers import Peers
from meshnewsd.peers.stream import Post
from meshnewsd.platform.logs import Log
from meshnewsd.transports.interface import Doorway, Host

GENERATIONS_MAX: Final = 4

_log = Log("doors")


@dataclass
class _Generation:
    """Ports that were taken together."""

    doorways: list[tuple[Host, Doorway]] = field(default_factory=list)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    @property
    def listening(self) -> list[Listening]:
        return [Listening(transport.name, door.port) for transport, door in self.doorways]


class Doors:
    """The doorways of every transport.

    Args:
        transports: what can be listened at, by name.
        ports: the ports to take on each; 0 for any.
        peers: takes in who comes.
        post: tells the node what ports were taken.
    """

    def __init__(
        self,
        *,
        transports: Mapping[str, Host],
        ports: Sequence[int],
        peers: Peers,
        post: Post,
    ) -> None:
        self._transports = transports
        self._ports = tuple(ports)
        self._peers = peers
        self._post = post
        self._shown = Advertise(())
        self._changed = trio.Event()
        self._wanted = trio.Event()
        self._keep_s = 0.0
        self._fixed = _Generation()
        self._moving: list[_Generation] = []

    @property
    def listening(self) -> tuple[Listening, ...]:
        """The ports to be called at, as the node was told of them: the one to name last."""
        newest = self._moving[-1].listening if self._moving else []
        # Further ports are for whoever knows of them; beacons name the first.
        fixed = self._fixed.listening[::-1]
        return tuple([*newest, *fixed] if self._ports[0] else [*fixed, *newest])

    def show(self, shown: Advertise) -> None:
        """Hear what the node now shows, and where."""
        before, self._shown = self._shown, shown
        if _place(before) != _place(shown):
            self._changed.set()
            self._changed = trio.Event()

    def relisten(self, keep_s: float) -> None:
        """Take fresh ports where they are free to choose; keep those of now so much longer."""
        self._keep_s = keep_s
        self._wanted.set()

    async def run(self) -> None:
        """Take the ports and let neighbours in, until cancelled.

        Raises:
            OSError: a port cannot be had, or was lost.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._fixed = await self._take([port for port in self._ports if port])
                nursery.start_soon(self._keep, self._fixed)
                while True:
                    await self._move(nursery)
                    self._wanted = trio.Event()
                    self._tell()
                    await self._wanted.wait()
        finally:
            self._fixed, self._moving = _Generation(), []

    async def _move(self, nursery: trio.Nursery) -> None:
        free = [port for port in self._ports if not port]
        if not free:
            return
        for before in self._moving[-1:]:
            before.scope.deadline = trio.current_time() + self._keep_s
        for oldest in self._moving[: 1 - GENERATIONS_MAX]:
            oldest.scope.cancel()
        generation = await self._take(free)
        self._moving.append(generation)
        nursery.start_soon(self._keep, generation)

    async def _take(self, ports: Sequence[int]) -> _Generation:
        generation = _Generation()
        try:
            for transport in self._transports.values():
                for port in ports:
                    door = await transport.bind(port)
                    generation.doorways.append((transport, door))
        except BaseException:
            await _close(generation)
            raise
        return generation

    def _tell(self) -> None:
        for listening in self.listening:
            _log.info("port taken", transport=listening.transport, port=listening.port)
            self._post(listening)

    async def _keep(self, generation: _Generation) -> None:
        try:
            with generation.scope:
                while True:
                    await self._serve(generation.doorways)
        finally:
            if generation in self._moving:
                self._moving.remove(generation)
            await _close(generation)

    async def _serve(self, doorways: Sequence[tuple[Host, Doorway]]) -> None:
        """Accept where something is shown, until that changes."""
        changed, place = self._changed, _place(self._shown)
        if place is not None:
            async with trio.open_nursery() as nursery:
                for transport, door in doorways:
                    take = functools.partial(self._peers.accept, transport.carrier)
                    nursery.start_soon(door.serve, take, self._shown.interfaces)
                await changed.wait()
                nursery.cancel_scope.cancel()
        else:
            await changed.wait()


def _place(shown: Advertise) -> tuple[tuple[str, ...] | None] | None:
    """Return where streams are accepted: None is nowhere."""
    return (shown.interfaces,) if shown.beacons and shown.interfaces != () else None


async def _close(generation: _Generation) -> None:
    with trio.CancelScope(shield=True):
        for _, door in generation.doorways:
            await door.aclose()
