"""Models of all journeys together: Markov chains, and the Shapley value of win rates.

Each gives the channels' shares of credit, the influence of each journey on them, and the shares of
bootstrap samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.markov import Chain, chain, in_shares, influences, removal
from funnel.questions.attribution.sampling_distribution import (
    Influence,
    Sample,
    SamplingDistribution,
    Solve,
    distribution_of,
    of_wins,
    sampled,
)
from funnel.questions.attribution.shapley import (
    channel_sets,
    rate_game,
    rate_slopes,
    shapley_values,
)

_CELLS_AT_ONCE = 4_000_000  # of games of bootstrap samples
_ALONE = 1.0  # journeys added to each channel that some journeys met alone

Floats = NDArray[np.float64]
Sets = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Markov:
    """A Markov chain whose states are the last `order` touches."""

    order: int = 1

    def counted(self, paths: CodedPaths) -> Chain:
        """Chain of the paths, for shares of wins and of value alike."""
        return chain(paths, self.order)

    def shares(self, _paths: CodedPaths, counted: Chain, *, of_value: bool) -> Floats:
        """Share of each channel in the sum of removal effects."""
        return normed(removal(counted, of_value=of_value).effects)

    def solver(self, paths: CodedPaths, counted: Chain) -> Solve:
        """Solver of bootstrap samples for these shares."""
        effects = effects_of(paths, counted)
        return lambda won, booked, lost: normed(effects(won, booked, lost))

    def influence(
        self, paths: CodedPaths, counted: Chain, worth: Floats, sample: Sample, *, of_value: bool
    ) -> Iterator[Influence]:
        """Influence of each journey of the sampled paths on these shares."""
        return influences(paths, counted, worth, sample, of_value=of_value)


@dataclass(frozen=True, eq=False)
class RateShapley:
    """Shapley value of the wins per journey of each set of channels."""

    def counted(self, paths: CodedPaths) -> Sets:
        """Set of channels of each path."""
        return channel_sets(paths)

    def shares(self, paths: CodedPaths, counted: Sets, *, of_value: bool) -> Floats:
        """Share of each channel in the Shapley values; it may be negative."""
        sets, bits = counted
        game, _ = _game(paths, sets, bits, of_value=of_value)
        return unpooled(shapley_values(game), paths, bits)

    def solver(self, paths: CodedPaths, counted: Sets) -> Solve:
        """Solver of bootstrap samples for these shares."""
        from scipy.sparse import csr_array

        sets, bits = counted
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

    def influence(
        self, paths: CodedPaths, counted: Sets, worth: Floats, sample: Sample, *, of_value: bool
    ) -> Iterator[Influence]:
        """Influence of each journey of the sampled paths on these shares."""
        sets, bits = counted
        game, _ = _game(paths, sets, bits, of_value=of_value)
        values, part = shapley_values(game), _part_of_pool(paths, bits)
        # Where few journeys met a channel alone, their sample variance is too small. One journey is
        # added to each channel, won as often and worth as much as the average one.
        players = np.unique(bits)
        is_seen = np.bincount(sets, minlength=len(game))[1 << players] > 0
        alone, unseen = 1 << players[is_seen], np.isin(bits, players[~is_seen])
        average = _average(paths, worth)
        game, journeys = _game(paths, sets, bits, of_value=of_value, more=(alone, average))
        lost = np.bincount(sets, paths.nulls * paths.is_traced, len(game))
        lost[alone] += _ALONE * (1 - average.chance)
        is_met = np.bincount(sets, minlength=len(game)) > 0
        met, place = np.flatnonzero(is_met), np.cumsum(is_met) - 1
        by_journey, by_worth = (
            in_shares(slope, values)[:, bits] * part for slope in rate_slopes(game, journeys, met)
        )
        none = np.zeros(len(met))
        yield Influence(by_journey, lost[met], none + 1, none)
        kind, none = place[alone], np.zeros(len(alone))
        won = by_journey[kind] + average.worth * by_worth[kind]
        times = none + _ALONE * average.chance
        yield Influence(won, times, none + 1, none)
        yield Influence(by_worth[kind], times * average.spread, none + 1, none)
        if unseen.any() and values.sum():
            # a channel that no journey met alone may win alone as often as the average journey
            open_share = np.diag(part * average.chance**0.5 / (len(players) * values.sum()))[unseen]
            squares = np.full(len(open_share), average.worth**2 + average.spread) * _ALONE
            ones = np.ones(len(open_share))
            yield Influence(open_share, squares, ones, 0 * ones, False)
        is_won = (paths.conversions > 0) & paths.is_traced
        for some in sample.taken(is_won[sample.at]).in_blocks(len(bits)):
            kind = place[sets[some.at]]
            yield of_wins(paths, worth, some, by_journey[kind], by_worth[kind])


Joint = Markov | RateShapley


def joint_distribution(
    paths: CodedPaths,
    model: Joint,
    share: Floats,
    counted: Chain | Sets,
    worth: Floats,
    *,
    of_value: bool,
) -> SamplingDistribution:
    """Sampling distribution of a model's shares, with the share that is not traced at the end."""
    within = paths.value.min(initial=0.0) >= 0
    booked = worth * paths.conversions
    total, held = booked.sum(), booked[paths.is_traced].sum()
    if not paths.conversions[paths.is_traced].sum() or not held:
        return SamplingDistribution(np.zeros(len(share) + 1), np.ones(len(share) + 1))
    sample = sampled(paths, worth, len(share) + 1)
    n = float((paths.conversions + paths.nulls).sum())
    influence = model.influence(paths, counted, worth, sample, of_value=of_value and within)
    untraced = sample.taken(~paths.is_traced[sample.at])
    if not len(untraced.at):
        known = distribution_of(influence, n)
        covariance = None if known.covariance is None else np.pad(known.covariance, (0, 1))
        return SamplingDistribution(
            np.append(known.variance, 0.0), np.append(known.degrees, 1.0), covariance
        )
    # a share of the whole is the share of the traced total, times the part that is traced
    of_all = np.append(share, -1.0) / total

    def whole() -> Iterator[Influence]:
        for some in influence:
            grows = some.worth * (1 - held / total)
            both = np.hstack([some.of_one * (held / total), np.zeros((len(grows), 1))])
            yield replace(some, of_one=both + np.outer(grows, of_all))
        of_untraced = np.broadcast_to(-held / total * of_all, (len(untraced.at), len(of_all)))
        yield of_wins(paths, worth, untraced, 0.0, of_untraced)

    return distribution_of(whole(), n)


