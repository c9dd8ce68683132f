"""How sure credit is: the bootstrap over journeys, drawn, or linear where drawing is too much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from funnel.attribution.coded import CodedPaths
from funnel.evidence import percentiles, resampled, wilson

DRAWS = 1000
FEWEST_TO_RESAMPLE = 10
MOST_GROUPS = 20_000  # groups of equal journeys up to which each sample is drawn
SAME = 1e-9
_TINY = 1e-12
_CELLS_AT_ONCE = 5_000_000

Floats = NDArray[np.float64]


def drawn(counts: Floats, draws: int, seed: int) -> list[Floats]:
    """Draw bootstrap weights of groups, in blocks that fit into memory.

    Examples
    --------
    >>> [block.shape for block in drawn(np.ones(4), draws=3, seed=1)]
    [(3, 4)]
    """
    at_once = max(1, min(draws, _CELLS_AT_ONCE // max(len(counts), 1)))
    return [
        resampled(counts, min(at_once, draws - start), seed + start)
        for start in range(0, draws, at_once)
    ]


def normal_draws(
    share: Floats, covariance: Floats, draws: int, seed: int, *, within: bool = True
) -> Floats:
    """Draw shares from the normal law with the covariance that linear influences give.

    Parameters
    ----------
    share
        One per channel.
    covariance
        Of the shares, channels by channels.
    draws, seed
        Of the draws.
    within
        Whether shares lie from 0 to 1; they do not where some value is negative.

    Examples
    --------
    >>> shares = normal_draws(np.array([0.4, 0.6]), np.diag([0.01, 0.01]), 2000, 1)
    >>> shares.std(axis=0).round(2).tolist()
    [0.1, 0.1]
    """
    size, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    random = np.random.default_rng(seed).standard_normal((draws, len(share)))
    made = share + (random * np.sqrt(np.clip(size, 0, None))) @ axes.T
    return np.clip(made, 0.0, 1.0) if within else made


def covariance(moves: Floats, counts: Floats) -> Floats:
    """Add up the squares of influences over journeys: the jackknife's covariance of the shares.

    Parameters
    ----------
    moves
        Derivative of each share (columns) by the number of journeys of each group (rows).
    counts
        Journeys in each group.

    Examples
    --------
    >>> covariance(np.array([[0.5], [-0.5]]), np.array([2.0, 2.0])).tolist()
    [[1.0]]
    """
    return (moves * counts[:, None]).T @ moves


def intervals(
    share: Floats, replicates: Floats, effective: float, n_wins: float, level: float
) -> tuple[Floats, Floats]:
    """Give each share's interval: percentiles of the draws, or Wilson's where drawing tells little.

    Parameters
    ----------
    share
        One per channel.
    replicates
        The shares in each draw (rows).
    effective
        Wins of equal size that would be as certain (Kish's effective sample size).
    n_wins
        Wins that there are.
    level
        Of the interval.

    Examples
    --------
    >>> low, high = intervals(np.array([1.0]), np.ones((50, 1)), 12, 12, 0.9)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.82], [1.0])
    """
    known = np.isfinite(share)
    low, high = (
        np.where(known, end, np.nan)
        for end in wilson(np.clip(np.where(known, share, 0), 0, 1) * effective, effective, level)
    )
    if n_wins < FEWEST_TO_RESAMPLE:
        return low, high
    drawn_low, drawn_high = percentiles(replicates, level)
    # a channel with all or nothing has the same share in every sample
    varies = drawn_high - drawn_low > SAME
    return np.where(varies, drawn_low, low), np.where(varies, drawn_high, high)


def value_spread(ways: CodedPaths, each: Floats, *, of_value: bool) -> Floats:
    """Per path: how far the values of its wins lie apart, as a sum of squares."""
    if not of_value or ways.squares is None:
        return np.zeros(ways.n_paths)
    apart = ways.squares - ways.conversions * each**2
    return np.where(apart > _TINY * np.maximum(ways.squares, 1.0), apart, 0.0)
