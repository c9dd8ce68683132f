"""Runs of consecutive rows in one array: the touches of a path, or equal values in a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each run begins, and the end of the last: one more than there are runs."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


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


def begins_run(values: NDArray, starts: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
    """Whether each row begins a run of equal values; rows of `starts` always do.

    Examples
    --------
    >>> begins_run(np.array([3, 3, 3, 8]), starts=np.array([0, 2])).tolist()
    [True, False, True, True]
    """
    begins = np.ones(len(values), dtype=bool)
    begins[1:] = values[1:] != values[:-1]
    if starts is not None:
        begins[starts] = True
    return begins


def starts_of(values: NDArray) -> NDArray[np.int64]:
    """Where each run of equal values begins, and where the last one ends."""
    return np.append(np.flatnonzero(begins_run(values)), len(values))


def dense_ranks(values: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank of each touch's value on its path, from 1; equal values share a rank.

    Values do not fall along a path.

    Examples
    --------
    >>> dense_ranks(np.array([3, 3, 8, 5]), offsets=np.array([0, 3, 4])).tolist()
    [1, 1, 2, 1]
    """
    n_touches = np.diff(offsets)
    firsts = offsets[:-1][n_touches > 0]
    number = np.cumsum(begins_run(values, firsts))
    return number - np.repeat(number[firsts], n_touches[n_touches > 0]) + 1


def latest(days: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Latest time on the path of each touch."""
    n_touches = np.diff(offsets)
    traced = n_touches > 0
    of_paths = np.maximum.reduceat(days, offsets[:-1][traced]) if len(days) else days
    return np.repeat(of_paths, n_touches[traced])


def latest_by(
    days: NDArray[np.float64], milestone: NDArray[np.float64], offsets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Index of the last touch of each path up to its milestone; -1 where there is none."""
    n_touches = np.diff(offsets)
    is_by = days <= np.repeat(milestone, n_touches)  # never where the milestone has no date
    at = np.full(len(n_touches), -1, dtype=np.int64)
    path_of = np.repeat(np.arange(len(n_touches)), n_touches)
    np.maximum.at(at, path_of[is_by], np.flatnonzero(is_by))
    return at
