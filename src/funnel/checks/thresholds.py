"""A bar that moved: a band of values that is let through from a day on, or no longer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.stats import difference_of_rates

Floats = NDArray[np.float64]
_BINS = 20
_TRIM = 0.05
_LARGE = 0.2  # a band whose share changed by less was not let through, or held back, by a rule
_CONTRAST = 0.3  # between those above and those below, without which there is no bar to move
_MOST_IN_BAND = 0.5
_LEAST_ABOVE = 0.05
_AS_MUCH = 0.99  # of the largest deviate
_OUTSIDE = 1 / 3  # of the band's change: more than that elsewhere is a change for everybody
_SHUFFLES = 4999
_FEWEST_IN_BAND = 10


@dataclass(frozen=True)
class Bar:
    """Values from `low` to under `high`, whose share let through changed on `day`."""

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


def bar_move(entered: pd.DataFrame, *, limit: float, seed: int) -> Bar | None:
    """Look for a band of values that moved from below a bar to above it, or back, on a day.

    Every band and every week is tried. A band counts where its leads were treated like those with
    lower values on one side of the day, and like those with higher ones on the other, while
    elsewhere little changed: a rate that moved for everybody is no bar. Bands are compared value
    by value, so that more leads of low value are no bar either.

    Parameters
    ----------
    entered
        One row per lead: `day` (a date), `hit` (1 where it was let through), `value`.
    limit
        P value below which the largest deviate counts.
    seed
        Of the shuffles of days among leads of like value, which say how large chance makes it.

    Returns
    -------
    Bar or None

    Notes
    -----
    A scan over bands and days; its p value by permutation, as in Kulldorff (1997), Communications
    in Statistics 26, 1481-1496.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=100).repeat(10)
    >>> leads = pd.DataFrame({"day": days, "value": np.tile(np.arange(10) * 10.0, 100)})
    >>> bar = np.where(leads["day"] < "2026-02-20", 50, 30)
    >>> found = bar_move(leads.assign(hit=leads["value"].ge(bar) * 1.0), limit=0.01, seed=1)
    >>> found.day, found.low, found.high
    (datetime.date(2026, 2, 20), 30.0, 50.0)
    """
    values = entered["value"].to_numpy(float)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1), method="lower"))
    if len(edges) < 3:
        return None
    band = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 1)
    first_day = entered["day"].min()
    day = (entered["day"] - first_day).dt.days.to_numpy()
    hit = entered["hit"].to_numpy(float)
    shape = (len(edges), int(day.max()) + 1)
    n, k = np.zeros(shape), np.zeros(shape)
    np.add.at(n, (band, day), 1.0)
    np.add.at(k, (band, day), hit)
    begins = np.arange(0, shape[1], 7)
    n_weeks, k_weeks = np.add.reduceat(n, begins, axis=1), np.add.reduceat(k, begins, axis=1)
    z = _scan(n_weeks, k_weeks[None])[0]
    i, j, week = _narrowest(z, n_weeks.sum(axis=1))
    at = _refined(n, k, slice(i, j + 1), begins[week + 1])
    bar = _told(n, k, i, j, at)
    if bar is None:
        return None
    p_value = _chance(n_weeks, k_weeks, float(z.max()), seed)
    if p_value > limit:
        return None
    n1, k1, n0, k0 = bar
    change = difference_of_rates(k1, n1, k0, n0)
    high = edges[j + 1] if j + 1 < len(edges) else np.inf
    return Bar(
        (first_day + pd.Timedelta(days=at)).date(), float(edges[i]), float(high), k0 / n0, k1 / n1,
        int(n0), int(n1), float(change[0]), float(change[1]), float(z.max()), p_value,
    )  # fmt: skip


def _scan(n: Floats, k: Floats) -> Floats:
    """Size of the deviate of each band of bins and each week's end; (draw, first, last, week)."""
    n_total, k_total = n.sum(axis=1, keepdims=True), k.sum(axis=2, keepdims=True)
    n_before, k_before = np.cumsum(n, axis=1)[:, :-1], np.cumsum(k, axis=2)[:, :, :-1]
    safe = np.maximum(n_total, 2.0)
    gap = k_total * n_before / safe - k_before
    variance = n_before * (n_total - n_before) * k_total * (n_total - k_total)
    variance = variance / (safe**2 * (safe - 1))
    gap, variance = (
        np.pad(np.cumsum(a, axis=1), ((0, 0), (1, 0), (0, 0))) for a in (gap, variance)
    )
    gap = gap[:, None, 1:] - gap[:, :-1, None]
    variance = variance[:, None, 1:] - variance[:, :-1, None]
    side = np.cumsum(n.sum(axis=0))[:-1] / n.sum()
    usable = (variance > 0.5) & (side >= _TRIM) & (side <= 1 - _TRIM)
    return np.where(usable, np.abs(gap) / np.sqrt(np.where(usable, variance, 1.0)), 0.0)


