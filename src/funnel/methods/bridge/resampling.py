"""Poisson bootstrap weights of whole leads, widened by the dispersion of weekly arrivals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.stats.dispersion import segment_dispersion, weekly_dispersion

Floats = NDArray[np.float64]
_WEEK = 7 * 86_400.0


def weights(
    visits: pd.DataFrame,
    n_segments: int,
    end: float,
    *,
    weekly: Floats,
    is_ordinary: NDArray[np.bool_],
    draws: int,
    seed: int,
    at_once: int,
) -> Iterator[Floats]:
    """Poisson bootstrap weights, a few draws at a time; shape (units, draws).

    A unit has one weight wherever it is counted, so that two windows keep what they share. Where
    weekly arrivals vary more than independent events, weeks (and each segment's weeks) get a random
    factor too, as in a negative binomial.

    Parameters
    ----------
    visits
        With `unit`, `segment` (both numbers from 0) and `entered`.
    n_segments
        Number of segments.
    end
        When the period ends; weeks are counted back from it.
    weekly
        Arrivals by week before the period and by segment, newest first, as far back as there are
        any.
    is_ordinary
        Weeks without a public holiday.
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
    n_units = int(visits["unit"].max()) + 1
    first = np.full(n_units, np.inf)
    np.minimum.at(first, visits["unit"].to_numpy(), visits["entered"].to_numpy())
    segment = np.zeros(n_units, np.int64)
    segment[visits["unit"].to_numpy()] = visits["segment"].to_numpy()
    # a lead created after the period counts with its last week
    week = np.maximum(np.floor((end - first) / _WEEK), 0).astype(np.int64)
    counts = np.zeros((week.max() + 1, n_segments))
    np.add.at(counts, (week, segment), 1.0)
    of_weeks = weekly_dispersion(weekly.sum(axis=1), is_ordinary)
    of_segments = segment_dispersion(weekly, is_ordinary)
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


def _unit_mean(random: np.random.Generator, variance: Floats, size: int) -> Floats:
    """Gamma factors of mean 1, shape (size, cells); 1 where there is no variance."""
    spread = np.maximum(variance, 1e-9)
    return np.where(variance > 0, random.gamma(1 / spread, spread, (size, len(spread))), 1.0)
