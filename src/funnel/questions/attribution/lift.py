"""Lift: how much less often journeys are won without a channel, all other channels held equal.

Credit follows how often a channel is touched. Lift compares journeys that touched it with journeys
that did not, and so may be below 0. It is an association: who touches a channel may have been
nearer to buying before.
"""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.plan import Company, Plan
from funnel.methods.paths.coded_paths import CodedPaths
from funnel.methods.paths.runs import offsets_of
from funnel.questions.attribution.attribute import attribute
from funnel.questions.attribution.input_paths import Given, asked, whole
from funnel.questions.attribution.removal_effects import met_by
from funnel.results import Result, formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MORE, FEWER, OPEN = "more wins with it", "fewer wins with it", "cannot tell"
MOST_LIFTED = 30  # channels that are told apart; the least met beyond stand together
FEWEST_EACH = 5  # journeys with and without a channel, to compare at all
_PRIOR = 0.5  # wins and losses that each channel is given before any are counted

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Lift(Result):
    """How wins go with each channel, the other channels held equal.

    `table` has one row per channel, largest lift first: `channel`, `lift` (share of the wins that
    can be traced that the model expects to be lost without it; below 0: more would be expected),
    `lift_low`, `lift_high`, `lifted_wins` with its ends, `verdict` (`more wins with it`, `fewer
    wins with it`, `cannot tell`), `lift_share` (of what all channels with a positive lift hold
    together) with its ends, `credit_share` (of wins, by `model`) with its ends, `disagrees` (the
    two shares' intervals do not meet), `n_journeys` and `n_deals` (that touched it). Where no
    journey without a win is known, nothing can be compared and every lift is missing.
    """

    model: str
    plan: Plan
    n_deals: int
    n_journeys: int
    as_of: dt.date | None = None

    @property
    def headline(self) -> str:
        """Which channels wins go with, which they go without, and where credit says otherwise."""
        told = self.table[self.table["lift"].notna()]
        if told.empty:
            return (
                "Lift cannot be told: it compares journeys that were won with journeys that were "
                "not, and channels with journeys that did without them."
            )
        company = self.plan.company
        fewer = told[told["verdict"] == FEWER]
        top = told.iloc[0]
        says = (
            f"Of {formats.number(self.n_journeys, company)} journeys with "
            f"{formats.number(self.n_deals, company)} won deals, "
        )
        if top["verdict"] == MORE:
            says += f"wins go most with {top['channel']}, {_lift(top, company)} of them"
        else:
            says += "no channel is shown to go with more wins"
        if len(fewer):
            says += f"; fewer wins go with {_named(fewer['channel'])}"
        n = int(told["disagrees"].sum())
        if n:
            channels = "channel" if n == 1 else "channels"
            says += f"; credit and lift disagree on {formats.number(n, company)} {channels}"
        return f"{says}."

    def shown(self) -> pd.DataFrame:
        """Give lift and credit side by side, in words."""
        company, rows = self.plan.company, [row for _, row in self.table.iterrows()]
        return pd.DataFrame(
            {
                "channel": self.table["channel"],
                "lift, of won deals": [_estimate(row, "lift", company) for row in rows],
                "verdict": self.table["verdict"],
                "share of lift": [_estimate(row, "lift_share", company) for row in rows],
                f"share of credit, {self.model.replace('_', ' ')}": [
                    _estimate(row, "credit_share", company) for row in rows
                ],
                "they": ["disagree" if row["disagrees"] else "" for row in rows],
                "journeys": [formats.number(row["n_journeys"], company) for row in rows],
                "won deals": [formats.number(row["n_deals"], company) for row in rows],
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Share of lift against share of credit, by channel, with intervals."""
        from funnel.questions.attribution.charts import lift as drawn

        return drawn(self, ax)


def lift(
    paths: Given,
    *,
    model: str = "linear",
    as_of: dt.date | None = None,
    plan: Plan | None = None,
) -> Lift:
    """Compare how often journeys are won with and without each channel, the others held equal.

    Parameters
    ----------
    paths
        As in `funnel.attribute`; journeys without a win (`nulls`) are what wins are compared with.
    model
        Whose credit stands beside it.
    as_of, plan
        As in `funnel.attribute`.

    Returns
    -------
    Lift
        One row per channel.

    Notes
    -----
    A logistic regression of being won on which channels were touched, over journeys grouped by
    their set of channels. Each channel is given half a win and half a loss beforehand (a log-F
    prior), which keeps it finite where a channel's journeys were all won or all lost. The lift of
    a channel is the sum of predicted wins less the same sum with that channel taken out of every
    journey; its interval is the delta method's.

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
    given = asked(paths, as_of, plan)
    went = given.ways.conversions + given.ways.nulls
    ways = given.ways.taken(given.ways.is_traced & (went > 0))
    went = ways.conversions + ways.nulls
    met, met_won = met_by(ways, went), met_by(ways, ways.conversions)
    n, n_wins = went.sum(), ways.conversions.sum()
    told = (met >= FEWEST_EACH) & (n - met >= FEWEST_EACH)
    told &= (n_wins > 0) & (ways.nulls.sum() > 0) & (_rank(met) < MOST_LIFTED)
    estimate, error = np.full(len(met), np.nan), np.full(len(met), np.nan)
    if told.any():
        estimate[told], error[told] = _fitted(ways, np.flatnonzero(told))
    table = pd.DataFrame({"channel": pd.Series(ways.channels, dtype="str")})
    table["lift"], table["lift_low"], table["lift_high"] = _interval(estimate, error, given.level)
    for end in ("", "_low", "_high"):
        table[f"lifted_wins{end}"] = table[f"lift{end}"] * n_wins
    table["verdict"] = np.select(
        [table["lift_low"] > 0, table["lift_high"] < 0], [MORE, FEWER], OPEN
    )
    whole_lift = table["lift"].clip(lower=0).sum()
    for end in ("", "_low", "_high"):
        table[f"lift_share{end}"] = table[f"lift{end}"] / whole_lift if whole_lift > 0 else np.nan
    credit = attribute(_of_wins(ways), model, plan=given.plan)
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
        as_of=given.as_of,
        rows=given.rows,
        units={"lift": "0 to 1", "lifted_wins": "deals", "lift_share": "0 to 1"},
        level=given.level,
        written_caveats=_caveats(ways, told),
        model=credit.model,
        plan=given.plan,
        n_deals=round(n_wins),
        n_journeys=round(n),
    )


def _fitted(ways: CodedPaths, chosen: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Give the lift of the chosen channels, and its standard error."""
    from statsmodels.api import GLM, families
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    touched, wins, losses = _by_set(ways, chosen)
    k = len(chosen)
    design = np.column_stack([np.ones(len(touched)), touched])
    beforehand = np.column_stack([np.zeros(k), np.eye(k)])
    counts = np.vstack([np.column_stack([wins, losses]), np.full((k, 2), _PRIOR)])
    with warnings.catch_warnings():
        # what stands beforehand keeps every coefficient finite, also where the fit is exact
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        model = GLM(counts, np.vstack([design, beforehand]), family=families.Binomial()).fit()
    n, spread = wins + losses, model.cov_params()
    chance = _chance(design @ model.params)
    won = n @ chance
    slope = (n * chance * (1 - chance)) @ design
    estimate, error = np.zeros(k), np.zeros(k)
    for i in range(k):
        without = design.copy()
        without[:, 1 + i] = 0.0
        chance0 = _chance(without @ model.params)
        estimate[i] = 1 - (n @ chance0) / won
        slope0 = (n * chance0 * (1 - chance0)) @ without
        gradient = ((1 - estimate[i]) * slope - slope0) / won
        error[i] = np.sqrt(gradient @ spread @ gradient)
    return estimate, error


def _by_set(ways: CodedPaths, chosen: NDArray[np.int64]) -> tuple[NDArray, Floats, Floats]:
    """Group journeys by which of the chosen channels they touched: one row per set."""
    k = len(ways.channels)
    keeps = np.isin(np.arange(k), chosen)
    pairs = np.unique((ways.path_of * k + ways.codes)[keeps[ways.codes]])
    path, code = np.divmod(pairs, k)
    sets = replace(
        ways,
        codes=code.astype(np.int32),
        offsets=offsets_of(np.bincount(path, minlength=ways.n_paths)),
    ).grouped()
    touched = np.zeros((sets.n_paths, k))
    touched[sets.path_of, sets.codes] = 1.0
    return touched[:, chosen], sets.conversions, sets.nulls


def _interval(estimate: Floats, error: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    from scipy.stats import norm

    reach = norm.ppf(0.5 + level / 2) * error
    return estimate, estimate - reach, np.minimum(estimate + reach, 1.0)


def _of_wins(ways: CodedPaths) -> CodedPaths:
    """Leave value out, so that credit is shares of wins as lift is."""
    return replace(ways, value=np.zeros(ways.n_paths), squares=None)


def _rank(met: Floats) -> NDArray[np.int64]:
    order = np.lexsort((np.arange(len(met)), -met))
    rank = np.empty(len(met), dtype=np.int64)
    rank[order] = np.arange(len(met))
    return rank


def _chance(odds: Floats) -> Floats:
    from scipy.special import expit

    return expit(odds)


def _caveats(ways: CodedPaths, told: NDArray[np.bool_]) -> tuple[str, ...]:
    said = [
        "Lift is an association: who touches a channel may have been nearer to buying before. Its "
        "interval says what another sample of such journeys would show, and nothing of that. A "
        "channel switched off for some buyers, picked at random, would tell more.",
        "A journey that has no win yet counts as one without; and won journeys run on to the "
        "close, so a channel mostly touched late in a sale goes with wins for that alone.",
    ]
    if not ways.nulls.any():
        said.append(
            "No journey without a win is known, so it cannot be told how often journeys are won "
            "with a channel and without it."
        )
    elif not told.all():
        names = [name for name, is_told in zip(ways.channels, told, strict=True) if not is_told]
        said.append(
            f"{_named(names)}: fewer than {FEWEST_EACH} journeys with it or without it, or one of "
            f"many channels that are met least, so its lift cannot be told."
        )
    return tuple(said)


def _named(channels: pd.Series | list[str]) -> str:
    names = list(channels)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _lift(row: pd.Series, company: Company) -> str:
    low, high = (formats.share(row[f"lift_{end}"], company) for end in ("low", "high"))
    return f"{formats.share(row['lift'], company)} {formats.interval(low, high)}"


def _estimate(row: pd.Series, name: str, company: Company) -> str:
    return formats.share_estimate(row, name, company, digits=0)
