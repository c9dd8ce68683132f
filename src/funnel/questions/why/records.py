"""Gaps in the records that leave a figure without a comparison."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from funnel.checks import outcomes_recorded_since, stopped_sources
from funnel.checks.currencies import mixed_currencies
from funnel.contract.periods import Comparison, Period

if TYPE_CHECKING:
    from funnel.dataset import Tables

_RARE = 0.01
_MOST = 0.5


@dataclass(frozen=True)
class Gap:
    """Why a figure has no comparison.

    Attributes
    ----------
    code
        `no table`, `no rows`, `recorded since`, `records end`, `currencies`, `no amounts`,
        `no lost deals`, `no opening time`, `no month`, `month missing`, `month half loaded`,
        `too few rows`, `empty window`, `unknown segment`, `no segments of accounts`,
        `account currencies`.
    subject
        The table, column, stage, segment or kind of rows that it is about.
    on
        The day from which, or up to which, there are records.
    """

    code: str
    subject: str = ""
    on: dt.date | None = None

    def as_row(self) -> dict[str, str]:
        """Its cells: `gap`, `gap_subject` and `gap_on`."""
        day = self.on.isoformat() if self.on else ""
        return {"gap": self.code, "gap_subject": self.subject, "gap_on": day}

    def has_rows(self, window: Period) -> bool:
        """Whether the records reach into a window.

        Examples
        --------
        >>> spring = Period.between(dt.date(2026, 4, 1), dt.date(2026, 7, 1))
        >>> Gap("recorded since", "won deals", dt.date(2026, 7, 1)).has_rows(spring)
        False
        """
        if self.on is None:
            return True
        if self.code == "recorded since":
            return self.on <= window.end
        return self.on >= window.start


def currency_gap(data: Tables) -> Gap | None:
    """The gap of a sum over several currencies."""
    mixed = mixed_currencies(data)
    return Gap("currencies", mixed.listed) if mixed else None


def record_gaps(data: Tables, comparison: Comparison) -> dict[str, Gap | None]:
    """Gaps of the records of `leads`, `closed` and `won` deals in two windows."""
    closed = data.deals[data.deals["outcome"].isin(["won", "lost"])]
    won = closed[closed["outcome"] == "won"]
    gaps = {
        "won": _begin(data, comparison, "deals", "won deals", won["closed_at"]),
        "closed": _begin(data, comparison, "deals", "closed deals", closed["closed_at"]),
        "leads": _begin(data, comparison, "leads", "leads", data.leads["created_at"]),
    }
    if gaps["won"] is None:
        covered = outcomes_recorded_since(data, "won").covered_from
        if covered is not None and covered > comparison.baseline.start:
            gaps["won"] = gaps["closed"] = Gap("recorded since", "won deals", covered)
    by_lead = not won.empty and won["lead_id"].notna().mean() > _MOST
    fed = {"leads": ("leads", "won", "closed") if by_lead else ("leads",)}
    fed["deals"] = ("won", "closed")
    for source in stopped_sources(data):
        if source.channel or source.last_on >= comparison.period.end:
            continue
        for record in fed.get(source.table, ()):
            gaps[record] = gaps[record] or Gap("records end", source.table, source.last_on)
    return gaps


def _begin(
    data: Tables, comparison: Comparison, table: str, subject: str, moments: pd.Series
) -> Gap | None:
    """A gap where the record begins after the window that the period is compared with.

    A first row some way into that window may be chance. It is the start of the record where so
    many days without a row would be rare at the frequency of the year that follows.
    """
    plan, baseline = data.plan, comparison.baseline
    if not data.has(table):
        return Gap("no table", table)
    if moments.empty:
        return Gap("no rows", subject)
    first, start = moments.min(), plan.midnight(baseline.start)
    if first < start:
        return None
    seen_until = min(first + pd.Timedelta(days=365), plan.midnight(comparison.period.after))
    days = max((seen_until - first) / pd.Timedelta(days=1), 1.0)
    per_day = (moments <= seen_until).sum() / days
    waited = (first - start) / pd.Timedelta(days=1)
    if first < plan.midnight(baseline.after) and math.exp(-per_day * waited) > _RARE:
        return None
    return Gap("recorded since", subject, first.tz_convert(plan.company.timezone).date())
