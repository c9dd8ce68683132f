"""Fourth guard: what the calendar and the season usually do, learnt from earlier years."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from funnel.bridge import Usual, calendar_pairs
from funnel.coverage.remembered import remembered
from funnel.seasonality import ShareOfChange, decompose, series

if TYPE_CHECKING:
    from funnel.load import Tables


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

    Arrivals take the season too where one is shown; wins only take working days, holidays and the
    quarter's end, since their season is that of the leads they came from.

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
    part = "usual" if shown.season_is_claimed else "calendar"
    arrivals = []
    for period, baseline in calendar_pairs(data):
        share = whole.share_of_change(period, baseline)
        if share.refused:
            break  # pairs go back in time, so that older ones know less still
        arrivals.append(_of(share, part))
    closing = _closing(data)
    says = shown.headline
    return Calendar(Usual(arrivals, closing, data.plan.level), says, shown.n_months, shown.p_value)


@remembered
def usual_of_leads(data: Tables) -> tuple[float, float, float] | None:
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


def decompose_or_none(data: Tables, of: str):
    """Take a series apart; nothing where it holds nothing."""
    daily = series(data, of)
    return decompose(daily) if daily.notna().sum() > 1 else None


def _closing(data: Tables) -> tuple[float, float, float]:
    whole = decompose_or_none(data, "wins")
    if whole is None:
        return 0.0, 0.0, 0.0
    share = whole.share_of_change()
    return _of(share, "calendar")


def _of(share: ShareOfChange, part: str) -> tuple[float, float, float]:
    row = share.table.set_index("part").loc[part]
    found = tuple(float(row[name]) for name in ("change", "low", "high"))
    return found if np.isfinite(found).all() else (0.0, 0.0, 0.0)
