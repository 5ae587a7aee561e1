"""The machines of a plan, made and enrolled by the code that makes and enrols real ones.

The desk comes first, then relays and sticks, its other editors, and reporters,
so that each card names everybody whom its holder meets in the plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from meshnews.crypto.entropy import SeededEntropy
from meshnews.desk.limits import RELAYS_NAMED_ON_CARD
from meshnews.node.event import Address, Carrier
from meshnews.node.identity import Role, load_identity
from meshnews.node.node import Node
from meshnews.node.office.birth import create_home
from meshnews.node.office.signing import sign_offline
from meshnews.node.records.stock import CARD_POSTAGE, PostageKind
from meshnews.node.settings import QUOTA_BYTES_DEFAULT, Settings, StaticNeighbour
from meshnews.sim.air import PORT
from meshnews.sim.hostile import carry_of
from meshnews.sim.ledger import Bodies
from meshnews.sim.machine import Machine
from meshnews.sim.plan import DESK, Part, Plan, Post, WallClock
from meshnews.sim.world import World
from meshnews.store.memory import MemoryVault

BEFORE_S: Final = 2 * 86400.0
"""So long before the plan begins everybody has a card."""

LIGHT: Final = 20
LEAST: Final = 16

_PASSPHRASE: Final = "the root of a desk in a simulation"  # noqa: S105  it protects nothing
_PASSES, _MEMORY_BYTES = 1, 8192

_ROLES: Final = {
    Part.REPORTER: Role.REPORTER,
    Part.RELAY: Role.RELAY,
    Part.COURIER: Role.RELAY,
    Part.EDITOR: Role.EDITOR,
}


@dataclass
class Muster:
    """Everybody of a plan, on their way to having a card."""

    world: World
    plan: Plan
    settings: Settings
    light_cards: bool = False
    """Cards bring a twentieth of the postage, and 16 of each kind at least: making it is most
    of a desk's work before a play."""
    bodies: Bodies = field(default_factory=Bodies)
    _met: dict[str, list[str]] = field(default_factory=dict)

    def enrol_all(self) -> None:
        """Make every machine and give it its card; all are switched off afterwards.

        Raises:
            Refusal: the plan has more people than a desk can have.
        """
        self._met = self._meetings()
        order = [Part.RELAY, Part.COURIER, Part.EDITOR, Part.REPORTER]
        others = sorted(
            (one for one in self.plan.posts if one.name != DESK),
            key=lambda one: (order.index(one.part), one.name),
        )
        desk = self._made(self.plan.post(DESK))
        create = partial(_create_desk, name=self.plan.about[:40].strip() or "Desk")
        root = self.world.ask(desk, create)
        relays: set[str] = set()
        for post in others:
            machine = self._made(post)
            if post.part is Part.EDITOR:
                self._add_editor(desk, machine, root)
            else:
                self._enrol(desk, machine, self._near(post, relays))
            if post.part in {Part.RELAY, Part.COURIER}:
                relays.add(post.name)
        self._tell_gateways(desk)
        for machine in self.world.machines.values():
            self.world.crash(machine)

    def _made(self, post: Post) -> Machine:
        carry = carry_of(post.mischief, self.bodies)
        role = _ROLES[post.part]
        vault = None if role is Role.RELAY else MemoryVault()
        entropy = SeededEntropy.of_words(f"{self.world.seed} {post.name}")
        with carry.transaction():
            create_home(carry, vault, role=role, endpoint=post.name == DESK, entropy=entropy)
        quota_bytes = post.quota_bytes or QUOTA_BYTES_DEFAULT
        settings = replace(self.settings, quota_bytes=quota_bytes)
        machine = self.world.add(Machine(post.name, carry, vault, entropy, settings))
        self.world.boot(machine)
        if post.clock is WallClock.STOPPED:
            # It has a card, so there was a day when somebody set it up with care.
            machine.wall_is_trusted, machine.wall_stands_s = False, 0.0
        return machine

    def _enrol(self, desk: Machine, joiner: Machine, near: Sequence[str]) -> None:
        request = self.world.ask(joiner, lambda node: node.enrolment.request())
        made = self.world.ask(
            desk,
            lambda node: node.office.card(
                request, name=joiner.name, near=tuple(near), postage=self._postage()
            ),
        )
        self.world.ask(joiner, partial(_take, card=made.card))

    def _postage(self) -> dict[PostageKind, int]:
        share = LIGHT if self.light_cards else 1
        return {
            kind: max(count // share, min(count, LEAST)) for kind, count in CARD_POSTAGE.items()
        }

    def _add_editor(self, desk: Machine, joiner: Machine, root: bytes) -> None:
        request = self.world.ask(joiner, lambda node: node.enrolment.request())
        unsigned, _ = self.world.ask(desk, lambda node: node.office.prepare_editor(request))
        signed = sign_offline(unsigned, root, _PASSPHRASE).signed
        card = self.world.ask(desk, lambda node: node.office.admit_editor(signed, request))
        self.world.ask(joiner, partial(_take, card=card))

    def _meetings(self) -> dict[str, list[str]]:
        """Return whom everybody meets, the most often met first."""
        met: dict[str, dict[str, int]] = {}
        for contact in self.plan.contacts:
            for one, other in ((contact.a, contact.b), (contact.b, contact.a)):
                counts = met.setdefault(one, {})
                counts[other] = counts.get(other, 0) + 1
        return {
            name: sorted(counts, key=lambda other: (-counts[other], other))
            for name, counts in met.items()
        }

    def _near(self, post: Post, relays: set[str]) -> list[str]:
        near = [name for name in self._met.get(post.name, []) if name in relays]
        return near[:RELAYS_NAMED_ON_CARD]

    def _tell_gateways(self, desk: Machine) -> None:
        """Write the desk's address into the settings of those who have a wire."""
        own = load_identity(desk.carry).relay
        assert own is not None, "a desk that nobody can call"
        neighbour = StaticNeighbour(Address("tcp", f"{DESK}:{PORT}"), own.static.public)
        uplinks = [one for one in self.plan.contacts if one.carrier is Carrier.UPLINK]
        wired = {name for one in uplinks for name in (one.a, one.b)}
        for name in sorted(wired - {DESK}):
            machine = self.world.machines[name]
            machine.settings = replace(machine.settings, neighbours=(neighbour,))


def _create_desk(node: Node, *, name: str) -> bytes:
    return node.office.create_desk(name, _PASSPHRASE, passes=_PASSES, memory_bytes=_MEMORY_BYTES)


def _take(node: Node, *, card: bytes) -> None:
    node.enrolment.take_card(card)
    node.know_relays()
