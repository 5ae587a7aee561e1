"""``meshnews desk``: make a desk; enrol reporters, relays and editors."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshnews_cli import complaint, file_complaint
from meshnews_cli.commands.endpoint import endpoint
from meshnews_cli.commands.invite import invite, pending
from meshnews_cli.commands.recall import recall, report_signed_recall
from meshnews_cli.identify import name_of
from meshnews_cli.options import Command, FilePath, with_access
from meshnews_cli.session import Access, Needs, session

if TYPE_CHECKING:
    from meshnews.control.desk_reply import DeskMade
    from meshnews.control.fact import SafetyWords
    from meshnews.control.recall_reply import RootSigned


@click.group()
def desk() -> None:
    """Make a desk; enrol people and relays."""


def _out(given: Path | None, source: Path, suffix: str) -> Path:
    """Return where to write: as given, else beside the source under another ending."""
    return given if given is not None else source.with_name(source.name + suffix)


@desk.command(cls=Command)
@click.argument("name")
@click.option(
    "--root-folder",
    type=FilePath,
    required=True,
    metavar="DIR",
    help="Where the root key goes: a folder on a stick.",
)
@click.option(
    "--root-passphrase-file",
    type=FilePath,
    metavar="FILE",
    help="Read the root key's passphrase from FILE instead of asking.",
)
@with_access
def create(access: Access, name: str, root_folder: Path, root_passphrase_file: Path | None) -> None:
    """Make a desk, with this home as its first editor.

    The root key goes to DIR under a passphrase of its own and is kept nowhere
    else. It is needed to add or recall editors. Keep the stick away from this
    machine, and copies of it in other places.
    """
    from meshnews.control.desk_reply import DeskMade
    from meshnews.control.desk_request import DeskCreate
    from meshnews_cli import secret
    from meshnews_cli.folder import NewFile

    wished = name_of(name)
    _require_outside(root_folder, access.home)
    with contextlib.ExitStack() as closing:
        file = NewFile(root_folder / "root-1.key")
        closing.callback(file.close)
        conversation = closing.enter_context(session(access, Needs.VAULT))
        passphrase = secret.new(
            "New passphrase of the root key: ",
            root_passphrase_file,
            option="--root-passphrase-file",
        )
        request = DeskCreate(wished, passphrase)
        made = conversation.connection.ask(request, DeskMade, descriptors=[file.lend()])
    _report_desk(access, made, file.path)


def _report_desk(access: Access, made: "DeskMade", root: Path) -> None:
    from meshnews_cli import words
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import note, row, say

    if access.as_json:
        fields = {"desk": made.desk, "name": made.name, "words": made.words}
        click.echo(to_json({**fields, "root_files": [str(root)]}))
        return
    say(f"The desk {made.name} is made ({made.desk}).")
    row(f"Root key: {root}")
    note()
    note(
        "Whoever has the root key and its passphrase is the desk. Keep it on a stick away from "
        "this machine, and a copy in another place: without it no editor can be added or recalled."
    )
    if root.stat().st_dev == access.home.stat().st_dev:
        note("The folder is on the same disk as this home. Move the file to a stick.")
    note()
    note("These words stand for the desk. Everybody who joins sees the same:")
    words.show(made.words)
    note()
    note("Next: `meshnews desk invite --byline NAME` for each reporter.")


def _require_outside(folder: Path, home: Path) -> None:
    if not folder.is_dir():
        raise file_complaint.no_folder(folder)
    if folder.resolve().is_relative_to(home.resolve()):
        raise file_complaint.folder_in_home(folder)


desk.add_command(invite)
desk.add_command(pending)
desk.add_command(recall)
desk.add_command(endpoint)

_REQUEST = click.argument("request", type=FilePath)
_COMPARED = click.option(
    "--words-compared",
    is_flag=True,
    help="For scripts: the eight words were compared already; do not ask.",
)


@desk.command(cls=Command)
@_REQUEST
@click.option("--byline", metavar="NAME", help="Make a reporter's card; may be a pseudonym.")
@click.option("--relay", metavar="NAME", help="Make a relay's card.")
@click.option("--near", multiple=True, metavar="RELAY", help="A relay it should use or be near.")
@click.option("-o", "--output", type=FilePath, required=True, metavar="FILE", help="Write to FILE.")
@_COMPARED
@with_access
def card(  # noqa: PLR0917  click passes all by name
    access: Access,
    request: Path,
    byline: str | None,
    relay: str | None,
    near: tuple[str, ...],
    output: Path,
    *,
    words_compared: bool,
) -> None:
    """Make a card from the REQUEST of a reporter or a relay.

    It shows eight words; whoever made the request sees the same. Compare them
    over a call or in person before you say yes. The card is sealed to the
    request: nobody else can use it.
    """
    from meshnews.control.desk_reply import CardMade, CardWords
    from meshnews.control.desk_request import DeskCard
    from meshnews.desk.limits import RELAYS_NAMED_ON_CARD
    from meshnews_cli.folder import new_file
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import row, say

    if (byline is None) == (relay is None):
        raise click.UsageError("Give either --byline NAME or --relay NAME")
    if len(near) > RELAYS_NAMED_ON_CARD:
        raise click.UsageError(f"--near can be given at most {RELAYS_NAMED_ON_CARD} times")
    asked = DeskCard(
        request=_read_request(request),
        byline=name_of(byline) if byline is not None else None,
        relay=name_of(relay) if relay is not None else None,
        near=tuple(name_of(each) for each in near),
    )
    with new_file(output) as fill, session(access, Needs.VAULT) as conversation:
        shown = conversation.connection.ask(asked, CardWords)
        _compare(shown.words, is_done=words_compared)
        confirmed = DeskCard(
            request=asked.request,
            byline=asked.byline,
            relay=asked.relay,
            near=asked.near,
            confirmed=True,
        )
        made = conversation.connection.ask(confirmed, CardMade)
        fill(made.card)
    if access.as_json:
        fields = {"role": made.role, "name": made.name, "valid_until": made.valid_until}
        said = {"words": shown.words, "desk_words": made.desk_words}
        click.echo(to_json({"file": str(output), **fields, **said}))
        return
    until = f" It is good until {made.valid_until}." if made.valid_until is not None else ""
    say(f"Made for {made.name} ({made.role}).{until}")
    row(f"The card: {output}")
    _tell_what_is_next(made.desk_words)


@desk.command(cls=Command)
@_REQUEST
@click.option("--signed", type=FilePath, metavar="FILE", help="What `desk sign` wrote.")
@click.option("-o", "--output", type=FilePath, metavar="FILE", help="Write to FILE.")
@_COMPARED
@with_access
def editor(
    access: Access,
    request: Path,
    signed: Path | None,
    output: Path | None,
    *,
    words_compared: bool,
) -> None:
    """Add an editor, in two steps with a signature between.

    From the REQUEST of an editor's home it first writes a file for the root's
    keeper to sign (REQUEST.unsigned). With --signed, what came back takes
    effect and the new editor's card is written (REQUEST.card).
    """
    if signed is None:
        target = _out(output, request, ".unsigned")
        _prepare_editor(access, request, target, words_compared=words_compared)
    else:
        _finish_editor(access, request, signed, _out(output, request, ".card"))


def _prepare_editor(access: Access, request: Path, output: Path, *, words_compared: bool) -> None:
    from meshnews.control.desk_reply import EditorPrepared
    from meshnews.control.desk_request import DeskEditor
    from meshnews_cli.folder import new_file
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import count, note, row

    body = _read_request(request)
    with new_file(output) as fill, session(access, Needs.VAULT) as conversation:
        made = conversation.connection.ask(DeskEditor(body), EditorPrepared)
        _compare(made.words, is_done=words_compared)
        fill(made.manifest)
    if access.as_json:
        fields = {"version": made.version, "editors": made.editors, "words": made.words}
        click.echo(to_json({"file": str(output), **fields}))
        return
    row(f"To be signed with the root key: {output}")
    note(
        f"It is list {made.version} of the desk's editors and names "
        f"{count(made.editors, 'editor')}."
    )
    note(
        f"Next, where the root key is: `meshnews desk sign {output.name} --root-folder DIR`. Then "
        f"here: `meshnews desk editor {request.name} --signed FILE`."
    )


def _finish_editor(access: Access, request: Path, signed: Path, output: Path) -> None:
    from meshnews.control.desk_reply import EditorCardMade
    from meshnews.control.desk_request import DeskEditorSigned
    from meshnews.desk.limits import MANIFEST_BYTES_MAX
    from meshnews_cli.folder import new_file, read_small
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import row

    body, manifest = _read_request(request), read_small(signed, MANIFEST_BYTES_MAX)
    with new_file(output) as fill, session(access, Needs.VAULT) as conversation:
        made = conversation.connection.ask(DeskEditorSigned(manifest, body), EditorCardMade)
        fill(made.card)
    if access.as_json:
        click.echo(to_json({"file": str(output), "desk_words": made.desk_words}))
        return
    row(f"The editor's card: {output}")
    _tell_what_is_next(made.desk_words)


@desk.command(cls=Command)
@click.argument("file", type=FilePath)
@click.option(
    "--root-folder", type=FilePath, required=True, metavar="DIR", help="Where the root key is."
)
@click.option(
    "--root-passphrase-file",
    type=FilePath,
    metavar="FILE",
    help="Read the root key's passphrase from FILE instead of asking.",
)
@click.option("-o", "--output", type=FilePath, metavar="FILE", help="Write to FILE.")
@with_access
def sign(
    access: Access,
    file: Path,
    root_folder: Path,
    root_passphrase_file: Path | None,
    output: Path | None,
) -> None:
    """Sign what `desk editor` or `desk recall` prepared, with the root key.

    It needs no home and no network: use a machine that has neither. The
    signed file (FILE.signed) goes back to the editor.
    """
    import tempfile

    from meshnews.control.desk_request import DeskSign
    from meshnews.control.recall_reply import RootSigned
    from meshnews.desk.limits import MANIFEST_BYTES_MAX, ROOT_KEY_BYTES_MAX
    from meshnews_cli import secret
    from meshnews_cli.folder import new_file, read_small

    key_path = root_folder / "root-1.key"
    if not key_path.exists():
        raise file_complaint.root_file_missing(root_folder)
    manifest = read_small(file, MANIFEST_BYTES_MAX)
    key = read_small(key_path, ROOT_KEY_BYTES_MAX)
    target = _out(output, file, ".signed")
    with tempfile.TemporaryDirectory() as folder, new_file(target) as fill:
        # A home that is not there: a running daemon never sees the root.
        nowhere = Access(Path(folder) / "none", None, access.as_json)
        passphrase = secret.existing(
            "Passphrase of the root key: ", root_passphrase_file, option="--root-passphrase-file"
        )
        with session(nowhere, Needs.NOTHING) as conversation:
            made = conversation.connection.ask(DeskSign(manifest, key, passphrase), RootSigned)
        fill(made.signed)
    _report_signed(access, made, target)


def _report_signed(access: Access, made: "RootSigned", target: Path) -> None:
    from meshnews.control.desk_reply import ManifestSigned
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import count, note, row

    if not isinstance(made, ManifestSigned):
        report_signed_recall(access, made, target)
        return
    if access.as_json:
        fields = {"desk": made.desk, "version": made.version, "editors": made.editors}
        click.echo(to_json({"file": str(target), **fields, "valid_until": made.valid_until}))
        return
    row(f"Signed: {target}")
    note(
        f"It says: list {made.version} of the editors of the desk {made.desk}, "
        f"{count(made.editors, 'editor')}, good until {made.valid_until}."
    )
    note("If that is not what you expect, delete it. Otherwise it goes back to the editor.")


def _read_request(path: Path) -> bytes:
    from meshnews.desk.limits import REQUEST_BYTES_MAX
    from meshnews_cli.folder import read_small

    return read_small(path, REQUEST_BYTES_MAX)


def _tell_what_is_next(desk_words: "SafetyWords") -> None:
    from meshnews_cli import words
    from meshnews_cli.terminal import note

    note("It opens only in the home that made the request: `meshnews enrol --card FILE` there.")
    note()
    note("That home will show these words, which stand for the desk. Compare them again then:")
    words.show(desk_words)


def _compare(shown: "SafetyWords", *, is_done: bool) -> None:
    from meshnews_cli import words
    from meshnews_cli.terminal import note

    note("Whoever made the request sees these words. Compare them over a call or in person:")
    words.show(shown)
    note()
    if not is_done:
        words.confirm("Are all eight the same?", complaint.not_confirmed())
