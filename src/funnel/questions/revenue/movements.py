"""Movements of MRR: of the period, point to point, and of every month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.subscription_months import SubscriptionFinding, subscription_months
from funnel.dataset.cache import cached
from funnel.methods.change_intervals import change_of_totals
from funnel.methods.recurring import (
    CURRENCY,
    MOVEMENTS,
    AccountMonth,
    last_month,
    monthly_movements,
    movements_between,
    recurring_revenue,
    to_cents,
)
from funnel.results import Result, no_rows, rows_of, speaks_for

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True, eq=False, kw_only=True)
class Movements(Result):
    """Movements of MRR from the last month of the baseline to that of the period.

    `table` has one row per movement: `movement`, `change` (in cents; the rows add up to the change
    of MRR), `change_low`, `change_high`, `n` (accounts).

    Attributes
    ----------
    then, now
        The two months; either may have a gap, and then there are no rows.
    mrr_then, mrr_now
        MRR of all accounts in them; missing where a month has a gap.
    """

    then: AccountMonth
    now: AccountMonth
    mrr_then: float
    mrr_now: float


@dataclass(frozen=True, eq=False, kw_only=True)
class MonthlyMovements(Result):
    """Movements of MRR by month, which add up to its change in cents.

    `table` is as `funnel.methods.recurring.monthly_movements` gives it: one row per month from the
    first, which is an opening balance. `found` is what is odd in the months: missing ones, months
    loaded in part, accounts without a month, accounts below zero.
    """

    found: tuple[SubscriptionFinding, ...]


@cached
def movements(data: Tables) -> Movements:
    """Movements of MRR in the period."""
    periods = data.comparison.baseline, data.comparison.period
    then, now = (last_month(data, each) for each in periods)
    moved = movements_between(data, then, now)
    mrr = [
        np.nan if month.gap else round(float(recurring_revenue(data, month).sum()), 2)
        for month in (then, now)
    ]
    names = [name for name in MOVEMENTS if name != CURRENCY or data.plan.records.rates]
    by_name = {name: moved.loc[moved["movement"] == name] for name in names}
    rows = []
    for name, each in by_name.items():
        change = each["change"].to_numpy(float)
        ends = change_of_totals(
            change[change > 0], -change[change < 0], data.plan.level, history=moved["change"]
        )
        rows.append((name, float(change.sum()), *ends, len(each)))
    table = pd.DataFrame(rows, columns=["movement", "change", "change_low", "change_high", "n"])
    if np.isnan(mrr).any():
        table = table.iloc[:0]
    else:
        table["change"] = to_cents(table["change"], mrr[1] - mrr[0])
    behind = [rows_of(name, "subscriptions", each["account_id"]) for name, each in by_name.items()]
    return Movements(
        table=table,
        rows=pd.concat(behind, ignore_index=True),
        units={"change": f"{data.plan.company.currency} a month", "n": "accounts"},
        then=then,
        now=now,
        mrr_then=mrr[0],
        mrr_now=mrr[1],
        **speaks_for(data),
    )


def months(data: Tables) -> MonthlyMovements:
    """Movements of MRR by month, and what is odd in the months."""
    found = subscription_months(data).findings
    behind = [rows_of(each.kind, "subscriptions", pd.Series(each.ids, dtype="str"))
              for each in found if each.ids]  # fmt: skip
    return MonthlyMovements(
        table=monthly_movements(data),
        rows=pd.concat(behind, ignore_index=True) if behind else no_rows(),
        units=dict.fromkeys(("mrr", *MOVEMENTS), f"{data.plan.company.currency} a month"),
        found=found,
        **speaks_for(data),
    )
