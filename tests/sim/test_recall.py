"""A recall in a mesh: in whatever order its letters come, nobody who stays is cut off."""

import copy
import functools
import random
from dataclasses import dataclass, field, replace

import pytest

from meshnews.crypto.entropy import SeededEntropy
from meshnews.crypto.keys import SymmetricKey
from meshnews.ids import Day
from meshnews.link.rendezvous import mesh_key_on
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.dispatches.item import Verdict
from meshnews.node.identity import Role, load_relay
from meshnews.node.office.recalling import Recalling
from meshnews.node.office.signing import sign_offline
from meshnews.node.person import Person
from meshnews.node.records.former import former_own_keys
from meshnews.node.settings import Visibility
from tests.node.inbox import everything
from tests.sim.newsroom import PASSPHRASE, QUICK, Newsroom, file, lighten, small_desk
from tests.sim.world import DAY_ZERO_S, Machine, PowerCut, World

LATER = Day(4000)
DAY_S = 86400


@functools.cache
def enrolled_desk() -> Newsroom:
    """Return a small desk with a second reporter, nobody met: made once, copied for each test."""
    newsroom, machines = small_desk(World(0))
    other = newsroom.machine("reporter-2", Role.REPORTER)
    newsroom.enrol(machines["editor-1"], other)
    newsroom.introduce(other)
    for reporter in (machines["reporter-1"], other):
        lighten(reporter)
    return newsroom


@dataclass
class Mesh:
    """A small desk with a second reporter, who stays."""

    seed: int
    has_air: bool = False
    world: World = field(init=False)

    def __post_init__(self) -> None:
        desk = enrolled_desk()
        self.world = World(self.seed, has_air=self.has_air, now_s=desk.world.now_s)
        self.newsroom = Newsroom(self.world, root=desk.root, names=dict(desk.names))
        self.machines = {name: self.copy(home) for name, home in desk.world.machines.items()}
        self.editor = self.machines["editor-1"]
        self.collector = self.machines["collector-1"]
        self.relay = self.machines["relay-1"]
        self.reporter = self.machines["reporter-1"]
        self.other = self.machines["reporter-2"]

    def copy(self, home: Machine) -> Machine:
        """Take over the home of a machine as it was made."""
        entropy = SeededEntropy(f"{self.seed} {home.name}".encode())
        carry, vault = copy.deepcopy(home.carry), copy.deepcopy(home.vault)
        machine = self.world.add(Machine(home.name, carry, vault, entropy, home.settings))
        self.world.boot(machine)
        return machine

    def join(self, name: str, role: Role) -> Machine:
        """Enrol another machine by the first editor."""
        machine = self.machines[name] = self.newsroom.machine(name, role)
        self.newsroom.enrol(self.editor, machine)
        self.newsroom.introduce(*self.machines.values())
        return machine

    def join_as_editor(self, name: str) -> Machine:
        machine = self.machines[name] = self.newsroom.machine(name, Role.EDITOR)
        self.newsroom.add_editor(self.editor, machine)
        self.newsroom.introduce(machine)
        self.meet(self.editor, self.collector)
        self.meet(machine, self.collector)
        self.meet(self.editor, self.collector)
        return machine

    def meet(self, *machines: Machine, seconds: float = 60.0) -> int:
        """Let machines be near each other; return how many links there were at the end."""
        names = [machine.name for machine in machines]
        self.world.meet(*names)
        self.world.run(seconds)
        links = len(self.world.ask(machines[0], lambda node: node.neighbours()))
        self.world.part(*names)
        self.world.run(1.0)
        return links

    def signed(self, who: str) -> bytes:
        unsigned, _ = self.world.ask(self.editor, lambda node: Recalling(node.home).prepare(who))
        return sign_offline(unsigned, self.newsroom.root, PASSPHRASE).signed

    def recall(self, who: str, *, by: Machine | None = None) -> None:
        signed = self.signed(who)
        self.world.ask(by or self.editor, lambda node: node.office.recall(signed))

    def let_pass(self, days: int, *running: Machine) -> None:
        """Let days go by, with all machines but these switched off, and these on now and then."""
        end_s = self.world.now_s + days * DAY_S
        while self.world.now_s < end_s:
            for machine in self.machines.values():
                self.world.crash(machine)
            self.world.now_s += min(3 * DAY_S, end_s - self.world.now_s) - 300
            for machine in running:
                self.world.boot(machine)
            self.world.run(300.0)
        for machine in self.machines.values():
            if machine.node is None:
                self.world.boot(machine)

    def files(self, machine: Machine) -> str:
        return file(self.newsroom, machine).hex()

    def state(self, machine: Machine, identifier: str) -> DispatchState:
        return self.world.ask(machine, lambda node: node.dispatches.find(identifier)).state


