"""Win rates under two names, by group of deals, against the period before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.contract.labels import EVERYBODY, NOT_RECORDED
from funnel.contract.periods import Comparison
from funnel.dataset.stages import NEW
from funnel.methods.groups import group_labels, ordered, with_small_pooled
from funnel.methods.question import Question, figure
from funnel.methods.rates import rate, rate_change
from funnel.questions.winloss.closed_deals import closed_deals, deal_groups
from funnel.questions.winloss.owners import Owners, owners_of
from funnel.questions.winloss.reasons import RANKED_FROM, LossReasons, reasons_of
from funnel.questions.winloss.slipped import Slipped, slipped_of
from funnel.questions.winloss.won_deals import Interviews, WonDeals, interviews_of, won_deals_of
from funnel.results import Stated, no_rows, rows_of, speaks_for, stated_change
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

_MOST = 8  # groups of a column
_ENDS = (("period", ""), ("baseline", "_baseline"))
_RATES = ("win_rate", "competitive_win_rate")
_COLUMNS = [
    *("by", "group"),
    *(f"{n}{end}" for _, end in _ENDS for n in ("n_won", "n_lost", "n_competitor", "value")),
    *(
        f"{each}{span}{end}"
        for each in _RATES
        for _, span in _ENDS
        for end in ("", "_low", "_high")
    ),
    *("change", "change_low", "change_high", "verdict"),
]


@dataclass(frozen=True, eq=False, kw_only=True)
class WinLoss(Question):
    """Win rates of the period and the baseline, by group of deals.

    `table` has one row for all deals and one per column and group: `by`, `group`, `n_won`,
    `n_lost`, `n_competitor` (lost to a competitor), `value` (bookings, currency); `win_rate` = won
    / (won + lost) and `competitive_win_rate` = won / (won + lost to a competitor; its low end with
    every deal lost without a reason), each with `_low`, `_high`; all of these also with
    `_baseline`; `change` of the win rate with interval and `verdict`. Rows by `kind` are of all
    deals and add up to bookings; the others are of new business alone.
    """

    grouped = (
        SmallGroups(
            by=("group",),
            counts={
                "n_won": ("value", *_RATES, "change"),
                "n_lost": ("win_rate", "change"),
                "n_competitor": ("competitive_win_rate",),
                "n_won_baseline": ("value_baseline", *(f"{r}_baseline" for r in _RATES), "change"),
                "n_lost_baseline": ("win_rate_baseline", "change"),
                "n_competitor_baseline": ("competitive_win_rate_baseline",),
            },
            within=("by",),
            add_up=("n_won", "n_lost", "n_won_baseline", "n_lost_baseline"),
        ),
    )

    comparison: Comparison

    @property
    def stated(self) -> tuple[Stated, ...]:
        """The win rate of all new deals, as the page of the period states it."""
        row = self.table.iloc[0].to_dict()
        if not math.isfinite(row["change"]):
            return ()
        names = {"value": "win_rate", "baseline": "win_rate_baseline", "change": "change"}
        names |= {"low": "change_low", "high": "change_high", "verdict": "verdict"}
        figures = {name: row[column] for name, column in names.items()}
        return stated_change({"measure": "win rate", **figures}, self.comparison)

    @figure
    def reasons(self) -> LossReasons:
        """Why deals were lost, with the bounds that blanks leave."""
        return reasons_of(self.data, _new(self.data))

    @figure
    def owners(self) -> Owners:
        """How far owners differ beyond chance, and what the change of their win rate is made of."""
        return owners_of(self.data, _new(self.data))

    @figure
    def won_deals(self) -> WonDeals:
        """Size and cycle of won deals: mean, median, and without the largest."""
        return won_deals_of(self.data, _new(self.data))

    @figure
    def interviews(self) -> Interviews:
        """Lost deals that are worth an interview: the largest without the buyer's own reason."""
        return interviews_of(self.data, _new(self.data))

    @figure
    def slipped(self) -> Slipped:
        """Deals that were due in the period when it began, and what became of them."""
        return slipped_of(self.data)


def winloss(data: Tables) -> WinLoss:
    """Answer to which deals are won and lost, by size, cycle, company type and more.

    Parameters
    ----------
    data
        A dataset; reads `deals`, and of their leads and owners what is there.
    """
    deals = closed_deals(data)
    new = deals[deals["kind"].eq(NEW)]
    rows, behind = [_row(data, EVERYBODY, EVERYBODY, new)], [no_rows()]
    for by, values in deal_groups(data, deals).items():
        here = (deals if by == "kind" else new).query("span != ''")
        labels = group_labels(values[here.index], by)
        if by != "kind":
            labels = with_small_pooled(
                labels, labels.value_counts(), data.plan.smallest_group, _MOST
            )
        rows += [_row(data, by, name, here[labels.eq(name)]) for name in ordered(labels)]
    for span, _ in _ENDS:
        for outcome in ("won", "lost"):
            is_here = deals["span"].eq(span) & deals["outcome"].eq(outcome)
            behind.append(rows_of(f"{outcome}, {span}", "deals", deals.loc[is_here, "deal_id"]))
    return WinLoss(
        data=data,
        table=pd.DataFrame(rows, columns=_COLUMNS).astype({"by": "str", "group": "str"}),
        rows=pd.concat(behind, ignore_index=True),
        units={"value": data.plan.company.currency, "win_rate": "share of closed deals"},
        comparison=data.comparison,
        **speaks_for(data),
    )


def _new(data: Tables) -> pd.DataFrame:
    deals = closed_deals(data)
    return deals[deals["kind"].eq(NEW)]


def _against_competitors(
    deals: pd.DataFrame, won: int, n_rivals: int, end: str, level: float
) -> dict[str, float]:
    """Rate of won and of lost to a competitor; its low end has every blank lost to one.

    Without any such loss, and where most of the lost deals have no reason, there is no rate.
    """
    n_lost = int((~deals["is_won"]).sum())
    n_blank = int((~deals["is_won"] & deals["reason"].eq(NOT_RECORDED)).sum())
    name = f"competitive_win_rate{end}"
    if not n_rivals or n_blank > (1 - RANKED_FROM) * n_lost:
        return rate(name, 0, 0, level)
    low = rate(name, won, won + n_rivals + n_blank, level)[f"{name}_low"]
    return rate(name, won, won + n_rivals, level) | {f"{name}_low": low}


def _row(data: Tables, by: str, group: str, deals: pd.DataFrame) -> dict[str, Any]:
    row: dict[str, Any] = {"by": by, "group": group}
    for span, end in _ENDS:
        here = deals[deals["span"].eq(span)]
        won, rivals = int(here["is_won"].sum()), ~here["is_won"] & here["reason"].eq("competitor")
        n_rivals = int(rivals.sum())
        row |= {
            f"n_won{end}": won,
            f"n_lost{end}": len(here) - won,
            f"n_competitor{end}": n_rivals,
            f"value{end}": round(float(here.loc[here["is_won"], "amount"].sum()), 2),
        }
        row |= rate(f"win_rate{end}", won, len(here), data.plan.level)
        row |= _against_competitors(here, won, n_rivals, end, data.plan.level)
    return row | rate_change(row, "win_rate", "win_rate_baseline")
