"""``meshnews desk invite`` and ``desk pending``: let people join over a link."""

from pathlib import Path

import click

from meshnews.desk.limits import INVITATION_HOURS_MAX
from meshnews_cli.daemon_complaint import Without
from meshnews_cli.identify import name_of
from meshnews_cli.options import Command, FilePath, with_access
from meshnews_cli.session import Access, Needs, session

HOURS = 24
_COMPARED = click.option(
    "--words-compared",
    is_flag=True,
    help="For scripts: say yes to the eight words without asking.",
)


@click.command(cls=Command)
@click.option("--byline", metavar="NAME", help="Invite a reporter; may be a pseudonym.")
@click.option("--relay", metavar="NAME", help="Invite a relay.")
@click.option("--near", multiple=True, metavar="RELAY", help="A relay it should use or be near.")
@click.option(
    "--hours",
    type=click.IntRange(1, INVITATION_HOURS_MAX),
    default=HOURS,
    show_default=True,
    help="How long it is open, of this machine's own time.",
)
@click.option("--qr", type=FilePath, metavar="FILE", help="Write the code as a .png or .svg, too.")
@click.option("--no-wait", is_flag=True, help="Do not wait; `desk pending` shows who comes.")
@_COMPARED
@with_access
def invite(  # noqa: PLR0917  click passes all by name
    access: Access,
    byline: str | None,
    relay: str | None,
    near: tuple[str, ...],
    hours: int,
    qr: Path | None,
    *,
    no_wait: bool,
    words_compared: bool,
) -> None:
    """Invite a reporter or a relay, and wait for them.

    It prints a code, good for one machine: whoever has it can ask for a card,
    so give it to nobody else. While it is open this machine can be found by
    those who have it. When a reporter has come, both sides see eight words;
    compare them over a call or in person before you say yes.
    """
    from meshnews.control.desk_request import DeskInvite
    from meshnews.desk.limits import RELAYS_NAMED_ON_CARD
    from meshnews_cli import inviting

    if (byline is None) == (relay is None):
        raise click.UsageError("Give either --byline NAME or --relay NAME")
    if len(near) > RELAYS_NAMED_ON_CARD:
        raise click.UsageError(f"--near can be given at most {RELAYS_NAMED_ON_CARD} times")
    asked = DeskInvite(
        byline=name_of(byline) if byline is not None else None,
        relay=name_of(relay) if relay is not None else None,
        near=tuple(name_of(each) for each in near),
        hours=hours,
    )
    with session(access, Needs.DAEMON, without=Without.VISITORS) as conversation:
        invited = inviting.give_out(access, conversation.connection, asked, qr)
        if no_wait:
            inviting.say_how_to_go_on(access, invited.invitation)
        else:
            inviting.receive(
                access, conversation.connection, invited.invitation, words_compared=words_compared
            )


@click.command(cls=Command)
@click.option("--confirm", type=int, metavar="N", help="Say that the words of joiner N are right.")
@click.option("--refuse", type=int, metavar="N", help="Turn joiner N away.")
@click.option("--close", type=int, metavar="N", help="End invitation N.")
@_COMPARED
@with_access
def pending(
    access: Access,
    confirm: int | None,
    refuse: int | None,
    close: int | None,
    *,
    words_compared: bool,
) -> None:
    """List invitations, and who has come with them and waits.

    A joiner's number belongs to the words that are shown with it. Whoever loses
    the link and calls again gets another number and other words.
    """
    from meshnews.control.desk_request import DeskClose, DeskRefuse
    from meshnews.control.reply import Done
    from meshnews_cli import inviting
    from meshnews_cli.terminal import note

    if sum(number is not None for number in (confirm, refuse, close)) > 1:
        raise click.UsageError("Give at most one of --confirm, --refuse and --close")
    with session(access, Needs.DAEMON, without=Without.VISITORS) as conversation:
        connection = conversation.connection
        if confirm is not None:
            inviting.confirm(access, connection, confirm, words_compared=words_compared)
        elif refuse is not None:
            connection.ask(DeskRefuse(max(0, refuse)), Done)
            note("Turned away. The invitation is still open; --close ends it.")
        elif close is not None:
            connection.ask(DeskClose(max(0, close)), Done)
            note("Closed: the code is of no use any more.")
        else:
            inviting.show_pending(access, connection)
