"""Change of recurring revenue between two months, and accounts lost in a period."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.periods import Period
from funnel.methods.change_intervals import change_of_totals
from funnel.methods.recurring.accounts import (
    AccountMonth,
    last_month,
    month_before,
    recurring_revenue,
)

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True, eq=False)
class Losses:
    """Accounts that pay in the month before a period, and those of them not in its last month.

    `base` and `lost` are MRR by account in the month `before`. `gap` names the month that no figure
    may read; both are then empty.
    """

    before: AccountMonth
    last: AccountMonth
    base: pd.Series
    lost: pd.Series

    @property
    def gap(self) -> AccountMonth | None:
        """The month without a basis."""
        return next((each for each in (self.before, self.last) if each.gap), None)


def losses(data: Tables, period: Period) -> Losses:
    """Accounts lost in a period, point to point."""
    last, before = last_month(data, period), month_before(data, period.start.replace(day=1))
    base = recurring_revenue(data, before)
    if last.gap or before.gap:
        return Losses(before, last, base.iloc[:0], base.iloc[:0])
    lost = base[~base.index.isin(recurring_revenue(data, last).index)]
    return Losses(before, last, base, lost)


def change_of_mrr(now: pd.Series, then: pd.Series, level: float) -> tuple[float, float]:
    """Interval of the change of MRR between two months, each MRR by account.

    Accounts move independently of each other, each at most once.
    """
    change = now.sub(then, fill_value=0.0)
    return change_of_totals(change[change > 0], -change[change < 0], level, history=now)
