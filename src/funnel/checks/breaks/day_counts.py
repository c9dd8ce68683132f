"""Rows by local day and value of a column, over the look-back: one grouped query per table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks.breaks.record_break import Lookback, day_of, lookback
from funnel.checks.fields import is_unknown
from funnel.checks.limits import FEWEST_OF_VALUE, MOST_VALUES
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.cache import cached
from funnel.dataset.engine import literal, quoted
from funnel.stats.change_points import Step, step_in_share

if TYPE_CHECKING:
    from funnel.dataset import Tables

Floats = NDArray[np.float64]
ALL = "all:"  # the column that stands for the whole table
PREFIX = "prefix of "  # a key by the letters that it begins with
FILLED = "filled"  # in place of the values of a column that is only tested for blanks
_ROUNDS = 3
_CLOSED = "outcome in ('won', 'lost')"
_HAS_DEAL = "lead_id in (select lead_id from deals where lead_id is not null)"


@dataclass(frozen=True)
class Log:
    """Rows of a table that happen by day: which day, which rows, and what is counted by value.

    `hits` is a condition whose rows are counted besides; `columns` are those followed by value,
    `blanks` those of which only a blank matters.
    """

    table: str
    moment: str
    where: str = "true"
    hits: str = "false"
    columns: tuple[str, ...] = ()
    blanks: tuple[str, ...] = ()


LOGS = {
    "leads": Log(
        "leads",
        "created_at",
        hits=_HAS_DEAL,
        columns=(
            "channel", "motion", "region", "industry", "seniority", "job_function", "grade",
            "owner", "lead_id",
        ),
        blanks=("employees", "annual_revenue", "score", "email"),
    ),
    "stage_changes": Log("stage_changes", "entered_at", columns=("stage",)),
    "deals": Log(
        "deals",
        "coalesce(created_at, closed_at)",
        columns=("owner", "kind", "product", "deal_id"),
        blanks=("lead_id", "account_id"),
    ),
    "closings": Log(
        "deals",
        "closed_at",
        where=_CLOSED,
        hits="outcome = 'won'",
        columns=("outcome", "owner", "product", "deal_id"),
        blanks=("amount", "mrr"),
    ),
    "losses": Log(
        "deals", "closed_at", where="outcome = 'lost'", columns=("loss_reason", "competitor")
    ),
    "touches": Log(
        "touches", "occurred_at", columns=("channel", "kind", "touch_id"), blanks=("lead_id",)
    ),
    "activities": Log("activities", "occurred_at", columns=("kind", "owner")),
    "spend": Log("spend", "spent_on", columns=("channel",)),
}  # fmt: skip
"""What is followed by day. Campaigns, content and free text begin and end by their nature."""

MOMENTS = (
    ("leads", "created_at"),
    ("stage_changes", "entered_at"),
    ("deals", "created_at"),
    ("deals", "closed_at"),
    ("touches", "occurred_at"),
    ("activities", "occurred_at"),
)
SLOTS = 48  # half-hours of a day


@dataclass(frozen=True, eq=False)
class DayCounts:
    """Rows of a column's values by day.

    `n` and `hits` have one row per word of `words`, one column per day of the look-back; `total`
    is of the whole table, whatever the word. `is_blank` marks those that say nothing, such as `""`.
    """

    log: str
    table: str
    column: str
    words: tuple[str, ...]
    is_blank: NDArray[np.bool_]
    n: Floats
    hits: Floats
    total: Floats


@cached
def day_counts(data: Tables, log: str) -> dict[str, DayCounts]:
    """Rows by day of each column of a log; the column `ALL` is the whole table.

    Empty where the table has no row in the look-back.
    """
    of, back = LOGS[log], lookback(data)
    if not data.has(of.table):
        return {}
    columns = _columns(data, of)
    shown = ", ".join(f"{sql} as {quoted(name)}" for name, sql in columns)
    names = ", ".join(quoted(name) for name, _ in columns)
    frame = data.sql(
        f"""with
        rows as (
            select {day_of(data, of.moment, of.table)} as "day:", {of.hits} as "hit:", {shown}
            from {of.table} where {of.where} and {within(data, of.moment, of.table)}
        ),
        counted as (
            select name, value, "day:" as day, count(*) as n, count_if("hit:") as hits
            from (select * from rows unpivot (value for name in ({names})))
            group by name, value, "day:"
        ),
        largest as (
            select name, value from counted group by name, value
            having sum(n) >= {FEWEST_OF_VALUE} or name = {literal(ALL)}
            qualify row_number() over (partition by name order by sum(n) desc, value)
                <= {MOST_VALUES}
        )
        select counted.* from counted semi join largest using (name, value) order by all"""
    )
    if frame.empty:
        return {}
    return {each.column: each for each in _wide(log, of.table, frame, back)}


def _wide(log: str, table: str, frame: pd.DataFrame, back: Lookback) -> Iterator[DayCounts]:
    n_days = len(back.days)
    at = (frame["day"] - back.days[0]).dt.days.to_numpy()
    name, names = pd.factorize(frame["name"].to_numpy())
    value, values = pd.factorize(frame["value"].to_numpy())
    words = pd.Series(values, dtype="str")
    is_blank = is_unknown(words).to_numpy()
    total = np.zeros(n_days)
    whole = name == list(names).index(ALL)
    np.add.at(total, at[whole], frame["n"].to_numpy(float)[whole])
    for i, column in enumerate(names):
        mine = name == i
        used, row = np.unique(value[mine], return_inverse=True)
        n, hits = np.zeros((2, len(used), n_days))
        n[row, at[mine]] = frame["n"].to_numpy(float)[mine]
        hits[row, at[mine]] = frame["hits"].to_numpy(float)[mine]
        yield DayCounts(
            log, table, str(column), tuple(words.iloc[used]), is_blank[used], n, hits, total
        )


def _columns(data: Tables, of: Log) -> list[tuple[str, str]]:
    """Name and SQL of each column that is there, as a text without NULL."""
    known = TABLES[of.table].by_name
    found = [(ALL, "''")]
    for name in (*of.columns, *_extras(data, of)):
        if not data.has(of.table, name):
            continue
        if name in known and known[name].kind == Kind.ID:
            found.append((PREFIX + name, f"regexp_extract({name}, '^[A-Za-z]{{1,8}}[-_.]?')"))
        else:
            found.append((name, f"coalesce(cast({quoted(name)} as varchar), '')"))
    for name in of.blanks:
        if data.has(of.table, name):
            sql = f"case when {name} is null then '' else {literal(FILLED)} end"
            found.append((name, sql))
    return found


def _extras(data: Tables, of: Log) -> list[str]:
    """Text columns that the contract does not know, of a log that is a whole table."""
    names = data.extras.get(of.table, ()) if of.table in LOGS and LOGS[of.table] is of else ()
    if not names:
        return []
    kinds = data.sql(f"select {', '.join(map(quoted, names))} from {of.table} limit 1").dtypes
    return [name for name in names if str(kinds[name]) in ("str", "object")]


def within(data: Tables, moment: str, table: str) -> str:
    """SQL condition that a row lies in the look-back."""
    known = TABLES[table].by_name.get(moment)
    span = lookback(data).span
    return data.plan.within_sql(moment, span, is_date=known is not None and known.kind == "date")


def by_day(data: Tables, query: str) -> tuple[Floats, Floats]:
    """Two counts by day of the look-back, of a query that gives `day`, `n` and `k`."""
    frame, days = data.sql(query), lookback(data).days
    n, k = np.zeros((2, len(days)))
    at = (frame["day"] - days[0]).dt.days.to_numpy()
    np.add.at(n, at, frame["n"].to_numpy(float))
    np.add.at(k, at, frame["k"].to_numpy(float))
    return n, k


@cached
def profile_of(data: Tables, table: str, moment: str) -> Floats | None:
    """Rows by day and half-hour of the day; the first column has those without an hour.

    A moment at midnight, UTC or local, has none. Nothing where the column is empty.
    """
    if not data.has(table, moment):
        return None
    days = lookback(data).days
    frame = data.sql(
        f"""with rows as (
            select {moment} as utc, {local_moment(data, moment)} as local
            from {table} where {within(data, moment, table)}
        )
        select
            date_trunc('day', local) as day,
            case when utc = date_trunc('day', utc) or local = date_trunc('day', local) then 0
                else 1 + extract(hour from local) * 2 + extract(minute from local) // 30
            end as slot,
            count(*) as n
        from rows group by all order by all"""
    )
    profile = np.zeros((len(days), 1 + SLOTS))
    at = (frame["day"] - days[0]).dt.days.to_numpy()
    np.add.at(profile, (at, frame["slot"].to_numpy(int)), frame["n"].to_numpy(float))
    return profile


def large_step(n: Floats, k: Floats, data: Tables, smallest: float) -> Step | None:
    """The step of a share, where it is large; weeks that hardly differ are not searched."""
    weeks = len(n) // 7 * 7
    by_week = [each[:weeks].reshape(-1, 7).sum(axis=1) for each in (n, k)]
    share = by_week[1][by_week[0] > 0] / by_week[0][by_week[0] > 0]
    if not len(share) or share.max() - share.min() < smallest:
        return None
    there = n > 0
    counts = pd.DataFrame({"day": lookback(data).days[there], "n": n[there], "k": k[there]})
    step = step_in_share(counts, data.plan.level)
    if step is None or step.is_gradual or abs(step.change) < smallest:
        return None
    days = lookback(data).days
    at = (pd.Timestamp(step.day) - days[0]).days
    at = most_likely_day(np.column_stack([k, n - k]), at)
    return dataclasses.replace(step, day=days[at].date())


def most_likely_day(counts: Floats, at: int) -> int:
    """The day on which the shares of kinds of rows (day, kind) most likely stepped, near a first.

    The largest of many z values lies towards the middle where rows are few.
    """
    for _ in range(_ROUNDS):
        sides = [counts[:at].sum(axis=0) + 0.5, counts[at:].sum(axis=0) + 0.5]
        before, after = (np.log(side / side.sum()) for side in sides)
        gain = np.cumsum(counts @ (before - after))[:-1]
        at = int(np.argmax(gain)) + 1
    return at


def local_moment(data: Tables, moment: str) -> str:
    """SQL of a moment (UTC) in the company's time zone."""
    return f"timezone({literal(data.plan.company.timezone)}, timezone('UTC', {moment}))"


def rows_before(data: Tables, table: str, moment: str) -> int:
    """Rows of a table from before the look-back."""
    start = data.plan.midnight(lookback(data).span.start).replace(tzinfo=None)
    found = data.sql(f"select count(*) as n from {table} where {moment} < timestamp '{start}'")
    return int(found["n"].iloc[0])
