"""Series of what a company does, by local day, week or month, cut to whole ones."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel import checks
from funnel.contract.errors import ParameterError
from funnel.dataset import stages
from funnel.results import rows_of

if TYPE_CHECKING:
    from funnel.dataset import Tables

BASELINES = {"previous": "the previous period", "year_ago": "the same period a year ago"}
GRAINS = {"day": "D", "week": "W-MON", "month": "MS"}
START_SHARE = 0.25  # a first month below this share of the year after it is a beginning, no level
_MONTHS_IN_YEAR = 12
_BEGINS_BY = 4  # rows from this day of a month on, after a holiday or weekend, fill the month
_MEASURES = ("leads", "wins", "bookings")


@dataclass(frozen=True, eq=False)
class Source:
    """The rows behind a series: their table, local days and ids."""

    table: str
    days: NDArray
    ids: NDArray

    def __deepcopy__(self, memo: dict[int, object]) -> Source:
        return self  # pandas copies `attrs` at every step; nothing here is ever changed

    def rows(self, figure: str, first: dt.date, last: dt.date) -> pd.DataFrame:
        """Name the rows of whole days, both ends included."""
        inside = (self.days >= np.datetime64(first)) & (self.days <= np.datetime64(last))
        return rows_of(figure, self.table, pd.Series(self.ids[inside]))


def series(data: Tables, of: str = "leads", grain: str = "day") -> pd.Series:
    """Count or sum what happened, by local day, week (from Monday) or month.

    Parameters
    ----------
    data
        A company's tables.
    of
        `leads` (by creation), `bookings` (won amount by closing, currency), `wins` (number, by
        closing), or a stage of the plan (leads that first enter it).
    grain
        `day`, `week` or `month`.

    Returns
    -------
    Series
        Indexed by the first day of each span, without time zone; only whole spans up to the end
        of `as_of`. A span in which nothing happened is 0 where its table has rows in that month,
        and missing where the table is silent. It starts with the first month whose level is
        ordinary (at least a quarter of the year after it), and, for wins and bookings, not before
        wins are recorded. `attrs` carries what `decompose` needs to know of the plan.

    Raises
    ------
    ParameterError
        If there is no such measure or grain.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1", "L-2"],
    ...                       "created_at": ["2026-01-02", "2026-01-06"]})
    >>> float(series(Tables.of(leads=leads, as_of="2026-01-31"), grain="month").iloc[0])
    2.0
    """
    if grain not in GRAINS:
        raise ParameterError(f"grain={grain!r} must be {', '.join(GRAINS)}.")
    at, amount, rows_at, ids = _events(data, of)
    zone = data.plan.company.timezone
    days = _local_days(at, zone)
    table = "deals" if of in ("wins", "bookings") else "leads"
    daily = amount.groupby(days.to_numpy()).sum() if len(days) else pd.Series(dtype=float)
    whole = _filled(daily, _local_days(rows_at, zone), data.as_of)
    whole = _from_ordinary(whole, _late_start(data, of))
    if grain != "day":
        whole = _coarser(whole, grain, data.as_of)
    whole.name = of
    both = data.comparison
    whole.attrs = {
        "of": of if of in _MEASURES else f"leads reaching {of}",
        "unit": data.plan.company.currency if of == "bookings" else "number",
        "grain": grain,
        "as_of": data.as_of,
        "company": data.plan.company,
        "country": data.plan.company.country,
        "checklist": data.plan.checklist,
        "level": data.plan.level,
        "seed": data.plan.seed,
        "period": (both.period.start, both.period.end),
        "baseline": (both.baseline.start, both.baseline.end),
        "baselines": _baselines(data),
        "source": Source(table, days.to_numpy(), ids.to_numpy()),
    }
    return whole


def _baselines(data: Tables) -> dict[str, tuple[dt.date, dt.date]]:
    """Both periods that a period can be held against, whichever the plan takes."""
    found = {}
    for compare in BASELINES:
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


def _local_days(moments: pd.Series, zone: str) -> pd.Series:
    return moments.dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()


def _filled(daily: pd.Series, rows_on: pd.Series, as_of: dt.date) -> pd.Series:
    """Every day from the first whole month to `as_of`; silent months are missing, not 0."""
    if daily.empty:
        return pd.Series(dtype=float, index=pd.DatetimeIndex([]))
    first = rows_on.min()
    begin = first.to_period("M").start_time
    if first.day > _BEGINS_BY:
        begin += pd.DateOffset(months=1)
    days = pd.date_range(begin, pd.Timestamp(as_of), freq="D")
    active = rows_on.dt.to_period("M").unique()
    return daily.reindex(days).fillna(0.0).where(days.to_period("M").isin(active))


def _from_ordinary(daily: pd.Series, not_before: dt.date | None) -> pd.Series:
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


def _coarser(daily: pd.Series, grain: str, as_of: dt.date) -> pd.Series:
    """Sum whole weeks or months; one with a missing day is missing."""
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
