"""Machines of one desk find each other by beacons alone, and a crowd becomes one mesh."""

from collections import deque
from dataclasses import replace

import pytest

from meshnews.bundle.statement import Priority
from meshnews.ids import TrafficClass
from meshnews.link.beacon import BEACON_BYTES
from meshnews.node.event import Beckon, Heard
from meshnews.node.identity import Role
from meshnews.node.links.conversation import Conversation
from meshnews.node.settings import Visibility
from meshnews.sim.machine import Machine
from meshnews.sim.world import World
from meshnews.store.port import State
from tests.sim.newsroom import QUICK, Newsroom, file


def desk(world: World) -> tuple[Newsroom, Machine]:
    newsroom = Newsroom(world)
    editor = newsroom.machine("editor-1", Role.EDITOR)
    newsroom.found(editor)
    return newsroom, editor


def enrolled(
    newsroom: Newsroom, editor: Machine, name: str, role: Role, visibility: Visibility | None = None
) -> Machine:
    machine = newsroom.machine(name, role)
    newsroom.enrol(editor, machine)
    machine.settings = replace(QUICK, visibility=visibility)
    newsroom.world.crash(machine)
    newsroom.world.restart(machine)
    return machine


def links(world: World, machine: Machine) -> int:
    return world.ask(machine, lambda node: len(node.neighbours()))


def talks(machine: Machine) -> tuple[Conversation, ...]:
    assert machine.node is not None
    return machine.node.switchboard.talks.talking()


def dials(world: World) -> int:
    return sum("->" in line for line in world.trace)


@pytest.fixture
def world() -> World:
    return World(11, has_air=True)


def test_two_veiled_members_are_linked_within_a_second_and_a_half(world: World) -> None:
    newsroom, editor = desk(world)
    enrolled(newsroom, editor, "reporter-1", Role.REPORTER, Visibility.VEILED)
    right = enrolled(newsroom, editor, "reporter-2", Role.REPORTER, Visibility.VEILED)
    world.meet("reporter-1", "reporter-2")
    world.run(1.5)
    assert links(world, right) == 1


def test_two_silent_members_never_meet(world: World) -> None:
    newsroom, editor = desk(world)
    left = enrolled(newsroom, editor, "reporter-1", Role.REPORTER)
    enrolled(newsroom, editor, "reporter-2", Role.REPORTER)
    world.meet("reporter-1", "reporter-2")
    world.run(300.0)
    assert links(world, left) == 0


def test_a_veiled_member_is_linked_to_a_relay_at_once_because_it_seeks(world: World) -> None:
    newsroom, editor = desk(world)
    relay = enrolled(newsroom, editor, "relay-1", Role.RELAY)
    reporter = newsroom.machine("reporter-1", Role.REPORTER)
    newsroom.enrol(editor, reporter)
    world.run(60.0)
    world.crash(reporter)
    reporter.settings = replace(QUICK, visibility=Visibility.VEILED)
    world.meet("relay-1", "reporter-1")
    world.restart(reporter)
    world.run(1.5)
    assert links(world, relay) == 1


def test_a_silent_member_hears_a_relay_within_forty_seconds(world: World) -> None:
    newsroom, editor = desk(world)
    relay = enrolled(newsroom, editor, "relay-1", Role.RELAY)
    enrolled(newsroom, editor, "reporter-1", Role.REPORTER)
    world.meet("relay-1", "reporter-1")
    world.run(41.0)
    assert links(world, relay) == 1


@pytest.mark.parametrize("offset_s", [0.0, -20 * 365 * 86400.0])
def test_a_relay_without_a_clock_is_found(world: World, offset_s: float) -> None:
    newsroom, editor = desk(world)
    relay = enrolled(newsroom, editor, "relay-1", Role.RELAY)
    enrolled(newsroom, editor, "reporter-1", Role.REPORTER)
    relay.wall_is_trusted, relay.wall_offset_s = False, offset_s
    world.crash(relay)
    world.restart(relay)
    world.meet("relay-1", "reporter-1")
    world.run(41.0)
    assert links(world, relay) == 1


