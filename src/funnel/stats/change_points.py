"""Steps in a share: whether it changed on a day, on which, and how often chance would do that."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.stats import difference_of_rates

Floats = NDArray[np.float64]
_TRIM = 0.05  # of the rows, on either side, without which no side speaks for itself
_FEWEST = 40


@dataclass(frozen=True)
class Step:
    """The day on which a share most likely changed, if it did.

    `day` is the first of the new level. `is_gradual` where a straight line fits better than a step;
    the day then says little. `low` and `high` are of `after - before`.
    """

    day: dt.date
    before: float
    after: float
    low: float
    high: float
    n: int
    p_value: float
    is_gradual: bool

    @property
    def change(self) -> float:
        """The share after the day less the one before it."""
        return self.after - self.before


def step_in_share(counts: pd.DataFrame, level: float = 0.9) -> Step | None:
    """Look for the day on which a share changed, like for like.

    Every day is tried. The largest deviate counts, and its p value is that of a largest one. Weeks
    that scatter more than chance widen it.

    Parameters
    ----------
    counts
        `day` (a date), `n` (rows), `k` (those that have it), and, where rows differ in kind,
        `stratum`: a share is only compared within one.
    level
        Of the interval of the change.

    Returns
    -------
    Step or None
        Nothing where there are fewer than forty rows, or none or all of them have it.

    References
    ----------
    Miller and Siegmund (1982), Biometrics 38, 1011-1016, for the largest of many deviates; Cochran
    (1954), Biometrics 10, 417-451, for strata.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=100)
    >>> lost = [2] * 60 + [8] * 40
    >>> step = step_in_share(pd.DataFrame({"day": days, "n": 20, "k": lost}))
    >>> step.day, round(step.before, 2), round(step.after, 2)
    (datetime.date(2026, 3, 2), 0.1, 0.4)
    """
    if counts.empty:
        return None
    n, k, days = _by_stratum_and_day(counts)
    total = n.sum()
    if total < _FEWEST or not 0 < k.sum() < total:
        return None
    z = _deviates(n, k)
    side = np.cumsum(n.sum(axis=0))[:-1] / total
    tried = (side >= _TRIM) & (side <= 1 - _TRIM) & np.isfinite(z)
    if not tried.any():
        return None
    at = int(np.argmax(np.where(tried, np.abs(z), -1.0)))
    largest = as_normal(abs(z[at]), *_dispersion(n, k, at + 1))
    after = np.arange(n.shape[1]) > at
    k1, n1, k0, n0 = (part.sum() for part in (k[:, after], n[:, after], k[:, ~after], n[:, ~after]))
    low, high = difference_of_rates(k1, n1, k0, n0, level)
    return Step(
        day=days[at + 1].date(),
        before=float(k0 / n0),
        after=float(k1 / n1),
        low=float(low),
        high=float(high),
        n=int(total),
        p_value=chance_of_largest(largest, side[tried].min(), side[tried].max()),
        is_gradual=bool(_slope_deviate(n, k) > abs(z[at])),
    )


def _by_stratum_and_day(counts: pd.DataFrame) -> tuple[Floats, Floats, pd.DatetimeIndex]:
    """Rows, and those that have it, (stratum, day)."""
    if "stratum" not in counts:
        counts = counts.assign(stratum="")
    summed = counts.groupby(["stratum", "day"], dropna=False)[["n", "k"]].sum()
    wide = summed.unstack("day", fill_value=0)  # noqa: PD010  (its pivot cannot fill two columns)
    days = pd.DatetimeIndex(wide["n"].columns)
    return wide["n"].to_numpy(float), wide["k"].to_numpy(float), days


def _deviates(n: Floats, k: Floats) -> Floats:
    """Give Cochran's deviate of the rows after each day but the last against those up to it."""
    n_total, k_total = n.sum(axis=1, keepdims=True), k.sum(axis=1, keepdims=True)
    n_before, k_before = np.cumsum(n, axis=1)[:, :-1], np.cumsum(k, axis=1)[:, :-1]
    safe = np.maximum(n_total, 2.0)
    difference = (k_total * n_before / safe - k_before).sum(axis=0)
    variance = n_before * (n_total - n_before) * k_total * (n_total - k_total)
    variance = (variance / (safe**2 * (safe - 1))).sum(axis=0)
    nothing = np.full(len(variance), np.nan)
    return np.divide(difference, np.sqrt(variance), out=nothing, where=variance > 0)


def _dispersion(n: Floats, k: Floats, first_after: int) -> tuple[float, int]:
    """How much more weeks scatter than chance, about a level before and one after; at least 1.

    With it the degrees of freedom that it rests on.
    """
    n_days = n.shape[1]
    is_after = np.arange(n_days) >= first_after
    expected, variance = np.zeros_like(n), np.zeros_like(n)
    for side in (is_after, ~is_after):
        total = n[:, side].sum(axis=1)
        rate = np.divide(k[:, side].sum(axis=1), total, out=np.zeros(len(n)), where=total > 0)
        expected[:, side] = n[:, side] * rate[:, None]
        variance[:, side] = n[:, side] * (rate * (1 - rate))[:, None]
    week = np.arange(n_days) // 7
    rest = np.bincount(week, (k - expected).sum(axis=0))
    spread = np.bincount(week, variance.sum(axis=0))
    usable = spread > 0
    freedom = usable.sum() - 2
    if freedom < 3:
        return 1.0, 0
    found = float((rest[usable] ** 2 / spread[usable]).sum() / freedom)
    return max(found, 1.0), int(freedom)


def as_normal(deviate: float, dispersion: float, freedom: int) -> float:
    """Give the normal deviate as rare as this one is where weeks scatter more than chance."""
    from scipy.stats import norm, t

    if dispersion <= 1:
        return float(deviate)
    return float(norm.isf(max(t.sf(deviate / np.sqrt(dispersion), freedom), 1e-300)))


def _slope_deviate(n: Floats, k: Floats) -> float:
    """Deviate of a straight line through the shares, in absolute size."""
    position = np.arange(n.shape[1], dtype=float)
    total = np.maximum(n.sum(axis=1), 2.0)
    rate = k.sum(axis=1) / total
    mean = n @ position / total
    covariance = ((k - n * rate[:, None]) * position).sum()
    squares = (n * (position - mean[:, None]) ** 2).sum(axis=1)
    variance = (squares * rate * (1 - rate) * total / (total - 1)).sum()
    return abs(float(covariance)) / np.sqrt(variance) if variance > 0 else 0.0


def chance_of_largest(b: float, first: float, last: float) -> float:
    """P value of the largest of the deviates at sides from `first` to `last`, by approximation."""
    from scipy.stats import norm

    if b < 1:
        return 1.0
    width = np.log(last * (1 - first) / ((1 - last) * first)) if last > first else 0.0
    many = norm.pdf(b) * (4 / b + (b - 1 / b) * width)
    return float(min(max(many, 2 * norm.sf(b)), 1.0))
