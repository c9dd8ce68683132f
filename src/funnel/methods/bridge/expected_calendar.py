"""Expected changes of arrivals and closings by working days and season, from earlier periods."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.dataset.cache import cached
from funnel.methods.bridge.closing_rhythm import Rhythm, outside_flow_rhythm, won_share_rhythm
from funnel.methods.bridge.stage_history import LEADS, OPENED, WON, arrivals, calendar_pairs
from funnel.methods.season import Decomposition, ShareOfChange, series
from funnel.methods.season.decomposition import without_parts

if TYPE_CHECKING:
    from funnel.dataset import Tables

Estimate = tuple[float, float, float]  # change, low, high
_NONE: Estimate = (0.0, 0.0, 0.0)
ARRIVALS = {LEADS: "leads", OPENED: "deals opened", WON: "wins"}  # series of what arrives


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
    won_share
        Change of the win rate by month of the quarter, where earlier quarters show one.
    outside_flow
        Changes of the number of renewals and of deals without a lead by time of the year, where
        earlier years show one.
    """

    arrivals: Sequence[Estimate] = ()
    closing: Estimate = _NONE
    level: float = 0.9
    won_share: Rhythm | None = None
    outside_flow: Mapping[str, Rhythm] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ExpectedCalendar:
    """The expected change for the bridge, and the decomposition of arrivals that it comes from.

    Attributes
    ----------
    change
        Missing where earlier years cannot say.
    share
        The change of leads (of deals opened or won where no leads are recorded) in its parts;
        missing where none are.
    """

    change: ExpectedChange | None = None
    share: ShareOfChange | None = None


@cached
def expected_calendar(data: Tables) -> ExpectedCalendar:
    """Expected changes of arrivals and closings between the two periods.

    Arrivals include the season where one is found; otherwise its possible size widens the interval.
    Each pair of spans is estimated from the days before the block that holds it, so that a change
    that begins with the period is never taken for season. Wins only include working days, holidays
    and the end of the quarter, because their season is that of the leads they came from. What
    closings themselves repeat from quarter to quarter or year to year comes from earlier closings:
    the win rate by month of the quarter, and renewals by time of the year.

    Parameters
    ----------
    data
        A dataset.
    """
    rhythms = won_share_rhythm(data), outside_flow_rhythm(data)
    of_closings = ExpectedChange((), _NONE, data.plan.level, *rhythms) if any(rhythms) else None
    arriving = ARRIVALS.get(arrivals(data))
    whole = _decomposition(data, arriving) if arriving else None
    if whole is None:
        return ExpectedCalendar(of_closings)
    comparison = data.comparison
    share = whole.share_of_change(
        (comparison.period.start, comparison.period.end),
        (comparison.baseline.start, comparison.baseline.end),
    )
    if share.refused:
        return ExpectedCalendar(of_closings, share)
    expected = []
    for period, baseline in calendar_pairs(data):
        begin = max(_block_start(data, period[0]), baseline[1] + dt.timedelta(days=1))
        of_pair = _without(whole, begin, period[0]).share_of_change(period, baseline)
        if of_pair.refused:
            break  # pairs go back in time, so that older ones have even less history
        season, calendar = _of(of_pair, "usual"), _of(of_pair, "calendar")
        expected.append(season if share.season_is_claimed else _as_wide_as(calendar, season))
    closing = _NONE if arriving == "wins" else _closing(data)
    return ExpectedCalendar(ExpectedChange(expected, closing, data.plan.level, *rhythms), share)


def expected_leads(data: Tables) -> Estimate | None:
    """Expected change of the period's leads, in log units with its interval.

    Returns
    -------
    tuple or None
        Includes the season where one is found. `None` where earlier years cannot say.
    """
    share = expected_calendar(data).share
    if share is None or share.refused or share.of != "leads":
        return None
    return _of(share, "usual" if share.season_is_claimed else "calendar")


@cached
def _decomposition(data: Tables, of: str) -> Decomposition | None:
    """A daily series for its statements; nothing where it has no values."""
    daily = series(data, of)
    return without_parts(daily) if daily.notna().sum() > 1 else None


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
    """Expected change of wins by working days and the quarter's end, as the page of seasons."""
    whole = _decomposition(data, "wins")
    return _NONE if whole is None else _of(whole.share_of_change(), "calendar")


def _of(share: ShareOfChange, part: str) -> Estimate:
    row = share.table.set_index("part").loc[part]
    found = tuple(float(row[name]) for name in ("change", "low", "high"))
    return found if np.isfinite(found).all() else _NONE
