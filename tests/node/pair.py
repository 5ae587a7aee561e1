"""Two homes and the streams between them, over any carrier: bytes cross at once."""

from collections import deque
from dataclasses import dataclass, field, replace

from meshnews.ids import LinkId
from meshnews.node.event import (
    Accepted,
    Address,
    Advertise,
    Carrier,
    Close,
    Dial,
    Dialled,
    Drained,
    Effect,
    Event,
    Listening,
    Lost,
    Received,
    Send,
    Tick,
)
from meshnews.node.links.neighbour import Neighbour
from tests.node.newsroom import Machine


def handle(machine: Machine, event: Event) -> list[Effect]:
    """Let a node take one event, at its machine's own moment."""
    return machine._within(lambda: machine.node.handle(event, machine.clock))


@dataclass
class Pair:
    """A caller and who is called."""

    caller: Machine
    called: Machine
    streams: dict[LinkId, Carrier] = field(default_factory=dict)
    shown: Advertise = field(default_factory=lambda: Advertise(()))
    dials: list[Dial] = field(default_factory=list)
    _queue: deque[tuple[Machine, Effect]] = field(default_factory=deque)

    def listen(self) -> None:
        """Let the one who is called listen on every carrier."""
        self.tell(self.called, Listening("tcp", 7117))
        self.tell(self.called, Listening("bluetooth", 0x90))

    def tell(self, machine: Machine, event: Event) -> None:
        """Let something happen to one of the two, and all that follows."""
        self._queue.extend((machine, effect) for effect in handle(machine, event))
        while self._queue:
            self._perform(*self._queue.popleft())

    def connect(self, carrier: Carrier) -> None:
        """Open the stream of the dial that waits, over a carrier."""
        dial = self.dials.pop()
        link = LinkId(len(self.streams) + 1)
        self.streams[link] = carrier
        where = dial.addresses[0]
        self.tell(self.called, Accepted(link, carrier, Address(where.transport, "caller:1")))
        self.tell(self.caller, Dialled(dial.attempt, link, carrier, where))

    def later(self, seconds: float) -> None:
        """Let time pass for both, in steps of a minute."""
        for _ in range(int(seconds // 60) or 1):
            for machine in (self.caller, self.called):
                boot_s, wall_s = machine.clock.boot_s, machine.clock.wall_s
                step = min(60.0, seconds)
                machine.clock = replace(machine.clock, boot_s=boot_s + step, wall_s=wall_s + step)
                self.tell(machine, Tick())

    def links(self, machine: Machine) -> list[Neighbour]:
        return machine.ask(lambda node: node.neighbours())

    def carriers(self, machine: Machine) -> list[str]:
        return [link.carrier for link in self.links(machine)]

    def _perform(self, machine: Machine, effect: Effect) -> None:
        other = self.called if machine is self.caller else self.caller
        match effect:
            case Send(link, data) if link in self.streams:
                self.tell(other, Received(link, data))
                self.tell(machine, Drained(link))
            case Close(link) if self.streams.pop(link, None) is not None:
                self.tell(other, Lost(link))
                self.tell(machine, Lost(link))
            case Advertise() if machine is self.called:
                self.shown = effect
            case Dial() if machine is self.caller:
                self.dials.append(effect)
            case _:
                pass
