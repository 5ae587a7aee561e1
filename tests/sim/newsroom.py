"""A desk in the simulator: collector, editor, relay and reporters, enrolled by their files."""

import functools
from dataclasses import dataclass, field, replace

from meshnews.bundle.statement import Priority, Role
from meshnews.crypto.entropy import SeededEntropy
from meshnews.ids import TrafficClass
from meshnews.node import shelf
from meshnews.node.event import Address
from meshnews.node.identity import Role as HomeRole
from meshnews.node.identity import load_identity
from meshnews.node.node import Node
from meshnews.node.office.birth import create_home
from meshnews.node.office.signing import sign_offline
from meshnews.node.settings import Settings, StaticNeighbour
from meshnews.sim.air import PORT
from meshnews.sim.machine import Machine
from meshnews.sim.world import World
from meshnews.store.memory import MemoryCarry, MemoryVault

CHEAP = {"passes": 1, "memory_bytes": 8192}
PASSPHRASE = "root of the desk"
TEXT = "Алаңда атыс естілді. Видео кейін келеді."
QUICK = Settings(
    hold_s_max=0.0,
    flash_hold_s_max=0.0,
    reply_receipt_hold_s_max=0.0,
    batch_s=5.0,
    flash_batch_s=5.0,
)


@dataclass
class Newsroom:
    """Machines of one desk in one world."""

    world: World
    root: bytes = b""
    names: dict[str, bytes] = field(default_factory=dict)

    def machine(self, name: str, role: HomeRole, *, endpoint: bool = False) -> Machine:
        """Make a home and switch its machine on."""
        carry, vault = MemoryCarry(), None if role is HomeRole.RELAY else MemoryVault()
        entropy = SeededEntropy(f"{self.world.seed} {name}".encode())
        with carry.transaction():
            create_home(carry, vault, role=role, endpoint=endpoint, entropy=entropy)
        machine = self.world.add(Machine(name, carry, vault, entropy, QUICK))
        self.world.boot(machine)
        identity = load_identity(carry)
        if identity.relay is not None:
            self.names[name] = identity.relay.static.public
        return machine

    def found(self, editor: Machine) -> None:
        """Make a desk."""
        self.root = self.world.ask(
            editor, lambda node: node.office.create_desk("Desk of tests", PASSPHRASE, **CHEAP)
        )

    def enrol(self, editor: Machine, joiner: Machine, *, near: tuple[str, ...] = ()) -> None:
        """Give a machine its card, by request and card file."""
        request = self.world.ask(joiner, lambda node: node.enrolment.request())
        made = self.world.ask(
            editor, lambda node: node.office.card(request, name=joiner.name, near=near)
        )
        self.world.ask(joiner, lambda node: _take(node, made.card))

    def add_editor(self, editor: Machine, joiner: Machine) -> None:
        """Let a second editor join, its manifest signed offline."""
        request = self.world.ask(joiner, lambda node: node.enrolment.request())
        unsigned, _ = self.world.ask(editor, lambda node: node.office.prepare_editor(request))
        signed = sign_offline(unsigned, self.root, PASSPHRASE).signed
        card = self.world.ask(editor, lambda node: node.office.admit_editor(signed, request))
        self.world.ask(joiner, lambda node: _take(node, card))

    def introduce(self, *machines: Machine) -> None:
        """Write the addresses of relays and collectors into the machines' settings."""
        for machine in machines:
            neighbours = tuple(
                StaticNeighbour(Address("tcp", f"{name}:{PORT}"), static)
                for name, static in sorted(self.names.items())
                if name != machine.name
            )
            machine.settings = replace(machine.settings, neighbours=neighbours)
            self.world.crash(machine)
            self.world.restart(machine)


def _take(node: Node, card: bytes) -> None:
    node.enrolment.take_card(card)
    node.know_relays()


def file(
    newsroom: Newsroom,
    machine: Machine,
    *,
    text: str = TEXT,
    picture: bytes = b"",
    priority: Priority = Priority.ROUTINE,
) -> bytes:
    """File a dispatch, with a picture perhaps; return its identifier."""

    def act(node: Node) -> bytes:
        draft = node.filing.begin(priority)
        if picture:
            node.filing.attach(draft, "picture.jpg", size=len(picture), role=Role.FILE)
            node.filing.add(draft, picture)
            node.filing.end_attachment(draft)
        filed = node.filing.finish(draft, text=text, slug="alań", now=True, forget=False)
        return filed.ref.id

    return newsroom.world.ask(machine, act)


def small_desk(world: World) -> tuple[Newsroom, dict[str, Machine]]:
    """Return a desk of editor, collector, relay and reporter, nobody in contact."""
    newsroom = Newsroom(world)
    editor = newsroom.machine("editor-1", HomeRole.EDITOR)
    collector = newsroom.machine("collector-1", HomeRole.RELAY, endpoint=True)
    relay = newsroom.machine("relay-1", HomeRole.RELAY)
    reporter = newsroom.machine("reporter-1", HomeRole.REPORTER)
    newsroom.found(editor)
    for joiner in (collector, relay, reporter):
        newsroom.enrol(editor, joiner)
    newsroom.introduce(editor, collector, relay, reporter)
    machines = [editor, collector, relay, reporter]
    return newsroom, {machine.name: machine for machine in machines}


@functools.cache
def whole_desk() -> Newsroom:
    """Return a whole desk, everybody enrolled and nobody met: made once, copied for each seed.

    The second half of the reporters joins after the second editor, by the first one's hand.
    """
    newsroom = Newsroom(World(0))
    editor = newsroom.machine("editor-1", HomeRole.EDITOR)
    newsroom.found(editor)
    newsroom.enrol(editor, newsroom.machine("collector-1", HomeRole.RELAY, endpoint=True))
    for number in range(1, 5):
        newsroom.enrol(editor, newsroom.machine(f"relay-{number}", HomeRole.RELAY))
    for number in (1, 2):
        newsroom.enrol(editor, newsroom.machine(f"reporter-{number}", HomeRole.REPORTER))
    newsroom.add_editor(editor, newsroom.machine("editor-2", HomeRole.EDITOR))
    for number in (3, 4):
        newsroom.enrol(editor, newsroom.machine(f"reporter-{number}", HomeRole.REPORTER))
    for machine in newsroom.world.machines.values():
        lighten(machine)
    return newsroom


def lighten(machine: Machine) -> None:
    """Take most postage for large files off a card: nobody here spends it, all are copied."""
    large = bytes([TrafficClass.BULK])
    if machine.vault is not None:
        for number, (key, _) in enumerate(machine.vault.scan(shelf.POSTAGE, large)):
            if number % 20:
                machine.vault.delete(shelf.POSTAGE, key)
