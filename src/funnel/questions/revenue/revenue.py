"""The question: how bookings per head, deal size, recurring revenue and churn moved together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.checks import mixed_currencies
from funnel.methods.change_intervals import change_of_means
from funnel.methods.question import Question, figure
from funnel.methods.recurring import change_of_mrr, recurring_revenue
from funnel.questions.revenue.bookings import BookingsByTerm, bookings_by_term
from funnel.questions.revenue.movements import MonthlyMovements, Movements, months, movements
from funnel.questions.revenue.productivity import (
    PER_HEAD,
    Attainment,
    Productivity,
    attainment,
    productivity,
)
from funnel.questions.revenue.retention import (
    LOGO_CHURN,
    MRR_CHURN,
    AccountCohorts,
    Churn,
    Retention,
    churn,
    cohorts,
    retention,
)
from funnel.results import rows_of, speaks_for
from funnel.stats import CANNOT_TELL, NARROW, verdict

if TYPE_CHECKING:
    from funnel.dataset import Tables

DEAL_SIZE, MRR = "average deal size", "mrr"
MONEY, RATE = "money", "rate"


@dataclass(frozen=True, eq=False, kw_only=True)
class Revenue(Question):
    """The four directions of revenue, in the period and in the baseline.

    `table` has one row per figure (`bookings per head`, `average deal size`, `mrr`, `logo churn`,
    `mrr churn`): `unit` (`money` or `rate`), `value`, `baseline`, `change` with `change_low`,
    `change_high` and `verdict`, `n` and `n_baseline` (won deals, or accounts), and `gap`: why there
    is no comparison (`gap_subject`: the month or table it is about). The methods give the figures
    behind each.
    """

    @figure
    def movements(self) -> Movements:
        """Movements of MRR in the period, point to point."""
        return movements(self.data)

    @figure
    def months(self) -> MonthlyMovements:
        """Movements of MRR by month, and what is odd in the months."""
        return months(self.data)

    @figure
    def retention(self) -> Retention:
        """Net, gross and logo retention over twelve months."""
        return retention(self.data)

    @figure
    def churn(self) -> Churn:
        """Logo churn and MRR churn, and churned money as base and rate."""
        return churn(self.data)

    @figure
    def cohorts(self) -> AccountCohorts:
        """Accounts and MRR kept by start cohort, at equal age."""
        return cohorts(self.data)

    @figure
    def bookings(self) -> BookingsByTerm:
        """Bookings compared with won MRR, by term."""
        return bookings_by_term(self.data)

    @figure
    def productivity(self) -> Productivity:
        """Bookings per ramped head, capacity apart from productivity."""
        return productivity(self.data)

    @figure
    def attainment(self) -> Attainment:
        """Bookings over the quota in force, by salesperson and of all."""
        return attainment(self.data)

    @property
    def churned_more(self) -> pd.Series | None:
        """MRR churned: `lost`, `lost_baseline`, `from_base`, `from_rate`; None where not known."""
        rows = self.churn().table
        return rows.set_index("figure").loc[MRR_CHURN] if len(rows) else None


def revenue(data: Tables) -> Revenue:
    """Answer to how bookings per head, deal size, recurring revenue and churn moved.

    Parameters
    ----------
    data
        A dataset; reads `subscriptions`, `deals`, `reps` and `targets`, as far as they are there.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> months = pd.DataFrame({"account_id": ["A", "B"] * 2, "mrr": [50.0, 40.0, 60.0, 45.0],
    ...                        "month": ["2026-03-01"] * 2 + ["2026-06-01"] * 2})
    >>> found = revenue(Tables.of(subscriptions=months)).table.set_index("figure")
    >>> float(found.loc["mrr", "change"])
    15.0
    """
    deals = _in_both(data)
    rows = [_per_head(data, deals), _deal_size(data, deals), _mrr(data), *_churn(data)]
    found = movements(data)
    behind = [
        rows_of(f"{what}, {name}", table, ids)
        for what, table, both in (
            ("won deals", "deals", [each["deal_id"] for each in deals]),
            ("accounts", "subscriptions", [
                recurring_revenue(data, each).index.to_series() for each in (found.now, found.then)
            ]),
        )
        for name, ids in zip(("period", "baseline"), both, strict=True)
    ]  # fmt: skip
    return Revenue(
        table=pd.DataFrame(rows),
        rows=pd.concat(behind, ignore_index=True),
        units={"change": "in the unit of the row"},
        data=data,
        **speaks_for(data),
    )


def _in_both(data: Tables) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Won deals with an amount, of the period and of the baseline."""
    deals, comparison = data.deals, data.comparison
    is_won = (deals["outcome"] == "won") & deals["amount"].notna()
    won = deals.loc[is_won, ["deal_id", "closed_at", "amount"]]
    now, then = (
        won[data.plan.within(won["closed_at"], each)]
        for each in (comparison.period, comparison.baseline)
    )
    return now, then


