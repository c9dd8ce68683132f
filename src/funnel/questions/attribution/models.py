"""Models of credit by name, and the shares that a model gives the channels of some paths.

A rule divides the credit of each win by itself. Markov chains and the Shapley value of win rates
use all journeys together, those without a win included. What is not traced is the last of the
shares, so that they add up to 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.joint_models import Joint, Markov, RateShapley, joint_distribution
from funnel.questions.attribution.rules import PRESETS, RULES, Model, linear_distinct, weights_of
from funnel.questions.attribution.sampling_distribution import (
    Influence,
    SamplingDistribution,
    distribution_of,
    distribution_of_samples,
    of_wins,
    sampled,
    samples,
    worth_of_one,
)

Floats = NDArray[np.float64]

# `shapley` is the value of the game of wins, which is exactly this rule
_BY_RULE: dict[str, Model] = {**RULES, "shapley": linear_distinct, **PRESETS}
MODELS = (*RULES, "markov", "shapley", "shapley_rate", *PRESETS)
NEED_NULLS = ("markov", "shapley_rate")  # models that use journeys without a win
# from the models that credit the beginning of a journey to those that credit its end
OF_JOURNEYS = (
    "first_touch", "w_shaped", "full_path", "position_based", "linear", "shapley", "markov",
    "time_decay", "last_non_direct", "last_touch",
)  # fmt: skip


def model_of(model: str | Model, order: int) -> tuple[str, Model | Joint]:
    """Name of a model, and the model of a name.

    Raises
    ------
    ParameterError
        If there is no model of that name.

    Examples
    --------
    >>> model_of("markov", 2)
    ('markov_2', Markov(order=2))
    """
    if callable(model):
        return getattr(model, "__name__", "own model"), model
    if model == "markov":
        return ("markov" if order == 1 else f"markov_{order}"), Markov(order)
    if model == "shapley_rate":
        return model, RateShapley()
    if not isinstance(model, str) or model not in _BY_RULE:
        raise ParameterError(f"There is no model {model!r}; there are {', '.join(MODELS)}.")
    return model, _BY_RULE[model]


@dataclass(frozen=True, eq=False)
class Shares:
    """Credit of the channels of some paths by one model.

    Attributes
    ----------
    won
        The paths that were won.
    conversions, value
        One entry per channel, and a last one for what is not traced.
    distribution
        Sampling distribution of the shares; None where nothing was won.
    parts
        Part of each path that a rule gives each channel (`won.pairs`); None for other models.
    """

    won: CodedPaths
    conversions: Floats
    value: Floats
    distribution: SamplingDistribution | None = None
    parts: Floats | None = None

    @property
    def touched(self) -> Floats:
        """Wins that each channel touched, and those that are not traced."""
        wins = self.won.conversions
        return np.append(self.won.by_channel(wins), wins[~self.won.is_traced].sum())

    @property
    def credited(self) -> tuple[NDArray, NDArray]:
        """Places of the channel and of the won path, for each pair behind the credit."""
        pairs = self.won.pairs
        counts = slice(None) if self.parts is None else self.parts > 0
        untraced = np.flatnonzero(~self.won.is_traced)
        path = np.append(pairs.path[counts], untraced)
        channel = np.append(pairs.channel[counts], np.full(len(untraced), pairs.n_channels))
        order = np.argsort(path, kind="stable")
        return channel[order], path[order]


def shares_of(
    paths: CodedPaths, model: Model | Joint, *, of_value: bool, draws: int = 0, seed: int = 0
) -> Shares:
    """Wins and value credited by one model, with the sampling distribution of the shares.

    The distribution is that of shares of value (`of_value`) or of wins. It is computed from
    influences, or with `draws` from bootstrap samples.

    Examples
    --------
    >>> paths = CodedPaths.of([["a", "b"], ["a"], []], conversions=[2, 0, 1], nulls=[0, 2, 0])
    >>> shares_of(paths, Markov(), of_value=False).conversions.tolist()
    [1.0, 1.0, 1.0]
    """
    if isinstance(model, Joint):
        return _by_all(paths, model, of_value=of_value, draws=draws, seed=seed)
    return _by_rule(paths, model, of_value=of_value, draws=draws, seed=seed)


def _won(paths: CodedPaths) -> CodedPaths:
    is_won = paths.conversions > 0
    return paths if is_won.all() else paths.taken(is_won)


def _by_rule(paths: CodedPaths, model: Model, *, of_value: bool, draws: int, seed: int) -> Shares:
    paths = _won(paths)
    parts = paths.pairs.sums(weights_of(paths, model))
    part = paths.pairs.table(parts)
    untraced = ~paths.is_traced
    conversions, value = (
        np.append(part.T @ counts, counts[untraced].sum())
        for counts in (paths.conversions, paths.value)
    )
    total = (paths.value if of_value else paths.conversions).sum()
    if not total:
        return Shares(paths, conversions, value, parts=parts)
    worth = worth_of_one(paths, of_value=of_value)
    share = (value if of_value else conversions) / total
    sample = sampled(paths, worth, len(share))

    def influence() -> Iterator[Influence]:
        for some in sample.in_blocks(len(share)):
            parts = np.column_stack([part[some.at].toarray(), untraced[some.at]])
            yield of_wins(paths, worth, some, 0.0, (parts - share) / total)

    distribution = distribution_of(influence(), paths.conversions.sum())
    if draws:
        only_won = replace(paths, nulls=np.zeros(paths.n_paths))

        def solve(_won: Floats, booked: Floats, _lost: Floats) -> Floats:
            return (part.T @ booked.T).T / booked[:, ~untraced].sum(axis=1, keepdims=True)

        drawn = samples(only_won, worth, solve, draws, seed)
        distribution = distribution_of_samples(drawn, distribution)
    return Shares(paths, conversions, value, distribution, parts)


def _by_all(paths: CodedPaths, model: Joint, *, of_value: bool, draws: int, seed: int) -> Shares:
    occurs = paths.conversions + paths.nulls > 0
    paths = paths if occurs.all() else paths.taken(occurs)
    traced = paths.is_traced
    counted = model.counted(paths)
    wins, booked = paths.conversions[traced].sum(), paths.value[traced].sum()
    share_of_wins = model.shares(paths, counted, of_value=False)
    share_of_value = share_of_wins
    # shares of value mean nothing where some value is negative: then it follows the wins
    if booked > 0 and paths.value.min(initial=0.0) >= 0:
        share_of_value = model.shares(paths, counted, of_value=True)
    conversions = np.append(share_of_wins * wins, paths.conversions[~traced].sum())
    value = np.append(share_of_value * booked, paths.value[~traced].sum())
    what = paths.value if of_value else paths.conversions
    if not what.sum():
        return Shares(_won(paths), conversions, value)
    share = share_of_value if of_value else share_of_wins
    worth = worth_of_one(paths, of_value=of_value)
    distribution = joint_distribution(paths, model, share, counted, worth, of_value=of_value)
    if draws:
        drawn = samples(paths, worth, model.solver(paths, counted), draws, seed)
        distribution = distribution_of_samples(drawn, distribution)
    return Shares(_won(paths), conversions, value, distribution)
