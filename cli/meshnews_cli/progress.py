"""How far a long request is: bars for a person, lines of JSON for a script, else nothing.

Bars and lines go to standard error: standard output is for what the command was
asked for.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import click

from meshnews.control.fact import Phase
from meshnews.control.reply import Event, Progress
from meshnews_cli.live import Area, Row, is_drawable
from meshnews_cli.terminal import byte_size, count, percent

APART_S: Final = 0.25
"""Between two pictures of what goes on in this process."""

_VERBS: Final = {
    Phase.SEALING: "Sealing",
    Phase.SAVING: "Saving",
    Phase.CHECKING: "Checking",
}


@dataclass(frozen=True, slots=True)
class Load:
    """A file that is worked on: its name, made harmless for a disk, and its bytes."""

    name: str
    size: int


class Listener(Protocol):
    """Hears events and shows `Progress`."""

    def hear(self, event: Event) -> None:
        """Show an event."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was.  May be called again."""
        ...


def listener(loads: Sequence[Load], *, as_json: bool, hint: str = "") -> Listener:
    """Return what suits the streams of this command.

    Args:
        loads: the files, as `Progress` numbers them.
        as_json: ``--json`` was given.
        hint: a sentence to stand below the bars.
    """
    if as_json:
        return JsonLines(loads)
    return Bars(loads, Area(), hint=hint) if is_drawable() else Silence()


class Sparing:
    """Passes on of one file's progress the first, the last, and a few a second between."""

    def __init__(self, shown: Listener, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Take what shows it."""
        self._shown = shown
        self._clock = clock
        self._quiet_until_s = -math.inf

    def tell(self, progress: Progress) -> None:
        """Pass `progress` on, unless another was passed on just now."""
        now_s = self._clock()
        if progress.done >= progress.total or now_s >= self._quiet_until_s:
            self._quiet_until_s = now_s + APART_S
            self._shown.hear(progress)


class Silence:
    """Shows nothing."""

    def hear(self, event: Event) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class JsonLines:
    """Prints each event as one line of JSON."""

    def __init__(self, loads: Sequence[Load]) -> None:
        """Take the files, in order."""
        self._loads = loads

    def hear(self, event: Event) -> None:
        """Print an event."""
        from meshnews_cli.shape import to_json

        if isinstance(event, Progress):
            fields = {
                "event": "progress",
                "phase": event.phase,
                "index": event.index,
                "name": _load(self._loads, event).name,
                "done": event.done,
                "total": event.total,
            }
            click.echo(to_json(fields), err=True)

    def close(self) -> None:
        """Do nothing."""


class Bars:
    """Draws a bar for the file that is worked on, and one for all of several."""

    def __init__(self, loads: Sequence[Load], area: Area, *, hint: str = "") -> None:
        """Take the files, in order, where to draw, and what to say below."""
        self._loads = loads
        self._area = area
        self._hint = hint

    def hear(self, event: Event) -> None:
        """Draw an event."""
        if isinstance(event, Progress):
            self._area.draw(self._rows(event))

    def close(self) -> None:
        """Wipe the bars."""
        self._area.close()

    def _rows(self, event: Progress) -> list[Row]:
        verb, name = _VERBS[event.phase], _load(self._loads, event).name
        rows = [Row(f"{verb} {name}", (event.done, event.total), _part(event.done, event.total))]
        if len(self._loads) > 1:
            before = sum(load.size for load in self._loads[: event.index])
            done, total = before + event.done, sum(load.size for load in self._loads)
            which = f"{event.index + 1} of {count(len(self._loads), 'attachment')}"
            rows.append(Row(which, (done, total), _part(done, total)))
        if self._hint:
            rows.append(Row(self._hint))
        return rows


def _load(loads: Sequence[Load], event: Progress) -> Load:
    return loads[event.index] if event.index < len(loads) else Load("", 0)


def _part(done: int, total: int) -> str:
    return f"{byte_size(done)} of {byte_size(total)}, {percent(done, total)} %"
