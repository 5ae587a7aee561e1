"""Time without trusting a clock: how long this node has lived, and how early it cannot be.

    life    seconds this node has lived: uptime by the boot clock, kept across
            restarts; between two boots what the wall clock says when it was
            trusted before and after, else only the uptime since
    floor   a time before which it is not now: moved by root-signed objects, at
            most FLOOR_STEP_S_MAX each, and by uptime as it passes, which is no
            more than life

Whoever sets a wall clock falsely can make bundles age, which does no lasting
harm; the floor, by which bundles are refused, he cannot move.

The wall clock is believed when the machine vouches for it and it is neither
below the floor nor more than CLOCK_AHEAD_S_MAX above it.  See
docs/protocol/custody.md, "Time".
"""

from dataclasses import dataclass
from typing import Final

from meshnews.ids import Day
from meshnews.limits import CLOCK_AHEAD_S_MAX, FLOOR_JUMP_GRACE_S, FLOOR_STEP_S_MAX
from meshnews.store.port import Shelves
from meshnews.wire.codec import Value, as_bytes, as_int, as_list, decode, encode

SHELF: Final = "clock"
DAY_S: Final = 86400
DAY_ZERO_S: Final = 18262 * DAY_S
"""2020-01-01 UTC in seconds since 1970."""

