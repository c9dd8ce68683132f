"""Leads that were put back to be nurtured: how many wait, how long, and how many come back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.plan import Company
from funnel.dataset import stages
from funnel.questions.handoff.share_by_time import share_by
from funnel.questions.handoff.times import DAY, EVERYBODY, NOT_GRADED, by_grade
from funnel.results import Result, formats, rows_of, speaks_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.dataset import Tables

RECYCLED = "recycled"
_BY_DAYS = (90.0, 180.0, 365.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Nurture(Result):
    """The pool of recycled leads, each counted once, at its first recycling.

    `table` has one row per grade (and `all`) and `by_days`: `grade`, `n_recycled`, `n_waiting`
    (still there), `median_age_days` of those, `by_days`, and of all recycled leads the share that
    came back by then, `returned` with `returned_low`, `returned_high` and `n_followed`, and the
    share that was won, `won` with `won_low`, `won_high`; `won_amount` of those that came back
    (currency, so far).
    """

    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """The pool's size and age, and how many come back within a year."""
        rows = self.table[self.table["grade"] == EVERYBODY]
        if rows.empty or not rows["n_recycled"].iloc[0]:
            return "No recycled lead is recorded, so the pool to nurture cannot be told."
        row = rows.iloc[-1]
        waiting = formats.number(row["n_waiting"], self.company)
        says = f"{waiting} recycled leads wait"
        if not np.isnan(row["median_age_days"]):
            age = formats.number(row["median_age_days"], self.company)
            says += f", half of them for more than {age} days"
        known = rows.dropna(subset="returned")
        if known.empty:
            return f"{says}; whether they come back cannot be told yet."
        row = known.iloc[-1]
        back, low, high = (
            formats.share(row[f"returned{end}"], self.company, digits=1)
            for end in ("", "_low", "_high")
        )
        n = formats.number(row["n_recycled"], self.company)
        return (
            f"{says}; of {n} ever recycled, {back} {formats.interval(low, high)} came back within "
            f"{row['by_days']:g} days."
        )

    def shown(self) -> pd.DataFrame:
        """Give the pool by grade, and what came of it by the longest time that is known."""
        known = self.table.dropna(subset="returned")
        last = known["by_days"].max() if len(known) else np.nan
        rows = self.table[self.table["by_days"] == last] if len(known) else self.table.iloc[:0]
        each = [row for _, row in rows.iterrows()]
        return pd.DataFrame(
            {
                "grade": rows["grade"].to_numpy(),
                "waiting": [formats.number(row["n_waiting"], self.company) for row in each],
                "median age, days": [
                    formats.number(row["median_age_days"], self.company) for row in each
                ],
                f"back by day {last:g}": [
                    formats.share_estimate(row, "returned", self.company, of="n_followed")
                    for row in each
                ],
                f"won by day {last:g}": [
                    formats.share_estimate(row, "won", self.company) for row in each
                ],
                "won so far": [formats.money(row["won_amount"], self.company) for row in each],
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the share that comes back, by days since the recycling."""
        from funnel.questions.handoff import charts

        return charts.nurture(self, ax)


def nurture_pool(data: Tables) -> Nurture:
    """Say how many recycled leads wait, how long, and how many come back and are won.

    Parameters
    ----------
    data
        A company's tables.

    Notes
    -----
    A lead counts once, from its first recycling, however often it was recycled. It comes back with
    the first entry into any stage but the first after that. Those that have not are followed to the
    end of the data (Kaplan-Meier).

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-05-05"]})
    >>> nurture_pool(Tables.of(leads=leads, as_of="2026-06-30")).headline
    'No recycled lead is recorded, so the pool to nurture cannot be told.'
    """
    pool = recycled(data)
    rows = []
    for grade, here in by_grade(pool):
        rows += _rows_of(here, grade, data.plan.level)
    return Nurture(
        table=pd.DataFrame(rows),
        rows=rows_of("recycled", "leads", pool["lead_id"]),
        units={"median_age_days": "days", "won_amount": data.plan.company.currency},
        written_caveats=(
            "What came back was chosen by somebody: it does not say what the others would do.",
        )
        if len(pool)
        else (),
        **speaks_for(data),
    )


def recycled(data: Tables) -> pd.DataFrame:
    """Give each lead that was ever recycled once, with what came after.

    Returns
    -------
    DataFrame
        `lead_id`, `grade`, `recycled_at` (first), `return_days`, `won_days` (missing: not yet),
        `watched_days`, `is_waiting`, `waiting_days` since the last recycling, `won_amount`.
    """
    moves = data.stage_changes
    is_back = moves["stage"].eq(RECYCLED).fillna(False)
    first = moves[is_back].groupby("lead_id")["entered_at"].min()
    pool = data.leads[["lead_id", "grade"]]
    pool = pool.assign(recycled_at=_of(first, pool["lead_id"])).dropna(subset="recycled_at")
    pool["grade"] = pool["grade"].fillna(NOT_GRADED).astype("str")
    pool = pool.set_index("lead_id")
    later = moves.assign(recycled_at=_of(pool["recycled_at"], moves["lead_id"]))
    later = later[later["entered_at"] > later["recycled_at"]]
    onward = later[later["stage"].isin(data.plan.stages[1:])]
    back = onward.groupby("lead_id")["entered_at"].min().reindex(pool.index)
    last = moves[moves["lead_id"].isin(pool.index)].sort_values("entered_at", kind="stable")
    last = last.drop_duplicates("lead_id", keep="last").set_index("lead_id").reindex(pool.index)
    reached = stages.reached(data).set_index("lead_id").reindex(pool.index)
    won_at = reached[f"{stages.won_stage(data.plan.stages)}_at"]
    won_at = won_at.where(won_at > pool["recycled_at"])
    end = pd.Timestamp(data.plan.midnight(data.as_of + dt.timedelta(days=1)))
    back = back.fillna(won_at)
    back = back.where(~(won_at < back), won_at)  # a win is a return, where no stage says so
    pool["return_days"] = _days(back - pool["recycled_at"])
    pool["won_days"] = _days(won_at - pool["recycled_at"])
    pool["watched_days"] = _days(end - pool["recycled_at"])
    pool["is_waiting"] = last["stage"].eq(RECYCLED).fillna(False)
    pool["waiting_days"] = _days(end - last["entered_at"]).where(pool["is_waiting"])
    pool["won_amount"] = reached["amount"].where(won_at.notna(), 0.0).fillna(0.0)
    return pool.reset_index()


def _rows_of(pool: pd.DataFrame, grade: str, level: float) -> list[dict[str, object]]:
    waiting = pool[pool["is_waiting"].astype(bool)] if len(pool) else pool
    rows = []
    for days in _BY_DAYS:
        back, back_low, back_high, n = share_by(
            pool["return_days"], pool["watched_days"], days, level
        )
        won, won_low, won_high, _ = share_by(pool["won_days"], pool["watched_days"], days, level)
        rows.append(
            {
                "grade": grade,
                "n_recycled": len(pool),
                "n_waiting": len(waiting),
                "median_age_days": waiting["waiting_days"].median() if len(waiting) else np.nan,
                "by_days": days,
                "returned": back,
                "returned_low": back_low,
                "returned_high": back_high,
                "n_followed": n,
                "won": won,
                "won_low": won_low,
                "won_high": won_high,
                "won_amount": float(pool["won_amount"].sum()) if len(pool) else 0.0,
            }
        )
    return rows


def _days(spans: pd.Series) -> pd.Series:
    return spans.dt.total_seconds() / DAY


def _of(values: pd.Series, ids: pd.Series) -> pd.Series:
    return values.reindex(ids).set_axis(ids.index)
