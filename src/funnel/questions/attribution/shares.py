"""From paths and a model to shares: what each channel is credited with, and its resamples.

A model by rule shares out each win by itself. Markov chains and the Shapley value of win rates
look at all journeys together, those without a win included. Whatever cannot be traced is the last
column of every share, so that shares add up to 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.joint_models import Joint, joint_law
from funnel.questions.attribution.models import Model, weights_of
from funnel.questions.attribution.resampling import by_all, by_rule, samples
from funnel.questions.attribution.sampling_distribution import (
    Law,
    Measure,
    Moves,
    law_of,
    law_of_samples,
    sampled,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Solved:
    """What one model gives the channels of some paths.

    Attributes
    ----------
    won
        The paths that were won.
    conversions, value
        One entry per channel, and a last one for what cannot be traced.
    law
        How the shares of either vary; None where nothing was won.
    parts
        What a rule gives each channel of each path (`won.pairs`); None for other models.
    """

    won: CodedPaths
    conversions: Floats
    value: Floats
    law: Law | None = None
    parts: Floats | None = None

    @property
    def touched(self) -> Floats:
        """Wins that each channel touched, and those that cannot be traced."""
        won, pairs = self.won, self.won.pairs
        met = np.bincount(pairs.channel, won.conversions[pairs.path], pairs.n_channels)
        return np.append(met, won.conversions[~won.is_traced].sum())

    @property
    def credited(self) -> tuple[NDArray, NDArray]:
        """Each channel with the won paths behind its credit: places of both."""
        pairs = self.won.pairs
        counts = slice(None) if self.parts is None else self.parts > 0
        untraced = np.flatnonzero(~self.won.is_traced)
        path = np.append(pairs.path[counts], untraced)
        channel = np.append(pairs.channel[counts], np.full(len(untraced), pairs.n_channels))
        order = np.argsort(path, kind="stable")
        return channel[order], path[order]


def solved(
    ways: CodedPaths, model: Model | Joint, *, of_value: bool, draws: int = 0, seed: int = 0
) -> Solved:
    """Share wins and value out by one model, and say how the shares vary.

    Parameters
    ----------
    ways
        Paths in numbers.
    model
        A rule (a function that gives one weight per touch), or a model of all journeys together.
    of_value
        Whether the shares whose law is asked for are of value, else of wins.
    draws, seed
        Of bootstrap samples; without any, their law is worked out.

    Examples
    --------
    >>> from funnel.questions.attribution.joint_models import Markov
    >>> ways = CodedPaths.of([["a", "b"], ["a"], []], conversions=[2, 0, 1], nulls=[0, 2, 0])
    >>> solved(ways, Markov(), of_value=False).conversions.tolist()
    [1.0, 1.0, 1.0]
    """
    if isinstance(model, Joint):
        return _by_all(ways, model, of_value=of_value, draws=draws, seed=seed)
    return _by_rule(ways, model, of_value=of_value, draws=draws, seed=seed)


def _won(ways: CodedPaths) -> CodedPaths:
    is_won = ways.conversions > 0
    return ways if is_won.all() else ways.taken(is_won)


def _by_rule(
    ways: CodedPaths, model: Model, *, of_value: bool, draws: int, seed: int
) -> Solved:  # fmt: skip
    ways = _won(ways)
    parts = ways.pairs.sums(weights_of(ways, model))
    part = ways.pairs.table(parts)
    untraced = ~ways.is_traced
    conversions, value = (
        np.append(part.T @ counts, counts[untraced].sum())
        for counts in (ways.conversions, ways.value)
    )
    total = (ways.value if of_value else ways.conversions).sum()
    if not total:
        return Solved(ways, conversions, value, parts=parts)
    measure = Measure.of(ways, of_value=of_value)
    share = (value if of_value else conversions) / total
    sample = sampled(ways, measure, len(share))

    def moves() -> Iterator[Moves]:
        for some in sample.in_blocks(len(share)):
            parts = np.column_stack([part[some.at].toarray(), untraced[some.at]])
            yield from measure.of_wins(ways, some, 0.0, (parts - share) / total)

    law = law_of(moves(), ways.conversions.sum())
    if draws:
        only_won = replace(ways, nulls=np.zeros(ways.n_paths))
        drawn = samples(only_won, measure, by_rule(ways, part), draws, seed)
        law = law_of_samples(drawn, law)
    return Solved(ways, conversions, value, law, parts)


def _by_all(
    ways: CodedPaths, model: Joint, *, of_value: bool, draws: int, seed: int
) -> Solved:  # fmt: skip
    went = ways.conversions + ways.nulls > 0
    ways = ways if went.all() else ways.taken(went)
    traced = ways.is_traced
    counted = model.counted(ways)
    wins, worth = ways.conversions[traced].sum(), ways.value[traced].sum()
    of_wins = model.shares(ways, of_value=False, counted=counted)
    of_worth = of_wins
    # shares of value mean nothing where some of it is negative: then it follows the wins
    if worth > 0 and ways.value.min(initial=0.0) >= 0:
        of_worth = model.shares(ways, of_value=True, counted=counted)
    conversions = np.append(of_wins * wins, ways.conversions[~traced].sum())
    value = np.append(of_worth * worth, ways.value[~traced].sum())
    what = ways.value if of_value else ways.conversions
    if not what.sum():
        return Solved(_won(ways), conversions, value)
    share = of_worth if of_value else of_wins
    measure = Measure.of(ways, of_value=of_value)
    law = joint_law(ways, model, share, counted, measure, of_value=of_value)
    if draws:
        law = law_of_samples(samples(ways, measure, by_all(ways, model, counted), draws, seed), law)
    return Solved(_won(ways), conversions, value, law)
