"""Models that look at all journeys together: Markov chains, and the Shapley value of win rates.

Their bootstrap draws journeys, won or not. Where there are few states and paths, each sample's
chain or game is solved; else shares are drawn from the normal law that the influence of each
journey gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from funnel.attribution.coded import CodedPaths
from funnel.attribution.markov import Chain, chain, influences, removal, worth_of_one
from funnel.attribution.shapley import channel_sets, rate_game, shapley_values
from funnel.attribution.sureness import (
    MOST_GROUPS,
    covariance,
    drawn,
    normal_draws,
    value_spread,
)

MOST_STATES_DRAWN = 60  # a chain of more is not inverted once a draw
_SETS_AT_ONCE = 4_000_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Markov:
    """A Markov chain whose states are the last `order` touches."""

    order: int = 1

    def shares(self, ways: CodedPaths, *, of_value: bool) -> Floats:
        """Give each channel's share of the removal effects."""
        return _normed(removal(chain(ways, self.order), of_value=of_value).effects)


@dataclass(frozen=True, eq=False)
class RateShapley:
    """The Shapley value of what each set of channels wins per journey."""

    def shares(self, ways: CodedPaths, *, of_value: bool) -> Floats:
        """Give each channel's share of the Shapley values; a channel's may be negative."""
        sets, bits = channel_sets(ways)
        journeys = np.where(ways.is_traced, ways.conversions + ways.nulls, 0.0)
        worth = np.where(ways.is_traced, ways.value if of_value else ways.conversions, 0.0)
        n_sets = 2 ** (int(bits.max(initial=-1)) + 1)
        game = rate_game(np.bincount(sets, worth, n_sets), np.bincount(sets, journeys, n_sets))
        return _unpooled(shapley_values(game), ways, bits)


Joint = Markov | RateShapley


def removal_replicates(
    ways: CodedPaths, order: int, *, draws: int, seed: int
) -> tuple[Floats, Floats]:
    """Give the removal effects of wins, and those of bootstrap samples (rows).

    Examples
    --------
    >>> ways = CodedPaths.of([["a", "b"], ["a"]], conversions=[20, 0], nulls=[0, 20])
    >>> effects, replicates = removal_replicates(ways, 1, draws=50, seed=1)
    >>> effects.tolist(), replicates.shape
    ([1.0, 1.0], (50, 2))
    """
    ways = ways.taken((ways.conversions + ways.nulls > 0) & ways.is_traced)
    counted = chain(ways, order)
    few = _is_few(ways, counted)
    removed = removal(counted, needs_states=not few)
    effects = removed.effects
    if not counted.wins.sum():
        return effects, np.full((1, len(effects)), np.nan)
    if few:
        make = _MarkovDraws(ways, counted, worth_of_one(ways, of_value=False))
        cells = np.concatenate([ways.conversions, ways.nulls])
        blocks = drawn(cells, draws, seed)
        return effects, np.concatenate([make.effects(*np.hsplit(each, 2)) for each in blocks])
    won, lost = influences(ways, counted, removed)
    matrix = covariance(won, ways.conversions) + covariance(lost, ways.nulls)
    return effects, normal_draws(effects, matrix, draws, seed)


def _is_few(ways: CodedPaths, counted: Chain) -> bool:
    """Whether there are few enough states and paths to draw each sample."""
    return len(counted.channel) <= MOST_STATES_DRAWN and 2 * ways.n_paths <= MOST_GROUPS


