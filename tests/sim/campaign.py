"""Random weeks of a small desk: whatever happens, what was filed arrives once and whole.

    python -m tests.sim.campaign --seeds 1:400

A seed draws who meets whom and for how long, who is switched off in the middle,
whose clock is wrong, what is filed and answered.  Then everybody meets, and
what is claimed below has to hold.  A failure names its seed and the last
happenings; the same seed does the same again, to the byte.
"""

import argparse
import hashlib
import random
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

from meshnews.bundle.statement import Priority
from meshnews.ids import BundleId, TrafficClass
from meshnews.node.dispatch import DispatchState
from meshnews.node.identity import Role
from meshnews.node.letter import Item, Verdict
from meshnews.node.person import Person
from meshnews.store.port import State
from tests.sim.newsroom import Newsroom, file
from tests.sim.world import DAY_ZERO_S, Machine, World

STEPS = 24
ACKED_BODIES_S = 6 * 3600
LAST = 40


@dataclass
class Filed:
    """One dispatch that a node accepted."""

    author: str
    text: str
    picture: bytes
    readers: frozenset[bytes]
    """Sign keys of the editors that its author knew of."""
    answers: list[str] = field(default_factory=list)


@dataclass
class Campaign:
    """One seed's desk and what has happened to it."""

    seed: int
    luck: random.Random = field(init=False)
    world: World = field(init=False)
    newsroom: Newsroom = field(init=False)
    filed: dict[bytes, Filed] = field(default_factory=dict)
    happenings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.luck = random.Random(self.seed)
        self.world = World(self.seed, rate=self.luck.choice([2e4, 2e5, 2e6]))
        self.newsroom = Newsroom(self.world)
        editor = self.newsroom.machine("editor-1", Role.EDITOR)
        self.newsroom.found(editor)
        self._enrol("collector-1", Role.RELAY, endpoint=True)
        for number in range(self.luck.randint(1, 3)):
            self._enrol(f"relay-{number}", Role.RELAY)
        for number in range(self.luck.randint(1, 2)):
            self._enrol(f"reporter-{number}", Role.REPORTER)
        if self.luck.random() < 0.3:
            second = self.newsroom.machine("editor-2", Role.EDITOR)
            self.newsroom.add_editor(editor, second)
        self.newsroom.introduce(*self.machines)

    def _enrol(self, name: str, role: Role, *, endpoint: bool = False) -> None:
        joiner = self.newsroom.machine(name, role, endpoint=endpoint)
        self.newsroom.enrol(self.world.machines["editor-1"], joiner)

    # Who there is -------------------------------------------------------------

    @property
    def machines(self) -> list[Machine]:
        return [machine for _, machine in sorted(self.world.machines.items())]

    def some(self, kind: str) -> list[Machine]:
        return [machine for machine in self.machines if machine.name.startswith(kind)]

    def note(self, what: str) -> None:
        self.happenings.append(f"{self.world.now_s:.1f} {what}")

    # What happens ---------------------------------------------------------------

    def run(self) -> None:
        """Let the seed's week happen, bring everybody together, and check."""
        happen = [self.meet] * 8 + [self.file] * 3 + [self.answer, self.crash, self.confuse]
        for _ in range(STEPS):
            self.luck.choice(happen)()
        self.heal()
        self.check()

    def meet(self) -> None:
        """Bring two or three within reach for a while; somebody may be switched off in it."""
        near = [
            machine.name for machine in self.luck.sample(self.machines, self.luck.choice([2, 2, 3]))
        ]
        seconds = self.luck.choice([0.05, 0.3, 2.0, 10.0, 40.0])
        self.note(f"{near} meet for {seconds} s")
        self.world.meet(*near)
        self.world.run(seconds * self.luck.random())
        if self.luck.random() < 0.2:
            self._off_and_on(self.world.machines[near[0]])
        self.world.run(seconds)
        self.world.part(*near)
        if self.luck.random() < 0.15:
            self.night()
        else:
            self.world.run(self.luck.choice([0.0, 5.0, 60.0]))

    def night(self) -> None:
        """Switch everybody off for some hours."""
        self.note("night")
        for machine in self.machines:
            self.world.crash(machine)
        self.world.run(self.luck.choice([3600.0, 7 * 3600.0, 3 * 86400.0]))
        for machine in self.machines:
            self.world.boot(machine)

    def file(self) -> None:
        author = self.luck.choice(self.some("reporter"))
        text = f"{author.name} {len(self.filed)} " + "х" * self.luck.randint(0, 1500)
        picture = self.luck.randbytes(self.luck.choice([0, 0, 0, 1, 65_536, 150_000]))
        priority = self.luck.choice([Priority.FLASH, Priority.ROUTINE, Priority.BULK])
        identifier = file(self.newsroom, author, text=text, picture=picture, priority=priority)
        readers = self.world.ask(author, lambda node: frozenset(node.home.book.bulletins))
        self.filed[identifier] = Filed(author.name, text, picture, frozenset(map(bytes, readers)))
        self.note(f"{author.name} files {identifier.hex()[:8]} with {len(picture)} bytes")

    def answer(self) -> None:
        editor = self.luck.choice(self.some("editor"))
        items = self.items(editor)
        if items:
            item = self.luck.choice(items)
            text = f"answer {len(self.happenings)}"
            self.world.ask(editor, lambda node: node.answers.reply(item, text))
            self.filed[item.ref.id].answers.append(text)
            self.note(f"{editor.name} answers {item.ref.id.hex()[:8]}")

    def crash(self) -> None:
        self._off_and_on(self.luck.choice(self.machines))

    def _off_and_on(self, machine: Machine) -> None:
        self.note(f"{machine.name} is switched off and on")
        self.world.crash(machine)
        self.world.run(self.luck.choice([0.0, 1.0, 30.0]))
        self.world.boot(machine)

    def confuse(self) -> None:
        """Let a relay or reporter forget what time it is."""
        machine = self.luck.choice(self.some("relay") + self.some("reporter"))
        self.note(f"{machine.name} wakes up in 1970")
        self.world.crash(machine)
        machine.wall_is_trusted = False
        machine.wall_offset_s = -self.world.now_s - DAY_ZERO_S
        self.world.boot(machine)

    def heal(self) -> None:
        """Bring everybody together, as long as it takes for receipts to come back."""
        self.note("everybody meets")
        for _ in range(3):
            self.world.meet(*[machine.name for machine in self.machines])
            self.world.run(120.0)
        self.world.run(ACKED_BODIES_S + 1800.0)

    # What has to hold ---------------------------------------------------------------

    def items(self, machine: Machine) -> Sequence[Item]:
        return self.world.ask(machine, lambda node: node.letters.all())

    def check(self) -> None:
        for editor in self.some("editor"):
            self._check_editor(editor)
        for reporter in self.some("reporter"):
            self._check_reporter(reporter)
        for relay in self.some("relay"):
            self._check_relay(relay)
        self._check_agreement()

    def _check_editor(self, editor: Machine) -> None:
        items = self.items(editor)
        ids = [item.ref.id for item in items]
        assert len(ids) == len(set(ids)), f"{editor.name} has an item twice"
        key = sign_key(editor)
        wanted = {i for i, filed in self.filed.items() if key in filed.readers}
        lacking = [identifier.hex()[:8] for identifier in wanted - set(ids)]
        assert not lacking, f"{editor.name} lacks {lacking}"
        for item in items:
            filed = self.filed[item.ref.id]
            assert item.verdict is Verdict.VERIFIED, item.verdict
            assert (item.name, item.text) == (filed.author, filed.text)
            assert not item.alarms, f"{item.ref.id.hex()[:8]}: {item.alarms}"
            assert self._picture(editor, item) == filed.picture, "another picture"

    def _picture(self, editor: Machine, item: Item) -> bytes:
        if not item.trees:
            return b""
        tree, here = item.trees[0]
        assert here == tree.n, f"{tree.n - here} of {tree.n} pieces are missing"
        return self.world.ask(
            editor,
            lambda node: b"".join(node.letters.piece(item, 0, at) for at in range(tree.n)),
        )

    def _check_reporter(self, reporter: Machine) -> None:
        own = {i: filed for i, filed in self.filed.items() if filed.author == reporter.name}
        for identifier in own:
            found = self.world.ask(
                reporter,
                lambda node, i=identifier: node.dispatches.find(i.hex()),  # type: ignore[misc]
            )
            assert found.state is DispatchState.RECEIVED, f"{identifier.hex()[:8]}: {found.state}"
        answers = sorted(item.text for item in self.items(reporter))
        wanted = sorted(text for filed in own.values() for text in filed.answers)
        assert answers == wanted, f"{reporter.name} has {answers}, not {wanted}"

    def _check_relay(self, relay: Machine) -> None:
        kept = [key + value for name in SHELVES for key, value in relay.carry.scan(name)]
        everything = b"".join(kept)
        for machine in self.some("reporter") + self.some("editor"):
            assert machine.vault is not None
            secret = Person(machine.vault).sign_key()
            assert secret is not None
            assert secret.raw not in everything, f"{relay.name} has a secret of {machine.name}"
        for reporter in self.some("reporter"):
            assert sign_key(reporter) not in everything, f"{relay.name} knows {reporter.name}"
        bodies = [i for i, state in states(relay).items() if state is State.ACKED_WITH_BODY]
        assert not bodies, f"{relay.name} keeps {len(bodies)} acked bodies"

    def _check_agreement(self) -> None:
        acked = {
            machine.name: {i for i, s in states(machine).items() if s in _ACKED}
            for machine in self.machines
        }
        common = acked["collector-1"]
        for name, found in acked.items():
            assert found == common, f"{name} and the collector differ in {len(found ^ common)} ids"


