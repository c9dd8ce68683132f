"""Many rows at one time, and none where there should be: imports, migrations, clean-ups, gaps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.breaks.day_counts import ALL, LOGS, day_counts, local_moment, rows_before, within
from funnel.checks.breaks.record_break import (
    EITHER,
    INTERRUPTED,
    MASS_CLOSING,
    MASS_EXIT,
    MIGRATED,
    MIX,
    ONE_DAY,
    ONE_TIME,
    TABLE_BEGINS,
    TIMING,
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
from funnel.checks.limits import (
    BEFORE_DAYS,
    CLEARED_SHARE,
    FEWEST_AT_ONCE,
    FEWEST_CLEARED,
    FEWEST_CLOSED_AT_ONCE,
    FEWEST_EXPECTED,
    NO_HABIT,
    SETTLED_DAYS,
    SURE,
    TIMES_CLEARED,
    TIMES_ORDINARY,
    TIMES_SECOND,
)
from funnel.checks.natures import ASK, RECORDS
from funnel.stats.dispersion import count_dispersion

if TYPE_CHECKING:
    from funnel.dataset import Tables

_EVENTS = (
    ("leads", "created_at", "''", "true"),
    ("leads", "assigned_at", "''", "true"),
    ("stage_changes", "entered_at", "stage", "true"),
    ("deals", "created_at", "''", "true"),
    ("deals", "closed_at", "outcome", "outcome in ('won', 'lost')"),
    ("touches", "occurred_at", "''", "true"),
    ("activities", "occurred_at", "''", "true"),
)
_BEGINNING = ("leads", "stage_changes", "touches", "activities", "spend")
_SHORTEST_GAP = 4  # days: a long weekend is shorter
_OTHERS_GO_ON = 0.5  # of the rows that another table should have while this one has none
_FEW_BEFORE = 0.2  # of the rows expected before a migration
_TIMES_MIGRATED = 10  # rows of its day over those of an ordinary one
_MOST_MINUTES = 12


def row_masses(data: Tables) -> Iterator[RecordBreak]:
    """Rows that were entered at one time, on one day, or by a migration; mass closings and exits.

    More rows than five of the busiest ordinary days, or twenty within a minute, and no habit:
    at most on three days half as many were seen. Of losses also fewer, where they are a quarter of
    the deals open that morning. A day before which a table is nearly empty,
    though others hold rows, is a migration.
    """
    days: set[tuple[str, str, str, dt.date]] = set()
    migrations = [*_migrations(data)]
    days |= {(each.table, "", "", each.since) for each in migrations}
    yield from migrations
    at_once = [
        each
        for event in _EVENTS
        if data.has(event[0], event[1])
        for each in _within_a_minute(data, *event)
        if (each.table, "", "", each.since) not in days
    ]
    yield from at_once
    days |= {(each.table, each.column, each.words[:1], each.since) for each in at_once}
    for each in _on_one_day(data):
        same = (each.table, each.column, each.words[:1], each.since)
        if same not in days and (each.table, "", "", each.since) not in days:
            yield each


def _within_a_minute(
    data: Tables, table: str, moment: str, word: str, where: str
) -> Iterator[RecordBreak]:
    local = local_moment(data, "minute")
    # dates without hours are all at midnight
    is_midnight = f"(minute = date_trunc('day', minute) or {local} = date_trunc('day', {local}))"
    top = data.sql(
        f"""select word, minute, {day_of(data, "minute", table)} as day, n, rows from (
            select {word} as word, date_trunc('minute', {moment}) as minute, count(*) as n,
                sum(count(*)) over (partition by word) as rows
            from {table} where {where} and {within(data, moment, table)}
            group by word, minute
        )
        where n >= {FEWEST_CLOSED_AT_ONCE} and not {is_midnight}
        qualify row_number() over (partition by word order by n desc, minute) <= {_MOST_MINUTES}
        order by word, n desc, minute"""
    )
    for name, minutes in top.groupby("word"):
        n = minutes["n"].to_numpy(float)
        fewest = FEWEST_CLOSED_AT_ONCE if table == "deals" else FEWEST_AT_ONCE
        if n[0] < fewest or (n >= n[0] / 2).sum() > NO_HABIT:
            continue
        first = minutes.iloc[0]
        per_day = float(first["rows"]) / len(lookback(data).days)
        if n[0] < per_day / 2:
            continue
        yield _mass(data, ONE_TIME, table, moment, str(name), first["day"].date(), int(n[0]))


def _on_one_day(data: Tables) -> Iterator[RecordBreak]:
    for log, column, moment in (
        ("leads", ALL, "created_at"),
        ("stage_changes", "stage", "entered_at"),
        ("deals", ALL, "created_at"),
        ("closings", "outcome", "closed_at"),
        ("touches", ALL, "occurred_at"),
        ("activities", ALL, "occurred_at"),
    ):
        counts = day_counts(data, log).get(column)
        if counts is None:
            continue
        if counts.total.max() == counts.total.sum() >= FEWEST_AT_ONCE:
            day = lookback(data).days[int(np.argmax(counts.total))].date()
            yield RecordBreak(
                what=ONE_DAY, nature=ASK, table=counts.table, column=moment, since=day,
                n=int(counts.total.sum()), expected=0.0,
            )  # fmt: skip
            continue
        for value, n in zip(counts.words, counts.n, strict=True):
            found = _outlying_days(n, log in ("deals", "closings"))
            if found is None and (log, value) == ("closings", "lost"):
                found = _cleared_day(data, n)
            if found is None:
                continue
            day = lookback(data).days[found].date()
            word = "" if column == ALL else value
            yield _mass(data, ONE_DAY, counts.table, moment, word, day, int(n[found]))


def _outlying_days(n: np.ndarray, is_of_deals: bool) -> int | None:
    """The day with the most rows, where these are no habit."""
    at = int(np.argmax(n))
    fewest = FEWEST_CLOSED_AT_ONCE if is_of_deals else FEWEST_AT_ONCE
    ordinary = np.percentile(np.delete(n, at), 95)
    if n[at] < max(fewest, TIMES_ORDINARY * ordinary) or (n >= n[at] / 2).sum() > NO_HABIT:
        return None
    return at


def _cleared_day(data: Tables, n: np.ndarray) -> int | None:
    """The day with the most losses, where they are a large part of the deals open that morning.

    Where losses are few, five of the busiest ordinary days are more than there are open deals.
    """
    second, most = np.sort(n)[-2:]
    ordinary = np.percentile(n, 95)
    if most < max(FEWEST_CLEARED, TIMES_CLEARED * ordinary) or most < TIMES_SECOND * second:
        return None
    at = int(np.argmax(n))
    morning = data.plan.midnight(lookback(data).days[at].date()).replace(tzinfo=None)
    n_open = data.sql(
        "select count(*) as n from deals where created_at < $morning "
        "and (outcome = 'open' or closed_at >= $morning)",
        morning=morning,
    )["n"].iloc[0]
    return at if most >= CLEARED_SHARE * n_open else None


def _mass(
    data: Tables, what: str, table: str, moment: str, word: str, day: dt.date, n: int
) -> RecordBreak:
    """Rows of one time or day: what they are, and which drivers they can move."""
    back = lookback(data)
    more = back.direction(day)
    fewer = opposite(more)
    if not more:  # what left, or came, before the baseline is missing, or there, in it
        more = fewer = back.of_step(day, EITHER, of_leads=True)
    timing = ([TIMING], EITHER if more else "")
    nature = RECORDS if what == ONE_TIME else ASK
    touched = ()
    money = at_most = np.nan
    if (table, moment) == ("leads", "created_at"):
        touched = touching(([VOLUME], more), (steps_of(data)[:1], fewer), ([MIX], timing[1]))
    elif table == "stage_changes" and word in data.plan.exits:
        what, nature = MASS_EXIT, RECORDS
        touched = touching((steps_of(data)[:-1], fewer), timing)
    elif table == "stage_changes":
        nature = ASK  # a rule that the system applied to all leads at once looks the same
        into, onward = into_and_from(data, word)
        touched = touching((into, more), (onward, fewer), timing)
    elif (table, moment) == ("deals", "created_at"):
        touched = touching((opportunity_step(data), more), (win_step(data), fewer), timing)
    elif table == "deals":
        money, at_most = _money_of(data, word, day)
        if word == "lost":
            what, nature = MASS_CLOSING, RECORDS
        touched = touching((win_step(data), fewer if word == "lost" else more), timing)
    return RecordBreak(
        what=what,
        nature=nature,
        table=table,
        column=moment,
        words=(word,) if word else (),
        since=day,
        n=n,
        days=1,
        money=money,
        touched=touched,
        at_most=at_most,
    )


def _money_of(data: Tables, outcome: str, day: dt.date) -> tuple[float, float]:
    """What was won of the deals closed on a day, and what lost ones were worth at the win rate."""
    if not data.has("deals", "amount"):
        return np.nan, np.nan
    row = data.sql(
        f"select sum(amount) filter (outcome = $outcome and {day_of(data, 'closed_at', 'deals')} "
        "= $day) as money, count_if(outcome = 'won') / nullif(count_if(outcome <> 'open'), 0) "
        "as rate from deals",
        outcome=outcome,
        day=pd.Timestamp(day),
    ).iloc[0]
    money = float(row["money"])
    return (money, money) if outcome == "won" else (np.nan, money * float(row["rate"]))


def _migrations(data: Tables) -> Iterator[RecordBreak]:
    """Days on which a table's earlier rows were all created at once."""
    back = lookback(data)
    for log in ("leads", "stage_changes", "deals", "touches", "activities"):
        counts = day_counts(data, log).get(ALL)
        if counts is None:
            continue
        n = counts.total
        at = int(np.argmax(n))
        after = n[at + 1 :]
        if len(after) < SETTLED_DAYS or n[at] < FEWEST_AT_ONCE:
            continue
        ordinary = float(after.mean())
        expected = ordinary * at
        if n[at] < _TIMES_MIGRATED * max(ordinary, 1.0) or expected < FEWEST_AT_ONCE:
            continue
        earlier = n[:at].sum() + rows_before(data, LOGS[log].table, LOGS[log].moment)
        if earlier > _FEW_BEFORE * expected:
            continue
        flow = [VOLUME, MIX] if log == "leads" else []
        steps = steps_of(data) if log in ("leads", "stage_changes", "deals") else []
        yield RecordBreak(
            what=MIGRATED,
            nature=RECORDS,
            table=counts.table,
            column="created_at" if log == "deals" else LOGS[log].moment,
            since=back.days[at].date(),
            n=int(n[at]),
            expected=ordinary,
            days=1,
            touched=touching((flow, EITHER), (steps, EITHER), ([TIMING] if steps else [], EITHER)),
        )


