"""Means that step on a day: times that shift by hours, amounts in another unit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.checks.breaks.day_counts import (
    MOMENTS,
    SLOTS,
    by_day,
    large_step,
    most_likely_day,
    profile_of,
    within,
)
from funnel.checks.breaks.record_break import (
    CLOCK,
    DOWN,
    SCALE,
    SIZE,
    UP,
    RecordBreak,
    day_of,
    lookback,
    touching,
)
from funnel.checks.limits import (
    FEWEST_OF_MEAN,
    OTHER_UNIT,
    SMALLEST_SHIFT,
    STEP_OF_KIND,
    SURE,
)
from funnel.checks.natures import RECORDS
from funnel.stats.change_points import Step, as_normal, chance_of_largest
from funnel.stats.dispersion import pearson
from funnel.stats.limits import SMALLEST_SIDE

if TYPE_CHECKING:
    from funnel.dataset import Tables

_SUMMER_TIME = (3, 4, 9, 10, 11)  # months in which it begins or ends somewhere
_CLOSER = 0.6  # distance of the days' profiles once shifted, over the one before
_GROUPS = ("outcome", "product", "kind")


@dataclass(frozen=True)
class MeanStep:
    """The day on which a mean most likely changed; `spread` is that of single rows on one side."""

    day: dt.date
    at: int
    before: float
    after: float
    spread: float
    n: int
    p_value: float

    @property
    def change(self) -> float:
        """Mean from the day on, less the one before."""
        return self.after - self.before


def step_in_mean(days: pd.DatetimeIndex, n, total, squares) -> MeanStep | None:
    """The day on which the mean of rows changed, from their number, sum and squares by day.

    As `step_in_share`: every day is tried, and weeks that vary more than chance widen it.
    """
    n1, s1 = np.cumsum(n)[:-1], np.cumsum(total)[:-1]
    rows, whole = n.sum(), total.sum()
    tried = (n1 >= max(FEWEST_OF_MEAN, SMALLEST_SIDE * rows)) & (
        rows - n1 >= max(FEWEST_OF_MEAN, SMALLEST_SIDE * rows)
    )
    if not tried.any():
        return None
    n0 = rows - n1
    first, last = s1 / np.maximum(n1, 1), (whole - s1) / np.maximum(n0, 1)
    within_sides = squares.sum() - n1 * first**2 - n0 * last**2
    variance = np.maximum(within_sides / max(rows - 2, 1), 1e-12)
    scale = variance * (1 / np.maximum(n1, 1) + 1 / np.maximum(n0, 1))
    z = np.where(tried, (last - first) / np.sqrt(scale), 0.0)
    at = int(np.argmax(np.abs(z)))
    mean = np.where(np.arange(len(n)) <= at, first[at], last[at])
    weeks = np.arange(len(n)) // 7
    residual = np.bincount(weeks, total - n * mean)
    dispersion, freedom = pearson(residual, np.bincount(weeks, n) * variance[at], n_fitted=2)
    z_value = as_normal(abs(z[at]), dispersion, freedom) if freedom >= 3 else abs(z[at])
    side = n1[tried] / rows
    return MeanStep(
        day=days[at + 1].date(),
        at=at + 1,
        before=float(first[at]),
        after=float(last[at]),
        spread=float(np.sqrt(variance[at])),
        n=int(n0[at]),
        p_value=chance_of_largest(z_value, side.min(), side.max()),
    )


def clock_shifts(data: Tables) -> Iterator[RecordBreak]:
    """Times that are all earlier or later by some half-hours from a day on.

    The profile of a day must fit the earlier one once it is shifted: people who work longer, or
    at other hours, change its form.
    """
    back = lookback(data)
    for moment in MOMENTS:
        profile = profile_of(data, *moment)
        if profile is None:
            continue
        profile = profile[:, 1:]
        hours = (np.arange(SLOTS) + 0.5) / 2
        step = step_in_mean(back.days, profile.sum(axis=1), profile @ hours, profile @ hours**2)
        if step is None or step.p_value >= SURE / len(MOMENTS):
            continue
        shift = _shift(profile[: step.at].sum(axis=0), profile[step.at :].sum(axis=0))
        day = back.days[most_likely_day(profile, step.at)].date()
        if abs(shift) < SMALLEST_SHIFT or _is_summer_time(day, shift):
            continue
        yield RecordBreak(
            what=CLOCK,
            nature=RECORDS,
            table=moment[0],
            column=moment[1],
            since=day,
            n=step.n,
            before=step.before,
            after=step.after,
            days=shift / 24,
            p_value=step.p_value,
        )


def _shift(before: np.ndarray, after: np.ndarray) -> float:
    """Hours by which a day's profile is shifted; 0 where no shift makes the two alike."""
    before, after = before / before.sum(), after / after.sum()
    smooth = np.array([0.25, 0.5, 0.25])
    before, after = (
        np.convolve(np.concatenate([each[-1:], each, each[:1]]), smooth, "valid")
        for each in (before, after)
    )
    distance = [np.abs(np.roll(before, by) - after).sum() for by in range(-12, 13)]
    best = int(np.argmin(distance))
    return (best - 12) / 2 if distance[best] < _CLOSER * distance[12] else 0.0


