"""Flooding and spray-and-focus side by side, on city days drawn from seeds.

    python -m tests.sim.routing_campaign --seeds 1:2 [--part fast | light | heavy]

fast     contacts of 1 Gbit/s, filed with `--now`, bulk over Bluetooth at once: everything
         has to come that flooding could have brought (the bound)
light    the same days at 40 kbit/s with stores of 200 MB, under each policy
heavy    half as many visits, nobody passes by on the square, and more and larger bulk

At least every other item is bulk.  Printed are deliveries at the desk, how long they took, and
how often a bundle came to one more machine.
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

STORE_BYTES: Final = 200_000_000
KINDS: Final = {"bulk": True, "the rest": False}


@dataclass(frozen=True, slots=True)
class Load:
    """A kind of days: what city, and how large its bulk is."""

    city: City
    bulk_bytes: int


_CITY: Final = City(reporters=8, relays=4, couriers=1, days=2, items=8, visits=4, kbit_s=40.0)
LOADS: Final = {
    "fast": Load(replace(_CITY, kbit_s=1e6), 1200 * KIB),
    "light": Load(_CITY, 1200 * KIB),
    "heavy": Load(replace(_CITY, items=16, visits=2, passes=0), 3072 * KIB),
}


def plan_of(seed: int, load: Load) -> Plan:
    """Return a city's days in which every other item is bulk, or more are."""
    plan = city_days(seed, load.city)
    items = tuple(
        _made_bulk(item, load.bulk_bytes) if at % 2 or is_bulk(item) else item
        for at, item in enumerate(plan.items)
    )
    posts = tuple(
        post if post.name == DESK else replace(post, quota_bytes=STORE_BYTES) for post in plan.posts
    )
    return replace(plan, items=items, posts=posts)


def _made_bulk(item: PlanItem, size_bytes: int) -> PlanItem:
    return replace(item, urgency=Urgency.BULK, size_bytes=size_bytes)


def is_bulk(item: PlanItem) -> bool:
    """Tell whether routing has a say in how an item travels."""
    return item.urgency is Urgency.BULK


@dataclass(frozen=True, slots=True)
class Day:
    """One play: which days, and under which policy."""

    seed: int
    part: str
    routing: BulkRouting = BulkRouting.FLOODING

    @property
    def plan(self) -> Plan:
        """What is played."""
        return plan_of(self.seed, LOADS[self.part])


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


def _print(part: str, outcomes: Mapping[Day, Outcome]) -> None:
    city = LOADS[part].city
    title = f"{part}: {city.days} days of {city.reporters} reporters, {city.kbit_s:g} kbit/s"
    lines = without_limits(outcomes) if part == "fast" else side_by_side(outcomes)
    print("\n".join([title, *lines, ""]), flush=True)


def main(arguments: Sequence[str]) -> int:
    """Print what is asked for; return on how many days something was lacking without limits."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="1:2", help="one, or first:last")
    parser.add_argument("--part", choices=[*LOADS], action="append", help="default: all three")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args(arguments)
    first, _, last = chosen.seeds.partition(":")
    seeds = range(int(first), int(last or first) + 1)
    lacking = 0
    with ProcessPoolExecutor(chosen.workers) as workers:
        for part in chosen.part or LOADS:
            policies = [BulkRouting.FLOODING] if part == "fast" else list(BulkRouting)
            days = [Day(seed, part, routing) for seed in seeds for routing in policies]
            outcomes: dict[Day, Outcome] = {}
            for day, outcome in zip(days, workers.map(outcome_of, days), strict=True):
                outcomes[day] = outcome
                said = f"{part}, seed {day.seed}, {day.routing}: {len(outcome.took_s)} came"
                print(said, file=sys.stderr, flush=True)
            _print(part, outcomes)
            if part == "fast":
                lacking = sum(one.possible != one.took_s.keys() for one in outcomes.values())
    return lacking


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