def table_gaps(data: Tables) -> Iterator[RecordBreak]:
    """Tables that begin inside the look-back, or have no row for days, while others go on."""
    totals = {
        log: counts[ALL].total
        for log in ("leads", "stage_changes", "deals", "closings", "touches", "activities", "spend")
        if (counts := day_counts(data, log))
    }
    if len(totals) < 2:
        return
    for log, n in totals.items():
        first = int(np.flatnonzero(n)[0])
        others = {
            name: each
            for name, each in totals.items()
            if LOGS[name].table != LOGS[log].table and name != "deals"
        }
        if log in _BEGINNING:
            # touches come before their lead, and what hangs on leads cannot be older than they are
            names = ("closings", "stage_changes") if log == "leads" else ("leads",)
            older = {name: others[name] for name in names if name in others} or others
            yield from _begins(data, log, n, first, older)
        if log != "spend":
            yield from _interrupted(data, log, n, first, others)


def _begins(data, log, n, first, others) -> Iterator[RecordBreak]:
    after = n[first : first + BEFORE_DAYS]
    expected = float(after.mean()) * first
    dispersion = count_dispersion(_weekly(after))
    p_value = float(np.exp(-expected / dispersion))
    earlier = max((each[:first].sum() for each in others.values()), default=0.0)
    if first < SETTLED_DAYS or expected < 2 * FEWEST_EXPECTED or p_value * len(LOGS) > SURE:
        return
    if earlier < 2 * FEWEST_EXPECTED or rows_before(data, LOGS[log].table, LOGS[log].moment):
        return
    if after[0] > _TIMES_MIGRATED * max(np.mean(after[1:]), 1.0):
        return  # a migration
    back = lookback(data)
    since = back.days[first].date()
    flow = [VOLUME, MIX, *steps_of(data), TIMING] if log == "leads" else []
    if log == "stage_changes":
        flow = [*steps_of(data), TIMING]
    yield RecordBreak(
        what=TABLE_BEGINS,
        nature=RECORDS,
        table=LOGS[log].table,
        since=since,
        n=int(n.sum()),
        expected=expected,
        touched=touching((flow, back.of_step(since, EITHER, of_leads=True))),
        p_value=p_value * len(LOGS),
    )


