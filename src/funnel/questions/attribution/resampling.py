"""Bootstrap samples of journeys, drawn and solved one by one.

They check the sampling distribution that is computed without drawing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.joint_models import Joint, RateShapley, normed, unpooled
from funnel.questions.attribution.markov import Chain, removal
from funnel.questions.attribution.shapley import rate_game, shapley_values
from funnel.stats import resampled

_CELLS_AT_ONCE = 4_000_000

Floats = NDArray[np.float64]
Solve = Callable[[Floats, Floats, Floats], Floats]


def samples(paths: CodedPaths, worth: Floats, solve: Solve, draws: int, seed: int) -> Floats:
    """Shares in each bootstrap sample of journeys (rows); the last share is not traced.

    Parameters
    ----------
    paths
        Paths with at least one journey.
    worth
        Of one win of each path.
    solve
        Shares of the traced total, from wins, their worth and journeys without a win (samples by
        paths).
    draws, seed
        Of the bootstrap.

    Examples
    --------
    >>> paths = CodedPaths.of([["a"], ["b"]], conversions=[40, 40])
    >>> drawn = samples(paths, np.ones(2), lambda won, *_: won / 80, 500, 1)
    >>> drawn.std(axis=0).round(2).tolist()
    [0.06, 0.06, 0.0]
    """
    blocks = []
    for taken in _drawn(np.concatenate([paths.conversions, paths.nulls]), draws, seed):
        won, lost = np.hsplit(taken.astype("float64"), 2)
        booked = won * worth
        total = booked.sum(axis=1, keepdims=True)
        held = booked[:, paths.is_traced].sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = solve(won, booked, lost) * held / total
            blocks.append(np.hstack([shares, 1 - held / total]))
    return np.concatenate(blocks)


def by_rule(paths: CodedPaths, part: Floats) -> Solve:
    """Solver of samples by a rule, from the part that each channel has of a path."""

    def solve(won: Floats, booked: Floats, lost: Floats) -> Floats:
        total = booked[:, paths.is_traced].sum(axis=1, keepdims=True)
        return (part.T @ booked.T).T / total

    return solve


def by_all(paths: CodedPaths, model: Joint, counted: object) -> Solve:
    """Solver of samples by a model of all journeys together."""
    if isinstance(model, RateShapley):
        return _of_games(paths, *counted)

    def solve(won: Floats, booked: Floats, lost: Floats) -> Floats:
        return normed(effects_of(paths, counted)(won, booked, lost))

    return solve


def effects_of(paths: CodedPaths, counted: Chain) -> Solve:
    """Solver of samples for removal effects, from counts of transitions."""
    from scipy.sparse import csr_array

    n, n_transitions = len(counted.channel), len(counted.origin)
    transitions = csr_array(
        (np.ones(len(counted.transition)), counted.transition, paths.offsets),
        shape=(paths.n_paths, n_transitions),
    ).T.tocsr()
    on = np.flatnonzero(paths.is_traced)
    ends = csr_array(
        (np.ones(len(on)), (counted.target[counted.transition[paths.lasts]], on)),
        shape=(n, paths.n_paths),
    )

    def solve(won: Floats, booked: Floats, lost: Floats) -> Floats:
        samples = zip((transitions @ (won + lost).T).T, (ends @ booked.T).T, strict=True)
        return np.array(
            [removal(replace(counted, count=count, wins=gain)).effects for count, gain in samples]
        )

    return solve


def _of_games(paths: CodedPaths, sets: NDArray[np.int64], bits: NDArray[np.int64]) -> Solve:
    """Solver of samples for the game of rates, from counts by set."""
    from scipy.sparse import csr_array

    n_sets = 2 ** (int(bits.max(initial=-1)) + 1)
    on = np.flatnonzero(paths.is_traced)
    of_sets = csr_array((np.ones(len(on)), (sets[on], on)), shape=(n_sets, paths.n_paths))

    def solve(won: Floats, booked: Floats, lost: Floats) -> Floats:
        at_once = max(1, _CELLS_AT_ONCE // n_sets)
        blocks = []
        for start in range(0, len(won), at_once):
            some = slice(start, start + at_once)
            journeys = (of_sets @ (won[some] + lost[some]).T).T
            rates, _ = rate_game((of_sets @ booked[some].T).T, journeys)
            blocks.append(shapley_values(rates))
        return unpooled(np.concatenate(blocks), paths, bits)

    return solve


def _drawn(counts: Floats, draws: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Bootstrap weights of groups, in blocks that fit into memory."""
    at_once = max(1, min(draws, _CELLS_AT_ONCE // max(len(counts), 1)))
    for start in range(0, draws, at_once):
        yield resampled(counts, min(at_once, draws - start), seed + start)
