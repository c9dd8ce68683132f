"""What is measured in a period, and from which rows."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks import (
    MixedCurrencies,
    mixed_currencies,
    outcomes_recorded_since,
    stopped_sources,
)
from funnel.checks.text import sentence
from funnel.contract.periods import Comparison, Period
from funnel.questions.why.period_text import span
from funnel.questions.why.totals import change_of_means, change_of_totals, weekly_dispersion
from funnel.results import Say, formats
from funnel.stats import difference_of_rates

if TYPE_CHECKING:
    from funnel.dataset import Tables

RARE = 0.01
HALF = 0.5
NEW_MRR = "new mrr"


@dataclass(frozen=True)
class Measured:
    """One measure in both periods, before its verdict."""

    unit: str
    counted: str
    value: float = math.nan
    baseline: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)
    n: tuple[int, int] = (0, 0)
    why: str = ""
    rows: tuple[tuple[str, pd.Series, pd.Series], ...] = ()


@dataclass(frozen=True, eq=False)
class Facts:
    """The rows that measures are taken from, and what is known of their record."""

    data: Tables
    comparison: Comparison
    leads: pd.DataFrame
    closed: pd.DataFrame
    won: pd.DataFrame
    since: dict[str, str] = field(default_factory=dict)

    def within(self, rows: pd.DataFrame, at: str, period: Period) -> pd.DataFrame:
        """Rows of which `at` falls into a period, by local midnight."""
        plan = self.data.plan
        start, after = (pd.Timestamp(plan.midnight(day)) for day in (period.start, period.after))
        return rows[(rows[at] >= start) & (rows[at] < after)]

    def both(self, rows: pd.DataFrame, at: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Rows of the period, and of the one it is compared with."""
        comparison = self.comparison
        return (
            self.within(rows, at, comparison.period),
            self.within(rows, at, comparison.baseline),
        )

    def dispersion(self, rows: pd.DataFrame, at: str) -> float:
        """How much more the rows' weekly number varies than that of independent events."""
        end = pd.Timestamp(self.data.plan.midnight(self.comparison.period.after))
        return weekly_dispersion(rows[at].dropna(), end)


def facts_of(data: Tables, comparison: Comparison | None = None) -> Facts:
    """Gather what the measures are taken from; without a comparison, for the plan's."""
    deals = data.deals
    closed = deals[deals["outcome"].isin(["won", "lost"])]
    won = deals[deals["outcome"] == "won"]
    facts = Facts(data, comparison or data.comparison, data.leads, closed, won)
    facts.since["won"] = _record_begins(facts, "won deals", facts.won, "closed_at")
    facts.since["closed"] = _record_begins(facts, "closed deals", closed, "closed_at")
    facts.since["leads"] = _record_begins(facts, "leads", facts.leads, "created_at")
    if not facts.since["won"]:
        covered = outcomes_recorded_since(data, "won").covered_from
        if covered is not None and covered > facts.comparison.baseline.start:
            facts.since["won"] = facts.since["closed"] = _begins("won deals", covered, facts)
    _note_stopped_sources(facts)
    return facts


def _note_stopped_sources(facts: Facts) -> None:
    """Say so where a measure's own rows, or the leads it grows from, end before the period does."""
    data = facts.data
    by_lead = not facts.won.empty and facts.won["lead_id"].notna().mean() > HALF
    feeds = {"leads": ("leads",), "deals": ("won", "closed")}
    for source in stopped_sources(data):
        if source.channel or source.last_on >= facts.comparison.period.end:
            continue
        measures = feeds.get(source.table, ())
        if source.table == "leads" and by_lead:
            measures = ("leads", "won", "closed")
        day = formats.day(source.last_on, data.plan.company)
        for measure in measures:
            facts.since[measure] = facts.since[measure] or (
                f"`{source.table}` end on {day}, before the period does, so that later figures "
                "show the end of the record and not of the business"
            )


