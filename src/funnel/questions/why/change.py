"""The period's figures, compared with those of the plan's comparison period."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.contract.periods import Comparison
from funnel.contract.plan import Plan
from funnel.questions.why.measures import Measures
from funnel.results import Result, Stated, no_rows, speaks_for, stated_change

if TYPE_CHECKING:
    from funnel.dataset import Tables


@dataclass(frozen=True, eq=False, kw_only=True)
class PeriodChange(Result):
    """Each figure of a period, and of the one it is compared with.

    `table` has one row per measure, the plan's own first: `measure`, `unit` (`money`, `count` or
    `rate`), `value`, `baseline`, `change`, `change_share` (of the baseline; missing where that is
    not above zero), `low`, `high` (the interval of `change`), `n_period`, `n_baseline` (rows
    behind each value, of the kind in `counted`), `verdict`, and where there is no comparison why:
    `gap` (a code), `gap_subject` and `gap_on` (the day, as text).

    Attributes
    ----------
    n_won, n_without_amount
        Deals won in the two periods, and those without an amount.
    largest_share
        Share of the period's bookings in its largest deal; missing where it cannot be a share.
    """

    comparison: Comparison
    plan: Plan
    n_won: int
    n_without_amount: int
    largest_share: float

    @property
    def stated(self) -> tuple[Stated, ...]:
        """Each measure of both periods, and its change."""
        rows = self.table.to_dict("records")
        return tuple(each for row in rows for each in stated_change(row, self.comparison))


def period_change(data: Tables) -> PeriodChange:
    """Figures of a period and of the one that the plan compares it with.

    Deals count by the day they closed, leads by the day they were created, in local time. While
    the period is not over, both are taken to date: the same number of days.

    Parameters
    ----------
    data
        A dataset. Reads `deals`, `leads` and `subscriptions`, as far as they are there.

    Returns
    -------
    PeriodChange
        One row per measure: bookings, wins, leads, average deal size, win rate by closing date
        (won of won and lost), and recurring revenue where there is any.

    Notes
    -----
    A figure *moved* where the interval of its change excludes zero. It *did not move* where the
    interval includes zero and is within a tenth of the baseline. Else it is inconclusive, as it is
    where the comparison period lies, in full or in part, before its record begins.

    Totals and counts: deals (leads) are independent events, each with its own amount, and their
    weekly number may vary more than that of independent events. Rates: Newcombe's interval. Means:
    Welch's.

    References
    ----------
    Fay and Feuer (1997), Statistics in Medicine 16; Tiwari, Clegg and Zou (2006), Statistical
    Methods in Medical Research 15; Zou and Donner (2008), Statistics in Medicine 27; Newcombe
    (1998), Statistics in Medicine 17; Welch (1947), Biometrika 34.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> closed = pd.date_range("2026-01-01", "2026-06-30", periods=60)
    >>> deals = pd.DataFrame({"deal_id": [f"D-{i}" for i in range(60)], "created_at": "2025-12-01",
    ...     "closed_at": closed, "outcome": "won", "amount": 100.0})
    >>> change = period_change(Tables.of(as_of="2026-06-30", deals=deals))
    >>> change.table[["measure", "value", "baseline", "verdict"]].values.tolist()[0]
    ['bookings', 3000.0, 3000.0, 'cannot tell']
    """
    measures = Measures(data)
    figures = measures.period_figures()
    rows = [part for each in figures for part in each.rows_behind(each.measure, data.comparison)]
    table = pd.DataFrame([each.as_row() for each in figures])
    table["change_share"] = table["change"] / table["baseline"].where(table["baseline"] > 0)
    now, then = measures.both(measures.won, "closed_at")
    amounts = now["amount"].dropna()
    is_share = len(amounts) > 1 and amounts.sum() > 0
    return PeriodChange(
        table=table[_COLUMNS].astype(dict.fromkeys(_TEXTS, "str")),
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={
            "value": f"{data.plan.company.currency} where `unit` is money, 0 to 1 where it is rate",
            "change_share": "of the baseline, 0 to 1",
        },
        **speaks_for(data),
        comparison=data.comparison,
        plan=data.plan,
        n_won=len(now) + len(then),
        n_without_amount=int(now["amount"].isna().sum() + then["amount"].isna().sum()),
        largest_share=float(amounts.max() / amounts.sum()) if is_share else math.nan,
    )


_TEXTS = ("measure", "unit", "counted", "gap", "gap_subject", "gap_on")
_COLUMNS = [
    *("measure", "unit", "value", "baseline", "change", "change_share", "low", "high"),
    *("n_period", "n_baseline", "counted", "verdict", "gap", "gap_subject", "gap_on"),
]
