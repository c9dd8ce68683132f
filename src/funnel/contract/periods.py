"""Months and quarters, which two of them are compared, and which rows fall into them.

A row belongs to a period by the local day on which it happened. `within` and `within_sql` are the
only places that decide it, for frames and for the engine.

A period is named by its fiscal year, which is the calendar year in which it ends: with
`fiscal_year_starts = 7`, 2026Q1 is July to September 2025, and months are calendar months. Where
the company counts weeks (`[calendar]`), 2026-01 is the first month of fiscal 2026. Such a year that
ends around the end of January is named by the year before, as in retail.
"""

from __future__ import annotations

import calendar
import datetime as dt
import functools
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from funnel.contract.errors import PlanError

if TYPE_CHECKING:
    import pandas as pd

_MONTHS = {"month": 1, "quarter": 3}
_DAY = dt.timedelta(days=1)
_WEEKS = ("4-4-5", "4-5-4", "5-4-4")
# in English, whatever the machine's language
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH_NAMES = (
    "", "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_LAST = re.compile(r"last (\w+) of (\w+)")
_NEAREST = re.compile(r"(\w+) nearest (?:to )?(\w+) (\d{1,2})")


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
    def days(self) -> tuple[dt.date, dt.date]:
        """First and last day of it."""
        return self.start, self.end

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


@dataclass(frozen=True)
class FiscalMonths:
    """Fiscal years of calendar months, from the first of a month on."""

    year_starts: int = 1

    def period_of(self, day: dt.date, kind: str) -> Period:
        """The month or quarter that holds a day."""
        into = (day.month - self.year_starts) % _MONTHS[kind]
        first = day.year * 12 + day.month - 1 - into
        start, after = (_first_of(first + months) for months in (0, _MONTHS[kind]))
        if kind == "month":
            return Period.between(start, after, f"{start:%Y-%m}")
        number = (start.month - self.year_starts) % 12 // 3 + 1
        year = start.year + (self.year_starts > 1 and start.month >= self.year_starts)
        return Period.between(start, after, f"{year}Q{number}")

    def named(self, year: int, number: int, kind: str) -> Period:
        """The month or quarter with a number of a year."""
        first = year * 12 + number - 1
        if kind == "quarter":
            in_year_of_start = self.year_starts > 1
            first = (year - in_year_of_start) * 12 + self.year_starts - 1 + 3 * (number - 1)
        return self.period_of(_first_of(first), kind)


def _first_of(months: int) -> dt.date:
    """First day of a month, counted from year 0."""
    return dt.date(months // 12, months % 12 + 1, 1)


@dataclass(frozen=True)
class FiscalWeeks:
    """Fiscal years of 52 or 53 weeks: quarters of 13 weeks, months of four or five.

    `weeks` is how many weeks the months of a quarter have; `year_ends` the rule for the last day of
    a year. A 53rd week belongs to the last month.

    References
    ----------
    National Retail Federation, 4-5-4 Calendar: the Saturday nearest January 31, and 53 weeks in
    fiscal 2023.

    Examples
    --------
    >>> retail = FiscalWeeks("4-5-4", "Saturday nearest January 31")
    >>> retail.named(2023, 4, "quarter").end, retail.named(2023, 4, "quarter").n_days
    (datetime.date(2024, 2, 3), 98)
    >>> retail.period_of(dt.date(2024, 2, 4), "month").label
    '2024-01'
    """

    weeks: str
    year_ends: str

    def __post_init__(self) -> None:
        if self.weeks not in _WEEKS:
            raise PlanError(
                f"`calendar.weeks` is {self.weeks!r}; it must be {' or '.join(_WEEKS)}: the weeks "
                "of the months of a quarter."
            )
        _rule(self.year_ends)

    def period_of(self, day: dt.date, kind: str) -> Period:
        """The month or quarter that holds a day."""
        near = range(day.year - 2, day.year + 2)
        year = next(each for each in near if day < self._starts(each)[-1])
        number = next(i for i, start in enumerate(self._starts(year)[1:], 1) if day < start)
        return self.named(year, -(-number // _MONTHS[kind]), kind)

    def named(self, year: int, number: int, kind: str) -> Period:
        """The month or quarter with a number of a fiscal year."""
        length = _MONTHS[kind]
        start, after = (self._starts(year)[length * n] for n in (number - 1, number))
        label = f"{year:04}-{number:02}" if kind == "month" else f"{year:04}Q{number}"
        return Period.between(start, after, label)

    def _starts(self, year: int) -> tuple[dt.date, ...]:
        return _month_starts(self.weeks, self.year_ends, year)


Fiscal = FiscalMonths | FiscalWeeks
CALENDAR_YEARS = FiscalMonths()


@functools.lru_cache(maxsize=512)
def _month_starts(weeks: str, year_ends: str, year: int) -> tuple[dt.date, ...]:
    """First day of each of the twelve months of a fiscal year, and of the next year."""
    start, after = (_year_end(year_ends, each) + _DAY for each in (year - 1, year))
    lengths = [dt.timedelta(weeks=int(n)) for n in weeks.split("-")] * 4
    return (*itertools.accumulate(lengths[:-1], initial=start), after)


def _year_end(year_ends: str, year: int) -> dt.date:
    """Last day of a fiscal year."""
    month, day, weekday = _rule(year_ends)
    year += month == 1
    if day:  # at most three days before or after it
        latest = dt.date(year, month, day) + 3 * _DAY
    else:
        latest = dt.date(year, month, calendar.monthrange(year, month)[1])
    return latest - (latest.weekday() - weekday) % 7 * _DAY


@functools.lru_cache(maxsize=64)
def _rule(year_ends: str) -> tuple[int, int, int]:
    """Month, day (0 for the month's end) and weekday of a rule for the end of a year."""
    text = " ".join(year_ends.lower().split())
    if found := _LAST.fullmatch(text):
        weekday, month, day = (*found.groups(), "0")
    elif found := _NEAREST.fullmatch(text):
        weekday, month, day = found.groups()
    else:
        weekday = month = day = ""
    known = weekday in _WEEKDAYS and month in _MONTH_NAMES[1:]
    if not known or int(day) > calendar.monthrange(2001, _MONTH_NAMES.index(month))[1]:
        raise PlanError(
            f"`calendar.year_ends` is {year_ends!r}; write the last day of the fiscal year as "
            '"last Saturday of January" or "Saturday nearest January 31".'
        )
    return _MONTH_NAMES.index(month), int(day), _WEEKDAYS.index(weekday)


def periods_between(fiscal: Fiscal, first: dt.date, last: dt.date, kind: str) -> list[Period]:
    """Months or quarters that hold the days from one to another, in order.

    Examples
    --------
    >>> days = dt.date(2026, 5, 15), dt.date(2026, 7, 1)
    >>> [each.label for each in periods_between(FiscalMonths(), *days, "quarter")]
    ['2026Q2', '2026Q3']
    """
    found = [fiscal.period_of(first, kind)]
    while found[-1].end < last:
        found.append(fiscal.period_of(found[-1].after, kind))
    return found


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
    as_of: dt.date, kind: str, compare: str, fiscal: Fiscal = CALENDAR_YEARS
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
    whole = fiscal.period_of(as_of, kind)
    passed = (as_of - whole.start).days + 1
    if passed * 4 < whole.n_days:
        whole = fiscal.period_of(whole.start - _DAY, kind)
    return _compared(whole, as_of, kind, compare, fiscal)


def named_comparison(
    name: str, as_of: dt.date, kind: str, compare: str, fiscal: Fiscal = CALENDAR_YEARS
) -> Comparison:
    """The period of a name, such as `2026Q2` or `2026-06`, and its comparison.

    Raises
    ------
    PlanError
        If there is no such period, or none of its days has passed by `as_of`.
    """
    year, number = _numbers(name)
    if kind == "month" and number not in range(1, 13):
        raise PlanError(f"period {name}: months run from 01 to 12.")
    whole = fiscal.named(year, number, kind)
    if whole.start > as_of:
        raise PlanError(
            f"period {name} begins on {whole.start}, after {as_of}, the last day that the data "
            "covers. There is nothing to analyse yet."
        )
    return _compared(whole, as_of, kind, compare, fiscal)


def _compared(whole: Period, as_of: dt.date, kind: str, compare: str, fiscal: Fiscal) -> Comparison:
    if compare == "previous":
        other = fiscal.period_of(whole.start - _DAY, kind)
    else:
        year, number = _numbers(whole.label)
        other = fiscal.named(year - 1, number, kind)
    if whole.end <= as_of:
        return Comparison(whole, other, is_complete=True)
    passed = (as_of - whole.start).days
    to_date = Period(whole.start, as_of, whole.label)
    same_days = min(other.start + dt.timedelta(days=passed), other.end)
    return Comparison(to_date, Period(other.start, same_days, other.label), is_complete=False)


def _numbers(label: str) -> tuple[int, int]:
    """Year and number of a period's name."""
    return int(label[:4]), int(label[5:])
