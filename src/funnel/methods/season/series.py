"""Series of a measure by local day, week or month, and their regular form without gaps.

A day without any row is 0 where its table has rows in that month: nothing happened. Where the table
has no row in the whole month, its days are missing: nobody recorded anything. A company that is
closed in the same month of most years has a month of 0.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import checks
from funnel.contract.errors import ParameterError
from funnel.contract.periods import CALENDAR_YEARS, Fiscal
from funnel.contract.plan import CheckItem, Company
from funnel.contract.workdays import is_workday
from funnel.dataset import stages
from funnel.results import no_rows, rows_of

if TYPE_CHECKING:
    from funnel.dataset import Tables

MEASURES = ("leads", "wins", "bookings")
DEALS_OPENED = "deals opened"  # what arrives where no leads are recorded
COMPARISONS = ("previous", "year_ago")
GRAINS = ("day", "week", "month")
START_SHARE = 0.25  # a first month below this share of the year after it is a start-up month
_MONTHS_IN_YEAR = 12
_BEGINS_BY = 4  # rows from this day of a month on, after a holiday or weekend, fill the month
_FEWEST_WEEKS = 8  # of values on one weekday, which make a weekly series
_FOUR_WEEKS, _WORKING_DAYS = 28, 5
_FREQ = {"month": "MS", "week": "7D", "day": "D"}

Window = tuple[dt.date, dt.date]


@dataclass(frozen=True, eq=False)
class Source:
    """The rows behind a series: their table, local days and ids."""

    table: str
    days: NDArray
    ids: NDArray

    def rows(self, figure: str, first: dt.date, last: dt.date) -> pd.DataFrame:
        """Rows of whole days, both ends included, as a result lists them."""
        inside = (self.days >= np.datetime64(first)) & (self.days <= np.datetime64(last))
        return rows_of(figure, self.table, pd.Series(self.ids[inside]))


@dataclass(frozen=True, eq=False)
class Context:
    """What a statement about a series needs to know beside its values.

    `of` is the measure and `unit` its unit; `fiscal` says where quarters end; `period` and
    `baseline` are the plan's windows, and `baselines` one for each of `COMPARISONS`; `checklist`
    holds the plan's special days.
    """

    of: str = "series"
    unit: str = "units"
    as_of: dt.date | None = None
    company: Company = field(default_factory=Company)
    fiscal: Fiscal = CALENDAR_YEARS
    country: str = ""
    level: float = 0.9
    seed: int = 0
    checklist: tuple[CheckItem, ...] = ()
    period: Window | None = None
    baseline: Window | None = None
    baselines: Mapping[str, Window] = field(default_factory=dict)
    source: Source | None = None

    def rows(self, **windows: Window) -> pd.DataFrame:
        """Rows of windows, each under its name; none where the series has no source."""
        if self.source is None:
            return no_rows()
        found = [self.source.rows(name, *window) for name, window in windows.items()]
        return pd.concat(found, ignore_index=True)


@dataclass(frozen=True, eq=False)
class MeasureSeries:
    """Values of a measure by the first day of each span, with what is known of them."""

    observed: pd.Series
    grain: str
    context: Context

    def notna(self) -> pd.Series:
        """Which spans are recorded."""
        return self.observed.notna()


def series(data: Tables, of: str = "leads", grain: str = "day") -> MeasureSeries:
    """Counts or amounts of a measure by local day, week (from Monday) or month.

    Parameters
    ----------
    data
        A dataset.
    of
        `leads` (by creation), `bookings` (won amount by closing, currency), `wins` (number, by
        closing), `deals opened` (new ones, by creation), or a stage of the plan (leads that first
        enter it).
    grain
        `day`, `week` or `month`.

    Returns
    -------
    MeasureSeries
        `observed` is indexed by the first day of each span, without time zone; only whole spans up
        to the end of `as_of`. A span in which nothing happened is 0 where its table has rows in
        that month, and missing where the table has none. It starts with the first month whose level
        is at least a quarter of that of the year after it, and, for wins and bookings, not before
        wins are recorded.

    Raises
    ------
    ParameterError
        If there is no such measure or grain.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1", "L-2"],
    ...                       "created_at": ["2026-01-02", "2026-01-06"]})
    >>> found = series(Tables.of(leads=leads, as_of="2026-01-31"))
    >>> found.observed["2026-01-05":"2026-01-07"].tolist()
    [0.0, 1.0, 0.0]
    """
    if grain not in GRAINS:
        raise ParameterError(f"grain={grain!r} must be {', '.join(GRAINS)}.")
    at, amount, rows_at, ids = _events(data, of)
    company = data.plan.company
    days = data.plan.local_days(at)
    daily = amount.groupby(days.to_numpy()).sum() if len(days) else pd.Series(dtype=float)
    whole = _filled(daily, data.plan.local_days(rows_at), data.as_of)
    whole = _from_start(whole, _late_start(data, of))
    if grain != "day":
        whole = _coarser(whole, grain)
    both = data.comparison
    context = Context(
        of=of if of in (*MEASURES, DEALS_OPENED) else f"leads reaching {of}",
        unit=company.currency if of == "bookings" else "number",
        as_of=data.as_of,
        company=company,
        fiscal=data.plan.fiscal,
        country=company.country,
        level=data.plan.level,
        seed=data.plan.seed,
        checklist=tuple(data.plan.checklist),
        period=(both.period.start, both.period.end),
        baseline=(both.baseline.start, both.baseline.end),
        baselines=_baselines(data),
        source=Source(
            "deals" if of in ("wins", "bookings", DEALS_OPENED) else "leads",
            days.to_numpy(),
            ids.to_numpy(),
        ),
    )
    return MeasureSeries(whole.rename(of), grain, context)


def _baselines(data: Tables) -> dict[str, Window]:
    """Baseline of each comparison, whichever the plan takes."""
    found = {}
    for compare in COMPARISONS:
        other = dataclasses.replace(data.plan, compare=compare).comparison(data.as_of).baseline
        found[compare] = (other.start, other.end)
    return found


def _events(data: Tables, of: str) -> tuple[pd.Series, pd.Series, pd.Series, pd.Series]:
    """Moments, what each counts for, the moments of all rows of the table, and the ids."""
    deals = data.deals
    if of == "leads":
        at, rows_at = data.leads["created_at"], data.leads["created_at"]
        return at, pd.Series(1.0, index=at.index), rows_at, data.leads["lead_id"]
    deal_moments = pd.concat([deals["created_at"], deals["closed_at"]]).dropna()
    if of == DEALS_OPENED:
        opened = stages.new_business(data)
        at = opened["created_at"].dropna()
        return at, pd.Series(1.0, index=at.index), deal_moments, opened.loc[at.index, "deal_id"]
    if of in ("wins", "bookings"):
        if of == "bookings" and not data.has("deals", "amount"):
            deals = deals.iloc[:0]  # no amount recorded is not an amount of 0
        won = deals[(deals["outcome"] == "won") & deals["closed_at"].notna()]
        amount = won["amount"].fillna(0.0) if of == "bookings" else pd.Series(1.0, index=won.index)
        return won["closed_at"], amount, deal_moments, won["deal_id"]
    if of not in data.plan.stages:
        raise ParameterError(
            f"of={of!r} must be leads, bookings, wins, or a stage of the plan "
            f"({', '.join(data.plan.stages)})."
        )
    frame = stages.reached(data)
    at = frame[f"{of}_at"].dropna()
    moments = pd.concat([data.stage_changes["entered_at"], deal_moments, at])
    return at, pd.Series(1.0, index=at.index), moments, frame.loc[at.index, "lead_id"]


def _filled(daily: pd.Series, rows_on: pd.Series, as_of: dt.date) -> pd.Series:
    """Every day from the first whole month to `as_of`: 0 without rows, missing in silent months."""
    if daily.empty:
        return pd.Series(dtype=float, index=pd.DatetimeIndex([]))
    first = rows_on.min()
    begin = first.to_period("M").start_time
    if first.day > _BEGINS_BY:
        begin += pd.DateOffset(months=1)
    days = pd.date_range(begin, pd.Timestamp(as_of), freq="D")
    months = days.to_period("M")
    is_silent = pd.Series(~months.isin(rows_on.dt.to_period("M").unique()), index=days)
    return daily.reindex(days).fillna(0.0).mask(is_silent & ~_is_closed(is_silent))


def _is_closed(is_silent: pd.Series) -> pd.Series:
    """Whether each day lies in a month of the year that was silent in most years, two or more."""
    index = is_silent.index
    by_year = is_silent.groupby([index.month, index.year]).first()
    closed = by_year.groupby(level=0).agg(lambda years: years.sum() >= 2 and years.mean() > 0.5)
    return pd.Series(closed.reindex(index.month).to_numpy(bool), index=index)


def _from_start(daily: pd.Series, not_before: dt.date | None) -> pd.Series:
    """Days from the first month that is no start-up month, and not before a date."""
    if not_before is not None:
        daily = daily[daily.index >= pd.Timestamp(not_before)]
        daily = daily[daily.index >= _next_month_start(daily.index.min())] if len(daily) else daily
    months = daily.groupby(daily.index.to_period("M")).mean()
    for number, level in enumerate(months):
        year = months.iloc[number + 1 : number + 1 + _MONTHS_IN_YEAR]
        if not len(year) or level >= START_SHARE * year.median():
            return daily[daily.index >= months.index[number].start_time]
    return daily


def _next_month_start(day: pd.Timestamp) -> pd.Timestamp:
    return day if day.day == 1 else day.to_period("M").end_time.normalize() + pd.Timedelta(days=1)


def _late_start(data: Tables, of: str) -> dt.date | None:
    won = (stages.won_stage(data.plan.stages), "wins", "bookings")
    return checks.outcomes_recorded_since(data, "won").covered_from if of in won else None


def _coarser(daily: pd.Series, grain: str) -> pd.Series:
    """Sums of whole weeks or months; one with a missing day is missing."""
    if daily.empty:
        return daily
    freq = "W-SUN" if grain == "week" else "M"
    spans = daily.index.to_period(freq)
    summed = daily.groupby(spans).agg(lambda values: values.sum(skipna=False))
    n_days = daily.groupby(spans).size()
    length = np.array(
        [(span.end_time.normalize() - span.start_time).days + 1 for span in n_days.index]
    )
    summed = summed[n_days.to_numpy() == length]
    return summed.set_axis(summed.index.start_time)


def regular(values: pd.Series, grain: str = "month") -> tuple[pd.Series, str]:
    """Series with one value for each span between its ends, sorted, and its grain.

    Parameters
    ----------
    values
        Numbers with an index of days (the first of each span) or periods.
    grain
        Of a series too short to show it.

    Raises
    ------
    ParameterError
        If the index is no index of days, holds a day twice, or the values are no numbers.
    """
    index = values.index
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    elif len(index) and all(isinstance(day, dt.date) for day in index):
        index = pd.DatetimeIndex(index)
    if not isinstance(index, pd.DatetimeIndex):
        raise ParameterError("decompose: the series needs an index of days.")
    if index.has_duplicates:
        twice = index[index.duplicated()][0].date()
        raise ParameterError(
            f"decompose: {twice} is there more than once; each span needs one value."
        )
    try:
        values = pd.Series(values.to_numpy(float), index=index.tz_localize(None)).sort_index()
    except (TypeError, ValueError):
        raise ParameterError("decompose: the series must hold numbers.") from None
    if np.isinf(values).any():
        raise ParameterError("decompose: the series holds an infinite value.")
    if len(values) < 2:
        return values, grain
    values = _without_blank_days(values)
    step = float(np.median(np.diff(values.index) / pd.Timedelta(days=1)))
    grain = "day" if step <= 3 else "week" if step <= 10 else "month"
    if grain == "month":
        values.index = values.index.to_period("M").start_time
        if values.index.has_duplicates:
            raise ParameterError("decompose: a month is there more than once.")
    whole = pd.date_range(values.index[0], values.index[-1], freq=_FREQ[grain])
    if not values.index.isin(whole).all():
        raise ParameterError(f"decompose: the {grain}s of the index do not begin on one weekday.")
    return values.reindex(whole), grain


def _without_blank_days(values: pd.Series) -> pd.Series:
    """Values alone, where all of them lie a week apart and the days between are blank."""
    known = values.dropna()
    is_weekly = len(known) >= _FEWEST_WEEKS and len(set(known.index.day_of_week)) == 1
    return known if is_weekly else values


def by_day(observed: pd.Series, grain: str, country: str) -> pd.Series:
    """Daily series: months allocated evenly to their working days, weeks to all of theirs.

    Within a week, days weigh the same here and in the calendar, so that windows which hold a part
    of a week are compared by the days they hold.
    By day, a weekday on which nothing was ever recorded is one on which nothing happens: such a
    series is of working days, and has no gap at each weekend.
    """
    if observed.empty:
        return observed
    if grain == "day":
        weekday = observed.index.day_of_week
        recorded = set(weekday[observed.notna()])
        if len(observed) < _FOUR_WEEKS or len(recorded) < _WORKING_DAYS:
            return observed
        return observed.mask(~weekday.isin(recorded), 0.0)
    after = observed.index[-1] + (
        pd.DateOffset(months=1) if grain == "month" else pd.Timedelta(days=7)
    )
    days = pd.date_range(observed.index[0], after, freq="D", inclusive="left")
    span = observed.index.searchsorted(days, side="right") - 1
    weight = np.ones(len(days)) if grain == "week" else is_workday(days, country).astype(float)
    per_span = np.bincount(span, weight, minlength=len(observed))
    even = per_span[span] == 0
    weight[even] = 1.0
    per_span = np.bincount(span, weight, minlength=len(observed))
    return pd.Series(observed.to_numpy()[span] * weight / per_span[span], index=days)
