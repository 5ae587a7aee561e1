"""Canonical msgpack: the only form in which structured values cross a border.

    value = integer (-2^63 … 2^64-1) | bin | str (UTF-8, normal form C) | array of values

No maps, floats, nil, booleans or extensions.  Every value has exactly one
encoding, the shortest, and anything else is refused: `decode` encodes what it
read and compares.  Lengths are judged first.  See docs/protocol/primitives.md.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeAlias, cast
from unicodedata import is_normalized

import msgpack  # type: ignore[import-untyped]  # it ships no types; this is its one door

from meshnews.errors import LocalMisuse, Malformed

Value: TypeAlias = "int | bytes | str | Sequence[Value]"
"""What can be encoded.  A decoded sequence is always a list."""

DEPTH_MAX: Final = 8
"""Deepest nesting of arrays; what is signed is nested as bytes, so few layers suffice."""

ITEMS_MAX: Final = 4096
"""Most items in one array.  The reader makes room for as many as an array
claims, so nested false claims would cost us their product otherwise."""

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROLS_BUT_LAYOUT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONFUSING: Final = re.compile(r"[\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def encode(value: Value) -> bytes:
    """Return the one encoding of `value`; tuples count as arrays.

    Source: docs/protocol/primitives.md, "Canonical msgpack".

    Raises:
        LocalMisuse: it holds something that `decode` would refuse.
    """
    try:
        encoding = cast("bytes", msgpack.packb(value))
    except (ValueError, TypeError, OverflowError, RecursionError) as exc:
        raise LocalMisuse("a value that has no encoding") from exc
    if (fault := _fault(value, DEPTH_MAX)) is not None:
        raise LocalMisuse(fault)
    return encoding


def decode(data: bytes, *, bytes_max: int) -> Value:
    """Return the value that `data` encodes.

    Source: docs/protocol/primitives.md, "Canonical msgpack".

    Raises:
        Malformed: `data` is longer than `bytes_max`; or not the canonical form
            of anything; or has bytes behind it; or is nested deeper than
            DEPTH_MAX, or wider than ITEMS_MAX.
    """
    if len(data) > bytes_max:
        raise Malformed(f"{len(data)} bytes where at most {bytes_max} may be")
    try:
        value = msgpack.unpackb(data, max_array_len=ITEMS_MAX, max_map_len=0, max_ext_len=0)
        canonical = msgpack.packb(value)
    # Each of these was seen to come out of the library for some garbage.
    except (
        ValueError,
        TypeError,
        OverflowError,
        RecursionError,
        msgpack.UnpackException,
    ) as exc:
        raise Malformed("no canonical value") from exc
    if canonical != data:
        raise Malformed("no canonical value")
    if (fault := _fault(value, DEPTH_MAX)) is not None:
        raise Malformed(fault)
    return cast("Value", value)


def _fault(value: object, depth: int) -> str | None:
    """Say what in `value` msgpack can hold and the protocol does not."""
    if isinstance(value, bytes) or (isinstance(value, int) and not isinstance(value, bool)):
        return None
    if isinstance(value, str):
        return None if is_normalized("NFC", value) else "a text that is not in normal form C"
    # An extension is read as a tuple of its own kind.
    if isinstance(value, list | tuple) and not isinstance(value, msgpack.ExtType):
        return _fault_within(value, depth)
    return "a value of a foreign kind"


def _fault_within(items: Sequence[object], depth: int) -> str | None:
    if not depth:
        return "arrays nested too deep"
    if len(items) > ITEMS_MAX:
        return "an array of too many items"
    for item in items:
        kind = type(item)
        if kind is bytes or kind is int:
            continue
        if (fault := _fault(item, depth - 1)) is not None:
            return fault
    return None


def as_list(value: Value, *, size: int | None = None, at_most: int | None = None) -> list[Value]:
    """Return `value` if it is an array, of exactly `size` or of `at_most` items.

    Raises:
        Malformed: it is not.
    """
    if type(value) is not list:
        raise Malformed("no array where one belongs")
    if size is not None and len(value) != size:
        raise Malformed(f"an array of {len(value)} items where {size} belong")
    if at_most is not None and len(value) > at_most:
        raise Malformed(f"an array of {len(value)} items where at most {at_most} belong")
    return value


def as_int(value: Value, low: int, high: int) -> int:
    """Return `value` if it is an integer from `low` to `high`, both included.

    Raises:
        Malformed: it is not.
    """
    if type(value) is not int:
        raise Malformed("no integer where one belongs")
    if not low <= value <= high:
        raise Malformed(f"an integer that is not within {low} … {high}")
    return value


def as_bytes(value: Value, size: int | None = None, *, at_most: int | None = None) -> bytes:
    """Return `value` if it is a byte string, of exactly `size` or of `at_most` bytes.

    Raises:
        Malformed: it is not.
    """
    if type(value) is not bytes:
        raise Malformed("no bytes where they belong")
    if size is not None and len(value) != size:
        raise Malformed(f"{len(value)} bytes where {size} belong")
    if at_most is not None and len(value) > at_most:
        raise Malformed(f"{len(value)} bytes where at most {at_most} belong")
    return value


def as_text(value: Value, *, chars_max: int, multiline: bool = False) -> str:
    """Return `value` if it is a text that can be shown, of at most `chars_max` code points.

    Normal form C and no control characters.  Of these, `multiline` allows line
    feed and tab; a single line is also refused for line and paragraph
    separators and for marks that turn the direction of what surrounds it.

    Raises:
        Malformed: it is not.
    """
    if type(value) is not str:
        raise Malformed("no text where one belongs")
    if len(value) > chars_max:
        raise Malformed(f"a text of {len(value)} characters where at most {chars_max} belong")
    if is_showable(value, multiline=multiline):
        return value
    raise Malformed("a text with control characters, or not in normal form C")


def is_showable(text: str, *, multiline: bool = False) -> bool:
    """Tell whether `as_text` would take `text`, its length aside.

    Raises:
        Nothing.
    """
    if not is_normalized("NFC", text):
        return False
    if multiline:
        return _CONTROLS_BUT_LAYOUT.search(text) is None
    return _CONTROLS.search(text) is None and _CONFUSING.search(text) is None
