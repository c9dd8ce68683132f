"""The day the data speaks for: the newest on which it shows ordinary activity.

A stray row dated 2099 is no activity, and neither is a handful of them; a sales process that runs
out slowly is. The wall clock is never asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np

_WINDOW_DAYS = 90
_SHORTEST_BREAK = 7
_EXPECTED = 5
_LONGEST_GROWN = 60
_FEWEST_DAYS, _ENOUGH_DAYS = 3, 30


def newest_ordinary_day(rows_by_day: Mapping[dt.date, int]) -> dt.date | None:
    """Find the last day of activity that is not cut off from what came before.

    A silence is a break where it is longer than a week, and so long that five active days would
    have been expected in it, going by the 90 days before: a few days for a busy company, months
    for one that closes a deal now and then. Where silences have been growing, as at the end of a
    sales process that runs out, twice the last ones is no break either.

    What follows a break is ordinary only if it is no handful: it must hold three active days and
    a third of those that the silence lost, or thirty, or more than all that came before it.

    Parameters
    ----------
    rows_by_day
        How many events each day saw; days without any may be left out.

    Returns
    -------
    date
        None where there is no event at all.

    Examples
    --------
    >>> days = {dt.date(2026, 3, day): 4 for day in range(1, 29)}
    >>> newest_ordinary_day(days | {dt.date(2099, 1, 1): 2})
    datetime.date(2026, 3, 28)
    """
    days = sorted(day for day, n in rows_by_day.items() if n > 0)
    if not days:
        return None
    at = np.array([day.toordinal() for day in days])
    silences = np.diff(at)
    within_window = np.arange(1, len(at) + 1) - np.searchsorted(at, at - _WINDOW_DAYS, side="right")
    allowed = np.maximum(_SHORTEST_BREAK, _EXPECTED * _WINDOW_DAYS / within_window[:-1])
    for last in range(3, len(silences)):
        growing = 2 * np.median(silences[last - 3 : last])
        allowed[last] = max(allowed[last], min(growing, _LONGEST_GROWN))
    end = len(days)
    for last in np.flatnonzero(silences > allowed)[::-1]:
        usual = np.median(silences[:last]) if last else _WINDOW_DAYS
        needed = np.clip(silences[last] / usual / 3, _FEWEST_DAYS, _ENOUGH_DAYS)
        if end - (last + 1) >= min(needed, last + 2):
            break
        end = last + 1
    return days[end - 1]
