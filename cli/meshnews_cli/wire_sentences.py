"""What the facts about the wire mean, said to a person.  docs/operating.md lists the same."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from meshnews.control.reply import WireStatus
from meshnews.control.wire_fact import (
    DropFact,
    DropKind,
    DropState,
    RouteBound,
    RouteFact,
    RouteKind,
    RouteState,
    RouteTrouble,
)
from meshnews_cli.terminal import byte_size, count, moment

SLOW_BYTES_PER_S: Final = 4000
"""A way that carries less is called slow: 32 kbit/s."""

TROUBLES: Final = {
    RouteTrouble.NO_NETWORK: "This machine has no way to there.",
    RouteTrouble.NO_NAME: "The name was not found: the resolver does not know it, or says so.",
    RouteTrouble.NO_ANSWER: "No answer: what is sent there is lost on the way.",
    RouteTrouble.REFUSED: "Refused: nothing listens there, or a firewall says so.",
    RouteTrouble.CUT: "Cut: the call was taken, and ended as soon as it was clear what it is.",
    RouteTrouble.SILENT: "Swallowed: the call was taken, and nothing came back.",
    RouteTrouble.STRANGER: "Something else answers: a sign-in page, or a wrong address.",
    RouteTrouble.OTHER_CERTIFICATE: "Another certificate than the desk's: TLS is intercepted, or "
    "the name leads elsewhere. Nothing was sent.",
    RouteTrouble.PROXY_GONE: "The proxy does not answer.",
    RouteTrouble.PROXY_REFUSED: "The proxy answers, and does not reach the collector.",
    RouteTrouble.NO_AUTHORITY: "A certificate that nobody vouches for: TLS is intercepted, the "
    "name leads elsewhere, or this machine's clock is wrong. Nothing was sent.",
    RouteTrouble.DENIED: "Not let in: the service does not accept the name and password.",
    RouteTrouble.NO_FOLDER: "The service answers, and has no such folder.",
    RouteTrouble.FULL: "The service answers, and has no room left.",
    RouteTrouble.FAULTY: "The service answers that it has a fault of its own.",
}

CLOCKS_APART: Final = dt.timedelta(minutes=1)
"""What happened later than this after now was dated by another clock than now is."""

NEVER_UP: Final = "No wire has been seen from this machine."
NO_ROUTES: Final = (
    "Your desk has published no address of a collector, so this machine does not look for a wire. "
    "What it carries leaves through others."
)
ONLY_DROPS: Final = (
    "Your desk has published no address of a collector. What this machine carries leaves through "
    "others, and by these drops:"
)
NO_NETWORK: Final = "No network is in reach."


def wire_sentence(status: WireStatus) -> str:
    """Say whether the wire is up, or when it was, and when to expect it."""
    if status.up_since is not None:
        return f"The wire is up, since {moment(status.up_since)}."
    parts = [last_wire(status.last_at, status.expected_at, now=status.told_at) or NEVER_UP]
    if not status.has_network:
        parts.append(NO_NETWORK)
    return " ".join(parts)


def last_wire(
    last_at: dt.datetime | None, expected_at: dt.datetime | None, *, now: dt.datetime | None
) -> str:
    """Say when there last was a wire and when the next is expected; nothing when none was."""
    if last_at is None:
        return ""
    said = f"Last wire {_when(last_at, now)}"
    if expected_at is None:
        return f"{said}."
    return f"{said}, expected again about {expected_at.astimezone():%H:%M}."


def _when(at: dt.datetime, now: dt.datetime | None) -> str:
    """Say how long ago it was; by a clock that is behind, only when by another clock."""
    if now is None or at - now > CLOCKS_APART:
        return moment(at)
    minutes = max(0, int((now - at).total_seconds()) // 60)
    if minutes < 1:
        return "just now"
    if minutes < 120:
        return f"{minutes} min ago"
    hours = minutes // 60
    return f"{hours} h ago" if hours < 48 else f"{count(hours // 24, 'day')} ago"


def usual_hours(days: Sequence[int]) -> list[str]:
    """Return a line for each half hour in which there was a wire, in the order of a local day.

    Args:
        days: for each half hour from midnight UTC, on how many days there was one.
    """
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = [
        (f"{(midnight + dt.timedelta(minutes=30 * slot)).astimezone():%H:%M}", number)
        for slot, number in enumerate(days)
        if number
    ]
    return [f"{when}  {'#' * number} {number}" for when, number in sorted(found)]


_BEFORE: Final = {
    RouteState.UNTRIED: "Not tried yet.",
    RouteState.CALLING: "Being tried now.",
}


def route_sentence(route: RouteFact) -> str:
    """Say how one way to a collector fares."""
    match route.state:
        case RouteState.UNTRIED | RouteState.CALLING:
            return _BEFORE[route.state]
        case RouteState.UP:
            return f"Up.{_proof(route)}{_speed(route)}"
        case RouteState.SUSPECT:
            return (
                "It takes everything, and no receipt comes back: another way is used as well."
                f"{_speed(route)}"
            )
        case RouteState.ENDED:
            return f"Was up, and ended.{_proof(route)}"
        case RouteState.RESTING:
            return _rest(route)
        case RouteState.FAILED:
            return "It led nowhere." if route.trouble is None else TROUBLES[route.trouble]


RESTS: Final = {
    RouteBound.VOLUME: "what may cross it in a day has crossed it",
    RouteBound.DUTY: "it was used for as long as it may be in an hour",
}


def _rest(route: RouteFact) -> str:
    until = "" if route.rests_until is None else f" until {moment(route.rests_until)}"
    why = "its limit is used up" if route.bound is None else RESTS[route.bound]
    return f"Rests{until}: {why}. A flash still goes."


def drop_sentence(drop: DropFact) -> str:
    """Say how a dead drop fares."""
    match drop.state:
        case DropState.UNTRIED:
            return "Not visited yet."
        case DropState.VISITING:
            return f"Being visited now.{_last_visit(drop)}"
        case DropState.VISITED:
            moved = f"{drop.read} read and {drop.written} written"
            there = count(drop.objects, "file")
            return f"{_last_visit(drop)} There were {there}; {moved}.{_found(drop)}".strip()
        case DropState.FAILED:
            why = "It led nowhere." if drop.trouble is None else TROUBLES[drop.trouble]
            return f"{why}{_last_visit(drop)}"


def _last_visit(drop: DropFact) -> str:
    return "" if drop.visited_at is None else f" Visited at {moment(drop.visited_at)}."


def _found(drop: DropFact) -> str:
    if drop.proven_at is None:
        return " No news has come from there yet."
    return f" News last came from there at {moment(drop.proven_at)}."


def _proof(route: RouteFact) -> str:
    if route.proven_at is None:
        return " No receipt has come back this way yet."
    return f" A receipt came back this way at {moment(route.proven_at)}."


def _speed(route: RouteFact) -> str:
    if not 0 < route.bytes_per_s < SLOW_BYTES_PER_S:
        return ""
    return f" Slow: {byte_size(route.bytes_per_s)} a second."


ROUTE_KINDS: Final = {
    RouteKind.DIRECT: "TCP",
    RouteKind.TLS: "TLS",
    RouteKind.SOCKS: "TCP by proxy",
    RouteKind.SOCKS_TLS: "TLS by proxy",
}
DROP_KINDS: Final = {DropKind.WEBDAV: "WebDAV", DropKind.S3: "S3"}