def beacon(machine: Machine) -> SymmetricKey:
    assert machine.node is not None
    own = machine.node.home.identity.relay
    assert own is not None
    assert own.beacon_key is not None
    return own.beacon_key


def knows(machine: Machine, relay: Machine) -> bool:
    """Tell whether a machine calls a relay by the key that it shows."""
    assert relay.node is not None
    own = relay.node.home.identity.relay
    assert own is not None
    keys = load_relay(machine.carry, own.static.public)
    return keys is not None and keys.beacon_key == beacon(relay)


def secrets(machine: Machine) -> tuple[object, ...]:
    """Return what all members share, the mesh key as of a later day."""
    assert machine.vault is not None
    assert machine.node is not None
    person = Person(machine.vault)
    mesh = person.mesh_key()
    assert mesh is not None
    later = mesh_key_on(mesh[0], day_from=mesh[1], day_to=LATER).raw
    return machine.node.home.identity.notice_key, person.member_notice_key(), later


def mesh_agrees(mesh: Mesh, *members: Machine) -> None:
    """Check that everybody who stays has the same keys."""
    for member in members:
        assert secrets(member) == secrets(mesh.editor), member.name
        for relay in (mesh.collector, mesh.relay):
            assert knows(member, relay), (member.name, relay.name)
    for relay in (mesh.collector, mesh.relay):
        assert relay.node is not None
        assert relay.node.home.identity.notice_key == secrets(mesh.editor)[0]
    assert knows(mesh.relay, mesh.collector)


def test_a_relay_that_heard_first_still_serves_who_has_not_and_brings_the_letter() -> None:
    mesh = Mesh(1)
    before = beacon(mesh.relay)
    mesh.recall("reporter-1")
    mesh.meet(mesh.editor, mesh.collector)
    mesh.meet(mesh.collector, mesh.relay)
    assert beacon(mesh.relay) != before
    assert not knows(mesh.other, mesh.relay)
    identifier = mesh.files(mesh.other)
    mesh.meet(mesh.other, mesh.relay)
    mesh_agrees(mesh, mesh.other)
    mesh.meet(mesh.relay, mesh.collector)
    mesh.meet(mesh.collector, mesh.editor)
    mesh.meet(mesh.relay, mesh.collector)
    mesh.meet(mesh.other, mesh.relay)
    assert mesh.state(mesh.other, identifier) is DispatchState.RECEIVED


def test_a_reporter_who_heard_first_still_reaches_a_relay_that_has_not_and_sees_it_watched() -> (
    None
):
    mesh = Mesh(2)
    mesh.recall("reporter-1")
    mesh.meet(mesh.editor, mesh.collector)
    mesh.meet(mesh.other, mesh.collector)
    before = beacon(mesh.relay)
    assert not knows(mesh.other, mesh.relay)
    mesh.world.meet("reporter-2", "relay-1")
    mesh.world.run(30.0)
    (link,) = mesh.world.ask(mesh.other, lambda node: node.neighbours())
    assert link.is_watched, "it answered to the key of before"
    assert beacon(mesh.relay) != before, "its letter came over that very link"
    mesh.world.part("reporter-2", "relay-1")
    mesh.world.run(1.0)
    mesh.world.meet("reporter-2", "relay-1")
    mesh.world.run(30.0)
    (link,) = mesh.world.ask(mesh.other, lambda node: node.neighbours())
    assert not link.is_watched


