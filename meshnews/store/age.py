"""Time without trusting a clock: how long this node has lived, and how early it cannot be.

    life    seconds this node has lived: uptime by the boot clock, kept across
            restarts; a pause between two boots counts only when the wall clock
            was trusted before and after it
    floor   a time before which it is not now: moved by root-signed objects, at
            most FLOOR_STEP_S_MAX each, and by life as it passes

The wall clock is believed when the machine vouches for it and it is neither
below the floor nor more than CLOCK_AHEAD_S_MAX above it.  See
docs/protocol/custody.md, "Time".
"""

from dataclasses import dataclass
from typing import Final

from meshnews.ids import Day
from meshnews.limits import CLOCK_AHEAD_S_MAX, FLOOR_JUMP_GRACE_S, FLOOR_STEP_S_MAX
from meshnews.store.port import Carry
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, decode, encode

SHELF: Final = "clock"
DAY_S: Final = 86400
DAY_NONE: Final = Day(0)
DAY_ZERO_S: Final = 18262 * DAY_S
"""2020-01-01 UTC in seconds since 1970."""

_LIFE: Final = b"life"
_FLOOR: Final = b"floor"
_GRACE: Final = b"grace"
_MS_MAX: Final = 1 << 60
_BOOT_ID_BYTES: Final = 16
_RECORD_BYTES_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Clock:
    """What the machine's clocks say at one moment.

    Attributes:
        boot_s: seconds since boot, counting sleep (CLOCK_BOOTTIME).
        boot_id: 16 bytes that differ from boot to boot.
        wall_s: seconds since 1970 UTC.
        wall_is_trusted: it is synchronised, or backed by a clock chip.
    """

    boot_s: float
    boot_id: bytes
    wall_s: float
    wall_is_trusted: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment as this node believes it.

    Attributes:
        lived_s: seconds this node has lived.
        floor_day: the day of the floor; it is not earlier than this.
        today: the day of the wall clock when that is believed, else `floor_day`.
        sweep_day: bodies that expired before it are dropped; behind `floor_day`
            for a while after the floor has jumped.
    """

    lived_s: float
    floor_day: Day
    today: Day
    sweep_day: Day = DAY_NONE


def day_at(seconds: float) -> Day:
    """Return the day of a time in seconds since 1970 UTC; 0 for any before 2020."""
    return Day(max(0, int(seconds - DAY_ZERO_S) // DAY_S))


@dataclass(frozen=True, slots=True)
class _Life:
    """The last reading that was kept: a life, and the clocks at that moment."""

    lived_s: float
    clock: Clock


class Timekeeper:
    """Keeps life and floor on a shelf of carry."""

    def __init__(self, carry: Carry) -> None:
        self._carry = carry
        self._life = self._load_life()
        self._floor = self._load_pair(_FLOOR)
        self._grace = self._load_pair(_GRACE)
        self._latest: _Life | None = None

    def moment(self, clock: Clock) -> Moment:
        """Return the moment that these clocks show."""
        if self._life is None:
            self._life = _Life(0.0, clock)
            self._save(self._life)
        if clock.boot_id != self._life.clock.boot_id:
            self._life = _Life(self._life.lived_s + _pause_s(self._life.clock, clock), clock)
            self._save(self._life)
        passed_s = max(0.0, clock.boot_s - self._life.clock.boot_s)
        lived_s = self._life.lived_s + passed_s
        self._latest = _Life(lived_s, clock)
        floor = day_at(self._floor_s(lived_s))
        today = day_at(clock.wall_s) if self.believes_wall(clock) else floor
        return Moment(lived_s, floor, today, self._sweep_day(lived_s, floor))

    def believes_wall(self, clock: Clock) -> bool:
        """Tell whether the wall clock is believed."""
        if not clock.wall_is_trusted:
            return False
        if self._floor is None:
            return True
        floor_s = self._floor_s(self._latest.lived_s if self._latest else 0.0)
        return floor_s <= clock.wall_s <= floor_s + CLOCK_AHEAD_S_MAX

    def raise_floor(self, floor_s: int) -> None:
        """Let a root-signed object say that it is not before `floor_s`, seconds since 1970.

        The first one is believed whole: it came with the card.  Each later one
        moves the floor by at most FLOOR_STEP_S_MAX.
        """
        lived_s = self._latest.lived_s if self._latest else 0.0
        now_s = self._floor_s(lived_s)
        if self._floor is not None:
            floor_s = min(floor_s, int(now_s) + FLOOR_STEP_S_MAX)
            if floor_s <= now_s:
                return
            self._grace = (now_s, lived_s)
            self._put_pair(_GRACE, self._grace)
        self._floor = (float(floor_s), lived_s)
        self._put_pair(_FLOOR, self._floor)

    def save(self) -> None:
        """Keep the latest life, so that a power cut costs little of it."""
        if self._latest is not None and self._latest != self._life:
            self._life = self._latest
            self._save(self._life)

    def _floor_s(self, lived_s: float) -> float:
        if self._floor is None:
            return float(DAY_ZERO_S)
        floor_s, at_s = self._floor
        return floor_s + max(0.0, lived_s - at_s)

    def _sweep_day(self, lived_s: float, floor: Day) -> Day:
        if self._grace is None:
            return floor
        floor_s, at_s = self._grace
        if lived_s - at_s >= FLOOR_JUMP_GRACE_S:
            return floor
        return min(floor, day_at(floor_s + lived_s - at_s))

    # On the shelf -----------------------------------------------------------

    def _load_life(self) -> _Life | None:
        stored = self._carry.get(SHELF, _LIFE)
        if stored is None:
            return None
        lived, boot_id, boot, wall, trusted = as_list(
            decode(stored, bytes_max=_RECORD_BYTES_MAX), size=5
        )
        clock = Clock(
            boot_s=as_int(boot, 0, _MS_MAX) / 1000,
            boot_id=as_bytes(boot_id, _BOOT_ID_BYTES),
            wall_s=float(as_int(wall, -_MS_MAX, _MS_MAX)),
            wall_is_trusted=bool(as_int(trusted, 0, 1)),
        )
        return _Life(as_int(lived, 0, _MS_MAX) / 1000, clock)

    def _save(self, life: _Life) -> None:
        clock = life.clock
        record: list[Value] = [
            int(life.lived_s * 1000),
            clock.boot_id,
            int(clock.boot_s * 1000),
            int(clock.wall_s),
            int(clock.wall_is_trusted),
        ]
        self._carry.put(SHELF, _LIFE, encode(record))

    def _load_pair(self, key: bytes) -> tuple[float, float] | None:
        stored = self._carry.get(SHELF, key)
        if stored is None:
            return None
        floor, lived = as_list(decode(stored, bytes_max=_RECORD_BYTES_MAX), size=2)
        return as_int(floor, 0, _MS_MAX) / 1000, as_int(lived, 0, _MS_MAX) / 1000

    def _put_pair(self, key: bytes, pair: tuple[float, float]) -> None:
        self._carry.put(SHELF, key, encode([int(pair[0] * 1000), int(pair[1] * 1000)]))


def _pause_s(before: Clock, after: Clock) -> float:
    """Return how long a machine was off, as far as its clocks can be believed, plus its uptime."""
    if before.wall_is_trusted and after.wall_is_trusted:
        pause_s = after.wall_s - before.wall_s
        return min(max(pause_s, 0.0), float(CLOCK_AHEAD_S_MAX))
    return after.boot_s
