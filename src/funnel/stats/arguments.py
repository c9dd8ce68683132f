"""Arguments of the statistical functions, checked in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnel.contract.errors import ParameterError

Interval = tuple[NDArray[np.float64], NDArray[np.float64]]


def checked_counts(counts: ArrayLike) -> NDArray[np.float64]:
    """Counts as numbers; negative ones are refused."""
    values = np.asarray(counts, float)
    if not np.all(values >= 0):
        raise ParameterError("Counts must be numbers and not negative.")
    return values


def checked_rates(successes: ArrayLike, n: ArrayLike) -> tuple[NDArray, NDArray]:
    """Successes and the counts they are of; more successes than counts are refused."""
    successes, n = np.broadcast_arrays(checked_counts(successes), checked_counts(n))
    if not np.all(successes <= n):
        raise ParameterError("More succeeded than there were: each n must be the larger count.")
    return successes, n


def checked_level(level: float) -> float:
    """Level of an interval; one outside of 0 to 1 is refused."""
    if not 0 < level < 1:
        raise ParameterError(f"level={level!r} must be above 0 and below 1; 0.9 is usual.")
    return level
