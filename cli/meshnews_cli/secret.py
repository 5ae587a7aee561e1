"""Passphrases: asked for on the terminal, or read from a file for scripts.

They are brought to Unicode's NFC, so that the same letters typed on another
keyboard are the same passphrase.
"""

import os
import unicodedata
from pathlib import Path
from typing import Final

from meshnews.control.limits import PASSPHRASE_CHARS_MAX, PASSPHRASE_CHARS_MIN
from meshnews_cli import file_complaint, secret_complaint

TERMINAL: Final = "/dev/tty"
_RAW_BYTES_MAX: Final = 4 * PASSPHRASE_CHARS_MAX + 2


def existing(prompt: str, file: Path | None, *, option: str = "--passphrase-file") -> str:
    """Return a passphrase that opens something.

    Raises:
        Refusal: the file holds none, or there is no terminal to ask on.
    """
    return _from_file(file) if file is not None else _asked(prompt, option)


def new(prompt: str, file: Path | None, *, option: str = "--passphrase-file") -> str:
    """Return a passphrase for something that is being made; a person types it twice.

    Raises:
        Refusal: as `existing`; or it is too short, or was not typed alike twice.
    """
    passphrase = existing(prompt, file, option=option)
    if len(passphrase) < PASSPHRASE_CHARS_MIN:
        raise secret_complaint.passphrase_short(PASSPHRASE_CHARS_MIN)
    if file is None and _asked("Once more: ", option) != passphrase:
        raise secret_complaint.passphrases_differ()
    return passphrase


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_RAW_BYTES_MAX + 1)
    except OSError as exc:
        raise file_complaint.unreadable(path, exc) from exc
    try:
        text = raw.decode("utf-8", errors="strict").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as exc:
        raise secret_complaint.passphrase_file_bad(path) from exc
    if not text or "\n" in text or len(raw) > _RAW_BYTES_MAX:
        raise secret_complaint.passphrase_file_bad(path)
    return _normal(text)


def _asked(prompt: str, option: str) -> str:
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError as exc:
        raise secret_complaint.no_terminal(option) from exc
    import getpass

    try:
        return _normal(getpass.getpass(prompt))
    except (EOFError, UnicodeDecodeError) as exc:
        raise secret_complaint.no_terminal(option) from exc


def _normal(passphrase: str) -> str:
    normal = unicodedata.normalize("NFC", passphrase)
    is_text = not any(unicodedata.category(char) == "Cs" for char in normal)
    if not is_text or len(normal) > PASSPHRASE_CHARS_MAX:
        raise secret_complaint.passphrase_bad(PASSPHRASE_CHARS_MAX)
    return normal
