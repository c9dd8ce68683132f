"""Visits of leads and deals to the stages, their segments, and the deals won in two periods."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.labels import EVERYBODY, NO_LEAD, NOT_RECORDED, POOLED
from funnel.contract.workdays import is_holiday
from funnel.dataset.cache import cached
from funnel.dataset.engine import literal, quoted
from funnel.dataset.stages import (
    NEW,
    has_only_wins,
    new_business,
    opportunity_stage,
    recorded_stages,
    won_stage,
)
from funnel.methods.bridge.cells import Window
from funnel.methods.bridge.flow import PER_BLOCK
from funnel.results.small_groups import are_small

if TYPE_CHECKING:
    from funnel.dataset import Tables

Days = tuple[dt.date, dt.date]
WITHOUT_LEAD, RENEWALS = "deals without a lead", "renewals"
LEADS, OPENED, WON = "leads", "deals opened", "deals won"  # what arrives
ACCOUNTS = "accounts"  # whose recurring revenue is compared, in place of a flow
PARTS = 3  # of a block, each with its own expected level of arrivals: a quarter's months
_MOST_SEGMENTS = 60
_LEAST_BLOCKS, _MOST_BLOCKS = 4, 6
_WITHIN_HISTORY = 0.98  # of won deals, whose lead shall have arrived within the window
_RECORDED = 0.5  # of those who neither advanced nor are there: so many must have a known exit


@dataclass(frozen=True)
class StageHistory:
    """Visits of stages, and the two windows in which they are counted.

    Attributes
    ----------
    arrivals
        What arrives at the first stage: `leads`, `deals opened`, or `deals won` where nothing else
        is recorded.
    stages
        Recorded ones, in order, the last of which is the win.
    visits
        One row per visit of a stage by a lead (or a deal): `unit` and `segment` (numbers from 0),
        `stage`, `entered` and `left_` (seconds since 1970), `is_advance`, `is_source` (it did not
        arrive from the stage before), `value`.
    segments
        Name of each segment.
    windows
        Of the baseline and of the period.
    is_exit_recorded
        For each stage but the last, whether exits other than an advance are recorded.
    weekly
        Leads (or, without any, deals) by week of arrival before the period and by segment, newest
        first, as far as they go back; (weeks, segments).
    is_ordinary_week
        For each of these weeks, whether it has no public holiday.
    """

    arrivals: str
    stages: tuple[str, ...]
    visits: pd.DataFrame
    segments: tuple[str, ...]
    windows: tuple[Window, Window]
    is_exit_recorded: NDArray[np.bool_]
    weekly: NDArray[np.float64]
    is_ordinary_week: NDArray[np.bool_]

    @property
    def steps(self) -> list[str]:
        """Names of the drivers from stage to stage; none where only won deals are recorded."""
        if self.arrivals == WON:
            return []
        return [f"{a} to {b}" for a, b in itertools.pairwise(self.stages)]


def stage_history(data: Tables) -> StageHistory:
    """Visits of every lead and deal, as far back as the two windows reach."""
    stages = _stages(data)
    windows = _windows(data)
    opportunity = opportunity_stage(stages)
    won = len(stages)
    has_deals, arriving = data.has("deals"), arrivals(data)
    visits = data.step(
        "flow_stays",
        stages=list(stages),
        exits=list(data.plan.exits),
        measure=data.plan.measure,
        entry=stages.index(opportunity) + 1 if opportunity else won - 1,
        has_opportunity=bool(opportunity),
        by_closing=arriving == WON,
        won=won,
        last_by_stage=won - 1 if has_deals else won,
        n_leads=_n_leads(data) if follows_leads(data) else 0,
        since=windows[0].start,
    )
    units = np.unique(visits["unit"].to_numpy())
    segment, names, of_rows = _segments(data, units)
    weekly, is_ordinary_week = _weekly(data, of_rows, len(names))
    place = np.searchsorted(units, visits["unit"].to_numpy())
    value = visits["value"].fillna(1.0 if data.plan.measure == "wins" else 0.0)
    visits = visits.assign(unit=place, segment=segment[place], value=value)
    return StageHistory(
        arriving,
        stages,
        visits,
        names,
        windows,
        _is_exit_recorded(visits, windows, won - 1),
        weekly,
        is_ordinary_week,
    )


@cached
def follows_leads(data: Tables) -> bool:
    """Whether the bridge follows leads: where no new deal names one, it follows deals.

    Nothing that happens to leads would show in what is won.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> deals = pd.DataFrame({"deal_id": ["D-1"], "created_at": ["2026-01-06"],
    ...                       "outcome": ["open"]})
    >>> [follows_leads(Tables.of(leads=leads, deals=deals.assign(lead_id=key), as_of="2026-01-31"))
    ...  for key in ("L-1", None)]
    [True, False]
    """
    deals = new_business(data)
    return data.has("leads") and (deals.empty or bool(deals["lead_id"].notna().any()))


def arrivals(data: Tables) -> str:
    """What arrives at the first stage: `leads`, `deals opened` or `deals won`.

    It is `accounts` where the measure is recurring revenue, and accounts have one but no deal has.
    """
    has_mrr = data.has("subscriptions", "mrr") and not data.has("deals", "mrr")
    if data.plan.measure == "mrr" and has_mrr:
        return ACCOUNTS
    if follows_leads(data):
        return LEADS
    return WON if has_only_wins(data) and data.has("deals") else OPENED


def calendar_pairs(data: Tables) -> list[tuple[Days, Days]]:
    """Pairs of thirds of each block, of the period's window and of the baseline's.

    The expected change of arrivals is estimated for these pairs, newest first: the first is the
    last third of the period compared with the last third of the baseline.

    Returns
    -------
    list
        Pairs of (first day, last day), of the period's window and of the baseline's.
    """
    comparison = data.comparison
    pairs = []
    for back in range(_windows(data)[1].n_blocks):
        for third in reversed(range(PARTS)):
            pair = []
            for period in (comparison.period, comparison.baseline):
                begin = period.start - dt.timedelta(days=back * period.n_days)
                first, after = (round(period.n_days * i / PARTS) for i in (third, third + 1))
                days = dt.timedelta(days=first), dt.timedelta(days=max(after - 1, first))
                pair.append((begin + days[0], begin + days[1]))
            pairs.append(tuple(pair))
    return pairs


def part_of_bins(n_blocks: int) -> NDArray[np.int64]:
    """Third, counted from the oldest, that holds the middle of each bin."""
    middle = (np.arange(n_blocks * PER_BLOCK) + 0.5) / PER_BLOCK
    return np.floor(middle * PARTS).astype(np.int64)


def _n_leads(data: Tables) -> int:
    return int(data.sql("select count(*) as n from leads")["n"].iloc[0])


def _stages(data: Tables) -> tuple[str, ...]:
    plan = data.plan
    won = won_stage(plan.stages)
    recorded = recorded_stages(data)
    if not follows_leads(data):
        recorded = tuple({opportunity_stage(plan.stages), won} & {*recorded})
    before = [stage for stage in plan.stages[: plan.stages.index(won)] if stage in recorded]
    return (*(before or [opportunity_stage(plan.stages) or plan.stages[0]]), won)


def _windows(data: Tables) -> tuple[Window, Window]:
    both = data.comparison.baseline, data.comparison.period
    ends = [[moment.timestamp() for moment in data.plan.bounds(each)] for each in both]
    deals = won_deals(data)
    ages = deals.loc[deals["driver"] == "", "lead_age"].dropna()
    length = ends[1][1] - ends[1][0]
    needed = _LEAST_BLOCKS
    if len(ages):
        needed = 1 + math.ceil(float(ages.quantile(_WITHIN_HISTORY)) / length)
    n_blocks = min(max(needed, _LEAST_BLOCKS), _MOST_BLOCKS)
    old, new = (Window(end, end - start, n_blocks) for start, end in ends)
    return old, new


def _segments(
    data: Tables, units: NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[str, ...], NDArray[np.int64]]:
    """Segment number of each unit, names of the segments (small ones pooled), segment of each row.

    Rows are leads (or, without any, deals) by their id.
    """
    table, followed, key = _followed(data)
    known = data.sql(f"select {_named(data, table)} as name from {followed} order by {key}")
    # rows of which nothing is recorded come first
    names = sorted(known["name"].unique(), key=lambda name: name.replace(NOT_RECORDED, ""))
    codes = pd.Categorical(known["name"], names).codes
    segment = codes[units - 1]
    sizes = np.bincount(segment, minlength=len(names))
    kept = ~are_small(sizes, data.plan.smallest_group)
    kept &= sizes >= np.sort(sizes)[-_MOST_SEGMENTS:][:1]
    kept &= sizes > 0
    pooled = (sizes > 0) & ~kept
    order = [*np.flatnonzero(kept)]
    new_code = np.full(len(names), len(order))
    new_code[order] = np.arange(len(order))
    named = [names[i] for i in order] + ([POOLED] if pooled.any() else [])
    new_code = np.minimum(new_code, max(len(named) - 1, 0))  # of rows that no window reaches
    return new_code[segment], tuple(map(str, named)) or (EVERYBODY,), new_code[codes]


def _weekly(
    data: Tables, of_rows: NDArray[np.int64], n_segments: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Arrivals by whole week before the period and by segment, and which weeks have no holiday.

    The newest comes first. Weeks begin on Mondays. The oldest week is cut short and excluded.
    """
    start = data.comparison.period.start
    monday = start - dt.timedelta(days=start.weekday())
    end = data.plan.midnight(monday).timestamp()
    _, followed, key = _followed(data)
    moment = "closed_at" if arrivals(data) == WON else "created_at"
    week = data.sql(
        f"select floor(($end - epoch({moment})) / 604800) as week from {followed} order by {key}",
        end=end,
    )["week"].to_numpy(float)
    here = week >= 0
    n_weeks = int(week[here].max(initial=0))
    weekly = np.zeros((n_weeks + 1, n_segments))
    np.add.at(weekly, (week[here].astype(int), of_rows[here]), 1.0)
    return weekly[:-1], ordinary_weeks(monday, n_weeks, data.plan.company.country)


