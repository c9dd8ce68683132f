"""A promotion's own weeks: seven days each, counted from its first day."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.workdays import is_workday
from funnel.methods.season.day_weights import DayWeights
from funnel.methods.season.exposure import MOST_WEEKS
from funnel.methods.season.series import START_SHARE

WEEKS_BEFORE = 2
FEWEST_AFTER, MOST_AFTER = 4, 13
AFTER_PER_WEEK = 1.5
_WEEK = 7
_LEAST_WEIGHT = 0.02  # of a mean day: a promotion on a day that brings nothing still has a place
_LAST_DAYS, _FIRST_DAYS = (2, 5, 10), (5, 10, 20)  # working days of a quarter
N_QUARTER = len(_LAST_DAYS) + len(_FIRST_DAYS)
_START_WEEKS = 13  # a quarter of a year below `START_SHARE` of an ordinary week is a beginning

Span = tuple[dt.date, dt.date]


@dataclass(frozen=True, eq=False)
class Weeks:
    """Weeks of a series around a promotion, one entry each, whole and recorded throughout.

    `total` is the week's total, `exposure` the sum of its days' weights. `during`, `before` and
    `after` are the shares (0 to 1) of that exposure in each of the promotion's spans, `other` in
    other promotions. `quarter` has shape (weeks, 6): the shares in the quarter's last 2, 5 and 10
    and its first 5, 10 and 20 working days, for the part of a quarter-end push that the weights of
    days do not hold.
    """

    starts: pd.DatetimeIndex
    total: NDArray[np.float64]
    exposure: NDArray[np.float64]
    during: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    other: NDArray[np.float64]
    quarter: NDArray[np.float64]

    def where(self, kept: NDArray[np.bool_]) -> Weeks:
        """Marked weeks alone."""
        return Weeks(**{name: values[kept] for name, values in vars(self).items()})

    @property
    def is_outside(self) -> NDArray[np.bool_]:
        """Weeks that no span of the promotion touches."""
        return (self.during + self.before + self.after) == 0

    @property
    def is_separable(self) -> bool:
        """Whether weeks of the promotion are free of the others that overlap it."""
        free = np.where(self.other == 0, self.during, 0.0)
        return bool(free.sum() >= 1 or not self.other[self.during > 0].any())


def weeks_after(first: dt.date, last: dt.date) -> int:
    """Number of weeks after a promotion in which a pay-back is estimated.

    One and a half times as many as it ran, at least 4 and at most 13.

    Examples
    --------
    >>> weeks_after(dt.date(2026, 3, 1), dt.date(2026, 3, 28))
    6
    """
    ran = ((last - first).days + 1) / _WEEK
    return int(np.clip(np.ceil(AFTER_PER_WEEK * ran), FEWEST_AFTER, MOST_AFTER))


def spans(first: dt.date, last: dt.date, n_before: int, n_after: int) -> dict[str, Span]:
    """First and last days of the spans before, during and after a promotion.

    The last week of the promotion is filled up with days after it.

    Examples
    --------
    >>> days = spans(dt.date(2026, 3, 2), dt.date(2026, 3, 10), 1, 1)
    >>> days["before"][0].isoformat(), days["after"][1].isoformat()
    ('2026-02-23', '2026-03-22')
    """
    day = dt.timedelta(days=1)
    rest = -((last - first).days + 1) % _WEEK
    return {
        "before": (first - _WEEK * n_before * day, first - day),
        "during": (first, last),
        "after": (last + day, last + (rest + _WEEK * n_after) * day),
    }


def weeks_of(
    daily: pd.Series, weights: DayWeights, own: dict[str, Span], others: list[Span]
) -> Weeks:
    """Weeks of a daily series, counted from the promotion's first day in both directions.

    Parameters
    ----------
    daily
        By day, without gaps in its index; missing where not recorded.
    weights
        Weights of days.
    own
        The promotion's spans, as `spans` gives them.
    others
        First and last day of other promotions.
    """
    days = daily.index
    lead = (pd.Timestamp(own["during"][0]) - days[0]).days % _WEEK if len(days) else 0
    n_weeks = max(len(days) - lead, 0) // _WEEK
    days = days[lead : lead + n_weeks * _WEEK]
    total = daily.to_numpy(float)[lead : lead + len(days)]
    weight = weights.of(days)
    weight = np.maximum(weight, _LEAST_WEIGHT * weight.mean()) if len(days) else weight

    def by_week(values: NDArray) -> NDArray:
        return values.reshape(n_weeks, _WEEK, *values.shape[1:]).sum(axis=1)

    exposure = by_week(weight)

    def share(inside: NDArray) -> NDArray:
        return by_week(weight * inside) / exposure

    promoted = np.zeros(len(days), dtype=bool)
    for span in others:
        promoted |= _inside(days, span)
    place = _place_in_quarter(days, weights.country)
    weeks = Weeks(
        starts=days[::_WEEK],
        total=by_week(total),
        exposure=exposure,
        **{name: share(_inside(days, own[name])) for name in ("during", "before", "after")},
        other=share(promoted),
        quarter=by_week(weight[:, None] * place) / exposure[:, None],
    )
    return weeks.where(np.isfinite(weeks.total))


@functools.lru_cache(maxsize=64)
def _known_places(first: pd.Timestamp, last: pd.Timestamp, country: str) -> NDArray[np.float64]:
    whole = pd.date_range(
        first.to_period("Q").start_time, last.to_period("Q").end_time.normalize(), freq="D"
    )
    worked = is_workday(whole, country).astype(int)
    quarter = np.unique(whole.to_period("Q").asi8, return_inverse=True)[1]
    running = np.cumsum(worked)
    ends = np.searchsorted(quarter, np.arange(quarter[-1] + 1), side="right") - 1
    until = running[ends]
    before = np.concatenate([[0], until[:-1]])
    from_start = running - before[quarter]
    to_end = until[quarter] - running + worked
    columns = [worked & (to_end <= n) for n in _LAST_DAYS]
    columns += [worked & (from_start <= n) for n in _FIRST_DAYS]
    inside = (whole >= first) & (whole <= last)
    return np.column_stack(columns)[inside].astype(float)


def _place_in_quarter(days: pd.DatetimeIndex, country: str) -> NDArray[np.float64]:
    """Marks of working days at the ends and starts of quarters, shape (days, 6)."""
    if not len(days):
        return np.zeros((0, N_QUARTER))
    return _known_places(days[0], days[-1], country)


def from_start(weeks: Weeks) -> Weeks:
    """Weeks from the first one at an ordinary level, without a start-up phase."""
    level = weeks.total / weeks.exposure
    if not len(level):
        return weeks
    ordinary = START_SHARE * float(np.median(level[level > 0])) if (level > 0).any() else 0.0
    running = np.concatenate([[0.0], np.cumsum(level)])
    ends = np.minimum(np.arange(len(level)) + _START_WEEKS, len(level))
    ahead = (running[ends] - running[:-1]) / (ends - np.arange(len(level)))
    begun = np.flatnonzero((ahead >= ordinary) & (level >= ordinary))
    return weeks.where(np.arange(len(level)) >= (begun[0] if len(begun) else 0))


def nearest(weeks: Weeks, day: dt.date) -> Weeks:
    """Weeks nearest to a day, at most five years of them."""
    if len(weeks.starts) <= MOST_WEEKS:
        return weeks
    away = np.abs((weeks.starts - pd.Timestamp(day)).days.to_numpy())
    return weeks.where(away <= np.sort(away)[MOST_WEEKS - 1])


def same_days(starts: pd.DatetimeIndex, span: Span) -> NDArray[np.bool_]:
    """Marks of weeks that begin on a span's days of the year, in whichever year."""
    first, last = (pd.Timestamp(day) for day in span)
    found = np.zeros(len(starts), dtype=bool)
    for years in range(starts[0].year - last.year - 1, starts[-1].year - first.year + 2):
        moved = pd.DateOffset(years=years)
        found |= (starts >= first + moved) & (starts <= last + moved)
    return found


def _inside(days: pd.DatetimeIndex, span: Span) -> NDArray[np.bool_]:
    return (days >= pd.Timestamp(span[0])) & (days <= pd.Timestamp(span[1]))
