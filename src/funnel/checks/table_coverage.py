"""Which months each table covers, and which sources stopped before the data's last day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.tables import TABLES, Kind
from funnel.dataset.casts import local_day
from funnel.results import Result, formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from funnel.contract.plan import Company
    from funnel.dataset import Tables

STREAMS = ("leads", "stage_changes", "deals", "touches", "activities", "spend", "subscriptions")
_NO_EVENTS = ("reps",)  # the day somebody started at work says nothing about what is recorded
BY_CHANNEL = ("leads", "touches", "spend")
_BEFORE_DAYS = 91  # thirteen weeks of the usual rhythm before a source stopped
_SHORTEST_GAP = 14
_FEWEST_ROWS = 10
_SURE = 0.001


@dataclass(frozen=True, eq=False, kw_only=True)
class CoverageGrid(Result):
    """How many rows each table has in each month.

    `table` has one row per table and month, from the first month of leads, deals, touches or
    another table that fills steadily (`STREAMS`) to that of `as_of`: `table`, `month` (`YYYY-MM`,
    where the company is), `n_rows`. Tables whose rows do not happen on a day are left out.
    """

    company: Company

    @property
    def headline(self) -> str:
        """The one sentence that the table supports."""
        if self.table.empty:
            return "No table holds a dated row."
        held = self.table[self.table["n_rows"] > 0]
        n_tables = held["table"].nunique()
        start, end = held["month"].min(), held["month"].max()
        spans = self.spans()
        steady = spans[spans["table"].isin(STREAMS)]
        last = self.table["month"].max()
        short = steady[(steady["last_month"] < last) | (steady["months_without"] > 0)]
        noun = "table holds" if n_tables == 1 else "tables hold"
        says = f"{formats.number(n_tables, self.company)} {noun} rows from {start} to {end}"
        if short.empty:
            return f"{says}, without an empty month in those that fill steadily."
        return f"{says}; empty months are found in {', '.join(short['table'])}."

    def shown(self) -> pd.DataFrame:
        """Give a row for each table: how much it holds, from when to when."""
        spans = self.spans()
        counts = ("n_rows", "months_without")
        rows, without = ([formats.number(n, self.company) for n in spans[name]] for name in counts)
        return pd.DataFrame(
            {
                "table": spans["table"],
                "rows": rows,
                "from": spans["first_month"],
                "to": spans["last_month"],
                "empty months": without,
            }
        )

    def spans(self) -> pd.DataFrame:
        """Sum up each table: `table`, `n_rows`, `first_month`, `last_month`, `months_without`."""
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

    def plot(self, ax: Axes | None = None) -> Axes:
        """Tables by months, darker where there are more rows."""
        from funnel.questions.readiness import charts

        return charts.coverage_grid(self, ax)


@dataclass(frozen=True, eq=False)
class Stopped:
    """A source of rows that ended before the data did.

    `expected` is how many rows should have followed `last_on`, by the thirteen weeks before it;
    `p_value` how often chance would leave none.
    """

    table: str
    channel: str
    last_on: dt.date
    gap_days: int
    n_rows: int
    expected: float
    p_value: float
    says: str


def coverage_grid(data: Tables) -> CoverageGrid:
    """Count each table's rows by month.

    Parameters
    ----------
    data
        A company's tables.
    """
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
        as_of=data.as_of,
        company=data.plan.company,
        level=data.plan.level,
        units={"n_rows": "rows"},
    )


def stopped(data: Tables) -> tuple[Stopped, ...]:
    """Find tables, and channels within them, that ended before the data's last day.

    A source has stopped when its silence up to `as_of` is longer than one and a half times any
    gap it had before, lasts at least two weeks, and is one that chance would show less often
    than once in a thousand, all sources together, given its rows in the thirteen weeks before
    (a Poisson count, widened by how much those weeks vary).

    Parameters
    ----------
    data
        A company's tables.
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
        if silence is None or silence[1] * len(sources) >= _SURE or table in ended:
            continue
        if not channel:
            ended.add(table)  # its channels stopped with it; one sentence is enough
        found.append(_stopped(data, table, channel, rows, *silence))
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
    """Write the day a row happened, where the company is, as SQL."""
    column = TABLES[name].happened
    if TABLES[name].by_name[column].kind is Kind.DATE:
        return column
    return local_day(column, data.plan.company.timezone)


def _silence(rows: pd.DataFrame, as_of: dt.date) -> tuple[float, float] | None:
    """Rows that should have come since the last one, and how often chance would show none."""
    days = rows["day"].sort_values()
    last = days.iloc[-1]
    gap = (pd.Timestamp(as_of) - last).days
    before = rows[rows["day"] > last - pd.Timedelta(days=_BEFORE_DAYS)]
    usual = max((days.diff().dt.days.max() or 0), 1) if len(days) > 1 else np.inf
    if gap < _SHORTEST_GAP or gap <= 1.5 * usual or before["n_rows"].sum() < _FEWEST_ROWS:
        return None
    span = min(_BEFORE_DAYS, (last - days.iloc[0]).days + 1)
    week = (last - before["day"]).dt.days // 7
    weekly = before.groupby(week)["n_rows"].sum().reindex(range(max(span // 7, 1)), fill_value=0)
    spread = weekly.var() / weekly.mean() if len(weekly) > 2 else 1.0
    expected = float(before["n_rows"].sum()) / span * gap
    return expected, float(np.exp(-expected / max(spread, 1.0)))


def _stopped(
    data: Tables, table: str, channel: str, rows: pd.DataFrame, expected: float, p_value: float
) -> Stopped:
    company = data.plan.company
    last_on = rows["day"].max().date()
    gap = (data.as_of - last_on).days
    n_rows = int(rows["n_rows"].sum())
    what = f"`{table}` of channel {channel}" if channel else f"`{table}`"
    says = (
        f"{what} end on {formats.day(last_on, company)}, {formats.number(gap, company)} days "
        f"before {formats.day(data.as_of, company)}: at the rate of the weeks before, about "
        f"{formats.number(expected, company)} more rows should be there. That there are none "
        "is no evidence of a fall."
    )
    return Stopped(table, channel, last_on, gap, n_rows, expected, p_value, says)
