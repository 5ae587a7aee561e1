"""Where neighbours come in: takes the ports, and listens at them when and where it may.

    port that was named --in the way: another program--> tried again, until it is had
    generation of free ports --a later one is asked for--> kept for a while --> closed

A port that cannot be had keeps no other shut.  Streams are accepted as long as
the node shows a beacon, and on the interfaces where it shows it; at other times,
and elsewhere, the machine answers like one that offers nothing.  Each epoch has
ports of its own, so that the port does not tell whose beacon it was; those of
before stay good while their beacons do.
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

TRY_AGAIN_S: Final = 20.0
"""A named port that could not be had is tried again after this."""

_log = Log("doors")


@dataclass
class _Generation:
    """Free ports that were taken together."""

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
        self._until_changed: set[trio.CancelScope] = set()
        self._wanted = trio.Event()
        self._keep_s = 0.0
        self._named = [
            (transport, port) for port in self._ports if port for transport in transports.values()
        ]
        self._fixed: dict[tuple[str, int], Listening] = {}
        self._moving: list[_Generation] = []
        self._trouble: dict[int, str] = {}

    @property
    def missing(self) -> tuple[int, ...]:
        """The named ports that could not be had when they were last tried."""
        had = {port for _, port in self._fixed}
        return tuple(port for port in sorted(self._trouble) if port not in had)

    @property
    def listening(self) -> tuple[Listening, ...]:
        """The ports to be called at, as the node was told of them: the one to name last."""
        newest = self._moving[-1].listening if self._moving else []
        # Further ports are for whoever knows of them; beacons name the first.
        places = [(transport.name, port) for transport, port in reversed(self._named)]
        fixed = [self._fixed[place] for place in places if place in self._fixed]
        return tuple([*newest, *fixed] if self._ports[0] else [*fixed, *newest])

    def show(self, shown: Advertise) -> None:
        """Hear what the node now shows, and where."""
        before, self._shown = self._shown, shown
        if _place(before) != _place(shown):
            for scope in self._until_changed:
                scope.cancel()

    def relisten(self, keep_s: float) -> None:
        """Take fresh ports where they are free to choose; keep those of now so much longer."""
        self._keep_s = keep_s
        self._wanted.set()

    async def run(self) -> None:
        """Take the ports and let neighbours in, until cancelled.

        Raises:
            OSError: no free port can be had, or one was lost.
        """
        try:
            async with trio.open_nursery() as nursery:
                for transport, port in self._named:
                    await nursery.start(self._hold, transport, port)
                while True:
                    await self._move(nursery)
                    self._wanted = trio.Event()
                    self._tell()
                    await self._wanted.wait()
        finally:
            self._fixed, self._moving = {}, []

    async def _hold(
        self,
        transport: Host,
        port: int,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Let neighbours in at one named port; when it cannot be had, or is lost, try again.

        It is started once the port was tried: whoever waits for that tells of all at once.
        """
        door = await self._take_named(transport, port)
        task_status.started()
        while True:
            if door is not None:
                await self._open_while_had(transport, port, door)
            await trio.sleep(TRY_AGAIN_S)
            door = await self._take_named(transport, port)
            if door is not None:
                self._tell()

    async def _take_named(self, transport: Host, port: int) -> Doorway | None:
        try:
            door = await transport.bind(port)
        except OSError as exc:
            self._failed(port, exc)
            return None
        self._fixed[transport.name, port] = Listening(transport.name, door.port)
        return door

    async def _open_while_had(self, transport: Host, port: int, door: Doorway) -> None:
        try:
            await self._serve(transport, door)
        except OSError as exc:
            self._failed(port, exc)
        finally:
            del self._fixed[transport.name, port]
            with trio.CancelScope(shield=True):
                await door.aclose()

    def _failed(self, port: int, cause: OSError) -> None:
        reason = cause.strerror or str(cause)
        if self._trouble.get(port) != reason:
            _log.warning("port cannot be had", port=port, cause=cause)
        self._trouble[port] = reason

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
            # Cancelled or failed: ports taken so far are given back.
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
                async with trio.open_nursery() as nursery:
                    for transport, door in generation.doorways:
                        nursery.start_soon(self._serve, transport, door)
        finally:
            if generation in self._moving:
                self._moving.remove(generation)
            await _close(generation)

    async def _serve(self, transport: Host, door: Doorway) -> None:
        """Accept at one door, when and where something is shown.

        Raises:
            OSError: the port was lost.
        """
        take = functools.partial(self._peers.accept, transport.carrier)
        while True:
            with trio.CancelScope() as scope:
                self._until_changed.add(scope)
                try:
                    if _place(self._shown) is None:
                        await trio.sleep_forever()
                    await door.serve(take, self._shown.interfaces)
                finally:
                    self._until_changed.discard(scope)


def _place(shown: Advertise) -> tuple[tuple[str, ...] | None] | None:
    """Return where streams are accepted: None is nowhere."""
    return (shown.interfaces,) if shown.beacons and shown.interfaces != () else None


async def _close(generation: _Generation) -> None:
    with trio.CancelScope(shield=True):
        for _, door in generation.doorways:
            await door.aclose()
