"""Deals that lack what questions need: lost ones, an opening, an amount, their lead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.fill_rates import won_new_deals
from funnel.checks.limits import FEWEST_DEALS, MANY_MISSING, MOST_MISSING
from funnel.dataset.stages import new_business
from funnel.stats import wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

NO_LOST, NO_OPENING = "no lost deals", "no opening time"
NO_AMOUNT, NOT_LINKED = "no amount", "not linked"


@dataclass(frozen=True, eq=False, kw_only=True)
class DealGap:
    """A gap in how deals are recorded: `n` of `of` deals lack something, or none is lost.

    `kind` is `no lost deals`, `no opening time`, `no amount` or `not linked`; `outcome` is `won` or
    `closed`, the deals it is about; `low` to `high` is the interval of their share.
    """

    kind: str
    column: str
    outcome: str
    n: int
    of: int
    low: float
    high: float
    ids: pd.Series

    @property
    def share(self) -> float:
        """Share of the deals, 0 to 1."""
        return self.n / self.of


def deal_gaps(data: Tables) -> tuple[DealGap, ...]:
    """Gaps in how deals are recorded that change what a rate or a total of them means."""
    deals = data.deals
    closed = deals[deals["outcome"].isin(["won", "lost"])]
    won = closed[closed["outcome"] == "won"]
    found, new_won = [], won_new_deals(data)
    if len(new_won) >= FEWEST_DEALS and not new_business(data)["outcome"].eq("lost").any():
        low, high = wilson(0, len(new_won), data.plan.level)
        found.append(
            DealGap(
                kind=NO_LOST, column="outcome", outcome="closed", n=0, of=len(new_won),
                low=float(low), high=float(high), ids=new_won["deal_id"],
            )
        )  # fmt: skip
    same = closed["created_at"] == closed["closed_at"]
    found += _gap(data, NO_OPENING, "created_at", "closed", closed, same, MOST_MISSING)
    if won["amount"].notna().any() or data.plan.measure == "bookings":
        missing = ~(won["amount"] > 0)
        found += _gap(data, NO_AMOUNT, "amount", "won", won, missing, MANY_MISSING)
    if not data.leads.empty:
        missing = new_won["lead_id"].isna()
        found += _gap(data, NOT_LINKED, "lead_id", "won", new_won, missing, MANY_MISSING)
    return tuple(found)


def _gap(
    data: Tables,
    kind: str,
    column: str,
    outcome: str,
    rows: pd.DataFrame,
    mark: pd.Series,
    limit: float,
) -> Iterator[DealGap]:
    n, k = len(rows), int(mark.sum())
    if n < FEWEST_DEALS or k / n < limit:
        return
    low, high = wilson(k, n, data.plan.level)
    yield DealGap(
        kind=kind, column=column, outcome=outcome, n=k, of=n, low=float(low), high=float(high),
        ids=rows.loc[mark, "deal_id"],
    )  # fmt: skip
