"""Won and closed deals by product, owner, kind and month of the quarter, and open deals by age."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.labels import EVERYBODY, NOT_RECORDED
from funnel.dataset.stages import NEW
from funnel.methods.ages import in_days
from funnel.methods.rates import rate
from funnel.results import Result, Stated, rows_of, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.contract.periods import Comparison
    from funnel.dataset import Tables

COLUMNS, MONTH = ("product", "owner", "kind"), "month of quarter"
AGES = (30, 90, 180)  # days at which the bands of open deals end
_MOST_GROUPS = 12
_CLOSED = ("won", "lost", "won_baseline", "lost_baseline")
_TABLE = (
    *("by", "group", "n_won", "n_lost", "value", "n_won_baseline", "n_lost_baseline"),
    *("value_baseline", "win_rate", "win_rate_low", "win_rate_high"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class DealGroups(Result):
    """Closed deals of the period and the baseline in groups.

    `table` has one row per column and group, largest value first: `by` (`product`, `owner`, `kind`
    where they are filled; `month of quarter`), `group`, `n_won`, `n_lost`, `value` (won amount,
    currency), each of these also with `_baseline`, and `win_rate` of the period's new business (0
    to 1; by `kind` of each kind; missing where no lost deal is recorded) with `win_rate_low`,
    `win_rate_high`.

    Attributes
    ----------
    comparison
        The two periods.
    n_won
        Deals won in the period.
    """

    comparison: Comparison
    n_won: int = 0

    grouped = (
        SmallGroups(
            by=("group",),
            counts={
                "n_won": ("value", "win_rate"),
                "n_lost": ("win_rate",),
                "n_won_baseline": ("value_baseline",),
                "n_lost_baseline": (),
            },
            within=("by",),
        ),
    )

    @property
    def stated(self) -> tuple[Stated, ...]:
        """Wins and bookings, added up over the months of the quarter."""
        months = self.table[self.table["by"] == MONTH]
        if months.empty:
            return ()
        sums = months[["n_won", "n_won_baseline", "value", "value_baseline"]].sum()
        return tuple(
            Stated(name, period.days, value=float(sums[f"{column}{end}"]))
            for name, column in (("wins", "n_won"), ("bookings", "value"))
            for end, period in (
                ("", self.comparison.period),
                ("_baseline", self.comparison.baseline),
            )
        )


def deal_groups(data: Tables) -> DealGroups:
    """Deals won and lost by product, owner, kind and month of the quarter, by closing date."""
    plan, spans = data.plan, {"": data.comparison.period, "_baseline": data.comparison.baseline}
    deals = data.deals[data.deals["outcome"].isin(["won", "lost"])]
    deals = deals.assign(
        kind=deals["kind"].fillna(NEW), is_won=deals["outcome"] == "won", month=_months(data, deals)
    )
    inside = {end: plan.within(deals["closed_at"], span) for end, span in spans.items()}
    columns = [name for name in COLUMNS if data.has("deals", name)]
    has_lost = bool((~deals["is_won"] & deals["kind"].eq(NEW)).any())
    rows = []
    for by in [*columns, *([MONTH] if plan.period == "quarter" else [])]:
        names = deals["month" if by == MONTH else by].fillna(NOT_RECORDED)
        found = []
        for group, of_group in deals.groupby(names):
            row = {"by": by, "group": str(group)}
            for end, here in inside.items():
                closed = of_group[here[of_group.index]]
                row[f"n_won{end}"] = int(closed["is_won"].sum())
                row[f"n_lost{end}"] = len(closed) - row[f"n_won{end}"]
                row[f"value{end}"] = round(float(closed.loc[closed["is_won"], "amount"].sum()), 2)
            counted = of_group[of_group["kind"].eq(NEW) | (by == "kind")]
            known = has_lost if by != "kind" else not counted["is_won"].all()
            counted = counted[inside[""][counted.index] & known]
            row |= rate("win_rate", int(counted["is_won"].sum()), len(counted), plan.level)
            found.append(row)
        if by != MONTH:
            found.sort(key=lambda row: (-row["value"], row["group"]))
        rows += [row for row in found if any(row[f"n_{x}"] for x in _CLOSED)][:_MOST_GROUPS]
    ids = [
        rows_of(span.label, "deals", deals.loc[inside[end], "deal_id"])
        for end, span in spans.items()
    ]
    table = pd.DataFrame(rows, columns=list(_TABLE)).astype({"by": "str", "group": "str"})
    return DealGroups(
        table=table,
        rows=pd.concat(ids, ignore_index=True),
        units={"value": plan.company.currency, "win_rate": "share of closed deals"},
        comparison=data.comparison,
        n_won=int((inside[""] & deals["is_won"]).sum()),
        **speaks_for(data),
    )


def _months(data: Tables, deals: pd.DataFrame) -> pd.Series:
    """Month of the quarter in which each deal closed: 1, 2 or 3."""
    month = data.plan.local_days(deals["closed_at"]).dt.month
    return ((month - data.comparison.period.start.month) % 3 + 1).astype("str")


@dataclass(frozen=True, eq=False, kw_only=True)
class OpenDeals(Result):
    """Deals that are open at the end of `as_of`.

    `table` has one row per stage and band of age: `stage` (a column `stage` of deals; `all` where
    there is none), `age` (`0 to 30 days` and so on), `n`, `value` (their amounts, currency).

    Attributes
    ----------
    n_open, value
        Open deals, and their amounts in all.
    n_unknown
        Open deals whose opening is unknown; they are in no row.
    """

    grouped = (SmallGroups(by=("stage", "age"), counts={"n": ("value",)}),)

    n_open: int = 0
    value: float = 0.0
    n_unknown: int = 0


def open_deals(data: Tables) -> OpenDeals:
    """Deals open now, by stage and age."""
    deals = data.deals[data.deals["outcome"] == "open"]
    known = deals[deals["created_at"].notna()]
    days = in_days(data.ends_at - known["created_at"])
    labels = [f"{first + 1} to {end} days" for first, end in pairwise((-1, *AGES))]
    labels.append(f"over {AGES[-1]} days")
    stage = EVERYBODY
    if data.has("deals", "stage"):
        stage = known["stage"].fillna(NOT_RECORDED).astype("str")
    frame = known.assign(stage=stage, band=np.searchsorted(AGES, days), value=known["amount"])
    table = frame.groupby(["stage", "band"], as_index=False).agg(
        n=("deal_id", "size"), value=("value", "sum")
    )
    table.insert(1, "age", pd.Series([labels[band] for band in table["band"]], dtype="str"))
    return OpenDeals(
        table=table.drop(columns="band"),
        rows=rows_of("open deals", "deals", known["deal_id"]),
        units={"n": "deals", "value": data.plan.company.currency},
        n_open=len(deals),
        value=float(deals["amount"].sum()),
        n_unknown=len(deals) - len(known),
        **speaks_for(data),
    )
