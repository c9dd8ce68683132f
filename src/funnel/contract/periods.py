"""Months and quarters, which two of them are compared, and which rows fall into them.

A row belongs to a period by the local day on which it happened. `within` and `within_sql` are the
only places that decide it, for frames and for the engine.

A period is named by its fiscal year, which is the calendar year in which it ends: with
`fiscal_year_starts = 7`, 2026Q1 is July to September 2025. Months are always calendar months.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from funnel.contract.errors import PlanError

if TYPE_CHECKING:
    import pandas as pd

_MONTHS = {"month": 1, "quarter": 3}


@dataclass(frozen=True)
class Period:
    """A span of whole days, both ends included."""

    start: dt.date
    end: dt.date
    label: str = ""

    @classmethod
    def between(cls, start: dt.date, after: dt.date, label: str = "") -> Period:
        """Period from one day until before another."""
        return cls(start, after - dt.timedelta(days=1), label)

    @property
    def n_days(self) -> int:
        """Number of days in it."""
        return (self.end - self.start).days + 1

    @property
    def after(self) -> dt.date:
        """The first day that is no longer in it."""
        return self.end + dt.timedelta(days=1)


@dataclass(frozen=True)
class Comparison:
    """The period that is analysed, and the one it is compared with.

    `is_complete` is false where the period has not ended by `as_of`; both are then cut to the
    same number of days from their start.
    """

    period: Period
    baseline: Period
    is_complete: bool

    @property
    def span(self) -> Period:
        """Period from the first day of the baseline to the last of the period."""
        return Period(self.baseline.start, self.period.end)


def midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """Moment (UTC) at which a day begins in a time zone."""
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)


def within(rows: pd.Series, period: Period, zone: ZoneInfo) -> pd.Series:
    """Which rows fall into a period, by local day.

    Parameters
    ----------
    rows
        Moments (UTC, with time zone), or days without one. A missing one is in no period.
    period
        Its first day counts from local midnight, its last day until the next one.
    zone
        The company's time zone.

    Returns
    -------
    Series
        True or False, on the index of `rows`.

    Examples
    --------
    >>> import pandas as pd
    >>> april = Period(dt.date(2026, 4, 1), dt.date(2026, 4, 30), "2026-04")
    >>> days = pd.Series(pd.to_datetime(["2026-03-31", "2026-04-30", None]))
    >>> within(days, april, ZoneInfo("Europe/Berlin")).tolist()
    [False, True, False]
    """
    if rows.dt.tz is None:
        return (rows >= str(period.start)) & (rows < str(period.after))
    return (rows >= midnight(period.start, zone)) & (rows < midnight(period.after, zone))


def within_sql(column: str, period: Period, zone: ZoneInfo, *, is_date: bool = False) -> str:
    """SQL condition that a row falls into a period, by local day.

    Parameters
    ----------
    column
        SQL of a timestamp in UTC without a time zone, as the engine has moments; or of a date.
    period
        Its first day counts from local midnight, its last day until the next one.
    zone
        The company's time zone.
    is_date
        Whether `column` is a date.

    Examples
    --------
    >>> april = Period(dt.date(2026, 4, 1), dt.date(2026, 4, 30), "2026-04")
    >>> print(within_sql("spent_on", april, ZoneInfo("UTC"), is_date=True))
    (spent_on >= date '2026-04-01' and spent_on < date '2026-05-01')
    >>> print(within_sql("closed_at", april, ZoneInfo("UTC"))[:45])
    (closed_at >= timestamp '2026-04-01 00:00:00'
    """
    days = (period.start, period.after)
    if is_date:
        start, after = (f"date '{day}'" for day in days)
    else:
        moments = (midnight(day, zone).replace(tzinfo=None) for day in days)
        start, after = (f"timestamp '{moment}'" for moment in moments)
    return f"({column} >= {start} and {column} < {after})"


def local_days(moments: pd.Series, zone: ZoneInfo) -> pd.Series:
    """Days on which moments (UTC) fall in a time zone, as midnights without one.

    Examples
    --------
    >>> import pandas as pd
    >>> moments = pd.Series(pd.to_datetime(["2026-03-31T22:00Z"]))
    >>> local_days(moments, ZoneInfo("Europe/Berlin")).iloc[0]
    Timestamp('2026-04-01 00:00:00')
    """
    return moments.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()


def running_comparison(
    as_of: dt.date, kind: str, compare: str, fiscal_year_starts: int = 1
) -> Comparison:
    """The period that holds a day, to date, and its comparison.

    While less than a quarter of that period has passed, the last complete one is taken.

    Examples
    --------
    >>> running_comparison(dt.date(2026, 5, 15), "quarter", "previous").baseline.end
    datetime.date(2026, 2, 14)
    >>> running_comparison(dt.date(2026, 4, 15), "quarter", "previous").period.label
    '2026Q1'
    """
    whole = _period_of(as_of, kind, fiscal_year_starts)
    passed = (as_of - whole.start).days + 1
    if passed * 4 < whole.n_days:
        whole = _earlier(whole, _MONTHS[kind], kind, fiscal_year_starts)
    return _compared(whole, as_of, kind, compare, fiscal_year_starts)


def named_comparison(
    name: str, as_of: dt.date, kind: str, compare: str, fiscal_year_starts: int = 1
) -> Comparison:
    """The period of a name, such as `2026Q2` or `2026-06`, and its comparison.

    Raises
    ------
    PlanError
        If there is no such period, or none of its days has passed by `as_of`.
    """
    year, number = int(name[:4]), int(name[5:])
    if kind == "month":
        if number not in range(1, 13):
            raise PlanError(f"period {name}: months run from 01 to 12.")
        start = dt.date(year, number, 1)
    else:
        in_year_of_start = fiscal_year_starts > 1
        first = (year - in_year_of_start) * 12 + fiscal_year_starts - 1 + 3 * (number - 1)
        start = dt.date(first // 12, first % 12 + 1, 1)
    if start > as_of:
        raise PlanError(
            f"period {name} begins on {start}, after {as_of}, the last day that the data covers. "
            "There is nothing to analyse yet."
        )
    whole = _period_of(start, kind, fiscal_year_starts)
    return _compared(whole, as_of, kind, compare, fiscal_year_starts)


def _compared(
    whole: Period, as_of: dt.date, kind: str, compare: str, fiscal_year_starts: int
) -> Comparison:
    back = _MONTHS[kind] if compare == "previous" else 12
    other = _earlier(whole, back, kind, fiscal_year_starts)
    if whole.end <= as_of:
        return Comparison(whole, other, is_complete=True)
    passed = (as_of - whole.start).days
    to_date = Period(whole.start, as_of, whole.label)
    same_days = min(other.start + dt.timedelta(days=passed), other.end)
    return Comparison(to_date, Period(other.start, same_days, other.label), is_complete=False)


def _period_of(day: dt.date, kind: str, fiscal_year_starts: int) -> Period:
    length = _MONTHS[kind]
    into = (day.month - fiscal_year_starts) % length if kind == "quarter" else 0
    first = day.year * 12 + day.month - 1 - into
    start = dt.date(first // 12, first % 12 + 1, 1)
    then = first + length
    end = dt.date(then // 12, then % 12 + 1, 1) - dt.timedelta(days=1)
    return Period(start, end, _label(start, kind, fiscal_year_starts))


def _earlier(period: Period, months: int, kind: str, fiscal_year_starts: int) -> Period:
    first = period.start.year * 12 + period.start.month - 1 - months
    return _period_of(dt.date(first // 12, first % 12 + 1, 1), kind, fiscal_year_starts)


def _label(start: dt.date, kind: str, fiscal_year_starts: int) -> str:
    if kind == "month":
        return f"{start:%Y-%m}"
    into_year = (start.month - fiscal_year_starts) % 12
    begins_now = start.month >= fiscal_year_starts
    year = start.year + (fiscal_year_starts > 1 and begins_now)
    return f"{year}Q{into_year // 3 + 1}"
