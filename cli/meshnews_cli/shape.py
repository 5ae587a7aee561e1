"""The JSON that ``--json`` prints: keys are field names, times are UTC.

Datetimes read ``2026-11-21T08:02:00Z``, days ``2026-11-21``, bytes are
hexadecimal, and what is not known is null.  Keys are only ever added.
"""

import datetime as dt
import enum
from collections.abc import Mapping
from typing import TypeAlias

import msgspec

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


def shape(value: object) -> Json:  # noqa: PLR0911  one line for each kind of value
    """Return `value`, a message or part of one, as what JSON can hold."""
    match value:
        case msgspec.Struct():
            return shape_fields(value)
        case enum.Enum():
            return shape(value.value)
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case dt.date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case Mapping():
            return {str(key): shape(each) for key, each in value.items()}
        case tuple() | list():
            return [shape(each) for each in value]
        case None | str() | bool() | int() | float():
            return value
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON shape")


def shape_fields(value: msgspec.Struct) -> dict[str, Json]:
    """Return the fields of a message by name, each as from `shape`."""
    return {name: shape(getattr(value, name)) for name in value.__struct_fields__}


def to_json(value: object) -> str:
    """Return `value` as one line of ASCII JSON.

    ASCII, because a text of somebody else must not drive the terminal on which
    the line may be printed.
    """
    import json

    return json.dumps(shape(value))
