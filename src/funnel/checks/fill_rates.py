"""Fill rates of the fields that questions need, and whether they changed between the periods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.fields import is_unknown
from funnel.checks.limits import LARGE_CHANGE, SURE
from funnel.dataset.cache import shared
from funnel.dataset.stages import new_business
from funnel.stats import benjamini_hochberg, difference_of_rates, wilson

if TYPE_CHECKING:
    from funnel.dataset import Tables

_LEAD_COLUMNS = ("channel", "account_id", "owner", "assigned_at", "grade", "score")
_GROWS_WITH_AGE = ("account_id", "owner", "assigned_at", "activity")  # recent leads had less time
_WON_COLUMNS = ("amount", "account_id", "owner", "mrr")
_LOST_COLUMNS = ("loss_reason", "competitor", "amount")


@dataclass(frozen=True, eq=False)
class FillChange:
    """A field that is filled much more, or much less, often in the period than in the baseline.

    `n` and `n_before` are the rows of the two periods, `share` and `share_before` the shares
    filled, `low` to `high` the interval of the difference, `period` and `baseline` the periods'
    labels.
    """

    rows_of: str
    column: str
    n: int
    n_before: int
    share: float
    share_before: float
    low: float
    high: float
    q_value: float
    period: str
    baseline: str

    @property
    def table(self) -> str:
        """The table that the rows are of."""
        return "leads" if self.rows_of.endswith("leads") else "deals"


@shared
def filled(data: Tables) -> pd.DataFrame:
    """Share of leads, won deals and lost deals that have a field filled.

    A cell that says "unknown" is not filled.

    Returns
    -------
    DataFrame
        `rows_of` (`leads`; `worked leads`, which have a sales activity; `won deals`; `won new
        deals`, which expansions and renewals are not; `lost deals`), `column` (`touch` and
        `activity` stand for a row in that table, `channel` of a deal for its lead's), `n`,
        `n_filled`, `share`, `share_low`, `share_high` (Wilson). Only tables that hold rows
        are in it.
    """
    marks = _marks(data)
    table = pd.DataFrame(
        [(rows_of, column, len(mark), int(mark.sum())) for rows_of, column, _, mark in marks],
        columns=["rows_of", "column", "n", "n_filled"],
    )
    n = table["n"].to_numpy(float)
    table["share"] = table["n_filled"] / np.where(n > 0, n, np.nan)
    low, high = wilson(table["n_filled"].to_numpy(float), n, data.plan.level)
    return table.assign(share_low=low, share_high=high)


@shared
def fill_changes(data: Tables) -> tuple[FillChange, ...]:
    """Fields filled much more or less often in the period than in its comparison.

    A change counts if it is ten points or more and would be chance less than once in a thousand
    (two-sided, after Benjamini-Hochberg over the fields). A field lost on the way changes every
    split by it, whatever the business did.
    """
    period, baseline = data.comparison.period, data.comparison.baseline
    tested = []
    for rows_of, column, at, is_filled in _marks(data):
        if column in _GROWS_WITH_AGE and rows_of.endswith("leads"):
            continue
        now, then = (is_filled[data.plan.within(at, each)] for each in (period, baseline))
        if len(now) and len(then):
            tested.append((rows_of, column, now.sum(), len(now), then.sum(), len(then)))
    q_values = benjamini_hochberg([_p_value(*counts) for _, _, *counts in tested])
    found = []
    for (rows_of, column, k1, n1, k0, n0), q_value in zip(tested, q_values, strict=True):
        share, before = k1 / n1, k0 / n0
        if abs(share - before) < LARGE_CHANGE or q_value >= SURE:
            continue
        low, high = difference_of_rates(k1, n1, k0, n0, data.plan.level)
        found.append(
            FillChange(
                rows_of=rows_of,
                column=column,
                n=int(n1),
                n_before=int(n0),
                share=float(share),
                share_before=float(before),
                low=float(low),
                high=float(high),
                q_value=float(q_value),
                period=period.label,
                baseline=baseline.label,
            )
        )
    return tuple(found)


def won_new_deals(data: Tables) -> pd.DataFrame:
    """Won deals that a lead should stand behind: expansions and renewals need none."""
    deals = new_business(data)
    return deals[deals["outcome"] == "won"]


def _marks(data: Tables) -> list[tuple[str, str, pd.Series, pd.Series]]:
    """Each field: whose rows, its name, when the rows happened, whether it is filled."""
    leads, deals = data.leads, data.deals
    marks = []
    if not leads.empty:
        at = leads["created_at"]
        marks += [("leads", name, at, ~is_unknown(leads[name])) for name in _LEAD_COLUMNS]
        for table, name in (("touches", "touch"), ("activities", "activity")):
            if data.has(table):
                # one number per lead, so that big tables never come into a frame
                known = data.sql(f"select distinct lead_id from {table}")["lead_id"]
                is_known = leads["lead_id"].isin(known.dropna())
                marks.append(("leads", name, at, is_known))
                if name == "activity":
                    worked = leads[is_known]
                    is_assigned = worked["assigned_at"].notna()
                    marks.append(("worked leads", "assigned_at", at[is_known], is_assigned))
    for outcome, names in (("won", _WON_COLUMNS), ("lost", _LOST_COLUMNS)):
        chosen = deals[deals["outcome"] == outcome]
        if chosen.empty:
            continue
        rows_of, at = f"{outcome} deals", chosen["closed_at"]
        marks += [(rows_of, name, at, ~is_unknown(chosen[name])) for name in names]
    new = won_new_deals(data)
    if not new.empty:
        at = new["closed_at"]
        marks.append(("won new deals", "lead_id", at, new["lead_id"].notna()))
        if not leads.empty:
            of_lead = leads.set_index("lead_id")["channel"].reindex(new["lead_id"])
            known = pd.Series(~is_unknown(of_lead).to_numpy(), index=new.index)
            marks.append(("won new deals", "channel", at, known))
    return marks


def _p_value(k1: int, n1: int, k0: int, n0: int) -> float:
    """Two proportions, pooled z: the samples of interest are large, and 0.001 is what counts."""
    from scipy.stats import norm

    pooled = (k1 + k0) / (n1 + n0)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    return float(2 * norm.sf(abs(k1 / n1 - k0 / n0) / spread)) if spread > 0 else 1.0
