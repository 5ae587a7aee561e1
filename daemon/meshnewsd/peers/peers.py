"""All streams of one node: carries out `Send`, `Close` and `Dial`, takes in who comes."""

import functools
import itertools
from collections.abc import Callable, Collection, Mapping
from typing import Final

import trio

from meshnews.ids import LinkId
from meshnews.node.event import (
    Accepted,
    Address,
    Carrier,
    Close,
    Dial,
    DialFailed,
    Dialled,
    Send,
    Trouble,
)
from meshnewsd.peers.dialler import dial
from meshnewsd.peers.stream import PeerStream, Post
from meshnewsd.platform.logs import Log
from meshnewsd.supervise import contain
from meshnewsd.transports.interface import Caller

DIALS_MAX: Final = 16
"""Dials at once; the others wait for their turn within the same deadline as any."""

_log = Log("peers")


class Peers:
    """The streams that are open, by their links.

    Args:
        nursery: where the tasks of the streams run.
        transports: what can be dialled, by name.
        post: hands events to the node.
        has_room: whether the node keeps up; if not, nobody new is let in.
        streams_max: accepted streams at once.
    """

    def __init__(
        self,
        *,
        nursery: trio.Nursery,
        transports: Mapping[str, Caller],
        post: Post,
        has_room: Callable[[], bool],
        streams_max: int,
    ) -> None:
        self._nursery = nursery
        self._transports = transports
        self._post = post
        self._has_room = has_room
        self._streams_max = streams_max
        self._streams: dict[LinkId, PeerStream] = {}
        self._accepted = 0
        self._links = itertools.count(1)
        self._dials: set[trio.CancelScope] = set()
        self._dial_limit = trio.CapacityLimiter(DIALS_MAX)

    def __len__(self) -> int:
        return len(self._streams)

    def accept(
        self, carrier: Carrier, stream: trio.abc.HalfCloseableStream, address: Address
    ) -> None:
        """Take in a stream that a neighbour opened.

        When `streams_max` are open, the one that has been in silence longest makes
        room; when none is, the newcomer is turned away.
        """
        if not self._has_room() or (self._accepted >= self._streams_max and not self._cut_silent()):
            _log.info("neighbour turned away", address=address, streams=self._accepted)
            self._nursery.start_soon(trio.aclose_forcefully, stream)
            return
        peer = self._add(stream, is_accepted=True)
        _log.debug("accepted", link=peer.link, address=address)
        self._post(Accepted(peer.link, carrier, address))
        self._nursery.start_soon(contain, "stream", functools.partial(self._serve, peer))

    def send(self, effect: Send) -> None:
        """Carry out a `Send`.  A link that is no more has had its `Lost`."""
        if peer := self._streams.get(effect.link):
            peer.send(effect.data)

    def close(self, effect: Close) -> None:
        """Carry out a `Close`."""
        if peer := self._streams.get(effect.link):
            peer.close(effect.after_s)

    def dial(self, effect: Dial) -> None:
        """Carry out a `Dial`."""
        scope = trio.CancelScope()
        self._dials.add(scope)
        self._nursery.start_soon(contain, "dial", functools.partial(self._dial, effect, scope))

    def cut_from(self, hosts: Collection[str]) -> None:
        """End the streams whose own end is at one of these addresses: their cable was pulled.

        A transport that notices nothing for a minute would else hold on to a
        neighbour that has long been met again.
        """
        for peer in tuple(self._streams.values()):
            if peer.own_host in hosts:
                peer.cut()

    def forget_all(self) -> None:
        """End every stream and dial without a word: the node that knew them is gone."""
        for scope in tuple(self._dials):
            scope.cancel()
        for peer in tuple(self._streams.values()):
            self._remove(peer)
            peer.forget()

    def _add(self, stream: trio.abc.HalfCloseableStream, *, is_accepted: bool) -> PeerStream:
        peer = PeerStream(LinkId(next(self._links)), stream, self._post, is_accepted=is_accepted)
        self._streams[peer.link] = peer
        self._accepted += is_accepted
        return peer

    def _remove(self, peer: PeerStream) -> None:
        if self._streams.pop(peer.link, None) is not None:
            self._accepted -= peer.is_accepted

    async def _serve(self, peer: PeerStream) -> None:
        try:
            await peer.run()
        finally:
            self._remove(peer)

    def _cut_silent(self) -> bool:
        for peer in self._streams.values():
            if peer.is_accepted and peer.is_closing:
                self._remove(peer)
                peer.cut()
                return True
        return False

    async def _dial(self, effect: Dial, scope: trio.CancelScope) -> None:
        found: tuple[Address, trio.abc.HalfCloseableStream] | Trouble = Trouble.NO_ANSWER
        try:
            with scope:
                async with self._dial_limit:
                    found = await dial(self._transports, effect.addresses, within_s=effect.within_s)
        finally:
            self._dials.discard(scope)
            # After a fault of ours, too: the node waits to hear what became of its call.
            if isinstance(found, Trouble) and not scope.cancel_called:
                _log.debug("nobody answers", addresses=len(effect.addresses), trouble=found)
                self._post(DialFailed(effect.attempt, found))
        if isinstance(found, Trouble):
            return
        address, stream = found
        if scope.cancel_called:
            await trio.aclose_forcefully(stream)
            return
        peer = self._add(stream, is_accepted=False)
        _log.debug("dialled", link=peer.link, address=address)
        carrier = self._transports[address.transport].carrier
        self._post(Dialled(effect.attempt, peer.link, carrier, address))
        await self._serve(peer)