SAVE_S: Final = 300.0
"""Life is written down this often: against wear of the disk.  After a power cut it may
fall back by as much, so what was to happen in it happens that much later."""

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
        settled_day: the floor as it would be without the jumps whose grace still
            runs; None: it has not jumped.
    """

    lived_s: float
    floor_day: Day
    today: Day
    settled_day: Day | None = None

    @property
    def has_floor(self) -> bool:
        """A root-signed object has said that it is not before `floor_day`."""
        return self.floor_day > 0

    @property
    def sweep_day(self) -> Day:
        """Bodies that expired before this day are dropped though there is room."""
        return self.floor_day if self.settled_day is None else self.settled_day


def day_at(seconds: float) -> Day:
    """Return the day of a time in seconds since 1970 UTC; 0 for any before 2020.

    Raises:
        Nothing.
    """
    return Day(max(0, int(seconds - DAY_ZERO_S) // DAY_S))


@dataclass(frozen=True, slots=True)
class _Life:
    """A life, the uptime in it, and the clocks at that moment."""

    lived_s: float
    up_s: float
    clock: Clock

    def runs_on_to(self, clock: Clock) -> bool:
        """Tell whether the boot clock ran on from here to a later reading.

        It starts anew with each boot, and steps back within one where a machine is copied,
        or taken back to an earlier state, while it runs.
        """
        return clock.boot_id == self.clock.boot_id and clock.boot_s >= self.clock.boot_s

    def at(self, clock: Clock) -> "_Life":
        """Return the life at a later reading of the clocks."""
        if clock.boot_id != self.clock.boot_id:
            # All of the present uptime came after the last reading; unless the home has moved to
            # a machine that ran long before, which two clocks that are believed tell.
            up_s = max(0.0, clock.boot_s)
            pause_s = _pause_s(self.clock, clock)
            if pause_s is None:
                return _Life(self.lived_s + up_s, self.up_s + up_s, clock)
            return _Life(self.lived_s + pause_s, self.up_s + min(up_s, pause_s), clock)
        passed_s = max(0.0, clock.boot_s - self.clock.boot_s)
        return _Life(self.lived_s + passed_s, self.up_s + passed_s, clock)


class Timekeeper:
    """Keeps life and floor on a shelf of carry."""

    def __init__(self, carry: Shelves) -> None:
        self._carry = carry
        self._kept = self._load_life()
        self._latest = self._kept
        self._floor = self._load_pair(_FLOOR)
        self._grace = self._load_pair(_GRACE)

    def moment(self, clock: Clock) -> Moment:
        """Return the moment that these clocks show.

        Raises:
            StoreFull: what has to be written down at the first moment of a boot, or when its
                wall clock comes to be trusted, cannot be.
        """
        before = self._latest
        runs_on = before is not None and before.runs_on_to(clock)
        # Each reading counts from the last one that was kept, so a restarted
        # daemon goes on where another left off and rounding does not add up.
        since = self._kept if runs_on else before
        life = _Life(0.0, 0.0, clock) if since is None else since.at(clock)
        self._latest = life
        is_dated = since is not None and since.clock.wall_is_trusted
        if not runs_on or (clock.wall_is_trusted and not is_dated):
            # Of a clock that was not believed when it was last written down the next boot learns
            # nothing: neither how long the pause was, nor that the home has moved.
            self._keep(life)
        floor_day = day_at(self._floor_s(life.up_s))
        today = day_at(clock.wall_s) if self.believes_wall(clock) else floor_day
        return Moment(life.lived_s, floor_day, today, self._settled_day(life.up_s, floor_day))

    def believes_wall(self, clock: Clock) -> bool:
        """Tell whether the wall clock is believed.

        Raises:
            Nothing.
        """
        if not clock.wall_is_trusted:
            return False
        if self._floor is None:
            return True
        floor_s = self._floor_s(self._up_s)
        return floor_s <= clock.wall_s <= floor_s + CLOCK_AHEAD_S_MAX

    def raise_floor(self, floor_s: int) -> None:
        """Let a root-signed object say that it is not before `floor_s`, seconds since 1970.

        To be called once for each object.  The first one is believed whole: it
        came with the card.  Each later one moves the floor by at most FLOOR_STEP_S_MAX.

        Raises:
            StoreFull: it cannot be written down.
        """
        up_s = self._up_s
        now_s = self._floor_s(up_s)
        if self._floor is not None:
            floor_s = min(floor_s, int(now_s) + FLOOR_STEP_S_MAX)
            if floor_s <= now_s:
                return
            # While the grace of an earlier jump runs, the bodies it spared stay spared.
            settled_s = self._settled_s(up_s)
            self._grace = (now_s if settled_s is None else settled_s, up_s)
            self._put_pair(_GRACE, self._grace)
        self._floor = (float(floor_s), up_s)
        self._put_pair(_FLOOR, self._floor)

    def save(self) -> None:
        """Write the latest life down if SAVE_S have passed since that was done.

        Raises:
            StoreFull: it cannot be written down.
        """
        latest, kept = self._latest, self._kept
        if latest is not None and (kept is None or latest.lived_s - kept.lived_s >= SAVE_S):
            self._keep(latest)

    @property
    def save_s(self) -> float:
        """When `save` has something to write, in seconds of life."""
        return 0.0 if self._kept is None else self._kept.lived_s + SAVE_S

    @property
    def _up_s(self) -> float:
        return 0.0 if self._latest is None else self._latest.up_s

    def _floor_s(self, up_s: float) -> float:
        if self._floor is None:
            return float(DAY_ZERO_S)
        floor_s, at_s = self._floor
        return floor_s + max(0.0, up_s - at_s)

    def _settled_s(self, up_s: float) -> float | None:
        """Return where the floor would be without its last jumps; None when their grace is over."""
        if self._grace is None or up_s - self._grace[1] >= FLOOR_JUMP_GRACE_S:
            return None
        floor_s, at_s = self._grace
        return floor_s + max(0.0, up_s - at_s)

    def _settled_day(self, up_s: float, floor_day: Day) -> Day | None:
        settled_s = self._settled_s(up_s)
        return None if settled_s is None else min(floor_day, day_at(settled_s))

    def _load_life(self) -> _Life | None:
        stored = self._carry.get(SHELF, _LIFE)
        if stored is None:
            return None
        lived, up, boot_id, boot, wall, trusted = as_list(
            decode(stored, bytes_max=_RECORD_BYTES_MAX), size=6
        )
        clock = Clock(
            boot_s=as_int(boot, 0, _MS_MAX) / 1000,
            boot_id=as_bytes(boot_id, _BOOT_ID_BYTES),
            wall_s=float(as_int(wall, -_MS_MAX, _MS_MAX)),
            wall_is_trusted=bool(as_int(trusted, 0, 1)),
        )
        return _Life(as_int(lived, 0, _MS_MAX) / 1000, as_int(up, 0, _MS_MAX) / 1000, clock)

    def _keep(self, life: _Life) -> None:
        clock = life.clock
        record: list[Value] = [
            int(life.lived_s * 1000),
            int(life.up_s * 1000),
            clock.boot_id,
            int(clock.boot_s * 1000),
            int(clock.wall_s),
            int(clock.wall_is_trusted),
        ]
        self._carry.put(SHELF, _LIFE, encode(record))
        self._kept = life

    def _load_pair(self, key: bytes) -> tuple[float, float] | None:
        stored = self._carry.get(SHELF, key)
        if stored is None:
            return None
        floor, at = as_list(decode(stored, bytes_max=_RECORD_BYTES_MAX), size=2)
        return as_int(floor, 0, _MS_MAX) / 1000, as_int(at, 0, _MS_MAX) / 1000

    def _put_pair(self, key: bytes, pair: tuple[float, float]) -> None:
        self._carry.put(SHELF, key, encode([int(pair[0] * 1000), int(pair[1] * 1000)]))


def _pause_s(before: Clock, after: Clock) -> float | None:
    """Return what lies between two boots by wall clocks; None: they are not to be believed."""
    if not (before.wall_is_trusted and after.wall_is_trusted) or after.wall_s < before.wall_s:
        return None
    return min(after.wall_s - before.wall_s, float(CLOCK_AHEAD_S_MAX))
