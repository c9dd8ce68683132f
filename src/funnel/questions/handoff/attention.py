"""Whether follow-up goes with what came before it: leads sent back, and leads per salesperson."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.plan import Company
from funnel.questions.handoff.times import FEEDBACK, handovers
from funnel.results import Result, formats, rows_of, speaks_for
from funnel.stats import CANNOT_TELL, MOVED, benjamini_hochberg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

LAGS = (0, 1, 2, 3, 4)  # weeks
_FEWEST_WEEKS, _MOST_WEEKS = 30, 104
_FEWEST_LEADS = 5
RETURNED, LOAD = "leads sent back", "leads per salesperson"
_MOST_ALIKE = 0.9
STEP = {RETURNED: 0.1, LOAD: 1.0}  # what a slope is told for: ten points, one lead
PER = {RETURNED: "ten points more leads sent back", LOAD: "one lead more per salesperson"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Attention(Result):
    """How the share followed up in time goes with earlier weeks' returns and loads.

    `table` has one row per line and lag: `line` (`leads sent back`, `leads per salesperson`),
    `lag_weeks`, `n` weeks, `slope` (points of 1 of the share acted on in time, per ten points
    more sent back or per one lead more) with `slope_low`, `slope_high`, `p_adjusted` and
    `verdict`. An association over weeks, both lines in one model.

    `weeks` has one row per week: `week_start`, `n` handed over, `followed_share`,
    `returned_share`, `load`.
    """

    weeks: pd.DataFrame
    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """Both lines in one sentence, by the same rule."""
        if self.table.empty:
            return (
                "Whether follow-up goes with earlier returns or with load cannot be told: "
                f"{formats.number(len(self.weeks), self.company)} weeks can be used, and "
                f"{_FEWEST_WEEKS} are needed."
            )
        says = "; ".join(self._line(line) for line in (RETURNED, LOAD))
        return f"{says[:1].upper()}{says[1:]}."

    def _line(self, line: str) -> str:
        rows = self.table[self.table["line"] == line]
        if rows.empty:
            return f"{line}: not recorded"
        moved = rows[rows["verdict"] == MOVED]
        row = (moved if len(moved) else rows).sort_values("p_adjusted", kind="stable").iloc[0]
        points, low, high = (
            formats.number(100 * row[name], self.company, digits=1, sign=True)
            for name in ("slope", "slope_low", "slope_high")
        )
        when = "the same week" if not row["lag_weeks"] else f"{row['lag_weeks']:g} weeks later"
        says = f"per {PER[line]}, {points} points {formats.interval(low, high)} of follow-up {when}"
        return says if len(moved) else f"{says} (cannot be told from chance)"

    def shown(self) -> pd.DataFrame:
        """Give the slope of both lines by lag, in points."""
        rows = [row for _, row in self.table.iterrows()]
        return pd.DataFrame(
            {
                "line": [f"per {PER[row['line']]}" for row in rows],
                "weeks later": [f"{row['lag_weeks']:g}" for row in rows],
                "follow-up, points": [
                    formats.number_estimate(
                        row, "slope", self.company, times=100, digits=1, sign=True
                    )
                    for row in rows
                ],
                "verdict": [row["verdict"] for row in rows],
                "weeks": [formats.number(row["n"], self.company) for row in rows],
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share followed up in time beside the share sent back, by week."""
        from funnel.questions.handoff import charts

        return charts.attention(self, ax)


