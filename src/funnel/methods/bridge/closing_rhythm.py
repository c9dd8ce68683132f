"""What closings of earlier quarters and years let expect, by the same windows in each of them.

Two rhythms are those of closings, not of leads: the win rate by month of the quarter, and deals
outside the flow of leads (renewals) by time of the year.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from funnel.contract.periods import FiscalWeeks
from funnel.dataset.stages import has_only_wins, new_business
from funnel.methods.bridge.stage_history import RENEWALS, WITHOUT_LEAD

if TYPE_CHECKING:
    from funnel.dataset import Tables

Span = tuple[pd.Timestamp, pd.Timestamp]  # first day, and the day after the last
_QUARTER, _YEAR = 3, 12  # months
_MOST = 20
_Z_CLAIMED = 2.576  # p < 0.01, two-sided
_SPREAD = 0.1  # log units between quarters or years, assumed of a single one
_FIRST_DAYS = 7  # of a month, in which its closings have begun


@dataclass(frozen=True)
class Rhythm:
    """Expected change of a rate or a number in log units, and in how many earlier windows seen."""

    change: float
    low: float
    high: float
    n_seen: int


def won_share_rhythm(data: Tables) -> Rhythm | None:
    """Change of the win rate between two places in the quarter or year, as in earlier ones.

    Where both periods begin at the same place of a quarter, that of the same quarters of two or
    more earlier years. `None` where they begin with the same month of the year, where lost deals
    are not recorded, or where earlier quarters and years show no such change beyond chance.
    """
    comparison = data.comparison
    apart = comparison.period.start.month - comparison.baseline.start.month
    if not apart or not data.has("deals") or has_only_wins(data):
        return None
    months, fewest = (_QUARTER, 1) if apart % _QUARTER else (_YEAR, 2)
    deals = new_business(data)
    closed = _days(data, deals[deals["outcome"].isin(["won", "lost"])])
    won = _days(data, deals[deals["outcome"].eq("won")])
    logs, variances = [], []
    for pair in _earlier(data, closed, months):
        n, k = (np.array([_count(each, span) for span in pair]) for each in (closed, won))
        if k.min() > 0:
            rate = k / n
            logs.append(float(np.log(rate[0] / rate[1])))
            variances.append(float(((1 - rate) / k).sum()))
    return _combined(logs, variances, data.plan.level) if len(logs) >= fewest else None


def outside_flow_rhythm(data: Tables) -> Mapping[str, Rhythm]:
    """Change of the number of renewals, and of deals without a lead, as in earlier years.

    Only those whose change between the same months of earlier years is beyond chance; none where
    the baseline is of the same months.
    """
    comparison = data.comparison
    if comparison.period.start.month == comparison.baseline.start.month or not data.has("deals"):
        return {}
    won = data.deals[data.deals["outcome"].eq("won")]
    is_new = won.index.isin(new_business(data).index)
    groups = {RENEWALS: won[~is_new]}
    if data.has("leads"):
        groups[WITHOUT_LEAD] = won[is_new & ~won["lead_id"].isin(data.leads["lead_id"])]
    everything = _days(data, won)
    found = {}
    for name, deals in groups.items():
        days = _days(data, deals)
        counts = [
            np.array([_count(days, span) for span in pair]) + 0.5
            for pair in _earlier(data, everything, _YEAR)
        ]
        logs = [float(np.log(n[0] / n[1])) for n in counts]
        rhythm = _combined(logs, [float((1 / n).sum()) for n in counts], data.plan.level)
        if rhythm is not None:
            found[name] = rhythm
    return found


def _days(data: Tables, deals: pd.DataFrame) -> NDArray[np.datetime64]:
    """Local days of closing, sorted."""
    days = data.plan.local_days(deals["closed_at"].dropna())
    return np.sort(days.to_numpy().astype("datetime64[D]"))


def _count(days: NDArray[np.datetime64], span: Span) -> int:
    first, after = (np.datetime64(day.date()) for day in span)
    return int(np.searchsorted(days, after) - np.searchsorted(days, first))


def _earlier(data: Tables, days: NDArray[np.datetime64], months: int) -> list[tuple[Span, Span]]:
    """Period and baseline some quarters or years back, newest first, as far as closings go."""
    comparison, by_weeks = data.comparison, isinstance(data.plan.fiscal, FiscalWeeks)
    if not days.size:
        return []
    begins = pd.Timestamp(days[0])
    begins = begins.replace(day=1) if begins.day <= _FIRST_DAYS else begins
    spans = [
        (pd.Timestamp(each.start), pd.Timestamp(each.end + dt.timedelta(days=1)))
        for each in (comparison.period, comparison.baseline)
    ]
    pairs = []
    for back in range(1, _MOST + 1):
        # in fiscal weeks a quarter has 13 of them
        off = pd.Timedelta(weeks=13 * months // 3 * back) if by_weeks else None
        off = off if off is not None else pd.DateOffset(months=months * back)
        pair = tuple((first - off, after - off) for first, after in spans)
        if pair[1][0] < begins:
            break
        if pair[0][1] <= spans[1][0]:
            pairs.append(pair)
    return pairs


def _combined(logs: Sequence[float], variances: Sequence[float], level: float) -> Rhythm | None:
    """Mean change and the interval of a further one; `None` where none is beyond chance.

    References
    ----------
    DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177-188.

    Examples
    --------
    >>> _combined([-0.5, -0.4], [0.01, 0.01], 0.9).n_seen
    2
    >>> _combined([-0.1], [0.04], 0.9) is None
    True
    """
    if not logs:
        return None
    x, v = np.asarray(logs), np.asarray(variances)
    weight = 1 / v
    excess = float(weight @ (x - weight @ x / weight.sum()) ** 2) - (len(x) - 1)
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    between = max(excess / scale if scale > 0 else 0.0, _SPREAD**2 / len(x))
    weight = 1 / (v + between)
    mean, error = float(weight @ x / weight.sum()), float(weight.sum() ** -0.5)
    if abs(mean) < _Z_CLAIMED * error:
        return None
    half = float(ndtri((1 + level) / 2) * np.sqrt(error**2 + between))
    return Rhythm(mean, mean - half, mean + half, len(x))
