"""A thousand whole nodes, one day, a thousand texts, with real cryptography: what it costs.

    python -m tests.sim.thousand
    python -m tests.sim.thousand --nodes 200

The day is one of a generated city, from its first meeting to the same hour of the
next day.  What has to hold at every step is checked at every step, and all that
flooding could have brought has to come.  No stand-in takes the place of any
cryptography: there is none.  It runs in one process on one core, so its CPU seconds
are what it takes on a machine with nothing else to do.
"""

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from meshnews.node.event import Carrier
from meshnews.sim.bound import Row, flooding_bound
from meshnews.sim.city import City, city_days
from meshnews.sim.plan import DESK, Contact, Plan
from meshnews.sim.play import Play, Played
from meshnews.sim.report import size

CPU_S_MAX = 600.0
MEMORY_BYTES_MAX = 8e9
DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What a day has cost."""

    muster_s: float
    play_s: float
    memory_bytes: float


def city_of(nodes: int) -> City:
    """Return a city of so many nodes: a quarter of them relays and sticks, the most that may be."""
    relays, couriers = nodes * 22 // 100, nodes * 3 // 100
    reporters = nodes - 1 - relays - couriers
    return City(reporters, relays, couriers, items=nodes, texts_only=True)


def plan_of(seed: int, nodes: int) -> Plan:
    """Return a day of a city that ends a day after it began."""
    plan = city_days(seed, city_of(nodes))
    night = Contact("relay-1", DESK, plan.end_s, plan.start_s + DAY_S, 2000.0, Carrier.UPLINK, 0.1)
    return replace(plan, contacts=(*plan.contacts, night))


def played(plan: Plan, seed: int) -> tuple[Played, Spent]:
    """Play a plan; return what became of it, and what that took."""
    began_s = time.process_time()
    play = Play(plan, seed=seed, light_cards=True)
    mustered_s = time.process_time()
    print(f"{len(plan.posts)} nodes have cards after {mustered_s - began_s:.0f} s", flush=True)
    became = play.run()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return became, Spent(mustered_s - began_s, time.process_time() - mustered_s, memory)


def told(plan: Plan, became: Played, lacking: Sequence[Row], spent: Spent) -> str:
    """Return in lines what happened and what it took."""
    events = sum(cost.events for cost in became.costs)
    moved = sum(became.moved.values())
    hours = (plan.end_s - plan.start_s) / 3600
    return f"""\
{len(plan.posts)} nodes, {len(plan.contacts)} contacts, {len(plan.items)} items, {hours:.0f} hours
{len(became.rows)} came, {len(lacking)} lack that flooding could have brought
{events} events, {size(moved)} moved
{spent.muster_s:.0f} s of CPU for cards, {spent.play_s:.0f} s for the day
{size(spent.memory_bytes)} at most
Cryptography: real."""


def main(arguments: Sequence[str]) -> int:
    """Play the day; return 1 when something lacks or it took more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    plan = plan_of(chosen.seed, chosen.nodes)
    bound = flooding_bound(plan)
    became, spent = played(plan, chosen.seed)
    came = {(row.slug, row.node) for row in became.rows}
    lacking = [row for row in bound if (row.slug, row.node) not in came]
    print(told(plan, became, lacking, spent))
    for row in lacking:
        after_s = row.at_s - plan.start_s
        print(f"lacking: {row.slug} at {row.node}, there by flooding after {after_s:.0f} s")
    is_dear = spent.muster_s + spent.play_s > CPU_S_MAX or spent.memory_bytes > MEMORY_BYTES_MAX
    return int(bool(lacking) or is_dear)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
