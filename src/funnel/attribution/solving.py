"""From paths and a model to shares: what each channel is credited with, and its resamples.

A model by rule shares out each win by itself. Markov chains and the Shapley value of win rates
look at all journeys together, those without a win included. Whatever cannot be traced is the last
column of every share, so that shares add up to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from funnel.attribution.coded import CodedPaths
from funnel.attribution.joint import Joint, resampled_jointly
from funnel.attribution.markov import worth_of_one
from funnel.attribution.models import Model, weights_of
from funnel.attribution.sureness import MOST_GROUPS, drawn, normal_draws, value_spread

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Solved:
    """What one model gives the channels of some paths.

    `conversions` and `value` have one entry per channel and a last one for what cannot be traced;
    `replicates` has the shares of either in bootstrap samples (rows).
    """

    conversions: Floats
    value: Floats
    replicates: Floats


def solved(
    ways: CodedPaths, model: Model | Joint, *, of_value: bool, draws: int, seed: int
) -> Solved:
    """Share wins and value out by one model, with bootstrap samples of the shares.

    Parameters
    ----------
    ways
        Paths in numbers.
    model
        A rule (a function that gives one weight per touch), or a model of all journeys together.
    of_value
        Whether the shares that are resampled are of value, else of wins.
    draws, seed
        Of the bootstrap.

    Examples
    --------
    >>> from funnel.attribution.joint import Markov
    >>> ways = CodedPaths.of([["a", "b"], ["a"], []], conversions=[2, 0, 1], nulls=[0, 2, 0])
    >>> solved(ways, Markov(), of_value=False, draws=5, seed=1).conversions.tolist()
    [1.0, 1.0, 1.0]
    """
    if isinstance(model, Joint):
        return _by_all(ways, model, of_value=of_value, draws=draws, seed=seed)
    return _by_rule(ways, model, of_value=of_value, draws=draws, seed=seed)


def touched(ways: CodedPaths) -> Floats:
    """Count the wins that each channel touched, and those that cannot be traced."""
    pairs, _ = _pairs(ways)
    path, channel = np.divmod(pairs, len(ways.channels) + 1)
    return np.bincount(channel, ways.conversions[path], len(ways.channels) + 1)


def credited_deals(ways: CodedPaths, model: Model | Joint) -> tuple[NDArray, NDArray]:
    """Pair each channel with the paths behind its credit: places of both."""
    k = len(ways.channels)
    pairs, pair_of = _pairs(ways)
    if not isinstance(model, Joint):
        weight = np.bincount(pair_of, _with_untraced(weights_of(ways, model), ways), len(pairs))
        pairs = pairs[weight > 0]
    path, channel = np.divmod(pairs, k + 1)
    return channel, path


def _pairs(ways: CodedPaths) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give each path and channel on it a number; what cannot be traced counts as one."""
    k = len(ways.channels)
    key = ways.path_of * (k + 1) + ways.codes
    untraced = np.flatnonzero(~ways.is_traced) * (k + 1) + k
    return np.unique(np.concatenate([key, untraced]), return_inverse=True)


def _with_untraced(weights: Floats, ways: CodedPaths) -> Floats:
    return np.concatenate([weights, np.ones(int((~ways.is_traced).sum()))])


def _by_rule(
    ways: CodedPaths, model: Model, *, of_value: bool, draws: int, seed: int
) -> Solved:  # fmt: skip
    from scipy.sparse import csr_array

    ways = ways.taken(ways.conversions > 0)
    k = len(ways.channels)
    pairs, pair_of = _pairs(ways)
    weight = np.bincount(pair_of, _with_untraced(weights_of(ways, model), ways), len(pairs))
    path, channel = np.divmod(pairs, k + 1)
    part = csr_array((weight, (path, channel)), shape=(ways.n_paths, k + 1))
    conversions, value = part.T @ ways.conversions, part.T @ ways.value
    what = ways.value if of_value else ways.conversions
    total = what.sum()
    counts = ways.conversions
    each = worth_of_one(ways, of_value=of_value)
    if not total:
        return Solved(conversions, value, np.full((1, k + 1), np.nan))
    spread = value_spread(ways, each, of_value=of_value)
    if ways.n_paths <= MOST_GROUPS and not spread.any():
        blocks = []
        for taken in drawn(counts, draws, seed):
            sizes = taken * each
            sums = sizes.sum(axis=1, keepdims=True)
            with np.errstate(invalid="ignore", divide="ignore"):
                blocks.append(np.where(sums > 0, (part.T @ sizes.T).T / sums, np.nan))
        return Solved(conversions, value, np.concatenate(blocks))
    share = (value if of_value else conversions) / total
    # U = each (w - share) / total for one win of a path; summed over wins as w'w, w'1 and 1'1
    squares = counts * each**2 + spread
    middle = (part.T @ (part * squares[:, None])).toarray()
    cross = np.outer(part.T @ squares, share)
    matrix = (middle - cross - cross.T + np.outer(share, share) * squares.sum()) / total**2
    within = ways.value.min(initial=0.0) >= 0
    return Solved(conversions, value, normal_draws(share, matrix, draws, seed, within=within))


def _by_all(
    ways: CodedPaths, model: Joint, *, of_value: bool, draws: int, seed: int
) -> Solved:  # fmt: skip
    ways = ways.taken(ways.conversions + ways.nulls > 0)
    traced = ways.is_traced
    k = len(ways.channels)
    wins, worth = ways.conversions[traced].sum(), ways.value[traced].sum()
    of_wins = model.shares(ways, of_value=False)
    of_worth = of_wins
    # shares of value mean nothing where some of it is negative: then it follows the wins
    if worth > 0 and ways.value.min(initial=0.0) >= 0:
        of_worth = model.shares(ways, of_value=True)
    conversions = np.append(of_wins * wins, ways.conversions[~traced].sum())
    value = np.append(of_worth * worth, ways.value[~traced].sum())
    what = ways.value if of_value else ways.conversions
    if not what.sum():
        return Solved(conversions, value, np.full((1, k + 1), np.nan))
    share = of_worth if of_value else of_wins
    replicates = resampled_jointly(ways, model, share, of_value=of_value, draws=draws, seed=seed)
    return Solved(conversions, value, replicates)
