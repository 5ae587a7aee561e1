"""``meshnews open``: read one item, and save what is attached to it."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshnews_cli.options import Command, FilePath, with_access
from meshnews_cli.session import Access, Needs, Session, session

if TYPE_CHECKING:
    from meshnews.control.reply import Opened
    from meshnews_cli.folder import Folder


@click.command(cls=Command, name="open")
@click.argument("item", metavar="ID")
@click.option(
    "--save", type=FilePath, metavar="DIR", help="Save text and attachments into the folder DIR."
)
@with_access
def open_item(access: Access, item: str, save: Path | None) -> None:
    """Read one item of the inbox, and save what is attached.

    An attachment is saved once it is complete, under a name made harmless;
    nothing is ever overwritten. Characters that could deceive the eye or the
    terminal are shown as <U+202E>; --json and --save give the text as it is.
    """
    from meshnews.control.reply import Opened
    from meshnews.control.request import Open
    from meshnews_cli import complaint
    from meshnews_cli.identify import item_id
    from meshnews_cli.shape import shape, to_json

    wanted = item_id(item)
    saved: dict[int, str] = {}
    with contextlib.ExitStack() as closing:
        folder = _folder(save, closing)
        conversation = closing.enter_context(session(access, Needs.VAULT))
        opened = conversation.connection.ask(Open(wanted), Opened)
        if not access.as_json:
            _show(opened)
        if folder is not None:
            _save_text(opened, folder, is_told=not access.as_json)
            saved = _save_all(conversation, opened, folder, is_told=not access.as_json)
    if access.as_json:
        fields = shape(opened)
        assert isinstance(fields, dict)
        names = [saved.get(index) for index in range(len(opened.attachments))]
        click.echo(to_json({**fields, "saved": names}))
    missing = len(opened.attachments) - len(saved)
    if folder is not None and missing:
        raise complaint.save_incomplete(missing)


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
    from meshnews_cli.terminal import byte_size, moment, quote, row, say

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
            percent = 100 * attachment.bytes_here // max(attachment.size, 1)
            here = f"{min(percent, 99)} % here"
        say(
            f"{index + 1}. {name}, {attachment.role}, {byte_size(attachment.size)}, {here}",
            first="Attached  ",
        )
    if opened.text:
        click.echo()
        quote(opened.text)
        click.echo()


def _save_all(
    conversation: Session, opened: "Opened", folder: "Folder", *, is_told: bool
) -> dict[int, str]:
    """Save the complete attachments; return their names by index."""
    saved = {}
    for index, attachment in enumerate(opened.attachments):
        if attachment.complete:
            saved[index] = _save_one(conversation, opened, index, folder)
            _tell(folder, saved[index], is_told=is_told)
    return saved


def _tell(folder: "Folder", name: str, *, is_told: bool) -> None:
    from meshnews_cli.terminal import row

    if is_told:
        row(f"Saved {folder.path / name}")


def _save_one(conversation: Session, opened: "Opened", index: int, folder: "Folder") -> str:
    from meshnews.control.refusal import save_failed
    from meshnews.control.reply import AttachmentSaved
    from meshnews.control.request import SaveAttachment
    from meshnews_cli import complaint
    from meshnews_cli.folder import is_content
    from meshnews_cli.names import file_name
    from meshnews_cli.progress import ProgressLine

    attachment = opened.attachments[index]
    wished = file_name(attachment.name, number=index + 1)
    already = folder.find(wished, attachment.size, attachment.sha256)
    if already is not None:
        return already
    names = [file_name(each.name, number=at + 1) for at, each in enumerate(opened.attachments)]
    try:
        with (
            folder.temporary() as (descriptor, name_it),
            contextlib.closing(ProgressLine(names)) as line,
        ):
            conversation.connection.ask(
                SaveAttachment(opened.id, index),
                AttachmentSaved,
                descriptors=[descriptor],
                on_event=line.hear,
            )
            if not is_content(descriptor, attachment.size, attachment.sha256):
                raise complaint.save_mismatch(index + 1)
            return name_it(wished)
    except OSError as exc:
        raise save_failed(index + 1) from exc


def _save_text(opened: "Opened", folder: "Folder", *, is_told: bool) -> None:
    import hashlib
    import os

    from meshnews_cli import complaint

    body = opened.text.encode("utf-8")
    wished = f"{opened.id}.txt"
    name = folder.find(wished, len(body), hashlib.sha256(body).digest())
    if name is None:
        try:
            with folder.temporary() as (descriptor, name_it):
                with os.fdopen(descriptor, "wb", closefd=False) as file:
                    file.write(body)
                name = name_it(wished)
        except OSError as exc:
            raise complaint.unwritable(folder.path / wished, exc) from exc
    _tell(folder, name, is_told=is_told)
