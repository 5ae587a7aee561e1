"""What `status --watch` shows of the events that come: JSON, a live view, or plain lines."""

from typing import Final, Protocol

import click

from meshnews.control.fact import DispatchState, DispatchStatus, LinkStatus, PartStatus
from meshnews.control.reply import DispatchNews, Event, NeighbourNews
from meshnews_cli.live import Area, Row, is_drawable
from meshnews_cli.sentences import (
    NEIGHBOUR_KINDS,
    carried_by,
    dispatch_sentence,
    held_back,
    link_sentences,
    part_progress,
)
from meshnews_cli.terminal import count, moment, pad, row, say, terminal_size

ID_CHARS_SHOWN: Final = 10
"""Of an identifier: a beginning of it is enough for every command."""

_OWN_ROWS_MIN: Final = 6
"""Left to dispatches however many neighbours there are."""

_LEAVE: Final = "Ctrl-C ends this view; nothing else ends with it."


class Onlooker(Protocol):
    """Hears the events of a `Follow` and shows them."""

    def hear(self, event: Event) -> None:
        """Show an event."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was.  May be called again."""
        ...


def onlooker(*, as_json: bool) -> Onlooker:
    """Return what suits the streams of this command."""
    if as_json:
        return JsonEvents()
    return View(Area()) if is_drawable() else Lines()


class JsonEvents:
    """Prints each event as one line of JSON."""

    def hear(self, event: Event) -> None:
        """Print an event."""
        from meshnews_cli.shape import shape, to_json

        match event:
            case DispatchNews(dispatch=news):
                name = "dispatch"
            case NeighbourNews() as news:
                name = "neighbours"
            case _:
                return
        fields = shape(news)
        assert isinstance(fields, dict)
        click.echo(to_json({"event": name, **fields}))

    def close(self) -> None:
        """Do nothing."""


class Lines:
    """Prints a dispatch whenever its state is another, for who reads a file or a pipe."""

    def __init__(self) -> None:
        """Nothing was printed yet."""
        self._printed: dict[str, str] = {}

    def hear(self, event: Event) -> None:
        """Print an event, if it is news of a dispatch as a whole."""
        if not isinstance(event, DispatchNews):
            return
        dispatch = event.dispatch
        sentence = dispatch_sentence(dispatch)
        if self._printed.get(dispatch.id) != sentence:
            self._printed[dispatch.id] = sentence
            show_dispatch(dispatch)

    def close(self) -> None:
        """Do nothing."""


class View:
    """Draws the dispatches that are on their way, and the neighbours."""

    def __init__(self, area: Area) -> None:
        """Take where to draw.  Nothing is known yet."""
        self._area = area
        self._dispatches: dict[str, DispatchStatus] = {}
        self._neighbours: NeighbourNews | None = None

    def hear(self, event: Event) -> None:
        """Take note of an event, and draw once everything was told."""
        match event:
            case DispatchNews(dispatch=dispatch):
                self._dispatches[dispatch.id] = dispatch
            case NeighbourNews():
                self._neighbours = event
            case _:
                return
        # Of the first look, the neighbours are told last.
        if self._neighbours is not None:
            self._area.draw(self._rows(self._neighbours, terminal_size().lines - 1))

    def close(self) -> None:
        """Wipe the view."""
        self._area.close()

    def _rows(self, news: NeighbourNews, room: int) -> list[Row]:
        near = [each for link in news.neighbours for each in _link_rows(link)]
        if not near:
            near = [Row("No other machine has a link to this one now.")]
        near = near[: max(0, room - _OWN_ROWS_MIN - 2)]
        own = self._own_rows(room - len(near) - 2)
        return [*own, Row(""), *near, Row(_LEAVE)]

    def _own_rows(self, room: int) -> list[Row]:
        """Return rows of the dispatches that are on their way, as many as there is room for.

        The newest stands first, and all keep their places while something happens to them.
        """
        rows: list[Row] = []
        under_way = [one for one in reversed(self._dispatches.values()) if not is_done(one)]
        left = len(under_way)
        for dispatch in under_way:
            more = _dispatch_rows(dispatch)
            if rows and len(rows) + len(more) > room - 2:
                break
            rows += more[: room - 2]
            left -= 1
        if left:
            rows.append(Row(f"{count(left, 'other', 'others')} not received in full."))
        if done := len(self._dispatches) - len(under_way):
            rows.append(Row(f"{count(done, 'dispatch', 'dispatches')} received in full."))
        return rows or [Row("Nothing has been filed here.")]


def is_done(dispatch: DispatchStatus) -> bool:
    """Say whether the desk has said that it received all of a dispatch."""
    is_received = dispatch.state in {DispatchState.RECEIVED, DispatchState.READ}
    return is_received and dispatch.attachments_received >= dispatch.attachments


def show_dispatch(dispatch: DispatchStatus) -> None:
    """Print how far a dispatch has got, and its attachments where they are known."""
    row(
        f"{pad(dispatch.id[:ID_CHARS_SHOWN], ID_CHARS_SHOWN)}  "
        f"{pad(dispatch.state.value, 11)}  {pad(dispatch.priority.value, 7)}  {dispatch.slug}"
    )
    say(dispatch_sentence(dispatch), first="  ")
    for number, part in enumerate(dispatch.parts, start=1):
        say(f"{number}. {part.name}: {part_progress(part)}.", first="  ")


def _dispatch_rows(dispatch: DispatchStatus) -> list[Row]:
    head = (
        f"{pad(dispatch.id[:ID_CHARS_SHOWN], ID_CHARS_SHOWN)}  {pad(dispatch.state.value, 11)}  "
        f"{pad(dispatch.priority.value, 7)}  {dispatch.slug}{carried_by(dispatch)}"
    )
    held = [] if dispatch.release_at is None else [Row(f"  {held_back(dispatch.release_at)}")]
    return [Row(head), *held, *map(_part_row, dispatch.parts)]


def _part_row(part: PartStatus) -> Row:
    # A receipt proves more than the word of a carrier, and may come without it.
    elsewhere = max(part.carried, part.received)
    return Row(f"  {part.name}", (elsewhere, part.pieces), part_progress(part))


def _link_rows(link: LinkStatus) -> list[Row]:
    name = f" {link.name}" if link.name else ""
    outward, inward = link_sentences(link)
    return [
        Row(f"{NEIGHBOUR_KINDS[link.kind]}{name}, {link.carrier}, since {moment(link.since)}"),
        Row(f"  {outward}"),
        Row(f"  {inward}"),
    ]
