"""The nurture pool: recycled leads, how long they wait, and how many come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.dataset import stages
from funnel.methods.ages import in_days
from funnel.questions.handoff.response_times import NOT_GRADED, by_grade, time_until
from funnel.results import Result, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

RECYCLED = "recycled"
_BY_DAYS = (90.0, 180.0, 365.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class NurturePool(Result):
    """The pool of recycled leads, each counted once, at its first recycling.

    `table` has one row per grade (and `all`) and `by_days`: `grade`, `n_recycled`, `n_waiting`
    (still there), `median_age_days` of those, `by_days`, and of all recycled leads the share that
    came back by then, `returned` with `returned_low`, `returned_high` and `n_followed`, and the
    share that was won, `won` with `won_low`, `won_high`; `n_won` and
    `won_amount` (currency) of those won so far.
    """

    grouped = (
        SmallGroups(
            by=("grade",),
            counts={
                "n_recycled": (),
                "n_waiting": ("median_age_days",),
                "n_followed": ("returned", "won"),
                "n_won": ("won", "won_amount"),
            },
            within=("by_days",),
            add_up=("n_recycled", "n_waiting", "n_followed", "n_won"),
        ),
    )


def nurture_pool(data: Tables) -> NurturePool:
    """Recycled leads: how many wait, how long, and how many come back and are won.

    Notes
    -----
    A lead counts once, from its first recycling, however often it was recycled. It comes back with
    the first entry into any stage but the first after that. Those that have not are followed to the
    end of the data (Kaplan-Meier).
    """
    pool = recycled(data)
    rows = []
    for grade, here in by_grade(pool):
        rows += _rows_of(here, grade, data.plan.level)
    return NurturePool(
        table=pd.DataFrame(rows),
        rows=rows_of("recycled", "leads", pool["lead_id"]),
        units={"median_age_days": "days", "won_amount": data.plan.company.currency},
        **speaks_for(data),
    )


def recycled(data: Tables) -> pd.DataFrame:
    """Each lead that was ever recycled, once, with what came after.

    Returns
    -------
    DataFrame
        `lead_id`, `grade`, `recycled_at` (first), `return_days`, `won_days` (missing: not yet),
        `followed_days`, `is_waiting`, `waiting_days` since the last recycling, `won_amount`.
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
    back = back.fillna(won_at)
    back = back.where(~(won_at < back), won_at)  # a win is a return, where no stage says so
    pool["return_days"] = in_days(back - pool["recycled_at"])
    pool["won_days"] = in_days(won_at - pool["recycled_at"])
    pool["followed_days"] = in_days(data.ends_at - pool["recycled_at"])
    pool["is_waiting"] = last["stage"].eq(RECYCLED).fillna(False)
    pool["waiting_days"] = in_days(data.ends_at - last["entered_at"]).where(pool["is_waiting"])
    pool["won_amount"] = reached["amount"].where(won_at.notna(), 0.0).fillna(0.0)
    return pool.reset_index()


def _rows_of(pool: pd.DataFrame, grade: str, level: float) -> list[dict[str, object]]:
    waiting = pool[pool["is_waiting"].astype(bool)] if len(pool) else pool
    rows = []
    back = time_until(pool["return_days"], pool["followed_days"])
    won = time_until(pool["won_days"], pool["followed_days"])
    for days in _BY_DAYS:
        returned, returned_low, returned_high, n = back.by(days, level)
        won_by, won_low, won_high, _ = won.by(days, level)
        rows.append(
            {
                "grade": grade,
                "n_recycled": len(pool),
                "n_waiting": len(waiting),
                "median_age_days": waiting["waiting_days"].median() if len(waiting) else np.nan,
                "by_days": days,
                "returned": returned,
                "returned_low": returned_low,
                "returned_high": returned_high,
                "n_followed": n,
                "won": won_by,
                "won_low": won_low,
                "won_high": won_high,
                "n_won": int(pool["won_days"].notna().sum()),
                "won_amount": float(pool["won_amount"].sum()) if len(pool) else 0.0,
            }
        )
    return rows


def _of(values: pd.Series, ids: pd.Series) -> pd.Series:
    return values.reindex(ids).set_axis(ids.index)
