"""Sharing won business out among channels, with intervals."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnel.attribution.credit import Credit, ModelComparison
from funnel.attribution.models import MODELS, Model, steps_of
from funnel.coverage import is_unknown
from funnel.errors import ParameterError
from funnel.evidence import percentiles, resampled, wilson
from funnel.journeys import NOT_TRACED, Journeys, Paths
from funnel.plan import Plan
from funnel.results import Result

DRAWS = 1000
FEWEST_TO_RESAMPLE = 10
SAME = 1e-9
SIDE_BY_SIDE = ("first_touch", "linear", "position_based", "last_touch")
_CELLS_AT_ONCE = 20_000_000


def attribute(
    journeys: Journeys | Paths | pd.DataFrame,
    model: str | Model = "first_touch",
    *,
    as_of: dt.date | None = None,
    plan: Plan | None = None,
    draws: int = DRAWS,
) -> Credit:
    """Share won business out among the channels on the way to it.

    Touches that cannot be put in order, because they happened at the same moment and have no
    key, share the credit of their places.

    Parameters
    ----------
    journeys
        What `funnel.journeys` or `funnel.paths` made, or a frame with their columns: `deal_id`,
        `position`, `n_touches`, `channel`, `amount`; or `path`, `conversions`, `value`.
    model
        `first_touch`, `last_touch`, `linear`, `position_based` or `time_decay`; or a function
        that gives each touch its weight.
    as_of
        The day that a frame speaks for; the results of `funnel` know theirs.
    plan
        Gives a frame's level, seed and currency; the results of `funnel` know theirs.
    draws
        Bootstrap samples behind the intervals.

    Returns
    -------
    Credit
        One row per channel; together they are all won business.

    Raises
    ------
    ParameterError
        If there is no such model, a column is missing, or a frame comes without `as_of`.

    Notes
    -----
    Intervals are percentiles of a bootstrap over won deals, seeded by the plan. With fewer than
    ten deals, or where a channel has all or nothing, they are Wilson's, for the number of deals of
    equal size that would be as certain (Kish's effective sample size), since resampling a handful
    understates what is not known.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13. Kish (1965), Survey
    Sampling, section 11.7.

    Examples
    --------
    >>> won = pd.DataFrame({"path": ["web > demo", "demo"], "conversions": [3, 1],
    ...                     "value": [300.0, 100.0]})
    >>> credit = attribute(won, "linear", as_of=dt.date(2026, 6, 30))
    >>> credit.table[["channel", "conversions", "value", "share"]].values.tolist()
    [['demo', 2.5, 250.0, 0.625], ['web', 1.5, 150.0, 0.375]]
    """
    name, weigh = _model(model)
    given, is_paths = _given(journeys, as_of, plan)
    steps, units = _from_paths(given.table) if is_paths else _from_journeys(given.table)
    weights = _weights(steps, weigh)
    by_unit = (
        steps.assign(weight=weights).groupby(["deal_id", "channel"])["weight"].sum().reset_index()
    )
    cells = by_unit.merge(units, on="deal_id")
    credited = pd.DataFrame(
        {
            "channel": cells["channel"],
            "conversions": cells["weight"] * cells["conversions"],
            "value": cells["weight"] * cells["value"],
            "n_deals": cells["conversions"],
        }
    )
    table = credited.groupby("channel").sum()
    of_value = bool(units["value"].sum() > 0)
    what = "value" if of_value else "conversions"
    total = units[what].sum()
    table["share"] = table[what] / total if total else np.nan
    table["is_ranked"] = ~(is_unknown(table.index.to_series()) | (table.index == NOT_TRACED))
    table = table.rename_axis("channel").reset_index()
    table = table.sort_values(
        ["is_ranked", "share", "conversions", "channel"], ascending=[False, False, False, True]
    ).reset_index(drop=True)
    replicates = _replicates(by_unit, units, table["channel"], what, given.plan.seed, draws)
    low, high = _intervals(table["share"].to_numpy(), replicates, units, what, given.level)
    table["share_low"], table["share_high"] = low, high
    return Credit(
        table=table[
            [
                "channel", "conversions", "value", "share", "share_low", "share_high", "n_deals",
                "is_ranked",
            ]
        ],
        as_of=given.as_of,
        rows=_rows(by_unit) if not is_paths else given.rows,
        units={"value": given.plan.company.currency, "share": "0 to 1", "conversions": "deals"},
        level=given.level,
        caveats=(*given.caveats, *_caveats(table, of_value, len(units))),
        model=name,
        n_deals=int(units["conversions"].sum()),
        plan=given.plan,
        of_value=of_value,
        is_ahead=_is_ahead(table, replicates, len(units), given.level),
    )  # fmt: skip


def compare_models(
    journeys: Journeys | Paths | pd.DataFrame,
    models: Sequence[str] = SIDE_BY_SIDE,
    *,
    as_of: dt.date | None = None,
    plan: Plan | None = None,
) -> ModelComparison:
    """Share the same won business out under several models, side by side.

    Parameters
    ----------
    journeys, as_of, plan
        As in `attribute`.
    models
        Names of models, the one that sets the order first.

    Returns
    -------
    ModelComparison
        One row per channel and model.

    Raises
    ------
    ParameterError
        If a model is unknown, or none is named.

    Examples
    --------
    >>> won = pd.DataFrame({"path": ["web > demo"], "conversions": [20], "value": [900.0]})
    >>> compared = compare_models(won, ["first_touch", "last_touch"], as_of=dt.date(2026, 6, 30))
    >>> compared.table[["channel", "model", "share"]].values.tolist()[:2]
    [['web', 'first_touch', 1.0], ['web', 'last_touch', 0.0]]
    """
    if not models:
        raise ParameterError(f"compare_models: name one or more of {', '.join(MODELS)}.")
    credits_ = tuple(attribute(journeys, model, as_of=as_of, plan=plan) for model in models)
    table = pd.concat(
        [credit.table.assign(model=credit.model) for credit in credits_], ignore_index=True
    )
    by_channel = table.groupby("channel")["share"]
    table["spread"] = by_channel.transform("max") - by_channel.transform("min")
    order = {channel: i for i, channel in enumerate(credits_[0].table["channel"])}
    place = {credit.model: i for i, credit in enumerate(credits_)}
    table = table.sort_values(
        ["channel", "model"], key=lambda column: column.map(order if column.name == "channel"
                                                            else place),
    )  # fmt: skip
    first = credits_[0]
    columns = ["channel", "model", *[c for c in table if c not in ("channel", "model")]]
    return ModelComparison(
        table=table[columns].reset_index(drop=True),
        as_of=first.as_of,
        rows=first.rows,
        units={**first.units, "spread": "0 to 1"},
        level=first.level,
        caveats=first.caveats,
        credits=credits_,
    )


def _model(model: str | Model) -> tuple[str, Model]:
    if callable(model):
        return getattr(model, "__name__", "own model"), model
    if model not in MODELS:
        raise ParameterError(f"There is no model {model!r}; there are {', '.join(MODELS)}.")
    return model, MODELS[model]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Given(Result):
    """A caller's own frame, with what a result of the package would know."""

    plan: Plan

    @property
    def headline(self) -> str:
        return ""


def _given(
    journeys: Journeys | Paths | pd.DataFrame, as_of: dt.date | None, plan: Plan | None
) -> tuple[Journeys | Paths | _Given, bool]:
    if isinstance(journeys, Journeys | Paths):
        return journeys, isinstance(journeys, Paths)
    if as_of is None:
        raise ParameterError("attribute: a frame needs `as_of`, the last day it speaks for.")
    plan = plan or Plan()
    is_paths = "path" in journeys
    needed = (
        ("path", "conversions") if is_paths else ("deal_id", "position", "n_touches", "channel")
    )
    missing = [column for column in needed if column not in journeys]
    if missing:
        raise ParameterError(
            f"attribute: the frame has no column {', '.join(f'`{name}`' for name in missing)}; "
            "journeys hold one row per touch and paths one row per path."
        )
    return _Given(table=journeys, as_of=as_of, level=plan.level, plan=plan), is_paths


def _from_journeys(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    amount = table["amount"] if "amount" in table else pd.Series(0.0, index=table.index)
    units = (
        table.assign(value=amount.fillna(0.0), conversions=1)
        .drop_duplicates("deal_id")[["deal_id", "conversions", "value"]]
        .reset_index(drop=True)
    )
    return table, units


def _from_paths(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    value = table.get("value", 0.0)
    won = table.assign(value=value).groupby("path", as_index=False)[["conversions", "value"]].sum()
    won = won[won["conversions"] > 0].reset_index(drop=True)
    steps = steps_of(won["path"].tolist())
    is_untraced = steps["channel"] == NOT_TRACED
    steps["position"] = steps["position"].mask(is_untraced, 0)
    units = pd.DataFrame(
        {
            "deal_id": won.index,
            "conversions": won["conversions"],
            # the model shares out what one won deal on the path is worth on average
            "value": won["value"],
        }
    )
    return steps, units


def _weights(steps: pd.DataFrame, weigh: Model) -> pd.Series:
    """One weight a row; a deal that cannot be traced is its own single step."""
    traced = steps[steps["position"] > 0]
    weights = pd.Series(1.0, index=steps.index)
    if len(traced):
        weight = weigh(traced)
        if "moment" in traced:
            weight = weight.groupby([traced["deal_id"], traced["moment"]]).transform("mean")
        weights.loc[traced.index] = weight
    return weights


def _replicates(
    by_unit: pd.DataFrame, units: pd.DataFrame, channels: pd.Series, what: str, seed: int,
    draws: int,
) -> np.ndarray:  # fmt: skip
    """Shares of each channel (columns) in bootstrap samples of won deals (rows)."""
    row = pd.Index(units["deal_id"]).get_indexer(by_unit["deal_id"])
    column = pd.Index(channels).get_indexer(by_unit["channel"])
    weight = np.zeros((len(units), len(channels)))
    np.add.at(weight, (row, column), by_unit["weight"].to_numpy())
    counts = units["conversions"].to_numpy(dtype="float64")
    each = units[what].to_numpy(dtype="float64") / np.maximum(counts, 1)
    if not counts.sum():
        return np.full((1, len(channels)), np.nan)
    at_once = max(1, min(draws, _CELLS_AT_ONCE // max(len(units), 1)))
    blocks = []
    for start in range(0, draws, at_once):
        drawn = resampled(counts, min(at_once, draws - start), seed + start) * each
        total = drawn.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            blocks.append(np.where(total > 0, (drawn @ weight) / total, np.nan))
    return np.concatenate(blocks)


def _intervals(
    share: np.ndarray, replicates: np.ndarray, units: pd.DataFrame, what: str, level: float
) -> tuple[np.ndarray, np.ndarray]:
    sizes = units[what].to_numpy(dtype="float64")
    squares = float((sizes**2).sum())
    effective = float(sizes.sum()) ** 2 / squares if squares else 0.0
    low, high = wilson(np.clip(share, 0, 1) * effective, effective, level)
    if units["conversions"].sum() < FEWEST_TO_RESAMPLE:
        return low, high
    drawn_low, drawn_high = percentiles(replicates, level)
    # a channel with all or nothing has the same share in every sample
    varies = drawn_high - drawn_low > SAME
    return np.where(varies, drawn_low, low), np.where(varies, drawn_high, high)


def _is_ahead(
    table: pd.DataFrame, replicates: np.ndarray, n_units: int, level: float
) -> bool:  # fmt: skip
    if table["is_ranked"].sum() < 2 or n_units < FEWEST_TO_RESAMPLE:
        return False
    low, _ = percentiles(replicates[:, 0] - replicates[:, 1], level)
    return bool(low > 0)


def _rows(by_unit: pd.DataFrame) -> pd.DataFrame:
    credited = by_unit[by_unit["weight"] > 0]
    return pd.DataFrame(
        {
            "figure": credited["channel"].astype("str"),
            "table": pd.Series("deals", index=credited.index, dtype="str"),
            "id": credited["deal_id"].astype("str"),
        }
    ).reset_index(drop=True)


def _caveats(table: pd.DataFrame, of_value: bool, n: int) -> tuple[str, ...]:
    said = ["Credit follows how often a channel was touched. It is no measure of its effect."]
    if n and not of_value:
        said.append("Won deals carry no value in sum, so shares are of won deals.")
    unknown = table[~table["is_ranked"] & (table["channel"] != NOT_TRACED)]
    if len(unknown):
        names = ", ".join(unknown["channel"].fillna("(blank)"))
        said.append(f"{names}: no channel is known there, so it is kept and not ranked.")
    return tuple(said)
