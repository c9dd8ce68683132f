"""Removal effects: the share of wins that a Markov chain loses without each channel."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.plan import Plan
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.credit import JourneysOrPaths, input_paths, lacks_nulls, whole
from funnel.questions.attribution.joint_models import effects_of
from funnel.questions.attribution.markov import chain, influences, removal
from funnel.questions.attribution.sampling_distribution import (
    SamplingDistribution,
    distribution_of,
    distribution_of_samples,
    intervals,
    sampled,
    samples,
    worth_of_one,
)
from funnel.results import Result
from funnel.results.small_groups import SmallGroups


@dataclass(frozen=True, eq=False, kw_only=True)
class RemovalEffects(Result):
    """Share of wins that a Markov chain of the paths loses without each channel.

    `table` has one row per channel, largest first: `channel`, `removal_effect` (0 to 1; missing
    where nothing was won), `removal_effect_low`, `removal_effect_high`, `n_journeys` (that touched
    it) and `n_deals` (won deals among them).
    """

    grouped = (SmallGroups(by=("channel",), counts={"n_deals": (), "n_journeys": ()}),)

    n_deals: int
    n_journeys: int
    has_no_nulls: bool
    source: Result | None = field(repr=False)


def removal_effects(
    paths: JourneysOrPaths,
    order: int = 1,
    *,
    as_of: dt.date | None = None,
    plan: Plan | None = None,
    draws: int = 0,
) -> RemovalEffects:
    """Share of wins that a chain of the paths loses if every step into a channel goes to null.

    It is exact for the chain, from one inverse. It is no forecast: it counts wins on paths through
    a channel, and does not say what buyers would do without it.

    Parameters
    ----------
    paths
        As in `attribute`; include journeys without a win (`nulls`).
    order
        Number of touches in a state, 1 to 4.
    as_of, plan, draws
        As in `attribute`.

    Returns
    -------
    RemovalEffects
        One row per channel, largest first.

    Raises
    ------
    ParameterError
        If the order is not 1 to 4, a column is missing, or a count is no number or negative.

    References
    ----------
    Anderl, Becker, von Wangenheim and Schumann (2016), International Journal of Research in
    Marketing 33, 457-474.

    Examples
    --------
    >>> paths = pd.DataFrame({"path": ["C1 > C2 > C3", "C1", "C2 > C3"],
    ...                       "conversions": [1, 0, 0], "nulls": [0, 1, 1]})
    >>> removal_effects(paths).table[["channel", "removal_effect"]].values.tolist()
    [['C2', 1.0], ['C3', 1.0], ['C1', 0.5]]
    """
    known = input_paths(paths, as_of, plan)
    paths = known.paths
    effects, distribution = _effects(paths, order, draws, known.seed)
    n_wins = paths.conversions[paths.is_traced].sum()
    low, high = intervals(effects, distribution, n_wins, n_wins, known.level)
    n_journeys = paths.conversions + paths.nulls
    table = pd.DataFrame(
        {
            "channel": pd.Series(paths.channels, dtype="str"),
            "removal_effect": effects,
            "removal_effect_low": np.where(np.isnan(effects), np.nan, low),
            "removal_effect_high": np.where(np.isnan(effects), np.nan, high),
            "n_journeys": whole(paths.by_channel(n_journeys)),
            "n_deals": whole(paths.by_channel(paths.conversions)),
        }
    ).sort_values(["removal_effect", "channel"], ascending=[False, True])
    return RemovalEffects(
        table=table.reset_index(drop=True),
        rows=known.rows,
        units={"removal_effect": "0 to 1", "n_journeys": "journeys", "n_deals": "deals"},
        n_deals=round(n_wins),
        n_journeys=round(n_journeys[paths.is_traced].sum()),
        has_no_nulls=lacks_nulls(paths),
        source=known.source,
        **known.speaks_for(),
    )


def _effects(
    paths: CodedPaths, order: int, draws: int, seed: int
) -> tuple[NDArray[np.float64], SamplingDistribution | None]:
    """Removal effects of wins, and their sampling distribution."""
    paths = paths.taken((paths.conversions + paths.nulls > 0) & paths.is_traced)
    counted = chain(paths, order)
    effects = removal(counted).effects
    if not counted.wins.sum():
        return effects, None
    worth = worth_of_one(paths, of_value=False)
    sample = sampled(paths, worth, counted.n_channels)
    influence = influences(paths, counted, worth, sample, of_value=False, of_shares=False)
    distribution = distribution_of(influence, (paths.conversions + paths.nulls).sum())
    if draws:
        drawn = samples(paths, worth, effects_of(paths, counted), draws, seed)
        distribution = distribution_of_samples(drawn[:, :-1], distribution)
    return effects, distribution
