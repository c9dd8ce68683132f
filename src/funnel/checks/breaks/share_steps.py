"""Shares that step on a day: fields filled, times without hours, doubled rows, rejected rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.breaks.day_counts import (
    ALL,
    LOGS,
    MOMENTS,
    PREFIX,
    by_day,
    day_counts,
    large_step,
    profile_of,
    rows_before,
    within,
)
from funnel.checks.breaks.record_break import (
    DATES_ONLY,
    DOUBLED,
    DOWN,
    EITHER,
    FIELD_CHANGED,
    MIX,
    REJECTED,
    SAME_DAY,
    SIZE,
    TIMING,
    UP,
    VOLUME,
    RecordBreak,
    day_of,
    into_and_from,
    lookback,
    opportunity_step,
    opposite,
    steps_of,
    touching,
    win_step,
)
from funnel.checks.breaks.value_edges import alias_line
from funnel.checks.limits import (
    FEWEST_DOUBLED,
    FEWEST_REJECTED,
    SETTLED_DAYS,
    STEP_OF_FIELD,
    STEP_OF_KIND,
    SURE,
)
from funnel.checks.natures import ASK, RECORDS
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.engine import quoted
from funnel.stats.change_points import Step

if TYPE_CHECKING:
    from funnel.dataset import Tables

# filled as a lead or deal grows older, or only for some of its kinds
_GROWS = {
    ("leads", "owner"), ("leads", "account_id"), ("deals", "owner"), ("losses", "competitor"),
    ("leads", "lead_id"),
}  # fmt: skip
_MOST_SAMPLED = 200_000  # rows of a table that show how many of them are doubled
_NO_STAGE = re.compile(r"`stage` is no stage of the plan: '([^']*)'")


def share_changes(data: Tables) -> Iterator[RecordBreak]:
    """Fields filled more or less from a day on, times without hours, deals opened when closed."""
    tested = [
        *_fields(data),
        *_dates_only(data),
        *_same_day(data),
        *_doubled(data),
    ]
    for step, found in tested:
        if step.p_value < SURE / len(tested) and found is not None:
            yield found


def _fields(data: Tables) -> Iterator[tuple[Step, RecordBreak | None]]:
    for log in LOGS:
        for column, counts in day_counts(data, log).items():
            if column == ALL or column.startswith(PREFIX) or (log, column) in _GROWS:
                continue
            if column == "lead_id" and not rows_before(data, "leads", "created_at"):
                continue  # rows from before the first lead name none
            blank = counts.n[counts.is_blank].sum(axis=0)
            step = large_step(counts.total, blank, data, STEP_OF_FIELD)
            if step is None:
                continue
            of_leads = (log, column) == ("deals", "lead_id") or log == "leads"
            direction = lookback(data).of_step(step.day, EITHER, of_leads=of_leads)
            names = _drivers_of_field(data, log, column)
            lost = int((counts.total - blank)[_at(data, step) :].sum())
            yield (
                step,
                RecordBreak(
                    what=FIELD_CHANGED,
                    nature=RECORDS,
                    table=counts.table,
                    column=column,
                    since=step.day,
                    n=int(blank.sum()) or lost,
                    before=1 - step.before,
                    after=1 - step.after,
                    touched=touching((names, direction)),
                    p_value=step.p_value,
                ),
            )


def _drivers_of_field(data: Tables, log: str, column: str) -> list[str]:
    """Drivers that read a field."""
    if log == "leads" and column in data.plan.segments:
        return [MIX]
    if (log, column) == ("deals", "lead_id"):
        return [VOLUME, MIX, *opportunity_step(data), *win_step(data), TIMING]
    return [SIZE] if (log, column) == ("closings", "amount") else []


def _at(data: Tables, step: Step) -> int:
    return (pd.Timestamp(step.day) - lookback(data).days[0]).days


def _dates_only(data: Tables) -> Iterator[tuple[Step, RecordBreak | None]]:
    """Moments of which most have no hour up to a day, or from a day on."""
    for table, moment in MOMENTS:
        profile = profile_of(data, table, moment)
        if profile is None:
            continue
        step = large_step(profile.sum(axis=1), profile[:, 0], data, STEP_OF_KIND)
        if step is None:
            continue
        yield (
            step,
            RecordBreak(
                what=DATES_ONLY,
                nature=RECORDS,
                table=table,
                column=moment,
                since=step.day,
                n=int(profile[:, 0].sum()),
                before=step.before,
                after=step.after,
                p_value=step.p_value,
            ),
        )


def _same_day(data: Tables) -> Iterator[tuple[Step, RecordBreak | None]]:
    """Deals that are opened on the day on which they close, from a day on or up to it."""
    if not data.has("deals", "closed_at"):
        return
    opened, closed = (day_of(data, each, "deals") for each in ("created_at", "closed_at"))
    n, k = by_day(
        data,
        f"select {closed} as day, count(*) as n, count_if({opened} = {closed}) as k from deals "
        f"where outcome <> 'open' and {within(data, 'closed_at', 'deals')} group by all",
    )
    step = large_step(n, k, data, STEP_OF_KIND)
    if step is None:
        return
    direction = lookback(data).of_step(step.day, EITHER)
    yield (
        step,
        RecordBreak(
            what=SAME_DAY,
            nature=RECORDS,
            table="deals",
            column="created_at",
            since=step.day,
            n=int(k.sum()),
            before=step.before,
            after=step.after,
            touched=touching(([TIMING], direction), (win_step(data), direction)),
            p_value=step.p_value,
        ),
    )


def _doubled(data: Tables) -> Iterator[tuple[Step, RecordBreak | None]]:
    """Leads and touches equal to another one in all but their key, more from a day on."""
    for table, key in (("leads", "lead_id"), ("touches", "touch_id")):
        moment = TABLES[table].happened
        anchor = "account_id" if data.has(table, "account_id") else "lead_id"
        if not data.has(table, anchor) or (table == "leads" and anchor == "lead_id"):
            continue
        same = [
            column.name
            for column in TABLES[table].columns
            if column.name not in (key, "email") and column.kind is not Kind.FREE
            and data.has(table, column.name)
        ]  # fmt: skip
        size = int(data.sql(f"select count(*) as n from {table}")["n"].iloc[0])
        parts = max(size // _MOST_SAMPLED, 1)
        listed = ", ".join(quoted(name) for name in same)
        n, k = by_day(
            data,
            f"select {day_of(data, moment, table)} as day, sum(c)::double as n, "
            f"sum(c - 1)::double as k from (select {listed}, count(*) as c from {table} "
            f"where {anchor} is not null and hash({anchor}) % {parts} = 0 and "
            f"{within(data, moment, table)} group by {listed}) group by day",
        )
        step = large_step(n, k, data, FEWEST_DOUBLED)
        if step is None:
            continue
        more = lookback(data).of_step(step.day, UP if step.change > 0 else DOWN, of_leads=True)
        is_lead = table == "leads"
        yield (
            step,
            RecordBreak(
                what=DOUBLED,
                nature=RECORDS,
                table=table,
                column=key,
                since=step.day,
                n=int(k.sum()) * parts,
                before=step.before,
                after=step.after,
                touched=touching(
                    ([VOLUME] * is_lead, more),
                    (steps_of(data)[: 1 if is_lead else 0], opposite(more)),
                ),
                p_value=step.p_value,
            ),
        )


def rejected_rows(data: Tables) -> Iterator[RecordBreak]:
    """Rows rejected for one reason, with the day; an unknown word for a stage has a remedy."""
    for table in data.rejected_rows:
        moment = TABLES[table].happened
        frame = data.rejected_tables[table]
        if not moment or len(frame) < FEWEST_REJECTED or moment not in frame:
            continue
        day = pd.to_datetime(frame[moment], errors="coerce", utc=True, format="ISO8601")
        day = day.dt.tz_convert(data.plan.zone).dt.tz_localize(None).dt.normalize()
        # of deals that are there twice, or closed after the data, a finding has rows and money
        known = "after as_of" + "|deal_id` is there twice|after the data ends" * (table == "deals")
        reason = frame["reason:"].where(~frame["reason:"].str.contains(known))
        if any(each.what == "cut_by_date" for each in data.load_findings):
            # that finding tells these rows, and from which day on leads are there
            reason = reason.where(~reason.str.contains("is not in leads", na=False))
        word = reason.str.extract(_NO_STAGE, expand=False)
        # the cell that a reason quotes differs from row to row
        group = reason.str.replace(r":? '.*?'|\d+", "", regex=True).where(word.isna(), word)
        for name, rows in frame.assign(day=day).groupby(group):
            if len(rows) >= FEWEST_REJECTED:
                stage = str(name) if bool((word.loc[rows.index] == name).all()) else ""
                yield from _rejected(data, table, str(name), stage, rows["day"].dropna())


def _rejected(
    data: Tables, table: str, reason: str, word: str, days: pd.Series
) -> Iterator[RecordBreak]:
    back = lookback(data)
    days = days[days.between(back.days[0], back.days[-1])]
    if len(days) < FEWEST_REJECTED:
        return
    moment = TABLES[table].happened
    used, k = by_day(
        data,
        f"select {day_of(data, moment, table)} as day, count(*) as n, 0 as k from {table} "
        f"where {within(data, moment, table)} group by day",
    )
    first, last = days.min(), days.max()
    np.add.at(k, (days - back.days[0]).dt.days.to_numpy(), 1.0)
    step = large_step(used + k, k, data, 0.005)
    is_step = step is not None and step.p_value < SURE
    begins = (first - back.days[0]).days >= SETTLED_DAYS
    ends = (back.days[-1] - last).days >= SETTLED_DAYS
    since = first if begins else last + pd.Timedelta(days=1) if ends else None
    if since is None or (is_step and abs((pd.Timestamp(step.day) - since).days) > SETTLED_DAYS):
        since = pd.Timestamp(step.day) if is_step else since or first
    at = (since - back.days[0]).days
    before, after = (
        float(k[side].sum() / max((used + k)[side].sum(), 1.0))
        for side in (slice(None, at), slice(at, None))
    )
    stage, touched = "", ()
    if word:
        stage = _stage_meant(data, word, first, last)
        into, onward = into_and_from(data, stage) if stage else ([], [])
        direction = EITHER if last >= pd.Timestamp(back.baseline.start) else ""
        touched = touching((into or steps_of(data), direction), (onward, direction))
        touched += touching(([TIMING], direction))
    elif table == "leads":
        direction = EITHER if last >= pd.Timestamp(back.baseline.start) else ""
        touched = touching(([VOLUME, *steps_of(data)[:1]], direction))
    is_doubled = "in all but the key" in reason
    yield RecordBreak(
        what=DOUBLED if is_doubled else REJECTED,
        nature=RECORDS if stage or is_doubled else ASK,
        table=table,
        column="stage" if word else "deal_id" if is_doubled else "",
        words=(word, stage) if stage else () if is_doubled else (word or reason,),
        since=since.date(),
        n=len(days),
        before=before,
        after=after,
        touched=touched,
        remedy=alias_line(data, "stage", word, stage) if stage else "",
        p_value=step.p_value if is_step else np.nan,
    )


def _stage_meant(data: Tables, word: str, first: pd.Timestamp, last: pd.Timestamp) -> str:
    """The stage of the plan that is not entered while an unknown word is; empty where unclear."""
    counts = day_counts(data, "stage_changes").get("stage")
    if counts is None:
        return ""
    days = lookback(data).days
    inside = (days >= first) & (days <= last)
    fitting = []
    for stage, n in zip(counts.words, counts.n, strict=True):
        here, elsewhere = n[inside].mean(), n[~inside].mean() if (~inside).any() else 0.0
        if elsewhere > 0 and here < 0.1 * elsewhere:
            fitting.append(stage)
    return fitting[0] if len(fitting) == 1 else ""
