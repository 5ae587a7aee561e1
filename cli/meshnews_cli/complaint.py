"""What the command line itself refuses, and how any refusal is shown.

    The passphrase is wrong.
    Meaning:  The vault stays closed. ...
    To do:    Try again; ...

Every text is here, but for those of joining and of stopping, which have modules beside
this one; those of the daemon are in `meshnews.control.refusal`.
"""

import enum
from pathlib import Path

import click

from meshnews.errors import Refusal
from meshnews_cli.terminal import byte_size, note

_UNCHANGED = "Nothing was changed."
_NOT_SEALED = "Nothing was sealed, and nothing left this machine."


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


def _reason(exc: OSError) -> str:
    return (exc.strerror or "unknown error").lower()


def usage(message: str, command: str) -> Refusal:
    """The command line was typed wrongly."""
    return Refusal(
        "usage",
        what=message if message.endswith((".", "?")) else f"{message}.",
        meaning="The command was not understood, and nothing was done.",
        remedy=f"`{command} --help` shows how it is used.",
    )


def recall_not_meant() -> Refusal:
    """A person was asked whether to recall a holder, and did not say yes."""
    return Refusal(
        "recall-not-confirmed",
        what="Nobody was recalled.",
        meaning=_UNCHANGED,
        remedy="Repeat the command, and answer y if it is meant.",
    )


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
        what=f"The daemon of this home cannot be reached ({_reason(exc)}).",
        meaning=_UNCHANGED,
        remedy="Check with --home that it is the right home, and that it belongs to you.",
    )


def no_terminal(option: str) -> Refusal:
    """A passphrase is needed and there is nobody to ask."""
    return Refusal(
        "no-terminal",
        what="A passphrase is needed, and there is no terminal to ask on.",
        meaning=_UNCHANGED,
        remedy=f"Name a file that holds it with {option} FILE.",
    )


def passphrases_differ() -> Refusal:
    """The second typing was another one."""
    return Refusal(
        "passphrases-differ",
        what="The two passphrases are not the same.",
        meaning="One of them was mistyped. Nothing was made.",
        remedy="Run the command again.",
    )


def passphrase_short(least: int) -> Refusal:
    """Too short to withstand guessing."""
    return Refusal(
        "passphrase-short",
        what=f"A passphrase needs at least {least} characters.",
        meaning="A shorter one is soon guessed by whoever takes the disk. Nothing was made.",
        remedy="Choose four or five words that do not belong together.",
    )


def passphrase_bad(most: int) -> Refusal:
    """No text, or longer than a key slot takes."""
    return Refusal(
        "passphrase-bad",
        what=f"A passphrase is text of at most {most} characters.",
        meaning=_UNCHANGED,
        remedy="Choose another; was another file meant?",
    )


def passphrase_file_bad(path: Path) -> Refusal:
    """The file holds no single line of UTF-8."""
    return Refusal(
        "passphrase-file",
        what=f"The file {path} does not hold a passphrase.",
        meaning=f"It should be one line of UTF-8 text. {_UNCHANGED}",
        remedy="Write the passphrase into it as its only line.",
    )


def unreadable(path: Path, exc: OSError) -> Refusal:
    """A file that was named cannot be read."""
    return Refusal(
        "file-unreadable",
        what=f"The file {path} cannot be read ({_reason(exc)}).",
        meaning=_UNCHANGED,
        remedy="Check its name and whether you may read it.",
    )


def file_too_large(path: Path, most: int) -> Refusal:
    """A file is far larger than anything it could be."""
    return Refusal(
        "file-too-large",
        what=f"The file {path} has more than {byte_size(most)}.",
        meaning=f"It cannot be the file that is meant here. {_UNCHANGED}",
        remedy="Check its name.",
    )


def file_empty(path: Path) -> Refusal:
    """A file that should hold something holds nothing."""
    return Refusal(
        "file-empty",
        what=f"The file {path} is empty.",
        meaning=f"It was probably not copied to its end. {_UNCHANGED}",
        remedy="Have it copied again.",
    )


def file_exists(path: Path) -> Refusal:
    """Writing would overwrite something."""
    return Refusal(
        "file-exists",
        what=f"There is already something at {path}.",
        meaning="It was left as it is: nothing is ever overwritten.",
        remedy="Choose another name, or move the old file away.",
    )


