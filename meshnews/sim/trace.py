"""Reading traces of who was near whom, in the two forms in which they are published.

    events     "time CONN a b up" and "time CONN a b down", as the ONE simulator writes
    sightings  "time a b" for each pair seen, at a fixed interval; what follows says nothing here

Between words are spaces, tabs, commas or semicolons.  Times are seconds from any
beginning.  Lines that are empty or begin with # say nothing, nor do the heading of
a table, a first line without a digit in front, and who sees himself.  A trace knows
no desk, nobody's part and no rates: `cast` gives those.
"""

import itertools
import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from meshnews.crypto.entropy import SeededEntropy, below, between, shuffled
from meshnews.node.event import Carrier
from meshnews.sim.plan import DESK, NODES_MAX, Contact, Part, Plan, PlanItem, Post, Urgency, refused

_SEPARATORS: Final = str.maketrans(",;", "  ")
_CONNECTION: Final = "CONN"
_EVENT_WORDS: Final = 5
_SIGHTING_WORDS: Final = 3
_SIZES: Final = (
    (Urgency.FLASH, 1024),
    (Urgency.URGENT, 4 * 1024),
    (Urgency.ROUTINE, 8 * 1024),
    (Urgency.PICTURE, 300 * 1024),
    (Urgency.BULK, 2 * 1024 * 1024),
)


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two nodes near each other for a while."""

    a: str
    b: str
    start_s: float
    end_s: float


def read_trace(text: str, *, interval_s: float | None = None) -> list[Meeting]:
    """Return the meetings of a trace in either form, in order of their beginning.

    Args:
        text: the trace.
        interval_s: of a trace of sightings; None: the time that most often lies between two.

    Raises:
        Refusal: a line has neither form.
    """
    plain = text.removeprefix("\ufeff").translate(_SEPARATORS)
    lines = [line.split() for line in plain.splitlines() if line.strip() and line[0] != "#"]
    if lines and not lines[0][0][:1].isdecimal():
        del lines[0]
    is_events = bool(lines) and _CONNECTION in lines[0]
    found = list(_of_events(lines) if is_events else _of_sightings(lines, interval_s))
    if not found:
        raise refused("nobody meets in the trace.")
    return sorted(found, key=lambda one: (one.start_s, one.a, one.b))


def _of_events(lines: Iterable[list[str]]) -> Iterator[Meeting]:
    begun: dict[tuple[str, str], float] = {}
    now_s = 0.0
    for words in lines:
        if len(words) != _EVENT_WORDS or words[1] != _CONNECTION or words[4] not in {"up", "down"}:
            raise refused(f"the line {' '.join(words)[:60]!r} is no event of a trace.")
        now_s, pair = _time(words[0]), _pair(words[2], words[3])
        if pair[0] == pair[1]:
            continue
        if words[4] == "up":
            begun.setdefault(pair, now_s)
        elif pair in begun:
            start_s = begun.pop(pair)
            if now_s > start_s:
                yield Meeting(*pair, start_s, now_s)
    for pair, start_s in begun.items():
        if now_s > start_s:
            yield Meeting(*pair, start_s, now_s)


def _of_sightings(lines: Iterable[list[str]], interval_s: float | None) -> Iterator[Meeting]:
    seen: dict[tuple[str, str], list[float]] = {}
    for words in lines:
        if len(words) < _SIGHTING_WORDS:
            raise refused(f"the line {' '.join(words)[:60]!r} is no sighting of a trace.")
        at_s, pair = _time(words[0]), _pair(words[1], words[2])
        if pair[0] != pair[1]:
            seen.setdefault(pair, []).append(at_s)
    if interval_s is None:
        times = sorted({at_s for each in seen.values() for at_s in each})
        apart = [later - earlier for earlier, later in itertools.pairwise(times)]
        interval_s = statistics.mode(apart) if apart else 20.0
    for pair, times in sorted(seen.items()):
        times.sort()
        start_s = last_s = times[0]
        for at_s in times[1:]:
            if at_s > last_s + 1.5 * interval_s:
                yield Meeting(*pair, start_s, last_s + interval_s)
                start_s = at_s
            last_s = at_s
        yield Meeting(*pair, start_s, last_s + interval_s)


def _time(word: str) -> float:
    try:
        at_s = float(word)
    except ValueError as exc:
        raise refused(f"{word[:40]!r} is no time.") from exc
    if not math.isfinite(at_s):
        raise refused(f"{word[:40]!r} is no time.")
    return at_s


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def cast(
    meetings: list[Meeting],
    *,
    seed: int,
    items: int,
    kbit_s: float,
    start_s: float,
) -> Plan:
    """Return a plan in which the nodes of a trace have parts, and file things.

    Whoever is met most often is the desk; every third of the others is a relay, the
    rest are reporters, who file in the first half of the trace.

    Raises:
        Refusal: there are too many nodes, or nobody who could file.
    """
    counts: dict[str, int] = {}
    for meeting in meetings:
        for name in (meeting.a, meeting.b):
            counts[name] = counts.get(name, 0) + 1
    if len(counts) > NODES_MAX:
        raise refused(f"more than {NODES_MAX} nodes are in it.")
    order = sorted(counts, key=lambda name: (-counts[name], name))
    names = {name: DESK if index == 0 else f"node-{name}" for index, name in enumerate(order)}
    luck = SeededEntropy.of_words(f"trace {seed}")
    others = shuffled(luck, order[1:])
    relays = set(others[::3])
    posts = [Post(DESK, Part.EDITOR)]
    posts += [
        Post(names[one], Part.RELAY if one in relays else Part.REPORTER) for one in sorted(others)
    ]
    reporters = [post.name for post in posts if post.part is Part.REPORTER]
    if not reporters:
        raise refused("nobody in it could file.")
    first_s, last_s = meetings[0].start_s, max(one.end_s for one in meetings)
    filed = []
    for number in range(items):
        urgency, size = _SIZES[below(luck, len(_SIZES))]
        at_s = start_s + between(luck, 0.0, (last_s - first_s) / 2)
        author = reporters[below(luck, len(reporters))]
        filed.append(PlanItem(f"item-{number}", author, at_s, size, urgency))
    contacts = tuple(
        Contact(
            names[one.a],
            names[one.b],
            start_s + one.start_s - first_s,
            start_s + one.end_s - first_s,
            kbit_s,
            Carrier.LAN,
        )
        for one in meetings
    )
    plan = Plan(f"A trace of {len(counts)} nodes", tuple(posts), contacts, (), tuple(filed))
    plan.check()
    return plan
