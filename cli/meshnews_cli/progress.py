"""One line on the terminal that says how far a long request is; nothing elsewhere."""

import sys
from collections.abc import Sequence
from typing import Final

import click

from meshnews.control.fact import Phase
from meshnews.control.reply import Event, Progress
from meshnews_cli.terminal import pad, safe_line

_VERBS: Final = {Phase.SEALING: "Sealing", Phase.SAVING: "Saving"}
_COLUMNS: Final = 60
_NAME_CHARS: Final = 32


class ProgressLine:
    """Shows `Progress` events.  A context that wipes the line again."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take the names of the attachments, in order."""
        self._names = names
        self._is_shown = False
        self._last = ""

    def hear(self, event: Event) -> None:
        """Show an event."""
        if not isinstance(event, Progress) or not sys.stderr.isatty():
            return
        name = self._names[event.index] if event.index < len(self._names) else ""
        percent = 100 * event.done // event.total if event.total else 100
        line = f"{_VERBS[event.phase]} {safe_line(name)[:_NAME_CHARS]}  {percent} %"
        if line != self._last:
            click.echo(f"\r{pad(line, _COLUMNS)}", nl=False, err=True)
            self._last, self._is_shown = line, True

    def close(self) -> None:
        """Wipe the line."""
        if self._is_shown:
            click.echo(f"\r{' ' * _COLUMNS}\r", nl=False, err=True)