def _is_summer_time(day: dt.date, shift: float) -> bool:
    """Whether an hour is that of summer time, which a plan in another time zone does not know."""
    return abs(shift) <= 1 and day.month in _SUMMER_TIME


def amount_scales(data: Tables) -> Iterator[RecordBreak]:
    """Amounts in another unit from a day on: cents, thousands, a year for a month, gross for net.

    Either they step by a factor that no price list makes, in every group of deals; or they are
    whole months of the same deals' recurring revenue on one side of the day only.
    """
    if not data.has("deals", "amount"):
        return
    tested = [
        (moment, step, is_ratio)
        for moment in ("closed_at", "created_at")
        for step, is_ratio in ((_step_of_size(data, moment), False), (_months(data, moment), True))
        if step is not None and step.p_value < SURE / 4
    ]
    for moment, step, is_ratio in tested:
        if is_ratio:
            factor = _factor(data, moment, step.day)
        else:
            factor = float(np.exp(step.change))
            is_unit = abs(step.change) >= np.log(OTHER_UNIT)
            if not is_unit or not _in_every_group(data, moment, step):
                continue
        if np.isfinite(factor) and factor != 1:
            yield _rescaled(data, moment, step, factor, is_ratio=is_ratio)
            return


def _step_of_size(data: Tables, moment: str) -> MeanStep | None:
    """The day on which the mean logarithm of amounts changed."""
    frame = data.sql(
        f"select {day_of(data, moment, 'deals')} as day, count(*) as n, sum(ln(amount)) as s, "
        f"sum(ln(amount) * ln(amount)) as q from deals where amount > 0 and "
        f"{within(data, moment, 'deals')} group by all order by all"
    )
    days = lookback(data).days
    sums = np.zeros((3, len(days)))
    at = (frame["day"] - days[0]).dt.days.to_numpy()
    for row, column in zip(sums, ("n", "s", "q"), strict=True):
        row[at] = frame[column].to_numpy(float)
    return step_in_mean(days, *sums)


def _months(data: Tables, moment: str) -> Step | None:
    """The day from which amounts are no longer whole months of the recurring revenue, or are."""
    if not data.has("deals", "mrr"):
        return None
    n, k = by_day(
        data,
        f"select {day_of(data, moment, 'deals')} as day, count(*) as n, "
        "count_if(abs(amount / mrr - round(amount / mrr)) < 0.01) as k from deals where "
        f"amount > 0 and mrr > 0 and {within(data, moment, 'deals')} group by all",
    )
    return large_step(n, k, data, STEP_OF_KIND)


def _factor(data: Tables, moment: str, day: dt.date) -> float:
    """The most frequent ratio of amount to recurring revenue from a day on, over that before."""
    at = day_of(data, moment, "deals")
    found = data.sql(
        f"select mode(round(amount / mrr, 2)) filter ({at} >= $day) / "
        f"mode(round(amount / mrr, 2)) filter ({at} < $day) as factor from deals "
        f"where amount > 0 and mrr > 0 and {within(data, moment, 'deals')}",
        day=pd.Timestamp(day),
    )
    return float(found["factor"].iloc[0])


def _in_every_group(data: Tables, moment: str, step: MeanStep) -> bool:
    """Whether the amounts of each large group of deals step by about the same factor."""
    day = day_of(data, moment, "deals")
    for column in _GROUPS:
        if not data.has("deals", column):
            continue
        groups = data.sql(
            f"select avg(ln(amount)) filter ({day} >= $day) - avg(ln(amount)) filter ({day} < $day)"
            f" as change, least(count_if({day} >= $day), count_if({day} < $day)) as n from deals "
            f"where amount > 0 and {column} is not null and {within(data, moment, 'deals')} "
            f"group by {column}",
            day=pd.Timestamp(step.day),
        )
        large = groups[groups["n"] >= FEWEST_OF_MEAN / 4]
        if len(large) and not (large["change"] / step.change > 0.5).all():
            return False
    return True


def _rescaled(
    data: Tables, moment: str, step: MeanStep | Step, factor: float, *, is_ratio: bool
) -> RecordBreak:
    money = data.sql(
        "select sum(amount) as money from deals where outcome = 'won' and "
        f"{day_of(data, moment, 'deals')} >= $day",
        day=pd.Timestamp(step.day),
    )["money"].iloc[0]
    direction = lookback(data).of_step(
        step.day, UP if factor > 1 else DOWN, of_leads=moment == "created_at"
    )
    return RecordBreak(
        what=SCALE,
        nature=RECORDS,
        table="deals",
        column="amount",
        words=("mrr",) if is_ratio else (),
        since=step.day,
        n=step.n,
        before=1.0,
        after=factor,
        money=float(money),
        touched=touching(([SIZE], direction)),
        at_most=abs(float(money) * (1 - 1 / factor)),
        p_value=step.p_value,
    )
