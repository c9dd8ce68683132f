"""Deals that were due in the period when it began, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.methods.rates import rate
from funnel.results import Result, rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

_STATES = ("won", "lost", "slipped")


@dataclass(frozen=True, eq=False, kw_only=True)
class Slipped(Result):
    """Deals expected, when the period began, to close in it.

    `table` has one row per `state` (`won`, `lost` in the period, `slipped`: neither): `n`, `amount`
    and `share` of those due with `share_low`, `share_high`. Without recorded changes of expected
    close dates it is empty, and `has_dates` is false.
    """

    has_dates: bool = False
    n_due: int = 0


def slipped_of(data: Tables) -> Slipped:
    """Deals due at the start of the period, by what became of them in it."""
    period, changes = data.comparison.period, data.deal_changes
    start = data.plan.midnight(period.start)
    changes = changes[changes["field"].eq("expected_close_on")].sort_values("changed_at")
    columns = ["state", "n", "amount", "share", "share_low", "share_high"]
    made = {"units": {"amount": data.plan.company.currency}, **speaks_for(data)}
    if changes.empty:
        return Slipped(table=pd.DataFrame(columns=columns), **made)
    is_before = changes["changed_at"] < start
    before = changes[is_before].drop_duplicates("deal_id", keep="last").set_index("deal_id")["new"]
    after = changes[~is_before].drop_duplicates("deal_id", keep="first").set_index("deal_id")["old"]
    deals = data.deals
    is_open = (deals["created_at"] < start) & ~(deals["closed_at"] < start)
    deals = deals[is_open]
    ids = deals["deal_id"]
    due_on = ids.map(before).fillna(ids.map(after)).astype("object")
    # without a change the date of today is the one that it had
    due_on = due_on.where(ids.isin(changes["deal_id"]), deals["expected_close_on"])
    due_on = pd.to_datetime(due_on, errors="coerce")
    is_due = (due_on >= str(period.start)) & (due_on <= str(period.end))
    due = deals[is_due]
    closed = due["outcome"].where(data.plan.within(due["closed_at"], period), "slipped")
    rows = []
    for state in _STATES:
        here = due[closed.eq(state)]
        row = {"state": state, "n": len(here), "amount": float(here["amount"].sum())}
        rows.append(row | rate("share", len(here), len(due), data.plan.level))
    return Slipped(
        table=pd.DataFrame(rows, columns=columns),
        rows=rows_of("due when the period began", "deals", due["deal_id"]),
        has_dates=True,
        n_due=len(due),
        **made,
    )
