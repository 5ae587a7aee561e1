"""``meshnews init``: make a home."""

from typing import TYPE_CHECKING, Final

import click

from meshnews_cli.options import Command, with_access
from meshnews_cli.session import Access, Needs, session

if TYPE_CHECKING:
    from meshnews.control.fact import Role, Visibility

_NEXT: Final = {
    "reporter": "Next: `meshnews enrol --request FILE`, and get FILE to your desk.",
    "relay": "Next: `meshnews enrol --request FILE`, and get FILE to the desk it works for.",
    "editor": "Next: `meshnews desk create NAME --root-folder DIR` for a new desk, or "
    "`meshnews enrol --request FILE` to join one.",
}


@click.command(cls=Command)
@click.option(
    "--role",
    type=click.Choice(["reporter", "relay", "editor"]),
    required=True,
    help="What the home is for.",
)
@click.option(
    "--endpoint", is_flag=True, help="It stands on the internet: with relay, a collector."
)
@click.option(
    "--visibility",
    type=click.Choice(["open", "veiled", "silent"]),
    help="Who may notice it on a network; asked for at a terminal.",
)
@with_access
def init(access: Access, role: str, *, endpoint: bool, visibility: str | None) -> None:
    """Make a home.

    A reporter's and an editor's home has a passphrase, which is asked for
    twice. It cannot be recovered. A relay has none: it must start by itself,
    and there is nothing on it to read.

    Who may notice the home on a network is asked for too: a relay's is open
    unless you say otherwise, a person's silent. It can be changed in config.toml.
    """
    from meshnews.control.fact import Role
    from meshnews.control.refusal import home_exists
    from meshnews.control.reply import HomeMade
    from meshnews.control.request import Init
    from meshnews_cli import secret
    from meshnews_cli.shape import to_json
    from meshnews_cli.terminal import note, row, say

    if role == "reporter" and endpoint:
        raise click.UsageError("--endpoint goes with the roles relay and editor")
    if role == "relay" and access.passphrase_file is not None:
        raise click.UsageError("a relay has no passphrase")
    with session(access, Needs.NOTHING) as (conversation):
        if conversation.welcome.role is not None:
            raise home_exists()
        wish = _visibility(access, Role(role), endpoint=endpoint, given=visibility)
        passphrase = None
        if role != "relay":
            passphrase = secret.new("New passphrase: ", access.passphrase_file)
        asked = Init(Role(role), endpoint, passphrase, wish)
        made = conversation.connection.ask(asked, HomeMade)
    if access.as_json:
        click.echo(
            to_json({"home": str(access.home), "role": made.role, "endpoint": made.endpoint})
        )
        return
    kind = "collector" if role == "relay" and endpoint else role
    article = "An" if kind == "editor" else "A"
    row(f"{article} {kind}'s home is ready: {access.home}")
    if role == "editor" and endpoint:
        note(
            "Editor and collector in one home put the desk's keys on a machine that strangers "
            "may call. That is good for trying out, not for work."
        )
    say(_NEXT[role])


def _visibility(
    access: Access, role: "Role", *, endpoint: bool, given: str | None
) -> "Visibility | None":
    """Return what was said about who may notice the home; None: nobody was there to say it."""
    from meshnews.control.fact import Visibility, usual_visibility
    from meshnews_cli.visibility import ask, may_ask

    if given is not None:
        return Visibility(given)
    if access.as_json or not may_ask(access.home):
        return None
    return ask(usual_visibility(role, endpoint=endpoint))