def effects_of(paths: CodedPaths, counted: Chain) -> Solve:
    """Solver of bootstrap samples for removal effects, from counts of transitions."""
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


def normed(effects: Floats) -> Floats:
    """Shares of the sum of effects; 0 where nothing is won."""
    effects = np.clip(np.nan_to_num(effects), 0.0, None)
    total = effects.sum(axis=-1, keepdims=True)
    return np.divide(effects, total, out=np.zeros_like(effects), where=total > 0)


def unpooled(values: Floats, paths: CodedPaths, bits: NDArray[np.int64]) -> Floats:
    """Shares of Shapley values; a pooled value is divided by how often each channel is met."""
    total = values.sum(axis=-1, keepdims=True)
    values = np.divide(values, total, out=np.zeros_like(values), where=np.abs(total) > 0)
    return values[..., bits] * _part_of_pool(paths, bits)


def _part_of_pool(paths: CodedPaths, bits: NDArray[np.int64]) -> Floats:
    if len(set(bits.tolist())) == len(bits):
        return np.ones(len(bits))
    pooled = np.bincount(bits, paths.met)[bits]
    return np.divide(paths.met, pooled, out=np.zeros(len(bits)), where=pooled > 0)


@dataclass(frozen=True)
class Average:
    """Share of traced journeys that are won, mean worth of a win, and its variance."""

    chance: float
    worth: float
    spread: float


def _average(paths: CodedPaths, worth: Floats) -> Average:
    on, won = paths.is_traced, paths.conversions
    n, wins = (won + paths.nulls)[on].sum(), max(won[on].sum(), 1e-300)
    mean = (won * worth)[on].sum() / wins
    squares = (won * worth**2)[on].sum() / wins
    return Average(wins / max(n, 1e-300), mean, max(squares - mean**2, 0.0))


def _game(
    paths: CodedPaths,
    sets: NDArray[np.int64],
    bits: NDArray[np.int64],
    *,
    of_value: bool,
    more: tuple[NDArray[np.int64], Average] | None = None,
) -> tuple[Floats, Floats]:
    """Wins per journey of each set, and the journeys that need no other channel."""
    n_sets = 2 ** (int(bits.max(initial=-1)) + 1)
    count = np.where(paths.is_traced, paths.conversions + paths.nulls, 0.0)
    worth = np.where(paths.is_traced, paths.value if of_value else paths.conversions, 0.0)
    journeys, won = np.bincount(sets, count, n_sets), np.bincount(sets, worth, n_sets)
    if more:
        alone, average = more
        journeys[alone] += _ALONE
        won[alone] += _ALONE * average.chance * average.worth
    return rate_game(won, journeys)
