"""City days in which something is wrong: afterwards all that was filed is at the desk.

    python -m tests.sim.city_campaign --seeds 1:50

A seed draws a small city, what its streams are like, whose disk is small, whose
clock stands, whose power fails, and sometimes a relay that is hostile in one of
the ways of `meshnews.sim.plan.Mischief`.  What has to hold at every step is checked
at every step.  At the end all honest machines meet over good streams, and the desk
must have everything that was filed, and they every notice.
"""

import argparse
import functools
import random
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace

from meshnews.node.event import Carrier
from meshnews.sim.city import City, city_days
from meshnews.sim.plan import DESK, Mischief, Part, Pause, Plan, PlanItem, Urgency, WallClock
from meshnews.sim.planfile import instant
from meshnews.sim.play import Play
from meshnews.sim.stream import NO_FAULTS, Faults, Way
from tests.sim.side_by_side import cores, outcomes

GOOD = Way(2e6, 0.005)
MEET_S = 180.0

TROUBLES = (
    *[NO_FAULTS] * 3,
    Faults(cut=0.3),
    Faults(half_open=0.3),
    Faults(flipped=0.002, dropped=0.002),
    Faults(doubled=0.002, swapped=0.002),
)
QUOTAS = (None, None, 1_500_000, 400_000)


def plan_of(seed: int) -> Plan:
    """Return a city's day with what goes wrong in it."""
    luck = random.Random(seed)
    city = City(
        reporters=luck.randint(2, 4),
        relays=luck.randint(2, 3),
        couriers=luck.randint(0, 1),
        items=luck.randint(3, 8),
        visits=3,
        passes=1,
    )
    plan = city_days(seed, city).with_faults(luck.choice(TROUBLES))
    relays = [post for post in plan.posts if post.part is Part.RELAY]
    for post in relays:
        clock = luck.choice([WallClock.RIGHT, WallClock.RIGHT, WallClock.STOPPED])
        plan = plan.with_post(replace(post, quota_bytes=luck.choice(QUOTAS), clock=clock))
    if luck.random() < 0.4:
        bad = plan.post(luck.choice(relays[1:]).name)
        plan = plan.with_post(replace(bad, mischief=luck.choice(list(Mischief))))
    pauses = []
    for post in plan.posts:
        if post.name != DESK and luck.random() < 0.5:
            start_s = plan.start_s + luck.randint(0, int(plan.end_s - plan.start_s))
            pauses.append(Pause(post.name, start_s, start_s + luck.randint(60, 20_000)))
    notice = PlanItem("notice", DESK, plan.start_s + 3600.0, 2048, Urgency.FLASH, to_field=True)
    return replace(plan, pauses=tuple(pauses), items=(*plan.items, notice))


class CityCampaign:
    """One seed's day, and what is demanded after it."""

    def __init__(self, seed: int) -> None:
        self.plan = plan_of(seed)
        self.play = Play(self.plan, seed=seed, light_cards=True)

    def run(self) -> None:
        """Play the day, heal everything, and look.

        Raises:
            Broken: something that has to hold at every step did not.
            AssertionError: something is missing at the end.
        """
        play = self.play
        play.run()
        world = play.world
        honest = [post.name for post in self.plan.posts if post.mischief is None]
        for pause in self.plan.pauses:
            if play.now_s < pause.end_s:
                world.run(pause.end_s - play.now_s)
        for name in sorted(world.machines):
            world.crash(world.machines[name])
        for name in honest:
            machine = world.machines[name]
            world.boot(machine)
        world.meet(*honest, way=GOOD)
        world.run(MEET_S)
        came = {(row.slug, row.node) for row in play.played.rows}
        lacking = [
            item.slug
            for item in self.plan.items
            if not item.to_field and item.author in honest and (item.slug, DESK) not in came
        ]
        assert not lacking, f"the desk lacks {lacking}"
        unaware = [name for name in honest if name != DESK and ("notice", name) not in came]
        assert not unaware, f"{unaware} have not heard the notice"
        play.watchman.search_all()
        play.watchman.opened_once(world.machines[DESK])


@functools.cache
def story_of(seed: int) -> str:
    """Return in lines what is wrong in a seed's day."""
    plan = plan_of(seed)
    lines = [f"{post.name}: {post.quota_bytes} {post.clock} {post.mischief}" for post in plan.posts]
    lines += [f"{one.node} off {instant(one.start_s)} {instant(one.end_s)}" for one in plan.pauses]
    lines += [str(plan.contacts[0].faults), f"{len(plan.contacts)} contacts"]
    wires = sum(one.carrier is Carrier.UPLINK for one in plan.contacts)
    return "\n".join([*lines, f"{wires} of them uplinks"])


def run(seed: int) -> bool:
    """Run a seed and tell what became of it; return whether all held."""
    try:
        CityCampaign(seed).run()
    except Exception:  # noqa: BLE001  whatever it is, it is told, and the next seed runs
        print(f"seed {seed} failed; its day:\n{story_of(seed)}")
        traceback.print_exc(limit=-6, file=sys.stdout)
        print(f"again: python -m tests.sim.city_campaign --seeds {seed}", flush=True)
        return False
    return True


def main(arguments: Sequence[str]) -> int:
    """Run many seeds; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", default="1:20", help="one, or first:last")
    parser.add_argument("--jobs", type=int, default=cores(), help="so many seeds side by side")
    chosen = parser.parse_args(arguments)
    first, _, last = chosen.seeds.partition(":")
    seeds = range(int(first), int(last or first) + 1)
    failed = sum(not held for held in outcomes(run, seeds, jobs=chosen.jobs))
    print(f"{failed} of {len(seeds)} failed")
    return failed


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
