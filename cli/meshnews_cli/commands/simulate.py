"""``meshnews simulate``: replay a contact plan with whole nodes, beside the best possible."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshnews_cli.options import Command, FilePath

if TYPE_CHECKING:
    from meshnews.sim.plan import Plan
    from meshnews.sim.play import Played

SHARE = click.FloatRange(0.0, 1.0)


@click.command(cls=Command)
@click.argument("plan_file", metavar="PLAN", type=FilePath)
@click.option("--seed", type=int, default=0, help="Which of the many possible runs; default 0.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows [{slug, node, at}] alone.")
@click.option("--svg", type=FilePath, metavar="FILE", help="Draw a timeline by node into FILE.")
@click.option("--rows", type=FilePath, metavar="FILE", help="Write the rows as JSON into FILE.")
@click.option("--hold", is_flag=True, help="File as by default, with a random hold; not --now.")
@click.option("--quota", type=float, metavar="MIB", help="Disks of relays and sticks.")
@click.option("--stopped", multiple=True, metavar="NODE", help="Its clock stands at 1970.")
@click.option("--cut", type=SHARE, default=0.0, help="This share of all streams is cut.")
@click.option("--hostile", multiple=True, metavar="NODE=HOW", help="It breaks the rules.")
@click.option("--routing", default="flooding", metavar="HOW", help="How bulk is passed on.")
@click.option("--bound", is_flag=True, help="Print only what is possible at best.")
def simulate(  # noqa: PLR0917  click hands over one argument for each option
    plan_file: Path,
    seed: int,
    as_json: bool,  # noqa: FBT001  click's own flags
    svg: Path | None,
    rows: Path | None,
    hold: bool,  # noqa: FBT001  click passes options by name
    quota: float | None,
    stopped: tuple[str, ...],
    cut: float,
    hostile: tuple[str, ...],
    routing: str,
    bound: bool,  # noqa: FBT001  click passes options by name
) -> int | None:
    """Replay the contact plan in PLAN with the code that the daemon runs.

    People, meetings, machines off and what is filed come from the plan
    (docs/simulation.md says how one is written); time is a number, and
    everything else is real.  For each item the table says when it reached whom,
    beside the earliest instant at which any network could have brought it
    there.  The same seed gives the same run, to the byte.

    \b
    NODE=HOW: drop, withhold, replay, corrupt, lie, flood
    --routing: flooding, spray-and-focus
    """  # noqa: D301  click reads the backspace as: leave these lines as they are
    from meshnews.node.settings import BulkRouting, Settings
    from meshnews.sim.bound import flooding_bound
    from meshnews.sim.plan import refused
    from meshnews.sim.play import Play
    from meshnews.sim.report import rows_json, table
    from meshnews.sim.timeline import describe
    from meshnews_cli.terminal import note

    plan = _read(plan_file, quota, stopped, cut, hostile)
    if routing not in list(BulkRouting):
        raise refused(f"{routing!r} is no way of passing bulk on.")
    if bound:
        click.echo(rows_json(flooding_bound(plan)))
        return None
    settings = Settings(bulk_routing=BulkRouting(routing))
    play = Play(plan, seed=seed, settings=settings, files_now=not hold, stopwatch=time.process_time)
    with _written(svg, rows) as write:
        note(f"Playing {describe(plan)}.")
        played = play.run()
        write(played)
    click.echo(rows_json(played.rows) if as_json else table(played, "real"), nl=as_json)
    note(_spent())
    return None


@contextmanager
def _written(svg: Path | None, rows: Path | None) -> Iterator[Callable[["Played"], None]]:
    """Make both files, and yield what fills them.

    A play takes minutes: a name that is taken is refused before it.
    """
    from meshnews.sim.report import rows_json
    from meshnews.sim.timeline import timeline
    from meshnews_cli.folder import new_file

    with ExitStack() as files:
        draw = None if svg is None else files.enter_context(new_file(svg))
        note_rows = None if rows is None else files.enter_context(new_file(rows))

        def write(played: "Played") -> None:
            if draw is not None:
                draw(timeline(played).encode())
            if note_rows is not None:
                note_rows(rows_json(played.rows).encode() + b"\n")

        yield write


def _read(
    path: Path,
    quota: float | None,
    stopped: tuple[str, ...],
    cut: float,
    hostile: tuple[str, ...],
) -> "Plan":
    from dataclasses import replace

    from meshnews.sim.plan import KIB, Mischief, Part, WallClock, refused
    from meshnews.sim.planfile import PLAN_BYTES_MAX, QUOTA_MIB_MAX, read_plan
    from meshnews.sim.stream import Faults
    from meshnews_cli.folder import read_small

    plan = read_plan(read_small(path, PLAN_BYTES_MAX))
    # What is no number is within nothing.
    if not 0 <= cut <= 1:
        raise refused(f"{cut} is no share of all streams.")
    if quota is not None:
        if not 1 / KIB / KIB <= quota <= QUOTA_MIB_MAX:
            raise refused(f"no disk has {quota} MiB.")
        for post in plan.posts:
            if post.part in {Part.RELAY, Part.COURIER}:
                plan = plan.with_post(replace(post, quota_bytes=int(quota * KIB * KIB)))
    for name in stopped:
        plan = plan.with_post(replace(plan.post(name), clock=WallClock.STOPPED))
    for said in hostile:
        name, _, how = said.partition("=")
        if how not in list(Mischief):
            raise refused(f"{how!r} is nothing that a hostile node does.")
        plan = plan.with_post(replace(plan.post(name), mischief=Mischief(how)))
    return plan.with_faults(Faults(cut=cut)) if cut else plan


def _spent() -> str:
    import resource

    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{time.process_time():.0f} s of CPU, {mib:.0f} MiB at most."
