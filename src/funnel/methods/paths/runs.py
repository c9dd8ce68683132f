"""Runs of consecutive rows in one array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def offsets_of(n_touches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each run begins, and the end of the last: one more than there are runs."""
    return np.concatenate([[0], np.cumsum(n_touches)]).astype(np.int64)


def rows_of_runs(
    starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of some runs, run after run, and where each run then begins.

    Examples
    --------
    >>> [each.tolist() for each in rows_of_runs(np.array([7, 2]), np.array([2, 3]))]
    [[7, 8, 2, 3, 4], [0, 2, 5]]
    """
    offsets = offsets_of(lengths)
    return np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths), offsets
