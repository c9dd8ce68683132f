"""Calendar of a generated company: weekends, public holidays, quarter ends, local time.

Times are days since 1970, UTC, as floats; a *wall* time is the same in the office's time zone.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

TIMEZONE = "Europe/Berlin"
COUNTRY = "DE"
_EPOCH = dt.date(1970, 1, 1)
_OPENS, _WORKS = 8 / 24, 10 / 24  # the office day, in days
_PUSH_DAYS, _PULL_FROM = 6, 25  # business days a push lasts; days after a quarter it draws from
MINUTE = 1 / 1440


def day_number(day: dt.date) -> int:
    """Number of a day, counted from 1970.

    Examples
    --------
    >>> day_number(dt.date(1970, 1, 3))
    2
    """
    return (day - _EPOCH).days


def day_of(number: int) -> dt.date:
    """Date of a day number.

    Examples
    --------
    >>> day_of(2)
    datetime.date(1970, 1, 3)
    """
    return _EPOCH + dt.timedelta(days=int(number))


class Calendar:
    """Every day from `first` to `last`, and what a company does on it.

    Attributes
    ----------
    days
        Day numbers; the other arrays have one entry for each.
    month, weekday
        1 to 12; 0 is Monday.
    is_holiday, is_open
        Public holidays; days on which the office works.
    """

    def __init__(self, first: dt.date, last: dt.date) -> None:
        self.first = day_number(first)
        self.days = np.arange(self.first, day_number(last) + 1)
        dates = [day_of(day) for day in self.days]
        public = holidays.country_holidays(COUNTRY, years=range(first.year, last.year + 1))
        zone = ZoneInfo(TIMEZONE)
        noons = [dt.datetime.combine(date, dt.time(12), zone).utcoffset() for date in dates]
        self.month = np.array([date.month for date in dates])
        self.weekday = (self.days + 3) % 7
        self.is_holiday = np.array([date in public for date in dates])
        self.is_open = (self.weekday < 5) & ~self.is_holiday
        self._offset = np.array([(noon or dt.timedelta()) / dt.timedelta(days=1) for noon in noons])
        where_open = np.flatnonzero(self.is_open)
        n_open_before = np.searchsorted(where_open, np.arange(len(self.days)))
        self._next_open = self.days[where_open[np.minimum(n_open_before, len(where_open) - 1)]]
        # For each day: the first day of its quarter, and the last open days before that one.
        starts = [day_number(dt.date(d.year, 3 * ((d.month - 1) // 3) + 1, 1)) for d in dates]
        self.quarter_start = np.array(starts)
        before = np.searchsorted(self.days[where_open], self.quarter_start)
        back = np.arange(_PUSH_DAYS, 0, -1)
        self._push = self.days[where_open[np.maximum(before[:, None] - back, 0)]]

    def at(self, days: npt.NDArray) -> Ints:
        """Positions of day numbers in the arrays; days outside get the first or the last one."""
        return np.clip(np.asarray(days) - self.first, 0, len(self.days) - 1).astype(np.int64)

    def wall(self, times: Floats) -> Floats:
        """Wall times of UTC times."""
        return times + self._offset[self.at(np.floor(times + 1 / 24))]

    def utc(self, walls: Floats) -> Floats:
        """UTC times of wall times."""
        return walls - self._offset[self.at(np.floor(walls))]

    def local_day(self, times: Floats) -> Ints:
        """Local day numbers of UTC times."""
        return np.floor(self.wall(times)).astype(np.int64)

    def in_office(self, times: Floats, after: Floats, *, spread: bool = False) -> Floats:
        """UTC times moved into office hours of an open day, and to after an earlier event.

        A time on a closed day moves to the next open one, as calls do. With `spread` it moves to
        any day of the week after, as decisions do, which do not pile up on Mondays.
        """
        walls = self.wall(times)
        day = np.floor(walls)
        if spread:
            # The digits of the clock below a minute serve as a draw of their own.
            later = np.floor(5 * ((walls - day) * 1440 % 1.0))
            where = self.at(day)
            day_to = np.where(self.is_open[where], day, self._next_open[where] + later)
        else:
            day_to = day
        opened = self._next_open[self.at(day_to)] + _OPENS + _WORKS * (walls - day)
        return np.maximum(self.utc(opened), after + 5 * MINUTE)

    def pushed(self, times: Floats, after: Floats, chance: Floats, pick: Floats) -> Floats:
        """Closing times; some of a quarter's first weeks move to the last open days before it.

        `chance` and `pick` are uniform draws: whether a deal is moved, and to which day. Earlier
        closings and later days are more likely; none moves to within three days `after` opening.
        """
        walls = self.wall(times)
        day = np.floor(walls)
        where = self.at(day)
        late = day - self.quarter_start[where]
        # The last days draw most: the square root leans the pick towards them.
        to = self._push[where, (np.sqrt(pick) * _PUSH_DAYS).astype(np.int64)] + (walls - day)
        earlier = self.utc(to)
        is_pulled = (chance < 0.5 * (1 - late / _PULL_FROM)) & (earlier > after + 3)
        return np.where(is_pulled & (self.first + 120 < day), earlier, times)
