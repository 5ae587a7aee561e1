"""QR codes: drawn on a terminal or into a picture, and read from one.

A picture comes from anywhere: it is opened by a process of its own, which may
take so much memory and time and no more (`meshnews_cli.qr_reader`).
"""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshnews_cli import joining_complaint as complaint
from meshnews_cli.folder import read_small

if TYPE_CHECKING:
    import segno

PICTURE_BYTES_MAX: Final = 32 * 1024 * 1024
"""The largest photograph of a telephone, and then some."""
READING_S_MAX: Final = 30.0
TEXTS_BYTES_MAX: Final = 64 * 1024

_QUIET: Final = 2
"""Light modules round a code on a terminal; the standard's four leave no room on small ones."""
_INK, _PLAIN = "\x1b[30;107m", "\x1b[0m"
_HALVES: Final = {(0, 0): " ", (0, 1): "▄", (1, 0): "▀", (1, 1): "█"}
_SCALE: Final = 8


def draw(text: str) -> list[str]:
    """Return the lines of a QR code in half blocks, black on white on any terminal."""
    rows = [list(row) for row in _code(text).matrix_iter(border=_QUIET)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return [
        _INK
        + "".join(_HALVES[bool(a), bool(b)] for a, b in zip(upper, lower, strict=True))
        + _PLAIN
        for upper, lower in pairs
    ]


def picture(text: str, *, kind: str) -> bytes:
    """Return a QR code as a picture; `kind` is ``png`` or ``svg``."""
    out = io.BytesIO()
    _code(text).save(out, kind=kind, scale=_SCALE)
    return out.getvalue()


def _code(text: str) -> "segno.QRCode":
    import segno

    # Capitals, digits and dashes alone make the smallest code.
    return segno.make(text.upper(), error="m", micro=False)


def read_invitation(path: Path) -> str:
    """Return the one invitation that stands on a picture.

    Raises:
        Refusal: the picture cannot be read, or shows none, or several.
    """
    found = {text for text in _texts(path) if text[:3].lower() == "m1-"}
    if len(found) != 1:
        raise complaint.not_one_invitation(path, len(found))
    return found.pop()


def _texts(path: Path) -> list[str]:
    """Return what the QR codes on a picture say."""
    body = read_small(path, PICTURE_BYTES_MAX)
    try:
        reader = subprocess.run(
            [sys.executable, "-m", "meshnews_cli.qr_reader"],
            input=body,
            capture_output=True,
            timeout=READING_S_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise complaint.picture_unreadable(path) from exc
    if reader.returncode != 0 or len(reader.stdout) > TEXTS_BYTES_MAX:
        raise complaint.picture_unreadable(path)
    try:
        texts = json.loads(reader.stdout)
    except ValueError as exc:
        raise complaint.picture_unreadable(path) from exc
    return [text for text in texts if isinstance(text, str)]