def test_after_a_month_the_recalled_card_opens_no_door_any_more() -> None:
    mesh = Mesh(3)
    mesh.recall("reporter-1")
    mesh.meet(mesh.editor, mesh.collector)
    mesh.meet(mesh.collector, mesh.relay)
    mesh.meet(mesh.other, mesh.relay)
    assert mesh.meet(mesh.reporter, mesh.relay) == 1, "the key of before is answered for a while"
    mesh.let_pass(31, mesh.editor)
    assert mesh.relay.node is not None
    assert former_own_keys(mesh.relay.node.home) == ()
    assert mesh.meet(mesh.reporter, mesh.relay) == 0
    assert mesh.meet(mesh.reporter, mesh.collector) == 0
    assert mesh.meet(mesh.other, mesh.relay) == 1


def test_members_meet_under_the_new_mesh_key_and_the_recalled_one_meets_nobody() -> None:
    mesh = Mesh(4, has_air=True)
    third = mesh.join("reporter-3", Role.REPORTER)
    for machine in (mesh.other, third, mesh.reporter):
        machine.settings = replace(QUICK, visibility=Visibility.VEILED)
        mesh.world.crash(machine)
        mesh.world.boot(machine)
    assert mesh.meet(mesh.other, third) == 1
    assert mesh.meet(mesh.other, mesh.reporter) == 1
    mesh.recall("reporter-1")
    mesh.meet(mesh.editor, mesh.collector)
    mesh.meet(mesh.collector, mesh.relay)
    mesh.meet(mesh.relay, mesh.other)
    assert mesh.meet(mesh.other, mesh.reporter) == 0, "no overlap where people are seen"
    mesh.meet(mesh.relay, third)
    assert mesh.meet(mesh.other, third) == 1


def test_machines_that_believe_it_is_1970_get_their_new_keys_too() -> None:
    mesh = Mesh(8)
    for machine in (mesh.relay, mesh.other):
        machine.wall_is_trusted = False
        machine.wall_offset_s = -mesh.world.now_s - DAY_ZERO_S
        mesh.world.crash(machine)
        mesh.world.boot(machine)
    mesh.recall("reporter-1")
    mesh.meet(mesh.editor, mesh.collector)
    mesh.meet(mesh.collector, mesh.relay)
    mesh.meet(mesh.relay, mesh.other)
    mesh_agrees(mesh, mesh.other)


def test_what_the_recalled_reporter_filed_before_arrives_and_is_unproven() -> None:
    mesh = Mesh(5)
    mesh.files(mesh.reporter)
    mesh.meet(mesh.reporter, mesh.relay)
    mesh.recall("reporter-1")
    mesh.meet(mesh.relay, mesh.collector)
    mesh.meet(mesh.collector, mesh.editor)
    (item,) = mesh.world.ask(mesh.editor, everything)
    assert item.verdict is Verdict.UNPROVEN


def test_a_recalled_relay_is_called_by_nobody_who_has_heard() -> None:
    mesh = Mesh(6)
    bad = mesh.join("relay-2", Role.RELAY)
    for machine in (mesh.collector, mesh.relay, mesh.other):
        mesh.meet(mesh.editor, mesh.collector)
        mesh.meet(mesh.collector, machine) if machine is not mesh.collector else None
    assert mesh.meet(mesh.other, bad) == 1
    mesh.recall("relay-2")
    mesh.meet(mesh.editor, mesh.collector)
    mesh.meet(mesh.collector, mesh.other)
    assert mesh.meet(mesh.other, bad) == 0
    mesh.meet(mesh.collector, mesh.relay)
    mesh_agrees(mesh, mesh.other)