_ACKED = frozenset({State.ACKED, State.ACKED_WITH_BODY})
SHELVES = ("self", "relay", "desk", "draft", "untried", "replay", "mark", "refreshed")


def sign_key(machine: Machine) -> bytes:
    """Return the public key by which a person's statements are known."""
    assert machine.vault is not None
    secret = Person(machine.vault).sign_key()
    assert secret is not None
    return bytes(secret.public)


def states(machine: Machine) -> dict[BundleId, State]:
    """Return what a machine knows of every bundle that is not a notice."""
    return {
        identifier: state
        for traffic in TrafficClass
        if traffic is not TrafficClass.NOTICE
        for day in machine.carry.days(traffic)
        for identifier, state in machine.carry.elements(traffic, day)
    }


def digest_of(seed: int) -> str:
    """Run a seed; return a hash of everything that happened in it."""
    campaign = Campaign(seed)
    campaign.run()
    told = "\n".join([*campaign.happenings, *campaign.world.trace])
    return hashlib.sha256(told.encode()).hexdigest()


def main(arguments: Sequence[str]) -> int:
    """Run many seeds; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="1:50", help="first:last")
    first, _, last = parser.parse_args(arguments).seeds.partition(":")
    failed = 0
    for seed in range(int(first), int(last or first) + 1):
        campaign = Campaign(seed)
        try:
            campaign.run()
        except Exception:  # noqa: BLE001  whatever it is, it is told, and the next seed runs
            failed += 1
            print(
                f"seed {seed} failed; the last happenings:", *campaign.happenings[-LAST:], sep="\n"
            )
            traceback.print_exc(limit=-3, file=sys.stdout)
    print(f"{failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
