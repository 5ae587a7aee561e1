"""``meshnews enrol``: join a desk, by invitation or by files."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshnews_cli.options import Command, FilePath, with_access
from meshnews_cli.session import Access, Needs, session

if TYPE_CHECKING:
    from meshnews.control.enrol_reply import Enrolled
    from meshnews.control.fact import SafetyWords


@click.command(cls=Command)
@click.argument("code", required=False, nargs=-1)
@click.option("--qr", type=FilePath, metavar="PICTURE", help="Read the invitation from a picture.")
@click.option("--stop", is_flag=True, help="Give up joining by invitation.")
@click.option("--request", type=FilePath, metavar="FILE", help="Write this home's request to FILE.")
@click.option("--card", type=FilePath, metavar="FILE", help="Take in the card that came back.")
@click.option(
    "--words-compared",
    is_flag=True,
    help="For scripts: say yes to the eight words without asking.",
)
@with_access
def enrol(
    access: Access,
    code: tuple[str, ...],
    qr: Path | None,
    request: Path | None,
    card: Path | None,
    *,
    stop: bool,
    words_compared: bool,
) -> None:
    """Join a desk, with the CODE of an invitation.

    The daemon has to run. It finds the desk's machine on any network that both
    are on, and shows eight words; the desk sees the same. Compare them over a
    call or in person. A relay joins without words. Spaces, dashes and capitals
    in the CODE do not matter, and an interrupted joining goes on with the same
    CODE.

    Without any network it goes by files. First --request: it writes a file for
    the desk and shows eight words. Then --card, with the file that the desk
    made from the request: it shows the eight words of the desk, and takes the
    card when you say that they are the same there.
    """
    ways = [bool(code), qr is not None, stop, request is not None, card is not None]
    if ways.count(True) != 1:
        raise click.UsageError("Give one of CODE, --qr, --stop, --request and --card")
    if request is not None:
        _make_request(access, request)
    elif card is not None:
        _take_card(access, card, words_compared=words_compared)
    else:
        from meshnews_cli import joining

        if stop:
            joining.stop(access)
            return
        if qr is not None:
            from meshnews_cli.qr import read_invitation

            typed = read_invitation(qr)
        else:
            typed = " ".join(code)
        taken = joining.join(access, typed, words_compared=words_compared)
        _show_enrolled(access, taken)
        if not access.as_json:
            _show_desk_words(taken.words)


def _make_request(access: Access, path: Path) -> None:
    from meshnews.control.enrol_reply import RequestMade
    from meshnews.control.enrol_request import EnrolRequest
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


def _take_card(access: Access, path: Path, *, words_compared: bool) -> None:
    from meshnews.control.content import CARD_FILE_BYTES_MAX
    from meshnews.control.desk_reply import CardWords
    from meshnews.control.enrol_reply import Enrolled
    from meshnews.control.enrol_request import EnrolCard
    from meshnews_cli import complaint, words
    from meshnews_cli.folder import read_small
    from meshnews_cli.terminal import note

    card = read_small(path, CARD_FILE_BYTES_MAX)
    with session(access, Needs.VAULT) as conversation:
        shown = conversation.connection.ask(EnrolCard(card), CardWords)
        note(
            "These words stand for the desk whose card this is. Compare them with your desk over "
            "a call or in person:"
        )
        words.show(shown.words)
        note()
        if not words_compared:
            words.confirm("Are all eight the same?", complaint.desk_not_confirmed())
        taken = conversation.connection.ask(EnrolCard(card, confirmed=True), Enrolled)
    _show_enrolled(access, taken)
    if not access.as_json:
        note()
        note("The card file is of no more use now; delete it.")


def _show_enrolled(access: Access, taken: "Enrolled") -> None:
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import say

    if access.as_json:
        click.echo(to_json(taken))
        return
    desk = taken.desk_name or taken.desk
    name = f" as {taken.name}" if taken.name else ""
    until = f", until {taken.valid_until}" if taken.valid_until is not None else ""
    say(f"Enrolled with the desk {desk}{name} ({taken.role}{until}).")


def _show_desk_words(desk_words: "SafetyWords") -> None:
    from meshnews_cli import words
    from meshnews_cli.terminal import note

    note()
    note("These words stand for the desk. Everybody who belongs to it sees the same:")
    words.show(desk_words)
