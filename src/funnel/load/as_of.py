"""The day the data speaks for: the newest on which it shows ordinary activity.

A stray row dated 2099 is no activity, and neither is a handful of them; a sales process that runs
out slowly is. The wall clock is never asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np

_SHORTEST_BREAK = 5
_FEWEST_DAYS = 3
_FEWEST_SHARE = 0.25


def newest_ordinary_day(rows_by_day: Mapping[dt.date, int]) -> dt.date | None:
    """Find the last day of a series of events that is not cut off from the others.

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
    ordinals = np.array([day.toordinal() for day in days])
    counts = np.array([rows_by_day[day] for day in days], dtype=float)
    end = len(days)
    while end > 1:
        gaps = np.diff(ordinals[:end])
        longest = max(_SHORTEST_BREAK, 2 * np.quantile(gaps, 0.995)) if len(gaps) else 0
        breaks = np.flatnonzero(gaps > longest)
        if not len(breaks):
            break
        tail = breaks[-1] + 1
        if _is_ordinary(counts[:tail], counts[tail:end]):
            break
        end = tail
    return days[end - 1]


def _is_ordinary(body: np.ndarray, tail: np.ndarray) -> bool:
    return len(tail) >= _FEWEST_DAYS and tail.mean() >= _FEWEST_SHARE * body.mean()
