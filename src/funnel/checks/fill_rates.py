"""How much of what the questions need is filled, and whether that changed between the periods."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.fields import is_unknown
from funnel.results import formats
from funnel.stats import benjamini_hochberg, difference_of_rates, wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

_LEAD_COLUMNS = ("channel", "account_id", "owner", "assigned_at", "grade", "score")
_GROWS_WITH_AGE = (
    "account_id",
    "owner",
    "assigned_at",
    "activity",
)  # young leads have had less time
_WON_COLUMNS = ("amount", "account_id", "owner", "mrr")
_LOST_COLUMNS = ("loss_reason", "competitor", "amount")
_LARGE_CHANGE = 0.1
_SURE = 0.001


@dataclass(frozen=True, eq=False)
class FillChange:
    """A field that is filled much more, or much less, often in the period than before it."""

    rows_of: str
    column: str
    n: int
    n_before: int
    share: float
    share_before: float
    low: float
    high: float
    q_value: float
    says: str


def filled(data: Tables) -> pd.DataFrame:
    """Say which share of leads, won deals and lost deals has a field filled.

    A cell that says "unknown" is not filled.

    Returns
    -------
    DataFrame
        `rows_of` (`leads`; `worked leads`, which have a sales activity; `won deals`; `won new
        deals`, which expansions and renewals are not; `lost deals`), `column` (`touch` and
        `activity` stand for a row in that table, `channel` of a deal for its lead's), `n`,
        `n_filled`, `share`, `share_low`, `share_high` (Wilson). Only tables that hold rows are
        told.
    """
    marks = _marks(data)
    table = pd.DataFrame(
        [(rows_of, column, len(mark), int(mark.sum())) for rows_of, column, _, mark in marks],
        columns=["rows_of", "column", "n", "n_filled"],
    )
    n = table["n"].to_numpy(float)
    table["share"] = table["n_filled"] / np.where(n > 0, n, np.nan)
    low, high = wilson(table["n_filled"].to_numpy(float), n, data.plan.level)
    return table.assign(share_low=low, share_high=high)


def fill_changes(data: Tables) -> tuple[FillChange, ...]:
    """Find fields filled much more or less often in the period than in its comparison.

    A change is told if it is ten points or more and would be chance less than once in a thousand
    (two-sided, after Benjamini-Hochberg over the fields). A field lost on the way changes every
    split by it, whatever the business did.
    """
    company, comparison = data.plan.company, data.comparison
    now = _moments(data, comparison.period.start, comparison.period.after)
    then = _moments(data, comparison.baseline.start, comparison.baseline.after)
    counted = []
    for rows_of, column, at, mark in _marks(data):
        in_now, in_then = _within(at, now), _within(at, then)
        if column in _GROWS_WITH_AGE and rows_of.endswith("leads"):
            continue
        if not in_now.any() or not in_then.any():
            continue
        counted.append(
            (rows_of, column, mark[in_now].sum(), in_now.sum(), mark[in_then].sum(), in_then.sum())
        )
    q_values = benjamini_hochberg([_p_value(*counts) for _, _, *counts in counted])
    found = []
    for (rows_of, column, k1, n1, k0, n0), q_value in zip(counted, q_values, strict=True):
        share, before = k1 / n1, k0 / n0
        low, high = difference_of_rates(k1, n1, k0, n0, data.plan.level)
        if abs(share - before) < _LARGE_CHANGE or q_value >= _SURE:
            continue
        points = [
            formats.number(100 * value, company, digits=1, sign=True)
            for value in (share - before, low, high)
        ]
        says = (
            f"{_field(rows_of, column)} is filled for {formats.share(share, company)} of "
            f"{formats.number(n1, company)} {rows_of} in {comparison.period.label} and was for "
            f"{formats.share(before, company)} of {formats.number(n0, company)} in "
            f"{comparison.baseline.label}, {points[0]} points "
            f"{formats.interval(points[1], points[2])}: what is split by it cannot be compared "
            "between the two."
        )
        found.append(
            FillChange(
                rows_of, column, int(n1), int(n0), float(share), float(before),
                float(low), float(high), float(q_value), says,
            )
        )  # fmt: skip
    return tuple(found)


def won_new_deals(data: Tables) -> pd.DataFrame:
    """Give the won deals that a lead should stand behind: expansions and renewals are none."""
    deals = data.deals
    return deals[(deals["outcome"] == "won") & ~deals["kind"].isin(["expansion", "renewal"])]


def _marks(data: Tables) -> list[tuple[str, str, pd.Series, pd.Series]]:
    """Each field looked at: whose rows, its name, when the rows happened, whether it is filled."""
    leads, deals = data.leads, data.deals
    marks = []
    if not leads.empty:
        at = leads["created_at"]
        marks += [("leads", name, at, ~is_unknown(leads[name])) for name in _LEAD_COLUMNS]
        for table, name in (("touches", "touch"), ("activities", "activity")):
            if data.has(table):
                # one number per lead, so that big tables never come into a frame
                known = data.sql(f"select distinct lead_id from {table}")["lead_id"]
                is_known = leads["lead_id"].isin(known.dropna())
                marks.append(("leads", name, at, is_known))
                if name == "activity":
                    worked = leads[is_known]
                    is_assigned = worked["assigned_at"].notna()
                    marks.append(("worked leads", "assigned_at", at[is_known], is_assigned))
    for outcome, names in (("won", _WON_COLUMNS), ("lost", _LOST_COLUMNS)):
        chosen = deals[deals["outcome"] == outcome]
        if chosen.empty:
            continue
        rows_of, at = f"{outcome} deals", chosen["closed_at"]
        marks += [(rows_of, name, at, ~is_unknown(chosen[name])) for name in names]
    new = won_new_deals(data)
    if not new.empty:
        at = new["closed_at"]
        marks.append(("won new deals", "lead_id", at, new["lead_id"].notna()))
        if not leads.empty:
            of_lead = leads.set_index("lead_id")["channel"].reindex(new["lead_id"])
            known = pd.Series(~is_unknown(of_lead).to_numpy(), index=new.index)
            marks.append(("won new deals", "channel", at, known))
    return marks


def _moments(data: Tables, start: dt.date, after: dt.date) -> tuple[pd.Timestamp, pd.Timestamp]:
    return pd.Timestamp(data.plan.midnight(start)), pd.Timestamp(data.plan.midnight(after))


def _within(at: pd.Series, moments: tuple[pd.Timestamp, pd.Timestamp]) -> pd.Series:
    return (at >= moments[0]) & (at < moments[1])


def _p_value(k1: int, n1: int, k0: int, n0: int) -> float:
    """Two proportions, pooled z: the samples of interest are large, and 0.001 is asked for."""
    from scipy.stats import norm

    pooled = (k1 + k0) / (n1 + n0)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    return float(2 * norm.sf(abs(k1 / n1 - k0 / n0) / spread)) if spread > 0 else 1.0


def _field(rows_of: str, column: str) -> str:
    name = {"touch": "A touch", "activity": "A sales activity"}.get(column, f"`{column}`")
    return f"{name} of {rows_of}"
