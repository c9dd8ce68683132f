"""Which months each table covers, and which sources stopped or collapsed before its last day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks.limits import (
    BEFORE_DAYS,
    COLLAPSED_SHARE,
    FEWEST_EXPECTED,
    FEWEST_ROWS,
    LATE_SPEND_DAYS,
    LONGER_THAN_BEFORE,
    SHORTEST_COLLAPSE,
    SHORTEST_GAP,
    SUCCESSOR_SHARE,
    SUCCESSOR_Z,
    SURE,
)
from funnel.checks.natures import ASK, BUSINESS, RECORDS
from funnel.contract.tables import TABLES, Kind
from funnel.dataset.cache import shared
from funnel.dataset.casts import local_day
from funnel.results import Result, speaks_for
from funnel.stats.dispersion import count_dispersion

if TYPE_CHECKING:
    from funnel.dataset import Tables

Floats = NDArray[np.float64]
STREAMS = ("leads", "stage_changes", "deals", "touches", "activities", "spend", "subscriptions")
_NO_EVENTS = ("reps",)  # the day somebody started at work says nothing about what is recorded
BY_CHANNEL = ("leads", "touches", "spend")
_EVENTS = (
    ("leads", "created_at", ""),
    ("stage_changes", "entered_at", ""),
    ("deals", "created_at", ""),
    ("deals", "closed_at", "and outcome <> 'open'"),
)
_LONGEST_DAYS, _YEAR_DAYS = 3 * 365, 364
UNKNOWN = "unknown"  # the name of rows without a channel


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

    `nature` is `records` where the rows are missing rather than the business: a table that ended, a
    channel that goes on elsewhere, or one whose rows another channel, the `successor`, took over;
    `business` where a channel's spend or leads ended too and nothing took over; else `ask`.
    """

    table: str
    channel: str
    last_on: dt.date
    as_of: dt.date
    n_rows: int
    expected: float
    p_value: float
    nature: str = ASK
    successor: str = ""

    @property
    def gap_days(self) -> int:
        """Days without a row."""
        return (self.as_of - self.last_on).days


@dataclass(frozen=True, eq=False)
class Collapse:
    """Events of a table that went on from a day on, at a fifth of their rate or less.

    `column` dates the events. `n` of them happened from `since` to `as_of`, where `expected` would
    have at the rate of the thirteen weeks before, or at what is left of it in the same days a year
    earlier. Whether the business or the records changed does not follow: `nature` is `ask`.
    """

    table: str
    column: str
    since: dt.date
    as_of: dt.date
    n: int
    expected: float
    p_value: float
    nature: str = ASK


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
        last_on = rows["day"].max()
        nature, successor = _nature(data, days, table, channel, last_on)
        found.append(
            StoppedSource(
                table=table,
                channel=channel,
                last_on=last_on.date(),
                as_of=data.as_of,
                n_rows=int(rows["n_rows"].sum()),
                expected=expected,
                p_value=p_value,
                nature=nature,
                successor=successor,
            )
        )
    return tuple(found)


def _nature(
    data: Tables, days: pd.DataFrame, table: str, channel: str, last: pd.Timestamp
) -> tuple[str, str]:
    """Whether the records ended, or the business; and the channel that took over its rows."""
    if not channel:
        return (ASK if table == "spend" else RECORDS), ""
    ends = days[days["channel"] == channel].groupby("table")["day"].max()
    pause = pd.Timedelta(days=SHORTEST_GAP)
    goes_on = set(ends.index[ends > last + pause])
    if (table == "touches" and "leads" in goes_on) or (
        table == "leads" and "touches" in goes_on and _brings_leads(data, channel, last + pause)
    ):
        return RECORDS, ""
    successor = _successor(days[days["table"] == table], channel, last)
    if successor is not None:
        began = days.loc[(days["table"] == table) & (days["channel"] == successor), "day"].min()
        is_renamed = abs(began - last) <= pause
        is_paid_for = _rose(days[days["table"] == "spend"], successor, last)
        return (RECORDS if is_renamed or not is_paid_for else ASK), successor or UNKNOWN
    other = "leads" if table == "spend" else "spend"
    if other not in ends.index or (table == "leads" and "touches" in goes_on):
        return ASK, ""
    both_ended = abs(ends[other] - last) <= pd.Timedelta(days=LATE_SPEND_DAYS)
    silent = days.loc[days["table"] == other, "day"].max() - ends[other]
    return (BUSINESS if both_ended and silent >= pause else ASK), ""


