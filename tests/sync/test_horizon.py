"""How far back two machines compare, and what the called one learns of the caller's day."""

from dataclasses import replace

import pytest

from meshnews.ids import Day, TrafficClass
from meshnews.store.port import State
from meshnews.sync.greeting import ALIVE_DAYS
from meshnews.sync.layout import decode_message
from meshnews.sync.messages import Hello
from meshnews.sync.question import Spans
from tests.sync.world import MOMENT, TODAY, Contact, Node, Press, Sample

ROUTINE = TrafficClass.ROUTINE
BEHIND = (0, 3, 11, 40)
"""By how many days a laptop's floor stays behind that of a relay which is always on."""


class Call(Contact):
    """A contact whose two sides have floors of their own."""

    def __init__(self, left: Node, right: Node, floors: tuple[int, int]) -> None:
        super().__init__(left, right)
        for machine, node, floor, is_dialler in zip(
            self.machines, (left, right), floors, (True, False), strict=True
        ):
            machine.ended()
            moment = replace(MOMENT, floor_day=Day(floor))
            again = node.machine(dialler=is_dialler, session=self.session)
            again.start(moment)
            self.machines = (again, self.machines[1]) if is_dialler else (self.machines[0], again)


def said_by_the_caller(behind: int, *, held: list[Sample], theirs: list[Sample]) -> list[bytes]:
    """Return all that a caller says whose floor is so many days behind the relay's."""
    caller, relay = Node("caller"), Node("relay")
    caller.keep(*held)
    relay.keep(*theirs)
    call = Call(caller, relay, (TODAY - behind, TODAY))
    said: list[bytes] = []
    while True:
        before = len(said)
        call.pull(0)
        said += call.wires[0]
        call.deliver(0)
        call.pull(1)
        if not call.deliver(1) and len(said) == before:
            return said


def test_a_caller_whose_day_is_behind_says_the_same_to_the_byte_whatever_it_is() -> None:
    press = Press(1)
    held = [press.make(day=TODAY - 2 * at) for at in range(4)]
    theirs = [press.make(day=TODAY - 2 * at) for at in range(4)]
    said = {tuple(said_by_the_caller(behind, held=held, theirs=theirs)) for behind in BEHIND}
    assert len(said) == 1
    assert len(*said) > 4


@pytest.mark.parametrize("floor", [TODAY - 40, TODAY, TODAY + 6])
def test_a_caller_names_no_first_day_and_no_free_room(floor: int) -> None:
    caller = Node("caller", quota_bytes=1 << 30 if floor == TODAY else 1 << 27)
    call = Call(caller, Node("relay"), (floor, TODAY))
    call.pull(0)
    hello = decode_message(call.wires[0][0])
    assert isinstance(hello, Hello)
    assert {(terms.oldest, terms.free_kib) for terms in hello.classes} == {(0, 0)}


def test_the_called_one_says_how_far_back_it_goes_and_both_keep_to_it() -> None:
    caller, relay = Node("caller"), Node("relay")
    press = Press(2)
    caller.keep(*[press.make(day=TODAY - 2 * at) for at in range(12)])
    call = Call(caller, relay, (TODAY - 40, TODAY))
    call.run()
    asked = [message for body in call.trace if isinstance(message := decode_message(body), Spans)]
    assert {message.oldest for message in asked} == {TODAY - ALIVE_DAYS}


def test_what_the_caller_compares_no_more_is_left_as_it_is() -> None:
    caller, relay = Node("caller"), Node("relay")
    press = Press(3)
    old = [press.make(day=TODAY - ALIVE_DAYS - 2 * at) for at in range(1, 6)]
    new = press.make(day=TODAY)
    relay_moment = replace(MOMENT, floor_day=Day(TODAY - 40))
    for sample in (*old, new):
        relay.custody.accept(sample.bundle.wire, age_s=0, moment=relay_moment)
    call = Call(caller, relay, (TODAY, TODAY - 40))
    call.run()
    assert caller.state(new) is State.HELD
    assert {caller.state(sample) for sample in old} == {None}
    assert sum(call.sent_bytes) < 2048 + 1500
