"""Weekly follow-up, and its association with leads sent back and leads per salesperson."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.questions.handoff.response_times import handed_leads, sales_actions
from funnel.results import Result, rows_of, speaks_for
from funnel.stats import CANNOT_TELL, MOVED, benjamini_hochberg

if TYPE_CHECKING:
    from funnel.dataset import Tables

LAGS = (0, 1, 2, 3, 4)  # weeks
FEWEST_WEEKS, _MOST_WEEKS = 30, 104
_FEWEST_LEADS = 5  # of a week, below which it has no share
_USUAL_SLA = 7.0  # days, of leads whose grade has none in the plan
RETURNED, LOAD = "leads sent back", "leads per salesperson"
_MOST_AUTOCORRELATION = 0.9
_STEP = {RETURNED: 0.1, LOAD: 1.0}  # what a slope is given for: ten points, one lead


@dataclass(frozen=True, eq=False, kw_only=True)
class Attention(Result):
    """Association of follow-up within the SLA with returned leads and load of earlier weeks.

    `table` has one row per line and lag: `line` (`leads sent back`, `leads per salesperson`),
    `lag_weeks`, `n` weeks, `slope` (points of 1 of the share acted on within the SLA, per ten
    points more sent back or per one lead more) with `slope_low`, `slope_high`, `p_adjusted` and
    `verdict`. Both lines are in one model of weeks.

    `weeks` has one row per week: `week_start`, `n` handed over, `followed_share`,
    `returned_share`, `load`.
    """

    weeks: pd.DataFrame


def attention(data: Tables) -> Attention:
    """Association of weekly follow-up with returned leads and load of the weeks before.

    Notes
    -----
    A week counts once all of its leads are older than their SLA (the plan's, by grade; seven
    days without one). Both lines are in one regression with a level for each quarter, one model
    per lag. Its errors are correlated from one week to the next (feasible least squares). The
    tests of all lags are adjusted together. Weeks are not experiments: a slope is an association.

    References
    ----------
    Cochrane and Orcutt (1949), J. Am. Stat. Assoc. 44, 32-61; Benjamini and Hochberg (1995), J.
    R. Stat. Soc. B 57, 289-300.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> attention(Tables.of(leads=leads, as_of="2026-06-30")).table.empty
    True
    """
    weeks = by_week(data)
    table = _slopes(weeks, data.plan.level)
    frame = handed_leads(data).frame
    return Attention(
        table=table,
        weeks=weeks,
        rows=rows_of("weeks", "leads", frame["lead_id"]),
        units={"slope": "points of 1 of the share acted on within the SLA"},
        **speaks_for(data),
    )


def by_week(data: Tables) -> pd.DataFrame:
    """Follow-up, returned leads and load of each whole week, newest two years.

    Returns
    -------
    DataFrame
        `week_start`, `n` (leads handed over), `followed_share` (acted on within their SLA;
        missing with fewer than five), `returned_share` (of the leads accepted or sent back in
        the week, the share sent back), `load` (leads handed over per salesperson who acted).
    """
    frame = handed_leads(data).frame
    sla_days = frame["grade"].map(dict(data.plan.promise)).astype(float).fillna(_USUAL_SLA)
    frame = frame.assign(
        week=_week(data, frame["handed_at"]),
        in_time=(frame["response_days"] <= sla_days).astype(float),
        is_due=frame["followed_days"] >= sla_days,
    )
    if frame.empty or not frame["responded_at"].notna().any():
        return pd.DataFrame(columns=["week_start", "n", "followed_share", "returned_share", "load"])
    weeks = frame.groupby("week").agg(
        n=("lead_id", "size"), followed_share=("in_time", "mean"), is_due=("is_due", "all")
    )
    weeks["followed_share"] = weeks["followed_share"].where(
        weeks["is_due"] & (weeks["n"] >= _FEWEST_LEADS)
    )
    decided = _decisions(data, frame)
    weeks["returned_share"] = decided.reindex(weeks.index)
    acts = sales_actions(data).dropna(subset="owner")
    people = acts["owner"].groupby(_week(data, acts["occurred_at"])).nunique()
    weeks["load"] = weeks["n"] / people.reindex(weeks.index)
    whole = pd.date_range(weeks.index.min(), weeks.index.max(), freq="7D")[1:]
    weeks = weeks.reindex(whole).tail(_MOST_WEEKS).drop(columns="is_due")
    return weeks.rename_axis("week_start").reset_index()


def _decisions(data: Tables, frame: pd.DataFrame) -> pd.Series:
    """Share sent back of the leads accepted or sent back, by the week of that decision."""
    names = data.plan.stages
    accepted = names[2] if len(names) > 3 else ""
    back = [name for name in data.plan.exits if name != "lost"]
    moves = data.stage_changes
    moves = moves[moves["stage"].isin([accepted, *back])]
    moves = moves.merge(frame[["lead_id", "handed_at"]], on="lead_id")
    moves = moves[moves["entered_at"] >= moves["handed_at"]]
    first = moves.sort_values("entered_at", kind="stable").drop_duplicates("lead_id")
    is_back = first["stage"].isin(back).astype(float)
    grouped = is_back.groupby(_week(data, first["entered_at"]))
    return grouped.mean().where(grouped.size() >= _FEWEST_LEADS)


def _week(data: Tables, times: pd.Series) -> pd.Series:
    day = data.plan.local_days(times)
    return day - pd.to_timedelta(day.dt.day_of_week, unit="D")


def _slopes(weeks: pd.DataFrame, level: float) -> pd.DataFrame:
    from statsmodels.regression.linear_model import GLSAR

    columns = ["line", "lag_weeks", "n", "slope", "slope_low", "slope_high", "p_adjusted"]
    lines = {RETURNED: weeks["returned_share"], LOAD: weeks["load"]} if len(weeks) else {}
    lines = {
        name: values.astype(float)
        for name, values in lines.items()
        if values.notna().sum() >= FEWEST_WEEKS and values.std() > 0
    }
    # weeks are compared within their quarter: a season or a new year is no reply to anything
    quarter = weeks["week_start"].dt.to_period("Q").astype("str") if lines else None
    rows, p_values = [], []
    for lag in LAGS if lines else ():
        model = pd.DataFrame({name: values.shift(lag) for name, values in lines.items()})
        model["followed"] = weeks["followed_share"].astype(float)
        model = model.join(pd.get_dummies(quarter, dtype=float))
        model = model.dropna()
        model = model.loc[:, (model != 0).any()]
        if len(model) < FEWEST_WEEKS or not {*lines} < {*model} or model["followed"].std() == 0:
            continue
        rho = _autocorrelation(model)
        fit = GLSAR(model["followed"], model.drop(columns="followed"), rho=[rho]).fit()
        ends = fit.conf_int(1 - level)
        for name in lines:
            step = _STEP[name]
            slope, (low, high) = fit.params[name] * step, ends.loc[name] * step
            rows.append([name, lag, len(model), slope, low, high])
            p_values.append(fit.pvalues[name])
    adjusted = benjamini_hochberg(p_values) if rows else []
    table = pd.DataFrame([[*row, p] for row, p in zip(rows, adjusted, strict=True)],
                         columns=columns)  # fmt: skip
    # half the usual false discovery rate: weeks are correlated in ways that no model captures
    table["verdict"] = np.where(table["p_adjusted"] <= (1 - level) / 2, MOVED, CANNOT_TELL)
    return table.sort_values(["line", "lag_weeks"], key=_in_order, ignore_index=True)


def _autocorrelation(model: pd.DataFrame) -> float:
    """Autocorrelation of the residuals at lag one, with its bias in short series removed."""
    from statsmodels.regression.linear_model import OLS

    residual = OLS(model["followed"], model.drop(columns="followed")).fit().resid.to_numpy()
    seen = float(residual[1:] @ residual[:-1] / (residual @ residual)) if residual.any() else 0.0
    n, k = model.drop(columns="followed").shape
    corrected = seen + ((1 + 3 * seen) + (k - 1) * (1 + seen)) / n
    return float(np.clip(corrected, 0.0, _MOST_AUTOCORRELATION))


def _in_order(column: pd.Series) -> pd.Series:
    return column.map({RETURNED: 0, LOAD: 1}) if column.name == "line" else column
