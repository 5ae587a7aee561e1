"""What a played plan says: when each item came beside when it could have come, and at what cost.

rows     [{slug, node, at}]: what `flooding_bound` gives, of what really came
table    the same beside the bound, late rows marked, and what was spent
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from meshnews.node.dispatches.dispatch import DispatchState
from meshnews.sim.bound import Row, flooding_bound
from meshnews.sim.plan import Plan
from meshnews.sim.planfile import instant
from meshnews.sim.play import Played

LATE_S: Final = 300.0
LATE_SHARE: Final = 0.1
"""A row is late when it is later than the bound by more than the larger of these."""

NARROW_S: Final = 600.0
NARROW_LATE_S: Final = 60.0
"""Where all that a node meets at that moment is over in so short a time, this counts instead."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One row beside its bound.

    Attributes:
        bound_s: the earliest possible instant.
        at_s: when it came; None: it did not.
        may_be_s: how much later than the bound is not late.
    """

    slug: str
    node: str
    bound_s: float
    at_s: float | None
    may_be_s: float

    @property
    def behind_s(self) -> float | None:
        """How much later than the bound it came."""
        return None if self.at_s is None else max(0.0, self.at_s - self.bound_s)

    @property
    def is_late(self) -> bool:
        """It came too late, or not at all."""
        behind_s = self.behind_s
        return behind_s is None or behind_s > self.may_be_s


def compare(played: Played, bound: Sequence[Row] | None = None) -> list[Compared]:
    """Return every row of the bound beside what came, in order of slug and bound.

    Raises:
        Nothing.
    """
    bound = flooding_bound(played.plan) if bound is None else bound
    came = {(row.slug, row.node): row.at_s for row in played.rows}
    filed = {item.slug: item.filed_s for item in played.plan.items}
    return [
        Compared(
            row.slug,
            row.node,
            row.at_s,
            came.get((row.slug, row.node)),
            _may_be_s(played.plan, row, row.at_s - filed[row.slug]),
        )
        for row in bound
    ]


def _may_be_s(plan: Plan, row: Row, took_s: float) -> float:
    """Return how much later than its bound a row may be."""
    open_s = [
        one.end_s - one.start_s
        for one in plan.contacts
        if row.node in {one.a, one.b} and one.start_s <= row.at_s < one.end_s
    ]
    if open_s and max(open_s) <= NARROW_S:
        return NARROW_LATE_S
    return max(LATE_S, LATE_SHARE * took_s)


def rows_json(rows: Sequence[Row]) -> str:
    """Return rows as JSON, in order of slug and time.

    Raises:
        Nothing.
    """
    ordered = sorted(rows, key=lambda row: (row.slug, row.at_s, row.node))
    return json.dumps(
        [{"slug": row.slug, "node": row.node, "at": instant(row.at_s)} for row in ordered], indent=1
    )


def span(seconds: float) -> str:
    """Return a length of time in few characters, such as ``2 h 05 min``.

    Raises:
        Nothing.
    """
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min {whole % 60:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(count: float) -> str:
    """Return a number of bytes in few characters.

    Raises:
        Nothing.
    """
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def table(played: Played, crypto: str) -> str:
    """Return the table for people; `crypto` names the cryptography that was used.

    Raises:
        Nothing.
    """
    compared = compare(played)
    lines = [
        f"{'item':20} {'reached':18} {'bound (UTC)':21} {'came (UTC)':21} behind",
        *(_line(one) for one in compared),
        "",
        *_verdict(compared),
        *_states(played),
        *_costs(played),
        f"Cryptography: {crypto}.",
    ]
    return "\n".join(lines) + "\n"


def _line(one: Compared) -> str:
    came = "-" if one.at_s is None else instant(one.at_s)
    behind = "never" if one.behind_s is None else span(one.behind_s)
    mark = "  LATE" if one.is_late else ""
    return f"{one.slug:20} {one.node:18} {instant(one.bound_s)}  {came:21} {behind}{mark}"


def _verdict(compared: Sequence[Compared]) -> Iterator[str]:
    late = sum(one.is_late for one in compared)
    yield (
        f"{len(compared) - late} of {len(compared)} in time: not later than the bound by more than "
        f"{LATE_S / 60:.0f} minutes or {LATE_SHARE:.0%} of the time it took, nor by "
        f"{NARROW_LATE_S:.0f} s where that moment's contacts last {NARROW_S / 60:.0f} minutes "
        "at most."
    )


def _states(played: Played) -> Iterator[str]:
    if not played.turns:
        return
    shown = [state for state in DispatchState if state is not DispatchState.DRAFT]
    yield ""
    yield f"{'what its author was told':20} " + " ".join(f"{state.value:>17}" for state in shown)
    told: dict[str, dict[DispatchState, float]] = {}
    for turn in played.turns:
        told.setdefault(turn.slug, {}).setdefault(turn.state, turn.at_s)
    for slug, states in told.items():
        cells = (
            f"{instant(states[one])[5:16]:>17}" if one in states else " " * 17 for one in shown
        )
        yield f"{slug:24} " + " ".join(cells)


def _costs(played: Played) -> Iterator[str]:
    yield ""
    moved = ", ".join(f"{size(count)} {carrier}" for carrier, count in sorted(played.moved.items()))
    yield f"On the way: {moved or 'nothing'}."
    yield ""
    yield f"{'node':20} {'bundles':>8} {'bodies':>10} {'records':>10} {'events':>9} {'CPU':>9}"
    for cost in played.costs:
        yield (
            f"{cost.node:20} {cost.bundles:8} {size(cost.body_bytes):>10} "
            f"{size(cost.record_bytes):>10} {cost.events:9} {cost.cpu_s:7.1f} s"
        )
    yield ""
    yield f"{'item':20} {'bytes':>10} {'copies':>7} {'transmissions':>14}"
    for item in played.plan.items:
        if item.slug in played.ledger.sizes:
            parts = played.ledger.sizes[item.slug]
            times = played.ledger.given.get(item.slug, 0) / parts
            copies = played.ledger.copies(item.slug)
            yield f"{item.slug:20} {size(item.size_bytes):>10} {copies:7} {times:14.1f}"
