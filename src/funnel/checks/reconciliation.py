"""Reconciliation: the deals read, and what became of their rows and their money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.periods import Period
from funnel.dataset.cache import shared
from funnel.results import Result, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables

READ, USED, REJECTED, REPEATED, AFTER = "read", "used", "rejected", "repeated", "after as_of"
NOT_USED = (REJECTED, REPEATED, AFTER)


@dataclass(frozen=True, eq=False, kw_only=True)
class Reconciliation(Result):
    """Deals of each period of the comparison, by what became of them.

    `table` has one row per period and state: `period`, `state` (`read`, which the others add up
    to; `used`, `rejected`, `repeated`, `after as_of`), `n_rows` and `money` (what was won, in the
    plan's measure). A deal belongs to the day of its closing, an open one to that of its creation.
    Of repeated rows another one is used, so their money is in the totals.
    """

    def row(self, period: Period, state: str) -> tuple[int, float]:
        """Rows and money of a state in a period."""
        table = self.table
        found = table[(table["period"] == period.label) & (table["state"] == state)].iloc[0]
        return int(found["n_rows"]), float(found["money"])

    def lost_share(self, period: Period) -> float:
        """Share of a period's money that no total holds, 0 to 1."""
        lost, used = self.row(period, REJECTED)[1], self.row(period, USED)[1]
        return lost / (lost + used) if lost > 0 else 0.0


@shared
def reconciliation(data: Tables) -> Reconciliation:
    """What became of the deals of the period and of its comparison.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> deals = pd.DataFrame({"deal_id": ["D-1", "D-2"], "created_at": "2026-01-05",
    ...                       "closed_at": ["2026-05-03", "never"], "outcome": "won",
    ...                       "amount": [70.0, 30.0]})
    >>> data = Tables.of(deals=deals, as_of="2026-06-30", plan={"max_rejected": 1.0})
    >>> reconciliation(data).row(data.comparison.period, "used")
    (1, 70.0)
    """
    deals, unused = data.deals, data.unused_deals
    is_closed = deals["outcome"].ne("open") & deals["closed_at"].notna()
    moment = deals["closed_at"].where(is_closed, deals["created_at"])
    money = deals["mrr" if data.plan.measure == "mrr" else "amount"]
    money = money.where(deals["outcome"].eq("won")).fillna(0.0)
    rows = []
    for period in (data.comparison.period, data.comparison.baseline):
        inside = data.plan.within(moment, period).to_numpy()
        states = {USED: (int(inside.sum()), float(money[inside].sum()))}
        days = unused["day"].between(period.start.isoformat(), period.end.isoformat())
        for state in NOT_USED:
            of_state = unused[days & (unused["state"] == state)]
            states[state] = int(of_state["rows"].sum()), float(of_state["money"].sum())
        n_read, read = (sum(each) for each in zip(*states.values(), strict=True))
        rows += [
            (period.label, state, n, amount)
            for state, (n, amount) in {READ: (n_read, read), **states}.items()
        ]
    return Reconciliation(
        table=pd.DataFrame(rows, columns=["period", "state", "n_rows", "money"]),
        units={"n_rows": "rows", "money": data.plan.company.currency},
        **speaks_for(data),
    )