def _brings_leads(data: Tables, channel: str, after: pd.Timestamp) -> bool:
    """Whether the first touch of leads created after a day is of a channel."""
    n = data.engine.rows(
        "select count(*) from (select arg_min(t.channel, t.occurred_at) as channel "
        "from touches t join leads l using (lead_id) where l.created_at > $after "
        "group by lead_id having min(t.occurred_at) > $after) where channel = $channel",
        channel=channel,
        after=after,
    )[0][0]
    return n >= FEWEST_ROWS


def _before_and_after(days: pd.DataFrame, last: pd.Timestamp) -> pd.DataFrame:
    """Rows by channel, before and after a day, over as many days each."""
    length = pd.Timedelta(days=min(BEFORE_DAYS, max((days["day"].max() - last).days, 1)))
    near = days[(days["day"] > last - length) & (days["day"] <= last + length)]
    when = np.where(near["day"] > last, "after", "before")
    counts = near.assign(when=when).pivot_table(
        index="channel", columns="when", values="n_rows", aggfunc="sum", fill_value=0
    )
    return counts.reindex(columns=["before", "after"], fill_value=0)


def _successor(days: pd.DataFrame, channel: str, last: pd.Timestamp) -> str | None:
    """The channel whose rows rose by those that another lost, beyond how all others rose."""
    counts = _before_and_after(days, last)
    lost = counts["before"].get(channel, 0)
    others = counts.drop(index=channel, errors="ignore")
    week = (last - days["day"]).dt.days // 7
    found: dict[str, float] = {}
    for name, (before, after) in others.iterrows():
        rest = others.drop(index=name).sum()
        growth = rest["after"] / rest["before"] if rest["before"] else 1.0
        weekly = days[(days["channel"] == name) & week.between(0, 12)].groupby(week)["n_rows"].sum()
        spread = count_dispersion(weekly.to_numpy())
        rise = after - before * growth
        z = rise / np.sqrt(spread * max(after + growth**2 * before, 1.0))
        if rise >= SUCCESSOR_SHARE * lost and z > SUCCESSOR_Z:
            found[str(name)] = rise
    return max(found, key=found.__getitem__, default=None)


def _rose(spend: pd.DataFrame, channel: str, last: pd.Timestamp) -> bool:
    """Whether a channel was paid for more often after a day."""
    if spend.empty or channel not in set(spend["channel"]):
        return False
    money = spend.assign(n_rows=spend["amount"])
    counts = _before_and_after(money, last)
    before, after = counts.loc[channel] if channel in counts.index else (0.0, 0.0)
    return after > (1 + SUCCESSOR_SHARE / 2) * before


@shared
def collapses(data: Tables) -> tuple[Collapse, ...]:
    """Events that went on at a fifth of their rate or less, for four weeks up to the last day.

    Leads, stage changes, openings and closings of deals, over three years. The day is the one at
    which two Poisson rates, the thirteen weeks before and all days since, fit best, by whole weeks
    back from the last day. Chance must show such a fall less often than once in a thousand.
    """
    found = []
    for table, column, where in _EVENTS:
        if not data.has(table, column) or (column == "created_at" and _only_ended(data, table)):
            continue
        day = local_day(column, data.plan.company.timezone)
        daily = data.sql(
            f"select cast({day} as timestamp) as day, count(*) as n from {table} "
            f"where {column} > $begin {where} group by all",
            begin=data.ends_at.tz_localize(None) - pd.Timedelta(days=_LONGEST_DAYS),
        ).set_index("day")["n"]
        collapse = _collapse(daily, data.as_of)
        if collapse is not None:
            since, n, expected, p_value = collapse
            found.append(Collapse(table, column, since, data.as_of, n, expected, p_value))
    return tuple(found)


