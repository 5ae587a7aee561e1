"""What the command line itself refuses, and how any refusal is shown.

    The passphrase is wrong.
    Meaning:  The vault stays closed. ...
    To do:    Try again; ...

The texts stand in the modules beside this one, by what they are about; here are those of
asking a person.  What the daemon refuses is in `meshnews.control.refusal`.
"""

from typing import Final

import click

from meshnews.errors import Refusal
from meshnews_cli.terminal import note

_UNCHANGED: Final = "Nothing was changed."


def show(why: Refusal, *, as_json: bool = False) -> None:
    """Print a refusal to stderr."""
    if as_json:
        from meshnews_cli.shape import to_json

        fields = {"code": why.code, "what": why.what, "meaning": why.meaning}
        click.echo(to_json({"refused": {**fields, "remedy": why.remedy}}), err=True)
        return
    note(why.what)
    note(why.meaning, first="Meaning:  ")
    note(why.remedy, first="To do:    ")


def reason(exc: OSError) -> str:
    """Return what the system says, as it stands in a sentence."""
    return (exc.strerror or "unknown error").lower()


def usage(message: str, command: str) -> Refusal:
    """The command line was typed wrongly."""
    return Refusal(
        "usage",
        what=message if message.endswith((".", "?")) else f"{message}.",
        meaning="The command was not understood, and nothing was done.",
        remedy=f"`{command} --help` shows how it is used.",
    )


def output_lost(exc: OSError) -> Refusal:
    """Standard output is a file, and its disk takes no more."""
    return Refusal(
        "output-lost",
        what=f"The output cannot be written ({reason(exc)}).",
        meaning="What the command was to do may be done; only the telling was cut off.",
        remedy="Make room for the output, and look with `meshnews status` before you repeat what "
        "files or changes something.",
    )


def recall_not_meant() -> Refusal:
    """A person was asked whether to recall a holder, and did not say yes."""
    return Refusal(
        "recall-not-confirmed",
        what="Nobody was recalled.",
        meaning=_UNCHANGED,
        remedy="Repeat the command, and answer y if it is meant.",
    )


def name_bad(most: int) -> Refusal:
    """A byline or name that could not be shown."""
    return Refusal(
        "name",
        what="That is not a name that can be used.",
        meaning=_UNCHANGED,
        remedy=f"Choose 1 to {most} printable characters on one line, in any script.",
    )


def desk_not_confirmed() -> Refusal:
    """The words of a card's desk were not the same, or nobody said so."""
    return Refusal(
        "not-confirmed",
        what="The words were not confirmed.",
        meaning="If they differ, the card is of another desk: somebody saw the request and made a "
        "card in place of yours. Nothing was taken in.",
        remedy="Speak with your desk over a way you trust, and have its card copied afresh.",
    )


def not_confirmed() -> Refusal:
    """The words of a request were not the same, or nobody said so."""
    return Refusal(
        "not-confirmed",
        what="The words were not confirmed.",
        meaning="If they differ, the request was changed or swapped on its way. Nothing was made.",
        remedy="Speak with the person again over a way you trust, and have the request copied "
        "afresh.",
    )


def unhealthy() -> Refusal:
    """The doctor found something bad."""
    return Refusal(
        "unhealthy",
        what="This machine is not ready.",
        meaning="At least one of the checks above has failed.",
        remedy="Mend what is marked NOT READY, and run `meshnews doctor` again.",
    )
