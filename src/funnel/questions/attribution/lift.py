"""Lift: the share of wins associated with a channel, adjusted for all other channels.

Credit follows how often a channel is touched. Lift compares journeys that touched it with journeys
that did not, and so may be below 0. It is an association: who touches a channel may have been
closer to buying before.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.plan import Plan
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.runs import offsets_of
from funnel.questions.attribution.credit import (
    JourneysOrPaths,
    attribute,
    input_paths,
    whole,
    without_value,
)
from funnel.results import Result
from funnel.results.small_groups import SmallGroups
from funnel.stats import CANNOT_TELL

MORE, FEWER = "more wins with it", "fewer wins with it"
CREDIT_MODEL = "linear"  # that lift is compared with
MOST_LIFTED = 30  # channels in the regression; those with fewer journeys have no lift
FEWEST_EACH = 5  # journeys with and without a channel, to compare at all
_PRIOR = 0.5  # wins and losses added to each channel

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Lift(Result):
    """Association of wins with each channel, adjusted for the other channels.

    `table` has one row per channel, largest lift first: `channel`, `lift` (share of the traced
    wins that the model does not expect without it; below 0: it expects more), `lift_low`,
    `lift_high`, `lifted_wins` with its interval, `verdict` (`more wins with it`, `fewer wins with
    it`, `cannot tell`), `lift_share` (of the sum of all positive lifts) with its interval,
    `credit_share` (of wins, by the linear model) with its interval, `disagrees` (the two shares'
    intervals do not overlap), `n_journeys` and `n_deals` (that touched it). Where no journey
    without a win is known, nothing can be compared and every lift is missing.
    """

    grouped = (SmallGroups(by=("channel",), counts={"n_deals": (), "n_journeys": ()}),)

    n_deals: int
    n_journeys: int
    has_no_nulls: bool


def lift(paths: JourneysOrPaths) -> Lift:
    """Association of wins with each channel, adjusted for the other channels.

    `paths` are as in `funnel.attribute`; wins are compared with journeys without one (`nulls`).

    Notes
    -----
    A logistic regression of being won on which channels were touched, over journeys grouped by
    their set of channels. Half a win and half a loss are added to each channel (a log-F prior),
    which keeps its coefficient finite where its journeys were all won or all lost. The lift of a
    channel is the share by which the sum of predicted wins falls when that channel is removed
    from every journey; its interval is the delta method's.

    References
    ----------
    Shao and Li (2011), Data-driven multi-touch attribution models, KDD, for regression in place of
    rules. Greenland and Mansournia (2015), Statistics in Medicine 34, 3133-3143, for the prior by
    added rows.

    Examples
    --------
    >>> paths = pd.DataFrame({"path": ["web", "demo", "web > demo"], "conversions": [50, 100, 200],
    ...                       "nulls": [950, 400, 800]})
    >>> lift(paths).table[["channel", "verdict"]].values.tolist()
    [['demo', 'more wins with it'], ['web', 'cannot tell']]
    """
    from scipy.stats import norm

    known = input_paths(paths)
    paths = known.paths
    occurs = paths.conversions + paths.nulls > 0
    paths = paths.taken(paths.is_traced & occurs)
    n_by_path = paths.conversions + paths.nulls
    met, met_won = paths.by_channel(n_by_path), paths.by_channel(paths.conversions)
    n, n_wins = n_by_path.sum(), paths.conversions.sum()
    compared = (met >= FEWEST_EACH) & (n - met >= FEWEST_EACH)
    compared &= (n_wins > 0) & (paths.nulls.sum() > 0)
    compared[np.argsort(-met, kind="stable")[MOST_LIFTED:]] = False
    estimate, error = np.full(len(met), np.nan), np.full(len(met), np.nan)
    if compared.any():
        estimate[compared], error[compared] = _fitted(paths, np.flatnonzero(compared))
    table = pd.DataFrame({"channel": pd.Series(paths.channels, dtype="str")})
    reach = norm.ppf(0.5 + known.level / 2) * error
    table["lift"] = estimate
    table["lift_low"], table["lift_high"] = estimate - reach, np.minimum(estimate + reach, 1.0)
    for end in ("", "_low", "_high"):
        table[f"lifted_wins{end}"] = table[f"lift{end}"] * n_wins
    table["verdict"] = np.select(
        [table["lift_low"] > 0, table["lift_high"] < 0], [MORE, FEWER], CANNOT_TELL
    )
    whole_lift = table["lift"].clip(lower=0).sum()
    for end in ("", "_low", "_high"):
        table[f"lift_share{end}"] = table[f"lift{end}"] / whole_lift if whole_lift > 0 else np.nan
    # credit of wins, as lift is of wins
    credit = attribute(without_value(paths), CREDIT_MODEL, plan=Plan(level=known.level))
    shares = credit.table.set_index("channel").reindex(table["channel"])
    for end in ("", "_low", "_high"):
        table[f"credit_share{end}"] = shares[f"share{end}"].to_numpy()
    table["disagrees"] = (table["lift_share_low"] > table["credit_share_high"]) | (
        table["lift_share_high"] < table["credit_share_low"]
    )
    table["n_journeys"], table["n_deals"] = whole(met), whole(met_won)
    table = table.sort_values(["lift", "channel"], ascending=[False, True], na_position="last")
    return Lift(
        table=table.reset_index(drop=True),
        rows=known.rows,
        units={"lift": "0 to 1", "lifted_wins": "deals", "lift_share": "0 to 1"},
        n_deals=round(n_wins),
        n_journeys=round(n),
        has_no_nulls=not paths.nulls.any(),
        **known.speaks_for(),
    )


def _fitted(paths: CodedPaths, chosen: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Lift of the chosen channels, and its standard error."""
    from scipy.special import expit
    from statsmodels.genmod import families
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    touched, wins, losses = _by_set(paths, chosen)
    k = len(chosen)
    design = np.column_stack([np.ones(len(touched)), touched])
    prior = np.column_stack([np.zeros(k), np.eye(k)])
    counts = np.vstack([np.column_stack([wins, losses]), np.full((k, 2), _PRIOR)])
    with warnings.catch_warnings():
        # the prior keeps every coefficient finite, also where the fit is exact
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        model = GLM(counts, np.vstack([design, prior]), family=families.Binomial()).fit()
    n, spread = wins + losses, model.cov_params()
    chance = expit(design @ model.params)
    won = n @ chance
    slope = (n * chance * (1 - chance)) @ design
    estimate, error = np.zeros(k), np.zeros(k)
    for i in range(k):
        without = design.copy()
        without[:, 1 + i] = 0.0
        chance0 = expit(without @ model.params)
        estimate[i] = 1 - (n @ chance0) / won
        slope0 = (n * chance0 * (1 - chance0)) @ without
        gradient = ((1 - estimate[i]) * slope - slope0) / won
        error[i] = np.sqrt(gradient @ spread @ gradient)
    return estimate, error


def _by_set(paths: CodedPaths, chosen: NDArray[np.int64]) -> tuple[NDArray, Floats, Floats]:
    """Journeys grouped by the set of chosen channels that they touched: one row per set."""
    pairs = paths.pairs
    is_chosen = np.isin(pairs.channel, chosen)
    sets = replace(
        paths,
        codes=pairs.channel[is_chosen],
        offsets=offsets_of(np.bincount(pairs.path[is_chosen], minlength=paths.n_paths)),
    ).grouped()
    touched = np.zeros((sets.n_paths, len(paths.channels)))
    touched[sets.path_of, sets.codes] = 1.0
    return touched[:, chosen], sets.conversions, sets.nulls
