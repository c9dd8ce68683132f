"""Figures of a dataset in two windows of days: totals, counts, rates, deal size and times.

There is one way to measure each figure. The period's change, the claims and the actions all take
it from here.
"""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.checks import deal_gaps, is_unknown
from funnel.checks.deal_records import NO_OPENING
from funnel.checks.subscription_months import HALF_LOADED_MONTH, MISSING_MONTH
from funnel.contract.labels import NOT_RECORDED
from funnel.contract.periods import Comparison, Period
from funnel.dataset.stages import NEW, new_business, recorded_stages
from funnel.methods.ages import leads_with_ages
from funnel.methods.bridge.expected_calendar import expected_leads
from funnel.methods.bridge.significance import like_for_like
from funnel.methods.bridge.stage_history import ordinary_weeks, won_deals
from funnel.methods.change_intervals import change_of_means, change_of_totals
from funnel.methods.loss_reasons import loss_reasons
from funnel.methods.qualification import leads_with_handoff
from funnel.methods.recurring import (
    CURRENCIES,
    NO_MONTH,
    AccountMonth,
    change_of_mrr,
    last_month,
    losses,
    recurring_revenue,
)
from funnel.questions.why.records import Gap, currency_gap, record_gaps
from funnel.questions.why.time_in_stage import Visits, share_by_age, time_by_age
from funnel.results import rows_of
from funnel.stats import (
    NARROW,
    Verdict,
    difference,
    difference_of_rates,
    median_interval,
    same_distribution,
    verdict,
)
from funnel.stats.dispersion import weekly_dispersion

if TYPE_CHECKING:
    from funnel.dataset import Tables

BOOKINGS, WINS, LEADS, ADS = "bookings", "wins", "leads", "average deal size"
WIN_RATE, MRR, NEW_MRR, TIMING = "win rate", "mrr", "new mrr", "timing"
LOGO_CHURN, FOLLOW_UP = "logo churn", "follow-up time"
DEAL_SIZE, LEAD_VOLUME, FILLED = "deal size", "lead volume", "filled"
COUNT, RATE, MONEY, DAYS, RATIO = "count", "rate", "money", "days", "ratio"
_ALIASES = {
    "lead": LEADS,
    "leads created": LEADS,
    "deals won": WINS,
    "won deals": WINS,
    "revenue": BOOKINGS,
    "sales cycle": TIMING,
    "cycle days": TIMING,
}
_STEP = re.compile(r"(.+) to (.+)")
_WEEK = 7
_PERMUTATIONS = 999


@dataclass(frozen=True)
class Measured:
    """One figure in two windows.

    Attributes
    ----------
    measure
        What is measured: `bookings`, `wins`, `leads`, `average deal size`, `win rate`, `mrr`,
        `new mrr`, `timing`, `deal size` (like for like), a step such as `mql to sal`, or
        `<column> filled`.
    unit
        `money`, `count`, `rate`, `days`, or `ratio` (like for like, of the period to the baseline).
    counted
        What the rows behind it are.
    change, low, high
        In the unit; of a rate and a ratio as a share.
    n
        Rows in the period and in the baseline.
    gap
        Why there is no comparison; missing where there is one.
    age_days
        Age up to which visits are compared; missing for calendar figures.
    is_expected
        Whether `baseline` is adjusted for the expected calendar and season.
    direction
        1 where more of it adds to the period's value, -1 where it takes from it.
    p_value
        Of a rank test of the values, or of a permutation test of the shares; missing for others.
    rows
        Tables with their ids in both windows.
    """

    measure: str
    unit: str
    counted: str
    value: float = math.nan
    baseline: float = math.nan
    change: float = math.nan
    low: float = math.nan
    high: float = math.nan
    n: tuple[int, int] = (0, 0)
    gap: Gap | None = None
    age_days: float = math.nan
    is_expected: bool = False
    direction: int = 1
    p_value: float = math.nan
    rows: tuple[tuple[str, pd.Series, pd.Series], ...] = ()

    @property
    def verdict(self) -> Verdict:
        """By the rule of all figures: a tenth of the baseline is the margin."""
        whole = 1.0 if self.unit == RATIO else abs(self.baseline)
        return verdict(self.low, self.high, NARROW * whole if math.isfinite(whole) else 0.0)

    def as_row(self) -> dict[str, Any]:
        """Its cells, with those of its gap."""
        names = ("measure", "unit", "counted", "value", "baseline", "change", "low", "high")
        cells = {name: getattr(self, name) for name in (*names, "age_days", "is_expected")}
        cells |= {"n_period": self.n[0], "n_baseline": self.n[1], "verdict": self.verdict}
        return cells | (self.gap or Gap("")).as_row()

    def rows_behind(self, label: str, windows: Comparison) -> list[pd.DataFrame]:
        """Its rows in each of both windows, labelled as the figure of a result."""
        return [
            rows_of(f"{label}, {window.label}", table, ids)
            for table, *both in self.rows
            for window, ids in zip((windows.period, windows.baseline), both, strict=True)
        ]

    @property
    def sign(self) -> int:
        """Direction of its change, seen from the period's value; 0 for none."""
        return self.direction * (int(self.change > 0) - int(self.change < 0))


