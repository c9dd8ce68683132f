"""Closings that are entered late: few in the last days, or known to the stage history only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.breaks.record_break import (
    DOWN,
    LATE_CLOSINGS,
    TIMING,
    RecordBreak,
    day_of,
    lookback,
    touching,
    win_step,
)
from funnel.checks.limits import (
    FEWEST_CONTRADICTED,
    FEWEST_LATE,
    LATE_BEFORE,
    LATE_LENGTHS,
    LATE_QUARTERS,
    LATE_SHARE,
    SURE,
)
from funnel.checks.natures import ASK, RECORDS
from funnel.checks.table_coverage import collapses
from funnel.dataset.stages import won_stage

if TYPE_CHECKING:
    from funnel.dataset import Tables

_HOLIDAY = 2.0  # z by which the same days of a year ago are below those of other quarters


def late_closings(data: Tables) -> Iterator[RecordBreak]:
    """Closings missing in the last days: most of those expected, or recorded elsewhere, are open.

    Where leads reached the end of the stages in the last days and their only deal is open, the
    closing is missing. Otherwise the last days are compared with the eight weeks before them. What
    they should hold of these is known from the same days of earlier quarters, and of a year ago,
    at an equal distance from the end of the quarter: closings bunch there. Three weeks may be late
    entry or a fall, which is asked; a collapse that began earlier is none of late entry.
    """
    back, as_of = lookback(data), pd.Timestamp(data.as_of)
    if not data.has("deals", "closed_at") or back.period.end < data.as_of - dt.timedelta(days=14):
        return
    if (found := _closed_by_stages(data)) is not None:
        yield found
        return
    if any(each.column == "closed_at" for each in collapses(data)):
        return  # too long for late entry
    first = as_of - pd.DateOffset(months=3 * LATE_QUARTERS) - pd.Timedelta(days=LATE_BEFORE + 31)
    frame = data.sql(
        f"select {day_of(data, 'closed_at', 'deals')} as day, count(*) as n from deals where "
        f"outcome <> 'open' and closed_at >= $first group by all order by all",
        first=first,
    ).set_index("day")["n"]
    daily = frame.reindex(pd.date_range(first, as_of), fill_value=0).astype(float)
    best = None
    for length in LATE_LENGTHS:
        found = _last_days(daily, as_of, length)
        if found is not None and (best is None or found[2] < best[2]):
            best = (*found, length)
    if best is None or best[2] >= SURE:  # the lengths hold the same days, so they are one test
        return
    seen, expected, p_value, length = best
    rows = data.sql(
        "select avg(amount) as size, count_if(outcome = 'won') / nullif(count(*), 0) as rate "
        "from deals where outcome <> 'open' and closed_at >= $first",
        first=first,
    ).iloc[0]
    worth = float(rows["rate"]) * float(rows["size"]) if pd.notna(rows["size"]) else np.nan
    yield _late(
        data, length, seen, expected, at_most=(expected - seen) * worth, p_value=p_value,
        nature=ASK if length == LATE_LENGTHS[-1] else RECORDS,
    )  # fmt: skip


def _late(
    data: Tables, length: int, seen: float, expected: float, nature: str = RECORDS, **known: float
) -> RecordBreak:
    return RecordBreak(
        what=LATE_CLOSINGS,
        nature=nature,
        table="deals",
        column="closed_at",
        since=data.as_of - dt.timedelta(days=length - 1),
        n=int(seen),
        expected=expected,
        days=length,
        touched=touching((win_step(data), DOWN), ([TIMING], DOWN)),
        **known,
    )


def _closed_by_stages(data: Tables) -> RecordBreak | None:
    """Open deals whose lead was won or lost in the last days, as its last change of stage.

    A lead with a deal that closed about then is left out, and so is one with several open deals.
    """
    if not (data.has("stage_changes") and data.has("deals", "lead_id")):
        return None
    won, since = won_stage(data.plan.stages), data.as_of - dt.timedelta(days=LATE_LENGTHS[-1] - 1)
    days = data.sql(
        f"""with last as (
            select lead_id, arg_max(stage, entered_at) as stage, max(entered_at) as entered_at
            from stage_changes group by lead_id
        )
        select {day_of(data, "entered_at", "stage_changes")} as day, count(*) as n,
            sum(amount) filter (stage = $won) as money
        from last join (
            select lead_id, max(amount) filter (outcome = 'open') as amount,
                max(created_at) as created_at, max(closed_at) as closed_at
            from deals where lead_id is not null
            group by lead_id having count_if(outcome = 'open') = 1
        ) using (lead_id)
        where stage in ($won, 'lost') and entered_at >= created_at and entered_at >= $since
            and (closed_at is null or closed_at < entered_at - interval 7 day)
        group by day order by day""",
        won=won,
        since=data.plan.midnight(since).replace(tzinfo=None),
    )
    if days.empty or days["n"].sum() < FEWEST_CONTRADICTED:
        return None
    first = days["day"].iloc[0]
    seen = data.sql(
        f"select count(*) as n from deals where outcome <> 'open' "
        f"and {day_of(data, 'closed_at', 'deals')} >= $first",
        first=first,
    )["n"].iloc[0]
    missing = int(days["n"].sum())
    if missing < (1 - LATE_SHARE) * (seen + missing):
        return None
    length = (pd.Timestamp(data.as_of) - first).days + 1
    return _late(data, length, seen, float(seen + missing), at_most=float(days["money"].sum()))


def _last_days(
    daily: pd.Series, as_of: pd.Timestamp, length: int
) -> tuple[float, float, float] | None:
    """Closings of the last days, those expected, and how often chance leaves so few."""
    from scipy.stats import binom, norm

    seen, before = _counts(daily, as_of, length)
    earlier = [
        _counts(daily, _quarters_ago(as_of, k), length)
        for k in range(1, LATE_QUARTERS + 1)
        if _quarters_ago(as_of, k) - pd.Timedelta(days=length + LATE_BEFORE) >= daily.index[0]
        and daily[: _quarters_ago(as_of, k) - pd.Timedelta(days=length + LATE_BEFORE)].sum() > 0
    ]
    if len(earlier) < 3:
        return None
    last, level = (np.array(each) for each in zip(*earlier, strict=True))
    share = pooled = last.sum() / max((last + level).sum(), 1.0)
    rows = last + level
    variance = np.maximum(rows * pooled * (1 - pooled), 1e-9)
    z_earlier = (last - rows * pooled) / np.sqrt(variance)
    if len(earlier) >= 4 and z_earlier[3] < -_HOLIDAY:
        share = last[3] / rows[3]  # a holiday then is one now
    whole = seen + before
    expected = before * share / max(1 - share, 1e-9)
    if expected < FEWEST_LATE or seen >= LATE_SHARE * expected:
        return None
    chi2 = float((z_earlier**2).sum())
    dispersion = max(chi2 / (len(earlier) - 1), 1.0)
    z = (seen - whole * share) / np.sqrt(whole * share * (1 - share) * dispersion)
    exact = binom.cdf(round(seen / dispersion), round(whole / dispersion), share)
    return seen, float(expected), float(max(norm.cdf(z), exact))


def _counts(daily: pd.Series, day: pd.Timestamp, length: int) -> tuple[float, float]:
    end = day - pd.Timedelta(days=length)
    return (
        float(daily[end + pd.Timedelta(days=1) : day].sum()),
        float(daily[end - pd.Timedelta(days=LATE_BEFORE - 1) : end].sum()),
    )


def _quarters_ago(day: pd.Timestamp, k: int) -> pd.Timestamp:
    """The day at the same distance from the end of its quarter, some quarters ago."""
    end = day + pd.offsets.QuarterEnd(0)
    return end - pd.offsets.QuarterEnd(k) - (end - day)
