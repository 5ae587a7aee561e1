"""What is said when Ctrl-C has ended a command: what was done, and what was not."""

from typing import Final

from meshnews.errors import Refusal
from meshnews_cli.terminal import count

INTERRUPTED: Final = 130
"""Exit status of a command that Ctrl-C ended, as a shell would have it."""

_INTERRUPTIONS: Final = frozenset({"stopped", "stopped-unknown", "saving-stopped"})


OUTCOME_UNKNOWN: Final = frozenset({"daemon-gone", "daemon-silent", "daemon-strange"})
"""Refusals after which nobody knows what the daemon did."""


def exit_status(why: Refusal) -> int:
    """Return the exit status of a command that ends with this refusal."""
    return INTERRUPTED if why.code in _INTERRUPTIONS else 1


def filing_stopped() -> Refusal:
    """Ctrl-C before the daemon was asked for anything."""
    return Refusal(
        "stopped",
        what="Stopped before anything was filed.",
        meaning="Nothing was sealed, and nothing left this machine. Your own files are untouched.",
        remedy="File it again when you want to.",
    )


def filing_unknown(*, forget: bool) -> Refusal:
    """Ctrl-C, and no word of the daemon of what it had done."""
    look = "`meshnews status` shows which, by the slug: look before you file it again."
    blind = "With --forget there is nothing to look at; filing it again may make a second one."
    return Refusal(
        "stopped-unknown",
        what="Stopped, and the daemon did not say in time whether it was filed.",
        meaning="Either all of it was filed or nothing; which of both is not known here.",
        remedy=blind if forget else look,
    )


def saving_stopped(saved: int, of: int) -> Refusal:
    """Ctrl-C while attachments were saved."""
    return Refusal(
        "saving-stopped",
        what=f"Stopped: {saved} of {count(of, 'attachment')} saved.",
        meaning="Nothing is left of the one that was being written; those saved are complete.",
        remedy="Run it again for the others; what is saved already is not saved twice.",
    )
