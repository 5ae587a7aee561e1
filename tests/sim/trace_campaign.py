"""A recorded trace of who was near whom, played beside flooding's bound.

    python -m tests.sim.trace_campaign trace.csv [--items 60] [--seeds 1:2]

The trace is not ours and not here: it is read from the file that is named, in one of the forms
of `meshnews.sim.trace`.  Whoever meets most is the desk, every third of the others a relay, the
rest reporters.  Contacts carry 1 Gbit/s, everything is filed as by `file --now`, and bulk
crosses at once: what flooding could have brought to the desk has to come.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from meshnews.sim.bound import flooding_bound
from meshnews.sim.plan import Plan
from meshnews.sim.play import Play
from meshnews.sim.report import size, span
from meshnews.sim.trace import cast, read_trace

KBIT_S: Final = 1e6
START_S: Final = 1_641_340_800.0
"""A midnight, at which the trace begins: where it is from says nothing here."""


def plan_of(trace: str, *, seed: int, items: int) -> Plan:
    """Return a trace as a plan.

    Raises:
        Refusal: it is none, or too large.
    """
    return cast(read_trace(trace), seed=seed, items=items, kbit_s=KBIT_S, start_s=START_S)


def played(plan: Plan, seed: int) -> list[str]:
    """Play a plan, and print what became of it; return what lacks."""
    possible = {row.slug: row.at_s for row in flooding_bound(plan)}
    began_s = time.process_time()
    became = Play(plan, seed=seed, light_cards=True).run()
    spent_s = time.process_time() - began_s
    came = {row.slug: row.at_s for row in became.rows}
    behind_s = [came[slug] - at_s for slug, at_s in possible.items() if slug in came]
    lacking = sorted(possible.keys() - came.keys())
    hours = (plan.end_s - plan.start_s) / 3600
    print(
        f"seed {seed}: {len(plan.posts)} nodes, {len(plan.contacts)} contacts, {hours:.0f} hours, "
        f"{len(plan.items)} items; {len(possible)} are possible, {len(came)} came"
    )
    if behind_s:
        middle, last = statistics.median(behind_s), max(behind_s)
        print(f"behind the bound: median {span(middle)}, at most {span(last)}")
    print(f"{size(sum(became.moved.values()))} moved, {spent_s:.0f} s of CPU")
    for slug in lacking:
        print(f"lacking: {slug}, there by flooding after {span(possible[slug] - plan.start_s)}")
    return lacking


def main(arguments: Sequence[str]) -> int:
    """Play a trace; return how much lacks in all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("trace", type=Path)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--seeds", default="1", help="one, or first:last")
    chosen = parser.parse_args(arguments)
    first, _, last = chosen.seeds.partition(":")
    text = chosen.trace.read_text("utf-8")
    lacking = 0
    for seed in range(int(first), int(last or first) + 1):
        lacking += len(played(plan_of(text, seed=seed, items=chosen.items), seed))
    return lacking


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
