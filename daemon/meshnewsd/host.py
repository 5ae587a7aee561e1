"""Runs one node: gathers events, handles them in one transaction, then lets effects go.

    post ──> turns ──> batch ──worker──> transact(handle_all) ──> effects

Whatever has gathered while one transaction was being committed makes the next
(group commit), of each stream no more than its turn while others wait too.
Effects leave only after the commit.  A batch that raises is
rolled back, none of its effects leave, every stream is dropped, and the node is
built again from its stores (docs/decisions/0001).
"""

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar, cast

import outcome
import trio

from meshnews.errors import PeerError, Refusal, StoreFull
from meshnews.node.event import (
    Accepted,
    Changed,
    Dialled,
    Drained,
    Effect,
    Event,
    Lost,
    Received,
    Tick,
    Wake,
)
from meshnews.store.age import Clock
from meshnewsd.gathering import Gathering
from meshnewsd.platform.worker import Worker
from meshnewsd.storage.fault import StoreDamaged
from meshnewsd.supervise import Patience, supervise
from meshnewsd.turns import Turns

EVENTS_PER_BATCH_MAX: Final = 256
BYTES_PER_BATCH_MAX: Final = 1024 * 1024
"""What one transaction takes in: bounds how long anybody waits for it."""

EVENTS_QUEUED_MAX: Final = 2048
"""With more than this waiting nobody new is let in and finders are not listened to.
What streams already have open is bounded by the streams themselves."""

TICK_S_MAX: Final = 60.0
"""The node hears from us at least this often, also after the machine has slept."""

CHANGES_HELD_MAX: Final = 64
"""Changes kept for a slow watcher; beyond, it learns only which topics changed."""

PATIENCE: Final = Patience(failures=5, within_s=60.0)

T = TypeVar("T")


class NodeMachine(Protocol):
    """What the host drives: `meshnews.node.node.Node`, or a fake."""

    def start(self, clock: Clock) -> list[Effect]:
        """Begin; called once, first."""
        ...

    def handle_all(self, events: Sequence[Event], clock: Clock) -> list[Effect]:
        """Advance on the events of one batch, in their order."""
        ...


NodeT = TypeVar("NodeT", bound=NodeMachine)


class Stores(Protocol):
    """Where the node keeps everything.  Used in the worker's thread only."""

    def transact(self, work: Callable[[], T]) -> T:
        """Return what ``work()`` returned, once that is on disk; on an exception undo it."""
        ...


class NodeFailed(Exception):
    """The node could not do what was asked, through a fault of ours; the log says more."""


class Watch:
    """The changes that one watcher has not yet seen."""

    def __init__(self) -> None:
        self._held: dict[Changed, None] = {}
        self._arrived = trio.Event()

    def add(self, change: Changed) -> None:
        """Keep a change.  Of too many only the topics are kept."""
        self._held[change] = None
        if len(self._held) > CHANGES_HELD_MAX:
            self._held = {Changed(each.topic): None for each in self._held}
        self._arrived.set()

    async def next(self) -> tuple[Changed, ...]:
        """Return the changes since the last call, waiting for the first."""
        while not self._held:
            self._arrived = trio.Event()
            await self._arrived.wait()
        changes, self._held = tuple(self._held), {}
        return changes


@dataclass(slots=True, eq=False)
class _Call:
    """Something that the control side wants done."""

    work: Callable[[NodeMachine, Clock], object]
    ended: trio.Event = field(default_factory=trio.Event)
    result: outcome.Outcome[object] | None = None
    is_given_up: bool = False

    def end(self, result: outcome.Outcome[object]) -> None:
        if self.result is None:
            self.result = result
            self.ended.set()


_Entry = tuple[Event, Callable[[], None] | None]

_OfStreams = Accepted | Dialled | Received | Drained | Lost


