"""The events that docs/commands.md promises to scripts, read from its tables."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

COMMANDS = Path(__file__).parents[2] / "docs" / "commands.md"
_TABLE = re.compile(
    r"^(?P<title>[^|\n].*)\n\n\| field \| holds \|.*\n\|[-|]+\|\n(?P<rows>(?:\|.*\n)+)",
    re.MULTILINE,
)
_NAMES = {
    "A part of it:": "parts",
    "A neighbour in it:": "neighbours-item",
}

Fields = Mapping[str, str]


def tables() -> dict[str, Fields]:
    """Return the fields of each event, and of what stands in it, with what each holds."""
    found: dict[str, Fields] = {}
    for table in _TABLE.finditer(COMMANDS.read_text(encoding="utf-8")):
        title = table["title"]
        name = _NAMES.get(title) or title.split("`")[1]
        rows = [line.strip("|\n ").split("|") for line in table["rows"].splitlines()]
        found[name] = {row[0].strip(" `"): row[1].strip() for row in rows}
    return found


def check(event: Mapping[str, Any]) -> None:
    """Compare one event with its table: the fields, all of them and no others, and what they hold.

    Raises:
        AssertionError: it is another than the tables promise.
    """
    _check(event, tables()[event["event"]])


def _check(fields: Mapping[str, Any], promised: Fields) -> None:
    assert set(fields) == set(promised)
    for name, holds in promised.items():
        value = fields[name]
        if holds.startswith("`"):
            assert value == holds.strip("`")
        elif holds.startswith("list of "):
            assert isinstance(value, list)
            for each in value:
                _check(each, tables()["parts" if name == "parts" else f"{name}-item"])
        elif not (value is None and holds.endswith(" or null")):
            assert _HOLDS[holds.removesuffix(" or null")](value), f"{name}: {value!r}"


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and value.endswith("Z") and bool(dt.datetime.fromisoformat(value))


_HOLDS: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    "true or false": lambda value: isinstance(value, bool),
    "time": _is_time,
    "day": lambda value: isinstance(value, str) and bool(dt.date.fromisoformat(value)),
}
