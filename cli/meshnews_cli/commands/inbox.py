"""``meshnews inbox``: what has come in."""

import click

from meshnews_cli.options import Command, with_access
from meshnews_cli.session import Access, Needs, session


@click.command(cls=Command)
@click.option("--before", metavar="ID", help="Only what came in before the item ID.")
@with_access
def inbox(access: Access, before: str | None) -> None:
    """List what has come in, newest first, 1,000 items at a time.

    At a desk: dispatches. For a reporter: answers and notices of the desk.
    """
    from meshnews.control.reply import InboxListing
    from meshnews.control.request import Inbox
    from meshnews_cli.identify import item_id
    from meshnews_cli.sentences import ALARMS, author, inbox_sentence
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import count, note, pad, row, say

    end = None if before is None else item_id(before)
    with session(access, Needs.VAULT) as conversation:
        listing = conversation.connection.ask(Inbox(before=end), InboxListing)
    if access.as_json:
        click.echo(to_json(listing))
        return
    for item in listing.items:
        mark = " " if item.opened else "*"
        urgency = item.priority.value
        row(
            f"{mark} {pad(item.id, 10)}  {pad(urgency, 7)}  {item.slug}  "
            f"from {author(item.byline, item.kind)}"
        )
        say(inbox_sentence(item), first="    ")
        for alarm in item.alarms:
            say(ALARMS[alarm], first="    ! ", rest="      ")
    if not listing.items:
        say("Nothing has come in." if end is None else "Nothing came in before that.")
    elif any(not item.opened for item in listing.items):
        note("* not opened yet. `meshnews open ID` shows one.")
    if listing.items and listing.more:
        last = listing.items[-1].id
        note(
            f"{count(listing.more, 'older one')} not shown. "
            f"`meshnews inbox --before {last}` goes on from there."
        )