@pytest.mark.parametrize("offset_days", [-30, 500], ids=["below the floor", "far above it"])
@pytest.mark.parametrize("wrong", ["relay-1", "reporter-1"])
def test_a_clock_that_is_vouched_for_and_cannot_be_right_hides_nobody(
    world: World, wrong: str, offset_days: int
) -> None:
    newsroom, editor = desk(world)
    relay = enrolled(newsroom, editor, "relay-1", Role.RELAY)
    enrolled(newsroom, editor, "reporter-1", Role.REPORTER)
    machine = world.machines[wrong]
    machine.wall_offset_s = offset_days * 86400.0
    world.crash(machine)
    world.restart(machine)
    world.meet("relay-1", "reporter-1")
    world.run(41.0)
    assert links(world, relay) == 1


def test_two_that_call_each_other_keep_one_link_and_leave_it_at_that(world: World) -> None:
    newsroom, editor = desk(world)
    left = enrolled(newsroom, editor, "reporter-1", Role.REPORTER, Visibility.VEILED)
    right = enrolled(newsroom, editor, "reporter-2", Role.REPORTER, Visibility.VEILED)
    world.meet("reporter-1", "reporter-2")
    world.run(800.0)
    assert (links(world, left), links(world, right)) == (1, 1)
    assert dials(world) <= 3


def test_beacons_of_two_epochs_share_nothing(world: World) -> None:
    newsroom, editor = desk(world)
    relay = enrolled(newsroom, editor, "relay-1", Role.RELAY)
    world.run(1.0)
    before = relay.shown.beacons
    world.run(901.0)
    after = relay.shown.beacons
    assert len(before) == len(after) == 1
    assert len(before[0]) == len(after[0]) == BEACON_BYTES
    assert sum(one == other for one, other in zip(before[0], after[0], strict=True)) <= 4


@pytest.mark.parametrize("role", [Role.RELAY, Role.REPORTER])
def test_what_a_stranger_plays_draws_the_same_whoever_it_was_recorded_from(
    world: World, role: Role
) -> None:
    newsroom, editor = desk(world)
    enrolled(newsroom, editor, "relay-9", Role.RELAY)
    machine = enrolled(newsroom, editor, "machine", role, Visibility.VEILED)
    member = enrolled(newsroom, editor, "reporter-9", Role.REPORTER, Visibility.VEILED)
    enrolled(newsroom, editor, "bystander", Role.REPORTER)
    for name in ("machine", "reporter-9"):
        world.meet(name, "bystander")
    world.run(100.0)
    assert member.shown.seeks
    assert member.shown.beacons

    def drawn(packet: bytes) -> int:
        assert machine.node is not None
        with machine.transaction():
            effects = machine.node.handle(Heard(packet, ()), world.clock(machine))
        world.run(2.0)
        return sum(isinstance(effect, Beckon) for effect in effects)

    noise = bytes(range(BEACON_BYTES))
    recorded = [*member.shown.seeks, *member.shown.beacons, noise]
    assert [drawn(packet) for packet in recorded] == [1] * len(recorded)
    assert [drawn(packet) for packet in recorded] == [0] * len(recorded)


def test_whoever_comes_within_a_second_of_another_is_answered_too(world: World) -> None:
    newsroom, editor = desk(world)
    machine = enrolled(newsroom, editor, "machine", Role.RELAY)
    world.run(100.0)

    def drawn(number: int) -> list[float]:
        """Return in how many seconds an answer goes out because of one who was not heard before."""
        assert machine.node is not None
        with machine.transaction():
            effects = machine.node.handle(
                Heard(bytes([number]) * BEACON_BYTES, ()), world.clock(machine)
            )
        return [effect.after_s for effect in effects if isinstance(effect, Beckon)]

    (first_s,) = drawn(1)
    assert 0 <= first_s <= 0.5
    world.run(0.6)
    (second_s,) = drawn(2)
    assert 0.4 - 0.01 <= second_s <= 0.9
    assert drawn(3) == [], "the answer that is on its way is heard by all"
    world.run(1.0)
    (fourth_s,) = drawn(4)
    assert 0.4 - 0.01 <= fourth_s <= 0.9, "one a second, however many come"


