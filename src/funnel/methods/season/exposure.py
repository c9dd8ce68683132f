"""Exposure of spans of days by the weights of their days, and whole weeks and months with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.season.day_weights import DayWeights
from funnel.methods.season.monthly import FEWEST_MONTHS, MOST_MONTHS

MOST_WEEKS = (
    261  # the nearest ones, as many as 60 months have: levels of longer ago say little of now
)
_IN_YEAR, _IN_WEEK = 12, 7


@dataclass(frozen=True, eq=False)
class Exposure:
    """Log exposure of spans: the sum of their days' weights.

    `log` has shape (spans,), averaged over the day models; `off` (models, spans) is how far each
    model lies from that mean; `slopes`, one array of shape (spans, features) per model, is the
    derivative by the coefficients of its days.
    """

    log: NDArray[np.float64]
    off: NDArray[np.float64]
    slopes: tuple[NDArray[np.float64], ...]

    def minus(self, other: Exposure) -> Exposure:
        """Difference of exposures, span by span."""
        slopes = tuple(a - b for a, b in zip(self.slopes, other.slopes, strict=True))
        return Exposure(self.log - other.log, self.off - other.off, slopes)

    def weighted(self, weights: NDArray[np.float64]) -> Exposure:
        """Weighted sum over spans, as one span."""
        slopes = tuple((weights @ slope)[None] for slope in self.slopes)
        return Exposure((weights @ self.log)[None], (self.off @ weights)[:, None], slopes)


def expose(
    weights: DayWeights,
    days: pd.DatetimeIndex,
    starts: NDArray[np.int64],
    end: int | None = None,
) -> Exposure:
    """Exposure of spans of days.

    Parameters
    ----------
    weights
        Weights of days.
    days
        All days of all spans, in order.
    starts
        Where in `days` each span begins; it ends before the next.
    end
        Where the last one ends; default: with the days.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if not weights.fitted:
            weight = np.add.reduceat(weights.of(days)[:end], starts)
            return Exposure(np.log(weight), np.zeros((1, starts.size)), ())
        sums, slopes = [], []
        for _, weight, features in weights.each(days):
            total = np.add.reduceat(weight[:end], starts)
            sums.append(total)
            slope = np.add.reduceat((weight[:, None] * features)[:end], starts)
            slopes.append(slope / total[:, None])
        shares = np.array([model.share for model in weights.models])
        log = np.log(shares @ np.array(sums))
        return Exposure(log, np.log(sums) - log, tuple(slopes))


def draw_error(
    weights: DayWeights, spans: list[Exposure], n_draws: int, random: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Draws of the error of log exposures, the same draws for all of them.

    Returns
    -------
    list
        One array of shape (draws,) for each of `spans`.
    """
    if not weights.fitted:
        return [np.zeros(n_draws) for _ in spans]
    shares = [model.share for model in weights.models]
    chosen = random.choice(len(shares), n_draws, p=shares)
    drawn = [np.empty(n_draws) for _ in spans]
    for number, model in enumerate(weights.models):
        which = np.flatnonzero(chosen == number)
        normal = random.standard_normal((which.size, len(model.coefficients)))
        off = normal @ np.linalg.cholesky(model.covariance).T
        for each, span in zip(drawn, spans, strict=True):
            each[which] = span.off[number, 0] + off @ span.slopes[number][0]
    return drawn


@dataclass(frozen=True, eq=False)
class Spans:
    """Whole weeks or months recorded throughout: totals, exposures, and when."""

    total: NDArray[np.float64]
    exposure: Exposure
    when: NDArray[np.int64]  # months since year 0, or days since 1970 of each week's first day

    @property
    def mondays(self) -> pd.DatetimeIndex:
        """First days, of weeks."""
        return pd.DatetimeIndex(self.when.astype("datetime64[D]"))

    def where(self, which: NDArray[np.bool_]) -> Spans:
        """Marked spans alone."""
        slopes = tuple(slope[which] for slope in self.exposure.slopes)
        exposure = Exposure(self.exposure.log[which], self.exposure.off[:, which], slopes)
        return Spans(self.total[which], exposure, self.when[which])


def month_spans(history: pd.Series, weights: DayWeights) -> Spans:
    """Totals of whole months recorded throughout, the last 60 of them."""
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
    return spans.where(known)


def week_spans(history: pd.Series, weights: DayWeights, begins: int = 0) -> Spans | None:
    """Totals of whole weeks recorded throughout, the last 261; `None` where they are too few.

    Weeks begin on Mondays, or on another weekday (6: Sunday).
    """
    lead = (begins - int(history.index[0].day_of_week)) % _IN_WEEK
    n_weeks = max(len(history) - lead, 0) // _IN_WEEK
    end = lead + n_weeks * _IN_WEEK
    starts = np.arange(lead, end, _IN_WEEK)[-MOST_WEEKS:]
    if starts.size < 4 * FEWEST_MONTHS:
        return None
    total = np.add.reduceat(history.to_numpy(float)[:end], starts)
    exposure = expose(weights, history.index, starts, end)
    at = history.index[starts].to_numpy().astype("datetime64[D]").astype(np.int64)
    spans = Spans(total, exposure, at)
    known = spans.where(np.isfinite(total) & np.isfinite(exposure.log))
    return known if known.when.size >= 4 * FEWEST_MONTHS and known.total.any() else None