def test_a_link_to_a_relay_ends_when_its_recall_comes() -> None:
    mesh = Mesh(7)
    mesh.world.meet("reporter-2", "relay-1")
    mesh.world.run(30.0)
    assert len(mesh.world.ask(mesh.other, lambda node: node.neighbours())) == 1
    mesh.recall("relay-1")
    mesh.meet(mesh.editor, mesh.collector)
    mesh.meet(mesh.collector, mesh.other)
    assert mesh.world.ask(mesh.other, lambda node: node.neighbours()) == []


@pytest.mark.parametrize("seed", range(3))
def test_who_was_away_for_weeks_comes_back_to_everybody(seed: int) -> None:
    mesh = Mesh(10 + seed)
    third = mesh.join("reporter-3", Role.REPORTER)
    mesh.recall("reporter-1")
    mesh.meet(mesh.editor, mesh.collector)
    if seed == 0:
        mesh.meet(mesh.collector, mesh.relay)
    if seed == 1:
        mesh.meet(mesh.collector, mesh.other)
    mesh.let_pass(25, mesh.editor, mesh.collector)
    mesh.meet(mesh.editor, mesh.collector)
    for _ in range(2):
        mesh.meet(mesh.collector, mesh.relay)
        mesh.meet(mesh.relay, mesh.other)
        mesh.meet(mesh.relay, third)
        mesh.meet(mesh.collector, mesh.editor)
    mesh_agrees(mesh, mesh.other, third)
    identifier = mesh.files(third)
    for _ in range(2):
        mesh.meet(third, mesh.relay)
        mesh.meet(mesh.relay, mesh.collector)
        mesh.meet(mesh.collector, mesh.editor)
        mesh.meet(mesh.relay, mesh.collector)
        mesh.meet(third, mesh.relay)
    assert mesh.state(third, identifier) is DispatchState.RECEIVED
    (item,) = mesh.world.ask(mesh.editor, everything)
    assert item.verdict is Verdict.VERIFIED


def test_an_editor_is_recalled_by_another_and_all_that_it_knew_is_replaced() -> None:
    mesh = Mesh(20)
    second = mesh.join_as_editor("editor-2")
    late = mesh.machines["reporter-9"] = mesh.newsroom.machine("reporter-9", Role.REPORTER)
    mesh.newsroom.enrol(second, late)
    mesh.newsroom.introduce(late)
    mesh.meet(second, mesh.collector)
    mesh.meet(mesh.editor, mesh.collector)
    before = beacon(mesh.relay)
    mesh.recall(sign_key(second).hex())
    mesh.meet(mesh.editor, mesh.collector)
    mesh.meet(mesh.collector, mesh.relay)
    for reporter in (mesh.reporter, mesh.other, late):
        mesh.meet(mesh.relay, reporter)
    assert beacon(mesh.relay) != before
    mesh_agrees(mesh, mesh.reporter, mesh.other, late)
    mesh.files(late)
    mesh.meet(late, mesh.relay)
    mesh.meet(mesh.relay, mesh.collector)
    mesh.meet(mesh.collector, mesh.editor)
    (item,) = mesh.world.ask(mesh.editor, everything)
    assert item.verdict is Verdict.VERIFIED, "another editor vouches for whom it had enrolled"


def test_another_editor_takes_the_new_keys_over_and_tells_whom_it_had_told() -> None:
    mesh = Mesh(21)
    second = mesh.join_as_editor("editor-2")
    late = mesh.machines["reporter-9"] = mesh.newsroom.machine("reporter-9", Role.REPORTER)
    mesh.newsroom.enrol(second, late)
    mesh.newsroom.introduce(late)
    mesh.meet(second, mesh.collector)
    mesh.meet(mesh.editor, mesh.collector)
    mesh.recall("reporter-1")
    for _ in range(2):
        mesh.meet(mesh.editor, mesh.collector)
        mesh.meet(second, mesh.collector)
    mesh.meet(mesh.collector, mesh.relay)
    mesh.meet(mesh.relay, late)
    mesh.meet(mesh.relay, mesh.other)
    mesh_agrees(mesh, mesh.other, late, second)


