"""The last day that the data covers: the newest day of ordinary activity in any main table.

A few rows dated 2099 are mistyped and no activity; a sales process that slowly ends, or goes on at
a twentieth of its rate, is activity. The computer's clock plays no part.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.int64]
_WINDOW_DAYS = 90
_SHORTEST_BREAK = 7
_EXPECTED = 5
_LAST_GAPS = 10
_LONGEST_GROWN = 60
_FEWEST_DAYS, _ENOUGH_DAYS = 3, 30
_YEAR, _SAME_SEASON, _LONGEST_HOLIDAY = 365, 14, 120
_FEWEST_THIN = 5  # active days: fewer have no rhythm of their own
_LEAST_RATE = 0.02  # of the rate before: mistyped months leave less behind
_LONGEST_THIN = 180
_IRREGULAR = 0.01
_THIN = 1 / 3  # of the rate before


@dataclass(frozen=True)
class _Activity:
    """Active days of a table up to the newest ordinary one.

    `steady_until` is the last of these before the table went on at a far lower rate, if it did.
    """

    days: Days
    steady_until: int | None = None

    @property
    def end(self) -> int:
        return int(self.days[-1])


def newest_ordinary_day(*tables: Mapping[dt.date, int]) -> dt.date | None:
    """Last day of activity that is consistent with the rhythm of the table it is in.

    A gap without activity is a break where it is longer than a week, and so long that at the rate
    of the 90 days before it five active days would have been expected. That is a week for a busy
    company, and months for one that rarely closes a deal. Where gaps have been growing, as at the
    end of a sales process, a gap of up to two months is no break either if it is within twice the
    median of the last three, or five times the mean of the last ten; nor is one at the same time
    of the year as a gap a year before.

    Activity after a break counts where there is enough of it: at least three active days, and a
    third of the active days expected in the gap; or thirty; or more than all before the gap. It
    also counts where it is thin but regular: five active days or more, at 2 % of the rate before or
    more, none of whose gaps stands out from the others.

    Of several tables the latest day counts, with two exceptions. After the busiest table ended,
    others count from three active days on. And a table that goes on thinly from the day on which
    all others end holds days ahead, and no activity.

    Parameters
    ----------
    tables
        How many events each day saw, by table; days without any may be left out.

    Returns
    -------
    date
        None where there is no event at all.

    References
    ----------
    Fisher (1929), Tests of significance in harmonic analysis, for the largest of several gaps.

    Examples
    --------
    >>> days = {dt.date(2026, 3, day): 4 for day in range(1, 29)}
    >>> newest_ordinary_day(days | {dt.date(2099, 1, 1): 2})
    datetime.date(2026, 3, 28)
    """
    active = [sorted(day.toordinal() for day, n in table.items() if n > 0) for table in tables]
    found = [_activity(np.array(days)) for days in active if days]
    if not found:
        return None
    found = [_without_days_ahead(each, found) for each in found]
    busiest = max(found, key=lambda each: (len(each.days), each.end)).end
    after = {int(day) for each in found for day in each.days[each.days > busiest]}
    if len(after) < _FEWEST_DAYS:
        after = {day for day in after if day <= busiest + _SHORTEST_BREAK}
    return dt.date.fromordinal(max(after, default=busiest))


def _activity(days: Days) -> _Activity:
    """Days of one table, in order, without those after a break that nothing bridges."""
    breaks = [*_breaks(days)]
    end = len(days)
    while breaks and not (
        _is_enough(days, breaks[-1], end)
        or any(_is_thin_but_regular(days, last, end) for last in breaks)
    ):
        end = breaks.pop() + 1
    thin = (
        last for last in breaks if _rate_after(days, last, end) < _THIN * _rate_before(days, last)
    )
    last = next(thin, None)
    return _Activity(days[:end], None if last is None else int(days[last]))


def _breaks(days: Days) -> Iterable[int]:
    """Positions of the days before a gap that is too long for the rhythm so far."""
    gaps = np.diff(days)
    within = np.arange(1, len(days) + 1) - np.searchsorted(days, days - _WINDOW_DAYS, side="right")
    allowed = np.maximum(_SHORTEST_BREAK, _EXPECTED * _WINDOW_DAYS / within[:-1])
    for last in range(3, len(gaps)):
        growing = 2 * np.median(gaps[last - 3 : last])
        growing = max(growing, _EXPECTED * gaps[max(last - _LAST_GAPS, 0) : last].mean())
        allowed[last] = max(allowed[last], min(growing, _LONGEST_GROWN))
    for last in np.flatnonzero(gaps > allowed):
        if not _was_there_a_year_before(days, gaps, last):
            yield int(last)


def _was_there_a_year_before(days: Days, gaps: Days, last: int) -> bool:
    """Whether there was such a gap at the same time of the year before: a company's holiday."""
    if gaps[last] > _LONGEST_HOLIDAY:
        return False
    begins = np.abs(days[:last] - (days[last] - _YEAR)) <= _SAME_SEASON
    ends = np.abs(days[1 : last + 1] - (days[last + 1] - _YEAR)) <= _SAME_SEASON
    return bool((begins & ends & (gaps[:last] > gaps[last] / 2)).any())


def _is_enough(days: Days, last: int, end: int) -> bool:
    """Whether there are enough active days after a break for it to be a pause."""
    gaps = np.diff(days[: last + 2])
    ordinary = np.median(gaps[:last]) if last else _WINDOW_DAYS
    needed = np.clip(gaps[last] / ordinary / 3, _FEWEST_DAYS, _ENOUGH_DAYS)
    return bool(end - (last + 1) >= min(needed, last + 2))


def _is_thin_but_regular(days: Days, last: int, end: int) -> bool:
    """Whether a table went on after a day at a lower rate, with a rhythm of its own."""
    gaps = np.diff(days[last:end])
    n = len(gaps)
    if n < _FEWEST_THIN or gaps.max() > _LONGEST_THIN:
        return False
    if _rate_after(days, last, end) < _LEAST_RATE * _rate_before(days, last):
        return False
    return bool(n * (1 - gaps.max() / gaps.sum()) ** (n - 1) >= _IRREGULAR)


def _rate_after(days: Days, last: int, end: int) -> float:
    return (end - last - 1) / float(days[end - 1] - days[last])


def _rate_before(days: Days, last: int) -> float:
    window = days[: last + 1][days[: last + 1] > days[last] - _WINDOW_DAYS]
    return len(window) / min(_WINDOW_DAYS, float(days[last] - days[0] + 1))


def _without_days_ahead(table: _Activity, found: Iterable[_Activity]) -> _Activity:
    """A table without its thin rows after the day on which every other active table ends."""
    steady = table.steady_until
    if steady is None:
        return table
    ends = [each.end for each in found if each is not table and each.end > steady - _WINDOW_DAYS]
    if not ends or max(ends) > steady + _SAME_SEASON:
        return table
    return _Activity(table.days[table.days <= steady])
