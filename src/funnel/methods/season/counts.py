"""Small totals, whose logarithm says little or does not exist, made fit for the same engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SMALL = 20  # a median count below this is taken as a count, not by its logarithm
_ROUNDS = 4
_FARTHEST = 4.0  # log units, that a level may lie from the mean one
_PULL = 0.25  # of the mean, added for a first look


def are_small(totals: NDArray[np.float64]) -> bool:
    """Whether totals are counts too small for logarithms, or some are 0.

    Examples
    --------
    >>> are_small(np.array([200.0, 180.0])), are_small(np.array([200.0, 0.0]))
    (False, True)
    """
    if not totals.size:
        return False
    is_count = bool((totals == np.round(totals)).all())
    return bool((totals <= 0).any() or (is_count and np.median(totals) < SMALL))


def working_levels(
    totals: NDArray[np.float64],
    exposure: NDArray[np.float64],
    fitted: Callable[[NDArray, NDArray], NDArray],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn totals into a working log level and its relative noise.

    Parameters
    ----------
    totals
        Counts or amounts, 0 included; not all 0.
    exposure
        What each was to be expected from, above 0.
    fitted
        Fits a log level, given with its relative noise, and answers the fitted one.

    Notes
    -----
    Penalised quasi-likelihood: around a fit of mean mu, the working level `log(mu) + (y - mu) / mu`
    has a variance in proportion to 1 / mu. The fit may hold the level and no season: then its test
    is a score test.

    References
    ----------
    Breslow and Clayton (1993), J. Am. Stat. Assoc. 88, 9-25.

    Examples
    --------
    >>> level, noise = working_levels(
    ...     np.array([0.0, 2.0]), np.ones(2), lambda level, noise: np.zeros(2)
    ... )
    >>> level.tolist(), noise.tolist()
    ([-1.0, 1.0], [1.0, 1.0])
    """
    mean = totals.sum() / exposure.sum()
    level = np.log((np.maximum(totals, 0.0) + _PULL * mean * exposure) / (1 + _PULL) / exposure)
    noise = exposure.mean() / exposure
    for _ in range(_ROUNDS):
        centre = np.clip(fitted(level, noise), np.log(mean) - _FARTHEST, np.log(mean) + _FARTHEST)
        expected = np.exp(centre) * exposure
        level = centre + (totals - expected) / expected
        noise = 1 / expected
        noise = noise / noise.mean()
    return level, noise
