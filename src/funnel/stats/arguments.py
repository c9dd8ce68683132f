"""What the functions of evidence are given, checked once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnel.contract.errors import ParameterError

Interval = tuple[NDArray[np.float64], NDArray[np.float64]]


def checked_counts(given: ArrayLike) -> NDArray[np.float64]:
    """Take counts as numbers, and refuse negative ones."""
    values = np.asarray(given, float)
    if not np.all(values >= 0):
        raise ParameterError("Counts must be numbers and not negative.")
    return values


def checked_rates(successes: ArrayLike, n: ArrayLike) -> tuple[NDArray, NDArray]:
    """Take successes and those they are of, and refuse more of the first than of the second."""
    successes, n = np.broadcast_arrays(checked_counts(successes), checked_counts(n))
    if not np.all(successes <= n):
        raise ParameterError("More succeeded than there were: each n must be the larger count.")
    return successes, n


def checked_level(level: float) -> float:
    """Take the level of an interval, and refuse one that is no share."""
    if not 0 < level < 1:
        raise ParameterError(f"level={level!r} must be above 0 and below 1; 0.9 is usual.")
    return level
