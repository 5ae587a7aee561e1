"""Homes of one desk that never meet: what tests of a person's work stand on.

Everything is real but time, luck and disks.  `ask` runs a question as the
daemon does: in one transaction of both stores, at the machine's own moment.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

from meshnews.crypto.entropy import SeededEntropy
from meshnews.ids import Day
from meshnews.node import shelf
from meshnews.node.enrol.enrolment import Enrolled
from meshnews.node.event import Effect, Event
from meshnews.node.identity import Role
from meshnews.node.node import Node
from meshnews.node.office.birth import create_home
from meshnews.node.office.signing import sign_offline
from meshnews.node.settings import Settings
from meshnews.store.age import DAY_ZERO_S, Clock
from meshnews.store.memory import MemoryCarry, MemoryVault

T = TypeVar("T")
Question: TypeAlias = Callable[[Node], object]

TODAY = Day(2500)
DAY_S = 86400.0
ROOT_PASSPHRASE = "root of the desk"
CHEAP = {"passes": 1, "memory_bytes": 8192}


@dataclass
class Machine:
    """One home, its node running."""

    name: str
    carry: MemoryCarry
    vault: MemoryVault | None
    entropy: SeededEntropy
    clock: Clock
    node: Node = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Start the daemon, as after a crash."""
        self._within(self._start)

    def _start(self) -> None:
        self.node = Node(
            carry=self.carry, vault=self.vault, entropy=self.entropy, settings=Settings()
        )
        self.node.start(self.clock)

    def ask(self, question: Callable[[Node], T]) -> T:
        """Return what `question` returns; a refusal leaves the stores as they were."""

        def work() -> T:
            self.node.at(self.clock)
            answer = question(self.node)
            self.node.settle(self.clock)
            return answer

        return self._within(work)

    def tell(self, event: Event) -> list[Effect]:
        """Let something happen to the node; return what it wants done."""
        return self._within(lambda: self.node.handle(event, self.clock))

    def _within(self, work: Callable[[], T]) -> T:
        with ExitStack() as stack:
            stack.enter_context(self.carry.transaction())
            if self.vault is not None:
                stack.enter_context(self.vault.transaction())
            return work()

    def later(self, days: float) -> None:
        """Let time pass, the machine running, and its node do what that demands."""
        seconds = days * DAY_S
        self.clock = replace(
            self.clock, boot_s=self.clock.boot_s + seconds, wall_s=self.clock.wall_s + seconds
        )
        self.ask(lambda node: node.work.sweep())

    @property
    def contents(self) -> list[tuple[str, bytes, bytes]]:
        """Every record on the shelves of both stores, to be compared."""
        stores = [self.carry] if self.vault is None else [self.carry, self.vault]
        shelves = sorted(value for name, value in vars(shelf).items() if name.isupper())
        return [
            (name, key, value)
            for store in stores
            for name in shelves
            for key, value in store.scan(name)
        ]


def make_home(name: str, role: Role, *, endpoint: bool = False, trusted: bool = True) -> Machine:
    """Return a home that belongs to no desk."""
    carry, vault = MemoryCarry(), None if role is Role.RELAY else MemoryVault()
    entropy = SeededEntropy(name.encode())
    with carry.transaction():
        if vault is None:
            create_home(carry, None, role=role, endpoint=endpoint, entropy=entropy)
        else:
            with vault.transaction():
                create_home(carry, vault, role=role, endpoint=endpoint, entropy=entropy)
    clock = Clock(
        boot_s=0.0,
        boot_id=entropy.draw(16),
        wall_s=DAY_ZERO_S + TODAY * DAY_S,
        wall_is_trusted=trusted,
    )
    return Machine(name, carry, vault, entropy, clock)


def make_desk(name: str = "editor-1", *, endpoint: bool = False) -> tuple[Machine, bytes]:
    """Return an editor who has made a desk, and the file of its root key."""
    editor = make_home(name, Role.EDITOR, endpoint=endpoint)
    root = editor.ask(
        lambda node: node.office.create_desk("Desk of tests", ROOT_PASSPHRASE, **CHEAP)
    )
    return editor, root


def request_of(joiner: Machine) -> bytes:
    """Return the joiner's request file."""
    return joiner.ask(lambda node: node.enrolment.request())


def card_for(editor: Machine, request: bytes, *, name: str, near: tuple[str, ...] = ()) -> bytes:
    """Return the card file that an editor makes."""
    return editor.ask(lambda node: node.office.card(request, name=name, near=near)).card


def asking(request: bytes, name: str, near: tuple[str, ...] = ()) -> Question:
    """Return the question for a card."""
    return lambda node: node.office.card(request, name=name, near=near)


def take(joiner: Machine, card: bytes) -> Enrolled:
    """Let a joiner take in its card."""
    return joiner.ask(lambda node: node.enrolment.take_card(card))


def enrol(editor: Machine, joiner: Machine, *, near: tuple[str, ...] = ()) -> Enrolled:
    """Give a home its card, under the home's own name."""
    return take(joiner, card_for(editor, request_of(joiner), name=joiner.name, near=near))


def enrolled(
    editor: Machine, name: str, role: Role, *, endpoint: bool = False, near: tuple[str, ...] = ()
) -> Machine:
    """Return a new home that has its card."""
    joiner = make_home(name, role, endpoint=endpoint)
    enrol(editor, joiner, near=near)
    return joiner


def add_editor(editor: Machine, root: bytes, joiner: Machine) -> None:
    """Let a further editor join, its manifest signed offline."""
    request = request_of(joiner)
    unsigned, _ = editor.ask(lambda node: node.office.prepare_editor(request))
    signed = sign_offline(unsigned, root, ROOT_PASSPHRASE).signed
    take(joiner, editor.ask(lambda node: node.office.admit_editor(signed, request)))
