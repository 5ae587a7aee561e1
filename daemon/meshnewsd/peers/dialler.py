"""Opens a stream to the first of several addresses that answers.

Addresses are tried in order; the next begins when one has failed or has not
answered for `STAGGER_S` (after RFC 8305).  The first stream wins, and the rest
are given up.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import trio

from meshnews.node.event import Address, Carrier
from meshnewsd.transports.interface import Transport, Unreachable

DIAL_S_MAX: Final = 5.0
DIAL_S_MAX_BLUETOOTH: Final = 15.0
"""How long all addresses of one dial may take together.  A radio first waits for an advert of
the machine it calls, which it may miss several times."""

STAGGER_S: Final = 0.25

ADDRESSES_TRIED_MAX: Final = 16
"""Addresses of one dial; a neighbour with more is found by these."""


async def dial(
    transports: Mapping[str, Transport], addresses: Sequence[Address]
) -> tuple[Address, trio.abc.HalfCloseableStream] | None:
    """Return a stream and where it leads; None when nobody answers in time."""
    race = _Race(transports)
    called = [transports.get(each.transport) for each in addresses]
    is_slow = any(each and each.carrier is Carrier.BLUETOOTH for each in called)
    with trio.move_on_after(DIAL_S_MAX_BLUETOOTH if is_slow else DIAL_S_MAX):
        async with trio.open_nursery() as nursery:
            race.finish = nursery.cancel_scope
            for address in addresses[:ADDRESSES_TRIED_MAX]:
                failed = trio.Event()
                nursery.start_soon(race.enter, address, failed)
                with trio.move_on_after(STAGGER_S):
                    await failed.wait()
    return race.winner


class _Race:
    def __init__(self, transports: Mapping[str, Transport]) -> None:
        self._transports = transports
        self.winner: tuple[Address, trio.abc.HalfCloseableStream] | None = None
        self.finish = trio.CancelScope()

    async def enter(self, address: Address, failed: trio.Event) -> None:
        transport = self._transports.get(address.transport)
        if transport is None:
            failed.set()
            return
        try:
            stream = await transport.open(address.where)
        except Unreachable:
            failed.set()
            return
        if self.winner is not None:
            await trio.aclose_forcefully(stream)
            return
        self.winner = (address, stream)
        self.finish.cancel()
