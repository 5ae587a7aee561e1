"""Opens a stream to the first of several addresses that answers.

Addresses are tried in order; the next begins when one has failed or has not
answered for `STAGGER_S` (after RFC 8305).  The first stream wins, and the rest
are given up.  When there is none, what the last address said is why.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import trio

from meshnews.node.event import Address, Carrier, Trouble
from meshnewsd.transports.interface import Caller, Unreachable

DIAL_S_MAX: Final = 5.0
DIAL_S_MAX_BLUETOOTH: Final = 15.0
"""How long all addresses of one dial of a neighbour may take together.  A radio first waits for
an advert of the machine it calls, which it may miss several times."""

STAGGER_S: Final = 0.25

ADDRESSES_TRIED_MAX: Final = 16
"""Addresses of one dial; a neighbour with more is found by these."""


async def dial(
    callers: Mapping[str, Caller], addresses: Sequence[Address], *, within_s: float | None = None
) -> tuple[Address, trio.abc.HalfCloseableStream] | Trouble:
    """Return a stream and where it leads; when nobody answers in time, the trouble."""
    race = _Race(callers)
    with trio.move_on_after(_patience_s(callers, addresses) if within_s is None else within_s):
        async with trio.open_nursery() as nursery:
            race.finish = nursery.cancel_scope
            for address in addresses[:ADDRESSES_TRIED_MAX]:
                failed = trio.Event()
                nursery.start_soon(race.enter, address, failed)
                with trio.move_on_after(STAGGER_S):
                    await failed.wait()
    return race.winner or race.trouble


def _patience_s(callers: Mapping[str, Caller], addresses: Sequence[Address]) -> float:
    called = [callers.get(each.transport) for each in addresses]
    is_slow = any(each and each.carrier is Carrier.BLUETOOTH for each in called)
    return DIAL_S_MAX_BLUETOOTH if is_slow else DIAL_S_MAX


class _Race:
    def __init__(self, callers: Mapping[str, Caller]) -> None:
        self._callers = callers
        self.trouble = Trouble.NO_ANSWER
        self.winner: tuple[Address, trio.abc.HalfCloseableStream] | None = None
        self.finish = trio.CancelScope()

    async def enter(self, address: Address, failed: trio.Event) -> None:
        caller = self._callers.get(address.transport)
        if caller is None:
            failed.set()
            return
        try:
            stream = await caller.open(address.where)
        except Unreachable as exc:
            self.trouble = exc.trouble
            failed.set()
            return
        if self.winner is not None:
            await trio.aclose_forcefully(stream)
            return
        self.winner = (address, stream)
        self.finish.cancel()
