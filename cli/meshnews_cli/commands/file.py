"""``meshnews file``: seal a dispatch for the desk and queue it."""

import contextlib
import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshnews_cli.options import Command, FilePath, with_access
from meshnews_cli.session import Access, Needs, session

if TYPE_CHECKING:
    from meshnews.control.reply import Filed


@click.command(cls=Command)
@click.argument("text_file", type=FilePath, required=False, metavar="[TEXT-FILE|-]")
@click.option("--slug", required=True, metavar="WORD", help="One short word for the story.")
@click.option("--flash", is_flag=True, help="Travels before everything else; must be short.")
@click.option("--urgent", is_flag=True, help="Travels right after flashes; must be short.")
@click.option(
    "--attach", type=FilePath, multiple=True, metavar="FILE", help="Attach FILE; may be repeated."
)
@click.option("--now", is_flag=True, help="Offer it at once. Its first sighting may point to you.")
@click.option("--forget", is_flag=True, help="Keep no note of it here; status will not show it.")
@with_access
def file(
    access: Access,
    text_file: Path | None,
    slug: str,
    attach: tuple[Path, ...],
    *,
    flash: bool,
    urgent: bool,
    now: bool,
    forget: bool,
) -> None:
    """Seal a dispatch for the desk and queue it; print its id.

    The text comes from TEXT-FILE, or from standard input (-, or no name and no
    attachment). Once sealed, nobody but the desk can open it, this machine
    included. Your own files stay where they are.
    """
    from meshnews.control.fact import Priority
    from meshnews.control.reply import Filed
    from meshnews.control.request import File
    from meshnews.limits import ATTACHMENTS_MAX
    from meshnews_cli import complaint, material
    from meshnews_cli.progress import ProgressLine

    if flash and urgent:
        raise click.UsageError("Give either --flash or --urgent")
    if len(attach) > ATTACHMENTS_MAX:
        raise complaint.attachments_many(ATTACHMENTS_MAX)
    word = material.slug_of(slug)
    with contextlib.ExitStack() as closing:
        attachments = []
        for number, path in enumerate(attach, start=1):
            attachments.append(material.Attachment(path, number))
            closing.callback(attachments[-1].close)
        source = text_file or (None if attach else material.STDIN)
        text = material.read_text(source) if source is not None else ""
        if not text.strip() and not attachments:
            raise complaint.nothing_to_file()
        conversation = closing.enter_context(session(access, Needs.VAULT))
        today = None if conversation.welcome.clock_sure else _ask_date(source)
        request = File(
            text=text,
            slug=word,
            priority=Priority.FLASH if flash else Priority.URGENT if urgent else Priority.ROUTINE,
            now=now,
            forget=forget,
            today=today,
            attachments=tuple(each.offer for each in attachments),
        )
        line = ProgressLine([each.offer.name for each in attachments])
        closing.callback(line.close)
        filed = conversation.connection.ask(
            request,
            Filed,
            descriptors=[each.descriptor for each in attachments],
            on_event=line.hear,
        )
        once = conversation.welcome.once
    _report(access, filed, once=once)


def _report(access: Access, filed: "Filed", *, once: bool) -> None:
    from meshnews_cli.sentences import FILING_WARNINGS, NOTHING_MOVES
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import moment, note

    if access.as_json:
        click.echo(to_json(filed))
        return
    click.echo(filed.id)
    note("Filed: sealed for the desk, and no longer readable here.")
    if filed.release_at is not None:
        note(
            f"It is offered to neighbours from {moment(filed.release_at)} on, so that its first "
            "sighting does not name you."
        )
    if filed.expires_on is not None:
        note(f"It is carried until {filed.expires_on}.")
    if filed.forgotten:
        note("This machine keeps no note of it; `meshnews status` will not show it.")
    for warning in filed.warnings:
        note(FILING_WARNINGS[warning])
    if once:
        note(NOTHING_MOVES)


def _ask_date(source: Path | None) -> dt.date | None:
    """Ask for today's date where somebody can answer; None when nobody does."""
    from meshnews_cli.material import STDIN
    from meshnews_cli.terminal import note

    if source == STDIN or not sys.stdin.isatty():
        return None
    note("This machine does not know the date. A wrong one can make a dispatch expire early.")
    while True:
        typed = click.prompt(
            "Today's date as YYYY-MM-DD (empty if you are not sure)",
            default="",
            show_default=False,
            err=True,
        ).strip()
        if not typed:
            return None
        with contextlib.suppress(ValueError):
            return dt.date.fromisoformat(typed)
        note("That is not a date like 2026-11-21.")
