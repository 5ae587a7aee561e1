"""Playing a plan with whole nodes, from the first contact to the last."""

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from meshnews.ids import BundleRef
from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.node.event import Carrier, Changed, Topic
from meshnews.node.node import Node
from meshnews.node.settings import Settings
from meshnews.sim import newsday
from meshnews.sim.bound import Row, is_for
from meshnews.sim.ledger import Ledger, WatchedCarry, has_body
from meshnews.sim.machine import Machine
from meshnews.sim.muster import BEFORE_S, Muster
from meshnews.sim.plan import DESK, Contact, Mischief, Part, Pause, Plan, PlanItem
from meshnews.sim.stream import Way
from meshnews.sim.watchman import Watchman
from meshnews.sim.world import World
from meshnews.store.age import DAY_ZERO_S
from meshnews.store.port import Entry

AFTER_S: Final = 60.0
"""A plan is played this much beyond its last contact."""

REPLAYED: Final = 0.01
"""Share of what the streams of a replaying node carry that comes twice."""


@dataclass(frozen=True, slots=True)
class Turn:
    """An item of a reporter's came to a new state, as its author is told."""

    at_s: float
    slug: str
    state: DispatchState


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan has cost one node, and what is on its disk at the end.

    Attributes:
        bundles: known of, with or without a body.
        record_bytes: of its shelves of small records.
        cpu_s: seconds of this process; 0 where nobody held a stopwatch.
    """

    node: str
    bundles: int
    body_bytes: int
    record_bytes: int
    events: int
    cpu_s: float


@dataclass
class Played:
    """What became of a plan.

    Attributes:
        rows: what reached whom, in the order in which it did.
        turns: states over time.
        moved: bytes by carrier.
        costs: by node, in the order of the plan.
    """

    plan: Plan
    ledger: Ledger
    rows: list[Row] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    moved: dict[Carrier, int] = field(default_factory=dict)
    costs: list[Cost] = field(default_factory=list)


class Play:
    """One plan, one seed, and the mesh that plays it."""

    def __init__(
        self,
        plan: Plan,
        *,
        seed: int = 0,
        settings: Settings | None = None,
        files_now: bool = True,
        light_cards: bool = False,
        stopwatch: Callable[[], float] | None = None,
    ) -> None:
        self.plan = plan
        self.world = World(
            seed,
            has_air=True,
            knows_networks=True,
            now_s=plan.start_s - DAY_ZERO_S - BEFORE_S,
            is_traced=False,
            stopwatch=stopwatch,
        )
        self.ledger = Ledger(lambda: self.now_s)
        self.played = Played(plan, self.ledger)
        self._files_now = files_now
        self._items = {item.slug: item for item in plan.items}
        self._filed: dict[BundleRef, str] = {}
        self._notices: dict[str, bytes] = {}
        self._reached: set[tuple[str, str]] = set()
        self._states: dict[str, DispatchState] = {}
        self._unfiled: dict[str, list[PlanItem]] = {}
        self._meeting: dict[frozenset[str], list[Contact]] = {}
        self._paused: Counter[str] = Counter()
        Muster(self.world, plan, settings or Settings(), light_cards).enrol_all()
        hostile = frozenset(one.name for one in plan.posts if one.mischief is not None)
        editors = frozenset(one.name for one in plan.posts if one.part is Part.EDITOR)
        self.watchman = Watchman(self.world, hostile, editors=editors)
        self.watchman.know_people()
        self.world.watch = self._changed
        self.world.handled = self.watchman.handled
        self.world.moved = self._moved

    @property
    def now_s(self) -> float:
        """The moment, in seconds since 1970."""
        return self.world.now_s + DAY_ZERO_S

    def run(self) -> Played:
        """Play the plan to its end, and look through every machine.

        Raises:
            Refusal: something that is filed in it is refused.
            Broken: what has to hold at every step did not.
        """
        self.begin()
        self.world.run(self.plan.end_s + AFTER_S - self.now_s)
        self.watchman.search_all()
        self.watchman.opened_once(self.world.machines[DESK])
        self.played.costs = [_cost(self.world.machines[post.name]) for post in self.plan.posts]
        return self.played

    def begin(self) -> None:
        """Switch everybody on just before the first thing happens, and set what will."""
        self.world.run(BEFORE_S - AFTER_S)
        off = {one.node for one in self.plan.pauses if one.start_s <= self.now_s}
        for name, machine in sorted(self.world.machines.items()):
            assert isinstance(machine.carry, WatchedCarry)
            machine.carry.noted = functools.partial(self._noted, machine)
            if name not in off:
                self.world.boot(machine)
        for pause in self.plan.pauses:
            self._at(pause.start_s, self._off, pause)
            self._at(pause.end_s, self._on, pause)
        for item in sorted(self.plan.items, key=lambda one: one.filed_s):
            self._at(item.filed_s, self._file, item)
        for contact in self.plan.contacts:
            self._at(contact.start_s, self._meet, contact)
            self._at(contact.end_s, self._part, contact)

    def _at(self, at_s: float, act: Callable[..., None], *what: object) -> None:
        self.world.later(max(0.0, at_s - self.now_s), functools.partial(act, *what))

    # What happens -----------------------------------------------------------

    def _off(self, pause: Pause) -> None:
        machine = self.world.machines[pause.node]
        self._paused[pause.node] += 1
        self.world.crash(machine)
        if pause.is_seized:
            self.watchman.search(machine)

    def _on(self, pause: Pause) -> None:
        machine = self.world.machines[pause.node]
        self._paused[pause.node] -= 1
        if self._paused[pause.node] or machine.node is not None:
            return
        self.world.boot(machine)
        for item in self._unfiled.pop(pause.node, []):
            self._file(item)
        for contacts in list(self._meeting.values()):
            for contact in contacts:
                if pause.node in {contact.a, contact.b}:
                    self._look(contact)

    def _meet(self, contact: Contact) -> None:
        self._meeting.setdefault(frozenset((contact.a, contact.b)), []).append(contact)
        self._look(contact)
        self.world.meet(contact.a, contact.b, way=self._way(contact))

    def _part(self, contact: Contact) -> None:
        pair = frozenset((contact.a, contact.b))
        self._meeting[pair].remove(contact)
        self.world.part(contact.a, contact.b)
        if self._meeting[pair]:
            self.world.meet(contact.a, contact.b, way=self._way(self._meeting[pair][-1]))

    def _way(self, contact: Contact) -> Way:
        ends = {self.plan.post(name).mischief for name in (contact.a, contact.b)}
        faults = contact.faults
        if Mischief.REPLAY in ends:
            faults = replace(faults, doubled=max(faults.doubled, REPLAYED))
        return Way(
            rate=contact.kbit_s * 1000 / 8,
            delay_s=contact.delay_s,
            carrier=contact.carrier,
            is_wire=contact.carrier is Carrier.UPLINK,
            faults=faults,
        )

    def _look(self, contact: Contact) -> None:
        """Let people who meet be findable: they would say `meshnews look`."""
        people = [self.plan.post(name) for name in (contact.a, contact.b)]
        if DESK in {contact.a, contact.b} or any(
            one.part not in {Part.REPORTER, Part.EDITOR} for one in people
        ):
            return
        left_s = contact.end_s - self.now_s
        for one in people:
            machine = self.world.machines[one.name]
            if machine.node is not None:
                self.world.ask(machine, functools.partial(_look_for, for_s=left_s))

    def _file(self, item: PlanItem) -> None:
        author, ask = self.world.machines[item.author], self.world.ask
        if author.node is None:
            self._unfiled.setdefault(item.author, []).append(item)
            return
        if self.plan.post(item.author).part is Part.EDITOR:
            self._notices[item.slug] = ask(author, newsday.publish)
            self._reached.add((item.slug, item.author))
            return
        draft = ask(author, lambda node: newsday.begin(node, item))
        material = newsday.material_of(item, draft)
        if material.file_bytes:
            size, role = material.file_bytes, material.role
            ask(author, lambda node: node.filing.attach(draft, "file.bin", size=size, role=role))
            for piece in newsday.pieces(item.slug, size):
                ask(author, lambda node, piece=piece: node.filing.add(draft, piece))  # type: ignore[misc]  # mypy infers no lambda with a default
            ask(author, lambda node: node.filing.end_attachment(draft))
        now = self._files_now
        ref = ask(author, lambda node: newsday.finish(node, item, draft, material.text, now=now))
        self._filed[ref] = item.slug
        self.watchman.words[item.slug] = material.text[:40].encode()
        parts = [part for refs in draft.parts for part in refs]
        self.ledger.files(item.slug, [ref, *parts], item.author)
        self.watchman.texts.add(ref)
        self.watchman.filed |= {ref, *parts}
        self._turned(node_of(author), ref)

    # What is written down ---------------------------------------------------

    def _moved(self, _: Machine, way: Way, size: int) -> None:
        self.played.moved[way.carrier] = self.played.moved.get(way.carrier, 0) + size

    def _noted(
        self, machine: Machine, ref: BundleRef, before: Entry | None, after: Entry | None
    ) -> None:
        self.watchman.noted(machine, ref, before, after)
        name, had, has = machine.name, has_body(before), has_body(after)
        if has and not had:
            self.ledger.came(ref, name)
        elif had and not has:
            self.ledger.went(ref, name)

    def _changed(self, machine: Machine, change: Changed) -> None:
        node = machine.node
        if node is None:
            return
        if change.topic is Topic.INBOX and machine.name == DESK and change.ref is not None:
            self._opened(node, change.ref)
        elif change.topic is Topic.DISPATCH and change.ref is not None:
            self._turned(node, change.ref)
        elif change.topic is Topic.DESK:
            self._noticed(machine.name, node)

    def _opened(self, node: Node, ref: BundleRef) -> None:
        slug, letter = self._filed.get(ref), node.letters.get(ref.id)
        if slug is None or letter is None:
            return
        if all(here == tree.n for tree, here in letter.trees):
            self._reach(slug, DESK)

    def _turned(self, node: Node, ref: BundleRef) -> None:
        slug = self._filed.get(ref)
        if slug is None:
            return
        state = node.dispatches.find(ref.id.hex()).state
        if self._states.get(slug) is not state:
            self._states[slug] = state
            self.played.turns.append(Turn(self.now_s, slug, state))

    def _noticed(self, name: str, node: Node) -> None:
        for slug, revocation in self._notices.items():
            if (slug, name) not in self._reached and node.home.book.is_recalled(revocation):
                self._reach(slug, name)

    def _reach(self, slug: str, name: str) -> None:
        if (slug, name) in self._reached:
            return
        self._reached.add((slug, name))
        if is_for(self._items[slug], name):
            self.played.rows.append(Row(slug, name, self.now_s))


def node_of(machine: Machine) -> Node:
    """Return the node of a machine that is on.

    Raises:
        Nothing.
    """
    assert machine.node is not None, f"{machine.name} is off"
    return machine.node


def _cost(machine: Machine) -> Cost:
    return Cost(
        machine.name,
        bundles=machine.carry.count_elements(),
        body_bytes=machine.carry.usage().total,
        record_bytes=machine.carry.record_bytes
        + (0 if machine.vault is None else machine.vault.record_bytes),
        events=machine.events,
        cpu_s=machine.cpu_s,
    )


def _look_for(node: Node, *, for_s: float) -> None:
    node.surroundings.look(for_s)
