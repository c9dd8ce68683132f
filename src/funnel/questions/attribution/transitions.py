"""The moves that journeys make from touch to touch, as numbers, a block of paths at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.methods.paths.coded_paths import CodedPaths

_MOST_LISTED = 2**26  # moves that there could be, up to which they are looked up in a table

Floats = NDArray[np.float64]


def counted_moves(
    ways: CodedPaths, most: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], Floats]:
    """Give the move that enters each touch its number, what each stands for, and who went it.

    What it stands for is the last `most` touches, as one number with a digit for each.

    Raises
    ------
    ParameterError
        If there are so many channels that no number holds that many touches.

    Examples
    --------
    >>> ways = CodedPaths.of([["a", "b"], ["b"]], conversions=[2, 1], nulls=[0, 4])
    >>> [each.tolist() for each in counted_moves(ways, 2)]
    [[0, 2, 1], [1, 2, 5], [2.0, 5.0, 2.0]]
    """
    base = len(ways.channels) + 1
    if base**most >= 2**62:
        raise ParameterError(
            f"order={most - 1} is too much for {base - 1:,} channels: there are too many states."
        )
    moves = np.empty(len(ways.codes), dtype=np.int32 if base**most < 2**31 else np.int64)
    for touches, some in ways.in_blocks():
        moves[touches] = _last_touches(some, most, moves.dtype)
    seen, number = _seen(moves, base**most)
    went = np.zeros(len(seen))
    for touches, some in ways.in_blocks():
        moves[touches] = number(moves[touches])
        went += np.bincount(moves[touches], some.went_by_touch, len(seen))
    return moves.astype(np.int32, copy=False), seen, went


def _last_touches(ways: CodedPaths, most: int, kind: np.dtype) -> NDArray:
    """Write the last touches of a journey up to each touch as one number, a digit a touch."""
    base = len(ways.channels) + 1
    latest = ways.codes.astype(kind) + 1
    whole, earlier = latest.copy(), np.empty_like(latest)
    for _ in range(most - 1):
        earlier[1:] = whole[:-1]
        earlier[ways.firsts] = 0
        np.multiply(earlier, base, out=whole)
        whole += latest
    return whole


def _seen(keys: NDArray, most: int) -> tuple[NDArray[np.int64], Callable[[NDArray], NDArray]]:
    """Give the keys that are met, in order, and a way to look up their numbers."""
    if most > _MOST_LISTED:
        import pandas as pd

        seen = np.sort(pd.unique(keys))
        return seen, lambda some: np.searchsorted(seen, some)
    met = np.zeros(most, dtype=bool)
    met[keys] = True
    seen = np.flatnonzero(met)
    number = np.zeros(most, dtype=np.int32)
    number[seen] = np.arange(len(seen))
    return seen, number.__getitem__