def test_two_editors_who_recall_at_once_end_with_the_same_keys() -> None:
    mesh = Mesh(22)
    second = mesh.join_as_editor("editor-2")
    third = mesh.join("reporter-3", Role.REPORTER)
    mesh.meet(mesh.editor, mesh.collector)
    mesh.meet(second, mesh.collector)
    mesh.recall("reporter-1")
    mesh.recall("reporter-3", by=second)
    mesh.meet(second, mesh.collector)
    mesh.meet(mesh.collector, mesh.relay)
    mesh.meet(mesh.relay, mesh.other)
    mesh.meet(mesh.editor, mesh.collector)
    mesh.let_pass(8, mesh.editor, mesh.collector)
    for _ in range(3):
        mesh.meet(mesh.editor, mesh.collector)
        mesh.meet(second, mesh.collector)
        mesh.meet(mesh.collector, mesh.relay)
        mesh.meet(mesh.relay, mesh.other)
    mesh_agrees(mesh, mesh.other, second)
    assert secrets(third) != secrets(mesh.editor)
    assert secrets(mesh.reporter) != secrets(mesh.editor)


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_power_cut_while_keys_are_replaced_loses_nothing(cut: int) -> None:
    mesh = Mesh(30 + cut)
    signed = mesh.signed("reporter-1")
    mesh.editor.tears_in = cut
    try:
        mesh.world.ask(mesh.editor, lambda node: node.office.recall(signed))
        mesh.meet(mesh.editor, mesh.collector)
    except PowerCut:
        pass
    mesh.editor.tears_in = None
    mesh.world.boot(mesh.editor)
    for machine in (mesh.relay, mesh.other):
        machine.tears_in = cut
        mesh.meet(mesh.editor, mesh.collector)
        mesh.meet(mesh.collector, machine)
        machine.tears_in = None
        mesh.world.boot(machine)
    mesh.let_pass(8, mesh.editor, mesh.collector)
    mesh.meet(mesh.editor, mesh.collector)
    for machine in (mesh.relay, mesh.other):
        mesh.meet(mesh.collector, machine)
    mesh_agrees(mesh, mesh.other)
    assert mesh.world.ask(mesh.editor, lambda node: list(node.home.book.recalls()))


@pytest.mark.parametrize("seed", range(4))
def test_in_whatever_order_all_meet_all_who_stay_agree_in_the_end(seed: int) -> None:
    mesh, luck = Mesh(40 + seed), random.Random(seed)
    routes = [
        (mesh.editor, mesh.collector),
        (mesh.collector, mesh.relay),
        (mesh.relay, mesh.other),
        (mesh.relay, mesh.reporter),
        (mesh.collector, mesh.other),
    ]
    recalled_at = luck.randint(1, 4)
    for step in range(12):
        if step == recalled_at:
            mesh.recall("reporter-1")
        if luck.random() < 0.3:
            mesh.files(mesh.other)
        mesh.meet(*luck.choice(routes), seconds=luck.choice([8.0, 30.0, 60.0]))
        if luck.random() < 0.2:
            mesh.let_pass(luck.randint(1, 6), mesh.editor)
    for _ in range(2):
        for route in (*routes[:3], *reversed(routes[:2])):
            mesh.meet(*route)
    mesh_agrees(mesh, mesh.other)
    assert secrets(mesh.reporter) != secrets(mesh.editor)


def sign_key(machine: Machine) -> bytes:
    assert machine.vault is not None
    signer = Person(machine.vault).sign_key()
    assert signer is not None
    return bytes(signer.public)
