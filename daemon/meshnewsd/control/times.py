"""Between the library's numbers and the aware times of control messages."""

import datetime as dt
from typing import Final

from meshnews.ids import DAY_ZERO, Day

_ORDINAL_MAX: Final = dt.date.max.toordinal()


def moment(seconds: float) -> dt.datetime | None:
    """Return a time from seconds since 1970, UTC; None for 0, which says "not yet"."""
    if seconds <= 0:
        return None
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, OSError, ValueError):
        # A claimed time is whatever its author's clock said.
        return None


def date_of(day: Day) -> dt.date:
    """Return the date of a day."""
    return dt.date.fromordinal(min(DAY_ZERO.toordinal() + day, _ORDINAL_MAX))


def day_of(date: dt.date) -> Day:
    """Return the day of a date; 0 for any before 2020."""
    return Day(max(0, date.toordinal() - DAY_ZERO.toordinal()))
