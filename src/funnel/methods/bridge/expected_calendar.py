"""Expected changes of arrivals and closings by working days and season, from earlier years."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.dataset.cache import cached
from funnel.methods.bridge.stage_history import calendar_pairs
from funnel.methods.season import Decomposition, ShareOfChange, decompose, series
from funnel.stats import standard_error

if TYPE_CHECKING:
    from funnel.dataset import Tables

Estimate = tuple[float, float, float]  # change, low, high
_NONE: Estimate = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class ExpectedChange:
    """What the calendar alone would do to the period compared with its baseline, in log units.

    Attributes
    ----------
    arrivals
        (change, low, high) of lead arrivals for each pair of `calendar_pairs`, in that order;
        missing pairs count as no change.
    closing
        The same for wins among the deals due, by working days and the end of the quarter.
    level
        Of the intervals.
    """

    arrivals: Sequence[Estimate] = ()
    closing: Estimate = _NONE
    level: float = 0.9


@dataclass(frozen=True, eq=False)
class ExpectedCalendar:
    """The expected change for the bridge, and the decomposition of leads that it comes from.

    Attributes
    ----------
    change
        Missing where earlier years cannot say.
    share
        The change of leads in its parts; missing where no leads are recorded.
    """

    change: ExpectedChange | None = None
    share: ShareOfChange | None = None


@cached
def expected_calendar(data: Tables) -> ExpectedCalendar:
    """Expected changes of arrivals and closings between the two periods.

    Arrivals include the season where one is found; otherwise its possible size widens the interval.
    Each pair of spans is estimated from the days before the block that holds it, so that a change
    that begins with the period is never taken for season. Wins only include working days, holidays
    and the end of the quarter, because their season is that of the leads they came from.

    Parameters
    ----------
    data
        A dataset.
    """
    whole = _decomposition(data, "leads")
    if whole is None:
        return ExpectedCalendar()
    comparison = data.comparison
    share = whole.share_of_change(
        (comparison.period.start, comparison.period.end),
        (comparison.baseline.start, comparison.baseline.end),
    )
    if share.refused:
        return ExpectedCalendar(share=share)
    arrivals = []
    for period, baseline in calendar_pairs(data):
        begin = max(_block_start(data, period[0]), baseline[1] + dt.timedelta(days=1))
        of_pair = _without(whole, begin, period[0]).share_of_change(period, baseline)
        if of_pair.refused:
            break  # pairs go back in time, so that older ones have even less history
        season, calendar = _of(of_pair, "usual"), _of(of_pair, "calendar")
        arrivals.append(season if share.season_is_claimed else _as_wide_as(calendar, season))
    return ExpectedCalendar(ExpectedChange(arrivals, _closing(data), data.plan.level), share)


def expected_leads(data: Tables) -> Estimate | None:
    """Expected change of the period's leads, in log units with its interval.

    Returns
    -------
    tuple or None
        Includes the season where one is found. `None` where earlier years cannot say.
    """
    share = expected_calendar(data).share
    if share is None or share.refused:
        return None
    return _of(share, "usual" if share.season_is_claimed else "calendar")


@cached
def _decomposition(data: Tables, of: str) -> Decomposition | None:
    """Decomposition of a daily series; nothing where it has no values."""
    daily = series(data, of)
    return decompose(daily) if daily.notna().sum() > 1 else None


def _block_start(data: Tables, day: dt.date) -> dt.date:
    """First day of the block, as long as the period, that holds a day."""
    period = data.comparison.period
    return day - dt.timedelta(days=(day - period.start).days % period.n_days)


def _without(whole: Decomposition, start: dt.date, after: dt.date) -> Decomposition:
    """The decomposition without the days from a start on, and before an end."""
    daily = whole.observed
    excluded = (daily.index >= pd.Timestamp(start)) & (daily.index < pd.Timestamp(after))
    return dataclasses.replace(whole, observed=daily.mask(excluded))


def _as_wide_as(narrow: Estimate, wide: Estimate) -> Estimate:
    half = max(wide[2] - wide[1], narrow[2] - narrow[1]) / 2
    return narrow[0], narrow[0] - half, narrow[0] + half


def _closing(data: Tables) -> Estimate:
    """Expected change of wins by working days.

    A deal due on a holiday may close the day after, so a whole period may lose nothing of what
    single days show, or all of it. Between periods at the same place in the quarter, half of it
    is taken, with an interval that covers any share.
    """
    whole = _decomposition(data, "wins")
    if whole is None:
        return _NONE
    period, baseline = data.comparison.period, data.comparison.baseline
    change, low, high = _of(whole.share_of_change(), "calendar")
    if (period.start.month - baseline.start.month) % 3:
        return change, low, high
    per_error = 1 / standard_error(-1.0, 1.0, data.plan.level)
    half = math.hypot((high - low) / 2, per_error * change / math.sqrt(12))
    return change / 2, change / 2 - half, change / 2 + half


def _of(share: ShareOfChange, part: str) -> Estimate:
    row = share.table.set_index("part").loc[part]
    found = tuple(float(row[name]) for name in ("change", "low", "high"))
    return found if np.isfinite(found).all() else _NONE
