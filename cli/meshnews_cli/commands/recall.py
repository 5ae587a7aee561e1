"""``meshnews desk recall``: make a card, a relay or an editor be believed no more."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from meshnews_cli.options import Command, FilePath, with_access
from meshnews_cli.session import Access, Needs, session

if TYPE_CHECKING:
    from meshnews.control.holder import Holder
    from meshnews.control.recall_reply import Recalled, RootSigned

_KEY_SHOWN_DIGITS = 16


@click.command(cls=Command)
@click.argument("who", required=False)
@click.option("--signed", type=FilePath, metavar="FILE", help="What `desk sign` wrote.")
@click.option("--own", is_flag=True, help="Write a recall of this home, to be left with somebody.")
@click.option("-o", "--output", type=FilePath, metavar="FILE", help="Write to FILE.")
@click.option("--yes", is_flag=True, help="For scripts: do not ask before it takes effect.")
@with_access
def recall(
    access: Access,
    who: str | None,
    signed: Path | None,
    output: Path | None,
    *,
    own: bool,
    yes: bool,
) -> None:
    """Recall a reporter's card, a relay or an editor, in two steps with a signature between.

    WHO is a name, or how a key begins; without it everybody with a card is
    listed. First it writes a file for the root's keeper to sign. With
    --signed, what came back takes effect: all are told, and the keys that the
    recalled holder knew are replaced. It cannot be taken back.

    With --own anybody but a relay can write a recall of their own home in
    advance. Who has that file can have the home recalled, and no more.
    """
    if sum((who is not None, signed is not None, own)) > 1:
        raise click.UsageError("Give one of WHO, --signed FILE and --own")
    if own:
        _write_own(access, output)
    elif signed is not None:
        _publish(access, signed, yes=yes)
    elif who is not None:
        _prepare(access, who, output)
    else:
        _list(access)


def _list(access: Access) -> None:
    from meshnews.control.desk_request import DeskHolders
    from meshnews.control.recall_reply import HolderListing
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import row, say

    with session(access, Needs.VAULT) as conversation:
        listing = conversation.connection.ask(DeskHolders(), HolderListing)
    if access.as_json:
        click.echo(to_json(listing))
        return
    for one in listing.holders:
        row(f"{one.role.value:<9}  {one.key[:_KEY_SHOWN_DIGITS]}  {one.name}".rstrip())
        for remark in _remarks(one):
            say(remark, first="  ")


def _remarks(one: "Holder") -> list[str]:
    remarks = []
    if one.own:
        remarks.append("This home.")
    if one.recalled:
        remarks.append("Recalled.")
    if one.owed:
        remarks.append("It has not confirmed its new keys.")
    return remarks


def _prepare(access: Access, who: str, output: Path | None) -> None:
    from meshnews.control.desk_request import DeskRecall
    from meshnews.control.recall_reply import RecallPrepared
    from meshnews_cli import words
    from meshnews_cli.folder import new_file
    from meshnews_cli.identify import name_of
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import note, row

    with session(access, Needs.VAULT) as conversation:
        made = conversation.connection.ask(DeskRecall(name_of(who)), RecallPrepared)
    target = output or Path(f"recall-{made.holder.key[:8]}.unsigned")
    with new_file(target) as fill:
        fill(made.recall)
    if access.as_json:
        click.echo(to_json({"file": str(target), "holder": made.holder}))
        return
    row(f"To be signed with the root key: {target}")
    note(f"It recalls {_named(made.holder)}. Whoever signs it is shown these words of its key:")
    words.show(made.holder.words)
    note()
    note(
        f"Next, where the root key is: `meshnews desk sign {target.name} --root-folder DIR`. Then "
        "here: `meshnews desk recall --signed FILE`."
    )


def _publish(access: Access, signed: Path, *, yes: bool) -> None:
    from meshnews.control.desk_request import DeskRecallSigned
    from meshnews.control.recall_reply import Recalled, RecallShown
    from meshnews.desk.limits import RECALL_BYTES_MAX
    from meshnews_cli import complaint
    from meshnews_cli.folder import read_small

    body = read_small(signed, RECALL_BYTES_MAX)
    with session(access, Needs.VAULT) as conversation:
        shown = conversation.connection.ask(DeskRecallSigned(signed=body), RecallShown)
        if not yes and not _is_meant(shown.holder):
            raise complaint.recall_not_meant()
        made = conversation.connection.ask(DeskRecallSigned(signed=body, confirmed=True), Recalled)
    _report(access, made, once=conversation.welcome.once)


def _is_meant(holder: "Holder") -> bool:
    try:
        return click.confirm(
            f"Recall {_named(holder)}? It cannot be taken back.", default=False, err=True
        )
    except click.Abort:
        return False


def _report(access: Access, made: "Recalled", *, once: bool) -> None:
    from meshnews_cli.sentences import NOTHING_MOVES
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import count, note, say

    if access.as_json:
        click.echo(to_json(made))
        return
    say(f"Recalled: {_named(made.holder)}.")
    note(
        f"New keys: those of {count(made.relays, 'relay')} and the desk's own. "
        f"{count(made.owed, 'other holder')} will be told, each by a letter of its own. What came "
        "from there and is opened from now on is shown as unproven."
    )
    note("`meshnews doctor` says how many have not confirmed the new keys yet.")
    if once:
        note(NOTHING_MOVES)


def _write_own(access: Access, output: Path | None) -> None:
    from meshnews.control.enrol_request import RecallOwn
    from meshnews.control.recall_reply import OwnRecall
    from meshnews_cli.folder import new_file
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import note, row

    target = output or Path("own.recall")
    with new_file(target) as fill, session(access, Needs.VAULT) as conversation:
        made = conversation.connection.ask(RecallOwn(), OwnRecall)
        fill(made.recall)
    if access.as_json:
        click.echo(to_json({"file": str(target)}))
        return
    row(f"A recall of this home: {target}")
    note(
        "Leave it with somebody you trust. When an editor gives it to `meshnews desk recall "
        "--signed FILE`, this home is recalled, without the root key."
    )


def report_signed_recall(access: Access, made: "RootSigned", target: Path) -> None:
    """Say what was signed, when it was a recall."""
    from meshnews.control.recall_reply import RecallSigned
    from meshnews_cli import words
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import moment, note, row

    assert isinstance(made, RecallSigned), "roots sign manifests and recalls"
    if access.as_json:
        fields = {"desk": made.desk, "words": made.words, "since": made.since}
        click.echo(to_json({"file": str(target), **fields}))
        return
    row(f"Signed: {target}")
    since = f", from {moment(made.since)} on" if made.since is not None else ""
    note(f"It recalls one holder of a card of the desk {made.desk}{since}. Its key's words:")
    words.show(made.words)
    note()
    note("If the editor did not tell you these, delete it. Otherwise it goes back to the editor.")


def _named(holder: "Holder") -> str:
    from meshnews_cli.terminal import safe_line

    role = {"reporter": "the reporter", "relay": "the relay", "editor": "the editor"}
    name = safe_line(holder.name) or f"with the key {holder.key[:_KEY_SHOWN_DIGITS]}"
    return f"{role[holder.role.value]} {name}"
