"""Bootstrap: seeded resamples of whole rows, and the intervals they give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnel.contract.errors import ParameterError
from funnel.stats.arguments import Interval, checked_counts, checked_level


def resampled(
    counts: ArrayLike, draws: int, seed: int, *, strata: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Bootstrap weights: how often each row, or group of equal rows, is taken in each draw.

    Parameters
    ----------
    counts
        Rows in each group; ones where each row stands for itself.
    draws
        Number of bootstrap samples.
    seed
        The plan's; the same seed gives the same weights.
    strata
        A label for each group. Each stratum keeps its number of rows in every draw.

    Returns
    -------
    ndarray
        Shape (draws, groups); each row adds up to the sum of `counts`.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapters 6 and 8.

    Examples
    --------
    >>> weights = resampled([3, 1, 2], draws=4, seed=1)
    >>> weights.shape, set(weights.sum(axis=1).tolist())
    ((4, 3), {6})
    """
    counts = checked_counts(counts).astype(np.int64)
    if draws < 1:
        raise ParameterError(f"draws={draws} must be at least 1.")
    random = np.random.default_rng(seed)
    labels = np.zeros(counts.size) if strata is None else np.asarray(strata)
    if labels.shape != counts.shape:
        raise ParameterError("resampled: each group needs one label in `strata`.")
    weights = np.zeros((draws, counts.size), dtype=np.int64)
    for _, members in _groups(labels):
        total = counts[members].sum()
        if total:
            weights[:, members] = random.multinomial(total, counts[members] / total, size=draws)
    return weights


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], ArrayLike],
    counts: ArrayLike,
    *,
    draws: int,
    seed: int,
    level: float = 0.9,
    strata: ArrayLike | None = None,
) -> Interval:
    """Percentile interval of any statistic of weighted rows.

    Parameters
    ----------
    statistic
        Takes the weights of the groups (shape: groups) and returns a number or an array.
    counts, draws, seed, strata
        As in `resampled`.
    level
        Of the interval.

    Returns
    -------
    tuple of ndarray
        Low and high ends, each of the statistic's shape. Draws in which the statistic is not a
        number are left out; where all are, so are the ends.

    Examples
    --------
    >>> value = np.arange(100.0)
    >>> low, high = bootstrap(lambda w: np.average(value, weights=w), np.ones(100),
    ...                       draws=500, seed=7)
    >>> bool(low < 49.5 < high)
    True
    """
    values = np.array(
        [statistic(weights) for weights in resampled(counts, draws, seed, strata=strata)], float
    )
    return percentiles(values, level)


def percentiles(draws: ArrayLike, level: float = 0.9) -> Interval:
    """Central `level` of draws (first axis), without those that are not a number.

    Examples
    --------
    >>> low, high = percentiles(np.arange(101.0), 0.9)
    >>> print(f"{low:.1f} {high:.1f}")
    5.0 95.0
    """
    values = np.asarray(draws, float)
    outside = (1 - checked_level(level)) / 2
    known = np.isfinite(values).any(axis=0)
    safe = np.where(known, np.where(np.isfinite(values), values, np.nan), 0.0)
    low, high = np.nanquantile(safe, [outside, 1 - outside], axis=0)
    return np.where(known, low, np.nan)[()], np.where(known, high, np.nan)[()]


def _groups(labels: NDArray) -> list[tuple[int, NDArray[np.int64]]]:
    """Positions of each label, in order of the labels."""
    _, codes = np.unique(labels, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    return list(enumerate(np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)))
