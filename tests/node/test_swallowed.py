"""What lies between may begin to swallow: a call on which nothing comes any more is not kept."""

from dataclasses import dataclass

import pytest

from meshnews.bundle.statement import Priority
from meshnews.ids import BundleRef, TrafficClass
from meshnews.node.event import (
    Carrier,
    DialFailed,
    Drained,
    Effect,
    Network,
    Networks,
    Send,
    Tick,
    Trouble,
)
from meshnews.node.identity import Role
from meshnews.node.links.conversation import LAST_LOOK_S, UNHEARD_BYTES, UNHEARD_S
from meshnews.node.links.route import Route
from meshnews.node.node import Node
from tests.node.newsroom import Machine, enrolled, make_desk
from tests.node.pair import Pair

FIRST, SECOND = "192.0.2.1:443", "192.0.2.1:53"
SOON_S = UNHEARD_S + LAST_LOOK_S + 15.0
"""With what a flash is held back, and what is told over an uplink."""


@dataclass
class Between(Pair):
    """A gateway, a collector, and something between them that may keep what it takes."""

    swallows: bool = False

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / 2)):
            self.later(2)

    def route(self, where: str) -> Route:
        (found,) = [r for r in self.caller.node.uplinks.routes if r.address.where == where]
        return found

    @property
    def linked(self) -> list[str]:
        return [route.address.where for route in self.caller.node.uplinks.linked]

    def call(self, where: str) -> None:
        """Let the call to one address succeed, and all others fail."""
        dials, self.dials = self.dials, []
        for dial in dials:
            if dial.addresses[0].where == where:
                self.dials = [dial]
            else:
                self.tell(self.caller, DialFailed(dial.attempt, Trouble.NO_ANSWER))
        self.connect(Carrier.UPLINK)

    def _perform(self, machine: Machine, effect: Effect) -> None:
        if self.swallows and isinstance(effect, Send):
            if effect.link in self.streams:
                self.tell(machine, Drained(effect.link))
            return
        super()._perform(machine, effect)


@pytest.fixture
def desk() -> Machine:
    editor, _ = make_desk()
    return editor


@pytest.fixture
def other(desk: Machine) -> Machine:
    return enrolled(desk, "elsewhere", Role.REPORTER)


@pytest.fixture
def between(desk: Machine) -> Between:
    collector = enrolled(desk, "far", Role.RELAY, endpoint=True)
    desk.ask(lambda node: node.endpoints.add("far", "192.0.2.1", (443, 53)))
    made = Between(enrolled(desk, "near", Role.REPORTER), collector)
    made.tell(made.caller, Networks((Network("wan0", b""),)))
    made.wait(4)
    made.call(FIRST)
    made.wait(4)
    assert made.linked == [FIRST]
    return made


def file_flash(node: Node) -> None:
    draft = node.filing.begin(Priority.FLASH)
    node.filing.finish(draft, text="Атыс.", slug="s", now=True, forget=False)


def test_news_that_nobody_answers_ends_the_call_and_the_next_way_is_tried(
    between: Between,
) -> None:
    between.swallows = True
    between.caller.ask(file_flash)
    between.tell(between.caller, Tick())
    between.wait(SOON_S)
    assert between.linked == []
    assert between.route(FIRST).trouble is Trouble.SILENT
    between.swallows = False
    between.call(SECOND)
    assert between.linked == [SECOND]
    assert between.called.ask(flashes) == between.caller.ask(flashes) != []


def test_where_nothing_is_to_be_said_silence_is_no_trouble(between: Between) -> None:
    between.swallows = True
    between.wait(10 * UNHEARD_S)
    assert between.linked == [FIRST]


def test_what_came_and_was_taken_needs_no_answer(between: Between, other: Machine) -> None:
    other.ask(file_flash)
    (wire,) = other.ask(lambda node: [node.home.custody.body(ref) for ref in flashes(node)])
    assert wire is not None

    def brought(node: Node) -> None:
        home = node.home
        taken = home.custody.accept(wire, age_s=0, moment=home.moment)
        home.announced.append(taken.bundle.ref)

    between.called.ask(brought)
    between.tell(between.called, Tick())
    between.wait(10)
    assert flashes(between.caller.node) == flashes(between.called.node) != []
    between.swallows = True
    between.wait(10 * UNHEARD_S)
    assert between.linked == [FIRST]


def test_what_came_and_was_not_read_yet_saves_the_call(between: Between) -> None:
    between.caller.ask(file_flash)
    between.tell(between.caller, Tick())
    (talk,) = between.caller.node.switchboard.talks.talking()
    between.swallows = True
    for _ in range(100):
        between.wait(2)
        if talk.is_doubted:
            break
    assert between.linked == [FIRST]
    # A machine that is busy is told of the time before it is told of what came.
    talk.heard(1)
    between.wait(10)
    assert between.linked == [FIRST]


def test_a_slow_way_is_given_as_long_as_what_lies_in_its_queues_may_take(between: Between) -> None:
    (talk,) = between.caller.node.switchboard.talks.talking()
    talk.rate = 2_000
    between.swallows = True
    between.caller.ask(file_flash)
    between.tell(between.caller, Tick())
    between.wait(SOON_S)
    assert between.linked == [FIRST]
    between.wait(UNHEARD_BYTES / talk.rate)
    assert between.linked == []


def flashes(node: Node) -> list[BundleRef]:
    """Return the flashes that a node holds."""
    custody, traffic = node.home.custody, TrafficClass.FLASH
    return [
        BundleRef(traffic, day, identifier)
        for day in custody.days(traffic)
        for identifier, _ in custody.elements(traffic, day)
    ]
