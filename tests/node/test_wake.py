"""What time demands is done in time, however much happens meanwhile."""

from dataclasses import replace

from meshnews.ids import LinkId
from meshnews.limits import HANDSHAKE_S_MAX
from meshnews.node.event import (
    Accepted,
    Address,
    Advertise,
    Carrier,
    Close,
    Drained,
    Effect,
    Event,
    Network,
    Networks,
    Tick,
    Wake,
)
from meshnews.node.identity import Role
from meshnews.node.node import WAKE_LATE_S, WAKE_S_MIN
from tests.node.newsroom import Machine, make_home

STRANGER = Accepted(LinkId(1), Carrier.LAN, Address("tcp", "10.0.0.2:7117"))
SOMETHING = Drained(LinkId(9))
"""Changes nothing: it is of a stream that is no more."""


class Busy:
    """A machine to which something happens all the time; it is told `Tick` when it asked for it.

    Attributes:
        effects: what it wanted, and when.
        ticks: when it was told `Tick`.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.effects: list[tuple[float, Effect]] = []
        self.ticks: list[float] = []
        self._wake_s = 0.0

    @property
    def now_s(self) -> float:
        return self.machine.clock.boot_s

    def tell(self, event: Event) -> None:
        for effect in self.machine.tell(event):
            self.effects.append((self.now_s, effect))
            if isinstance(effect, Wake):
                self._wake_s = self.now_s + effect.after_s

    def live(self, for_s: float, *, apart_s: float) -> None:
        """Let something happen every `apart_s`; a `Tick` goes with it, as in a batch."""
        until_s = self.now_s + for_s
        while self.now_s < until_s:
            clock = self.machine.clock
            self.machine.clock = replace(
                clock, boot_s=clock.boot_s + apart_s, wall_s=clock.wall_s + apart_s
            )
            if self.now_s >= self._wake_s:
                self.ticks.append(self.now_s)
                self.tell(Tick())
            else:
                self.tell(SOMETHING)


def test_a_stranger_is_given_up_in_time_while_others_keep_the_node_busy() -> None:
    busy = Busy(make_home("relay-1", Role.RELAY))
    busy.tell(STRANGER)
    busy.live(HANDSHAKE_S_MAX + 1.0, apart_s=0.01)
    closed = [when for when, effect in busy.effects if isinstance(effect, Close)]
    assert len(closed) == 1
    assert HANDSHAKE_S_MAX <= closed[0] <= HANDSHAKE_S_MAX + WAKE_S_MIN


def test_a_node_is_not_woken_more_often_than_it_says() -> None:
    busy = Busy(make_home("relay-1", Role.RELAY))
    for number in range(1, 30):
        busy.tell(replace(STRANGER, link=LinkId(number)))
        busy.live(0.02, apart_s=0.01)
    busy.live(HANDSHAKE_S_MAX + 1.0, apart_s=0.01)
    apart = [after - before for before, after in zip(busy.ticks, busy.ticks[1:], strict=False)]
    assert len(apart) >= 5
    assert min(apart) >= WAKE_S_MIN - 1e-6


def test_who_no_longer_looks_for_colleagues_is_hidden_at_once_however_busy() -> None:
    """What came in between the moment and the `Tick` for it put that off by a minute."""
    busy = Busy(make_home("reporter-1", Role.REPORTER))
    busy.tell(Networks((Network("wlan0", b"\x02\x00\x00\x00\x00\x01"),)))
    busy.machine.ask(lambda node: node.surroundings.look(10.0))
    busy.tell(Tick())
    busy.live(9.9, apart_s=0.1)
    busy.live(0.05, apart_s=10.0 + WAKE_LATE_S / 2 - busy.now_s)
    busy.live(0.5, apart_s=0.1)
    shown = [(when, one.interfaces) for when, one in busy.effects if isinstance(one, Advertise)]
    assert [places for _, places in shown] == [None, ()]
    assert shown[-1][0] <= 10.0 + WAKE_S_MIN
