"""What goes into a dispatch, checked before anything is asked of the daemon."""

import os
import re
import stat
import sys
import unicodedata
from pathlib import Path
from typing import Final

from meshnews.control.fact import AttachmentOffer, AttachmentRole
from meshnews.control.limits import DISPATCH_TEXT_BYTES_MAX
from meshnews.limits import ATTACHMENT_BYTES_MAX, SLUG_CHARS_MAX
from meshnews_cli import file_complaint, filing_complaint
from meshnews_cli.folder import read_small
from meshnews_cli.names import file_name
from meshnews_cli.terminal import byte_size, note

STDIN: Final = Path("-")
_RAW_BYTES_MAX: Final = 16 * DISPATCH_TEXT_BYTES_MAX
_SLUG: Final = re.compile(r"[\w](?:[\w.-]*[\w])?", re.UNICODE)


def read_text(path: Path) -> str:
    """Return the text in a file, or on standard input for ``-``.

    Raises:
        Refusal: it cannot be read, is not plain UTF-8, or is too long.
    """
    if path != STDIN:
        return plain_text(
            read_small(path, _RAW_BYTES_MAX, may_be_empty=True), where=f"The file {path}"
        )
    if sys.stdin.isatty():
        note("Type the text. End it with Ctrl-D on a line of its own.")
    raw = sys.stdin.buffer.read(_RAW_BYTES_MAX + 1)
    return plain_text(raw, where="What was typed")


def plain_text(raw: bytes, *, where: str) -> str:
    """Return `raw` as text in NFC, with newlines alone between its lines.

    Raises:
        Refusal: it is not strict UTF-8, holds control characters, or is longer
            than DISPATCH_TEXT_BYTES_MAX bytes.
    """
    try:
        text = raw.decode("utf-8-sig", errors="strict")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        raise filing_complaint.not_text(where, f"line {line} holds other bytes") from exc
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    for number, line_text in enumerate(text.split("\n"), start=1):
        for char in line_text:
            if char != "\t" and unicodedata.category(char) == "Cc":
                problem = f"line {number} holds the control character U+{ord(char):04X}"
                raise filing_complaint.not_text(where, problem)
    size = len(text.encode("utf-8"))
    if size > DISPATCH_TEXT_BYTES_MAX:
        raise filing_complaint.text_large(f"{size} bytes", DISPATCH_TEXT_BYTES_MAX)
    return text


def slug_of(typed: str) -> str:
    """Return a slug in NFC.

    Raises:
        Refusal: it is not one short word.
    """
    slug = unicodedata.normalize("NFC", typed)
    # Marks are no word characters to `re`, yet many scripts are written with them.
    letters = "".join(each for each in slug if unicodedata.category(each)[0] != "M")
    letters = letters.replace("\u200c", "").replace("\u200d", "")
    if len(slug) > SLUG_CHARS_MAX or not _SLUG.fullmatch(letters):
        raise filing_complaint.slug_bad(SLUG_CHARS_MAX)
    return slug


class Attachment:
    """One file to be attached, open for reading."""

    def __init__(self, path: Path, number: int) -> None:
        """Open and check it.

        Raises:
            Refusal: it cannot be attached.
        """
        try:
            # Without O_NONBLOCK a named pipe would make us wait for ever.
            self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise file_complaint.unreadable(path, exc) from exc
        status = os.fstat(self.descriptor)
        problem = ""
        if not stat.S_ISREG(status.st_mode):
            problem = "it is not an ordinary file"
        elif status.st_size == 0:
            problem = "it is empty"
        elif status.st_size > ATTACHMENT_BYTES_MAX:
            problem = f"it has more than {byte_size(ATTACHMENT_BYTES_MAX)}"
        if problem:
            self.close()
            raise filing_complaint.attachment_bad(path, problem)
        self.offer = AttachmentOffer(
            file_name(path.name, number=number), status.st_size, AttachmentRole.FILE
        )

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)
