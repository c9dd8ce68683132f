"""What a day is worth: weekdays, public holidays, and the position in the quarter."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.workdays import is_holiday, is_workday

RIDGE = 0.01
FEWEST_WEEKS = 26
_STEPS = 30
_NEAR_END, _BEFORE_END, _NEAR_START = 5, 10, 5


@dataclass(frozen=True, eq=False)
class DayWeights:
    """What each kind of day is worth, on the log scale, with its covariance.

    `coefficients` follow the columns of `day_features`. `fitted` is false where there was too
    little to learn from: then working days count 1 and others nothing.
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    country: str
    by_workdays: bool
    fitted: bool

    def of(self, days: pd.DatetimeIndex) -> NDArray[np.float64]:
        """Weights of days."""
        if not self.fitted:
            return is_workday(days, self.country).astype(float)
        return np.exp(self.features(days) @ self.coefficients)

    def features(self, days: pd.DatetimeIndex) -> NDArray[np.float64]:
        """Describe days by the columns that the coefficients belong to."""
        return day_features(days, self.country, by_workdays=self.by_workdays)


def day_features(days: pd.DatetimeIndex, country: str, *, by_workdays: bool) -> NDArray:
    """Describe days: six weekdays, holiday, the quarter's last five, five before, first five.

    Returns
    -------
    ndarray
        Shape (days, 10), of 0 and 1. The position in the quarter counts working days, or
        calendar days where `by_workdays` is false.
    """
    if len(days) and (days[-1] - days[0]).days + 1 == len(days):
        return _of_span(days[0], days[-1], country, by_workdays)
    return _described(days, country, by_workdays)


@functools.lru_cache(maxsize=256)
def _of_span(
    first: pd.Timestamp, last: pd.Timestamp, country: str, by_workdays: bool
) -> NDArray[np.float64]:
    """Describe all days of a span; windows of one company ask for the same ones many times."""
    described = _described(pd.date_range(first, last), country, by_workdays)
    described.flags.writeable = False
    return described


def _described(days: pd.DatetimeIndex, country: str, by_workdays: bool) -> NDArray[np.float64]:
    columns = [days.day_of_week == number for number in range(1, 7)]
    columns.append(is_holiday(days, country))
    if len(days):
        whole = pd.date_range(
            days[0].to_period("Q").start_time, days[-1].to_period("Q").end_time.normalize()
        )
        counts = is_workday(whole, country) if by_workdays else np.ones(len(whole), bool)
        quarter = whole.to_period("Q")
        place = pd.Series(counts.astype(int), index=whole)
        from_start = place.groupby(quarter).cumsum()
        to_end = place[::-1].groupby(quarter[::-1]).cumsum()[::-1]
        start, end = (at.reindex(days).to_numpy() for at in (from_start, to_end))
        counted = place.reindex(days).to_numpy() > 0
    else:
        start = end = counted = np.zeros(0)
    columns.append(counted & (end <= _NEAR_END))
    columns.append(counted & (end > _NEAR_END) & (end <= _BEFORE_END))
    columns.append(counted & (start <= _NEAR_START))
    return np.column_stack(columns).astype(float)


def fit_day_weights(daily: pd.Series, country: str = "") -> DayWeights:
    """Learn what each kind of day is worth, from days within their own weeks.

    Parameters
    ----------
    daily
        Counts or amounts by day, without gaps in its index; missing where not known.
    country
        As in `is_workday`.

    Returns
    -------
    DayWeights
        Fitted where at least 26 whole weeks have something in them.

    Notes
    -----
    Conditional quasi-Poisson: given a week's total, its days share it in proportion to their
    weights, so neither trend nor season can leak in. A ridge of 0.01 keeps days on which nothing
    ever happened finite. Whether the quarter's end counts in working or in calendar days is
    chosen by the likelihood.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, sections 6.4 and 9.2.
    """
    weeks = daily.index.to_period("W-SUN")
    whole = daily.groupby(weeks).transform(lambda week: len(week) == 7 and week.notna().all())
    kept = daily[whole.to_numpy(bool)]
    amounts = kept.to_numpy(float).reshape(-1, 7)
    has_some = (amounts > 0).any(axis=1) & (amounts >= 0).all(axis=1)
    if has_some.sum() < FEWEST_WEEKS:
        return DayWeights(np.zeros(0), np.zeros((0, 0)), country, True, False)
    amounts = amounts[has_some] / amounts[has_some].mean()
    fits = []
    for by_workdays in (True, False):
        features = day_features(kept.index, country, by_workdays=by_workdays)
        features = features.reshape(-1, 7, features.shape[1])[has_some]
        rough, *_ = _newton(amounts, features)
        dispersion = _dispersion(amounts, features, rough)
        found, information, likelihood = _newton(amounts / dispersion, features)
        fits.append((likelihood, by_workdays, found, np.linalg.inv(information)))
    _, by_workdays, found, covariance = max(fits, key=lambda fit: fit[0])
    return DayWeights(found, covariance, country, by_workdays, True)


def _shares(features: NDArray, coefficients: NDArray) -> NDArray:
    score = features @ coefficients
    score = np.exp(score - score.max(axis=1, keepdims=True))
    return score / score.sum(axis=1, keepdims=True)


def _newton(amounts: NDArray, features: NDArray) -> tuple[NDArray, NDArray, float]:
    """Coefficients, information and log likelihood of days given their weeks' totals."""
    size = features.shape[-1]
    totals = amounts.sum(axis=1)
    found = np.zeros(size)
    value = -np.inf
    for _ in range(_STEPS):
        shares = _shares(features, found)
        mean = np.einsum("wd,wdk->wk", shares, features)
        slope = np.einsum("wd,wdk->k", amounts - totals[:, None] * shares, features)
        weighted = features * (totals[:, None] * shares)[..., None]
        information = np.einsum("wdk,wdl->kl", weighted, features)
        information -= (mean * totals[:, None]).T @ mean
        information += RIDGE * np.eye(size)
        step = np.linalg.solve(information, slope - RIDGE * found)
        found = found + np.clip(step, -2, 2)
        before, value = value, float((amounts * np.log(shares + 1e-300)).sum())
        if np.abs(step).max() < 1e-8 or abs(value - before) < 1e-10:
            break
    return found, information, value


def _dispersion(amounts: NDArray, features: NDArray, coefficients: NDArray) -> float:
    expected = amounts.sum(axis=1, keepdims=True) * _shares(features, coefficients)
    left = (amounts - expected) ** 2 / np.maximum(expected, 1e-9)
    seen = expected > 1e-6
    return max(
        float(left[seen].sum() / max(seen.sum() - len(amounts) - features.shape[-1], 1)), 1e-6
    )