def ordinary_weeks(monday: dt.date, n_weeks: int, country: str) -> NDArray[np.bool_]:
    """For each week before a Monday, newest first, whether it has no public holiday.

    Examples
    --------
    >>> ordinary_weeks(dt.date(2026, 1, 5), 3, "DE").tolist()
    [False, False, True]
    """
    days = pd.date_range(end=monday - dt.timedelta(days=1), periods=7 * n_weeks)
    return ~is_holiday(days, country)[::-1].reshape(n_weeks, 7).any(axis=1)


@cached
def won_deals(data: Tables) -> pd.DataFrame:
    """Deals won in either period, with what their sizes differ by.

    Columns `deal_id`, `value` (of the measure; missing where not recorded), `in_period` (else in
    the baseline), `driver` (`renewals` or `deals without a lead` for those outside the flow of
    leads, else empty), `segment` (of `renewals` their kind), `employees`, `lead_age` (seconds from
    the lead to the win).
    """
    table = "leads" if follows_leads(data) else "deals"
    value = {"bookings": "amount", "mrr": "mrr"}.get(data.plan.measure, "1.0")
    unlinked = "leads.lead_id is null" if table == "leads" else "false"
    deals = data.sql(
        f"select deal_id, {value} as value, case when kind <> '{NEW}' then '{RENEWALS}' "
        f"when {unlinked} then '{WITHOUT_LEAD}' else '' end as driver, case driver "
        f"when '{RENEWALS}' then kind when '{WITHOUT_LEAD}' then '{NO_LEAD}' "
        f"else {_named(data, table)} end as segment, leads.employees, "
        "epoch(closed_at) - epoch(leads.created_at) as lead_age "
        "from deals left join leads using (lead_id) where outcome = 'won' order by deal_id"
    )
    closed_at = data.deals.set_index("deal_id")["closed_at"].reindex(deals["deal_id"])
    comparison = data.comparison
    now, then = (
        data.plan.within(closed_at, each).to_numpy(bool)
        for each in (comparison.period, comparison.baseline)
    )
    return deals.assign(in_period=now)[now | then].reset_index(drop=True)


