"""Random weeks of a small desk: whatever happens, what was filed arrives once and whole.

    python -m tests.sim.campaign --seeds 1:400 --jobs 2
    python -m tests.sim.campaign --seeds 17 --verbose

A seed draws who there is, who meets whom, over what and for how long, who is
switched off in the middle or loses power between two commits, whose clock is
wrong, whose disk is small, whose vault is closed, what is filed and answered; and
which streams are cut, fall silent, or lose, double, swap and change what they carry.
Then everybody meets, and what `tests.sim.claims` says has to hold.  A failure names
its seed and the last happenings; the same seed does the same again, to the byte.
"""

import argparse
import copy
import functools
import hashlib
import random
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from meshnews.bundle.statement import Priority
from meshnews.bundle.statement import Role as Part
from meshnews.crypto.entropy import SeededEntropy
from meshnews.errors import Refusal
from meshnews.node.dispatches.filing import FilingDraft
from meshnews.node.dispatches.item import Verdict
from meshnews.node.event import Carrier
from meshnews.node.node import Node
from meshnews.sim.machine import Machine, PowerCut
from meshnews.sim.stream import NO_FAULTS, Faults, Way
from meshnews.sim.world import START_S, World
from meshnews.store.age import DAY_ZERO_S, SAVE_S
from tests.node.inbox import everything
from tests.sim import claims
from tests.sim.claims import Answer, Attempt, Record
from tests.sim.newsroom import Newsroom, whole_desk
from tests.sim.side_by_side import cores, outcomes

STEPS = 40
LAST = 40
DAY_S = 86400.0
PAUSES_S = 9 * DAY_S
"""All nights and wrong clocks together: less than the life of a bundle."""

FAULTS = (
    *[NO_FAULTS] * 6,
    Faults(cut=0.5),
    Faults(half_open=0.5),
    Faults(dropped=0.02),
    Faults(doubled=0.02),
    Faults(swapped=0.02),
    Faults(flipped=0.02),
)
"""What streams are like when people meet: mostly good."""

QUOTAS = (*[None] * 3, 600_000, 300_000)
"""Disks of relays: mostly large, and some that hold but a few pictures."""

MEET_S = 60.0

SWEPT_S = SAVE_S + 65.0
"""So late a node may do what time demands: its life falls back by SAVE_S when it is cut off."""

ROUTES = (
    *[("reporter", "relay")] * 3,
    *[("relay", "collector")] * 3,
    *[("collector", "editor")] * 4,
    *[("reporter", "collector")] * 2,
    ("relay", "relay"),
    ("reporter", "reporter", "relay"),
    ("reporter", "relay", "collector"),
    ("relay", "collector", "editor"),
    ("", "", ""),
)
"""Who meets: most often those who carry on towards the desk and back."""