def canonical(name: str) -> str:
    """Name of a measure, as people write it, in the words of `Measures.names`.

    Examples
    --------
    >>> [canonical(name) for name in ("Won deals", "lead_volume")]
    ['wins', 'leads']
    """
    key = re.sub(r"[\s_-]+", " ", name).strip().casefold()
    return _ALIASES.get(key, {LEAD_VOLUME: LEADS, DEAL_SIZE: ADS}.get(key, key))


class Measures:
    """Figures of one dataset, for everybody or for one segment.

    Parameters
    ----------
    comparison
        The two windows; without it, those of the plan.
    segment
        Name of a segment as in the plan's segment columns; empty for everybody.
    column
        The column of leads that holds the segment, where it is none of the plan's.
    """

    def __init__(
        self,
        data: Tables,
        comparison: Comparison | None = None,
        segment: str = "",
        column: str = "",
    ) -> None:
        self.data = data
        self.comparison = comparison or data.comparison
        self.segment = segment
        self._segment_columns = (column,) if column else data.plan.segments
        self._is_of_plan = self.comparison == data.comparison

    def against(self, baseline: Period) -> Measures:
        """The same rows, compared with another window."""
        other = copy.copy(self)  # with the rows of the segment that were found
        other.__dict__.pop("_gaps", None)
        other.comparison = replace(self.comparison, baseline=baseline)
        other._is_of_plan = False
        return other

    @property
    def has_rows(self) -> bool:
        """Whether any lead (or deal) is of the segment."""
        return self._units is None or len(self._units) > 0

    def names(self) -> list[str]:
        """Names of what can be measured."""
        return [*_CALENDAR_FIGURES, *self.steps(), TIMING, "<column> filled"]

    def drivers(self) -> list[str]:
        """Drivers of the bridge that have a figure of their own."""
        return [LEAD_VOLUME, *self.steps(), TIMING, DEAL_SIZE]

    def steps(self) -> list[str]:
        """Pairs of recorded stages, as the bridge names them."""
        return [f"{a} to {b}" for a, b in itertools.pairwise(recorded_stages(self.data))]

    def period_figures(self) -> list[Measured]:
        """Calendar figures of the period, the plan's own first."""
        measure, of_deals = self.data.plan.measure, self.data.has("deals", "mrr")
        first = NEW_MRR if measure == MRR and of_deals else measure
        has_mrr = self.data.has("subscriptions", "mrr") or (of_deals and measure != MRR)
        there = {MRR: has_mrr, LOGO_CHURN: has_mrr and not self.data.has("deals")}
        names = [name for name in _CALENDAR_FIGURES if there.get(name, True)]
        ordered = dict.fromkeys([first, *names])
        return [self._calendar_figure(name) for name in ordered]

    def figure(self, name: str) -> Measured | None:
        """A figure by its name in `names`, or as people write it; `None` where there is no such."""
        key = canonical(name)
        if not self.has_rows:
            return Measured(key, COUNT, "rows", gap=Gap("unknown segment", self.segment))
        if key in _CALENDAR_FIGURES:
            return self._calendar_figure(key)
        if key == TIMING:
            return self._time_open()
        if key.endswith(" filled"):
            return self._filled(key.removesuffix(" filled"))
        match = _STEP.fullmatch(key)
        return self._step(match[1], match[2]) if match else None

    def driver(self, name: str) -> Measured | None:
        """The figure that a driver of the bridge is about; `None` where it cannot be measured."""
        if not self.has_rows:
            return None
        if name == LEAD_VOLUME:
            found = self._expected_leads()
        elif name == DEAL_SIZE:
            found = self._deal_size()
        elif name == TIMING:
            found = self._time_open()
        else:
            match = _STEP.fullmatch(name.casefold())
            found = self._step(match[1], match[2]) if match else None
        if found is None or found.gap or not math.isfinite(found.low):
            return None
        return found

    # rows

    @cached_property
    def _units(self) -> pd.Index | None:
        """Leads (without any, deals) of the segment; `None` for everybody."""
        if not self.segment:
            return None
        data = self.data
        table, key = ("leads", "lead_id") if data.has("leads") else ("deals", "deal_id")
        frame = getattr(data, table)
        columns = [name for name in self._segment_columns if data.has(table, name)]
        wanted = self.segment.strip().casefold()
        names = [_folded(frame[name]) for name in columns]
        if len(names) > 1:
            joined = names[0]
            for other in names[1:]:
                joined = joined + " / " + other
            names.append(joined)
        found = np.zeros(len(frame), bool)
        for each in names:
            found |= each.eq(wanted).to_numpy(bool, na_value=False)
        return pd.Index(frame.loc[found, key])

    def _of_segment(self, rows: pd.DataFrame) -> pd.DataFrame:
        if self._units is None:
            return rows
        key = "lead_id" if self.data.has("leads") else "deal_id"
        return rows[rows[key].isin(self._units)] if key in rows else rows

    @cached_property
    def leads(self) -> pd.DataFrame:
        """Leads of the segment."""
        return self._of_segment(self.data.leads)

    @cached_property
    def closed(self) -> pd.DataFrame:
        """Won and lost deals of the segment."""
        return self._of_segment(self.data.deals[self.data.deals["outcome"].isin(["won", "lost"])])

    @cached_property
    def won(self) -> pd.DataFrame:
        """Won deals of the segment."""
        return self.closed[self.closed["outcome"] == "won"]

    @cached_property
    def _gaps(self) -> dict[str, Gap | None]:
        return record_gaps(self.data, self.comparison)

    def both(self, rows: pd.DataFrame, at: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Rows of the period, and of the window it is compared with."""
        now, then = (
            rows[self.data.plan.within(rows[at], each)]
            for each in (self.comparison.period, self.comparison.baseline)
        )
        return now, then

    def _dispersion(self, moments: pd.Series) -> float:
        """Variance over mean of weekly numbers before the period's end, at least 1."""
        end = self.comparison.period.after
        monday = end - dt.timedelta(days=end.weekday())
        day = self.data.plan.local_days(moments.dropna())
        week = (pd.Timestamp(monday) - day).dt.days.sub(1).floordiv(_WEEK)
        week = week[week >= 0]
        n_weeks = int(week.max()) if len(week) else 0  # the oldest week is cut short
        counts = np.bincount(week[week < n_weeks], minlength=n_weeks).astype(float)
        ordinary = ordinary_weeks(monday, n_weeks, self.data.plan.company.country)
        return max(1.0, weekly_dispersion(counts, ordinary))

    # calendar figures

    def _calendar_figure(self, name: str) -> Measured:
        if name in (MRR, LOGO_CHURN) and self._units is not None:
            return Measured(name, MONEY, "accounts", gap=Gap("no segments of accounts"))
        return _CALENDAR_FIGURES[name](self) if name != NEW_MRR else self._total("mrr", NEW_MRR)

    def _total(self, column: str, name: str) -> Measured:
        empty = Measured(name, MONEY, "won deals")
        if self.won.empty:
            return _without(empty, self._gaps["won"] or Gap("no rows", "won deals"))
        if gap := currency_gap(self.data):
            return _without(empty, gap)
        if self.won[column].isna().all():
            return _without(empty, Gap("no amounts", column))
        now, then = self.both(self.won, "closed_at")
        sums = [each[column].fillna(0.0) for each in (now, then)]
        low, high = change_of_totals(
            *sums,
            self.data.plan.level,
            history=self.won[column].dropna(),
            dispersion=self._dispersion(self.won["closed_at"]),
        )
        if not (pd.concat(sums) < 0).any():
            low = max(low, -float(sums[1].sum()))  # without refunds no more is lost than there was
        return self._measured(
            empty, *(float(each.sum()) for each in sums), low, high, "won", "deals", now, then
        )

    def _wins(self) -> Measured:
        return self._count(self.won, "closed_at", "won", Measured(WINS, COUNT, "won deals"))

    def _leads(self) -> Measured:
        return self._count(self.leads, "created_at", "leads", Measured(LEADS, COUNT, "leads"))

    def _count(self, rows: pd.DataFrame, at: str, record: str, empty: Measured) -> Measured:
        if rows.empty:
            return _without(empty, self._gaps[record] or Gap("no rows", empty.counted))
        now, then = self.both(rows, at)
        low, high = change_of_totals(
            np.ones(len(now)),
            np.ones(len(then)),
            self.data.plan.level,
            history=np.ones(1),
            dispersion=self._dispersion(rows[at]),
        )
        table = "leads" if record == "leads" else "deals"
        low = max(low, -float(len(then)))
        return self._measured(
            empty, float(len(now)), float(len(then)), low, high, record, table, now, then
        )

    def _average_deal_size(self) -> Measured:
        empty = Measured(ADS, MONEY, "won deals with an amount")
        sized = self.won[self.won["amount"].notna()]
        if sized.empty:
            gap = self._gaps["won"] if self.won.empty else Gap("no amounts", "amount")
            return _without(empty, gap or Gap("no rows", "won deals"))
        if gap := currency_gap(self.data):
            return _without(empty, gap)
        now, then = self.both(sized, "closed_at")
        found = self._measured(
            empty,
            *(float(each["amount"].mean()) for each in (now, then)),
            *change_of_means(now["amount"], then["amount"], self.data.plan.level),
            "won",
            "deals",
            now,
            then,
        )
        return found if min(found.n) > 1 else _without(found, found.gap or Gap("too few rows"))

    def _win_rate(self) -> Measured:
        """Of new business: expansions and renewals are hardly ever recorded as lost."""
        empty = Measured(WIN_RATE, RATE, "closed deals")
        closed = self.closed[self.closed["kind"].fillna(NEW).eq(NEW)]
        if closed.empty:
            return _without(empty, self._gaps["closed"] or Gap("no rows", "closed deals"))
        if not (closed["outcome"] == "lost").any():
            return _without(empty, Gap("no lost deals"))
        now, then = self.both(closed.assign(hit=closed["outcome"] == "won"), "closed_at")
        return self._share(empty, "closed", "deals", now, then)

    def _mrr(self) -> Measured:
        """Recurring revenue of the last month in each period that has any; else of won deals."""
        data, empty = self.data, Measured(MRR, MONEY, "accounts")
        if not data.has("subscriptions", "mrr"):
            if data.has("deals", "mrr"):
                return self._total("mrr", MRR)
            return _without(empty, Gap("no table", "subscriptions"))
        months = [last_month(data, each) for each in self._periods]
        now, then = (recurring_revenue(data, each) for each in months)
        if gap := _month_gap(*months):
            value, baseline = (
                math.nan if month.gap else float(mrr.sum())
                for month, mrr in zip(months, (now, then), strict=True)
            )
            return _without(replace(empty, value=value, baseline=baseline), gap)
        low, high = change_of_mrr(now, then, data.plan.level)
        ids = [each.index.to_series() for each in (now, then)]
        value, baseline = float(now.sum()), float(then.sum())
        figures = value, baseline, value - baseline, low, high
        return _of(empty, *figures, "subscriptions", *ids)

    def _logo_churn(self) -> Measured:
        """Share of the accounts that paid in the month before a period and not in its last one."""
        empty = Measured(LOGO_CHURN, RATE, "accounts", direction=-1)
        if not self.data.has("subscriptions", "mrr"):
            return _without(empty, Gap("no table", "subscriptions"))
        now, then = (losses(self.data, each) for each in self._periods)
        if gap := _month_gap(now.before, now.last, then.before, then.last):
            return _without(empty, gap)
        if now.base.empty or then.base.empty:
            return _without(empty, Gap("no month"))
        counts = len(now.lost), len(now.base), len(then.lost), len(then.base)
        rates = counts[0] / counts[1], counts[2] / counts[3]
        low, high = (float(each) for each in difference_of_rates(*counts, self.data.plan.level))
        ids = [each.base.index.to_series() for each in (now, then)]
        return _of(empty, *rates, rates[0] - rates[1], low, high, "subscriptions", *ids)

    @property
    def _periods(self) -> tuple[Period, Period]:
        return self.comparison.period, self.comparison.baseline

    def _measured(
        self,
        empty: Measured,
        value: float,
        baseline: float,
        low: float,
        high: float,
        record: str,
        table: str,
        now: pd.DataFrame,
        then: pd.DataFrame,
    ) -> Measured:
        """A calendar figure; without an interval where its record has a gap.

        In a window without any record the figure is unknown, and not 0.
        """
        key = "lead_id" if table == "leads" else "deal_id"
        gap = self._gaps.get(record)
        if gap:
            value = value if gap.has_rows(self.comparison.period) else math.nan
            baseline = baseline if gap.has_rows(self.comparison.baseline) else math.nan
        figures = value, baseline, value - baseline, low, high
        found = _of(empty, *figures, table, now[key], then[key])
        return _without(found, gap) if gap else found

    def _share(
        self, empty: Measured, record: str, table: str, now: pd.DataFrame, then: pd.DataFrame
    ) -> Measured:
        """Share of `hit` among the rows of each window."""
        hits, sizes = ([int(each["hit"].sum()) for each in (now, then)], [len(now), len(then)])
        rates = [hit / n if n else math.nan for hit, n in zip(hits, sizes, strict=True)]
        if min(sizes) == 0:
            found = self._measured(empty, *rates, math.nan, math.nan, record, table, now, then)
            return _without(found, found.gap or Gap("empty window", empty.counted))
        low, high = difference_of_rates(hits[0], sizes[0], hits[1], sizes[1], self.data.plan.level)
        return self._measured(empty, *rates, float(low), float(high), record, table, now, then)

    def _filled(self, words: str) -> Measured | None:
        """Share of rows with a column filled: of deals by closing, of leads by creation."""
        name = words.replace(" ", "_")
        for column in (name, name.removesuffix("s")):
            for table, rows, at, counted in (
                ("deals", self.closed, "closed_at", "closed deals"),
                ("leads", self.leads, "created_at", "leads"),
            ):
                if column not in rows:
                    continue
                if column in ("loss_reason", "competitor"):
                    rows, counted = rows[rows["outcome"] == "lost"], "lost deals"
                empty = Measured(f"{words} {FILLED}", RATE, counted)
                flagged = rows.assign(hit=~is_unknown(rows[column]))
                return self._share(empty, "", table, *self.both(flagged, at))
        return None

    # what leads and deals are like

    def median(self, column: str, *, of_won: bool = False) -> Measured:
        """Median of a number of leads, or of the leads of won deals."""
        from scipy.stats import mannwhitneyu  # takes a second to import

        table, rows, at, counted = self._described(column, of_won)
        unit = MONEY if column == "annual_revenue" else COUNT
        empty = Measured(f"median {column}", unit, counted)
        if gap := self._column_gap(column, rows, at):
            return _without(empty, gap)
        now, then = self.both(rows.dropna(subset=column), at)
        level, sides = self.data.plan.level, [each[column].to_numpy(float) for each in (now, then)]
        found = [median_interval(values, level) for values in sides]
        low, high = (float(end) for end in difference(*found[0], *found[1]))
        (value, *_), (baseline, *_) = found
        figures = value, baseline, value - baseline, low, high
        keys = (each[f"{table.removesuffix('s')}_id"] for each in (now, then))
        return replace(
            _of(empty, *figures, table, *keys), p_value=float(mannwhitneyu(*sides).pvalue)
        )

    def share_with(self, column: str, value: str, *, of_won: bool = False) -> Measured:
        """Share of leads, or of won deals by their lead, with a value in a column."""
        table, rows, at, counted = self._described(column, of_won)
        empty = Measured(f"share with {column} {value}", RATE, counted)
        if gap := self._column_gap(column, rows, at):
            return _without(empty, gap)
        known = rows.dropna(subset=column)
        hit = _folded(known[column]).eq(value.casefold())
        return self._tested_share(empty, table, known.assign(hit=hit), at)

    def lost_with(self, name: str, reason: str) -> Measured:
        """Share of lost deals with a recorded reason that were lost for one of `[losses]`."""
        empty = Measured(name, RATE, "lost deals with a reason", direction=-1)
        if not self.data.has("deals", "loss_reason"):
            return _without(empty, Gap("no column", "loss_reason of deals"))
        lost = self.closed[self.closed["outcome"] == "lost"]
        lost = lost[lost["kind"].fillna(NEW).eq(NEW)]  # as in the win rate
        meant = loss_reasons(lost["loss_reason"], self.data.plan.losses)
        known = lost.assign(hit=meant == reason)[meant != NOT_RECORDED]
        return self._tested_share(empty, "deals", known, "closed_at")

    def follow_up_time(self) -> Measured:
        """Days from the hand-off to the first sales action, of leads of equal age."""
        empty = Measured(FOLLOW_UP, DAYS, "leads handed over", direction=-1)
        if not self.data.has("activities"):
            return _without(empty, Gap("no table", "activities"))
        leads = self._of_segment(leads_with_handoff(self.data)).dropna(subset="handed_at")
        if leads.empty:
            return _without(empty, Gap("no rows", "leads handed over"))
        activities = self.data.activities
        activities = activities[activities["kind"].str.lower().ne("feedback").fillna(True)]
        acted = activities.merge(leads[["lead_id", "handed_at"]], on="lead_id")
        acted = acted[acted["occurred_at"] >= acted["handed_at"]]
        first = acted.groupby("lead_id")["occurred_at"].min().reindex(leads["lead_id"])
        first = first.set_axis(leads.index)
        visits = self._visits(leads["lead_id"], leads["handed_at"], first, first.notna())
        found = time_by_age(*visits, self.data.plan) if all(each.n for each in visits) else None
        return self._by_age(empty, "leads", visits, found)

    def _described(self, column: str, of_won: bool) -> tuple[str, pd.DataFrame, str, str]:
        """Table, rows with the column, the time that dates them, and what they are."""
        if not of_won:
            return "leads", self.leads, "created_at", "leads"
        if column not in self.data.leads:
            return "deals", self.won, "closed_at", "won deals"
        won = self.won.drop(columns=column, errors="ignore")
        rows = won.merge(self.data.leads[["lead_id", column]], on="lead_id")
        return "deals", rows, "closed_at", "won deals"

    def _column_gap(self, column: str, rows: pd.DataFrame, at: str) -> Gap | None:
        """Why a column cannot be compared: not recorded, in too few rows, or in other rows."""
        table = "leads" if column in self.data.leads else "deals"
        if column not in rows or not self.data.has(table, column):
            return Gap("no column", f"{column} of leads")
        filled = [~is_unknown(each[column]) for each in self.both(rows, at)]
        if min(each.sum() for each in filled) < max(self.data.plan.smallest_group, 2):
            return Gap("too few values", column)
        if abs(filled[0].mean() - filled[1].mean()) > NARROW:
            return Gap("filled otherwise", column)
        return None

    def _tested_share(self, empty: Measured, table: str, rows: pd.DataFrame, at: str) -> Measured:
        now, then = self.both(rows, at)
        found = self._share(empty, "", table, now, then)
        counts = [[int(each["hit"].sum()), int((~each["hit"]).sum())] for each in (now, then)]
        plan = self.data.plan
        p_value = same_distribution(*counts, draws=_PERMUTATIONS, seed=plan.seed).p_value
        return found if found.gap else replace(found, p_value=p_value)

    # figures of drivers

    def _expected_leads(self) -> Measured:
        """Leads, compared with the baseline's adjusted for calendar and season."""
        found = self._leads()
        expected = expected_leads(self.data) if self._is_of_plan else None
        if found.gap or expected is None or not found.baseline > 0:
            return found
        value, low, high = (found.baseline * math.exp(each) for each in expected)
        change = found.value - value
        # both intervals are of a difference, and independent
        below = math.hypot(found.change - found.low, high - value)
        above = math.hypot(found.high - found.change, value - low)
        return replace(
            found, baseline=value, change=change, low=change - below, high=change + above,
            is_expected=True,
        )  # fmt: skip

    def _deal_size(self) -> Measured | None:
        """Deal sizes like for like, as in the test of the bridge."""
        from scipy.special import ndtri

        if self.data.plan.measure == "wins" or self.data.deals.empty:
            return None
        deals = won_deals(self.data)
        deals = deals[deals["driver"] == ""]
        if self._units is not None:
            deals = deals[deals["deal_id"].isin(self._of_segment(self.data.deals)["deal_id"])]
        in_period, values = deals["in_period"].to_numpy(bool), deals["value"].to_numpy(float)
        effect, z = like_for_like(values, in_period, deals[["segment", "employees"]])
        if not (math.isfinite(z) and z):
            return None
        reach = abs(effect / z) * float(ndtri((1 + self.data.plan.level) / 2))
        change, low, high = (math.expm1(effect + each) for each in (0.0, -reach, reach))
        means = (float(deals.loc[each, "value"].mean()) for each in (in_period, ~in_period))
        ids = [deals.loc[each & (values > 0), "deal_id"] for each in (in_period, ~in_period)]
        empty = Measured(DEAL_SIZE, RATIO, "won deals")
        return _of(empty, *means, change, low, high, "deals", *ids)

    def _time_open(self) -> Measured:
        """Days that a deal stays open, of deals of equal age."""
        empty = Measured(TIMING, DAYS, "deals", direction=-1)
        deals = self._of_segment(new_business(self.data))
        if deals.empty or (gap := self._gaps["closed"]):
            return _without(empty, Gap("no rows", "deals") if deals.empty else gap)
        if not deals["outcome"].eq("lost").any():
            return _without(empty, Gap("no lost deals"))
        if any(gap.kind == NO_OPENING for gap in deal_gaps(self.data)):
            return _without(empty, Gap(NO_OPENING))
        closed_at = deals["closed_at"]
        visits = self._visits(deals["deal_id"], deals["created_at"], closed_at, closed_at.notna())
        found = time_by_age(*visits, self.data.plan) if all(each.n for each in visits) else None
        return self._by_age(empty, "deals", visits, found)

    def _step(self, first: str, second: str) -> Measured | None:
        """Share that gets from one stage to the next by an age that both windows know."""
        stages = {stage.casefold(): stage for stage in recorded_stages(self.data)}
        if first not in stages or second not in stages:
            return None
        a, b = stages[first], stages[second]
        leads = leads_with_ages(self.data)
        frame, late = leads.frame, leads.recorded_late
        empty = Measured(f"{a} to {b}", RATE, f"{leads.unit} at {a}")
        for stage in (a, b):
            if stage in late and late[stage].covered_from > self.comparison.baseline.start:
                return _without(empty, Gap("recorded since", stage, late[stage].covered_from))
        if self._units is not None:
            frame = frame[frame["lead_id"].isin(self._units)]
        frame = frame[frame[f"{a}_at"].notna()]
        lost_at = frame["created_at"] + pd.to_timedelta(frame["lost_age"], unit="D")
        advanced = frame[f"{b}_at"].notna()
        left = frame[f"{b}_at"].where(advanced, lost_at)
        visits = self._visits(frame["lead_id"], frame[f"{a}_at"], left, advanced)
        found = share_by_age(*visits, self.data.plan) if all(each.n for each in visits) else None
        return self._by_age(empty, leads.unit, visits, found)

    def _visits(
        self, ids: pd.Series, entered: pd.Series, left: pd.Series, advanced: pd.Series
    ) -> tuple[Visits, Visits]:
        """Visits as each of the windows shows them."""
        now, then = (
            Visits.within(ids, entered, left, advanced, *self.data.plan.bounds(each))
            for each in (self.comparison.period, self.comparison.baseline)
        )
        return now, then

    @staticmethod
    def _by_age(
        empty: Measured,
        table: str,
        visits: tuple[Visits, Visits],
        found: tuple[int, tuple[float, float, float, float, float]] | None,
    ) -> Measured:
        if found is None:
            return _without(empty, Gap("too few rows"))
        age, figures = found
        now, then = (each.up_to(age).ids for each in visits)
        return replace(_of(empty, *figures, table, now, then), age_days=float(age))


_CALENDAR_FIGURES: dict[str, Callable[[Measures], Measured]] = {
    BOOKINGS: lambda measures: measures._total("amount", BOOKINGS),
    WINS: Measures._wins,
    LEADS: Measures._leads,
    ADS: Measures._average_deal_size,
    WIN_RATE: Measures._win_rate,
    MRR: Measures._mrr,
    LOGO_CHURN: Measures._logo_churn,
}


def _folded(words: pd.Series) -> pd.Series:
    """Words without blanks around them and in lower case; each different one is changed once."""
    different = {word: str(word).strip().casefold() for word in words.dropna().unique()}
    return words.map(different).astype("str")


def _of(
    empty: Measured,
    value: float,
    baseline: float,
    change: float,
    low: float,
    high: float,
    table: str,
    now: pd.Series,
    then: pd.Series,
) -> Measured:
    """The measure with its figures and the keys of its rows in both windows."""
    return replace(
        empty, value=value, baseline=baseline, change=change, low=low, high=high,
        n=(len(now), len(then)), rows=((table, now, then),),
    )  # fmt: skip


def _month_gap(*months: AccountMonth) -> Gap | None:
    """Why one of the months is no basis of a figure."""
    found = {each.gap: each.label for each in months if each.gap}
    # what a reader can do most about comes first
    order = (CURRENCIES, HALF_LOADED_MONTH, NO_MONTH, MISSING_MONTH)
    return next((Gap(gap, found[gap]) for gap in order if gap in found), None)


def _without(found: Measured, gap: Gap | None) -> Measured:
    """The figure without an interval, and why."""
    return replace(found, low=math.nan, high=math.nan, gap=gap)
