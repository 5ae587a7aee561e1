"""``meshnews neighbours``: who is near."""

import click

from meshnews_cli.options import Command, with_access
from meshnews_cli.session import Access, Needs, session


@click.command(cls=Command)
@click.option(
    "--trust-network",
    "trust",
    flag_value=True,
    type=bool,
    default=None,
    help="Mark the networks you are on as yours: colleagues find this machine there.",
)
@click.option(
    "--distrust-network",
    "trust",
    flag_value=False,
    type=bool,
    help="Take that back for the networks you are on.",
)
@with_access
def neighbours(access: Access, *, trust: bool | None) -> None:
    """Show who is near: by which carrier, since when, how fast.

    Only machines with a link to this one are shown. Which colleague a
    colleague's machine belongs to is not known to anybody.
    """
    if trust is not None:
        _trust(access, trusted=trust)
        return
    from meshnews.control.reply import NeighbourListing
    from meshnews.control.request import Neighbours
    from meshnews_cli.sentences import NEIGHBOUR_KINDS, VISIBILITIES
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import byte_size, moment, note, pad, row, say

    with session(access, Needs.DAEMON) as conversation:
        listing = conversation.connection.ask(Neighbours(), NeighbourListing)
    if access.as_json:
        click.echo(to_json(listing))
        return
    for each in listing.neighbours:
        kind = NEIGHBOUR_KINDS[each.kind]
        name = f" {each.name}" if each.name else ""
        watched = "  WATCHED" if each.watched else ""
        row(f"{pad(kind + name, 24)}  {pad(each.carrier, 9)}  since {moment(each.since)}{watched}")
        say(
            f"{byte_size(each.bytes_received)} in, {byte_size(each.bytes_sent)} out, "
            f"{byte_size(each.bytes_per_s)} a second on the whole",
            first="  ",
        )
        if each.watched:
            say(
                "A recalled card knew how to find this machine, and it has not heard of that yet.",
                first="  ! ",
            )
    if not listing.neighbours:
        say("No other machine has a link to this one now.")
    note(VISIBILITIES[listing.visibility])


def _trust(access: Access, *, trusted: bool) -> None:
    from meshnews.control.reply import Visible
    from meshnews.control.request import TrustNetwork
    from meshnews_cli.shape import to_json
    from meshnews_cli.visibility import explain

    with session(access, Needs.VAULT) as conversation:
        visible = conversation.connection.ask(TrustNetwork(trusted), Visible)
    if access.as_json:
        click.echo(to_json(visible))
    else:
        explain(visible)
