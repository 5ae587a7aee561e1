"""Flooding and spray-and-focus side by side, on city days drawn from seeds.

    python -m tests.sim.routing_campaign --seeds 1:4

First every day is played without limits: contacts of 1 Gbit/s, filed with `--now`, bulk over
Bluetooth at once; everything has to come that flooding could have brought (the bound).
Then the same days at 40 kbit/s with stores of 200 MB, every other item bulk of 1.5 MiB, once
under each policy.  Printed are deliveries at the desk, how long they took, and how often a
bundle was passed on.
"""

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from meshnews.node.settings import BulkRouting, Settings
from meshnews.sim.bound import flooding_bound
from meshnews.sim.city import City, city_days
from meshnews.sim.plan import DESK, KIB, Plan, PlanItem, Urgency
from meshnews.sim.play import Play, Played
from meshnews.sim.report import size, span

CITY: Final = City(reporters=8, relays=4, couriers=1, days=2, items=12, visits=4)
FAST_KBIT_S: Final = 1e6
SLOW_KBIT_S: Final = 40.0
STORE_BYTES: Final = 200_000_000
BULK_BYTES: Final = 1536 * KIB
SHARES: Final = {"bulk": True, "the rest": False}


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


@functools.cache
def possible(seed: int, kbit_s: float) -> frozenset[str]:
    """Return what any network could have brought to the desk."""
    return frozenset(row.slug for row in flooding_bound(day_of(seed, kbit_s=kbit_s)))


def played(seed: int, routing: BulkRouting, *, kbit_s: float) -> Played:
    """Play a seed's days under a policy."""
    settings = Settings(bulk_routing=routing, bluetooth_bulk_after_s=0.0)
    plan = day_of(seed, kbit_s=kbit_s)
    return Play(plan, seed=seed, settings=settings, light_cards=True).run()


# Without limits -----------------------------------------------------------------------------


def lacking_without_limits(seed: int) -> frozenset[str]:
    """Return what flooding could have brought and the nodes did not."""
    rows = played(seed, BulkRouting.FLOODING, kbit_s=FAST_KBIT_S).rows
    return possible(seed, FAST_KBIT_S) - {row.slug for row in rows}


# Side by side ---------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of one kind of item under one policy.

    Attributes:
        took_s: from filing to the desk, of each that came.
        possible: how many the bound brings.
        passed: over all filed, how often each bundle came to one more machine.
    """

    took_s: list[float] = field(default_factory=list)
    possible: int = 0
    passed: list[float] = field(default_factory=list)

    def add(self, done: Played, items: Sequence[PlanItem], bound: frozenset[str]) -> None:
        """Count one play."""
        came_s = {row.slug: row.at_s for row in done.rows if row.node == DESK}
        self.took_s += [came_s[one.slug] - one.filed_s for one in items if one.slug in came_s]
        self.possible += sum(one.slug in bound for one in items)
        ledger = done.ledger
        self.passed += [
            ledger.given.get(one.slug, 0) / ledger.sizes[one.slug]
            for one in items
            if one.slug in ledger.sizes
        ]

    def share_s(self, share: float) -> str:
        """Return the time within which this share of what came had come."""
        ordered = sorted(self.took_s)
        return span(ordered[round(share * (len(ordered) - 1))]) if ordered else "-"


def side_by_side(seeds: Sequence[int]) -> Iterator[str]:
    """Yield the lines of the table, each policy's when it is known."""
    yield f"{'':16} {'':8} {'came':>7} {'median':>12} {'90 %':>12} {'passed on':>10} {'sent':>9}"
    for routing in BulkRouting:
        tallies = {name: Tally() for name in SHARES}
        sent = 0
        for seed in seeds:
            done = played(seed, routing, kbit_s=SLOW_KBIT_S)
            sent += sum(done.moved.values())
            for name, wanted in SHARES.items():
                items = [item for item in done.plan.items if is_bulk(item) is wanted]
                tallies[name].add(done, items, possible(seed, SLOW_KBIT_S))
        for name, tally in tallies.items():
            came = f"{len(tally.took_s)}/{tally.possible}"
            passed = sum(tally.passed) / len(tally.passed)
            yield (
                f"{routing:16} {name:8} {came:>7} {tally.share_s(0.5):>12} "
                f"{tally.share_s(0.9):>12} {passed:10.1f} {size(sent):>9}"
            )


def main(arguments: Sequence[str]) -> int:
    """Print both comparisons; return how many days lacked something without limits."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="1:4", help="one, or first:last")
    first, _, last = parser.parse_args(arguments).seeds.partition(":")
    seeds = range(int(first), int(last or first) + 1)
    failed = 0
    print(f"Without limits, flooding ({len(seeds)} times {CITY.days} days):", flush=True)
    for seed in seeds:
        lacking = lacking_without_limits(seed)
        failed += bool(lacking)
        said = f"lacks {sorted(lacking)}" if lacking else "all that flooding brings"
        print(f"seed {seed}: {len(possible(seed, FAST_KBIT_S))} possible, {said}", flush=True)
    print(f"\nAt {SLOW_KBIT_S:.0f} kbit/s, stores of {size(STORE_BYTES)}:")
    for line in side_by_side(seeds):
        print(line, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
