"""The last day that the data covers: the newest day of ordinary activity.

A few rows dated 2099 are mistyped and no activity; a sales process that slowly ends is activity.
The computer's clock plays no part.
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
    """Last day of activity without a break before it.

    A gap without activity is a break where it is longer than a week, and so long that at the rate
    of the 90 days before it five active days would have been expected. That is a week for a busy
    company, and months for one that rarely closes a deal. Where gaps have been growing, as at the
    end of a sales process, a gap of up to twice the median of the last three is no break either.

    Activity after a break counts only where there is enough of it: at least three active days, and
    a third of the active days expected in the gap; or thirty; or more than all before the gap.

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
    gaps = np.diff(at)
    within_window = np.arange(1, len(at) + 1) - np.searchsorted(at, at - _WINDOW_DAYS, side="right")
    allowed = np.maximum(_SHORTEST_BREAK, _EXPECTED * _WINDOW_DAYS / within_window[:-1])
    for last in range(3, len(gaps)):
        growing = 2 * np.median(gaps[last - 3 : last])
        allowed[last] = max(allowed[last], min(growing, _LONGEST_GROWN))
    end = len(days)
    for last in np.flatnonzero(gaps > allowed)[::-1]:
        ordinary = np.median(gaps[:last]) if last else _WINDOW_DAYS
        needed = np.clip(gaps[last] / ordinary / 3, _FEWEST_DAYS, _ENOUGH_DAYS)
        if end - (last + 1) >= min(needed, last + 2):
            break
        end = last + 1
    return days[end - 1]
