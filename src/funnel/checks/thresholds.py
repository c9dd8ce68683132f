"""Thresholds that changed: a band of values that passes a stage from a day on, or no longer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks.limits import (
    AS_STRONG,
    BANDS,
    CONTRAST,
    ELSEWHERE,
    FEWEST_IN_BAND,
    LARGE_STEP,
    LARGEST_BAND,
    LEAST_ABOVE,
    PERMUTATIONS,
)
from funnel.stats import difference_of_rates
from funnel.stats.change_points import split_scores
from funnel.stats.limits import SMALLEST_SIDE

Floats = NDArray[np.float64]
_SMALLEST_VARIANCE = 0.5  # of a band's score; below it a z value means nothing
_AT_ONCE = 250  # permutations drawn together
_SCANNED = 25  # of these, at once: so few stay in a processor's cache


@dataclass(frozen=True)
class ThresholdChange:
    """Values from `low` to under `high`, whose share that passes changed on `day`."""

    day: dt.date
    low: float
    high: float
    before: float
    after: float
    n_before: int
    n_after: int
    low_change: float
    high_change: float
    z: float
    p_value: float


def threshold_change(
    entered: pd.DataFrame, *, limit: float, seed: int
) -> ThresholdChange | None:  # fmt: skip
    """A band of values that moved from below a threshold to above it, or back, on a day.

    Every band and every week is tried. A band counts where its leads were treated like those with
    lower values on one side of the day, and like those with higher ones on the other, while
    elsewhere little changed: a rate that changed for everybody is no threshold. Bands are compared
    value by value, so that more leads of low value are no threshold either.

    Parameters
    ----------
    entered
        One row per lead: `day` (a date), `hit` (1 where it passed), `value`.
    limit
        P value below which the largest z value counts.
    seed
        Of the permutations of days among leads of like value, which show how large chance makes it.

    Returns
    -------
    ThresholdChange or None

    Notes
    -----
    A scan over bands and days; its p value by permutation, as in Kulldorff (1997), Communications
    in Statistics 26, 1481-1496.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=100).repeat(10)
    >>> leads = pd.DataFrame({"day": days, "value": np.tile(np.arange(10) * 10.0, 100)})
    >>> threshold = np.where(leads["day"] < "2026-02-20", 50, 30)
    >>> leads["hit"] = leads["value"].ge(threshold) * 1.0
    >>> found = threshold_change(leads, limit=0.01, seed=1)
    >>> found.day, found.low, found.high
    (datetime.date(2026, 2, 20), 30.0, 50.0)
    """
    values = entered["value"].to_numpy(float)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BANDS + 1), method="lower"))
    if len(edges) < 3:
        return None
    band = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 1)
    first_day = entered["day"].min()
    day = (entered["day"] - first_day).dt.days.to_numpy()
    shape = (len(edges), int(day.max()) + 1)
    n, k = np.zeros(shape), np.zeros(shape)
    np.add.at(n, (band, day), 1.0)
    np.add.at(k, (band, day), entered["hit"].to_numpy(float))
    begins = np.arange(0, shape[1], 7)
    if len(begins) < 2:
        return None
    n_weeks, k_weeks = np.add.reduceat(n, begins, axis=1), np.add.reduceat(k, begins, axis=1)
    z = _scan(n_weeks, k_weeks)
    i, j, week = _narrowest(z, n_weeks.sum(axis=1))
    at = _refined(n, k, slice(i, j + 1), begins[week + 1])
    counts = _passed_threshold(n, k, i, j, at)
    if counts is None:
        return None
    p_value = _chance(n_weeks, k_weeks, float(z.max()), limit, seed)
    if p_value > limit:
        return None
    n1, k1, n0, k0 = counts
    low_change, high_change = difference_of_rates(k1, n1, k0, n0)
    return ThresholdChange(
        day=(first_day + pd.Timedelta(days=at)).date(),
        low=float(edges[i]),
        high=float(edges[j + 1] if j + 1 < len(edges) else np.inf),
        before=k0 / n0,
        after=k1 / n1,
        n_before=int(n0),
        n_after=int(n1),
        low_change=float(low_change),
        high_change=float(high_change),
        z=float(z.max()),
        p_value=p_value,
    )


def _scan(n: Floats, k: Floats) -> Floats:
    """Size of the z value of each run of bands and each week's end; (first, last, week)."""
    score, variance = (np.cumsum(part, axis=0) for part in split_scores(n, k))
    z = np.zeros((len(n), *score.shape))
    for first in range(len(n)):
        z[first, first:] = np.abs(_runs(score, first)) * _by_deviation(n, variance, first)
    return z


def _runs(sums: Floats, first: int) -> Floats:
    """Sums over the runs of bands that begin with `first`, from sums up to each band."""
    return sums[..., first:, :] - sums[..., first - 1 : first, :] if first else sums


def _by_deviation(n: Floats, variance: Floats, first: int) -> Floats:
    """One over the standard deviation of a run's score; 0 where its z value means nothing."""
    variance = _runs(variance, first)
    side = np.cumsum(n.sum(axis=0))[:-1] / n.sum()
    usable = (variance > _SMALLEST_VARIANCE) & (side >= SMALLEST_SIDE) & (side <= 1 - SMALLEST_SIDE)
    return np.where(usable, 1 / np.sqrt(np.where(usable, variance, 1.0)), 0.0)