def _followed(data: Tables) -> tuple[str, str, str]:
    """The table whose rows are followed, SQL of those rows, and their key."""
    if follows_leads(data):
        return "leads", "leads", "lead_id"
    return "deals", f"deals where coalesce(kind, '{NEW}') = '{NEW}'", "deal_id"


def _named(data: Tables, table: str) -> str:
    """SQL of the segment of a row of a table."""
    columns = [name for name in data.plan.segments if data.has(table, name)]
    if not columns:
        return f"'{EVERYBODY}'"
    cells = (
        f"coalesce(nullif(cast({table}.{quoted(name)} as varchar), ''), '{NOT_RECORDED}')"
        for name in columns
    )
    name = f"concat_ws(' / ', {', '.join(cells)})"
    # a segment that is itself called like a label is named with its column
    with_column = f"{literal(columns[0] + ': ')} || {name}"
    return f"case when {name} in ('{NO_LEAD}', '{POOLED}') then {with_column} else {name} end"


def _is_exit_recorded(
    visits: pd.DataFrame, windows: tuple[Window, Window], n_stages: int
) -> NDArray[np.bool_]:
    """For each stage, whether most of the old visits without an advance have a known exit."""
    start = windows[1].end - windows[1].length
    old = visits[(visits["entered"] < start) & ~visits["is_advance"]]
    share = old["left_"].notna().groupby(old["stage"]).mean()
    return share.reindex(range(n_stages), fill_value=1.0).to_numpy() >= _RECORDED


def waits_of(history: StageHistory) -> NDArray[np.float64]:
    """Advances by bin of entry and age in bins, of both windows; shape (stages, bins, bins)."""
    visits, n_stages = history.visits[history.visits["is_advance"]], len(history.stages) - 1
    n_bins = history.windows[1].n_blocks * PER_BLOCK
    seen = np.zeros((n_stages, n_bins, n_bins))
    for window in history.windows:
        begin = window.bins(visits["entered"].to_numpy())
        end = window.bins(visits["left_"].to_numpy())
        here = (begin >= 0) & (end < n_bins)
        at = (visits["stage"].to_numpy()[here], begin[here].astype(int))
        np.add.at(seen, (*at, (end - begin)[here].astype(int)), 1.0)
    return seen