def resampled_jointly(
    ways: CodedPaths, model: Joint, share: Floats, *, of_value: bool, draws: int, seed: int
) -> Floats:
    """Give shares in bootstrap samples (rows); the last column is what cannot be traced.

    Parameters
    ----------
    ways
        Paths that somebody went.
    model, share
        The model, and what it gives each channel of what is traced.
    of_value
        Whether shares are of value, else of wins.
    draws, seed
        Of the bootstrap.
    """
    n = ways.n_paths
    each = worth_of_one(ways, of_value=of_value)
    spread = value_spread(ways, each, of_value=of_value)
    if isinstance(model, RateShapley):
        make = _ShapleyDraws(ways, each, spread, seed)
    else:
        counted = chain(ways, model.order)
        if not _is_few(ways, counted) or spread.any() or ways.value.min(initial=0.0) < 0:
            return _linear(ways, counted, share, each, spread, of_value, draws, seed)
        make = _MarkovDraws(ways, counted, each)
    blocks = []
    for taken in drawn(np.concatenate([ways.conversions, ways.nulls]), draws, seed):
        sizes = taken[:, :n] * each
        total = sizes.sum(axis=1, keepdims=True)
        held = sizes[:, ways.is_traced].sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = make.shares(taken[:, :n], taken[:, n:]) * held / total
            blocks.append(np.hstack([shares, 1 - held / total]))
    return np.concatenate(blocks)


class _MarkovDraws:
    """Removal effects of many samples at once, from the sample's counts of steps."""

    def __init__(self, ways: CodedPaths, counted: Chain, each: Floats) -> None:
        from scipy.sparse import csr_array

        self.channel, self.k = counted.channel, counted.n_channels
        self.n = n = len(counted.channel)
        at, path = counted.state, ways.path_of
        on = np.flatnonzero(ways.is_traced)
        inner = np.ones(len(at), dtype=bool)
        inner[ways.lasts] = False
        inner = np.flatnonzero(inner)
        row = np.concatenate([path[inner], on])
        column = np.concatenate([at[inner] * n + at[inner + 1], n * n + at[ways.firsts]])
        shape = (ways.n_paths, n * n + n)
        self.went = csr_array((np.ones(len(row)), (row, column)), shape=shape).T.tocsr()
        self.ends = csr_array((each[on], (on, at[ways.lasts])), shape=(ways.n_paths, n)).T.tocsr()

    def shares(self, wins: Floats, nulls: Floats) -> Floats:
        return _normed(self.effects(wins, nulls))

    def effects(self, wins: Floats, nulls: Floats) -> Floats:
        counts = (self.went @ (wins + nulls).T.astype("float64")).T
        gain = (self.ends @ wins.T.astype("float64")).T
        n = self.n
        steps, start = counts[:, : n * n].reshape(len(counts), n, n), counts[:, n * n :]
        visits = np.maximum(steps.sum(axis=1) + start, 1.0)
        inverse = np.linalg.inv(np.eye(n) - steps / visits[:, :, None])
        reached = np.einsum("ri,rij->rj", start, inverse)
        ahead = np.einsum("rij,rj->ri", inverse, gain / visits)
        lost = np.zeros((len(wins), self.k))
        for x in range(self.k):
            at = np.flatnonzero(self.channel == x)
            if len(at) == 1:
                lost[:, x] = (reached[:, at] * ahead[:, at] / inverse[:, at, at])[:, 0]
            elif len(at):
                block = inverse[:, at[:, None], at[None, :]]
                first = np.linalg.solve(block.transpose(0, 2, 1), reached[:, at, None])[..., 0]
                lost[:, x] = (first * ahead[:, at]).sum(axis=1)
        worth = (start * ahead).sum(axis=1, keepdims=True)
        return np.divide(lost, worth, out=np.full_like(lost, np.nan), where=worth > 0)


