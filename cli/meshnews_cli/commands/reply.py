"""``meshnews reply``: answer the author of an item."""

import click

from meshnews_cli.options import Command, with_access
from meshnews_cli.session import Access, Needs, session


@click.command(cls=Command)
@click.argument("item", metavar="ID")
@click.argument("text", metavar="TEXT|-")
@with_access
def reply(access: Access, item: str, text: str) -> None:
    """Answer the author of an item.

    The answer is sealed to its author alone. With - the text comes from
    standard input, which keeps it out of the shell's history.
    """
    from meshnews.control.reply import ReplyFiled
    from meshnews.control.request import SendReply
    from meshnews_cli import filing_complaint, material
    from meshnews_cli.identify import item_id
    from meshnews_cli.sentences import FILING_WARNINGS, NOTHING_MOVES
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import moment, note

    wanted = item_id(item)
    if text == "-":
        words = material.read_text(material.STDIN)
    else:
        raw = text.encode("utf-8", errors="surrogateescape")
        words = material.plain_text(raw, where="The answer")
    if not words.strip():
        raise filing_complaint.nothing_to_file()
    with session(access, Needs.VAULT) as conversation:
        filed = conversation.connection.ask(SendReply(wanted, words), ReplyFiled)
    if access.as_json:
        click.echo(to_json(filed))
        return
    click.echo(filed.id)
    to = filed.to or "its author"
    note(f"The answer to {to} is sealed and queued.")
    if filed.release_at is not None:
        note(f"It is offered to neighbours from {moment(filed.release_at)} on.")
    for warning in filed.warnings:
        note(FILING_WARNINGS[warning])
    if conversation.welcome.once:
        note(NOTHING_MOVES)
