"""Points of the score that each behaviour earns, and how many it is worth in wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks import is_unknown
from funnel.contract.labels import EVERYBODY
from funnel.dataset.cache import cached
from funnel.methods.qualification import (
    HandoffStages,
    Missing,
    handoff_stages,
    leads_with_handoff,
    mature_leads,
)
from funnel.methods.qualification import touch_counts as counts_of
from funnel.methods.qualification.leads import CREATION, HANDOFF
from funnel.questions.definition.columns import CRITERIA, MOST_KINDS, is_number
from funnel.questions.definition.leakage import LEAKS, Leakage, leakage
from funnel.results import Result, no_rows, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups
from funnel.stats import benjamini_hochberg, difference
from funnel.stats.limits import FALSE_DISCOVERIES

if TYPE_CHECKING:
    from funnel.dataset import Tables

Floats = NDArray[np.float64]
OVER, UNDER, ABOUT, CANNOT_TELL = "earns more", "earns less", "about right", "cannot tell"
NO_SCORE, NO_KINDS = "no score", "no kinds"
NO_BEHAVIOUR, FEW_SCORED_WON, NO_SLOPE = "no behaviour", "few won with a score", "no slope"
_FEWEST_WON = 40
_FEWEST_WITH = 30
_MOST_VALUES = 12
_CLOSE = 0.1  # of the score's standard deviation: points within that are about right
_PRIOR = 2.5  # sd of a log-odds that is likely beforehand; keeps rare ones finite


@dataclass(frozen=True, eq=False, kw_only=True)
class Points(Result):
    """Points of the score that each behaviour earns, and the points that its wins are worth.

    `table` has one row per kind of touch: `behaviour`, `n` mature leads handed over that show it,
    `n_won` of these; `points` (what the score gives for it, adjusted for the rest) with
    `points_low`, `points_high`; `worth` (points associated with as many more wins) with
    `worth_low`, `worth_high`; `difference` (points less worth) with `difference_low`,
    `difference_high`, `q_value`, `verdict`.

    `explained` is the share of the score's variance that recorded columns account for, `until` the
    time up to which touches count (`creation` or `hand-off`). `leaks` holds the score where it is
    excluded.
    """

    grouped = (SmallGroups(by=("behaviour",), counts={"n": (), "n_won": ("n_won",)}),)

    handoff: HandoffStages
    explained: float = float("nan")
    until: str = CREATION
    leaks: tuple[Leakage, ...] = ()
    missing: Missing | None = None


def points(data: Tables) -> Points:
    """Points of the score that each behaviour earns, and how many it is worth in wins.

    Parameters
    ----------
    data
        The dataset, with `score` of leads and `kind` of touches.

    Notes
    -----
    The points of a behaviour are its coefficient in a linear regression of the score on behaviours
    and attributes, over all leads of an age to have been handed over. A behaviour is any touch of
    the kind by the lead's creation, or by the hand-off where most touches come after the creation.
    Its worth is its coefficient in a logistic regression of the win on the same, over leads handed
    over and mature, divided by the log-odds per point of the score. Both are associations. The rest
    of the score may hold behaviours that are not recorded.

    References
    ----------
    Gelman, Jakulin, Pittau and Su (2008), Ann. Applied Statistics 2, 1360-1383, for the weak prior
    that keeps coefficients of rare behaviours finite (normal here, sd 2.5).
    """
    missing, leaks = _missing(data)
    table, explained, slope = pd.DataFrame(columns=_COLUMNS), np.nan, np.nan
    worked = mature_leads(data).worked
    if missing is None:
        worked = _scored(data, worked)
        names = _behaviours(data, worked)
        if not names:
            missing = Missing(NO_BEHAVIOUR)
        elif worked["won"].sum() < _FEWEST_WON:
            missing = Missing(FEW_SCORED_WON, n=int(worked["won"].sum()))
    if missing is None:
        everybody = _scored(data, leads_with_handoff(data))
        table, explained, slope = _estimates(data, everybody, worked, names)
        if not slope > 0:
            missing, table = Missing(NO_SLOPE), table.iloc[:0]
    return Points(
        table=table,
        rows=rows_of(EVERYBODY, "leads", worked["lead_id"]) if missing is None else no_rows(),
        units={"points": "points of the score", "worth": "points of the score"},
        handoff=handoff_stages(data),
        explained=explained,
        until=_until(data) if missing is None else CREATION,
        leaks=leaks,
        missing=missing,
        **speaks_for(data),
    )


_COLUMNS = [
    *("behaviour", "n", "n_won", "points", "points_low", "points_high"),
    *("worth", "worth_low", "worth_high", "difference", "difference_low", "difference_high"),
    *("q_value", "verdict"),
]


def _missing(data: Tables) -> tuple[Missing | None, tuple[Leakage, ...]]:
    if data.leads.empty or not data.has("leads", "score"):
        return Missing(NO_SCORE), ()
    if not data.has("touches", "lead_id", "kind"):
        return Missing(NO_KINDS), ()
    if mature_leads(data).missing:
        return mature_leads(data).missing, ()
    leaks = tuple(each for each in leakage(data) if each.column == "score")
    return Missing(LEAKS, name="score") if leaks else None, leaks


def _scored(data: Tables, leads: pd.DataFrame) -> pd.DataFrame:
    score = data.leads["score"].loc[leads.index].to_numpy(float)
    handoff = handoff_stages(data)
    mature = leads["age_days"] >= (handoff.usual_days if handoff.is_known else 0)
    return leads.assign(score=score)[~np.isnan(score) & mature.to_numpy(bool)]


def _behaviours(data: Tables, worked: pd.DataFrame) -> list[str]:
    """Kinds of touch that some of the leads show, and some do not."""
    shown = _has_behaviour(data, worked)
    n = shown.sum()
    names = n[(n >= _FEWEST_WITH) & (len(worked) - n >= _FEWEST_WITH)]
    return sorted(names.sort_values(ascending=False).index[:MOST_KINDS])


def _until(data: Tables) -> str:
    """Time up to which behaviours count; both regressions need the same one for all leads.

    It is the creation, where most of the touches known by the hand-off lie before it: a lead that
    waits long for its hand-off, as leads of low score do, then has no more of them. Otherwise it is
    the hand-off.
    """
    before, all_known = (
        float(counts_of(data, until)["n_touches"].sum()) for until in (CREATION, HANDOFF)
    )
    return CREATION if before >= all_known / 2 else HANDOFF


def _has_behaviour(data: Tables, leads: pd.DataFrame) -> pd.DataFrame:
    return _shown(data, _until(data)).loc[leads.index]


@cached
def _shown(data: Tables, until: str) -> pd.DataFrame:
    """Which behaviours each lead shows, 1 or 0, in the order of leads."""
    counts = counts_of(data, until).set_index("lead_id").drop(columns="n_touches")
    counts = counts.reindex(data.leads["lead_id"]).reset_index(drop=True)
    return counts.fillna(0.0).gt(0).astype(float)


def _features(data: Tables, leads: pd.DataFrame, names: list[str]) -> Floats:
    """Behaviours first, then attributes as controls, centred."""
    columns = [_has_behaviour(data, leads)[names].to_numpy(float)]
    leaks = {each.column for each in leakage(data)}
    for name in (*CRITERIA, "channel"):
        if name in leaks:
            continue
        cells = data.leads[name].loc[leads.index]
        unknown = is_unknown(cells).to_numpy(bool)
        if unknown.all():
            continue
        if is_number(data, name):
            value = np.log1p(np.clip(cells.to_numpy(float), 0, None))
            filled = np.where(unknown, np.nanmean(value[~unknown]), value)
            columns += [filled[:, None], unknown[:, None].astype(float)]
        else:
            words = cells.astype("str").where(~unknown, "")
            common = words.value_counts().index[1:_MOST_VALUES]
            columns.append(
                np.stack([(words == word).to_numpy(float) for word in common], axis=1)
                if len(common)
                else np.zeros((len(words), 0))
            )
    features = np.column_stack(columns)
    features = features - features.mean(axis=0)
    return features[:, [*range(len(names)), *_varying(features, len(names))]]


def _varying(features: Floats, first: int) -> list[int]:
    """Columns after the first ones that vary and do not depend linearly on those before."""
    rest = features.T @ features  # what those kept do not explain of each
    own, kept = rest.diagonal().copy(), []
    for at in range(features.shape[1]):
        if own[at] > 1e-9 and rest[at, at] > 1e-8 * own[at]:
            kept.append(at)
            rest = rest - np.outer(rest[at], rest[at]) / rest[at, at]
    return [at for at in kept if at >= first]


def _estimates(
    data: Tables, everybody: pd.DataFrame, worked: pd.DataFrame, names: list[str]
) -> tuple[pd.DataFrame, float, float]:
    from scipy.special import ndtri
    from scipy.stats import norm

    z = float(ndtri((1 + data.plan.level) / 2))
    earned, earned_error, explained = linear(
        _features(data, everybody, names), everybody["score"].to_numpy(float)
    )
    won = worked["won"].to_numpy(bool)
    odds, odds_error = logistic(_features(data, worked, names), won)
    score = worked["score"].to_numpy(float)
    slope, slope_error = logistic((score - score.mean())[:, None], won)
    slope, slope_error = float(slope[0]), float(slope_error[0])
    shown = _has_behaviour(data, worked)[names]
    table = pd.DataFrame({"behaviour": [name.removeprefix("n_") for name in names]})
    table["n"] = shown.sum().to_numpy(int)
    table["n_won"] = shown[won].sum().to_numpy(int)
    if not slope > z * slope_error:
        return table.reindex(columns=_COLUMNS), explained, float("nan")
    k = len(names)
    worth = odds[:k] / slope
    # standard error of a ratio of two independent figures, by the delta method
    worth_error = np.hypot(odds_error[:k], worth * slope_error) / slope
    for name, value, error in (
        ("points", earned[:k], earned_error[:k]),
        ("worth", worth, worth_error),
    ):
        table[name], table[f"{name}_low"], table[f"{name}_high"] = (
            value,
            value - z * error,
            value + z * error,
        )
    table["difference"] = table["points"] - table["worth"]
    low, high = difference(
        *(table[f"points{end}"] for end in ("", "_low", "_high")),
        *(table[f"worth{end}"] for end in ("", "_low", "_high")),
    )
    table["difference_low"], table["difference_high"] = low, high
    error = np.hypot(earned_error[:k], worth_error)
    table["q_value"] = benjamini_hochberg(2 * norm.sf(np.abs(table["difference"]) / error))
    close = _CLOSE * score.std()
    table["verdict"] = [_verdict(row, close) for _, row in table.iterrows()]
    return table[_COLUMNS], explained, slope


def _verdict(row: pd.Series, close: float) -> str:
    if row["q_value"] < FALSE_DISCOVERIES:
        return OVER if row["difference"] > 0 else UNDER
    is_close = max(-row["difference_low"], row["difference_high"]) <= close
    return ABOUT if is_close else CANNOT_TELL


def linear(features: Floats, values: Floats) -> tuple[Floats, Floats, float]:
    """Least-squares coefficients, their robust standard errors (HC1), and the share explained.

    References
    ----------
    White (1980), Econometrica 48, 817-838.

    Examples
    --------
    >>> x = np.array([[-1.0], [0.0], [1.0]])
    >>> beta, error, share = linear(x, np.array([2.0, 4.0, 6.0]))
    >>> round(float(beta[0]), 6), round(share, 6)
    (2.0, 1.0)
    """
    design = np.column_stack([np.ones(len(values)), features])
    gram = design.T @ design
    inverse, rank = np.linalg.pinv(gram, hermitian=True), np.linalg.matrix_rank(gram)
    beta = inverse @ (design.T @ values)
    residual = values - design @ beta
    squares = (design * residual[:, None] ** 2).T @ design
    scale = len(values) / (len(values) - rank)
    error = np.sqrt(scale * np.diag(inverse @ squares @ inverse))
    return beta[1:], error[1:], float(1 - residual @ residual / values.var() / len(values))


def logistic(features: Floats, won: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Logistic coefficients and their standard errors, with a normal prior (mean 0, sd 2.5).

    Examples
    --------
    >>> beta, error = logistic(np.repeat([[-0.5], [0.5]], 200, axis=0),
    ...                        np.r_[np.arange(200) < 50, np.arange(200) < 100])
    >>> round(float(beta[0]), 1), round(float(error[0]), 1)
    (1.1, 0.2)
    """
    spread = features.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(won)), features / spread])
    # the prior is that of a column with a standard deviation of a half, as in the source
    penalty = np.r_[0.0, np.full(features.shape[1], 1 / (2 * _PRIOR) ** 2)]
    beta = np.zeros(design.shape[1])
    beta[0] = np.log((won.mean() + 1e-9) / (1 - won.mean() + 1e-9))
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        gradient = design.T @ (won - chance) - penalty * beta
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(penalty + 1e-9)
        step = np.linalg.solve(curvature, gradient)
        beta = beta + step / max(1.0, float(np.abs(step).max()) / 5)
        if np.abs(step).max() < 1e-8:
            break
    error = np.sqrt(np.diag(np.linalg.inv(curvature)))
    return beta[1:] / spread, error[1:] / spread