def _record_begins(facts: Facts, what: str, rows: pd.DataFrame, at: str) -> str:
    """Say so where the record begins after the comparison period does; else nothing.

    A first row some way into the period may be chance. It is taken for the begin of the record
    where that many days without one would be rare at the pace of the year that follows.
    """
    data, baseline = facts.data, facts.comparison.baseline
    if not data.has("leads" if what == "leads" else "deals"):
        return f"there is no table of {'leads' if what == 'leads' else 'deals'}"
    if rows.empty:
        return f"there are no {what}"
    first = rows[at].min()
    start = pd.Timestamp(data.plan.midnight(baseline.start))
    if first < start:
        return ""
    year_later = first + pd.Timedelta(days=365)
    seen_until = min(year_later, pd.Timestamp(data.plan.midnight(facts.comparison.period.after)))
    days = max((seen_until - first) / pd.Timedelta(days=1), 1.0)
    pace = (rows[at] <= seen_until).sum() / days
    waited = (first - start) / pd.Timedelta(days=1)
    after = pd.Timestamp(data.plan.midnight(baseline.after))
    if first < after and math.exp(-pace * waited) > RARE:
        return ""
    local = first.tz_convert(data.plan.company.timezone).date()
    return _begins(what, local, facts)


def _begins(what: str, day: dt.date, facts: Facts) -> str:
    company, baseline = facts.data.plan.company, facts.comparison.baseline
    part = "lies before that" if day > baseline.end else "is covered in part only"
    return (
        f"{what} are recorded from {formats.day(day, company)} on, and the comparison period, "
        f"{span(baseline, company)}, {part}"
    )


def _reason(mixed: MixedCurrencies, data: Tables) -> str:
    words = sentence(mixed, Say(data.plan.company, data.plan.level)).removesuffix(".")
    return f"{words[0].lower()}{words[1:]}"


def _bookings(facts: Facts) -> Measured:
    return _total(facts, "amount", "bookings")


def _total(facts: Facts, column: str, name: str) -> Measured:
    if facts.won.empty:
        return Measured("money", "won deals", why=facts.since["won"])
    if mixed := mixed_currencies(facts.data):
        return Measured("money", "won deals", why=_reason(mixed, facts.data))
    if facts.won[column].isna().all():
        return Measured("money", "won deals", why=f"no won deal carries an `{column}`")
    now, then = facts.both(facts.won, "closed_at")
    sums = [each[column].fillna(0.0) for each in (now, then)]
    interval = change_of_totals(
        *sums,
        facts.data.plan.level,
        history=facts.won[column].dropna(),
        dispersion=facts.dispersion(facts.won, "closed_at"),
    )
    return Measured(
        "money",
        "won deals",
        *(float(each.sum()) for each in sums),
        _possible(interval, *sums),
        (len(now), len(then)),
        facts.since["won"],
        (("deals", now["deal_id"], then["deal_id"]),),
    )


def _possible(
    interval: tuple[float, float], now: pd.Series, then: pd.Series
) -> tuple[float, float]:
    """Keep to what can be: a total without refunds loses no more than all there was."""
    if (pd.concat([now, then]) < 0).any():
        return interval
    return max(interval[0], -float(then.sum())), interval[1]


def _wins(facts: Facts) -> Measured:
    return _count(facts, facts.won, "closed_at", "won", "won deals", "deals", "deal_id")


def _leads(facts: Facts) -> Measured:
    return _count(facts, facts.leads, "created_at", "leads", "leads", "leads", "lead_id")


def _count(
    facts: Facts, rows: pd.DataFrame, at: str, record: str, counted: str, table: str, key: str
) -> Measured:
    if rows.empty:
        return Measured("count", counted, why=facts.since[record])
    now, then = facts.both(rows, at)
    interval = change_of_totals(
        np.ones(len(now)),
        np.ones(len(then)),
        facts.data.plan.level,
        history=np.ones(1),
        dispersion=facts.dispersion(rows, at),
    )
    return Measured(
        "count",
        counted,
        float(len(now)),
        float(len(then)),
        (max(interval[0], -float(len(then))), interval[1]),
        (len(now), len(then)),
        facts.since[record],
        ((table, now[key], then[key]),),
    )