def test_a_link_outlives_the_epoch_in_which_it_was_made(world: World) -> None:
    newsroom, editor = desk(world)
    relay = enrolled(newsroom, editor, "relay-1", Role.RELAY)
    enrolled(newsroom, editor, "reporter-1", Role.REPORTER)
    world.meet("relay-1", "reporter-1")
    world.run(41.0)
    (before,) = world.ask(relay, lambda node: node.neighbours())
    world.run(2000.0)
    (after,) = world.ask(relay, lambda node: node.neighbours())
    assert before.link == after.link


def test_two_relays_that_compare_what_a_nameless_caller_said_learn_nothing(world: World) -> None:
    newsroom, editor = desk(world)
    relays = [enrolled(newsroom, editor, f"relay-{n}", Role.RELAY) for n in range(2)]
    caller = enrolled(newsroom, editor, "reporter-1", Role.REPORTER)
    for relay in relays:
        world.meet(relay.name, caller.name)
    world.run(60.0)
    said = [talk.instance for relay in relays for talk in talks(relay) if talk.target is None]
    assert len(talks(caller)) == 2
    assert len(set(said)) == len(said)


def test_a_member_is_called_otherwise_when_nobody_is_left_who_heard(world: World) -> None:
    newsroom, editor = desk(world)
    left = enrolled(newsroom, editor, "reporter-1", Role.REPORTER, Visibility.VEILED)
    enrolled(newsroom, editor, "reporter-2", Role.REPORTER, Visibility.VEILED)
    heard = []
    for _ in range(2):
        world.meet("reporter-1", "reporter-2")
        world.run(60.0)
        (talk,) = talks(left)
        heard.append(talk.own_instance)
        world.part("reporter-1", "reporter-2")
        world.run(60.0)
    assert heard[0] != heard[1]


def test_a_crowd_of_machines_becomes_one_mesh_that_carries_a_flash_to_all(world: World) -> None:
    newsroom, editor = desk(world)
    crowd = [enrolled(newsroom, editor, f"relay-{n}", Role.RELAY) for n in range(2)]
    crowd += [
        enrolled(newsroom, editor, f"reporter-{n}", Role.REPORTER, Visibility.VEILED)
        for n in range(18)
    ]
    world.meet(*[machine.name for machine in crowd])
    world.run(60.0)
    assert min(links(world, machine) for machine in crowd) >= 3
    assert reached(crowd, crowd[0]) == len(crowd)

    for author in crowd[2:20:6]:
        identifier = file(newsroom, author, text="Flash.", priority=Priority.FLASH)
        world.run(10.0)
        missing = [machine.name for machine in crowd if not holds(machine, identifier)]
        assert missing == []

    calls = dials(world)
    sent = {machine.name: bytes_moved(machine) for machine in crowd}
    world.run(200.0)
    grown = [bytes_moved(machine) - sent[machine.name] for machine in crowd]
    assert max(grown) / 200.0 < 1000.0
    assert dials(world) - calls < 100


def reached(crowd: list[Machine], start: Machine) -> int:
    """Return how many machines can be reached from `start` over links."""
    whose = {talk.own_instance: machine for machine in crowd for talk in talks(machine)}
    seen, edge = {start.name}, deque([start])
    while edge:
        for talk in talks(edge.popleft()):
            machine = whose[talk.instance]
            if machine.name not in seen:
                seen.add(machine.name)
                edge.append(machine)
    return len(seen)


def holds(machine: Machine, identifier: bytes) -> bool:
    carry = machine.carry
    return any(
        (identifier, State.HELD) in carry.elements(traffic, day)
        for traffic in TrafficClass
        for day in carry.days(traffic)
    )


def bytes_moved(machine: Machine) -> int:
    assert machine.node is not None
    return machine.node.switchboard.talks.bytes_moved
