"""Puts text before a person: harmless, wrapped, and with times they can read.

Nothing that somebody else wrote reaches a terminal as it came.  Control
characters could drive the terminal; bidirectional controls and invisible
characters make a text read otherwise than it is.  All are shown as ``<U+202E>``.
"""

import datetime as dt
import os
import shutil
import unicodedata
from collections.abc import Iterable
from typing import Final

import click

WIDTH_MIN: Final = 40
WIDTH_MAX: Final = 80
GUTTER: Final = "  | "
"""Before every line of somebody's text, so that none can pass for one of ours."""

_JOINERS: Final = frozenset("\u200c\u200d")
"""Persian, the scripts of India and some emoji cannot be written without these."""
_SIGNS: Final = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")
"""Arabic and Syriac marks that are counted as format characters but are visible."""
_TAB: Final = "    "


def safe_line(text: str) -> str:
    """Return `text` as one line that cannot drive a terminal or hide anything."""
    if text.isprintable():
        return text
    return "".join(each if _is_plain(each) else f"<U+{ord(each):04X}>" for each in text)


def safe_lines(text: str) -> list[str]:
    """Return the lines of `text`, each as from `safe_line`; tabs become spaces."""
    return [safe_line(line.replace("\t", _TAB)) for line in text.split("\n")]


def _is_plain(char: str) -> bool:
    if char in _JOINERS or char in _SIGNS or char == " ":
        return True
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def cells(text: str) -> int:
    """Return how many columns `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_char_cells(char) for char in text)


def _char_cells(char: str) -> int:
    if char in _JOINERS or unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def terminal_size() -> os.terminal_size:
    """Return how many columns and lines the terminal has."""
    return shutil.get_terminal_size()


def width() -> int:
    """Return how many columns to fill."""
    return max(WIDTH_MIN, min(WIDTH_MAX, terminal_size().columns))


def wrap(text: str, *, first: str = "", rest: str = "") -> list[str]:
    """Return `text` broken into lines, with `first` before the first and `rest` before others."""
    room = width()
    lines: list[str] = []
    line, filled = first, cells(first)
    is_empty = True
    for word in _pieces(text.split(" "), room - max(cells(first), cells(rest))):
        size = cells(word)
        if not is_empty and filled + 1 + size > room:
            lines.append(line)
            line, filled, is_empty = rest, cells(rest), True
        if not is_empty:
            line, filled = f"{line} ", filled + 1
        line, filled, is_empty = line + word, filled + size, False
    lines.append(line.rstrip())
    return lines


def _pieces(words: Iterable[str], room: int) -> Iterable[str]:
    """Yield `words`, the ones wider than `room` in pieces."""
    for word in words:
        if cells(word) <= room:
            yield word
            continue
        piece, filled = "", 0
        for char in word:
            size = _char_cells(char)
            if filled + size > room:
                yield piece
                piece, filled = "", 0
            piece, filled = piece + char, filled + size
        yield piece


def pad(text: str, columns: int) -> str:
    """Return `text` filled with spaces to `columns`; as it is when it is wider."""
    return text + " " * (columns - cells(text))


def crop(text: str, columns: int) -> str:
    """Return `text` if it takes no more than `columns`, else its beginning and an ellipsis."""
    if cells(text) <= columns:
        return text
    kept, filled = "", 0
    for char in text:
        filled += _char_cells(char)
        if filled > columns - 1:
            break
        kept += char
    return f"{kept}…"


def row(text: str, *, err: bool = False) -> None:
    """Print one line as it is, only made harmless."""
    click.echo(safe_line(text).rstrip(), err=err)


def say(text: str, *, first: str = "", rest: str | None = None, err: bool = False) -> None:
    """Print a wrapped paragraph, made harmless; `rest` is spaces as wide as `first`."""
    after = " " * cells(first) if rest is None else rest
    for line in wrap(safe_line(text), first=first, rest=after):
        click.echo(line, err=err)


def note(text: str = "", *, first: str = "") -> None:
    """Print a wrapped paragraph to stderr: what a script does not want to read."""
    say(text, first=first, err=True)


def quote(text: str) -> None:
    """Print somebody else's text, each line behind the gutter."""
    for line in safe_lines(text):
        for piece in wrap(line, first=GUTTER, rest=GUTTER):
            click.echo(piece)


def moment(time: dt.datetime) -> str:
    """Return a time for a person: local, to the minute, with its offset."""
    try:
        local = time.astimezone()
    except (OverflowError, ValueError, OSError):
        local = time.astimezone(dt.UTC)
    return f"{local:%Y-%m-%d %H:%M} {local.isoformat()[-6:]}"


def byte_size(size: int) -> str:
    """Return a number of bytes for a person."""
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{size} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return ``1 machine`` or ``3 machines``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def percent(done: int, total: int) -> int:
    """Return how many hundredths are done, rounded down: 100 says that all is done."""
    return 100 if done >= total else 100 * done // total