class _ShapleyDraws:
    """Shapley values of many samples at once, from the sample's counts by set."""

    def __init__(self, ways: CodedPaths, each: Floats, spread: Floats, seed: int) -> None:
        from scipy.sparse import csr_array

        self.ways = ways
        self.apart = np.divide(
            spread, ways.conversions, out=np.zeros_like(spread), where=ways.conversions > 0
        )
        self.random = np.random.default_rng(seed)
        sets, self.bits = channel_sets(ways)
        self.n_sets = 2 ** (int(self.bits.max(initial=-1)) + 1)
        on = np.flatnonzero(ways.is_traced)
        shape = (ways.n_paths, self.n_sets)
        self.went = csr_array((np.ones(len(on)), (on, sets[on])), shape=shape).T.tocsr()
        self.each = each

    def shares(self, wins: Floats, nulls: Floats) -> Floats:
        at_once = max(1, _SETS_AT_ONCE // self.n_sets)
        blocks = []
        for start in range(0, len(wins), at_once):
            some = slice(start, start + at_once)
            journeys = (self.went @ (wins[some] + nulls[some]).T.astype("float64")).T
            worth = (self.went @ (wins[some] * self.each).T).T
            if self.apart.any():
                # wins of a set are worth different amounts: their sum varies with which are drawn
                squares = (self.went @ (wins[some] * self.apart).T).T
                worth = worth + np.sqrt(squares) * self.random.standard_normal(squares.shape)
            blocks.append(shapley_values(rate_game(worth, journeys)))
        return _unpooled(np.concatenate(blocks), self.ways, self.bits)


def _linear(
    ways: CodedPaths,
    counted: Chain,
    share: Floats,
    each: Floats,
    spread: Floats,
    of_value: bool,
    draws: int,
    seed: int,
) -> Floats:
    """Draw shares from the normal law that the influence of each journey gives."""
    within = ways.value.min(initial=0.0) >= 0
    of_value = of_value and within
    removed = removal(counted, of_value=of_value, needs_states=True)
    what = each * ways.conversions
    total = what.sum()
    held = what[ways.is_traced].sum() / total
    # a share of everything is the share of what is traced, times how much of it is
    of_held = np.where(ways.is_traced, each, 0.0) / total - held * each / total
    of_all = np.append(share, -1.0)
    moves = [
        np.hstack([_of_shares(move, removed.effects) * held, np.zeros((ways.n_paths, 1))])
        for move in influences(ways, counted, removed, of_value=of_value)
    ]
    matrix = covariance(moves[0] + np.outer(of_held, of_all), ways.conversions)
    matrix += covariance(moves[1], ways.nulls)
    if spread.any():
        # wins of a path that differ in value: the derivative by one unit of value
        wider = replace(ways, value=ways.value + ways.conversions)
        more, _ = influences(wider, counted, removed, of_value=of_value)
        slope = _of_shares(more, removed.effects) * held - moves[0][:, :-1]
        matrix[:-1, :-1] += covariance(slope, spread)
    shares = np.append(share * held, 1 - held)
    return normal_draws(shares, matrix, draws, seed, within=within)


def _of_shares(moves: Floats, effects: Floats) -> Floats:
    """Turn derivatives of effects into those of each effect's share of their sum."""
    total = effects.sum()
    return (moves - np.outer(moves.sum(axis=1), effects / total)) / total


def _normed(effects: Floats) -> Floats:
    """Scale effects to shares; where nothing is won, nothing is shared."""
    effects = np.clip(np.nan_to_num(effects), 0.0, None)
    total = effects.sum(axis=-1, keepdims=True)
    return np.divide(effects, total, out=np.zeros_like(effects), where=total > 0)


def _unpooled(values: Floats, ways: CodedPaths, bits: NDArray[np.int64]) -> Floats:
    """Scale Shapley values to shares, and deal a pooled value out by how often each is met."""
    total = values.sum(axis=-1, keepdims=True)
    values = np.divide(values, total, out=np.zeros_like(values), where=np.abs(total) > 0)
    went = (ways.conversions + ways.nulls)[ways.path_of]
    met = np.bincount(ways.codes, went, len(ways.channels)).astype("float64")
    pooled = np.bincount(bits, met, values.shape[-1]) if len(bits) else met
    part = np.divide(met, pooled[bits], out=np.zeros_like(met), where=pooled[bits] > 0)
    return values[..., bits] * part