class Host(Generic[NodeT]):
    """Owns the node and the order in which things happen to it.

    Args:
        worker: the thread that owns the stores.
        stores: the node's stores.
        build: makes the node from its stores; called inside a transaction.
        read_clock: tells the time.
    """

    def __init__(
        self,
        *,
        worker: Worker,
        stores: Stores,
        build: Callable[[], NodeT],
        read_clock: Callable[[], Clock],
    ) -> None:
        self._worker = worker
        self._stores = stores
        self._build = build
        self._read_clock = read_clock
        self._perform: Callable[[Effect], None] = lambda _: None
        self._forget_streams: Callable[[], None] = lambda: None
        self._standing: Callable[[], Iterable[Event]] = tuple
        self._gathering = Gathering(lambda: 0)
        self._turns: Turns[_Entry | _Call] = Turns()
        self._arrived = trio.Event()
        self._wake_s = 0.0
        self._watches: set[Watch] = set()
        self._is_over = False
        self.started = trio.Event()
        """Set once the node was started for the first time, whatever came of it."""
        self._full: StoreFull | None = None
        self.damage: StoreDamaged | None = None
        """Why the node never started, where its stores are to blame."""

    def attach(
        self,
        *,
        perform: Callable[[Effect], None],
        forget_streams: Callable[[], None],
        standing: Callable[[], Iterable[Event]],
        streams: Callable[[], int] = lambda: 0,
    ) -> None:
        """Say who carries out effects.

        Args:
            perform: carries out every effect but `Wake` and `Changed`; must not block.
            forget_streams: ends all streams without a word to the node.
            standing: what a node built again must be told first.
            streams: how many are open.
        """
        self._perform = perform
        self._forget_streams = forget_streams
        self._standing = standing
        self._gathering = Gathering(streams)

    @property
    def has_room(self) -> bool:
        """Whether the node keeps up with what happens to it."""
        return len(self._turns) < EVENTS_QUEUED_MAX

    def post(self, event: Event, done: Callable[[], None] | None = None) -> None:
        """Queue an event; `done` is called when what it led to is on disk.

        Events of a batch that failed are lost, and so are their calls of `done`.
        """
        lane = event.link if isinstance(event, _OfStreams) else None
        size = len(event.data) if isinstance(event, Received) else 0
        self._turns.put(lane, (event, done), size)
        self._arrived.set()

    def offer(self, event: Event) -> bool:
        """Queue an event if there is room; what is refused may be offered again."""
        if not self.has_room:
            return False
        self.post(event)
        return True

    async def call(self, work: Callable[[NodeT, Clock], T]) -> T:
        """Return what ``work(node, clock)`` returns, run in a transaction of its own.

        The node's thread runs it, and then lets the node handle a `Tick` in the
        same transaction: what effects the work gave rise to leave with that.
        Work that raises `Refusal` must have changed nothing in the node's memory;
        what it wrote to the stores is undone.

        Raises:
            Refusal, PeerError: by the work.
            StoreFull: nothing was kept of carry; of the vault perhaps all (see `Stores.transact`).
            NodeFailed: through a fault of ours, or because the host has ended, nothing was done.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._is_over:
            raise NodeFailed("the node has ended")
        if self._full is not None:
            raise StoreFull(*self._full.args)
        call = _Call(cast("Callable[[NodeMachine, Clock], object]", work))
        self._turns.put(None, call)
        self._arrived.set()
        try:
            await call.ended.wait()
        finally:
            call.is_given_up = True
        assert call.result is not None
        return cast("T", call.result.unwrap())

    @contextmanager
    def watch(self) -> Generator[Watch]:
        """Yield a `Watch` that gathers every `Changed` from now on."""
        watch = Watch()
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    async def run(self) -> None:
        """Run the node, building it again whenever it fails.

        Returns where the stores that it should start from for the first time are damaged:
        no second try mends that.

        Raises:
            TooManyFailures: it failed five times within a minute.
        """
        try:
            await supervise("node", self._live_if_born, patience=PATIENCE)
        finally:
            self._end()

    def _end(self) -> None:
        """Tell those who wait for the node that they wait in vain: who shields himself, too."""
        self._is_over = True
        self.started.set()
        self._end_calls(NodeFailed("the node has ended"))

    def _end_calls(self, why: Exception) -> None:
        for entry in self._turns:
            if isinstance(entry, _Call):
                entry.end(outcome.Error(why))
                entry.is_given_up = True

    async def _live_if_born(self) -> None:
        try:
            await self._live()
        except StoreDamaged as damage:
            if self.started.is_set():
                raise
            self.damage = damage

    async def _live(self) -> None:
        """Run the node from its stores until it fails."""
        try:
            node, effects = await self._begin()
            for event in self._standing():
                if (event, None) not in self._turns:
                    self._turns.put_first(None, (event, None))
            self._carry_out(effects)
            self.started.set()
            while True:
                await self._step(node)
        finally:
            # Nobody shall be told of links that the next node has never heard of.
            calls, self._turns = [e for e in self._turns if isinstance(e, _Call)], Turns()
            for call in calls:
                self._turns.put(None, call)
            self._forget_streams()

    async def _begin(self) -> tuple[NodeT, list[Effect]]:
        """Return a node that has started, and what it wants done.

        Raises:
            StoreFull: there is no room to start in; whoever asks is told so until there is.
        """
        try:
            node = await self._in_transaction(self._build)
            clock = self._read_clock()
            self._wake_s = trio.current_time()
            effects = await self._in_transaction(lambda: node.start(clock))
        except StoreFull as full:
            self._full = full
            self._end_calls(full)
            self.started.set()
            raise
        self._full = None
        return node, effects

    async def _in_transaction(self, work: Callable[[], T]) -> T:
        return await self._worker.run(lambda: self._stores.transact(work))

    async def _step(self, node: NodeT) -> None:
        """Handle one call, or one batch of events."""
        if not self._turns:
            self._arrived = trio.Event()
            with trio.move_on_at(min(self._wake_s, trio.current_time() + TICK_S_MAX)):
                await self._arrived.wait()
        await self._gathering.rest()
        call = self._turns.peek()
        if isinstance(call, _Call):
            self._turns.take()
            await self._answer(node, call)
            return
        batch, done = self._take_batch()
        clock = self._read_clock()
        effects = await self._in_transaction(lambda: node.handle_all(batch, clock))
        for tell in done:
            tell()
        self._carry_out(effects)

    def _take_batch(self) -> tuple[list[Event], list[Callable[[], None]]]:
        """Take what waits, in turns, up to a call; a `Tick` when one is due or nothing waits."""
        batch: list[Event] = []
        done: list[Callable[[], None]] = []
        turns, size = self._turns, 0
        if not turns or trio.current_time() >= self._wake_s:
            batch.append(Tick())
            self._wake_s = math.inf
        while len(batch) < EVENTS_PER_BATCH_MAX and size < BYTES_PER_BATCH_MAX:
            entry = turns.peek()
            if entry is None or isinstance(entry, _Call):
                break
            turns.take()
            event, tell = entry
            batch.append(event)
            if tell is not None:
                done.append(tell)
            if type(event) is Received:
                size += len(event.data)
        return batch, done

    async def _answer(self, node: NodeT, call: _Call) -> None:
        if call.is_given_up:
            return
        clock = self._read_clock()

        def work() -> tuple[object, list[Effect]]:
            return call.work(node, clock), node.handle_all((Tick(),), clock)

        try:
            value, effects = await self._in_transaction(work)
        except (Refusal, PeerError) as refusal:
            call.end(outcome.Error(refusal))
            return
        except StoreFull as full:
            call.end(outcome.Error(full))
            raise
        else:
            call.end(outcome.Value(value))
        finally:
            call.end(outcome.Error(NodeFailed("the node failed at this; the log says more")))
        self._carry_out(effects)

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Wake):
                self._wake_s = trio.current_time() + max(0.0, effect.after_s)
            elif isinstance(effect, Changed):
                for watch in self._watches:
                    watch.add(effect)
            else:
                self._perform(effect)