def _only_ended(data: Tables, table: str) -> bool:
    """Whether only rows are there that ended as a deal: the latest are then always few."""
    if table == "deals":
        return not data.engine.rows("select 1 from deals where outcome = 'open' limit 1")
    without = "select 1 from leads where lead_id not in (select lead_id from deals where lead_id "
    return not data.engine.rows(f"{without} is not null) limit 1")


def _collapse(daily: pd.Series, as_of: dt.date) -> tuple[dt.date, int, float, float] | None:
    """First day, events since, those expected, and the p value of a collapse."""
    from scipy.stats import norm

    if daily.empty:
        return None
    days = pd.date_range(daily.index.min(), pd.Timestamp(as_of))
    counts = daily.reindex(days, fill_value=0).to_numpy(float)
    at = _day_of_collapse(counts)
    if at is None:
        return None
    n, expected = float(counts[at:].sum()), _expected_from(counts, at)
    if expected < FEWEST_EXPECTED or n > COLLAPSED_SHARE * expected:
        return None
    weekly = counts[at - BEFORE_DAYS : at].reshape(-1, 7).sum(axis=1)
    # Square roots of counts scatter alike, whatever their mean.
    z = 2 * (np.sqrt(n) - np.sqrt(expected)) / np.sqrt(count_dispersion(weekly))
    p_value = float(norm.cdf(z))
    if p_value * len(_EVENTS) >= SURE:
        return None
    return days[at].date(), int(n), expected, p_value


def _day_of_collapse(counts: Floats) -> int | None:
    """Position from which on a rate of a fifth or less fits best; None where none does."""
    gains = {}
    for n_days in range(SHORTEST_COLLAPSE, len(counts) - BEFORE_DAYS + 1, 7):
        at = len(counts) - n_days
        before, after = counts[at - BEFORE_DAYS : at], counts[at:]
        fell = after[:SHORTEST_COLLAPSE].mean() <= before.mean() / 2
        if fell and 0 < after.mean() <= COLLAPSED_SHARE * before.mean():
            both = counts[at - BEFORE_DAYS :]
            gains[at] = _fit(before) + _fit(after) - _fit(both)
    return max(gains, key=gains.__getitem__, default=None)


def _fit(counts: Floats) -> float:
    """Log-likelihood of counts at one Poisson rate, but for what all rates share."""
    return len(counts) * (counts.mean() * np.log(counts.mean()) - counts.mean())


def _expected_from(counts: Floats, at: int) -> float:
    """Events from a position on, by the weeks before and what was left of those a year earlier."""
    expected = counts[at - BEFORE_DAYS : at].mean() * (len(counts) - at)
    then = at - _YEAR_DAYS
    if then >= BEFORE_DAYS and len(counts) - at <= _YEAR_DAYS:
        before = counts[then - BEFORE_DAYS : then].mean()
        if before > 0:
            expected *= min(counts[then : len(counts) - _YEAR_DAYS].mean() / before, 1.0)
    return float(expected)


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
    days = f"select {day} as day, {channel} as channel, 0.0 as amount from {name}"
    if name == "spend":
        days = f"select {day} as day, {channel} as channel, amount from spend where amount > 0"
    if name == "deals":
        # a deal entered when it closes is dated back to its opening: its close is a sign of life
        closing = local_day("closed_at", data.plan.company.timezone)
        days += f" union all select {closing}, '', 0.0 from deals"
    counts = data.sql(
        "select cast(day as timestamp) as day, channel, count(*) as n_rows, "
        f"sum(amount) as amount from ({days}) "
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
