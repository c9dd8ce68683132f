"""Fourth guard: what the calendar and the season usually do, learnt from earlier years."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.dataset.cache import cached
from funnel.methods.bridge import Usual, calendar_pairs
from funnel.methods.season import Decomposition, ShareOfChange, decompose, series
from funnel.stats import standard_error

if TYPE_CHECKING:
    from funnel.dataset import Tables

Estimate = tuple[float, float, float]  # change, low, high
_NONE: Estimate = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Calendar:
    """What is usual, for the bridge; or in words why it is not known.

    `usual` is missing where earlier years cannot say. `says` is the sentence for a page.
    """

    usual: Usual | None
    says: str
    n_months: int = 0
    p_value: float = float("nan")


def usual_calendar(data: Tables) -> Calendar:
    """Ask earlier years what the calendar does to arrivals and to closing.

    Arrivals take the season too where one is shown; where none is, what it could be widens the
    interval. Each pair of spans is learnt from before the block that holds it, so that a change
    which begins with the period is no season in any part of it. Wins only take working days,
    holidays and the quarter's end, since their season is that of the leads they came from.

    Parameters
    ----------
    data
        A company's tables.
    """
    whole = decompose_or_none(data, "leads")
    if whole is None:
        return Calendar(None, "No leads are recorded, so that no usual calendar can be told.")
    comparison = data.comparison
    shown = whole.share_of_change(
        (comparison.period.start, comparison.period.end),
        (comparison.baseline.start, comparison.baseline.end),
    )
    if shown.refused:
        return Calendar(None, f"The usual season cannot be told: {shown.refused}.", shown.n_months)
    arrivals = []
    for period, baseline in calendar_pairs(data):
        begin = max(_block_start(data, period[0]), baseline[1] + dt.timedelta(days=1))
        share = _without(whole, begin, period[0]).share_of_change(period, baseline)
        if share.refused:
            break  # pairs go back in time, so that older ones know less still
        usual, calendar = _of(share, "usual"), _of(share, "calendar")
        arrivals.append(usual if shown.season_is_claimed else _as_wide_as(calendar, usual))
    closing = _closing(data)
    says = shown.headline
    return Calendar(Usual(arrivals, closing, data.plan.level), says, shown.n_months, shown.p_value)


@cached
def usual_of_leads(data: Tables) -> Estimate | None:
    """Say what the calendar usually makes of the period's leads beside the baseline's.

    Returns
    -------
    tuple or None
        Change in log units with its interval; the season is in it where one is shown. `None`
        where earlier years cannot say.
    """
    whole = decompose_or_none(data, "leads")
    if whole is None:
        return None
    share = whole.share_of_change()
    if share.refused:
        return None
    return _of(share, "usual" if share.season_is_claimed else "calendar")


def decompose_or_none(data: Tables, of: str) -> Decomposition | None:
    """Take a series apart; nothing where it holds nothing."""
    daily = series(data, of)
    return decompose(daily) if daily.notna().sum() > 1 else None


def _block_start(data: Tables, day: dt.date) -> dt.date:
    """Give the first day of the block, as long as the period, that holds a day."""
    period = data.comparison.period
    return day - dt.timedelta(days=(day - period.start).days % period.n_days)


def _without(whole: Decomposition, start: dt.date, after: dt.date) -> Decomposition:
    """Leave out days from a start on, and before an end."""
    daily = whole.observed
    is_left_out = (daily.index >= pd.Timestamp(start)) & (daily.index < pd.Timestamp(after))
    return dataclasses.replace(whole, observed=daily.mask(is_left_out))


def _as_wide_as(narrow: Estimate, wide: Estimate) -> Estimate:
    half = max(wide[2] - wide[1], narrow[2] - narrow[1]) / 2
    return narrow[0], narrow[0] - half, narrow[0] + half


def _closing(data: Tables) -> Estimate:
    """Say what working days do to wins.

    Between two periods of the same place in the quarter these are all there is to it, and a deal
    that is due on a holiday may close the day after: of what single days show, a whole period may
    lose nothing, or all. So half is taken, with the spread of any share in between.
    """
    whole = decompose_or_none(data, "wins")
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
