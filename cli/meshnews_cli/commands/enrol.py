"""``meshnews enrol``: join a desk by files, with no network between."""

from pathlib import Path

import click

from meshnews_cli.options import Command, FilePath, with_access
from meshnews_cli.session import Access, Needs, session


@click.command(cls=Command)
@click.option("--request", type=FilePath, metavar="FILE", help="Write this home's request to FILE.")
@click.option("--card", type=FilePath, metavar="FILE", help="Take in the card that came back.")
@with_access
def enrol(access: Access, request: Path | None, card: Path | None) -> None:
    """Join a desk, by files.

    First --request: it writes a file for the desk and shows eight words. The
    desk sees the same words; compare them over a call or in person. Then
    --card, with the file that the desk made from the request.
    """
    if (request is None) == (card is None):
        raise click.UsageError("Give either --request FILE or --card FILE")
    if request is not None:
        _make_request(access, request)
    elif card is not None:
        _take_card(access, card)


def _make_request(access: Access, path: Path) -> None:
    from meshnews.control.reply import RequestMade
    from meshnews.control.request import EnrolRequest
    from meshnews_cli import words
    from meshnews_cli.folder import new_file
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import note, row

    with new_file(path) as fill, session(access, Needs.VAULT) as conversation:
        made = conversation.connection.ask(EnrolRequest(), RequestMade)
        fill(made.request)
    if access.as_json:
        fields = {"file": str(path), "role": made.role, "words": made.words}
        click.echo(to_json({**fields, "key": made.key} if made.key else fields))
        return
    row(f"The request: {path}")
    if made.key:
        row(f"Its key begins with: {made.key}")
    note("Get it to your desk by any way there is.")
    note()
    note("The desk will see these words. Compare them over a call or in person:")
    words.show(made.words)
    note()
    note("What comes back goes in with `meshnews enrol --card FILE`.")


def _take_card(access: Access, path: Path) -> None:
    from meshnews.control.reply import Enrolled
    from meshnews.control.request import CARD_FILE_BYTES_MAX, EnrolCard
    from meshnews_cli import words
    from meshnews_cli.folder import read_small
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import note, say

    card = read_small(path, CARD_FILE_BYTES_MAX)
    with session(access, Needs.VAULT) as conversation:
        taken = conversation.connection.ask(EnrolCard(card), Enrolled)
    if access.as_json:
        click.echo(to_json(taken))
        return
    desk = taken.desk_name or taken.desk
    name = f" as {taken.name}" if taken.name else ""
    until = f", until {taken.valid_until}" if taken.valid_until is not None else ""
    say(f"Enrolled with the desk {desk}{name} ({taken.role}{until}).")
    note()
    note("These words stand for the desk. Everybody who belongs to it sees the same:")
    words.show(taken.words)
    note()
    note("The card file is of no more use now; delete it.")