def _interrupted(data, log, n, first, others) -> Iterator[RecordBreak]:
    """The longest run of days without a row, where the days around it make rows certain."""
    days = np.flatnonzero(n)
    gaps = np.diff(days) - 1
    if not len(gaps) or gaps.max() < _SHORTEST_GAP:
        return
    longest = int(np.argmax(gaps))
    begin, end = int(days[longest]) + 1, int(days[longest + 1])
    if (gaps >= 0.7 * gaps[longest]).sum() > 1:
        return  # a company that shuts every summer
    expected, dispersion = _around(n, begin, end)
    p_value = float(np.exp(-expected / dispersion)) * len(gaps) * len(LOGS)
    if expected < 2 * FEWEST_EXPECTED or p_value > SURE:
        return
    levels = [(each[begin:end].sum(), _around(each, begin, end)[0]) for each in others.values()]
    going_on = [seen >= _OTHERS_GO_ON * due for seen, due in levels if due >= FEWEST_EXPECTED]
    if not going_on or not np.mean(going_on) > 0.5:
        return
    back, table = lookback(data), LOGS[log].table
    since, until = back.days[begin].date(), back.days[end - 1].date()
    fewer = opposite(back.direction(since) or back.direction(until))
    steps = steps_of(data)
    touched = {
        "leads": touching(([VOLUME], fewer or EITHER)),
        "stage_changes": touching((steps[:-1], fewer), ([TIMING], EITHER if fewer else "")),
        "deals": touching((steps[-2:], fewer), ([TIMING], EITHER if fewer else "")),
    }.get(table, ())
    yield RecordBreak(
        what=INTERRUPTED,
        nature=RECORDS,
        table=table,
        column=LOGS[log].moment if log != "deals" else "created_at",
        since=since,
        n=0,
        expected=expected,
        days=end - begin,
        touched=touched,
        p_value=p_value,
    )


def _around(n: np.ndarray, begin: int, end: int) -> tuple[float, float]:
    """Rows that the four weeks on either side make likely in between, and how weeks vary."""
    before, after = n[max(begin - 28, 0) : begin], n[end : end + 28]
    near = np.concatenate([before, after])
    return float(near.mean()) * (end - begin), count_dispersion(_weekly(near))


def _weekly(n: np.ndarray) -> np.ndarray:
    weeks = len(n) // 7
    return n[: weeks * 7].reshape(weeks, 7).sum(axis=1)
