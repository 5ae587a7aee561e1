"""The blackout of January 2022 as it is, and made harder in every way: who is late?

    python -m tests.sim.blackout ../shared/scenario/blackout-2022.json
    python -m tests.sim.blackout PLAN --light --only hostile

Each variant is played with the code of the daemon and with real cryptography, and
each row is held against the flooding bound: no later than the larger of 5 minutes
and 10 % of the time it took, and 60 s where that moment's contacts last 10 minutes
at most (`meshnews.sim.report`).  Three bounds are used, and each is what any
network could have done in that variant:

    all       of the plan as it is
    without   of the plan without the hostile relay: it may refuse to carry at all
    held      of either of them with every item filed when its longest hold is over
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from meshnews.node.settings import Settings
from meshnews.sim.bound import flooding_bound
from meshnews.sim.plan import Mischief, Plan, PlanItem, Urgency, WallClock
from meshnews.sim.planfile import read_plan
from meshnews.sim.play import Play
from meshnews.sim.report import Compared, compare, size, span
from meshnews.sim.stream import Faults
from meshnews.sim.timeline import timeline
from tests.sim.side_by_side import cores, outcomes

RELAY = "relay-newsroom"
"""Whose clock stands, and who is hostile: most of what is filed passes here."""

LARGE_BYTES = 100_000_000
CARRIES = frozenset({Mischief.WITHHOLD, Mischief.FLOOD})
"""Who does this gives what it has all the same, as fast as the line is, and is held against the
bound of all.  Who replays gives it too, but each link breaks after some seconds."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to play the plan.

    Attributes:
        bound: against which of the three its rows are held.
        is_light: without what is larger than LARGE_BYTES.
    """

    name: str
    bound: str = "all"
    cut: float = 0.0
    is_stopped: bool = False
    mischief: Mischief | None = None
    holds: bool = False
    is_light: bool = False

    def plan_of(self, plan: Plan) -> Plan:
        """Return the plan as this variant has it."""
        if self.is_light:
            small = [item for item in plan.items if item.size_bytes <= LARGE_BYTES]
            plan = replace(plan, items=tuple(small))
        if self.is_stopped:
            plan = plan.with_post(replace(plan.post(RELAY), clock=WallClock.STOPPED))
        if self.mischief is not None:
            plan = plan.with_post(replace(plan.post(RELAY), mischief=self.mischief))
        return plan.with_faults(Faults(cut=self.cut)) if self.cut else plan

    def bound_plan(self, plan: Plan) -> Plan:
        """Return the plan whose bound counts."""
        if self.bound == "without":
            met = [one for one in plan.contacts if RELAY not in {one.a, one.b}]
            plan = replace(plan, contacts=tuple(met))
        if self.holds:
            # How long something is held is drawn by lot: a shorter hold would be luck.
            plan = replace(plan, items=tuple(map(_after_hold, plan.items)))
        return plan


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a variant.

    Attributes:
        in_time: rows that were, of `rows` that there are in its bound.
        of_all: the same against the bound of the plan as it is.
        late: those that were not.
        moved: bytes on the way.
    """

    variant: Variant
    rows: int
    in_time: int
    of_all: tuple[int, int]
    late: tuple[Compared, ...]
    largest_s: float
    moved: int
    cpu_s: float
    memory_bytes: float


def variants() -> Iterator[Variant]:
    """Yield every variant, filed at once."""
    yield Variant("as it is, disks of 2 GiB")
    yield Variant("30 % of streams cut", cut=0.3)
    yield Variant("the newsroom's clock stands at 1970", is_stopped=True)
    for mischief in Mischief:
        bound = "all" if mischief in CARRIES else "without"
        yield Variant(f"the newsroom is hostile: {mischief}", bound, mischief=mischief)


def held(variant: Variant) -> Variant:
    """Return a variant with the default hold."""
    return replace(variant, name=f"{variant.name}, held", holds=True)


def _after_hold(item: PlanItem) -> PlanItem:
    settings = Settings()
    is_urgent = item.urgency in {Urgency.FLASH, Urgency.URGENT}
    hold_s = settings.flash_hold_s_max if is_urgent else settings.hold_s_max
    return item if item.to_field else replace(item, filed_s=item.filed_s + hold_s)


def result_of(variant: Variant, *, path: Path, seed: int, svg: Path | None) -> Result:
    """Play one variant, in this process."""
    since_s = time.process_time()
    plan = variant.plan_of(read_plan(path.read_bytes()))
    played = Play(plan, seed=seed, files_now=not variant.holds).run()
    if svg is not None and variant.name == next(variants()).name:
        svg.write_text(timeline(played))
    own = compare(played, flooding_bound(variant.bound_plan(plan)))
    every = compare(played)
    return Result(
        variant,
        rows=len(own),
        in_time=sum(not one.is_late for one in own),
        of_all=(sum(not one.is_late for one in every), len(every)),
        late=tuple(one for one in own if one.is_late),
        largest_s=max((one.behind_s for one in own if one.behind_s is not None), default=0.0),
        moved=sum(played.moved.values()),
        cpu_s=time.process_time() - since_s,
        memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0,
    )


def line_of(result: Result) -> str:
    """Return a result as a row of a table in Markdown."""
    late = ", ".join(
        f"{one.slug} at {one.node}: "
        + ("never" if one.behind_s is None else f"{span(one.behind_s)} behind")
        for one in result.late
    )
    cells = (
        result.variant.name,
        result.variant.bound,
        f"{result.in_time} of {result.rows}",
        "{} of {}".format(*result.of_all),
        span(result.largest_s),
        size(result.moved),
        f"{result.cpu_s:.0f} s",
        size(result.memory_bytes),
        late,
    )
    return f"| {' | '.join(cells)} |"


HEAD = """\
| variant | bound | in time | of the bound of all | largest lag | moved | CPU | memory | late |
|---|---|---|---|---|---|---|---|---|"""


def main(arguments: Sequence[str]) -> int:
    """Play all variants, or some; return how many have a row that is late."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--light", action="store_true", help="without the two largest items")
    parser.add_argument("--only", default="", help="those whose name has this in it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=cores(), help="so many side by side")
    parser.add_argument("--svg", type=Path, help="draw the plan as it is into this file")
    chosen = parser.parse_args(arguments)
    every = [*variants(), *map(held, variants())]
    wanted = [replace(one, is_light=chosen.light) for one in every if chosen.only in one.name]
    work: Callable[[Variant], Result] = partial(
        result_of, path=chosen.plan, seed=chosen.seed, svg=chosen.svg
    )
    print(HEAD, flush=True)
    late = 0
    for result in outcomes(work, wanted, jobs=chosen.jobs):
        print(line_of(result), flush=True)
        late += bool(result.late)
    print(f"\n{late} of {len(wanted)} have a row that is late. Cryptography: real.")
    return late


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
