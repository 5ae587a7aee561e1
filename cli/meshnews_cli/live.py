"""A few lines at the foot of a terminal that are drawn again as things go on.

The only door to rich, which is imported when the first line is drawn.  Whatever is
given to be drawn is made harmless here (docs/decisions/0082) and cut to the width
of the terminal, so that a line never takes two.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

from meshnews_cli.terminal import WIDTH_MAX, crop, pad, safe_line, terminal_size

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.live import Live
    from rich.segment import Segment

LEFT_CELLS: Final = 28
BAR_CELLS: Final = 18
_COLUMNS_MIN: Final = LEFT_CELLS + BAR_CELLS + 4
_INCAPABLE: Final = frozenset({"", "dumb", "unknown"})


@dataclass(frozen=True, slots=True)
class Row:
    """One line: text, perhaps a bar after it, and text after the bar.

    Attributes:
        bar: how much is done, of how much.
    """

    left: str
    bar: tuple[int, int] | None = None
    right: str = ""


def is_drawable() -> bool:
    """Say whether a person looks at a terminal that can be drawn on.

    Not so where either standard stream leads elsewhere: a script reads it then.
    """
    capable = os.environ.get("TERM", "") not in _INCAPABLE
    if not (capable and sys.stdout.isatty() and sys.stderr.isatty()):
        return False
    return terminal_size().columns >= _COLUMNS_MIN


class Area:
    """The lines.  Made where `is_drawable`; a context that wipes them again."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Draw nothing yet; later on `stream`, or else on standard error."""
        self._stream = stream
        self._live: Live | None = None

    def draw(self, rows: Sequence[Row]) -> None:
        """Show `rows` in place of those before; the last ones, if there is no room for all."""
        from rich.live import Live

        size = terminal_size()
        room = max(1, size.lines - 1)
        if self._live is None:
            self._live = Live(
                console=_console(self._stream or sys.stderr),
                auto_refresh=False,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.console.width = min(size.columns, WIDTH_MAX)
        self._live.console.height = size.lines
        self._live.update(_Picture(rows[-room:]), refresh=True)

    def close(self) -> None:
        """Wipe the lines.  May be called again."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()


def _console(stream: TextIO) -> "Console":
    from rich.console import Console

    # That it is a terminal was looked at already: variables of the environment that
    # would have rich take a file for one are not asked.
    return Console(
        file=stream,
        force_terminal=True,
        force_jupyter=False,
        legacy_windows=False,
        markup=False,
        emoji=False,
        highlight=False,
    )


class _Picture:
    """Rows, as rich draws them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __rich_console__(
        self, console: "Console", options: "ConsoleOptions"
    ) -> "Iterator[Segment]":
        from rich.segment import Segment

        for number, row in enumerate(self._rows):
            if number:
                yield Segment.line()
            if row.bar is None:
                yield Segment(crop(safe_line(row.left), options.max_width))
            else:
                yield from _with_bar(row, row.bar, console, options)


def _with_bar(
    row: Row, bar: tuple[int, int], console: "Console", options: "ConsoleOptions"
) -> "Iterator[Segment]":
    from rich.progress_bar import ProgressBar
    from rich.segment import Segment

    done, total = bar
    yield Segment(pad(crop(safe_line(row.left), LEFT_CELLS), LEFT_CELLS) + "  ")
    drawn = ProgressBar(total=max(total, 1), completed=done, width=BAR_CELLS)
    pieces = [piece for piece in drawn.__rich_console__(console, options) if type(piece) is Segment]
    yield from pieces
    # Where there are no colours the rest of the bar is not drawn.
    filled = sum(piece.cell_length for piece in pieces)
    room = options.max_width - LEFT_CELLS - BAR_CELLS - 4
    yield Segment(" " * (BAR_CELLS - filled + 2) + crop(safe_line(row.right), room))