def _narrowest(z: Floats, sizes: Floats) -> tuple[int, int, int]:
    """Of bands that stand out about as much, find the one of fewest leads, and its week.

    A bin from which all or none are let through adds nothing, and is no part of what moved.
    """
    best = z.max(axis=2)
    up_to = np.append(0.0, np.cumsum(sizes))
    size = up_to[None, 1:] - up_to[:-1, None]
    i, j = np.unravel_index(
        np.argmin(np.where(best >= _AS_MUCH * z.max(), size, np.inf)), best.shape
    )
    return int(i), int(j), int(np.argmax(z[i, j]))


def _refined(n: Floats, k: Floats, band: slice, near: int) -> int:
    """Find the day, within a week of a week's end, that parts a band's leads most."""
    days = np.arange(max(near - 7, 1), min(near + 8, n.shape[1]))
    n_band, k_band = n[band].sum(axis=0), k[band].sum(axis=0)
    n0, k0 = np.cumsum(n_band)[days - 1], np.cumsum(k_band)[days - 1]
    n1, k1 = n_band.sum() - n0, k_band.sum() - k0
    gap = k1 / np.maximum(n1, 1) - k0 / np.maximum(n0, 1)
    weight = np.sqrt(n0 * n1 / np.maximum(n0 + n1, 1))
    return int(days[np.argmax(np.abs(gap) * weight)])


def _told(n: Floats, k: Floats, i: int, j: int, at: int) -> tuple[float, ...] | None:
    """Say whether a band moved from one side of a bar to the other; its counts if it did."""
    is_after = np.arange(n.shape[1]) >= at
    band = np.arange(len(n))
    inside, below, above = (band >= i) & (band <= j), band < i, band > j
    n1, k1 = n[inside][:, is_after].sum(), k[inside][:, is_after].sum()
    n0, k0 = n[inside][:, ~is_after].sum(), k[inside][:, ~is_after].sum()
    part, part_above = ((n0 + n1) / n.sum(), n[above].sum() / n.sum())
    if min(n0, n1) < _FEWEST_IN_BAND or part > _MOST_IN_BAND or part_above < _LEAST_ABOVE:
        return None
    after, before = k1 / n1, k0 / n0
    change = after - before
    if abs(change) < _LARGE:
        return None
    high = k[above].sum() / n[above].sum()
    low = k[below].sum() / n[below].sum() if n[below].sum() else min(before, after)
    middle = (high + low) / 2
    if high - low < _CONTRAST or (before - middle) * (after - middle) >= 0:
        return None
    outside = ~inside
    moved = _like_for_like(n[outside], k[outside], is_after)
    return (n1, k1, n0, k0) if abs(moved) <= _OUTSIDE * abs(change) else None


def _like_for_like(n: Floats, k: Floats, is_after: NDArray[np.bool_]) -> float:
    """Change of a share, bin by bin, weighed by what both sides hold."""
    n1, n0 = n[:, is_after].sum(axis=1), n[:, ~is_after].sum(axis=1)
    weight = n1 * n0 / np.maximum(n1 + n0, 1)
    rate1 = k[:, is_after].sum(axis=1) / np.maximum(n1, 1)
    rate0 = k[:, ~is_after].sum(axis=1) / np.maximum(n0, 1)
    return float(((rate1 - rate0) * weight).sum() / weight.sum()) if weight.sum() else 0.0


def _chance(n: Floats, k: Floats, largest: float, seed: int) -> float:
    """How often the largest deviate is as large where days are shuffled within each bin."""
    random = np.random.default_rng([seed, 2])
    reached, step = 0, 250
    for begin in range(0, _SHUFFLES, step):
        size = min(step, _SHUFFLES - begin)
        drawn = np.stack(
            [
                random.multivariate_hypergeometric(
                    weeks.astype(np.int64), int(total), size=size, method="marginals"
                )
                for weeks, total in zip(n, k.sum(axis=1), strict=True)
            ],
            axis=1,
        ).astype(float)
        reached += int((_scan(n, drawn).max(axis=(1, 2, 3)) >= largest - 1e-9).sum())
        if reached > 0.05 * _SHUFFLES:
            return (reached + 1) / (begin + size + 1)
    return (reached + 1) / (_SHUFFLES + 1)
