"""``meshnews status``: how far each dispatch has got."""

import contextlib

import click

from meshnews.control.reply import Done, Status
from meshnews.control.request import StatusRequest
from meshnews.errors import Refusal
from meshnews_cli.daemon_complaint import Without
from meshnews_cli.options import Command, with_access
from meshnews_cli.session import Access, Needs, session


@click.command(cls=Command)
@click.argument("item", required=False, metavar="[ID]")
@click.option("--watch", is_flag=True, help="Go on, and show what changes, until Ctrl-C.")
@with_access
def status(access: Access, item: str | None, *, watch: bool) -> None:
    """Show how far dispatches have got.

    draft, filed (sealed, only here), carried (on other machines), on the wire
    (left through this machine's uplink), received (a receipt of the desk came
    back), read. Only a receipt makes it received.
    """
    from meshnews_cli.identify import item_id

    wanted = item_id(item) if item is not None else None
    if watch:
        _watch(access, wanted)
        return
    with session(access, Needs.VAULT) as conversation:
        answer = conversation.connection.ask(StatusRequest(wanted), Status)
    _show(access, answer, once=conversation.welcome.once)


def _show(access: Access, answer: Status, *, once: bool) -> None:
    from meshnews_cli.sentences import HOME_RECALLED, NOTHING_MOVES
    from meshnews_cli.shape import shape, to_json
    from meshnews_cli.terminal import count, note, say
    from meshnews_cli.watching import show_dispatch
    from meshnews_cli.wire_sentences import last_wire

    if access.as_json:
        fields = shape(answer)
        assert isinstance(fields, dict)
        click.echo(to_json({**fields, "daemon_running": not once}))
        return
    for dispatch in answer.dispatches:
        show_dispatch(dispatch)
    if not answer.dispatches:
        say("Nothing has been filed here.")
    if answer.more:
        note(f"{count(answer.more, 'older one')} not shown.")
    if wire := last_wire(answer.wire_last_at, answer.wire_expected_at, now=answer.told_at):
        note(wire)
    if answer.recalled:
        note(HOME_RECALLED)
    if once:
        note(NOTHING_MOVES)


def _watch(access: Access, wanted: str | None) -> None:
    from meshnews.control.request import Follow
    from meshnews_cli import daemon_complaint
    from meshnews_cli.watching import onlooker

    with (
        session(access, Needs.DAEMON, without=Without.NEWS) as conversation,
        contextlib.closing(onlooker(as_json=access.as_json)) as shown,
    ):
        try:
            # The daemon tells for as long as it is heard, and never comes to a reply.
            conversation.connection.ask(Follow(wanted), Done, on_event=shown.hear, patient=True)
        except Refusal as why:
            raise daemon_complaint.watch_ended() if why.code == "daemon-gone" else why from why
