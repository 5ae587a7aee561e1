"""``meshnews file``: seal a dispatch for the desk and queue it."""

import contextlib
import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshnews.control.fact import Priority
from meshnews.control.reply import Filed
from meshnews.control.request import File
from meshnews.errors import Refusal
from meshnews_cli.options import Command, FilePath, with_access
from meshnews_cli.session import Access, Needs, Session, session

if TYPE_CHECKING:
    from meshnews_cli.material import Attachment


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
    from meshnews.limits import ATTACHMENTS_MAX
    from meshnews_cli import filing_complaint, material, stopping_complaint

    if flash and urgent:
        raise click.UsageError("Give either --flash or --urgent")
    if len(attach) > ATTACHMENTS_MAX:
        raise filing_complaint.attachments_many(ATTACHMENTS_MAX)
    word = material.slug_of(slug)
    with contextlib.ExitStack() as closing:
        try:
            attachments = list(_opened(attach, closing))
            source = text_file or (None if attach else material.STDIN)
            text = material.read_text(source) if source is not None else ""
            if not text.strip() and not attachments:
                raise filing_complaint.nothing_to_file()
            conversation = closing.enter_context(session(access, Needs.VAULT))
            today = None if conversation.welcome.clock_sure else _ask_date(source)
        except (KeyboardInterrupt, click.Abort) as exc:
            raise stopping_complaint.filing_stopped() from exc
        request = File(
            text=text,
            slug=word,
            priority=Priority.FLASH if flash else Priority.URGENT if urgent else Priority.ROUTINE,
            now=now,
            forget=forget,
            today=today,
            attachments=tuple(each.offer for each in attachments),
        )
        filed = _file(access, conversation, request, attachments)
        # Told at once: a daemon of our own may take a while to put its stores away.
        _report(access, filed, once=conversation.welcome.once)


def _opened(paths: Sequence[Path], closing: contextlib.ExitStack) -> "Iterator[Attachment]":
    from meshnews_cli.material import Attachment

    for number, path in enumerate(paths, start=1):
        attachment = Attachment(path, number)
        closing.callback(attachment.close)
        yield attachment


def _file(
    access: Access, conversation: Session, request: File, attachments: "Sequence[Attachment]"
) -> Filed:
    """Ask for it, and show how far it is; Ctrl-C stops it with a word of what was done.

    Raises:
        Refusal: the daemon's, also when it was stopped; or nobody knows what was done.
    """
    from meshnews_cli import stopping_complaint
    from meshnews_cli.progress import Load, listener
    from meshnews_cli.stopping import Stopping

    loads = [Load(each.offer.name, each.offer.size) for each in attachments]
    shown = listener(loads, as_json=access.as_json, hint="Ctrl-C stops; then nothing is filed.")
    connection = conversation.connection
    with contextlib.closing(shown), Stopping(connection) as stopping:
        try:
            return connection.ask(
                request,
                Filed,
                descriptors=[each.descriptor for each in attachments],
                on_event=shown.hear,
            )
        except KeyboardInterrupt as exc:
            raise stopping_complaint.filing_unknown(forget=request.forget) from exc
        except Refusal as why:
            if stopping.is_asked and why.code in stopping_complaint.OUTCOME_UNKNOWN:
                raise stopping_complaint.filing_unknown(forget=request.forget) from why
            raise


def _report(access: Access, filed: Filed, *, once: bool) -> None:
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
