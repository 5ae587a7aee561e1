"""Says who can notice this machine, and where; asks who shall."""

import sys
from pathlib import Path
from typing import Final

import click

from meshnews.control.fact import Visibility
from meshnews.control.place import CONFIG_NAME
from meshnews.control.reply import Visible
from meshnews_cli.sentences import VISIBILITIES, offer_of
from meshnews_cli.terminal import moment, note, say

_COLUMN: Final = 10


def may_ask(home: Path) -> bool:
    """Tell whether a person is there to be asked, and has not said it in a configuration."""
    is_there = sys.stdin.isatty() and sys.stderr.isatty()
    return is_there and not (home / CONFIG_NAME).exists()


def ask(usual: Visibility) -> Visibility:
    """Return what a person at the terminal chooses; Return alone is what is usual.

    Raises:
        click.Abort: they went away.
    """
    note("Who may notice this machine on the networks that it will be on?")
    for visibility in Visibility:
        note(offer_of(visibility, usual=usual), first=f"  {visibility.value}".ljust(_COLUMN))
    choice = click.Choice([each.value for each in Visibility])
    answer: str = click.prompt("Your choice", type=choice, default=usual.value, err=True)
    return Visibility(answer)


def explain(visible: Visible) -> None:
    """Print who can notice this machine now, where, and until when."""
    say(VISIBILITIES[visible.visibility])
    if visible.interfaces:
        say(f"Only on {', '.join(visible.interfaces)}; elsewhere it is silent.")
    if visible.until is not None:
        say(f"It is silent again from {moment(visible.until)} on.")
