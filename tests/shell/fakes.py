"""Stand-ins for what the shell is joined to: a node, its stores, its worker, its clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from meshnews.node.event import Effect, Event, Tick
from meshnews.store.age import Clock

T = TypeVar("T")


class InlineWorker:
    """Works at once, in the caller's own task: nothing depends on a thread's moods."""

    async def run(self, work: Callable[[], T]) -> T:
        await trio.lowlevel.checkpoint()
        return work()


@dataclass
class FakeStores:
    """A list that forgets what a failed transaction appended."""

    written: list[object] = field(default_factory=list)
    transactions: int = 0
    is_open: bool = True

    def transact(self, work: Callable[[], T]) -> T:
        assert self.is_open
        self.transactions += 1
        before = list(self.written)
        try:
            return work()
        except BaseException:
            self.written[:] = before
            raise

    def close(self) -> None:
        self.is_open = False


React = Callable[[Event], Sequence[Effect]]


@dataclass
class FakeNode:
    """Writes every event but ticks to its store, and answers as it is told."""

    stores: FakeStores
    react: React = field(default=lambda _: ())
    on_start: Sequence[Effect] = ()
    seen: list[Event] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)

    def start(self, clock: Clock) -> list[Effect]:
        return list(self.on_start)

    def handle_all(self, events: Sequence[Event], clock: Clock) -> list[Effect]:
        return [effect for event in events for effect in self._handle(event, clock)]

    def _handle(self, event: Event, clock: Clock) -> list[Effect]:
        if isinstance(event, Tick):
            self.ticks.append(clock.boot_s)
        else:
            self.seen.append(event)
            self.stores.written.append(event)
        return list(self.react(event))


def trio_clock() -> Clock:
    """Tell trio's time, which in a test may be a mock."""
    return Clock(boot_s=trio.current_time(), boot_id=bytes(16), wall_s=2e9, wall_is_trusted=True)


@dataclass
class Postbox:
    """Collects what streams post; commits nothing until told."""

    events: list[Event] = field(default_factory=list)
    waiting: list[Callable[[], None]] = field(default_factory=list)
    commits_at_once: bool = True

    def post(self, event: Event, done: Callable[[], None] | None = None) -> None:
        self.events.append(event)
        if done is not None:
            self.waiting.append(done)
        if self.commits_at_once:
            self.commit()

    def commit(self) -> None:
        waiting, self.waiting = self.waiting, []
        for done in waiting:
            done()
