"""Removal effects as a result: what goes by way of each channel."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.plan import Plan
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.questions.attribution.credit import RemovalEffects
from funnel.questions.attribution.input_paths import Given, about_nulls, asked, whole
from funnel.questions.attribution.joint_models import effects_law
from funnel.questions.attribution.markov import chain, removal
from funnel.questions.attribution.resampling import effects_of, samples
from funnel.questions.attribution.sampling_distribution import (
    Law,
    Measure,
    intervals,
    law_of_samples,
)


def removal_effects(
    paths: Given,
    order: int = 1,
    *,
    as_of: dt.date | None = None,
    plan: Plan | None = None,
    draws: int = 0,
) -> RemovalEffects:
    """Work out what share of wins would be lost if every step into a channel went to null.

    It is exact for the chain that the paths make, from one inverse. It is no forecast: it says
    how often wins went by way of a channel, and not what buyers would do without it.

    Parameters
    ----------
    paths
        As in `attribute`; journeys without a win (`nulls`) belong to it.
    order
        How many touches a state remembers, 1 to 4.
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
    given = asked(paths, as_of, plan)
    ways = given.ways
    effects, law = _effects(ways, order, draws, given.plan.seed)
    n_wins = ways.conversions[ways.is_traced].sum()
    low, high = intervals(effects, law, n_wins, n_wins, given.level)
    went = ways.conversions + ways.nulls
    table = pd.DataFrame(
        {
            "channel": pd.Series(ways.channels, dtype="str"),
            "removal_effect": effects,
            "removal_effect_low": np.where(np.isnan(effects), np.nan, low),
            "removal_effect_high": np.where(np.isnan(effects), np.nan, high),
            "n_journeys": whole(met_by(ways, went)),
            "n_deals": whole(met_by(ways, ways.conversions)),
        }
    ).sort_values(["removal_effect", "channel"], ascending=[False, True])
    return RemovalEffects(
        table=table.reset_index(drop=True),
        as_of=given.as_of,
        rows=given.rows,
        units={"removal_effect": "0 to 1", "n_journeys": "journeys", "n_deals": "deals"},
        level=given.level,
        written_caveats=(*given.caveats, *about_nulls(ways)),
        plan=given.plan,
        order=order,
        n_deals=round(n_wins),
        n_journeys=round(went[ways.is_traced].sum()),
    )


def _effects(
    ways: CodedPaths, order: int, draws: int, seed: int
) -> tuple[NDArray[np.float64], Law | None]:
    """Give the removal effects of wins, and how they vary."""
    ways = ways.taken((ways.conversions + ways.nulls > 0) & ways.is_traced)
    counted = chain(ways, order)
    effects = removal(counted).effects
    if not counted.wins.sum():
        return effects, None
    law = effects_law(ways, counted)
    if draws:
        measure = Measure.of(ways, of_value=False)
        drawn = samples(ways, measure, effects_of(ways, counted), draws, seed)
        law = law_of_samples(drawn[:, :-1], law)
    return effects, law


def met_by(ways: CodedPaths, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up counts of the paths that each channel is on."""
    from scipy.sparse import csr_array

    met = csr_array(
        (np.ones(len(ways.codes)), ways.codes, ways.offsets),
        shape=(ways.n_paths, len(ways.channels)), copy=True,
    )  # fmt: skip
    met.sum_duplicates()
    met.data[:] = 1.0
    return met.T @ counts
