"""A played plan as a picture: node by node, where each item was when.

SVG for any browser, with nothing in it but lines, rectangles and words: no
script, no style from elsewhere.  Each node is a band; in it each item has a
line of its own, thin while it is there in part and thick once it is whole.  A
ring marks the bound, a dot what came.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from meshnews.node.event import Carrier
from meshnews.sim.bound import Row, flooding_bound
from meshnews.sim.ledger import Stay
from meshnews.sim.plan import Plan, PlanItem
from meshnews.sim.planfile import instant
from meshnews.sim.play import Played

WIDTH: Final = 1500
LEFT: Final = 170
RIGHT: Final = 20
TOP: Final = 60
LINE: Final = 5
GAP: Final = 14
LEGEND_COLUMNS: Final = 5

_COLOURS: Final = (
    "#1b6ca8", "#c0392b", "#1e8449", "#8e44ad", "#d68910", "#117a65", "#a04000", "#2c3e50",
    "#b03a8c", "#5d6d1e", "#2874a6", "#943126", "#196f3d", "#6c3483", "#9a7d0a", "#0e6655",
    "#7e5109", "#424949", "#76448a", "#4d5656",
)  # fmt: skip
_DAY_S: Final = 86400


def timeline(played: Played, *, title: str = "") -> str:
    """Return the picture as the text of an SVG file.

    Raises:
        Nothing.
    """
    return "\n".join(_Picture(played, title or played.plan.about).draw()) + "\n"


class _Picture:
    def __init__(self, played: Played, title: str) -> None:
        self._played = played
        self._plan = played.plan
        self._title = title
        self._items = sorted(self._plan.items, key=lambda item: (item.filed_s, item.slug))
        self._colours = {
            item.slug: _COLOURS[index % len(_COLOURS)] for index, item in enumerate(self._items)
        }
        self._band = LINE * len(self._items) + GAP
        self._bottom = TOP + self._band * len(self._plan.posts)

    def draw(self) -> Iterator[str]:
        """Yield the lines of the file."""
        height = self._bottom + 40 + 18 * (-(-len(self._items) // LEGEND_COLUMNS))
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">'
        )
        yield f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
        yield f'<text x="{LEFT}" y="20" font-size="14">{escape(self._title[:180])}</text>'
        yield from self._days()
        bound = flooding_bound(self._plan)
        for index, post in enumerate(self._plan.posts):
            top = TOP + index * self._band
            yield f'<text x="8" y="{top + self._band / 2:.0f}">{escape(post.name)}</text>'
            yield f'<line x1="0" x2="{WIDTH}" y1="{top}" y2="{top}" stroke="#dddddd"/>'
            yield from self._background(post.name, top)
            yield from self._stays(post.name, top)
            yield from self._marks(post.name, top, bound)
        yield from self._legend()
        yield "</svg>"

    def _x(self, at_s: float) -> float:
        first, last = self._plan.start_s, self._plan.end_s
        share = (min(max(at_s, first), last) - first) / max(last - first, 1.0)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def _y(self, item: PlanItem, top: float) -> float:
        return top + GAP / 2 + LINE * self._items.index(item)

    def _days(self) -> Iterator[str]:
        step_s = _DAY_S if self._plan.end_s - self._plan.start_s > 2 * _DAY_S else _DAY_S / 8
        at_s = -(-self._plan.start_s // step_s) * step_s
        while at_s <= self._plan.end_s:
            x, at = self._x(at_s), dt.datetime.fromtimestamp(at_s, dt.UTC)
            yield (
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 12}" y2="{self._bottom}" '
                f'stroke="#eeeeee"/><text x="{x:.1f}" y="{TOP - 16}" text-anchor="middle" '
                f'fill="#666666">{at:%d %b %H:%M}</text>'
            )
            at_s += step_s

    def _background(self, name: str, top: float) -> Iterator[str]:
        """Grey where a machine is off; along the bottom, whom it meets."""
        for pause in self._plan.pauses:
            if pause.node == name:
                fill = "#f2c9c4" if pause.is_seized else "#dddddd"
                why = "seized" if pause.is_seized else "off"
                yield self._box(pause.start_s, pause.end_s, top + 1, self._band - 2, fill, why)
        for contact in self._plan.contacts:
            if name in {contact.a, contact.b}:
                other = contact.b if contact.a == name else contact.a
                fill = "#f5b041" if contact.carrier is Carrier.UPLINK else "#aed6f1"
                said = f"{other}, {contact.carrier}, {contact.kbit_s:g} kbit/s"
                yield self._box(contact.start_s, contact.end_s, top + self._band - 5, 4, fill, said)

    def _box(  # noqa: PLR0917  a rectangle has as many sides
        self, start_s: float, end_s: float, y: float, height: float, fill: str, said: str
    ) -> str:
        x, width = self._x(start_s), max(1.0, self._x(end_s) - self._x(start_s))
        return (
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{fill}"><title>{escape(said)}</title></rect>'
        )

    def _stays(self, name: str, top: float) -> Iterator[str]:
        for item in self._items:
            for stay in self._played.ledger.stays.get((item.slug, name), []):
                yield from self._stay(item, stay, self._y(item, top))

    def _stay(self, item: PlanItem, stay: Stay, y: float) -> Iterator[str]:
        end_s = self._plan.end_s if stay.until_s is None else stay.until_s
        whole_s = end_s if stay.whole_s is None else stay.whole_s
        colour = self._colours[item.slug]
        for start_s, until_s, width in ((stay.since_s, whole_s, 1), (whole_s, end_s, LINE - 2)):
            if until_s > start_s:
                said = f"{item.slug}: {instant(start_s)} to {instant(until_s)}"
                yield (
                    f'<line x1="{self._x(start_s):.1f}" x2="{self._x(until_s):.1f}" y1="{y:.1f}" '
                    f'y2="{y:.1f}" stroke={quoteattr(colour)} stroke-width="{width}">'
                    f"<title>{escape(said)}</title></line>"
                )

    def _marks(self, name: str, top: float, bound: Sequence[Row]) -> Iterator[str]:
        items = {item.slug: item for item in self._items}
        for rows, radius, filled in ((bound, 4.0, False), (self._played.rows, 2.2, True)):
            for row in rows:
                if row.node == name:
                    colour = self._colours[row.slug]
                    fill = colour if filled else "none"
                    said = f"{row.slug} {'came' if filled else 'could have come'}"
                    yield (
                        f'<circle cx="{self._x(row.at_s):.1f}" '
                        f'cy="{self._y(items[row.slug], top):.1f}" r="{radius}" fill="{fill}" '
                        f'stroke="{colour}"><title>{escape(said)} {instant(row.at_s)}</title>'
                        "</circle>"
                    )

    def _legend(self) -> Iterator[str]:
        step = (WIDTH - LEFT) / LEGEND_COLUMNS
        for index, item in enumerate(self._items):
            x = LEFT + step * (index % LEGEND_COLUMNS)
            y = self._bottom + 30 + 18 * (index // LEGEND_COLUMNS)
            yield (
                f'<line x1="{x:.0f}" x2="{x + 18:.0f}" y1="{y - 4}" y2="{y - 4}" '
                f'stroke="{self._colours[item.slug]}" stroke-width="3"/>'
                f'<text x="{x + 24:.0f}" y="{y}">{escape(item.slug)}</text>'
            )


def describe(plan: Plan) -> str:
    """Return one line that says what a plan holds.

    Raises:
        Nothing.
    """
    days = (plan.end_s - plan.start_s) / _DAY_S
    return (
        f"{len(plan.posts)} nodes, {len(plan.contacts)} contacts, {len(plan.items)} items, "
        f"{days:.1f} days from {instant(plan.start_s)}"
    )