def _row(
    name: str,
    unit: str,
    values: tuple[float, float] = (np.nan, np.nan),
    ends: tuple[float, float] = (np.nan, np.nan),
    n: tuple[int, int] = (0, 0),
    gap: tuple[str, str] = ("", ""),
) -> dict[str, Any]:
    value, baseline = values
    low, high = ends
    margin = NARROW * abs(baseline) if np.isfinite(baseline) else 0.0
    return {
        "figure": name, "unit": unit, "value": value, "baseline": baseline,
        "change": value - baseline, "change_low": low, "change_high": high,
        "verdict": verdict(low, high, margin) if np.isfinite(low) else CANNOT_TELL,
        "n": n[0], "n_baseline": n[1], "gap": gap[0], "gap_subject": gap[1],
    }  # fmt: skip


def _per_head(data: Tables, deals: tuple[pd.DataFrame, pd.DataFrame]) -> dict[str, Any]:
    found = productivity(data)
    n = len(deals[0]), len(deals[1])
    if found.gap:
        return _row(PER_HEAD, MONEY, n=n, gap=(found.gap, ""))
    row = found.table.set_index("figure").loc[PER_HEAD]
    ends = row["change_low"], row["change_high"]
    return _row(PER_HEAD, MONEY, (row["value"], row["baseline"]), ends, n)


def _deal_size(data: Tables, deals: tuple[pd.DataFrame, pd.DataFrame]) -> dict[str, Any]:
    now, then = (each["amount"] for each in deals)
    n = len(now), len(then)
    if mixed_currencies(data):
        return _row(DEAL_SIZE, MONEY, n=n, gap=("currencies", ""))
    if not min(n):
        return _row(DEAL_SIZE, MONEY, n=n, gap=("no won deals", ""))
    ends = change_of_means(now, then, data.plan.level)
    return _row(DEAL_SIZE, MONEY, (float(now.mean()), float(then.mean())), ends, n)


def _mrr(data: Tables) -> dict[str, Any]:
    found = movements(data)
    gap = next((each for each in (found.now, found.then) if each.gap), None)
    now, then = (recurring_revenue(data, each) for each in (found.now, found.then))
    values, n = (found.mrr_now, found.mrr_then), (len(now), len(then))
    if not data.has("subscriptions"):
        return _row(MRR, MONEY, gap=("no table", "subscriptions"))
    if gap is not None:
        return _row(MRR, MONEY, values, n=n, gap=(gap.gap, gap.label))
    return _row(MRR, MONEY, values, change_of_mrr(now, then, data.plan.level), n)


def _churn(data: Tables) -> list[dict[str, Any]]:
    found, names = churn(data), (LOGO_CHURN, MRR_CHURN)
    if not data.has("subscriptions"):
        return [_row(name, RATE, gap=("no table", "subscriptions")) for name in names]
    month = found.gap or found.gap_baseline
    gap = (month.gap, month.label) if month else ("", "")
    if found.gap:
        return [_row(name, RATE, gap=gap) for name in names]
    rows = []
    for name, row in found.table.set_index("figure").loc[list(names)].iterrows():
        values = row["value"], row["value_baseline"]
        ends, n = (row["change_low"], row["change_high"]), (int(row["n"]), int(row["n_baseline"]))
        rows.append(_row(str(name), RATE, values, ends, n, gap))
    return rows
