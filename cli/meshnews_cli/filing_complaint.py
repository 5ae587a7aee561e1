"""What the command line refuses about a dispatch: its text, its slug, its attachments."""

from pathlib import Path
from typing import Final

from meshnews.errors import Refusal

_NOT_SEALED: Final = "Nothing was sealed, and nothing left this machine."


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
