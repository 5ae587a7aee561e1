"""``meshnews wire``: is there a way out, which ways fail and how, and when there was one."""

from typing import TYPE_CHECKING

import click

from meshnews_cli.options import Command, with_access
from meshnews_cli.session import Access, Needs, session

if TYPE_CHECKING:
    from meshnews.control.reply import WireStatus


@click.command(cls=Command)
@click.option("--log", is_flag=True, help="Show when there was a wire; with --json, as signed.")
@with_access
def wire(access: Access, *, log: bool) -> None:
    """Show the ways to the desk's collectors and its drops: up or down, and why.

    A way is proven by receipts that came back through it, and by nothing else.
    With --log it shows when this machine had a wire and when not; --json adds
    the signatures, for whoever is to be shown the outage.
    """
    if log:
        _log(access)
        return
    from meshnews.control.reply import WireStatus
    from meshnews.control.request import Wire
    from meshnews_cli.shape import shape, to_json

    with session(access, Needs.VAULT) as conversation:
        status = conversation.connection.ask(Wire(), WireStatus)
        once = conversation.welcome.once
    if access.as_json:
        fields = shape(status)
        assert isinstance(fields, dict)
        click.echo(to_json({**fields, "daemon_running": not once}))
        return
    _show(status, once=once)


def _show(status: "WireStatus", *, once: bool) -> None:
    from meshnews_cli import wire_sentences
    from meshnews_cli.sentences import NOTHING_MOVES
    from meshnews_cli.terminal import note, pad, row, say

    if status.certificate:
        say("What this machine shows inside TLS has the SHA-256")
        row(f"  {status.certificate}")
    if not status.routes and not status.certificate:
        say(wire_sentences.ONLY_DROPS if status.drops else wire_sentences.NO_ROUTES)
    if status.routes:
        say(wire_sentences.wire_sentence(status))
    for route in status.routes:
        by = f"  by {route.proxy}" if route.proxy else ""
        kind = wire_sentences.ROUTE_KINDS[route.kind]
        row(f"{pad(route.collector, 16)}  {pad(kind, 12)}  {route.where}{by}")
        say(wire_sentences.route_sentence(route), first="  ")
    for drop in status.drops:
        by = f"  by {drop.proxy}" if drop.proxy else ""
        kind = wire_sentences.DROP_KINDS[drop.kind]
        row(f"{pad('a drop', 16)}  {pad(kind, 12)}  {drop.where}{by}")
        say(wire_sentences.drop_sentence(drop), first="  ")
    if once:
        note(NOTHING_MOVES)


def _log(access: Access) -> None:
    from meshnews.control.reply import WireLogListing
    from meshnews.control.request import WireLog
    from meshnews_cli import wire_sentences
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import moment, note, row, say

    with session(access, Needs.VAULT) as conversation:
        listing = conversation.connection.ask(WireLog(), WireLogListing)
    if access.as_json:
        click.echo(to_json(listing))
        return
    for entry in listing.entries:
        when = "at an unknown time" if entry.at is None else moment(entry.at)
        unsure = "" if entry.clock_sure else "  (by a clock that is not believed)"
        row(f"{when}  {'up' if entry.up else 'down'}{unsure}")
    if not listing.entries:
        say("No wire has been seen from this machine.")
    if usual := wire_sentences.usual_hours(listing.days_by_half_hour):
        say("On so many of the last 14 days there was a wire in the half hour that begins at")
        for line in usual:
            row(f"  {line}")
    note("With --json each entry comes as it was signed; docs/operating.md says how to check it.")
