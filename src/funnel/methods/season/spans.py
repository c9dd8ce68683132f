"""Whole weeks and months before a window, with what their days are worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.season.exposure import Exposure, expose
from funnel.methods.season.months import FEWEST_MONTHS, MOST_MONTHS
from funnel.methods.season.workdays import DayWeights

_MOST_WEEKS = 261  # as many as 60 months have
_IN_YEAR, _IN_WEEK = 12, 7


@dataclass(frozen=True, eq=False)
class Spans:
    """Whole weeks or months known throughout: totals, exposures, and when."""

    total: NDArray[np.float64]
    exposure: Exposure
    when: NDArray[np.int64]  # months since year 0, or days since 1970 of each Monday

    @property
    def mondays(self) -> pd.DatetimeIndex:
        """Of weeks, the first days."""
        return pd.DatetimeIndex(self.when.astype("datetime64[D]"))

    def kept(self, which: NDArray[np.bool_]) -> Spans:
        """Leave out what is not marked."""
        slopes = tuple(slope[which] for slope in self.exposure.slopes)
        exposure = Exposure(self.exposure.log[which], self.exposure.off[:, which], slopes)
        return Spans(self.total[which], exposure, self.when[which])


def month_spans(history: pd.Series, weights: DayWeights) -> Spans:
    """Sum whole months known throughout, the last 60 of them."""
    days = history.index
    if not len(days):
        return Spans(np.zeros(0), Exposure(np.zeros(0), np.zeros((1, 0)), ()), np.zeros(0, int))
    number = (days.year * _IN_YEAR + days.month - 1).to_numpy()
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    length = np.diff([*starts, len(days)])
    is_whole = length == days.days_in_month.to_numpy()[starts]
    total = np.add.reduceat(history.to_numpy(float), starts)
    spans = Spans(total, expose(weights, days, starts), number[starts])
    known = is_whole & np.isfinite(total) & np.isfinite(spans.exposure.log)
    known[: max(len(known) - MOST_MONTHS, 0)] = False
    return spans.kept(known)


def week_spans(history: pd.Series, weights: DayWeights) -> Spans | None:
    """Sum whole weeks known throughout, the last 261; nothing where they are too few."""
    lead = -int(history.index[0].day_of_week) % _IN_WEEK
    n_weeks = max(len(history) - lead, 0) // _IN_WEEK
    end = lead + n_weeks * _IN_WEEK
    starts = np.arange(lead, end, _IN_WEEK)[-_MOST_WEEKS:]
    if starts.size < 4 * FEWEST_MONTHS:
        return None
    total = np.add.reduceat(history.to_numpy(float)[:end], starts)
    exposure = expose(weights, history.index, starts, end)
    at = history.index[starts].to_numpy().astype("datetime64[D]").astype(np.int64)
    spans = Spans(total, exposure, at)
    known = spans.kept(np.isfinite(total) & np.isfinite(exposure.log))
    return known if known.when.size >= 4 * FEWEST_MONTHS and known.total.any() else None
