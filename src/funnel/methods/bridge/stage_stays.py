"""A company's ways through the stages: every stay of every lead and deal, and its segment."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.workdays import is_holiday
from funnel.dataset.stages import opportunity_stage, recorded_stages, won_stage
from funnel.methods.bridge.cells import Window
from funnel.methods.bridge.flow import PER_BLOCK

if TYPE_CHECKING:
    from funnel.dataset import Tables

Days = tuple[dt.date, dt.date]
ALL, NO_LEAD, BLANK, SMALLER = "(all)", "(no lead)", "(blank)", "(smaller groups)"
PARTS = 3  # of a block, each with its own usual level of arrivals: a quarter's months
_MOST_SEGMENTS = 60
_LEAST_BLOCKS, _MOST_BLOCKS = 4, 6
_WITHIN_HISTORY = 0.98  # of won deals, whose lead shall have come within the window


@dataclass(frozen=True)
class Paths:
    """Stays in stages, and the two windows in which they are counted.

    Attributes
    ----------
    stages
        Recorded ones, in order, the last of which is the win.
    stays
        As the step `flow_stays` gives them; `unit` and `segment` are numbers from 0.
    segments
        Name of each segment.
    windows
        Of the baseline and of the period.
    is_exit_recorded
        For each stage but the last, whether leaving it without an advance is written down.
    weekly
        Leads (or, without any, deals) by week of arrival before the period and by segment, newest
        first, as far as they go back; (weeks, segments).
    is_usual_week
        For each of these weeks, whether it holds no public holiday.
    """

    stages: tuple[str, ...]
    stays: pd.DataFrame
    segments: tuple[str, ...]
    windows: tuple[Window, Window]
    is_exit_recorded: NDArray[np.bool_]
    weekly: NDArray[np.float64]
    is_usual_week: NDArray[np.bool_]

    @property
    def steps(self) -> list[str]:
        """Names of the drivers from stage to stage."""
        return [f"{a} to {b}" for a, b in itertools.pairwise(self.stages)]


def paths_of(data: Tables) -> Paths:
    """Follow every lead and deal through the stages, as far back as the two windows reach."""
    stages = _stages(data)
    windows = _windows(data)
    opportunity = opportunity_stage(stages)
    won = len(stages)
    has_deals = data.has("deals")
    stays = data.step(
        "flow_stays",
        stages=list(stages),
        exits=list(data.plan.exits),
        measure=data.plan.measure,
        entry=stages.index(opportunity) + 1 if opportunity else won - 1,
        has_opportunity=bool(opportunity),
        won=won,
        last_by_stage=won - 1 if has_deals else won,
        n_leads=int(data.sql("select count(*) as n from leads")["n"].iloc[0]),
        since=windows[0].start,
    )
    units = np.unique(stays["unit"].to_numpy())
    segment, names, of_rows = _segments(data, units)
    weekly, is_usual_week = _weekly(data, of_rows, len(names))
    place = np.searchsorted(units, stays["unit"].to_numpy())
    value = stays["value"].fillna(1.0 if data.plan.measure == "wins" else 0.0)
    stays = stays.assign(unit=place, segment=segment[place], value=value)
    return Paths(
        stages,
        stays,
        names,
        windows,
        _is_exit_recorded(stays, windows, won - 1),
        weekly,
        is_usual_week,
    )


def calendar_pairs(data: Tables) -> list[tuple[Days, Days]]:
    """Give the thirds of each block of the period's window beside those of the baseline's.

    What a calendar usually does to arrivals is asked for these pairs, in this order: the newest
    first, which is the last third of the period against the last third of the baseline.

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
    """Say in which third, counted from the oldest, the middle of each bin lies."""
    middle = (np.arange(n_blocks * PER_BLOCK) + 0.5) / PER_BLOCK
    return np.floor(middle * PARTS).astype(np.int64)


def _stages(data: Tables) -> tuple[str, ...]:
    plan = data.plan
    won = won_stage(plan.stages)
    recorded = recorded_stages(data)
    before = [stage for stage in plan.stages[: plan.stages.index(won)] if stage in recorded]
    return (*(before or [opportunity_stage(plan.stages) or plan.stages[0]]), won)


def _windows(data: Tables) -> tuple[Window, Window]:
    ends = _bounds(data)
    ages = data.sql(
        "select quantile_cont(epoch(closed_at) - epoch(leads.created_at), $share) as age "
        "from deals join leads using (lead_id) where outcome = 'won' and "
        "(epoch(closed_at) between $s0 and $e0 or epoch(closed_at) between $s1 and $e1)",
        share=_WITHIN_HISTORY,
        s0=ends[0][0],
        e0=ends[0][1],
        s1=ends[1][0],
        e1=ends[1][1],
    )["age"].iloc[0]
    length = ends[1][1] - ends[1][0]
    needed = 1 + math.ceil(ages / length) if pd.notna(ages) else _LEAST_BLOCKS
    n_blocks = min(max(needed, _LEAST_BLOCKS), _MOST_BLOCKS)
    old, new = (Window(end, end - start, n_blocks) for start, end in ends)
    return old, new


