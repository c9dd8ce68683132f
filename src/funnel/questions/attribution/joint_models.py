"""Models that look at all journeys together: Markov chains, and the Shapley value of win rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.markov import Chain, chain, in_shares, influences, removal
from funnel.questions.attribution.sampling_distribution import (
    Law,
    Measure,
    Moves,
    Sample,
    law_of,
    sampled,
)
from funnel.questions.attribution.shapley import (
    channel_sets,
    rate_game,
    rate_slopes,
    shapley_values,
)

_ALONE = 1.0  # journeys that a channel met alone is given, where it met some

Floats = NDArray[np.float64]
Sets = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Markov:
    """A Markov chain whose states are the last `order` touches."""

    order: int = 1

    def counted(self, ways: CodedPaths) -> Chain:
        """Count the chain; shares of wins and of value are read off the same one."""
        return chain(ways, self.order)

    def shares(self, ways: CodedPaths, *, of_value: bool, counted: Chain | None = None) -> Floats:
        """Give each channel's share of the removal effects."""
        return normed(removal(counted or self.counted(ways), of_value=of_value).effects)

    def moves(
        self, ways: CodedPaths, counted: Chain, measure: Measure, sample: Sample, *, of_value: bool
    ) -> Iterator[Moves]:
        """Say how each journey of the chosen paths moves these shares."""
        return influences(ways, counted, measure, sample, of_value=of_value)


@dataclass(frozen=True, eq=False)
class RateShapley:
    """The Shapley value of what each set of channels wins per journey."""

    def counted(self, ways: CodedPaths) -> Sets:
        """Give each path its set of channels."""
        return channel_sets(ways)

    def shares(
        self, ways: CodedPaths, *, of_value: bool, counted: Sets | None = None
    ) -> Floats:  # fmt: skip
        """Give each channel's share of the Shapley values; a channel's may be negative."""
        sets, bits = counted or self.counted(ways)
        game, _ = _game(ways, sets, bits, of_value=of_value)
        return unpooled(shapley_values(game), ways, bits)

    def moves(
        self, ways: CodedPaths, counted: Sets, measure: Measure, sample: Sample, *, of_value: bool
    ) -> Iterator[Moves]:
        """Say how each journey of the chosen paths moves these shares."""
        sets, bits = counted
        game, _ = _game(ways, sets, bits, of_value=of_value)
        values, part = shapley_values(game), _part_of_pool(ways, bits)
        # where few journeys met a channel alone, they leave more open than they say: one more is
        # added to each, won as often and worth as much as all together
        players = np.unique(bits)
        is_seen = np.bincount(sets, minlength=len(game))[1 << players] > 0
        alone, unseen = 1 << players[is_seen], np.isin(bits, players[~is_seen])
        usual = _usual(ways, measure)
        game, journeys = _game(ways, sets, bits, of_value=of_value, more=(alone, usual))
        lost = np.bincount(sets, ways.nulls * ways.is_traced, len(game))
        lost[alone] += _ALONE * (1 - usual.chance)
        is_met = np.bincount(sets, minlength=len(game)) > 0
        met, place = np.flatnonzero(is_met), np.cumsum(is_met) - 1
        by_journey, by_worth = (
            in_shares(slope, values)[:, bits] * part for slope in rate_slopes(game, journeys, met)
        )
        none = np.zeros(len(met))
        yield Moves(by_journey, lost[met], none + 1, none)
        given, none = place[alone], np.zeros(len(alone))
        won = by_journey[given] + usual.worth * by_worth[given]
        times = none + _ALONE * usual.chance
        yield Moves(won, times, none + 1, none)
        yield Moves(by_worth[given], times * usual.spread, none + 1, none)
        if unseen.any() and values.sum():
            # what nobody met alone may win as much alone as all do: open for that channel itself
            open_share = np.diag(part * usual.chance**0.5 / (len(players) * values.sum()))[unseen]
            squares = np.full(len(open_share), usual.worth**2 + usual.spread) * _ALONE
            ones = np.ones(len(open_share))
            yield Moves(open_share, squares, ones, 0 * ones, counts=False)
        is_won = (ways.conversions > 0) & ways.is_traced
        for some in sample.taken(is_won[sample.at]).in_blocks(len(bits)):
            kind = place[sets[some.at]]
            yield from measure.of_wins(ways, some, by_journey[kind], by_worth[kind])


Joint = Markov | RateShapley