@dataclass
class Campaign:
    """One seed's desk and what has happened to it."""

    seed: int
    steps: int = STEPS
    record: Record = field(default_factory=Record)
    happenings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.luck = random.Random(self.seed)
        desk = whole_desk()
        self.world = World(self.seed, has_air=self.luck.random() < 0.3, now_s=desk.world.now_s)
        self.world.watch = lambda machine, _: claims.nothing_received_unseen(self.world, machine)
        self.newsroom = Newsroom(self.world, names=desk.names)
        self._left_s = PAUSES_S
        names = [
            "editor-1",
            "collector-1",
            *self.luck.sample(["editor-2"], self.luck.randint(0, 1)),
        ]
        for kind in ("relay", "reporter"):
            names += self.luck.sample([f"{kind}-{n}" for n in range(1, 5)], self.luck.randint(2, 4))
        for name in names:
            self._join(desk.world.machines[name])
        self.newsroom.names = {n: key for n, key in desk.names.items() if n in names}
        self.newsroom.introduce(*self.machines)

    def _join(self, home: Machine) -> None:
        entropy = SeededEntropy(f"{self.seed} {home.name}".encode())
        carry, vault = copy.deepcopy(home.carry), copy.deepcopy(home.vault)
        settings, quota = home.settings, self.luck.choice(QUOTAS)
        if quota is not None and home.name.startswith("relay"):
            settings = replace(settings, quota_bytes=quota)
        machine = self.world.add(Machine(home.name, carry, vault, entropy, settings))
        self.world.boot(machine)

    # Who there is -------------------------------------------------------------

    @property
    def machines(self) -> list[Machine]:
        return [machine for _, machine in sorted(self.world.machines.items())]

    def some(self, *kinds: str) -> list[Machine]:
        return [machine for machine in self.machines if machine.name.startswith(kinds)]

    def awake(self, *kinds: str) -> list[Machine]:
        """Return those who are on, and whose person is there."""
        return [m for m in self.some(*kinds) if m.node is not None and not m.is_locked]

    def note(self, what: str) -> None:
        self.happenings.append(f"{self.world.now_s - START_S:.1f} {what}")

    # What happens ---------------------------------------------------------------

    def run(self) -> None:
        """Let the seed's week happen, bring everybody together, and check."""
        happen: list[Callable[[], None]] = [
            *[self.meet] * 12,
            *[self.file] * 4,
            *[self.answer] * 3,
            self.stop,
            *[self.tear] * 2,
            self.lock,
            self.confuse,
        ]
        for _ in range(self.steps):
            self.luck.choice(happen)()
            for machine in self.machines:
                if machine.node is None and self.luck.random() < 0.6:
                    self.start(machine)
        self.heal()
        claims.hold(self.world, self.record)

    def meet(self) -> None:
        """Bring two or three within reach for a while; something may happen in the middle."""
        luck, world = self.luck, self.world
        near = list(dict.fromkeys(luck.choice(self.some(k)).name for k in luck.choice(ROUTES)))
        way = Way(
            luck.choice([2e3, 2e4, 2e5, 2e6]),
            luck.choice([0.001, 0.05, 0.8]),
            carrier=luck.choice([Carrier.LAN, Carrier.LAN, Carrier.BLUETOOTH]),
            faults=luck.choice(FAULTS),
        )
        seconds = luck.choice([0.05, 0.5, 3.0, 10.0, 40.0])
        self.note(f"{near} meet for {seconds} s over {way}")
        world.meet(*near, way=way)
        world.run(seconds * luck.random())
        if luck.random() < 0.3:
            luck.choice([self.stop, self.file, self.answer, self.tear])()
        world.run(seconds)
        world.part(*near)
        if luck.random() < 0.1:
            self.night()
        else:
            world.run(luck.choice([0.0, 5.0, 60.0]))

    def night(self) -> None:
        """Switch everybody off for some hours."""
        asleep_s = min(self._left_s, self.luck.choice([3600.0, 7 * 3600.0, 3 * DAY_S]))
        self._left_s -= asleep_s
        self.note(f"a night of {asleep_s:.0f} s")
        for machine in self.machines:
            self.world.crash(machine)
        self.world.run(asleep_s)
        for machine in self.machines:
            self.world.boot(machine)

    def stop(self) -> None:
        """Switch a machine off, or end its daemon alone."""
        machine = self.luck.choice(self.machines)
        was_on = machine.node is not None
        self.world.crash(machine)
        if was_on and self.luck.random() < 0.3:
            self.note(f"{machine.name}'s daemon begins anew")
            self.world.restart(machine)
        else:
            self.note(f"{machine.name} is switched off")

    def start(self, machine: Machine) -> None:
        """Switch a machine on; its person may not be there yet to open the vault."""
        machine.is_locked = machine.vault is not None and self.luck.random() < 0.2
        self.note(f"{machine.name} is switched on, {'locked' if machine.is_locked else 'open'}")
        self.world.boot(machine)

    def tear(self) -> None:
        """Let a machine lose power soon, between the vault's commit and carry's."""
        machine = self.luck.choice(self.some(self.luck.choice(["reporter", "editor"])))
        machine.tears_in = self.luck.choice([1, 1, 2, 3, 5])
        self.note(f"{machine.name} will lose power at write {machine.tears_in}")

    def lock(self) -> None:
        """Close a vault, or open it: the daemon makes its node anew."""
        machine = self.luck.choice(self.some("reporter", "editor"))
        machine.is_locked = not machine.is_locked
        self.note(f"{machine.name} is {'locked' if machine.is_locked else 'opened'}")
        self.world.crash(machine)
        self.world.restart(machine)

    def confuse(self) -> None:
        """Let a machine forget what time it is, be wrong about it, or learn it."""
        machine = self.luck.choice(self.some("relay", "reporter"))
        self.world.crash(machine)
        self.world.run(self.luck.choice([0.0, 5.0]))
        wrong_s = self.luck.choice([-DAY_S, -3600.0, 0.0, 3600.0, DAY_S])
        machine.wall_is_trusted = self._left_s > DAY_S and self.luck.random() < 0.5
        if machine.wall_is_trusted:
            self._left_s -= abs(wrong_s)
            machine.wall_offset_s = wrong_s
        else:
            machine.wall_offset_s = wrong_s * self.luck.randint(0, 400)
            if self.luck.random() < 0.6:
                machine.wall_offset_s = -self.world.now_s - DAY_ZERO_S
        trust = "is believed" if machine.wall_is_trusted else "is not believed"
        self.note(f"{machine.name}'s clock is {machine.wall_offset_s:.0f} s off and {trust}")
        self.world.boot(machine)

    # What people do ---------------------------------------------------------------

    def file(self) -> None:
        """File a dispatch, as the daemon does: in many small transactions."""
        authors = self.awake("reporter")
        if not authors:
            return
        author, luck = self.luck.choice(authors), self.luck
        text = f"{author.name} {len(self.happenings)} " + "х" * luck.randint(0, 1500)
        sizes = luck.choice([[], [], [], [1], [65_536], [150_000, 10]])
        attempt = Attempt(author.name, text, [luck.randbytes(size) for size in sizes])
        priority = luck.choice([Priority.FLASH, Priority.ROUTINE, Priority.BULK])
        self.note(f"{author.name} files {len(text)} characters and {sizes}, {priority.name}")
        try:
            self._file(author, attempt, priority, takes_its_time=luck.random() < 0.3)
        except PowerCut:
            self.note(f"{author.name} loses power while filing")

    def _file(
        self, author: Machine, attempt: Attempt, priority: Priority, *, takes_its_time: bool
    ) -> None:
        ask = functools.partial(self.world.ask, author)
        draft = ask(lambda node: node.filing.begin(priority))
        self.record.attempts[draft.id] = attempt
        for picture in attempt.pictures:
            ask(functools.partial(_attach, draft=draft, size=len(picture)))
            ask(functools.partial(_add, draft=draft, piece=picture[:80_000]))
            if takes_its_time and not self._survives(author):
                return
            ask(functools.partial(_add, draft=draft, piece=picture[80_000:]))
            ask(functools.partial(_end, draft=draft))
        self._finish(author, draft, attempt)

    def _survives(self, author: Machine) -> bool:
        node = author.node
        self.world.run(0.3)
        return author.node is node

    def _finish(self, author: Machine, draft: FilingDraft, attempt: Attempt) -> None:
        attempt.readers = self.world.ask(author, claims.readers_known)
        filed = self.world.ask(
            author,
            lambda node: node.filing.finish(
                draft, text=attempt.text, slug="alań", now=True, forget=False
            ),
        )
        assert filed.readers == len(attempt.readers), (
            f"sealed to {filed.readers} of {len(attempt.readers)}"
        )
        self.record.filed.add(filed.ref.id)
        self.note(f"it is filed as {filed.ref.id.hex()[:8]}")

    def answer(self) -> None:
        """Let an editor answer something it has."""
        editors = self.awake("editor")
        if not editors:
            return
        editor = self.luck.choice(editors)
        items = self.world.ask(editor, everything)
        if not items:
            return
        item = self.luck.choice(items)
        answer = Answer(item.ref.id, item.name, f"answer {len(self.happenings)}")
        self.note(f"{editor.name} answers {item.ref.id.hex()[:8]}: {answer.text}")
        self.record.answers.append(answer)
        try:
            self.world.ask(editor, lambda node: node.answers.reply(item, answer.text))
            answer.is_sent = True
        except PowerCut:
            self.note(f"{editor.name} loses power while answering")
        except Refusal:
            assert item.verdict is Verdict.UNPROVEN, "no answer to somebody with a card"
            self.note(f"{editor.name} does not know yet who that is")

    # The end ------------------------------------------------------------------------

    def heal(self) -> None:
        """Bring everybody together, as long as it takes for receipts to come back."""
        self.note("everybody meets")
        for machine in self.machines:
            machine.tears_in, machine.is_locked = None, False
            self.world.crash(machine)
            self.world.boot(machine)
        self._all_meet()
        self._live_on(claims.ACKED_KEPT_S)
        self._all_meet()
        self._live_on(SWEPT_S)
        # What was written because of the meeting before is known to all after this one.
        self._all_meet()

    def _live_on(self, seconds: float) -> None:
        # The hours count; daemons alone would only call in vain, again and again.
        for machine in self.machines:
            self.world.crash(machine)
        self.world.run(seconds)
        for machine in self.machines:
            self.world.restart(machine)

    def _all_meet(self) -> None:
        names = [machine.name for machine in self.machines]
        self.world.meet(*names, way=Way(2e6, 0.005))
        self.world.run(MEET_S)
        self.world.part(*names)


