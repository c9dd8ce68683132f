"""Intervals of a change between two periods' totals, counts and means.

A period's deals are independent events, each with its own weight. A count is such a total with
weights of one. So one method serves bookings, wins and leads, with few events or none as well.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


class Typical(NamedTuple):
    """Mean and mean square of the weights of events, for an event not seen yet."""

    mean: float
    square: float

    @classmethod
    def of(cls, weights: ArrayLike) -> Typical | None:
        """Both, from weights; `None` where there are none."""
        weights = np.asarray(weights, dtype="float64")
        return cls(float(weights.mean()), float((weights**2).mean())) if weights.size else None


def total_interval(weights: ArrayLike, typical: Typical, level: float) -> tuple[float, float]:
    """Interval of the expected sum of independent events' weights.

    Parameters
    ----------
    weights
        One per event, 0 or more.
    typical
        Of the weights of such events.
    level
        Of the interval.

    References
    ----------
    Fay and Feuer (1997), Statistics in Medicine 16, 791-801, as made less wide by Tiwari, Clegg and
    Zou (2006), Statistical Methods in Medical Research 15, 547-569. With equal weights it is
    Garwood's exact interval of a Poisson mean.

    Examples
    --------
    >>> low, high = total_interval(np.ones(10), Typical(1.0, 1.0), 0.95)
    >>> print(f"{low:.2f} {high:.2f}")
    4.80 18.39
    """
    from scipy.special import chdtri  # scipy.stats takes a second to import

    weights = np.asarray(weights, dtype="float64")
    outside = (1 - level) / 2
    total, squares = float(weights.sum()), float((weights**2).sum())
    low = (
        squares / (2 * total) * chdtri(2 * total**2 / squares, 1 - outside) if squares > 0 else 0.0
    )
    more, more_squares = total + typical.mean, squares + typical.square
    if more_squares <= 0:
        return float(low), total
    high = more_squares / (2 * more) * chdtri(2 * more**2 / more_squares, outside)
    return float(low), float(high)


def change_of_totals(
    weights: ArrayLike,
    baseline: ArrayLike,
    level: float,
    *,
    history: ArrayLike = (),
    dispersion: float = 1.0,
) -> tuple[float, float]:
    """Interval of a total minus an earlier total.

    Parameters
    ----------
    weights, baseline
        The events' weights in the period and in the one it is compared with; refunds are negative.
    level
        Of the interval.
    history
        Weights of such events at other times, used where neither period has any.
    dispersion
        Variance over mean of the events' weekly number; 1 for independent events.

    Returns
    -------
    tuple of float
        Low and high ends; not a number where no event was ever seen.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702, for the interval of a difference
    from the intervals of its parts.

    Examples
    --------
    >>> low, high = change_of_totals(np.ones(90), np.ones(120), 0.9)
    >>> print(f"{low:.1f} {high:.1f}")
    -54.7 -5.5
    """
    weights, baseline = (np.asarray(each, dtype="float64") for each in (weights, baseline))
    seen = np.abs(np.concatenate([weights, baseline]))
    typical = Typical.of(seen[seen > 0]) or Typical.of(_sizes(history))
    if typical is None:
        return math.nan, math.nan
    parts = [(1, weights[weights > 0]), (-1, baseline[baseline > 0])]
    if min(weights.min(initial=0), baseline.min(initial=0)) < 0:
        parts += [(-1, -weights[weights < 0]), (1, -baseline[baseline < 0])]
    change, below, above = 0.0, 0.0, 0.0
    for sign, part in parts:
        low, high = total_interval(part, typical, level)
        total = float(part.sum())
        down, up = (total - low, high - total) if sign > 0 else (high - total, total - low)
        change += sign * total
        below += down**2
        above += up**2
    wider = math.sqrt(dispersion)
    return change - wider * math.sqrt(below), change + wider * math.sqrt(above)


def change_of_means(values: ArrayLike, baseline: ArrayLike, level: float) -> tuple[float, float]:
    """Interval of a mean minus an earlier mean.

    Returns
    -------
    tuple of float
        Low and high ends; not a number where either side has fewer than two values.

    References
    ----------
    Welch (1947), Biometrika 34, 28-35.

    Examples
    --------
    >>> low, high = change_of_means([3, 5, 4, 6], [1, 2, 3, 2], 0.9)
    >>> print(f"{low:.2f} {high:.2f}")
    0.97 4.03
    """
    from scipy.special import stdtrit

    values, baseline = (np.asarray(each, dtype="float64") for each in (values, baseline))
    if min(values.size, baseline.size) < 2:
        return math.nan, math.nan
    parts = [each.var(ddof=1) / each.size for each in (values, baseline)]
    change = float(values.mean() - baseline.mean())
    variance = sum(parts)
    if variance == 0:
        return math.nan, math.nan  # equal amounts only: how much amounts vary is unknown
    freedom = variance**2 / sum(
        part**2 / (each.size - 1) for part, each in zip(parts, (values, baseline), strict=True)
    )
    reach = float(stdtrit(freedom, (1 + level) / 2) * math.sqrt(variance))
    return change - reach, change + reach


def _sizes(weights: ArrayLike) -> np.ndarray:
    sizes = np.abs(np.asarray(weights, dtype="float64"))
    return sizes[sizes > 0]
