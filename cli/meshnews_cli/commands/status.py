"""``meshnews status``: how far each dispatch has got."""

from typing import TYPE_CHECKING

import click

from meshnews_cli.options import Command, with_access
from meshnews_cli.session import Access, Needs, Session, session

if TYPE_CHECKING:
    from meshnews.control.fact import DispatchStatus
    from meshnews.control.reply import Event, Status


@click.command(cls=Command)
@click.argument("item", required=False, metavar="[ID]")
@click.option("--watch", is_flag=True, help="Go on, and print each change, until Ctrl-C.")
@with_access
def status(access: Access, item: str | None, *, watch: bool) -> None:
    """Show how far dispatches have got.

    draft, filed (sealed, only here), carried (on other machines), on the wire
    (left through this machine's uplink), received (a receipt of the desk came
    back), read. Only a receipt makes it received.
    """
    from meshnews_cli.identify import item_id

    wanted = item_id(item) if item is not None else None
    with session(access, Needs.DAEMON if watch else Needs.VAULT) as conversation:
        answer = _ask(conversation, wanted)
        if watch:
            _watch(access, conversation, wanted, answer)
            return
    _show(access, answer, once=conversation.welcome.once)


def _ask(conversation: Session, wanted: str | None) -> "Status":
    from meshnews.control.reply import Status
    from meshnews.control.request import StatusRequest

    return conversation.connection.ask(StatusRequest(wanted), Status)


def _show(access: Access, answer: "Status", *, once: bool) -> None:
    from meshnews_cli.sentences import HOME_RECALLED, NOTHING_MOVES
    from meshnews_cli.shape import shape, to_json
    from meshnews_cli.terminal import count, note, say
    from meshnews_cli.wire_sentences import last_wire

    if access.as_json:
        fields = shape(answer)
        assert isinstance(fields, dict)
        click.echo(to_json({**fields, "daemon_running": not once}))
        return
    for dispatch in answer.dispatches:
        _show_one(dispatch)
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


def _show_one(dispatch: "DispatchStatus") -> None:
    from meshnews_cli.sentences import dispatch_sentence
    from meshnews_cli.terminal import pad, row, say

    urgency = dispatch.priority.value
    row(
        f"{pad(dispatch.id, 10)}  {pad(dispatch.state.value, 11)}  {pad(urgency, 7)}  "
        f"{dispatch.slug}"
    )
    say(dispatch_sentence(dispatch), first="  ")


def _watch(access: Access, conversation: Session, wanted: str | None, first: "Status") -> None:
    """Print what changed, as it changes: one connection hears, the other asks."""
    from meshnews.control.fact import Topic
    from meshnews.control.reply import Done
    from meshnews.control.request import Watch
    from meshnews_cli.shape import to_json

    known: dict[str, DispatchStatus] = {}

    def tell(answer: "Status") -> None:
        for dispatch in reversed(answer.dispatches):
            if known.get(dispatch.id) == dispatch:
                continue
            known[dispatch.id] = dispatch
            if access.as_json:
                click.echo(to_json(dispatch))
            else:
                _show_one(dispatch)

    def hear(_event: "Event") -> None:
        tell(_ask(conversation, wanted))

    tell(first)
    with session(access, Needs.DAEMON) as listening:
        # What changed before the watch began is told now.
        tell(_ask(conversation, wanted))
        listening.connection.ask(Watch((Topic.DISPATCH,)), Done, on_event=hear, patient=True)
