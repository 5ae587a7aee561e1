"""What ways out may be used for, and how much of that is spent.

    within its limit --spent--> at rest --the day, or the hour, is over--> within its limit

A limit is of bytes a day, of time an hour, or both; all ways that it names share it.
Days and hours are of the machine's own life, so that a clock that is wrong gives
nobody more.  What is spent is kept: a restart gives nothing back but the last
seconds.  See docs/protocol/uplinks.md, "Limits".
"""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from meshnews.ids import LinkId
from meshnews.node import shelf
from meshnews.node.event import Address
from meshnews.node.home import Home
from meshnews.node.settings import RouteLimit
from meshnews.wire.codec import as_int, as_list, decode, encode

DAY_S: Final = 86400.0
HOUR_S: Final = 3600.0

SAVED_APART_BYTES: Final = 64 * 1024
SAVED_APART_S: Final = 10.0
"""What is spent is written down each time it has grown by so much."""

_SPENT: Final = b"u"
_MAX: Final = 1 << 60
_RECORD_BYTES_MAX: Final = 64


class Bound(enum.StrEnum):
    """What of a limit is used up."""

    VOLUME = "volume"
    DUTY = "duty"


@dataclass(frozen=True, slots=True)
class Rest:
    """A way rests: until when, in seconds of the node's life, and what is used up."""

    until_s: float
    bound: Bound


@dataclass
class _Account:
    """What is spent of one limit, in its present day and its present hour."""

    limit: RouteLimit
    day: int = 0
    moved: int = 0
    hour: int = 0
    used_s: float = 0.0
    saved: tuple[int, int, int, float] = (0, 0, 0, 0.0)

    def turn(self, now_s: float) -> None:
        """Begin anew what is over."""
        day, hour = int(now_s // DAY_S), int(now_s // HOUR_S)
        if day != self.day:
            self.day, self.moved = day, 0
        if hour != self.hour:
            self.hour, self.used_s = hour, 0.0

    def rests(self) -> Iterator[Rest]:
        limit = self.limit
        if limit.bytes_per_day and self.moved >= limit.bytes_per_day:
            yield Rest((self.day + 1) * DAY_S, Bound.VOLUME)
        if limit.s_per_hour and self.used_s >= limit.s_per_hour:
            yield Rest((self.hour + 1) * HOUR_S, Bound.DUTY)

    @property
    def is_unsaved(self) -> bool:
        day, moved, hour, used_s = self.saved
        if (day, hour) != (self.day, self.hour):
            return True
        grown = self.moved >= moved + SAVED_APART_BYTES or self.used_s >= used_s + SAVED_APART_S
        return grown or (any(self.rests()) and (moved, used_s) != (self.moved, self.used_s))

    @property
    def key(self) -> bytes:
        # Without the amounts: who gives more in the middle of a day gives no second day.
        return _SPENT + f"{self.limit.kind} {self.limit.where}".encode()


class Allowances:
    """The limits of one node."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._accounts: list[_Account] | None = None
        self._moved: dict[LinkId, int] = {}
        self._noted_s: float | None = None

    @property
    def are_any(self) -> bool:
        """Something is limited."""
        return bool(self._home.settings.limits)

    def note(self, streams: Iterable[tuple[LinkId, Address, int | None]]) -> None:
        """Take note of the streams that are open, with the bytes that each has moved so far.

        None: as many as the last time.

        Raises:
            Nothing.
        """
        if not self.are_any:
            return
        now_s, before = self._home.moment.lived_s, self._moved
        here = [
            (link, address, before.get(link, 0) if moved is None else moved)
            for link, address, moved in streams
        ]
        since_s = now_s if self._noted_s is None else self._noted_s
        for account in self._kept():
            account.turn(now_s)
            mine = [one for one in here if _names(account.limit, one[1])]
            account.moved += sum(moved - before.get(link, 0) for link, _, moved in mine)
            # A stream that was opened since has been seen by nobody before.
            if any(link in before for link, _, _ in mine):
                account.used_s += max(0.0, now_s - max(since_s, account.hour * HOUR_S))
            self._save(account)
        self._moved = {link: moved for link, _, moved in here}
        self._noted_s = now_s

    def rest_of(self, address: Address) -> Rest | None:
        """Return how long a way rests; None: it may be used."""
        if not self.are_any:
            return None
        now_s, found = self._home.moment.lived_s, list[Rest]()
        for account in self._kept():
            if _names(account.limit, address):
                account.turn(now_s)
                found += account.rests()
        return max(found, key=lambda rest: rest.until_s, default=None)

    def next_s(self) -> float | None:
        """Return when a limit is used up if all goes on, or a rest is over."""
        if not self.are_any:
            return None
        now_s, times = self._home.moment.lived_s, list[float]()
        for account in self._kept():
            rests = list(account.rests())
            times += [rest.until_s for rest in rests]
            left_s = account.limit.s_per_hour - account.used_s
            if account.limit.s_per_hour and self._moved and left_s > 0:
                times.append(now_s + left_s)
        return min(times, default=None)

    def _kept(self) -> list[_Account]:
        if self._accounts is None:
            self._accounts = [_Account(limit) for limit in self._home.settings.limits]
            for account in self._accounts:
                self._load(account)
        return self._accounts

    def _load(self, account: _Account) -> None:
        value = self._home.carry.get(shelf.WIRE, account.key)
        if value is None:
            return
        fields = as_list(decode(value, bytes_max=_RECORD_BYTES_MAX), size=4)
        account.day, account.moved, account.hour, used_ms = [as_int(f, 0, _MAX) for f in fields]
        account.used_s = used_ms / 1000
        account.saved = account.day, account.moved, account.hour, account.used_s

    def _save(self, account: _Account) -> None:
        if account.is_unsaved:
            account.saved = account.day, account.moved, account.hour, account.used_s
            day, moved, hour, used_s = account.saved
            self._home.carry.put(
                shelf.WIRE, account.key, encode([day, moved, hour, int(used_s * 1000)])
            )


def _names(limit: RouteLimit, address: Address) -> bool:
    """Tell whether a limit is of the way to an address."""
    if limit.kind and limit.kind != address.transport:
        return False
    words = address.where.split(" ")
    place = words[1] if address.transport.startswith("socks") else words[0]
    host = place.rpartition(":")[0]
    return limit.where in {"", place, host, host.strip("[]")}
