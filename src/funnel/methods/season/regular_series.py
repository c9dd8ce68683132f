"""Series with one value for each day, week or month between their ends."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.workdays import is_workday

_FOUR_WEEKS, _WORKING_DAYS = 28, 5
_FREQ = {"month": "MS", "week": "7D", "day": "D"}


def regular(series: pd.Series) -> tuple[pd.Series, str]:
    """Sort, check and fill the index; say which grain it has."""
    index = series.index
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    elif len(index) and all(isinstance(day, dt.date) for day in index):
        index = pd.DatetimeIndex(index)
    if not isinstance(index, pd.DatetimeIndex):
        raise ParameterError("decompose: the series needs an index of days.")
    if index.has_duplicates:
        twice = index[index.duplicated()][0].date()
        raise ParameterError(
            f"decompose: {twice} is there more than once; each span needs one value."
        )
    try:
        values = pd.Series(series.to_numpy(float), index=index.tz_localize(None)).sort_index()
    except (TypeError, ValueError):
        raise ParameterError("decompose: the series must hold numbers.") from None
    if np.isinf(values).any():
        raise ParameterError("decompose: the series holds an infinite value.")
    if len(values) < 2:
        return values, str(series.attrs.get("grain", "month"))
    step = float(np.median(np.diff(values.index) / pd.Timedelta(days=1)))
    grain = "day" if step <= 3 else "week" if step <= 10 else "month"
    if grain == "month":
        values.index = values.index.to_period("M").start_time
        if values.index.has_duplicates:
            raise ParameterError("decompose: a month is there more than once.")
    whole = pd.date_range(values.index[0], values.index[-1], freq=_FREQ[grain])
    if not values.index.isin(whole).all():
        raise ParameterError(f"decompose: the {grain}s of the index do not begin on one weekday.")
    return values.reindex(whole), grain


def by_day(observed: pd.Series, grain: str, country: str) -> pd.Series:
    """Share weeks and months out over their working days.

    By day, a weekday on which nothing was ever recorded is one on which nothing happens: such a
    series is of working days, and has no gap at each weekend.
    """
    if observed.empty:
        return observed
    if grain == "day":
        weekday = observed.index.day_of_week
        recorded = set(weekday[observed.notna()])
        if len(observed) < _FOUR_WEEKS or len(recorded) < _WORKING_DAYS:
            return observed
        return observed.mask(~weekday.isin(recorded), 0.0)
    after = observed.index[-1] + (
        pd.DateOffset(months=1) if grain == "month" else pd.Timedelta(days=7)
    )
    days = pd.date_range(observed.index[0], after, freq="D", inclusive="left")
    span = observed.index.searchsorted(days, side="right") - 1
    worth = is_workday(days, country).astype(float)
    per_span = np.bincount(span, worth, minlength=len(observed))
    even = per_span[span] == 0
    worth[even] = 1.0
    per_span = np.bincount(span, worth, minlength=len(observed))
    return pd.Series(observed.to_numpy()[span] * worth / per_span[span], index=days)