def _deal_size(facts: Facts) -> Measured:
    sized = facts.won[facts.won["amount"].notna()]
    if sized.empty:
        why = facts.since["won"] if facts.won.empty else "no won deal carries an `amount`"
        return Measured("money", "won deals with an amount", why=why)
    if mixed := mixed_currencies(facts.data):
        return Measured("money", "won deals with an amount", why=_reason(mixed, facts.data))
    now, then = facts.both(sized, "closed_at")
    return Measured(
        "money",
        "won deals with an amount",
        *(float(each["amount"].mean()) for each in (now, then)),
        change_of_means(now["amount"], then["amount"], facts.data.plan.level),
        (len(now), len(then)),
        facts.since["won"] or ("" if min(len(now), len(then)) > 1 else "too few deals"),
        (("deals", now["deal_id"], then["deal_id"]),),
    )


def _win_rate(facts: Facts) -> Measured:
    counted = "closed deals"
    if facts.closed.empty:
        return Measured("rate", counted, why=facts.since["closed"])
    if not (facts.closed["outcome"] == "lost").any():
        return Measured("rate", counted, why="no lost deal is recorded, so it has no denominator")
    now, then = facts.both(facts.closed, "closed_at")
    wins = [int((each["outcome"] == "won").sum()) for each in (now, then)]
    sizes = (len(now), len(then))
    known = min(sizes) > 0
    interval = (
        difference_of_rates(wins[0], sizes[0], wins[1], sizes[1], facts.data.plan.level)
        if known
        else (math.nan, math.nan)
    )
    return Measured(
        "rate",
        counted,
        *(won / n if n else math.nan for won, n in zip(wins, sizes, strict=True)),
        (float(interval[0]), float(interval[1])),
        sizes,
        facts.since["closed"] or ("" if known else "no deal was closed in one of the periods"),
        (("deals", now["deal_id"], then["deal_id"]),),
    )


def _mrr(facts: Facts) -> Measured:
    """Recurring revenue of the last month in each period that holds any; else that of won deals."""
    data = facts.data
    if not data.has("subscriptions", "mrr"):
        return _total(facts, "mrr", "mrr") if data.has("deals", "mrr") else Measured(
            "money", "accounts", why="there is no table of subscriptions"
        )  # fmt: skip
    comparison = facts.comparison
    now, then = (_last_month(data, each) for each in (comparison.period, comparison.baseline))
    if now.empty or then.empty:
        return Measured("money", "accounts", why="no month of one of the periods is recorded")
    change = now.sub(then, fill_value=0.0)
    interval = change_of_totals(
        change[change > 0], -change[change < 0], data.plan.level, history=now
    )
    accounts = [each[each > 0].index.to_series() for each in (now, then)]
    return Measured(
        "money",
        "accounts",
        float(now.sum()),
        float(then.sum()),
        interval,
        (len(accounts[0]), len(accounts[1])),
        rows=(("subscriptions", *accounts),),
    )


def _new_mrr(facts: Facts) -> Measured:
    """Recurring revenue of the deals won in a period, which is what a bridge shares out."""
    return _total(facts, "mrr", NEW_MRR)


def _last_month(data: Tables, period: Period) -> pd.Series:
    months = data.subscriptions
    start = pd.Timestamp(period.start.replace(day=1))
    held = months[(months["month"] >= start) & (months["month"] <= pd.Timestamp(period.end))]
    last = held[held["month"] == held["month"].max()]
    return last.groupby("account_id")["mrr"].sum()


def measures_of(data: Tables) -> dict[str, Callable[[Facts], Measured]]:
    """Give what is measured in a company's periods, that of its plan first."""
    measure, of_deals = data.plan.measure, data.has("deals", "mrr")
    of_accounts = data.has("subscriptions", "mrr")
    first = {measure: MEASURES[measure]}
    if measure == "mrr" and of_deals:
        first = {NEW_MRR: _new_mrr}
    has_more = of_accounts or (of_deals and measure != "mrr")
    rest = [name for name in MEASURES if name not in first and (name != "mrr" or has_more)]
    return first | {name: MEASURES[name] for name in rest}


MEASURES: dict[str, Callable[[Facts], Measured]] = {
    "bookings": _bookings,
    "wins": _wins,
    "leads": _leads,
    "average deal size": _deal_size,
    "win rate": _win_rate,
    "mrr": _mrr,
}
