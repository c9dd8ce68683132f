"""Share that advances, and time in stage, at equal age, from visits seen in one window of days.

A visit counts for as long as it overlaps with the window, from its age at the start of the window.
So a period is described by its own events only, at equal age, and a wave of recent leads does not
read as a fall.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.checks.limits import EQUAL_AGE_SHARE
from funnel.contract.plan import Plan
from funnel.stats import difference
from funnel.stats.dispersion import pearson
from funnel.stats.survival import Incidence, incidence

_WEEK = 7
_DAY = pd.Timedelta(days=1)
Figures = tuple[float, float, float, float, float]  # value, baseline, change, low, high


@dataclass(frozen=True, eq=False)
class Visits:
    """Visits of a stage as one window shows them.

    Attributes
    ----------
    begin, end
        Age in whole days at which each comes into view, and at which it is last seen.
    kind
        1 where it then advanced, 2 where it left otherwise, 0 where the window ended first.
    entered
        Day of the window, from 0 on, on which each began; negative before it.
    ids
        Keys of their rows.
    """

    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    kind: NDArray[np.int64]
    entered: NDArray[np.int64]
    ids: pd.Series

    @classmethod
    def within(
        cls,
        ids: pd.Series,
        entered: pd.Series,
        left: pd.Series,
        advanced: pd.Series,
        start: pd.Timestamp,
        after: pd.Timestamp,
    ) -> Visits:
        """Visits cut to a window.

        Parameters
        ----------
        ids, entered, left, advanced
            One row per visit: its key, when it began and ended (missing: not yet), and whether it
            ended by an advance.
        start, after
            The window's first moment, and the first after it.
        """
        left = left.clip(lower=entered)
        seen = (entered < after) & ~(left < start)
        ids, entered, left, advanced = (each[seen] for each in (ids, entered, left, advanced))
        ended = (left < after).to_numpy(bool, na_value=False)
        last = left.where(ended, after - pd.Timedelta(microseconds=1))
        begin = (start - entered).clip(lower=pd.Timedelta(0)) // _DAY
        kind = np.where(ended, np.where(advanced.to_numpy(bool), 1, 2), 0)
        end = (last - entered) // _DAY
        day = ((entered - start) // _DAY).to_numpy(np.int64)
        return cls(begin.to_numpy(np.int64), end.to_numpy(np.int64), kind, day, ids)

    @property
    def n(self) -> int:
        """Number of visits."""
        return len(self.begin)

    def up_to(self, age: int) -> Visits:
        """Those that come into view by an age."""
        here = self.begin <= age
        return Visits(
            *(each[here] for each in (self.begin, self.end, self.kind, self.entered, self.ids))
        )

    def week_of(self, age: NDArray[np.int64] | int) -> NDArray[np.int64]:
        """Week of the window, from 0 on, in which each has an age."""
        return np.maximum(self.entered + age, 0) // _WEEK

    def at_risk(self, ages: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number in view at each age."""
        come = np.searchsorted(np.sort(self.begin), ages, side="right")
        return come - np.searchsorted(np.sort(self.end), ages, side="left")

    def left(self) -> Incidence:
        """Share of visits that have advanced, and left otherwise, by age."""
        return incidence(self.end, self.kind, self.begin, n_outcomes=2)


def share_by_age(now: Visits, then: Visits, plan: Plan) -> tuple[int, Figures] | None:
    """Share that advances by an age, of visits in two windows, and its change.

    Parameters
    ----------
    now, then
        Of the period and of the baseline.
    plan
        Its level, and its smallest group: an age counts while that many are in view in both.

    Returns
    -------
    tuple or None
        The age in days, by which nine in ten of those who advance have; and share, baseline's
        share, change, low and high. `None` where no age is known in both.

    References
    ----------
    Aalen and Johansen (1978), Scand. J. Statist. 5, 141-150; late entry as in Keiding (1990),
    Phil. Trans. R. Soc. A 332, 487-509. The interval of the difference: Zou and Donner (2008).
    """
    age = _common_age(now, then, plan.smallest_group, kinds=(1,))
    if age is None:
        return None
    sides = [each.left().by(age, plan.level)[:3] for each in (now, then)]
    low, high = (float(end) for end in difference(*sides[0], *sides[1]))
    change, wider = sides[0][0] - sides[1][0], _wider(now, then, age, kinds=(1,))
    ends = change - wider * (change - low), change + wider * (high - change)
    return age, (sides[0][0], sides[1][0], change, max(ends[0], -1.0), min(ends[1], 1.0))


def time_by_age(now: Visits, then: Visits, plan: Plan) -> tuple[int, Figures] | None:
    """Mean days until visits end, either way, counted up to an age, and its change.

    Takes and returns what `share_by_age` does, in days.

    References
    ----------
    Restricted mean: Royston and Parmar (2013), BMC Medical Research Methodology 13, 152.
    """
    from scipy.special import ndtri

    age = _common_age(now, then, plan.smallest_group, kinds=(1, 2))
    if age is None:
        return None
    # ages are whole days, and so a visit that is last seen at `age` lasts until the next one
    sides = [each.left().restricted_mean(age + 1) for each in (now, then)]
    (value, error), (baseline, error_then) = sides
    reach = float(ndtri((1 + plan.level) / 2)) * np.hypot(error, error_then)
    reach *= _wider(now, then, age, kinds=(1, 2))
    change = value - baseline
    return age, (value, baseline, change, float(change - reach), float(change + reach))


def _common_age(now: Visits, then: Visits, fewest: int, kinds: tuple[int, ...]) -> int | None:
    """Age by which most exits have happened, as far as both windows know it."""
    waits = np.concatenate([each.end[np.isin(each.kind, kinds)] for each in (now, then)])
    if not len(waits):
        return None
    age = int(np.quantile(waits, EQUAL_AGE_SHARE, method="higher"))
    ages = np.arange(age + 1)
    known = np.minimum(now.at_risk(ages), then.at_risk(ages)) >= fewest
    last = int(known.argmin()) - 1 if not known.all() else age
    return last if last >= 0 else None


def _wider(now: Visits, then: Visits, age: int, kinds: tuple[int, ...]) -> float:
    """Factor by which intervals widen where weeks scatter more than independent visits do.

    Holidays, fairs and campaigns move whole weeks. The exits of each week are compared with those
    expected of its visits at their ages (Pearson's statistic).
    """
    residuals, variances, n_fitted = [], [], 0
    for visits in (now, then):
        leaves = np.isin(visits.kind, kinds) & (visits.end <= age)
        ends = visits.week_of(visits.end)
        weeks = int(ends.max()) + 1
        seen = np.bincount(ends[leaves], minlength=weeks)
        at_risk = np.zeros((weeks, age + 1))
        for day in range(age + 1):
            here = (visits.begin <= day) & (day <= visits.end)
            at_risk[:, day] = np.bincount(visits.week_of(day)[here], minlength=weeks)
        chance = np.bincount(visits.end[leaves], minlength=age + 1) / at_risk.sum(axis=0)
        residuals.append(seen - at_risk @ chance)
        variances.append(at_risk @ (chance * (1 - chance)))
        n_fitted += int((variances[-1] > 0).any())
    found, _ = pearson(np.concatenate(residuals), np.concatenate(variances), n_fitted)
    return float(np.sqrt(max(found, 1.0)))
