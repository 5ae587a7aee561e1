"""``meshnews open``: read one item, and save what is attached to it."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshnews_cli.options import Command, FilePath, with_access
from meshnews_cli.session import Access, Needs, session

if TYPE_CHECKING:
    from meshnews.control.reply import Opened
    from meshnews_cli.folder import Folder


@click.command(cls=Command, name="open")
@click.argument("item", metavar="ID")
@click.option(
    "--save", type=FilePath, metavar="DIR", help="Save text and attachments into the folder DIR."
)
@click.option(
    "--let-go", is_flag=True, help="Once all is saved, keep the attachments here no longer."
)
@with_access
def open_item(access: Access, item: str, *, save: Path | None, let_go: bool) -> None:
    """Read one item of the inbox, and save what is attached.

    An attachment is saved once it is complete, under a name made harmless;
    nothing is ever overwritten. Characters that could deceive the eye or the
    terminal are shown as <U+202E>; --json and --save give the text as it is.

    An editor's machine keeps every attachment until --let-go makes room.
    """
    if let_go and save is None:
        raise click.UsageError("--let-go needs --save: only what is saved is let go.")
    from meshnews.control.reply import Done, Opened
    from meshnews.control.request import LetGo, Open
    from meshnews_cli import filing_complaint
    from meshnews_cli.identify import item_id
    from meshnews_cli.shape import shape, to_json

    wanted = item_id(item)
    saved: dict[int, str] = {}
    missing = 0
    with contextlib.ExitStack() as closing:
        folder = _folder(save, closing)
        connection = closing.enter_context(session(access, Needs.VAULT)).connection
        opened = connection.ask(Open(wanted), Opened)
        if not access.as_json:
            _show(opened)
        if folder is not None:
            from meshnews_cli.saving import Saving

            saving = Saving(connection, opened, folder, as_json=access.as_json)
            saving.run()
            saved = saving.saved
        missing = sum(not each.let_go for each in opened.attachments) - len(saved)
        # Asked again also when it was begun before: it may have been interrupted.
        if let_go and not missing:
            connection.ask(LetGo(opened.id), Done)
    if access.as_json:
        fields = shape(opened)
        assert isinstance(fields, dict)
        names = [saved.get(index) for index in range(len(opened.attachments))]
        click.echo(to_json({**fields, "saved": names}))
    if folder is not None and missing:
        raise filing_complaint.save_incomplete(missing)


def _folder(path: Path | None, closing: contextlib.ExitStack) -> "Folder | None":
    if path is None:
        return None
    from meshnews_cli.folder import Folder

    folder = Folder(path)
    closing.callback(folder.close)
    return folder


def _show(opened: "Opened") -> None:
    from meshnews_cli.names import file_name
    from meshnews_cli.sentences import ALARMS, VERDICTS, author
    from meshnews_cli.terminal import byte_size, moment, percent, quote, row, say

    row(f"{opened.slug}  ({opened.priority} {opened.kind} {opened.id})")
    say(author(opened.byline, opened.kind), first="From      ")
    say(VERDICTS[opened.verdict], first="Verified  ")
    for alarm in opened.alarms:
        say(ALARMS[alarm], first="Alarm     ")
    if opened.claimed_at is not None:
        say(f"{moment(opened.claimed_at)}, says the author", first="Written   ")
    if opened.arrived_at is not None:
        say(moment(opened.arrived_at), first="Came in   ")
    if opened.in_reply_to is not None:
        say(opened.in_reply_to, first="Answers   ")
    for index, attachment in enumerate(opened.attachments):
        name = file_name(attachment.name, number=index + 1)
        here = "complete"
        if not attachment.complete:
            part = percent(attachment.bytes_here, attachment.size)
            here = f"{byte_size(attachment.bytes_here)} of it here ({min(part, 99)} %)"
        if attachment.let_go:
            here = "let go"
        say(
            f"{index + 1}. {name}, {attachment.role}, {byte_size(attachment.size)}, {here}",
            first="Attached  ",
        )
    if opened.text:
        click.echo()
        quote(opened.text)
        click.echo()
