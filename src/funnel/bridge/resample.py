"""Resamples of whole leads, as wide as the weeks of this company really vary."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_WEEK = 7 * 86_400.0
_BLOCK = 13  # weeks
_YEAR = 52
_FEWEST_PAIRS = 4


def weights(
    stays: pd.DataFrame,
    n_segments: int,
    end: float,
    *,
    weekly: Floats,
    draws: int,
    seed: int,
    at_once: int,
) -> Iterator[Floats]:
    """Give Poisson bootstrap weights, a few draws at a time; shape (units, draws).

    A unit keeps its weight wherever it is counted, so what two worlds share stays shared. Where
    weekly arrivals vary more than chance alone would have them, weeks (and each segment's weeks)
    get a random factor too, as in a negative binomial.

    Parameters
    ----------
    stays
        With `unit`, `segment` (both numbers from 0) and `entered`.
    n_segments
        Number of segments.
    end
        When the period ends; weeks are counted back from it.
    weekly
        Arrivals by week, newest first, as far back as there are any: see `dispersion_of_weeks`.
    draws, seed
        Number of draws, and where they start.
    at_once
        Draws in each piece.

    References
    ----------
    Hanley and MacGibbon (2006), Computer Methods and Programs in Biomedicine 83, 57-62 (Poisson
    weights). Field and Welsh (2007), J. R. Stat. Soc. B 69, 369-390 (resampling two levels).
    """
    random = np.random.default_rng(seed)
    n_units = int(stays["unit"].max()) + 1
    first = np.full(n_units, np.inf)
    np.minimum.at(first, stays["unit"].to_numpy(), stays["entered"].to_numpy())
    segment = np.zeros(n_units, np.int64)
    segment[stays["unit"].to_numpy()] = stays["segment"].to_numpy()
    # who came after the period counts with its last week
    week = np.maximum(np.floor((end - first) / _WEEK), 0).astype(np.int64)
    counts = np.zeros((week.max() + 1, n_segments))
    np.add.at(counts, (week, segment), 1.0)
    of_weeks, of_segments = dispersion_of_weeks(weekly), dispersion_of_segments(counts)
    total = np.maximum(counts.sum(axis=1), 1.0)
    common = np.maximum(of_weeks - max(of_segments, 1.0), 0.0) / total
    own = np.maximum(of_segments - 1.0, 0.0) / np.maximum(counts, 1.0)
    for begin in range(0, draws, at_once):
        size = min(at_once, draws - begin)
        piece = random.poisson(1.0, (size, n_units)).astype(np.float64)
        if common.any():
            piece *= _unit_mean(random, common, size)[:, week]
        if own.any():
            piece *= _unit_mean(random, own.ravel(), size)[:, week * n_segments + segment]
        yield np.ascontiguousarray(piece.T)


def dispersion_of_weeks(weekly: Floats) -> float:
    """Measure how much more weekly arrivals vary than chance would have them.

    Each thirteen weeks are held against the same weeks a year earlier, so that holidays and season,
    which come every year, do not count; where there are too few such pairs, against a level and a
    slope of their own.

    Parameters
    ----------
    weekly
        Counts, newest week first.

    Returns
    -------
    float
        Variance over mean; 1 is Poisson.

    Examples
    --------
    >>> dispersion_of_weeks(np.tile(np.arange(1.0, 53.0), 3))
    0.0
    """
    n_pairs = (len(weekly) - _YEAR) // _BLOCK
    if n_pairs >= _FEWEST_PAIRS:
        now = weekly[: n_pairs * _BLOCK].reshape(n_pairs, _BLOCK)
        then = weekly[_YEAR : _YEAR + n_pairs * _BLOCK].reshape(n_pairs, _BLOCK)
        both = np.stack([now, then], axis=-1)
        usable = (both.sum(axis=1) > 0).all(axis=1)
        if usable.sum() >= _FEWEST_PAIRS:
            return _homogeneity(both[usable])
    n_blocks = len(weekly) // _BLOCK
    if n_blocks == 0:
        return 1.0
    blocks = weekly[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK)
    slope = np.linspace(-1, 1, _BLOCK)
    level = blocks.mean(axis=1, keepdims=True)
    rest = blocks - level
    rest = rest - np.outer(rest @ slope / (slope @ slope), slope)
    expected = (_BLOCK - 2) * level.sum()
    return float((rest**2).sum() / expected) if expected > 0 else 1.0


def dispersion_of_segments(counts: Floats) -> float:
    """Measure how much more segments' weekly shares vary within thirteen weeks than chance.

    Parameters
    ----------
    counts
        Weeks by segments, newest week first.

    Returns
    -------
    float
        Variance over mean, given the weeks' totals; 1 is Poisson.

    Examples
    --------
    >>> dispersion_of_segments(np.full((26, 2), 50.0))
    0.0
    """
    n_blocks, n_segments = len(counts) // _BLOCK, counts.shape[1]
    return _homogeneity(counts[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK, n_segments))


def _homogeneity(blocks: Floats) -> float:
    """Pearson's chi-squared over its degrees of freedom, summed over blocks of weeks by column."""
    of_week = blocks.sum(axis=2, keepdims=True)
    of_column = blocks.sum(axis=1, keepdims=True)
    total = of_week.sum(axis=1, keepdims=True)
    expected = of_week * of_column / np.maximum(total, 1)
    chi2 = np.divide(
        (blocks - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0
    )
    n_weeks, n_columns = (of_week > 0).sum(axis=(1, 2)), (of_column > 0).sum(axis=(1, 2))
    freedom = np.maximum((n_weeks - 1) * (n_columns - 1), 0).sum()
    return float(chi2.sum() / freedom) if freedom else 1.0


def _unit_mean(random: np.random.Generator, variance: Floats, size: int) -> Floats:
    """Gamma factors of mean 1, shape (size, cells); 1 where there is no variance."""
    spread = np.maximum(variance, 1e-9)
    return np.where(variance > 0, random.gamma(1 / spread, spread, (size, len(spread))), 1.0)
