"""``meshnews look``: be findable by colleagues for a while."""

import click

from meshnews_cli.daemon_complaint import Without
from meshnews_cli.options import Command, with_access
from meshnews_cli.session import Access, Needs, session

MINUTES: int = 10
MINUTES_MAX: int = 24 * 60


@click.command(cls=Command)
@click.argument("minutes", type=click.IntRange(0, MINUTES_MAX), default=MINUTES)
@with_access
def look(access: Access, minutes: int) -> None:
    """Be findable by colleagues for MINUTES (default 10; 0 ends it).

    While it lasts, this machine calls into every network it is on, veiled: who
    has no key of your desk learns that some machine is here, and no more.
    """
    from meshnews.control.reply import Visible
    from meshnews.control.request import Look
    from meshnews_cli.shape import to_json
    from meshnews_cli.visibility import explain

    needs = Needs.DAEMON if minutes else Needs.VAULT
    with session(access, needs, without=Without.CALLS) as conversation:
        visible = conversation.connection.ask(Look(minutes * 60), Visible)
    if access.as_json:
        click.echo(to_json(visible))
    else:
        explain(visible)
