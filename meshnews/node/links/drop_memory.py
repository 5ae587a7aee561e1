"""What a node remembers of what lies at its dead drops, each drop apart.

    'd' ‖ drop 4 ‖ name 16   's'                read, and dealt with
                             'x'                read; what it holds has expired
                             '?' looks 1 day 4  read, and none of ours
                             'r' sheet 16       acked; its receipts are on that sheet
    's' ‖ drop 4 ‖ sheet 16  day 4              a sheet that we wrote

What is none of ours may be another desk's.  It may as well be a sign-in page that
answered in place of the service, or half of a file that was being written: it is looked
at again, at longer and longer intervals, for nothing that was accepted is ever lost.
"""

import zlib
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from meshnews.node import shelf
from meshnews.node.home import Home

NAMES_MAX: Final = 50_000
"""Names looked at in one visit, and remembered of one drop for longer than they lie there."""

LOOKS_SOON: Final = 3
"""So many visits look at what is none of ours; then it is left alone for 1, 2, 4… days."""

SHEET_DAYS: Final = 18
"""A sheet is of no use once what it acks has expired everywhere."""

_LOOKS_MAX: Final = 16
_SEEN, _PLACED = b"d", b"s"
_SETTLED, _OVER, _STRANGE, _RECEIPTED = b"s", b"x", b"?", b"r"


class DropMemory:
    """The names that one node has read, and the sheets that it wrote."""

    def __init__(self, home: Home) -> None:
        self._home = home

    # What was read ----------------------------------------------------------

    def settle(self, place: str, name: str) -> None:
        """Take note that what lies there is ours, and was dealt with."""
        self._see(place, name, _SETTLED)

    def expire(self, place: str, name: str) -> None:
        """Take note that what lies there is ours, and has expired."""
        self._see(place, name, _OVER)

    def wonder(self, place: str, name: str) -> None:
        """Take note that what was read there is none of ours."""
        before = self._seen(place, name) or b""
        looks = before[1] if before.startswith(_STRANGE) else 0
        looks = min(looks + 1, _LOOKS_MAX)
        self._see(place, name, _STRANGE + bytes([looks]) + _day(self._home.moment.today))

    def is_done_with(self, place: str, name: str) -> bool:
        """Tell whether there is no reason to read a name, or none yet."""
        seen = self._seen(place, name)
        if seen is None:
            return False
        if not seen.startswith(_STRANGE):
            return True
        looks, day = seen[1], int.from_bytes(seen[2:], "big")
        if looks < LOOKS_SOON:
            return False
        return self._home.moment.today < day + (1 << (looks - LOOKS_SOON))

    def expired(self, place: str, there: Iterable[str]) -> list[str]:
        """Return those of the names under which something expired was read."""
        return [name for name in sorted(there) if self._seen(place, name) == _OVER]

    def forget_gone(self, place: str, there: Collection[str]) -> None:
        """Forget names that lie there no more, once more is remembered than can lie there."""
        head = _SEEN + _tag(place)
        rows = [key for key, _ in self._home.carry.scan(shelf.DROP, head)]
        if len(rows) <= NAMES_MAX:
            return
        for key in rows:
            if key[len(head) :].hex() not in there:
                self._home.carry.delete(shelf.DROP, key)

    # Sheets -----------------------------------------------------------------

    def place(self, place: str, sheet: str, names: Iterable[str]) -> None:
        """Take note that a sheet was written, with the receipts of what lies under these names."""
        key = _PLACED + _tag(place) + bytes.fromhex(sheet)
        self._home.carry.put(shelf.DROP, key, _day(self._home.moment.today))
        self.settle(place, sheet)
        for name in names:
            self._see(place, name, _RECEIPTED + bytes.fromhex(sheet))

    def sheet_of(self, place: str, name: str) -> str | None:
        """Return the sheet on which the receipt of what lies under a name was written."""
        seen = self._seen(place, name) or b""
        return seen[1:].hex() if seen.startswith(_RECEIPTED) else None

    def old_sheets(self, place: str, there: Collection[str]) -> Iterator[str]:
        """Yield our sheets that have served their time, and forget those that are gone."""
        head = _PLACED + _tag(place)
        for key, value in list(self._home.carry.scan(shelf.DROP, head)):
            name, day = key[len(head) :].hex(), int.from_bytes(value, "big")
            if self._home.moment.today > day + SHEET_DAYS:
                if name in there:
                    yield name
                else:
                    self._home.carry.delete(shelf.DROP, key)

    def _seen(self, place: str, name: str) -> bytes | None:
        return self._home.carry.get(shelf.DROP, _SEEN + _tag(place) + bytes.fromhex(name))

    def _see(self, place: str, name: str, what: bytes) -> None:
        self._home.carry.put(shelf.DROP, _SEEN + _tag(place) + bytes.fromhex(name), what)


def _tag(place: str) -> bytes:
    # A home has a handful of drops, named by its keeper: nobody gains by two that collide.
    return zlib.crc32(place.encode()).to_bytes(4, "big")


def _day(day: int) -> bytes:
    return day.to_bytes(4, "big")
