"""Runs of rows that lie behind each other in one array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def offsets_of(n_touches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Say where each path begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(n_touches)]).astype(np.int64)


def rows_of_runs(
    starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the rows of some runs behind each other, and say where each run then begins.

    Examples
    --------
    >>> [each.tolist() for each in rows_of_runs(np.array([7, 2]), np.array([2, 3]))]
    [[7, 8, 2, 3, 4], [0, 2, 5]]
    """
    offsets = offsets_of(lengths)
    return np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths), offsets
