"""What changes after a card was made reaches its holder through whoever passes."""

from dataclasses import replace

from meshnews.ids import TrafficClass
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.identity import Role, load_relays
from meshnews.node.person import Person
from meshnews.node.records.wallet import Wallet
from meshnews.node.settings import Visibility
from meshnews.sim.machine import Machine
from meshnews.sim.world import World
from tests.node.inbox import everything
from tests.sim.newsroom import QUICK, Newsroom, file, small_desk


def meet(world: World, *names: str, seconds: float = 40.0) -> None:
    world.meet(*names)
    world.run(seconds)
    world.part(*names)
    world.run(1.0)


def let_pass(world: World, days: int) -> None:
    """Let days go by with every machine switched off."""
    for machine in world.machines.values():
        world.crash(machine)
    world.run(120.0)
    world.now_s += days * 86400
    for machine in world.machines.values():
        world.boot(machine)


def wallet(machine: Machine) -> Wallet:
    assert machine.vault is not None
    return Wallet(machine.vault, machine.entropy)


def prekeys(machine: Machine, editor: Machine) -> int:
    assert editor.vault is not None
    signer = Person(editor.vault).sign_key()
    assert signer is not None
    return wallet(machine).prekeys_left(signer.public)


def known_relays(machine: Machine) -> set[bytes]:
    return {bytes(keys.static) for keys in load_relays(machine.carry)}


def later_relay(newsroom: Newsroom, editor: Machine) -> Machine:
    relay = newsroom.machine("relay-2", Role.RELAY)
    newsroom.enrol(editor, relay)
    relay.settings = replace(QUICK, visibility=Visibility.OPEN)
    newsroom.world.crash(relay)
    newsroom.world.boot(relay)
    return relay


def test_a_relay_enrolled_later_is_used_after_one_contact_through_another_relay() -> None:
    world = World(3, has_air=True)
    newsroom, machines = small_desk(world)
    editor, reporter = machines["editor-1"], machines["reporter-1"]
    later_relay(newsroom, editor)
    meet(world, "editor-1", "collector-1")
    meet(world, "collector-1", "relay-1")
    assert newsroom.names["relay-2"] not in known_relays(reporter)

    meet(world, "relay-1", "reporter-1", seconds=60.0)
    assert newsroom.names["relay-2"] in known_relays(reporter)
    identifier = file(newsroom, reporter).hex()
    meet(world, "relay-2", "reporter-1", seconds=60.0)
    found = world.ask(reporter, lambda node: node.dispatches.find(identifier))
    assert found.state is DispatchState.CARRIED


def test_a_relay_is_told_of_a_collector_that_came_after_it() -> None:
    world = World(4)
    newsroom, machines = small_desk(world)
    editor, relay = machines["editor-1"], machines["relay-1"]
    collector = newsroom.machine("collector-2", Role.RELAY, endpoint=True)
    newsroom.enrol(editor, collector)
    meet(world, "editor-1", "collector-1")
    meet(world, "collector-1", "relay-1")
    assert newsroom.names["collector-2"] in known_relays(relay)


def test_a_card_300_days_old_is_refreshed_after_one_dispatch_came_through() -> None:
    world = World(5)
    newsroom, machines = small_desk(world)
    editor, reporter = machines["editor-1"], machines["reporter-1"]
    let_pass(world, 300)
    file(newsroom, reporter)
    left = prekeys(reporter, editor)
    flashes = wallet(reporter).postage_left(TrafficClass.FLASH)
    meet(world, "reporter-1", "relay-1")
    meet(world, "relay-1", "collector-1")
    meet(world, "collector-1", "editor-1", seconds=60.0)
    meet(world, "relay-1", "collector-1")
    meet(world, "reporter-1", "relay-1")
    assert prekeys(reporter, editor) > left
    assert wallet(reporter).postage_left(TrafficClass.FLASH) > flashes


def test_a_card_is_refreshed_at_its_first_contact_with_the_desk_itself() -> None:
    world = World(6)
    newsroom = Newsroom(world)
    editor = newsroom.machine("editor-1", Role.EDITOR, endpoint=True)
    newsroom.found(editor)
    reporter = newsroom.machine("reporter-1", Role.REPORTER)
    newsroom.enrol(editor, reporter)
    newsroom.introduce(reporter)
    let_pass(world, 300)
    file(newsroom, reporter)
    left = prekeys(reporter, editor)
    meet(world, "reporter-1", "editor-1")
    assert prekeys(reporter, editor) > left


def test_a_refresh_spends_itself_and_is_acknowledged() -> None:
    world = World(8)
    newsroom, machines = small_desk(world)
    editor, reporter = machines["editor-1"], machines["reporter-1"]
    let_pass(world, 8)
    for _ in range(3):
        file(newsroom, reporter)
    for _ in range(2):
        meet(world, "reporter-1", "relay-1")
        meet(world, "relay-1", "collector-1")
        meet(world, "collector-1", "editor-1", seconds=60.0)
        meet(world, "relay-1", "collector-1")
        meet(world, "reporter-1", "relay-1")
    assert world.ask(reporter, everything) == []
    assert world.ask(editor, lambda node: len(everything(node))) == 3
    before = prekeys(reporter, editor)
    for _ in range(2):
        meet(world, "reporter-1", "relay-1")
        meet(world, "relay-1", "collector-1")
    assert prekeys(reporter, editor) == before


def test_two_editors_know_of_a_relay_that_one_of_them_enrolled() -> None:
    world = World(9)
    newsroom, machines = small_desk(world)
    editor = machines["editor-1"]
    second = newsroom.machine("editor-2", Role.EDITOR)
    newsroom.add_editor(editor, second)
    newsroom.introduce(second)
    meet(world, "editor-1", "collector-1")
    meet(world, "editor-2", "collector-1")
    later_relay(newsroom, editor)
    meet(world, "editor-1", "collector-1")
    meet(world, "editor-2", "collector-1")
    assert newsroom.names["relay-2"] in known_relays(second)

    reporter = machines["reporter-1"]
    meet(world, "editor-2", "collector-1")
    meet(world, "collector-1", "relay-1")
    meet(world, "relay-1", "reporter-1")
    assert prekeys(reporter, second) == 256
