"""Resamples of whole leads, as wide as the weeks of this company really vary."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_WEEK = 7 * 86_400.0
_FEWEST_WEEKS = 13


def weights(
    stays: pd.DataFrame, n_segments: int, end: float, *, draws: int, seed: int, at_once: int
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
    week = np.floor((end - first) / _WEEK).astype(np.int64)
    counts = np.zeros((week.max() + 1, n_segments))
    np.add.at(counts, (week, segment), 1.0)
    of_weeks, of_segments = dispersions(counts)
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


def dispersions(counts: Floats) -> tuple[float, float]:
    """Measure how much more weeks vary than chance: in all, and by segment given the total.

    Parameters
    ----------
    counts
        Weeks by segments, newest week first. Each thirteen weeks have a level and a slope of
        their own, so that growth and season do not count as variation from week to week.

    Returns
    -------
    tuple of float
        Variance over mean of weekly totals, and of segments' counts given the total; 1 is Poisson.

    Examples
    --------
    >>> dispersions(np.full((26, 2), 50.0))
    (0.0, 0.0)
    """
    n_blocks = len(counts) // _FEWEST_WEEKS
    if n_blocks == 0:
        return 1.0, 1.0
    blocks = counts[: n_blocks * _FEWEST_WEEKS].reshape(n_blocks, _FEWEST_WEEKS, -1)
    totals = blocks.sum(axis=2)
    slope = np.linspace(-1, 1, _FEWEST_WEEKS)
    rest = totals - totals.mean(axis=1, keepdims=True)
    rest -= np.outer(rest @ slope / (slope @ slope), slope)
    usable = totals.sum(axis=1) > 0
    of_weeks = (rest**2).sum() / max(((_FEWEST_WEEKS - 2) * totals.mean(axis=1)).sum(), 1e-9)

    share = blocks.sum(axis=1) / np.maximum(totals.sum(axis=1), 1)[:, None]
    expected = totals[:, :, None] * share[:, None, :]
    chi2 = np.divide(
        (blocks - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0
    ).sum()
    freedom = ((share > 0).sum(axis=1) - 1)[usable] * (_FEWEST_WEEKS - 1)
    of_segments = chi2 / freedom.sum() if freedom.sum() else 1.0
    return float(of_weeks), float(of_segments)


def _unit_mean(random: np.random.Generator, variance: Floats, size: int) -> Floats:
    """Gamma factors of mean 1, shape (size, cells); 1 where there is no variance."""
    spread = np.maximum(variance, 1e-9)
    return np.where(variance > 0, random.gamma(1 / spread, spread, (size, len(spread))), 1.0)
