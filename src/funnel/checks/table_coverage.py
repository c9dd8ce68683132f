"""Which months each table covers, and which sources stopped before the data's last day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.limits import (
    BEFORE_DAYS,
    FEWEST_ROWS,
    LONGER_THAN_BEFORE,
    SHORTEST_GAP,
    SURE,
)
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.cache import shared
from funnel.dataset.casts import local_day
from funnel.results import Result, speaks_for
from funnel.stats.dispersion import count_dispersion

if TYPE_CHECKING:
    from funnel.dataset import Tables

STREAMS = ("leads", "stage_changes", "deals", "touches", "activities", "spend", "subscriptions")
_NO_EVENTS = ("reps",)  # the day somebody started at work says nothing about what is recorded
BY_CHANNEL = ("leads", "touches", "spend")


@dataclass(frozen=True, eq=False, kw_only=True)
class CoverageGrid(Result):
    """How many rows each table has in each month.

    `table` has one row per table and month, from the first month of leads, deals, touches or
    another table that fills steadily (`STREAMS`) to that of `as_of`: `table`, `month` (`YYYY-MM`,
    in the company's time zone), `n_rows`. Tables whose rows do not happen on a day are left out.
    """

    def spans(self) -> pd.DataFrame:
        """One row per table: `table`, `n_rows`, `first_month`, `last_month`, `months_without`."""
        held = self.table[self.table["n_rows"] > 0]
        spans = (
            held.groupby("table", sort=False)
            .agg(
                n_rows=("n_rows", "sum"),
                first_month=("month", "min"),
                last_month=("month", "max"),
                months_with=("month", "size"),
            )
            .reset_index()
        )
        span = [
            len(pd.period_range(first, last, freq="M"))
            for first, last in zip(spans["first_month"], spans["last_month"], strict=True)
        ]
        spans["months_without"] = np.array(span, dtype=int) - spans.pop("months_with")
        return spans


@dataclass(frozen=True, eq=False)
class StoppedSource:
    """A source of rows that ended before the dataset did.

    `table` and `channel` (empty for the whole table) are the source, `n_rows` what it holds.
    `expected` is how many rows should have followed `last_on` up to `as_of`, by the thirteen weeks
    before it; `p_value` how often chance would leave none.
    """

    table: str
    channel: str
    last_on: dt.date
    as_of: dt.date
    n_rows: int
    expected: float
    p_value: float

    @property
    def gap_days(self) -> int:
        """Days without a row."""
        return (self.as_of - self.last_on).days


@shared
def coverage_grid(data: Tables) -> CoverageGrid:
    """Rows of each table by month."""
    happening = [name for name in TABLES if TABLES[name].happened and name not in _NO_EVENTS]
    grid = pd.concat([_by_month(data, name) for name in happening], ignore_index=True)
    steady = grid["table"].isin(STREAMS)
    if steady.any():
        last = max(grid["month"].max(), f"{data.as_of:%Y-%m}")
        months = pd.period_range(grid.loc[steady, "month"].min(), last, freq="M").astype("str")
        names = list(dict.fromkeys(grid["table"]))
        every = pd.MultiIndex.from_product([names, months], names=["table", "month"])
        grid = grid.set_index(["table", "month"]).reindex(every, fill_value=0).reset_index()
    return CoverageGrid(
        table=grid.astype({"n_rows": "int64"}).reset_index(drop=True),
        units={"n_rows": "rows"},
        **speaks_for(data),
    )


@shared
def stopped_sources(data: Tables) -> tuple[StoppedSource, ...]:
    """Tables, and channels within them, that ended before the dataset's last day.

    A source has stopped when its silence up to `as_of` is longer than one and a half times any
    gap it had before, lasts at least two weeks, and is one that chance would show less often
    than once in a thousand, all sources together, given its rows in the thirteen weeks before
    (a Poisson count, widened by how much those weeks vary).
    """
    daily = [_by_day(data, name) for name in STREAMS if data.has(name)]
    if not daily:
        return ()
    days = pd.concat(daily, ignore_index=True)
    whole = days.groupby(["table", "day"], as_index=False)["n_rows"].sum().assign(channel="")
    split = days[days["table"].isin(BY_CHANNEL) & (days["channel"] != "")]
    sources = [*whole.groupby(["table", "channel"]), *split.groupby(["table", "channel"])]
    found = []
    ended = set()
    for (table, channel), rows in sources:
        silence = _silence(rows, data.as_of)
        if silence is None or silence[1] * len(sources) >= SURE or table in ended:
            continue
        if not channel:
            ended.add(table)  # its channels stopped with it, and once is enough
        expected, p_value = silence
        found.append(
            StoppedSource(
                table=table,
                channel=channel,
                last_on=rows["day"].max().date(),
                as_of=data.as_of,
                n_rows=int(rows["n_rows"].sum()),
                expected=expected,
                p_value=p_value,
            )
        )
    return tuple(found)


def _by_month(data: Tables, name: str) -> pd.DataFrame:
    if not data.has(name):
        return pd.DataFrame({"table": [], "month": [], "n_rows": []}).astype(
            {"table": "str", "month": "str", "n_rows": "int64"}
        )
    day = _local_day(data, name)
    counts = data.sql(
        f"select strftime({day}, '%Y-%m') as month, count(*) as n_rows from {name} "
        f"where {TABLES[name].happened} is not null group by all order by month"
    )
    return counts.assign(table=name)[["table", "month", "n_rows"]]


def _by_day(data: Tables, name: str) -> pd.DataFrame:
    day = _local_day(data, name)
    channel = "coalesce(channel, '')" if name in BY_CHANNEL else "''"
    days = f"select {day} as day, {channel} as channel from {name}"
    if name == "deals":
        # a deal entered when it closes is dated back to its opening: its close is a sign of life
        closing = local_day("closed_at", data.plan.company.timezone)
        days += f" union all select {closing}, '' from deals"
    counts = data.sql(
        f"select cast(day as timestamp) as day, channel, count(*) as n_rows from ({days}) "
        "where day is not null group by all order by all"
    )
    return counts.assign(table=name)


def _local_day(data: Tables, name: str) -> str:
    """SQL of the day on which a row happened, in the company's time zone."""
    column = TABLES[name].happened
    if TABLES[name].by_name[column].kind is Kind.DATE:
        return column
    return local_day(column, data.plan.company.timezone)


def _silence(rows: pd.DataFrame, as_of: dt.date) -> tuple[float, float] | None:
    """Rows that should have come since the last one, and how often chance would show none."""
    days = rows["day"].sort_values()
    last = days.iloc[-1]
    gap = (pd.Timestamp(as_of) - last).days
    before = rows[rows["day"] > last - pd.Timedelta(days=BEFORE_DAYS)]
    longest = max((days.diff().dt.days.max() or 0), 1) if len(days) > 1 else np.inf
    if gap < SHORTEST_GAP or gap <= LONGER_THAN_BEFORE * longest:
        return None
    if before["n_rows"].sum() < FEWEST_ROWS:
        return None
    span = min(BEFORE_DAYS, (last - days.iloc[0]).days + 1)
    week = (last - before["day"]).dt.days // 7
    weekly = before.groupby(week)["n_rows"].sum().reindex(range(max(span // 7, 1)), fill_value=0)
    expected = float(before["n_rows"].sum()) / span * gap
    return expected, float(np.exp(-expected / count_dispersion(weekly)))
