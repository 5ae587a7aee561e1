"""Flooding and spray-and-focus side by side, on city days drawn from seeds.

    python -m tests.sim.routing_campaign --seeds 1:4

First every day is played without limits: contacts of 1 Gbit/s, filed with `--now`, bulk over
Bluetooth at once; everything has to come that flooding could have brought (the bound).
Then the same days at 40 kbit/s with stores of 200 MB, every other item bulk of 1.5 MiB, once
under each policy.  Printed are deliveries at the desk, how long they took, and how often a
bundle was passed on.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

from meshnews.node.settings import BulkRouting, Settings
from meshnews.sim.bound import flooding_bound
from meshnews.sim.city import City, city_days
from meshnews.sim.plan import DESK, KIB, Plan, PlanItem, Urgency
from meshnews.sim.play import Play
from meshnews.sim.report import size, span

CITY: Final = City(reporters=8, relays=4, couriers=1, days=2, items=12, visits=4)
FAST_KBIT_S: Final = 1e6
SLOW_KBIT_S: Final = 40.0
STORE_BYTES: Final = 200_000_000
BULK_BYTES: Final = 1536 * KIB
KINDS: Final = {"bulk": True, "the rest": False}


def day_of(seed: int, *, kbit_s: float) -> Plan:
    """Return a city's days in which every other item is bulk."""
    plan = city_days(seed, replace(CITY, kbit_s=kbit_s))
    items = tuple(_heavy(item) if at % 2 else item for at, item in enumerate(plan.items))
    posts = tuple(
        post if post.name == DESK else replace(post, quota_bytes=STORE_BYTES) for post in plan.posts
    )
    return replace(plan, items=items, posts=posts)


def _heavy(item: PlanItem) -> PlanItem:
    return replace(item, urgency=Urgency.BULK, size_bytes=BULK_BYTES)


def is_bulk(item: PlanItem) -> bool:
    """Tell whether routing has a say in how an item travels."""
    return item.urgency is Urgency.BULK


@dataclass(frozen=True, slots=True)
class Day:
    """One play: which days, at what rate, under which policy."""

    seed: int
    kbit_s: float
    routing: BulkRouting = BulkRouting.FLOODING

    @property
    def plan(self) -> Plan:
        """What is played."""
        return day_of(self.seed, kbit_s=self.kbit_s)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a day.

    Attributes:
        took_s: of each item that came to the desk, how long it took.
        possible: what the bound brings there.
        passed: how often each bundle of an item came to one more machine.
        sent: bytes over all contacts.
    """

    took_s: Mapping[str, float]
    possible: frozenset[str]
    passed: Mapping[str, float]
    sent: int


def outcome_of(day: Day) -> Outcome:
    """Play a day."""
    plan = day.plan
    settings = Settings(bulk_routing=day.routing, bluetooth_bulk_after_s=0.0)
    played = Play(plan, seed=day.seed, settings=settings, light_cards=True).run()
    filed_s = {item.slug: item.filed_s for item in plan.items}
    ledger = played.ledger
    return Outcome(
        {row.slug: row.at_s - filed_s[row.slug] for row in played.rows},
        frozenset(row.slug for row in flooding_bound(plan)),
        {slug: ledger.given.get(slug, 0) / parts for slug, parts in ledger.sizes.items()},
        sum(played.moved.values()),
    )


# What is printed ------------------------------------------------------------------------------


def without_limits(outcomes: Mapping[Day, Outcome]) -> Iterator[str]:
    """Yield a line for each day played without limits: whether all came."""
    for day, outcome in outcomes.items():
        lacking = sorted(outcome.possible - outcome.took_s.keys())
        said = f"lacks {', '.join(lacking)}" if lacking else "all came"
        yield f"seed {day.seed}: {len(outcome.possible)} are possible, {said}"


def side_by_side(outcomes: Mapping[Day, Outcome]) -> Iterator[str]:
    """Yield the lines of the table that compares the policies."""
    titles = ("came", "median", "90 %", "passed on", "sent")
    yield f"{'':15} {'':8} " + " ".join(f"{title:>13}" for title in titles)
    for routing in BulkRouting:
        mine = {day: outcome for day, outcome in outcomes.items() if day.routing is routing}
        sent = size(sum(outcome.sent for outcome in mine.values()))
        for name, wanted in KINDS.items():
            cells = (*_cells(mine, is_wanted=wanted), sent)
            yield f"{routing:15} {name:8} " + " ".join(f"{cell:>13}" for cell in cells)


def _cells(outcomes: Mapping[Day, Outcome], *, is_wanted: bool) -> tuple[str, ...]:
    took_s: list[float] = []
    passed: list[float] = []
    possible = 0
    for day, outcome in outcomes.items():
        slugs = {item.slug for item in day.plan.items if is_bulk(item) is is_wanted}
        took_s += [outcome.took_s[slug] for slug in slugs if slug in outcome.took_s]
        passed += [outcome.passed[slug] for slug in slugs if slug in outcome.passed]
        possible += len(slugs & outcome.possible)
    took_s.sort()
    return (
        f"{len(took_s)} of {possible}",
        _within(took_s, 0.5),
        _within(took_s, 0.9),
        f"{sum(passed) / len(passed):.1f}" if passed else "-",
    )


def _within(took_s: Sequence[float], share: float) -> str:
    """Return the time within which this share of what came had come."""
    return span(took_s[round(share * (len(took_s) - 1))]) if took_s else "-"


def main(arguments: Sequence[str]) -> int:
    """Print both comparisons; return on how many days something was lacking without limits."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="1:3", help="one, or first:last")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args(arguments)
    first, _, last = chosen.seeds.partition(":")
    seeds = range(int(first), int(last or first) + 1)
    fast = [Day(seed, FAST_KBIT_S) for seed in seeds]
    slow = [Day(seed, SLOW_KBIT_S, routing) for routing in BulkRouting for seed in seeds]
    with ProcessPoolExecutor(chosen.workers) as workers:
        outcomes = dict(zip([*slow, *fast], workers.map(outcome_of, [*slow, *fast]), strict=True))
    unlimited = {day: outcomes[day] for day in fast}
    print(f"Without limits, flooding, {CITY.days} days each:")
    print("\n".join(without_limits(unlimited)))
    print(f"\nAt {SLOW_KBIT_S:.0f} kbit/s, stores of {size(STORE_BYTES)}, the same days:")
    print("\n".join(side_by_side({day: outcomes[day] for day in slow})))
    return sum(outcome.possible != outcome.took_s.keys() for outcome in unlimited.values())


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