def _segments(
    data: Tables, units: NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[str, ...], NDArray[np.int64]]:
    """Give each unit's segment as a number, the segments' names, small ones pooled, and each row's.

    Rows are leads (or, without any, deals) by their id.
    """
    table, key = ("leads", "lead_id") if data.has("leads") else ("deals", "deal_id")
    known = data.sql(f"select {_named(data, table)} as name from {table} order by {key}")
    codes, names = pd.factorize(known["name"], sort=True)
    names = [*names, NO_LEAD]
    at = units - 1
    segment = np.append(codes, len(names) - 1)[np.minimum(at, len(codes))]
    sizes = np.bincount(segment, minlength=len(names))
    kept = (sizes >= data.plan.smallest_group) | (np.arange(len(names)) == len(names) - 1)
    kept &= sizes >= np.sort(sizes)[::-1][:_MOST_SEGMENTS][-1]
    kept &= sizes > 0
    pooled = (sizes > 0) & ~kept
    order = [*np.flatnonzero(kept)]
    new_code = np.full(len(names), len(order))
    new_code[order] = np.arange(len(order))
    named = [names[i] for i in order] + ([SMALLER] if pooled.any() else [])
    new_code = np.minimum(new_code, max(len(named) - 1, 0))  # of rows that no window reaches
    return new_code[segment], tuple(map(str, named)) or (ALL,), new_code[codes]


def _weekly(
    data: Tables, of_rows: NDArray[np.int64], n_segments: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Count arrivals by whole week before the period and by segment, and say which are usual.

    The newest comes first. Weeks begin on Mondays, as what varies from week to week does. The
    oldest one, which is cut, is left out.
    """
    start = data.comparison.period.start
    monday = start - dt.timedelta(days=start.weekday())
    end = data.plan.midnight(monday).timestamp()
    table, key = ("leads", "lead_id") if data.has("leads") else ("deals", "deal_id")
    week = data.sql(
        f"select floor(($end - epoch(created_at)) / 604800) as week from {table} order by {key}",
        end=end,
    )["week"].to_numpy(float)
    here = week >= 0
    n_weeks = int(week[here].max(initial=0))
    weekly = np.zeros((n_weeks + 1, n_segments))
    np.add.at(weekly, (week[here].astype(int), of_rows[here]), 1.0)
    days = pd.date_range(end=monday - dt.timedelta(days=1), periods=7 * n_weeks)
    is_free = is_holiday(days, data.plan.company.country)
    is_usual = ~is_free[::-1].reshape(n_weeks, 7).any(axis=1)
    return weekly[:-1], is_usual


def won_deals(data: Tables) -> pd.DataFrame:
    """List the deals won in either period: their value, and what sizes differ by.

    Columns `deal_id`, `value` (of the measure; missing where not recorded), `is_new` (of the
    period, not of the baseline), `segment`, `employees`.
    """
    (s0, e0), (s1, e1) = _bounds(data)
    table = "leads" if data.has("leads") else "deals"
    value = {"bookings": "amount", "mrr": "mrr"}.get(data.plan.measure, "1.0")
    segment = _named(data, table)
    if table == "leads":
        segment = f"case when leads.lead_id is null then '{NO_LEAD}' else {segment} end"
    return data.sql(
        f"select deal_id, {value} as value, epoch(closed_at) >= $s1 as is_new, "
        f"{segment} as segment, leads.employees from deals left join leads using (lead_id) "
        "where outcome = 'won' and ((epoch(closed_at) >= $s0 and epoch(closed_at) < $e0) or "
        "(epoch(closed_at) >= $s1 and epoch(closed_at) < $e1)) order by deal_id",
        s0=s0,
        e0=e0,
        s1=s1,
        e1=e1,
    )


def _bounds(data: Tables) -> list[tuple[float, float]]:
    """Give the seconds in which the baseline, and the period, begin and end."""
    plan, comparison = data.plan, data.comparison
    return [
        (plan.midnight(p.start).timestamp(), plan.midnight(p.after).timestamp())
        for p in (comparison.baseline, comparison.period)
    ]


def _named(data: Tables, table: str) -> str:
    """Write the segment of a row of a table as SQL."""
    columns = [name for name in data.plan.segments if data.has(table, name)]
    if not columns:
        return f"'{ALL}'"
    cells = (
        f"coalesce(nullif(cast({table}.{_quoted(name)} as varchar), ''), '{BLANK}')"
        for name in columns
    )
    return f"concat_ws(' / ', {', '.join(cells)})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _is_exit_recorded(
    stays: pd.DataFrame, windows: tuple[Window, Window], n_stages: int
) -> NDArray[np.bool_]:
    """Say where most of those who came long ago and did not advance are known to have left."""
    start = windows[1].end - windows[1].length
    old = stays[(stays["entered"] < start) & ~stays["is_advance"]]
    share = old["left_"].notna().groupby(old["stage"]).mean()
    return share.reindex(range(n_stages), fill_value=1.0).to_numpy() >= 0.5


def waits_of(paths: Paths) -> NDArray[np.float64]:
    """Count advances by bin of entry and age in bins; shape (stages, bins, bins), both worlds."""
    stays, n_stages = paths.stays[paths.stays["is_advance"]], len(paths.stages) - 1
    n_bins = paths.windows[1].n_blocks * PER_BLOCK
    seen = np.zeros((n_stages, n_bins, n_bins))
    for window in paths.windows:
        begin = window.bins(stays["entered"].to_numpy())
        end = window.bins(stays["left_"].to_numpy())
        here = (begin >= 0) & (end < n_bins)
        at = (stays["stage"].to_numpy()[here], begin[here].astype(int))
        np.add.at(seen, (*at, (end - begin)[here].astype(int)), 1.0)
    return seen
