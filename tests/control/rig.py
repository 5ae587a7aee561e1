"""The handlers of one machine's daemon round its real node, on trio's test clock."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest
import trio

from meshnews.node.node import Node
from meshnews.node.settings import Settings
from meshnews.store.age import Clock
from meshnewsd.control.table import Asker
from meshnewsd.host import Host, NodeFailed
from meshnewsd.platform.worker import Worker
from tests.node.newsroom import Machine
from tests.shell.fakes import InlineWorker

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CountingAsker(Asker):
    """Remembers when something was asked, in seconds of trio's clock."""

    times: list[float] = field(default_factory=list)

    async def ask(self, question: Callable[[Node], T]) -> T:
        self.times.append(trio.current_time())
        return await Asker.ask(self, question)


class Daemon:
    """One machine's node in its host."""

    def __init__(self, machine: Machine, worker: Worker | None = None) -> None:
        self.machine = machine
        self._began_s = trio.current_time()
        self._clock = machine.clock
        self.host: Host[Node] = Host(
            worker=worker or InlineWorker(),
            stores=self,
            build=self._build,
            read_clock=self._read_clock,
        )
        self.asker = Asker(self.host, once=False)

    def _read_clock(self) -> Clock:
        """Tell the machine's time, which goes on with trio's."""
        lived_s = trio.current_time() - self._began_s
        machine, clock = self.machine, self._clock
        machine.clock = replace(clock, boot_s=clock.boot_s + lived_s, wall_s=clock.wall_s + lived_s)
        return machine.clock

    def transact(self, work: Callable[[], T]) -> T:
        return self.machine._within(work)

    def _build(self) -> Node:
        machine = self.machine
        machine.node = Node(
            carry=machine.carry, vault=machine.vault, entropy=machine.entropy, settings=Settings()
        )
        return machine.node

    async def do(self, work: Callable[[Node], T]) -> T:
        """Let something happen to the node."""
        return await self.asker.ask(work)

    async def fail(self) -> None:
        """Let the node fail, and be built anew before anybody is answered again."""

        def fault(node: Node, _: object) -> None:
            raise ZeroDivisionError

        with pytest.raises(NodeFailed):
            await self.host.call(fault)
        await self.host.call(lambda node, _: None)


@asynccontextmanager
async def running(machine: Machine, worker: Worker | None = None) -> AsyncIterator[Daemon]:
    daemon = Daemon(machine, worker)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(daemon.host.run)
        await daemon.host.started.wait()
        yield daemon
        nursery.cancel_scope.cancel()
