"""The flooding bound: when each item could be where, at the earliest, in an ideal network.

Every contact carries everything that either side has whole and the other has not,
in order of urgency, resumable at any byte, both ways at once and with no cost of
protocol; nobody's disk is ever full.  No policy can do better.  What has come is
known to a step of time: an instant is that of the step in which the last byte came.
Of two contacts in one step, what the later brings does not go over one that was over before it.
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from meshnews.sim.plan import DESK, Contact, Pause, Plan, PlanItem

STEP_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Row:
    """An item has reached a node for which it is."""

    slug: str
    node: str
    at_s: float


def order_of(item: PlanItem) -> tuple[int, float, str]:
    """Return the place of an item in the order of what travels first.

    Raises:
        Nothing.
    """
    return item.urgency.rank, item.filed_s, item.slug


def is_for(item: PlanItem, node: str) -> bool:
    """Tell whether an item is meant for a node: for the desk, or for all others.

    Raises:
        Nothing.
    """
    return (node != DESK) if item.to_field else (node == DESK)


def flooding_bound(plan: Plan, *, step_s: float = STEP_S) -> list[Row]:
    """Return when each item reaches each node for which it is, in order of slug and time.

    Raises:
        Nothing.
    """
    flood = _Flood(plan, step_s)
    flood.run()
    authors = {item.slug: item.author for item in plan.items}
    items = {item.slug: item for item in plan.items}
    rows = [
        Row(slug, node, at_s)
        for (slug, node), at_s in flood.whole.items()
        if is_for(items[slug], node) and node != authors[slug]
    ]
    return sorted(rows, key=lambda row: (row.slug, row.at_s))


@dataclass
class _Flood:
    """Who has how much of what.

    Attributes:
        parts: bytes of items that a node has begun to receive.
        whole: when a node had all of an item.
        stocks: what each node has whole, in the order in which it travels.
        told: how much a node had when it last gave another all of it.
    """

    plan: Plan
    step_s: float
    parts: dict[tuple[str, str], float] = field(default_factory=dict)
    whole: dict[tuple[str, str], float] = field(default_factory=dict)
    stocks: dict[str, list[PlanItem]] = field(default_factory=dict)
    told: dict[tuple[str, str], int] = field(default_factory=dict)

    def run(self) -> None:
        """Let the time of the plan pass."""
        self.stocks = {post.name: [] for post in self.plan.posts}
        coming = sorted(_open(self.plan), key=lambda one: -one[1].start_s)
        meeting: list[tuple[int, Contact]] = []
        waiting = sorted(self.plan.items, key=lambda one: one.filed_s)
        now_s = min(item.filed_s for item in self.plan.items)
        while now_s < self.plan.end_s:
            then_s = now_s + self.step_s
            for item in [one for one in waiting if one.filed_s < then_s]:
                waiting.remove(item)
                self._has(item.author, item, max(now_s, item.filed_s))
            meeting = [one for one in meeting if one[1].end_s > now_s]
            while coming and coming[-1][1].start_s < then_s:
                meeting.append(coming.pop())
            # Within a step, contacts carry on in the order of the plan.
            for _, contact in sorted(meeting, key=lambda one: one[0]):
                self._meet(contact, now_s)
            now_s = then_s

    def _has(self, node: str, item: PlanItem, now_s: float) -> None:
        self.whole[item.slug, node] = now_s
        insort(self.stocks[node], item, key=order_of)

    def _meet(self, contact: Contact, now_s: float) -> None:
        since_s = max(now_s, contact.start_s)
        for_s = min(now_s + self.step_s, contact.end_s) - since_s
        bytes_max = contact.kbit_s * 1000 / 8 * for_s
        for source, target in ((contact.a, contact.b), (contact.b, contact.a)):
            self._give(source, target, bytes_max, since_s, contact.end_s)

    def _give(self, source: str, target: str, bytes_max: float, now_s: float, end_s: float) -> None:
        stock = list(self.stocks[source])
        if self.told.get((source, target)) == len(stock):
            # A stock only grows: who was given all of it lacks nothing yet.
            return
        is_all = True
        for item in stock:
            if (item.slug, target) in self.whole:
                continue
            if self.whole[item.slug, source] >= end_s:
                is_all = False
                continue
            had = self.parts.get((item.slug, target), 0.0)
            given = min(bytes_max, item.size_bytes - had)
            bytes_max -= given
            self.parts[item.slug, target] = had + given
            if had + given >= item.size_bytes - 1e-3:
                self._has(target, item, max(now_s, self.whole[item.slug, source]))
            if bytes_max <= 1e-6:
                return
        if is_all:
            self.told[source, target] = len(stock)


def _open(plan: Plan) -> Iterator[tuple[int, Contact]]:
    """Yield what both ends of each contact are switched on for, with its place in the plan."""
    pauses: dict[str, list[Pause]] = {}
    for pause in sorted(plan.pauses, key=lambda one: one.start_s):
        pauses.setdefault(pause.node, []).append(pause)
    for place, contact in enumerate(plan.contacts):
        on_s = contact.start_s
        off = pauses.get(contact.a, []) + pauses.get(contact.b, [])
        for pause in sorted(off, key=lambda one: one.start_s):
            if on_s < min(pause.start_s, contact.end_s):
                until_s = min(pause.start_s, contact.end_s)
                yield place, replace(contact, start_s=on_s, end_s=until_s)
            on_s = max(on_s, pause.end_s)
        if on_s < contact.end_s:
            yield place, replace(contact, start_s=on_s)