def _attach(node: Node, *, draft: FilingDraft, size: int) -> None:
    node.filing.attach(draft, "picture.jpg", size=size, role=Part.FILE)


def _add(node: Node, *, draft: FilingDraft, piece: bytes) -> None:
    node.filing.add(draft, piece)


def _end(node: Node, *, draft: FilingDraft) -> None:
    node.filing.end_attachment(draft)


def digest_of(seed: int, steps: int = STEPS) -> str:
    """Run a seed; return a hash of everything that happened in it."""
    campaign = Campaign(seed, steps)
    campaign.run()
    told = "\n".join([*campaign.happenings, *campaign.world.trace])
    return hashlib.sha256(told.encode()).hexdigest()


def run(seed: int, steps: int = STEPS, *, is_verbose: bool = False) -> bool:
    """Run a seed and tell what became of it; return whether all held."""
    campaign = Campaign(seed, steps)
    campaign.world.is_traced = is_verbose
    try:
        campaign.run()
    except Exception:  # noqa: BLE001  whatever it is, it is told, and the next seed runs
        print(f"seed {seed} failed; the last happenings:")
        print(*campaign.happenings[-LAST:], sep="\n")
        traceback.print_exc(limit=-6, file=sys.stdout)
        again = f"python -m tests.sim.campaign --seeds {seed} --steps {steps} --verbose"
        print(f"again: {again}", flush=True)
        return False
    finally:
        if is_verbose:
            print(*campaign.world.trace, sep="\n")
    return True


def main(arguments: Sequence[str]) -> int:
    """Run many seeds; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="1:50", help="one, or first:last")
    parser.add_argument("--steps", type=int, default=STEPS, help="how much happens in a seed")
    parser.add_argument("--verbose", action="store_true", help="print every effect")
    parser.add_argument("--jobs", type=int, default=cores(), help="so many seeds side by side")
    chosen = parser.parse_args(arguments)
    first, _, last = chosen.seeds.partition(":")
    seeds = range(int(first), int(last or first) + 1)
    work = functools.partial(run, steps=chosen.steps, is_verbose=chosen.verbose)
    jobs = 1 if chosen.verbose else chosen.jobs
    failed = sum(not held for held in outcomes(work, seeds, jobs=jobs))
    print(f"{failed} of {len(seeds)} failed")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