def attention(data: Tables) -> Attention:
    """Set follow-up beside the returns and the load of the weeks before it.

    Parameters
    ----------
    data
        A company's tables.

    Notes
    -----
    A week's leads count once all of them are older than their promise (the plan's, by grade; seven
    days without one). Both lines stand in one least-squares model with a trend, one model per lag;
    errors allow for weeks that resemble their neighbours (Newey and West 1987, four weeks).
    All looks are adjusted together. Weeks are not experiments: a slope is an association.

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
    frame = handovers(data)
    return Attention(
        table=table,
        weeks=weeks,
        rows=rows_of("weeks", "leads", frame["lead_id"]),
        units={"slope": "points of 1 of the share acted on in time"},
        **speaks_for(data),
    )


def by_week(data: Tables) -> pd.DataFrame:
    """Give each week's follow-up, returns and load, newest two years, whole weeks only.

    Returns
    -------
    DataFrame
        `week_start`, `n` (leads handed over), `followed_share` (acted on within their promise;
        missing with fewer than five), `returned_share` (of the leads accepted or sent back in
        the week, the share sent back), `load` (leads handed over per salesperson who acted).
    """
    frame = handovers(data)
    zone = data.plan.company.timezone
    promised = frame["grade"].map(dict(data.plan.promise)).astype(float).fillna(7.0)
    frame = frame.assign(
        week=_week(frame["handed_at"], zone),
        in_time=(frame["touch_days"] <= promised).astype(float),
        is_due=frame["watched_days"] >= promised,
    )
    if frame.empty or not frame["touched_at"].notna().any():
        return pd.DataFrame(columns=["week_start", "n", "followed_share", "returned_share", "load"])
    weeks = frame.groupby("week").agg(
        n=("lead_id", "size"), followed_share=("in_time", "mean"), is_due=("is_due", "all")
    )
    weeks["followed_share"] = weeks["followed_share"].where(
        weeks["is_due"] & (weeks["n"] >= _FEWEST_LEADS)
    )
    decided = _decisions(data, frame)
    weeks["returned_share"] = decided.reindex(weeks.index)
    acts = data.activities
    acts = acts[acts["kind"].str.lower().ne(FEEDBACK).fillna(True) & acts["owner"].notna()]
    people = acts["owner"].groupby(_week(acts["occurred_at"], zone)).nunique()
    weeks["load"] = weeks["n"] / people.reindex(weeks.index)
    whole = pd.date_range(weeks.index.min(), weeks.index.max(), freq="7D")[1:]
    weeks = weeks.reindex(whole).tail(_MOST_WEEKS).drop(columns="is_due")
    return weeks.rename_axis("week_start").reset_index()


def _decisions(data: Tables, frame: pd.DataFrame) -> pd.Series:
    """Share sent back among leads decided on, by the week of the decision."""
    names = data.plan.stages
    accepted = names[2] if len(names) > 3 else ""
    back = [name for name in data.plan.exits if name != "lost"]
    moves = data.stage_changes
    moves = moves[moves["stage"].isin([accepted, *back])]
    moves = moves.merge(frame[["lead_id", "handed_at"]], on="lead_id")
    moves = moves[moves["entered_at"] >= moves["handed_at"]]
    first = moves.sort_values("entered_at", kind="stable").drop_duplicates("lead_id")
    is_back = first["stage"].isin(back).astype(float)
    grouped = is_back.groupby(_week(first["entered_at"], data.plan.company.timezone))
    return grouped.mean().where(grouped.size() >= _FEWEST_LEADS)


def _week(moments: pd.Series, zone: str) -> pd.Series:
    local = moments.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    return local - pd.to_timedelta(local.dt.day_of_week, unit="D")


def _slopes(weeks: pd.DataFrame, level: float) -> pd.DataFrame:
    from statsmodels.regression.linear_model import GLSAR

    columns = ["line", "lag_weeks", "n", "slope", "slope_low", "slope_high", "p_adjusted"]
    lines = {RETURNED: weeks["returned_share"], LOAD: weeks["load"]} if len(weeks) else {}
    lines = {
        name: values.astype(float)
        for name, values in lines.items()
        if values.notna().sum() >= _FEWEST_WEEKS and values.std() > 0
    }
    # weeks are compared within their quarter: what came with a season or a new year is no reply
    quarter = weeks["week_start"].dt.to_period("Q").astype("str") if lines else None
    rows, p_values = [], []
    for lag in LAGS if lines else ():
        model = pd.DataFrame({name: values.shift(lag) for name, values in lines.items()})
        model["followed"] = weeks["followed_share"].astype(float)
        model = model.join(pd.get_dummies(quarter, dtype=float))
        model = model.dropna()
        model = model.loc[:, (model != 0).any()]
        if len(model) < _FEWEST_WEEKS or not {*lines} < {*model} or model["followed"].std() == 0:
            continue
        rho = _likeness(model)
        fit = GLSAR(model["followed"], model.drop(columns="followed"), rho=[rho]).fit()
        ends = fit.conf_int(1 - level)
        for name in lines:
            step = STEP[name]
            slope, (low, high) = fit.params[name] * step, ends.loc[name] * step
            rows.append([name, lag, len(model), slope, low, high])
            p_values.append(fit.pvalues[name])
    adjusted = benjamini_hochberg(p_values) if rows else []
    table = pd.DataFrame([[*row, p] for row, p in zip(rows, adjusted, strict=True)],
                         columns=columns)  # fmt: skip
    # half the usual share of chance findings, since weeks are alike in ways no model of them holds
    table["verdict"] = np.where(table["p_adjusted"] <= (1 - level) / 2, MOVED, CANNOT_TELL)
    return table.sort_values(["line", "lag_weeks"], key=_in_order, ignore_index=True)


def _likeness(model: pd.DataFrame) -> float:
    """Correlation of a week with the next, beside what is explained; too low by known amount."""
    from statsmodels.regression.linear_model import OLS

    left = OLS(model["followed"], model.drop(columns="followed")).fit().resid.to_numpy()
    seen = float(left[1:] @ left[:-1] / (left @ left)) if left.any() else 0.0
    n, k = model.drop(columns="followed").shape
    corrected = seen + ((1 + 3 * seen) + (k - 1) * (1 + seen)) / n
    return float(np.clip(corrected, 0.0, _MOST_ALIKE))


def _in_order(column: pd.Series) -> pd.Series:
    return column.map({RETURNED: 0, LOAD: 1}) if column.name == "line" else column
