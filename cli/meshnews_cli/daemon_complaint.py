"""What the command line says when the daemon is not there, or not as it should be."""

import enum
from pathlib import Path
from typing import Final

from meshnews.errors import Refusal
from meshnews_cli.complaint import reason

_UNCHANGED: Final = "Nothing was changed."


class Without(enum.StrEnum):
    """What it means for a command that no daemon is running."""

    LINKS = "Without it this machine has no links, so there is nothing to show."
    NEWS = "Without it nothing changes here, so there is nothing to watch."
    VISITORS = "Without it nobody who has an invitation reaches this machine. Nothing was changed."
    SEARCH = "The invitation is whole, but without it nobody is looked for. Nothing was changed."
    CALLS = "Without it this machine calls into no network, so nobody could find it."


def no_daemon(home: Path, meaning: Without) -> Refusal:
    """The command needs a running daemon."""
    return Refusal(
        "no-daemon",
        what="No daemon is running for this home.",
        meaning=meaning,
        remedy=f"Start it in another terminal with `meshnewsd --home {home}`, or as a service, "
        "and try again.",
    )


def daemon_gone(said: str = "") -> Refusal:
    """The daemon ended, or closed the connection, before it answered."""
    last = f" Its last words: {said}" if said else ""
    return Refusal(
        "daemon-gone",
        what=f"The daemon ended before it answered.{last}",
        meaning="It is not known whether it did what it was asked.",
        remedy="Look with `meshnews status` or `meshnews doctor` before you repeat the command.",
    )


def watch_ended() -> Refusal:
    """The daemon ended, or gave up telling what was not read."""
    return Refusal(
        "watch-ended",
        what="The daemon tells nothing more: it has ended, or was not listened to for too long.",
        meaning="What was filed stays filed.",
        remedy="Watch again; if no daemon is running, start it with `meshnewsd` first.",
    )


def daemon_silent() -> Refusal:
    """No answer in a long time."""
    return Refusal(
        "daemon-silent",
        what="The daemon has not answered for two minutes.",
        meaning="The machine may be overloaded, or its disk may not answer. It is not known "
        "whether the daemon did what it was asked.",
        remedy="Look with `meshnews status` before you repeat the command.",
    )


def daemon_strange() -> Refusal:
    """The answer makes no sense."""
    return Refusal(
        "daemon-strange",
        what="The daemon gave an answer that this command does not understand.",
        meaning="The two come from different releases, or something else answers in its place.",
        remedy="Restart the daemon, so that both are the release that is installed.",
    )


def daemon_of_other_user() -> Refusal:
    """The socket is served by somebody else."""
    return Refusal(
        "daemon-of-other-user",
        what="The daemon of this home runs as another user.",
        meaning="It was told nothing: it could be an impostor waiting for a passphrase.",
        remedy="Use a home of your own, or find out who made this one.",
    )


def daemon_unreachable(exc: OSError) -> Refusal:
    """The socket is there and cannot be used."""
    return Refusal(
        "daemon-unreachable",
        what=f"The daemon of this home cannot be reached ({reason(exc)}).",
        meaning=_UNCHANGED,
        remedy="Check with --home that it is the right home, and that it belongs to you.",
    )
