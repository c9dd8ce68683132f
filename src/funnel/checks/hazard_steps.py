"""Steps in a pace: whether those of equal age leave a stage for another more often from a day on.

A share of those who entered says nothing until they have been followed. A pace counts who moves on
on each working day beside all who were there that day, at their ages, so that a change is plain
from the day it began, among old and new ones alike.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.workdays import is_workday
from funnel.stats.change_points import as_normal, chance_of_largest

Floats = NDArray[np.float64]
_AGES = np.array([0, 1, 2, 3, 4, 5, 7, 10, 14, 20, 30, 45, 65])  # working days at a stage, from
_TRIM = 0.05  # of the expected moves, on either side, without which no side speaks for itself
_FEWEST = 40
_WEEK = 5


@dataclass(frozen=True)
class Pace:
    """Moves from a stage to a later one by working day, and as many as usual at those ages.

    Attributes
    ----------
    days
        Working days; a move on any other day counts as made on the one before.
    seen, expected
        By stratum and day. In each stratum both have the same sum.
    """

    days: pd.DatetimeIndex
    seen: Floats
    expected: Floats

    def ratio(self, day: dt.date, level: float = 0.9) -> tuple[float, float, float]:
        """Give the pace from a day on over the one before it, with its interval.

        Missing where either side saw no move.
        """
        from scipy.special import ndtri

        is_after = self.days >= pd.Timestamp(day)
        seen = [self.seen[:, side].sum() for side in (is_after, ~is_after)]
        expected = [self.expected[:, side].sum() for side in (is_after, ~is_after)]
        if min(*seen, *expected) <= 0:
            return (np.nan,) * 3
        log = np.log(seen[0] / expected[0]) - np.log(seen[1] / expected[1])
        half = ndtri((1 + level) / 2) * np.sqrt(1 / seen[0] + 1 / seen[1])
        return tuple(float(np.exp(log + each)) for each in (0.0, -half, half))

    def deviate(self, day: dt.date) -> float:
        """Compare the pace from a day on with the one before, as a normal deviate; 0 for none."""
        at = int(np.searchsorted(self.days.to_numpy(), np.datetime64(day))) - 1
        z = _deviates(self.seen, self.expected)
        if not 0 <= at < len(z) or not np.isfinite(z[at]):
            return 0.0
        return float(np.sign(z[at])) * as_normal(abs(z[at]), *self._dispersion(at + 1))

    def _dispersion(self, first_after: int) -> tuple[float, int]:
        """How much more weeks scatter than chance, about a level before and one after."""
        seen, expected = self.seen.sum(axis=0), self.expected.sum(axis=0).copy()
        for side in (slice(0, first_after), slice(first_after, None)):
            if expected[side].sum() > 0:
                expected[side] *= seen[side].sum() / expected[side].sum()
        week = np.arange(len(seen)) // _WEEK
        seen, expected = np.bincount(week, seen), np.bincount(week, expected)
        usable = expected > 0
        freedom = int(usable.sum()) - 2
        if freedom < 3:
            return 1.0, 0
        rest = (seen - expected)[usable] ** 2 / expected[usable]
        return max(float(rest.sum()) / freedom, 1.0), freedom


@dataclass(frozen=True)
class PaceStep:
    """The day from which a pace most likely differs, if it does; `n` moves were counted."""

    day: dt.date
    deviate: float
    p_value: float
    n: int


def pace(stays: pd.DataFrame, begin: dt.date, after: dt.date, country: str = "") -> Pace:
    """Count who moves on, on each working day, beside as many as usual at those ages.

    Parameters
    ----------
    stays
        One row per stay in a stage: `start`, `end` (days; missing while it lasts), `is_move`
        (whether it ended by the move in question), `stratum`.
    begin, after
        The first day counted, and the first one after the last.
    country
        Whose public holidays count as no working days.

    Notes
    -----
    What is usual at an age is the share that moved on at it, over the whole span and all strata,
    times one factor for each stratum; ages are in working days.

    References
    ----------
    Counts beside what was expected of those at risk: Mantel (1966), Cancer Chemotherapy Reports
    50, 163-170.

    Examples
    --------
    >>> days = pd.bdate_range("2026-01-05", periods=60)
    >>> slow = days.where(days < days[30], days + pd.Timedelta(days=7))
    >>> stays = pd.DataFrame({"start": days, "end": slow, "is_move": True, "stratum": ""})
    >>> moves = pace(stays, days[0].date(), days[-1].date())
    >>> round(moves.ratio(days[30].date())[0], 2) < 1
    True
    """
    first, last = pd.Timestamp(begin), pd.Timestamp(after) - pd.Timedelta(days=1)
    start, end = stays["start"], stays["end"].fillna(last + pd.Timedelta(days=1))
    here = (start <= last) & (end >= first)
    start, end = start[here], end[here]
    is_move = (stays.loc[here, "is_move"] & (end <= last)).to_numpy()
    days = pd.date_range(min(start.min(), first) if len(start) else first, last)
    is_worked = is_workday(days, country)
    place = np.maximum(np.cumsum(is_worked) - 1, 0)
    since = int(place[(first - days[0]).days])
    n_days = int(place[-1]) + 1 - since
    begins = place[(start - days[0]).dt.days]
    ends = np.maximum(place[(end.clip(upper=last) - days[0]).dt.days], begins)
    stratum, names = pd.factorize(stays.loc[here, "stratum"])
    shape = (max(len(names), 1), len(_AGES), n_days)
    at_risk, moved = np.zeros((*shape[:2], n_days + 1)), np.zeros(shape)
    oldest = np.append(_AGES[1:] - 1, len(days))
    for group, (low, high) in enumerate(zip(_AGES, oldest, strict=True)):
        a = np.maximum(begins + low - since, 0)
        b = np.minimum(begins + high, ends) - since
        there = a <= b
        np.add.at(at_risk, (stratum[there], group, a[there]), 1.0)
        np.add.at(at_risk, (stratum[there], group, b[there] + 1), -1.0)
    at_risk = np.cumsum(at_risk, axis=2)[:, :, :-1]
    age = np.searchsorted(_AGES, (ends - begins)[is_move], side="right") - 1
    np.add.at(moved, (stratum[is_move], age, ends[is_move] - since), 1.0)
    usual = moved.sum(axis=(0, 2)) / np.maximum(at_risk.sum(axis=(0, 2)), 1.0)
    expected = np.einsum("sgd,g->sd", at_risk, usual)
    seen = moved.sum(axis=1)
    whole = expected.sum(axis=1, keepdims=True)
    factor = np.divide(
        seen.sum(axis=1, keepdims=True), whole, out=np.zeros_like(whole), where=whole > 0
    )
    worked = days[is_worked][-n_days:] if is_worked.any() else days[-n_days:]
    return Pace(worked, seen, expected * factor)


def step_in_pace(moves: Pace, near: dt.date | None = None, within: int = 0) -> PaceStep | None:
    """Look for the day from which a pace differs most.

    Parameters
    ----------
    moves
        As `pace` gives them.
    near, within
        Only days at most so many days from this one; every day without.

    Returns
    -------
    PaceStep or None
        With the chance of so large a deviate on any day tried, widened where weeks scatter more
        than chance; nothing where there are fewer than forty moves.

    References
    ----------
    Miller and Siegmund (1982), Biometrics 38, 1011-1016, for the largest of many deviates.
    """
    total = moves.expected.sum()
    if total < _FEWEST or len(moves.days) < 3:
        return None
    z = _deviates(moves.seen, moves.expected)
    side = np.cumsum(moves.expected.sum(axis=0))[:-1] / total
    tried = (side >= _TRIM) & (side <= 1 - _TRIM) & np.isfinite(z)
    if near is not None:
        apart = np.abs(moves.days[1:] - pd.Timestamp(near))
        tried &= apart <= pd.Timedelta(days=within)
    if not tried.any():
        return None
    at = int(np.argmax(np.where(tried, np.abs(z), -1.0)))
    day = moves.days[at + 1].date()
    deviate = moves.deviate(day)
    p_value = chance_of_largest(abs(deviate), side[tried].min(), side[tried].max())
    return PaceStep(day, deviate, p_value, round(float(moves.seen.sum())))


def _deviates(seen: Floats, expected: Floats) -> Floats:
    """Deviate of the moves after each day but the last against those up to it."""
    total = expected.sum(axis=1, keepdims=True)
    so_far = np.cumsum(expected, axis=1)[:, :-1]
    above = (so_far - np.cumsum(seen, axis=1)[:, :-1]).sum(axis=0)
    variance = so_far * np.maximum(total - so_far, 0.0)
    share = np.divide(variance, total, out=np.zeros_like(variance), where=total > 0)
    spread = np.sqrt(share.sum(axis=0))
    nothing = np.full(len(spread), np.nan)
    return np.divide(above, spread, out=nothing, where=spread > 1e-4)