def _narrowest(z: Floats, sizes: Floats) -> tuple[int, int, int]:
    """Of the runs of bands about as strong as the strongest, the smallest one, and its week.

    A band from which all or none pass adds nothing, and is no part of what changed.
    """
    largest = z.max(axis=2)
    up_to = np.append(0.0, np.cumsum(sizes))
    size = up_to[None, 1:] - up_to[:-1, None]
    i, j = np.unravel_index(
        np.argmin(np.where(largest >= AS_STRONG * z.max(), size, np.inf)), largest.shape
    )
    return int(i), int(j), int(np.argmax(z[i, j]))


def _refined(n: Floats, k: Floats, band: slice, near: int) -> int:
    """The day, within a week of a week's end, that separates a band's leads most."""
    days = np.arange(max(near - 7, 1), min(near + 8, n.shape[1]))
    n_band, k_band = n[band].sum(axis=0), k[band].sum(axis=0)
    n0, k0 = np.cumsum(n_band)[days - 1], np.cumsum(k_band)[days - 1]
    n1, k1 = n_band.sum() - n0, k_band.sum() - k0
    gap = k1 / np.maximum(n1, 1) - k0 / np.maximum(n0, 1)
    weight = np.sqrt(n0 * n1 / np.maximum(n0 + n1, 1))
    return int(days[np.argmax(np.abs(gap) * weight)])


def _passed_threshold(n: Floats, k: Floats, i: int, j: int, at: int) -> tuple[float, ...] | None:
    """Counts after and before of bands that moved across a threshold; `None` if they did not."""
    is_after = np.arange(n.shape[1]) >= at
    band = np.arange(len(n))
    inside, below, above = (band >= i) & (band <= j), band < i, band > j
    n1, k1 = n[inside][:, is_after].sum(), k[inside][:, is_after].sum()
    n0, k0 = n[inside][:, ~is_after].sum(), k[inside][:, ~is_after].sum()
    part, part_above = ((n0 + n1) / n.sum(), n[above].sum() / n.sum())
    if min(n0, n1) < FEWEST_IN_BAND or part > LARGEST_BAND or part_above < LEAST_ABOVE:
        return None
    after, before = k1 / n1, k0 / n0
    change = after - before
    if abs(change) < LARGE_STEP:
        return None
    high = k[above].sum() / n[above].sum()
    low = k[below].sum() / n[below].sum() if n[below].sum() else min(before, after)
    middle = (high + low) / 2
    if high - low < CONTRAST or (before - middle) * (after - middle) >= 0:
        return None
    outside = ~inside
    elsewhere = _like_for_like(n[outside], k[outside], is_after)
    return (n1, k1, n0, k0) if abs(elsewhere) <= ELSEWHERE * abs(change) else None


def _like_for_like(n: Floats, k: Floats, is_after: NDArray[np.bool_]) -> float:
    """Change of a share, band by band, weighted by what both sides hold."""
    n1, n0 = n[:, is_after].sum(axis=1), n[:, ~is_after].sum(axis=1)
    weight = n1 * n0 / np.maximum(n1 + n0, 1)
    rate1 = k[:, is_after].sum(axis=1) / np.maximum(n1, 1)
    rate0 = k[:, ~is_after].sum(axis=1) / np.maximum(n0, 1)
    return float(((rate1 - rate0) * weight).sum() / weight.sum()) if weight.sum() else 0.0


def _chance(n: Floats, k: Floats, largest: float, limit: float, seed: int) -> float:
    """How often the largest z value is as large where days are permuted within each band.

    Permutations end as soon as it must exceed the limit, and are then a lower bound. Where none is
    as large, the p value is that of a Gumbel distribution fitted to them, so that any number of
    tests can be adjusted for.

    References
    ----------
    Abrams, Kulldorff and Kleinman (2010), International Journal of Health Geographics 9, 61.
    """
    random = np.random.default_rng([seed, 2])
    variance = np.cumsum(split_scores(n, k)[1], axis=0)
    by_deviation = [_by_deviation(n, variance, first) for first in range(len(n))]
    permuted: list[Floats] = []
    reached = 0
    for begin in range(0, PERMUTATIONS, _AT_ONCE):
        size = min(_AT_ONCE, PERMUTATIONS - begin)
        drawn = np.stack(
            [
                random.multivariate_hypergeometric(
                    weeks.astype(np.int64), int(total), size=size, method="marginals"
                )
                for weeks, total in zip(n, k.sum(axis=1), strict=True)
            ],
            axis=1,
        ).astype(float)
        for part in range(0, size, _SCANNED):
            scores = np.cumsum(split_scores(n, drawn[part : part + _SCANNED])[0], axis=-2)
            highest = np.zeros(len(scores))
            for first, factor in enumerate(by_deviation):
                z = np.abs(_runs(scores, first))
                z *= factor
                np.maximum(highest, z.max(axis=(1, 2)), out=highest)
            permuted.append(highest)
            reached += int((highest >= largest - 1e-9).sum())
            if reached and (reached + 1) / (PERMUTATIONS + 1) > limit:
                return (reached + 1) / (PERMUTATIONS + 1)
    if reached:
        return (reached + 1) / (PERMUTATIONS + 1)
    return _beyond(np.concatenate(permuted), largest)


def _beyond(permuted: Floats, largest: float) -> float:
    """P value of a z value beyond all permuted ones; its half square is a log likelihood ratio."""
    ratios = permuted**2 / 2
    scale = ratios.std() * np.sqrt(6) / np.pi
    if not scale > 0:
        return 1 / (PERMUTATIONS + 1)
    place = ratios.mean() - np.euler_gamma * scale
    p_value = -np.expm1(-np.exp(-(largest**2 / 2 - place) / scale))
    return float(min(p_value, 1 / (PERMUTATIONS + 1)))
