"""Won over closed deals, by closing date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.results import Result, rows_of, speaks_for
from funnel.stats import wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True, eq=False, kw_only=True)
class WinRate(Result):
    """Won deals over closed ones, by closing date: a mixture of deals of all ages.

    `table` has one row per span: `span` (`period`, `baseline` or `month`), `label`, `n_won`,
    `n_lost`, `win_rate` (0 to 1) with `win_rate_low`, `win_rate_high`.
    """


def win_rate(data: Tables) -> WinRate:
    """Won over closed deals by closing date, for the two periods and by month.

    Parameters
    ----------
    data
        A dataset.

    Notes
    -----
    Deals closed in one month were opened in many. This rate moves when old deals are closed in
    bulk, also where leads convert as before; compare with `conversion`.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1"], "created_at": ["2026-01-05"],
    ...     "outcome": ["won"], "closed_at": ["2026-01-06"]})
    >>> win_rate(Tables.of(deals=deals, as_of="2026-01-31")).headline
    'No lost deal is recorded, so there is no win rate by closing date.'
    """
    closed = data.deals[data.deals["outcome"].isin(["won", "lost"])]
    closed = closed[["deal_id", "outcome", "closed_at"]].assign(
        month=data.plan.local_days(closed["closed_at"]).dt.to_period("M")
    )
    both, spans = data.comparison, []
    for span, period in (("period", both.period), ("baseline", both.baseline)):
        inside = closed[data.plan.within(closed["closed_at"], period)]
        spans.append((span, period.label, inside))
    spans += [("month", str(month), inside) for month, inside in closed.groupby("month")]
    table = pd.DataFrame(
        {
            "span": [span for span, _, _ in spans],
            "label": [label for _, label, _ in spans],
            "n_won": [int((inside["outcome"] == "won").sum()) for _, _, inside in spans],
            "n_lost": [int((inside["outcome"] == "lost").sum()) for _, _, inside in spans],
        }
    )
    n = table["n_won"] + table["n_lost"]
    low, high = wilson(table["n_won"], n, data.plan.level)
    is_known = (n > 0) & (table["n_lost"].sum() > 0)
    table["win_rate"] = (table["n_won"] / n.where(n > 0)).where(is_known)
    table["win_rate_low"] = pd.Series(low, index=table.index).where(is_known)
    table["win_rate_high"] = pd.Series(high, index=table.index).where(is_known)
    rows = [rows_of(f"{span} {label}", "deals", inside["deal_id"]) for span, label, inside in spans]
    return WinRate(
        table=table,
        rows=pd.concat(rows, ignore_index=True),
        units={"win_rate": "share of closed deals"},
        **speaks_for(data),
    )
