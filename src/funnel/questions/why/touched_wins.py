"""The largest amount of a driver that a change of the records can explain, from its rows.

Every contribution goes through wins of the two periods. Rows that are recorded in another way move
the contributions of the wins that come from them, and of no others; rows that are missing, or there
twice, move those of as many average rows. Both are counted over all leads and deals that the bridge
follows, however far back they were created.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks.breaks import record_break as kinds
from funnel.checks.breaks.record_break import RecordBreak
from funnel.checks.fields import is_unknown
from funnel.dataset.cache import cached
from funnel.methods.bridge.other_deals import WITHOUT_LEAD
from funnel.methods.bridge.stage_history import won_deals

if TYPE_CHECKING:
    from funnel.dataset import Tables


@cached
def wins_of_both(data: Tables) -> pd.DataFrame:
    """Deals won in either period: `won_deals` with `value` filled, their dates and their lead.

    `closed_at`, `opened_at`, `lead_at` (of the lead), `lead_id`; `begins_at`, the earliest of the
    last two: where the deal came from.
    """
    wins = won_deals(data)
    deals = data.deals.set_index("deal_id").reindex(wins["deal_id"]).reset_index()
    lead_id = deals["lead_id"] if "lead_id" in deals else pd.Series(None, deals.index, dtype="str")
    created = data.leads.set_index("lead_id")["created_at"] if data.has("leads") else pd.Series()
    lead_at = lead_id.map(created[~created.index.duplicated()]).astype(deals["closed_at"].dtype)
    return wins.assign(
        value=wins["value"].fillna(0.0),
        is_filled=wins["value"].notna(),
        closed_at=deals["closed_at"],
        opened_at=deals["created_at"],
        lead_at=lead_at,
        begins_at=lead_at.where(lead_at < deals["created_at"], deals["created_at"]),
        lead_id=lead_id,
    )


def value_of(data: Tables, touched: pd.Series) -> float:
    """What the two periods won by some of their deals, refunds counted as they are large."""
    return float(wins_of_both(data)["value"].abs()[touched].sum())


def larger_value(data: Tables) -> float:
    """What the two periods won, the larger of the two."""
    wins = wins_of_both(data)
    return float(wins["value"].abs().groupby(wins["in_period"]).sum().max()) if len(wins) else 0.0


def begun_before(data: Tables, day: dt.date) -> float:
    """Value of the wins whose lead, or deal where none is known, was created before a day."""
    return value_of(data, wins_of_both(data)["begins_at"] < data.plan.midnight(day))


def of_rows(data: Tables, table: str, n: float) -> float:
    """Value of as many average rows of a table as are missing, or too many.

    Rows per period are those of the period with fewer, so that a row is worth more.
    """
    if table not in ("leads", "deals"):
        return math.inf
    at, comparison = getattr(data, table)["created_at"], data.comparison
    rows = min(
        int(data.plan.within(at, each).sum()) for each in (comparison.period, comparison.baseline)
    )
    return larger_value(data) * n / rows if rows else math.inf


def of_latest(data: Tables, table: str, days: float) -> float:
    """Value of the wins of a period that come from rows of its last days, the larger of the two.

    Of leads, those won within so many days of their creation: what is missing at the end could not
    have come in later. Of all other tables, the wins closed in those days.
    """
    wins, comparison = wins_of_both(data), data.comparison
    ends = {
        is_period: data.plan.midnight(each.after)
        for is_period, each in ((False, comparison.baseline), (True, comparison.period))
    }
    end = wins["in_period"].map(ends)
    at = wins["lead_at"] if table == "leads" else wins["closed_at"]
    latest = wins[at >= end - pd.Timedelta(days=days)]
    sums = latest["value"].abs().groupby(latest["in_period"]).sum()
    return float(sums.max()) if len(sums) else 0.0


def of_unknown(data: Tables, column: str) -> float:
    """Value of the wins whose lead has nothing known in a column."""
    leads, wins = data.leads, wins_of_both(data)
    unknown = leads.loc[is_unknown(leads[column]), "lead_id"]
    return value_of(data, wins["lead_id"].isin(unknown))


def without_amount(data: Tables) -> float:
    """Won deals of both periods that have no amount, at the mean of those that have one."""
    wins = wins_of_both(data)
    filled = wins["is_filled"]
    mean = float(wins.loc[filled, "value"].abs().mean()) if filled.any() else math.inf
    return mean * int((~filled).sum()) if (~filled).any() else 0.0


def of_break(data: Tables, broken: RecordBreak) -> float:
    """The largest amount of a driver that a break explains; infinity where rows do not bound it."""
    wins, since = wins_of_both(data), data.plan.midnight(broken.since)
    if math.isfinite(broken.at_most):
        return broken.at_most if data.plan.measure == "bookings" else math.inf
    where = (broken.what, broken.table)
    if broken.what == kinds.RENAMED and broken.column in data.leads and broken.table == "leads":
        ids = data.leads.loc[data.leads[broken.column].isin(broken.words), "lead_id"]
        return value_of(data, wins["lead_id"].isin(ids))
    if where == (kinds.FIELD_CHANGED, "leads"):
        return of_unknown(data, broken.column)
    if where == (kinds.FIELD_CHANGED, "deals") and broken.column == "amount":
        return without_amount(data)
    if where in ((kinds.FIELD_CHANGED, "deals"), (kinds.TABLE_BEGINS, "leads")):
        return value_of(data, wins["driver"] == WITHOUT_LEAD)
    if where == (kinds.TABLE_BEGINS, "stage_changes"):
        return begun_before(data, broken.since)
    if where == (kinds.INTERRUPTED, "stage_changes"):
        until = since + pd.Timedelta(days=broken.days)
        return value_of(data, (wins["begins_at"] < until) & (wins["closed_at"] >= since))
    if broken.what == kinds.INTERRUPTED:
        return of_rows(data, broken.table, broken.expected)
    if broken.what in (kinds.ONE_TIME, kinds.MASS_EXIT, kinds.DOUBLED, kinds.REJECTED):
        is_stage = broken.table == "stage_changes" and broken.what != kinds.MASS_EXIT
        return math.inf if is_stage else of_rows(data, _followed(broken.table), broken.n)
    if broken.what == kinds.SURVIVORS:
        before = wins["lead_at"] < since
        if broken.column:
            ids = data.leads.loc[data.leads[broken.column].isin(broken.words), "lead_id"]
            before &= wins["lead_id"].isin(ids)
        return value_of(data, before)
    if broken.what == kinds.ONLY_WON:
        return value_of(data, wins["closed_at"] < since)
    if broken.what == kinds.MIGRATED:
        # what came before cannot be placed in time, so wherever a win comes from it, nothing holds
        return math.inf if begun_before(data, broken.since + dt.timedelta(days=1)) else 0.0
    if broken.what == kinds.SAME_DAY:
        day = data.plan.local_days
        return value_of(data, day(wins["opened_at"]) == day(wins["closed_at"]))
    return math.inf


def _followed(table: str) -> str:
    """The table whose rows those of another one follow: an exit is one of a lead."""
    return "leads" if table == "stage_changes" else table