def joint_law(
    ways: CodedPaths,
    model: Joint,
    share: Floats,
    counted: Chain | Sets,
    measure: Measure,
    *,
    of_value: bool,
) -> Law:
    """Say how the shares of a model vary, and with them the share of what cannot be traced.

    Parameters
    ----------
    ways
        Paths that somebody went.
    model, share
        The model, and what it gives each channel of what is traced.
    counted
        What the model counted.
    measure
        What is shared out.
    of_value
        Whether it is value, else wins.
    """
    within = ways.value.min(initial=0.0) >= 0
    booked = measure.worth * ways.conversions
    total, held = booked.sum(), booked[ways.is_traced].sum()
    if not ways.conversions[ways.is_traced].sum() or not held:
        return Law(np.zeros(len(share) + 1), np.ones(len(share) + 1))  # nothing to share out
    sample = sampled(ways, measure, len(share) + 1)
    n = float((ways.conversions + ways.nulls).sum())
    moves = model.moves(ways, counted, measure, sample, of_value=of_value and within)
    untraced = sample.taken(~ways.is_traced[sample.at])
    if not len(untraced.at):
        return law_of(moves, n).and_one_that_is_sure()
    # a share of everything is the share of what is traced, times how much of it is
    of_all = np.append(share, -1.0) / total

    def whole() -> Iterator[Moves]:
        for some in moves:
            grows = some.worth * (1 - held / total)
            both = np.hstack([some.moves * (held / total), np.zeros((len(grows), 1))])
            yield replace(some, moves=both + np.outer(grows, of_all))
        of_untraced = np.broadcast_to(-held / total * of_all, (len(untraced.at), len(of_all)))
        yield from measure.of_wins(ways, untraced, 0.0, of_untraced)

    return law_of(whole(), n)


def effects_law(ways: CodedPaths, counted: Chain) -> Law:
    """Say how removal effects of wins vary."""
    measure = Measure.of(ways, of_value=False)
    sample = sampled(ways, measure, counted.n_channels)
    moves = influences(ways, counted, measure, sample, of_value=False, of_shares=False)
    return law_of(moves, float((ways.conversions + ways.nulls).sum()))


def normed(effects: Floats) -> Floats:
    """Scale effects to shares; where nothing is won, nothing is shared."""
    effects = np.clip(np.nan_to_num(effects), 0.0, None)
    total = effects.sum(axis=-1, keepdims=True)
    return np.divide(effects, total, out=np.zeros_like(effects), where=total > 0)


def unpooled(values: Floats, ways: CodedPaths, bits: NDArray[np.int64]) -> Floats:
    """Scale Shapley values to shares, and deal a pooled value out by how often each is met."""
    total = values.sum(axis=-1, keepdims=True)
    values = np.divide(values, total, out=np.zeros_like(values), where=np.abs(total) > 0)
    return values[..., bits] * _part_of_pool(ways, bits)


def _part_of_pool(ways: CodedPaths, bits: NDArray[np.int64]) -> Floats:
    if len(set(bits.tolist())) == len(bits):
        return np.ones(len(bits))
    pooled = np.bincount(bits, ways.met)[bits]
    return np.divide(ways.met, pooled, out=np.zeros(len(bits)), where=pooled > 0)


@dataclass(frozen=True)
class Usual:
    """How often a traced journey is won, what a win is worth, and how far that varies, squared."""

    chance: float
    worth: float
    spread: float


def _usual(ways: CodedPaths, measure: Measure) -> Usual:
    on, won = ways.is_traced, ways.conversions
    n, wins = (won + ways.nulls)[on].sum(), max(won[on].sum(), 1e-300)
    worth = (won * measure.worth)[on].sum() / wins
    squares = (won * measure.worth**2 + measure.spread)[on].sum() / wins
    return Usual(wins / max(n, 1e-300), worth, max(squares - worth**2, 0.0))


def _game(
    ways: CodedPaths,
    sets: NDArray[np.int64],
    bits: NDArray[np.int64],
    *,
    of_value: bool,
    more: tuple[NDArray[np.int64], Usual] | None = None,
) -> tuple[Floats, Floats]:
    """Give what each set wins per journey, and how many journeys need no other channel."""
    n_sets = 2 ** (int(bits.max(initial=-1)) + 1)
    went = np.where(ways.is_traced, ways.conversions + ways.nulls, 0.0)
    worth = np.where(ways.is_traced, ways.value if of_value else ways.conversions, 0.0)
    journeys, won = np.bincount(sets, went, n_sets), np.bincount(sets, worth, n_sets)
    if more:
        alone, usual = more
        journeys[alone] += _ALONE
        won[alone] += _ALONE * usual.chance * usual.worth
    return rate_game(won, journeys)
