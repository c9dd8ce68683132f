"""Weights of days of a series by week or month: the effect of working days, estimated.

Single days are not recorded, so that the weights of weekdays cannot be. What can be estimated is
how far totals follow the number of working days.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from funnel.contract.workdays import is_workday
from funnel.methods.season.day_weights import DayWeights
from funnel.methods.season.exposure import Spans, month_spans, week_spans
from funnel.methods.season.grid_regression import InseparableError, are_small
from funnel.methods.season.monthly import FEWEST_MONTHS, fit_month_effects
from funnel.methods.season.weekly import fit_weeks

ON_WORKDAYS = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of a total that working days bring
_DAYS_OF_MONTH = 365.2425 / 12
_IN_WEEK, _WORKDAYS = 7, 5
_LEAST = 0.01  # weight of a day
_NO_REPORT = 1e-9
_FEWEST_REPORTS, _MOSTLY = 8, 0.95  # days with anything, and their share on one weekday


@dataclass(frozen=True, eq=False)
class SpanModel:
    """Weight of days of a series by week or month, as one value of the effect of working days.

    `on_workdays` is the share of a total that follows the number of working days; the rest follows
    that of days. A level such as a stock or an index (`is_level`) follows neither. Within a week
    all days weigh the same, since nothing says how its total is spread. `share` is its share of the
    likelihood of all models.
    """

    grain: str
    on_workdays: float = 0.0
    is_level: bool = False
    share: float = 1.0
    coefficients: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    covariance: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))

    def weigh(self, days: pd.DatetimeIndex, weights: DayWeights) -> tuple[NDArray, NDArray]:
        """Weights of days around 1, and their features, of which there are none."""
        none = np.zeros((len(days), 0))
        if self.is_level:
            return _DAYS_OF_MONTH / days.days_in_month.to_numpy(float), none
        if self.grain == "week":
            worked = _workdays_of_week(days, weights) / _WORKDAYS
        else:
            worked = is_workday(days, weights.country) * (_IN_WEEK / _WORKDAYS)
        return np.maximum(1 - self.on_workdays + self.on_workdays * worked, _LEAST), none


def _workdays_of_week(days: pd.DatetimeIndex, weights: DayWeights) -> NDArray[np.float64]:
    """Working days of the week that each day lies in; weeks begin as those of the series."""
    place = (days.day_of_week - weights.week_begins) % _IN_WEEK
    starts, which = np.unique((days - pd.to_timedelta(place, "D")).to_numpy(), return_inverse=True)
    every = np.add.outer(starts, np.arange(_IN_WEEK).astype("timedelta64[D]"))
    worked = is_workday(pd.DatetimeIndex(every.ravel()), weights.country)
    return worked.reshape(-1, _IN_WEEK).sum(axis=1)[which].astype(float)


@dataclass(frozen=True, eq=False)
class ReportModel(SpanModel):
    """Weight of days of a series that is recorded on one weekday only: 1 on it, else hardly any."""

    weekday: int = 0

    def weigh(self, days: pd.DatetimeIndex, weights: DayWeights) -> tuple[NDArray, NDArray]:
        """Weights of days, and their features, of which there are none."""
        is_report = (days.day_of_week == self.weekday).astype(float)
        return np.maximum(is_report, _NO_REPORT), np.zeros((len(days), 0))


def report_weights(history: pd.Series, country: str) -> DayWeights | None:
    """Weights of days of a series that is recorded on one weekday only; `None` for others.

    An import of each week's rows on its Friday, for instance. Then a window holds as much as it
    holds of these days, whatever its length and its working days.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=70)
    >>> fridays = pd.Series(np.where(days.day_of_week == 4, 30.0, 0.0), index=days)
    >>> report_weights(fridays, "").report_weekday
    4
    >>> report_weights(fridays + 1, "") is None
    True
    """
    by_weekday = np.bincount(history.index[history.gt(0)].day_of_week, minlength=_IN_WEEK)
    weekday = int(by_weekday.argmax())
    if by_weekday[weekday] < max(_FEWEST_REPORTS, _MOSTLY * by_weekday.sum()):
        return None
    return DayWeights((ReportModel("day", weekday=weekday),), country)


def fit_span_weights(
    history: pd.Series, country: str, grain: str, *, is_flow: bool = False
) -> DayWeights:
    """Weights of days of a series by week or month, averaged over effects of working days.

    Parameters
    ----------
    history
        By day, weeks or months allocated to their days.
    country
        As in `funnel.contract.workdays.is_workday`.
    grain
        `week` or `month`.
    is_flow
        Whether the totals are known to be of events, so that a longer month holds more of them.

    Returns
    -------
    DayWeights
        Models of a total that follows the number of working days by 0 to 1 and, by month, of a
        level that follows none. Too few or too small totals leave all of them alike.

    Notes
    -----
    Each value is weighted by the restricted likelihood of the totals beside the season, as are the
    variances of the fit. A prior that is flat from 0 to 1 shrinks the effect to one half where the
    series says little, and the spread of the models is the calendar's uncertainty.
    """
    models = [SpanModel(grain, value) for value in ON_WORKDAYS]
    if grain == "month" and not is_flow:
        models.append(SpanModel(grain, is_level=True))
    begins = int(history.index[0].day_of_week) if len(history) else 0
    weights = DayWeights((), country, week_begins=begins)
    scores = [_score(history, replace(weights, models=(each,)), grain) for each in models]
    shares = softmax(scores) if np.isfinite(scores).all() else np.full(len(models), 1 / len(models))
    found = [
        replace(model, share=float(share)) for model, share in zip(models, shares, strict=True)
    ]
    return replace(weights, models=tuple(found))


def _score(history: pd.Series, weights: DayWeights, grain: str) -> float:
    """Restricted log likelihood of the totals; missing where there are too few or too small."""
    spans: Spans | None = month_spans(history, weights)
    if grain == "week" and spans.when.size:
        spans = week_spans(history, weights, begins=weights.week_begins)
    if spans is None or spans.when.size < FEWEST_MONTHS or are_small(spans.total):
        return np.nan
    level = np.log(spans.total) - spans.exposure.log
    try:
        if grain == "week":
            return fit_weeks(level, spans.mondays, coarse=True, n_draws=0).log_likelihood
        return fit_month_effects(level, spans.when, seed=0, n_draws=0).fit.log_likelihood
    except InseparableError:
        return np.nan
