"""What the command line refuses about passphrases."""

from pathlib import Path
from typing import Final

from meshnews.errors import Refusal

_UNCHANGED: Final = "Nothing was changed."


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
