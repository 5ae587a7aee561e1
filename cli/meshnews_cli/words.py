"""Eight safety words: how they are shown, and how two people say that they agree."""

from collections.abc import Sequence

import click

from meshnews.control.fact import SafetyWord
from meshnews.errors import Refusal
from meshnews_cli.terminal import row

_COLUMNS = 4


def show(words: Sequence[SafetyWord]) -> None:
    """Print the words in two rows, with their numbers, to stderr."""
    cellsful = [f"{each.word:<10}{each.number:>4}" for each in words]
    for start in range(0, len(cellsful), _COLUMNS):
        row("    " + "    ".join(cellsful[start : start + _COLUMNS]), err=True)


def confirm(question: str, otherwise: Refusal) -> None:
    """Ask whether the words are the same, and go on only after a typed y.

    Raises:
        Refusal: `otherwise`, when they are not, or nobody answered.
    """
    try:
        agreed = are_same(question)
    except click.Abort as exc:
        raise otherwise from exc
    if not agreed:
        raise otherwise


def are_same(question: str) -> bool:
    """Ask whether the words are the same; Return alone is a no.

    Raises:
        click.Abort: nobody answered.
    """
    return click.confirm(question, default=False, err=True)
