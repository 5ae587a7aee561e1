"""What a dead drop is to the daemon: a service that keeps files, and somebody who visits it.

A service lists, reads, writes and removes files by name; it knows nothing of what is in
them.  Every service passes tests/contract/test_drop_contract.py.  What to do there is
decided by `meshnews.node.links.drop`.
"""

import contextlib
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import trio

from meshnews.bundle.seal import FOREIGN_BYTES
from meshnews.errors import StoreFull
from meshnews.ids import BundleRef
from meshnews.node.event import Trouble
from meshnews.node.links.drop import Sheet, Visit
from meshnews.node.links.drop_memory import NAMES_MAX
from meshnews.node.node import Node

OBJECT_BYTES_MAX: Final = max(FOREIGN_BYTES)
"""No object of ours is larger: more than that is not read."""

VISIT_S_MAX: Final = 600.0
"""A visit that lasts longer is broken off; the next goes on where it was."""

AT_ONCE: Final = 4
"""Objects moved side by side."""

STRANGERS_MAX: Final = 200
"""Of what is none of ours so much is read in one visit, 13 MB: a line may be paid for."""

Answer = TypeVar("Answer")
Item = TypeVar("Item")


DENIED: Final = frozenset({401, 403})
NOT_THERE: Final = 404
NO_ROOM: Final = frozenset({413, 507})
FAULTY: Final = range(500, 600)
"""Statuses of RFC 9110, section 15, and RFC 4918, section 11.5."""


class DropLost(Exception):
    """The service cannot be reached, refuses, or does not answer as it should.

    Attributes:
        trouble: what a person is told of it.
    """

    def __init__(self, message: str, trouble: Trouble = Trouble.STRANGER) -> None:
        super().__init__(message)
        self.trouble = trouble


def turned_away(asked: str, status: int) -> DropLost:
    """Return what an answer other than the wished one means.

    Args:
        asked: what was asked for: "a listing".
        status: of the answer.

    Raises:
        Nothing.
    """
    trouble = Trouble.STRANGER
    if status in DENIED:
        trouble = Trouble.DENIED
    elif status == NOT_THERE:
        trouble = Trouble.NO_FOLDER
    elif status in NO_ROOM:
        trouble = Trouble.FULL
    elif status in FAULTY:
        trouble = Trouble.FAULTY
    return DropLost(f"{asked} was answered with {status}", trouble)


class DropService(Protocol):
    """A place for files.  Names are 32 hexadecimal digits."""

    def names(self) -> AsyncGenerator[str]:
        """Yield the names of all files, page by page where there are pages.

        Raises:
            DropLost: see the exception.
        """
        ...

    async def read(self, name: str) -> bytes | None:
        """Return a file; None when it is not there, or is larger than any of ours.

        Raises:
            DropLost: see the exception.
        """
        ...

    async def write(self, name: str, data: bytes) -> None:
        """Write a file, wholly or not at all, over one of that name.

        Raises:
            DropLost: see the exception.
        """
        ...

    async def remove(self, name: str) -> None:
        """Remove a file; one that is not there is removed already.

        Raises:
            DropLost: see the exception.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class Asking(Protocol):
    """The way to the node: see `meshnewsd.control.table.Asker`."""

    async def ask(self, question: Callable[[Node], Answer]) -> Answer:
        """Return what `question` returns, once what it changed is on disk."""
        ...


@dataclass(slots=True)
class Haul:
    """What came of a visit, so far as it went.

    Attributes:
        objects: how many files lay there.
        read, written: how many were moved.
        strangers: how many of those read were none of ours.
        is_proof: a receipt was there that was news; at a collector, a bundle.
    """

    objects: int = 0
    read: int = 0
    written: int = 0
    strangers: int = 0
    is_proof: bool = False


class Visitor:
    """Goes to one drop once, on behalf of a node.

    Args:
        service: what keeps the files.
        asker: the way to the node.
        place: which drop: its address.

    Attributes:
        haul: what has come of it.
    """

    def __init__(self, service: DropService, asker: Asking, place: str) -> None:
        self._service = service
        self._asker = asker
        self._place = place
        self.haul = Haul()

    async def visit(self) -> None:
        """List, read, write, take away.

        Raises:
            DropLost: not all of it was done; what was, stays done.
        """
        with trio.move_on_after(VISIT_S_MAX):
            plan = await self._plan()
            await _each(self._get, plan.gets)
            await _each(self._put, plan.puts)
            await self._put_sheets(plan)
            await _each(self._service.remove, plan.gone)
            return
        raise DropLost("a visit that took too long", Trouble.SILENT)

    async def _plan(self) -> Visit:
        listed: list[str] = []
        async with contextlib.aclosing(self._service.names()) as names:
            async for name in names:
                listed.append(name)
                if len(listed) >= NAMES_MAX:
                    break
        self.haul.objects = len(listed)
        return await self._asker.ask(lambda node: node.drop.plan(listed, self._place))

    async def _get(self, name: str) -> None:
        if self.haul.strangers >= STRANGERS_MAX:
            return
        data = await self._service.read(name)
        if data is None:
            return
        self.haul.read += 1
        take = functools.partial(_take, name=name, data=data, place=self._place)
        # What finds no room here lies there still, and is read again.
        with contextlib.suppress(StoreFull):
            taken = await self._asker.ask(take)
            self.haul.strangers += taken.is_strange
            self.haul.is_proof |= taken.is_proof

    async def _put(self, item: tuple[str, BundleRef]) -> None:
        name, ref = item
        data = await self._asker.ask(lambda node: node.drop.object_of(ref))
        if data is not None:
            await self._service.write(name, data)
            # It has left through an uplink; that somebody has it, nobody has said.
            await self._asker.ask(lambda node: node.dispatches.on_wire(ref))
            self.haul.written += 1

    async def _put_sheets(self, plan: Visit) -> None:
        for sheet in await self._asker.ask(lambda node: node.drop.sheets(plan.acked)):
            await self._service.write(sheet.name, sheet.data)
            await self._asker.ask(functools.partial(_placed, sheet=sheet, place=self._place))


@dataclass(frozen=True, slots=True)
class _Fate:
    """What became of an object that was read; see `Haul`."""

    is_strange: bool
    is_proof: bool


def _take(node: Node, *, name: str, data: bytes, place: str) -> _Fate:
    taken = node.take_from_drop(name, data, place)
    is_news = node.home.identity.is_collector and taken.bundle is not None
    return _Fate(taken.is_strange, bool(taken.acked) or is_news)


def _placed(node: Node, *, sheet: Sheet, place: str) -> None:
    node.drop.placed(sheet, place)


async def _each(act: Callable[[Item], Awaitable[None]], items: Sequence[Item]) -> None:
    """Act on all items in order, a few side by side.

    Raises:
        DropLost: by `act`; the items after are left.
    """
    waiting, lost = list(reversed(items)), list[DropLost]()

    async def work(scope: trio.CancelScope) -> None:
        while waiting:
            try:
                await act(waiting.pop())
            except DropLost as exc:
                lost.append(exc)
                scope.cancel()

    async with trio.open_nursery() as nursery:
        for _ in range(min(AT_ONCE, len(items))):
            nursery.start_soon(work, nursery.cancel_scope)
    if lost:
        raise lost[0]