def unwritable(path: Path, exc: OSError) -> Refusal:
    """A file cannot be made or filled."""
    return Refusal(
        "file-unwritable",
        what=f"The file {path} cannot be written ({_reason(exc)}).",
        meaning="No half-written file was left there.",
        remedy="Check the folder, the space that is left, and whether you may write there.",
    )


def output_lost(exc: OSError) -> Refusal:
    """Standard output is a file, and its disk takes no more."""
    return Refusal(
        "output-lost",
        what=f"The output cannot be written ({_reason(exc)}).",
        meaning="What the command was to do may be done; only the telling was cut off.",
        remedy="Make room for the output, and look with `meshnews status` before you repeat what "
        "files or changes something.",
    )


def no_folder(path: Path) -> Refusal:
    """The root folder is not there."""
    return Refusal(
        "no-folder",
        what=f"There is no folder {path}.",
        meaning="If it is meant to be on a stick, the stick is not mounted. Nothing was made.",
        remedy="Mount the stick, or make the folder, and try again.",
    )


def folder_in_home(path: Path) -> Refusal:
    """The root would lie where the editor's keys are."""
    return Refusal(
        "folder-in-home",
        what=f"The folder {path} is inside the home.",
        meaning="Whoever took this machine would take the desk's root with it. Nothing was made.",
        remedy="Choose a folder on a stick that you keep elsewhere.",
    )


def root_file_missing(folder: Path) -> Refusal:
    """No root key in the folder."""
    return Refusal(
        "root-missing",
        what=f"There is no root key (root-1.key) in {folder}.",
        meaning="Nothing was signed.",
        remedy="Name the folder that was given to `meshnews desk create`.",
    )


def not_text(where: str, problem: str) -> Refusal:
    """The text of a dispatch is not plain UTF-8."""
    return Refusal(
        "not-text",
        what=f"{where} is not plain UTF-8 text: {problem}.",
        meaning=_NOT_SEALED,
        remedy="Save it as UTF-8 text without formatting; other documents can go with --attach.",
    )


def text_large(size: str, most: int) -> Refusal:
    """More text than one dispatch holds."""
    return Refusal(
        "text-too-long",
        what=f"The text has {size}; a dispatch holds {most} bytes.",
        meaning=_NOT_SEALED,
        remedy="Shorten it, file it in parts, or attach the long part with --attach.",
    )


def nothing_to_file() -> Refusal:
    """Neither text nor attachment."""
    return Refusal(
        "nothing-to-file",
        what="There is no text and no attachment.",
        meaning=_NOT_SEALED,
        remedy="Name a text file, type the text, or add --attach FILE.",
    )


def slug_bad(most: int) -> Refusal:
    """The slug is not one short word."""
    return Refusal(
        "slug",
        what="The slug is not one short word.",
        meaning=f"Desks sort by slugs. {_NOT_SEALED}",
        remedy=f"Choose at most {most} letters and digits in any script, joined by - or _, such "
        "as market-fire.",
    )


def attachment_bad(path: Path, problem: str) -> Refusal:
    """A file cannot be attached."""
    return Refusal(
        "attachment",
        what=f"The file {path} cannot be attached: {problem}.",
        meaning=_NOT_SEALED,
        remedy="Check its name, or leave it out.",
    )


def attachments_many(most: int) -> Refusal:
    """Too many of them."""
    return Refusal(
        "attachments",
        what=f"A dispatch carries at most {most} attachments.",
        meaning=_NOT_SEALED,
        remedy="File the rest with a second dispatch of the same slug.",
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


def save_mismatch(number: int) -> Refusal:
    """What arrived in the file is not what was announced."""
    return Refusal(
        "save-mismatch",
        what=f"What was written for attachment {number} is not what its dispatch announced.",
        meaning="The disk may be failing. The file was thrown away.",
        remedy="Save it again, into another folder.",
    )


def save_incomplete(missing: int) -> Refusal:
    """Some attachments are not whole yet."""
    return Refusal(
        "attachment-incomplete",
        what="Not everything could be saved: "
        + ("1 attachment has" if missing == 1 else f"{missing} attachments have")
        + " not come in completely.",
        meaning="An attachment is written only once it is whole and checked.",
        remedy="Run the same command later; what is already there is not written again.",
    )


def unhealthy() -> Refusal:
    """The doctor found something bad."""
    return Refusal(
        "unhealthy",
        what="This machine is not ready.",
        meaning="At least one of the checks above has failed.",
        remedy="Mend what is marked NOT READY, and run `meshnews doctor` again.",
    )
