"""Change points: the day on which a share or a hazard changed, and intervals of a higher share.

Four questions, one approach. Rows are compared within their stratum, every day is tried, the
p value is that of the largest of all values tried, and weeks that vary more than chance widen it.

- `step_in_share`: from which day on do more, or fewer, rows have something?
- `intervals_of_higher_share`: between which days did more rows have something?
- `step_in_hazard`: from which day on do leads of equal age leave a stage sooner, or later?
- `step_in_series`: from which value of a short series on is the level another one?
"""

from __future__ import annotations

import datetime as dt
import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.workdays import is_workday
from funnel.stats.dispersion import pearson, robust_dispersion
from funnel.stats.intervals import difference_of_rates
from funnel.stats.limits import (
    AGES,
    DAYS_A_WEEK,
    FEWEST_INSIDE,
    FEWEST_ROWS,
    MOST_CUTS,
    SMALLEST_RISE,
    SMALLEST_SIDE,
    WORKING_DAYS_A_WEEK,
)

Floats = NDArray[np.float64]
_MOST_PLACES = 700  # first and last days tried at once; longer series are searched in two passes
_LEAST_SHARE = 0.05  # of all rows, that a level outside of intervals must hold
_SHORTEST, _LEAST_SIDE = 8, 2  # values of a short series, and on either side of a step
_SMALLEST_VARIANCE = 1e-4


@dataclass(frozen=True)
class Step:
    """The day on which a share most likely changed, if it did.

    `day` is the first of the new level. `is_gradual` where a straight line fits better than a step;
    the day then says little. `low` and `high` are of `after - before`.
    """

    day: dt.date
    before: float
    after: float
    low: float
    high: float
    n: int
    p_value: float
    is_gradual: bool

    @property
    def change(self) -> float:
        """Share from the day on, less the one before it."""
        return self.after - self.before


@dataclass(frozen=True)
class ShareInterval:
    """Days in which a share was higher than outside of them.

    `since` is the first of them and `until` the last; `until` is missing where it lasts to the end
    of the counts, and `from_start` where it was there from their first day on. `share` is the one
    inside, `share_outside` the lowest one elsewhere, `n` the rows inside, `p_value` the smaller one
    of the two ends.
    """

    since: dt.date
    until: dt.date | None
    from_start: bool
    share: float
    share_outside: float
    n: int
    p_value: float


@dataclass(frozen=True)
class HazardStep:
    """The day from which a hazard most likely differs, if it does; `n` moves were counted."""

    day: dt.date
    z: float
    p_value: float
    n: int


@dataclass(frozen=True)
class Hazard:
    """Moves from a stage to a later one by working day, observed and expected at those ages.

    Attributes
    ----------
    days
        Working days; a move on any other day counts as made on the one before.
    observed, expected
        By stratum and day. In each stratum both have the same sum.
    """

    days: pd.DatetimeIndex
    observed: Floats
    expected: Floats

    def ratio(self, day: dt.date, level: float = 0.9) -> tuple[float, float, float]:
        """Hazard from a day on over the one before it, with its interval.

        Missing where either side has no move.
        """
        from scipy.special import ndtri

        is_after = self.days >= pd.Timestamp(day)
        observed = [self.observed[:, side].sum() for side in (is_after, ~is_after)]
        expected = [self.expected[:, side].sum() for side in (is_after, ~is_after)]
        if min(*observed, *expected) <= 0:
            return (np.nan,) * 3
        log = np.log(observed[0] / expected[0]) - np.log(observed[1] / expected[1])
        half = ndtri((1 + level) / 2) * np.sqrt(1 / observed[0] + 1 / observed[1])
        return tuple(float(np.exp(log + each)) for each in (0.0, -half, half))

    def z(self, day: dt.date) -> float:
        """Hazard from a day on compared with the one before, as a z value; 0 where unknown."""
        at = int(np.searchsorted(self.days.to_numpy(), np.datetime64(day))) - 1
        z = _hazard_z(self.observed, self.expected)
        if not 0 <= at < len(z) or not np.isfinite(z[at]):
            return 0.0
        return float(np.sign(z[at])) * as_normal(abs(z[at]), *self._dispersion(at + 1))

    def _dispersion(self, first_after: int) -> tuple[float, int]:
        observed, expected = self.observed.sum(axis=0), self.expected.sum(axis=0).copy()
        for side in (slice(0, first_after), slice(first_after, None)):
            if expected[side].sum() > 0:
                expected[side] *= observed[side].sum() / expected[side].sum()
        return _weekly_dispersion(observed - expected, expected, WORKING_DAYS_A_WEEK)


def step_in_share(counts: pd.DataFrame, level: float = 0.9) -> Step | None:
    """The day on which a share changed, like for like.

    Every day is tried. The largest z value counts, and its p value is that of a largest one. Weeks
    that vary more than chance widen it.

    Parameters
    ----------
    counts
        `day` (a date), `n` (rows), `k` (those that have it), and, where rows differ in kind,
        `stratum`: a share is only compared within one.
    level
        Of the interval of the change.

    Returns
    -------
    Step or None
        Nothing where there are fewer than forty rows, or none or all of them have it.

    References
    ----------
    Miller and Siegmund (1982), Biometrics 38, 1011-1016, for the largest of many z values; Cochran
    (1954), Biometrics 10, 417-451, for strata.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=100)
    >>> lost = [2] * 60 + [8] * 40
    >>> step = step_in_share(pd.DataFrame({"day": days, "n": 20, "k": lost}))
    >>> step.day, round(step.before, 2), round(step.after, 2)
    (datetime.date(2026, 3, 2), 0.1, 0.4)
    """
    from scipy.stats import norm

    if counts.empty:
        return None
    n, k, days = _by_stratum_and_day(counts)
    total = n.sum()
    if total < FEWEST_ROWS or not 0 < k.sum() < total:
        return None
    z = _share_z(n, k)
    largest = _largest(z, n.sum(axis=0))
    if largest is None:
        return None
    at, first, last = largest
    dispersion, freedom = _share_dispersion(n, k, at + 1)
    after = np.arange(n.shape[1]) > at
    rare = min(_binomial_chance(n, k, after, dispersion), 1.0)
    z_value = min(as_normal(abs(z[at]), dispersion, freedom), float(norm.isf(rare / 2)))
    k1, n1, k0, n0 = (part.sum() for part in (k[:, after], n[:, after], k[:, ~after], n[:, ~after]))
    low, high = difference_of_rates(k1, n1, k0, n0, level)
    return Step(
        day=days[at + 1].date(),
        before=float(k0 / n0),
        after=float(k1 / n1),
        low=float(low),
        high=float(high),
        n=int(total),
        p_value=chance_of_largest(z_value, first, last),
        is_gradual=bool(_slope_z(n, k) > abs(z[at])),
    )


def z_of_share(counts: pd.DataFrame, day: dt.date) -> float:
    """Share from a day on compared with the one before, like for like, as a z value.

    Parameters
    ----------
    counts
        As for `step_in_share`.
    day
        The first day of the later side; 0 is returned where either side has nothing to compare.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=100)
    >>> lost = [2] * 60 + [8] * 40
    >>> counts = pd.DataFrame({"day": days, "n": 20, "k": lost})
    >>> round(z_of_share(counts, dt.date(2026, 3, 2)), 1)
    15.9
    """
    if counts.empty:
        return 0.0
    n, k, days = _by_stratum_and_day(counts)
    at = int(np.searchsorted(days.to_numpy(), np.datetime64(day))) - 1
    z = _share_z(n, k)
    if not 0 <= at < len(z) or not np.isfinite(z[at]):
        return 0.0
    return float(np.sign(z[at])) * as_normal(abs(z[at]), *_share_dispersion(n, k, at + 1))


def intervals_of_higher_share(
    counts: pd.DataFrame, limit: float, smallest_rise: float = SMALLEST_RISE
) -> list[ShareInterval]:
    """Intervals in which a share was higher, like for like.

    Every first and last day are tried, and again within and next to each interval found. Weeks
    that vary more than chance widen the p value. A share that changes in a straight line has no
    such interval.

    Parameters
    ----------
    counts
        `day` (a date), `n` (rows), `k` (those that have it), and, where rows differ in kind,
        `stratum`: a share is only compared within one.
    limit
        The largest p value of an interval, all pairs of days together.
    smallest_rise
        By how much the share is higher, at least.

    Returns
    -------
    list of ShareInterval
        In order of time; the share outside is the lowest level that holds a twentieth of the rows.

    References
    ----------
    Olshen, Venkatraman, Lucito and Wigler (2004), Biostatistics 5, 557-572: circular binary
    segmentation; here with a Bonferroni bound over all pairs.

    Examples
    --------
    >>> days = pd.date_range("2026-01-01", periods=100)
    >>> counts = pd.DataFrame({"day": days, "n": 20, "k": [2] * 60 + [8] * 20 + [2] * 20})
    >>> found = intervals_of_higher_share(counts, limit=0.001)
    >>> [(each.since.isoformat(), each.until.isoformat(), each.share) for each in found]
    [('2026-03-02', '2026-03-21', 0.4)]
    """
    if counts.empty or counts["n"].sum() < FEWEST_ROWS:
        return []
    n, k, days = _by_stratum_and_day(counts, every_day=True)
    cuts: dict[int, float] = {}
    _cut(n, k, 0, n.shape[1], limit, smallest_rise, cuts)
    if not cuts:
        return []
    edges = [0, *sorted(cuts), n.shape[1]]
    total, residual = n.sum(axis=0), _residuals(n, k)[0]
    parts = [slice(a, b) for a, b in itertools.pairwise(edges)]
    size = np.array([total[part].sum() for part in parts])
    share = k.sum() / total.sum() + np.array([residual[part].sum() for part in parts]) / size
    outside = share[size >= _LEAST_SHARE * total.sum()].min()
    is_high = share - outside >= smallest_rise
    found = []
    i = 0
    while i < len(parts):
        j = i
        while j < len(parts) and is_high[j]:
            j += 1
        if j > i:
            inside = slice(edges[i], edges[j])
            level = float(np.average(share[i:j], weights=size[i:j]))
            found.append(
                ShareInterval(
                    since=days[edges[i]].date(),
                    until=days[edges[j] - 1].date() if j < len(parts) else None,
                    from_start=i == 0,
                    share=min(max(level, 0.0), 1.0),
                    share_outside=float(max(outside, 0.0)),
                    n=int(total[inside].sum()),
                    p_value=min(cuts.get(edges[i], 1.0), cuts.get(edges[j], 1.0)),
                )
            )
        i = j + 1
    return found


def hazard_by_day(
    times: pd.DataFrame, begin: dt.date, after: dt.date, country: str = ""
) -> Hazard:  # fmt: skip
    """Moves to a later stage on each working day, with as many as expected at those ages.

    Parameters
    ----------
    times
        One row per time in a stage: `start`, `end` (days; missing while it lasts), `is_move`
        (whether it ended by the move in question), `stratum`.
    begin, after
        The first day counted, and the first one after the last.
    country
        Whose public holidays count as no working days.

    Notes
    -----
    A share of those who entered shows nothing until they have been followed. A hazard counts who
    moves on each working day among all who are there that day, at their ages, so that a change
    shows from the day on which it began. Expected at an age is the share that moved on at it, over
    the whole span and all strata, times one factor for each stratum; ages are in working days.

    References
    ----------
    Counts compared with what was expected of those at risk: Mantel (1966), Cancer Chemotherapy
    Reports 50, 163-170.

    Examples
    --------
    >>> days = pd.bdate_range("2026-01-05", periods=60)
    >>> slow = days.where(days < days[30], days + pd.Timedelta(days=7))
    >>> times = pd.DataFrame({"start": days, "end": slow, "is_move": True, "stratum": ""})
    >>> moves = hazard_by_day(times, days[0].date(), days[-1].date())
    >>> round(moves.ratio(days[30].date())[0], 2) < 1
    True
    """
    first, last = pd.Timestamp(begin), pd.Timestamp(after) - pd.Timedelta(days=1)
    start, end = times["start"], times["end"].fillna(last + pd.Timedelta(days=1))
    here = (start <= last) & (end >= first)
    start, end = start[here], end[here]
    is_move = (times.loc[here, "is_move"] & (end <= last)).to_numpy()
    days = pd.date_range(min(start.min(), first) if len(start) else first, last)
    is_worked = is_workday(days, country)
    place = np.maximum(np.cumsum(is_worked) - 1, 0)
    since = int(place[(first - days[0]).days])
    n_days = int(place[-1]) + 1 - since
    begins = place[(start - days[0]).dt.days]
    ends = np.maximum(place[(end.clip(upper=last) - days[0]).dt.days], begins)
    stratum, names = pd.factorize(times.loc[here, "stratum"])
    ages = np.array(AGES)
    shape = (max(len(names), 1), len(ages), n_days)
    at_risk, moved = np.zeros((*shape[:2], n_days + 1)), np.zeros(shape)
    oldest = np.append(ages[1:] - 1, len(days))
    for group, (low, high) in enumerate(zip(ages, oldest, strict=True)):
        a = np.maximum(begins + low - since, 0)
        b = np.minimum(begins + high, ends) - since
        there = a <= b
        of_stratum = stratum[there] * (n_days + 1)
        comes, goes = (
            np.bincount(of_stratum + day, minlength=shape[0] * (n_days + 1))
            for day in (a[there], b[there] + 1)
        )
        at_risk[:, group] = (comes - goes).reshape(shape[0], n_days + 1)
    at_risk = np.cumsum(at_risk, axis=2)[:, :, :-1]
    age = np.searchsorted(ages, (ends - begins)[is_move], side="right") - 1
    np.add.at(moved, (stratum[is_move], age, ends[is_move] - since), 1.0)
    at_age = moved.sum(axis=(0, 2)) / np.maximum(at_risk.sum(axis=(0, 2)), 1.0)
    expected = np.einsum("sgd,g->sd", at_risk, at_age)
    observed = moved.sum(axis=1)
    whole = expected.sum(axis=1, keepdims=True)
    factor = np.divide(
        observed.sum(axis=1, keepdims=True), whole, out=np.zeros_like(whole), where=whole > 0
    )
    worked = days[is_worked][-n_days:] if is_worked.any() else days[-n_days:]
    return Hazard(worked, observed, expected * factor)


def step_in_hazard(moves: Hazard) -> HazardStep | None:
    """The day from which a hazard differs most.

    Parameters
    ----------
    moves
        As `hazard_by_day` gives them.

    Returns
    -------
    HazardStep or None
        With the chance of so large a z value on any day tried, widened where weeks vary more than
        chance; nothing where there are fewer than forty moves.

    References
    ----------
    Miller and Siegmund (1982), Biometrics 38, 1011-1016, for the largest of many z values.
    """
    if moves.expected.sum() < FEWEST_ROWS or len(moves.days) < 3:
        return None
    z = _hazard_z(moves.observed, moves.expected)
    largest = _largest(z, moves.expected.sum(axis=0))
    if largest is None:
        return None
    at, first, last = largest
    day = moves.days[at + 1].date()
    z_value = moves.z(day)
    p_value = chance_of_largest(abs(z_value), first, last)
    return HazardStep(day, z_value, p_value, round(float(moves.observed.sum())))


def step_in_series(
    values: Floats, limit: float, *, seed: int, draws: int = 4000
) -> int | None:  # fmt: skip
    """Place of the first value of a new level in a short series, such as one of months.

    Every place with two values or more on both sides is tried.

    Parameters
    ----------
    values
        In order of time; missing ones are left out.
    limit
        The largest p value of the largest t value, of all places together.
    seed, draws
        Of series of standard normal values, in which no level changes, of the same length.

    Returns
    -------
    int or None
        Nothing where no step is so clear, a straight line fits better, or fewer than eight values
        are known.

    References
    ----------
    Hawkins (1977), Journal of the American Statistical Association 72, 180-186.

    Examples
    --------
    >>> step_in_series(np.array([9, 11, 10, 9, 10, 11, 10, 9, 10, 10, 4, 5, 4.0]), 0.01, seed=1)
    10
    """
    values = np.asarray(values, float)
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < _SHORTEST:
        return None
    if np.ptp(values[known]) == 0:
        return None
    t = _split_t(values[None, known])[0]
    r = np.corrcoef(known, values[known])[0, 1]
    if r**2 >= 1 or abs(r) * np.sqrt((len(known) - 2) / (1 - r**2)) > t.max():
        return None  # a straight line fits better
    random = np.random.default_rng(seed).standard_normal((draws, len(known)))
    if float((_split_t(random).max(axis=1) >= t.max()).mean()) > limit:
        return None
    return int(known[t.argmax() + _LEAST_SIDE])


def _split_t(series: Floats) -> Floats:
    """Size of the t value of each split of each series, two values or more on both sides."""
    n = series.shape[1]
    after = np.arange(_LEAST_SIDE, n - _LEAST_SIDE + 1)
    sums, squares = series.cumsum(axis=1)[:, after - 1], (series**2).sum(axis=1, keepdims=True)
    total = series.sum(axis=1, keepdims=True)
    before, later = sums / after, (total - sums) / (n - after)
    within = squares - after * before**2 - (n - after) * later**2
    spread = np.sqrt(np.maximum(within, 1e-12 * squares + 1e-300) / (n - 2))
    return np.abs(later - before) / (spread * np.sqrt(1 / after + 1 / (n - after)))


def split_scores(n: Floats, k: Floats) -> tuple[Floats, Floats]:
    """Cochran's score of a share after each time against up to it, and its variance by chance.

    Parameters
    ----------
    n, k
        Rows, and those that have it; the last axis is time, the one before it the stratum. `k` may
        have further axes in front.

    Returns
    -------
    tuple of ndarray
        By stratum and split: the last axis is one shorter. Divided by the root of its variance,
        the sum of scores is a z value.
    """
    n_total, k_total = n.sum(axis=-1, keepdims=True), k.sum(axis=-1, keepdims=True)
    n_before, k_before = np.cumsum(n, axis=-1)[..., :-1], np.cumsum(k, axis=-1)[..., :-1]
    safe = np.maximum(n_total, 2.0)
    above = k_total * n_before / safe - k_before
    variance = n_before * (n_total - n_before) * k_total * (n_total - k_total)
    return above, variance / (safe**2 * (safe - 1))


def as_normal(z: float, dispersion: float, freedom: int) -> float:
    """The z value as rare as this one is where weeks vary more than chance."""
    from scipy.stats import norm, t

    if dispersion <= 1:
        return float(z)
    return float(norm.isf(max(t.sf(z / np.sqrt(dispersion), freedom), 1e-300)))


def chance_of_largest(z: float, first: float, last: float) -> float:
    """P value of the largest of the z values at sides from `first` to `last`, by approximation."""
    from scipy.stats import norm

    if z < 1:
        return 1.0
    width = np.log(last * (1 - first) / ((1 - last) * first)) if last > first else 0.0
    many = norm.pdf(z) * (4 / z + (z - 1 / z) * width)
    return float(min(max(many, 2 * norm.sf(z)), 1.0))


def _by_stratum_and_day(
    counts: pd.DataFrame, *, every_day: bool = False
) -> tuple[Floats, Floats, pd.DatetimeIndex]:  # fmt: skip
    """Rows, and those that have it, (stratum, day); `every_day`: days without rows too."""
    if "stratum" not in counts:
        counts = counts.assign(stratum="")
    summed = counts.groupby(["stratum", "day"], dropna=False)[["n", "k"]].sum()
    wide = summed.unstack("day", fill_value=0)  # noqa: PD010  (its pivot cannot fill two columns)
    days = pd.DatetimeIndex(wide["n"].columns)
    if every_day:
        days = pd.date_range(days.min(), days.max())
    n, k = (wide[name].reindex(columns=days, fill_value=0).to_numpy(float) for name in ("n", "k"))
    return n, k, days


def _largest(z: Floats, weight: Floats) -> tuple[int, float, float] | None:
    """Place of the largest z value, and the smallest and largest side among those tried."""
    side = np.cumsum(weight)[:-1] / weight.sum()
    tried = (side >= SMALLEST_SIDE) & (side <= 1 - SMALLEST_SIDE) & np.isfinite(z)
    if not tried.any():
        return None
    at = int(np.argmax(np.where(tried, np.abs(z), -1.0)))
    return at, float(side[tried].min()), float(side[tried].max())


def _weekly_dispersion(residual: Floats, variance: Floats, days_a_week: int) -> tuple[float, int]:
    """Variance of weekly residuals over that by chance, at least 1, and its degrees of freedom.

    Two levels were fitted: one before the day and one from it on.
    """
    found, freedom = pearson(*_by_week(days_a_week, residual, variance), n_fitted=2)
    return (max(found, 1.0), freedom) if freedom >= 3 else (1.0, 0)


def _by_week(days_a_week: int, *daily: Floats) -> list[Floats]:
    return [np.bincount(np.arange(len(each)) // days_a_week, each) for each in daily]


def _share_z(n: Floats, k: Floats) -> Floats:
    """Z value of the share after each day but the last against that up to it."""
    above, variance = (part.sum(axis=0) for part in split_scores(n, k))
    return np.divide(above, np.sqrt(variance), out=np.full(len(above), np.nan), where=variance > 0)


def _share_dispersion(n: Floats, k: Floats, first_after: int) -> tuple[float, int]:
    sides = slice(0, first_after), slice(first_after, None)
    parts = zip(*(_residuals(n[:, side], k[:, side]) for side in sides), strict=True)
    return _weekly_dispersion(*map(np.concatenate, parts), DAYS_A_WEEK)


def _slope_z(n: Floats, k: Floats) -> float:
    """Size of the z value of a straight line through the shares."""
    position = np.arange(n.shape[1], dtype=float)
    total = np.maximum(n.sum(axis=1), 2.0)
    rate = k.sum(axis=1) / total
    mean = n @ position / total
    covariance = ((k - n * rate[:, None]) * position).sum()
    squares = (n * (position - mean[:, None]) ** 2).sum(axis=1)
    variance = (squares * rate * (1 - rate) * total / (total - 1)).sum()
    return abs(float(covariance)) / np.sqrt(variance) if variance > 0 else 0.0


def _hazard_z(observed: Floats, expected: Floats) -> Floats:
    """Z value of the moves after each day but the last against those up to it."""
    total = expected.sum(axis=1, keepdims=True)
    so_far = np.cumsum(expected, axis=1)[:, :-1]
    above = (so_far - np.cumsum(observed, axis=1)[:, :-1]).sum(axis=0)
    variance = so_far * np.maximum(total - so_far, 0.0)
    share = np.divide(variance, total, out=np.zeros_like(variance), where=total > 0)
    spread = np.sqrt(share.sum(axis=0))
    nothing = np.full(len(spread), np.nan)
    return np.divide(above, spread, out=nothing, where=spread > _SMALLEST_VARIANCE)


def _cut(
    n: Floats, k: Floats, a: int, b: int, limit: float, rise: float, cuts: dict[int, float]
) -> None:  # fmt: skip
    """Find where the share changes between days `a` and `b`, then search each part again."""
    if len(cuts) >= MOST_CUTS or n[:, a:b].sum() < FEWEST_ROWS:
        return
    found = _strongest(n[:, a:b], k[:, a:b], rise)
    if found is None or found[2] > limit:
        return
    i, j, p_value = found
    inner = [edge for edge in (i, j) if 0 < edge < b - a]
    for edge in inner:
        cuts[a + edge] = p_value
    edges = [a, *(a + edge for edge in inner), b]
    for left, right in itertools.pairwise(edges):
        _cut(n, k, left, right, limit, rise, cuts)


def _strongest(n: Floats, k: Floats, rise: float) -> tuple[int, int, float] | None:
    """Days `i` to `j` (excluded) whose share differs most from that of the others, and p."""
    from scipy.stats import norm

    residual, variance = _residuals(n, k)
    if variance.sum() <= 0:
        return None
    dispersion = robust_dispersion(*_by_week(DAYS_A_WEEK, residual, variance))
    each = -(-n.shape[1] // _MOST_PLACES)
    places = np.unique(np.append(np.arange(0, n.shape[1], each), n.shape[1]))
    i, j, z = _widest_pair(places, places, residual, variance)
    if each > 1 and z > 0:  # once more, day by day, near the two ends
        near = [np.arange(max(edge - each, 0), min(edge + each, n.shape[1]) + 1) for edge in (i, j)]
        i, j, z = _widest_pair(near[0], near[1], residual, variance)
    inside = np.zeros(n.shape[1], bool)
    inside[i:j] = True
    total = n.sum(axis=0)
    if z <= 0 or min(total[inside].sum(), total[~inside].sum()) < FEWEST_INSIDE:
        return None
    difference = residual[inside].sum() / total[inside].sum() - residual[~inside].sum() / max(
        total[~inside].sum(), 1.0
    )
    z /= np.sqrt(dispersion)
    if abs(difference) < rise:
        return None
    is_one_step = i == 0 or j == n.shape[1]
    if is_one_step and _slope_of_residuals(residual, variance) / np.sqrt(dispersion) > z:
        return None
    n_pairs = len(places) * (len(places) - 1) / 2
    rare = _binomial_chance(n, k, inside, dispersion)
    return i, j, float(min(1.0, max(2 * norm.sf(z), rare) * n_pairs))


def _residuals(n: Floats, k: Floats) -> tuple[Floats, Floats]:
    """Rows that have it beyond those expected, by day, and their variance by chance."""
    rows = n.sum(axis=1, keepdims=True)
    rate = np.divide(k.sum(axis=1, keepdims=True), rows, out=np.zeros_like(rows), where=rows > 0)
    return (k - n * rate).sum(axis=0), (n * rate * (1 - rate)).sum(axis=0)


def _widest_pair(
    first: NDArray[np.int64], last: NDArray[np.int64], residual: Floats, variance: Floats
) -> tuple[int, int, float]:
    """Of all intervals that begin and end at these places, the one that differs most."""
    sums, variances = (np.append(0.0, np.cumsum(each)) for each in (residual, variance))
    whole = variances[-1]
    inside = variances[last][None, :] - variances[first][:, None]
    scale = inside * (1 - inside / whole)
    z = np.zeros_like(scale)
    usable = (scale > 1e-9 * whole) & (last[None, :] > first[:, None])
    np.divide(
        np.abs(sums[last][None, :] - sums[first][:, None]), np.sqrt(np.maximum(scale, 0.0)),
        out=z, where=usable,
    )  # fmt: skip
    at = np.unravel_index(int(np.argmax(z)), z.shape)
    return int(first[at[0]]), int(last[at[1]]), float(z[at])


def _slope_of_residuals(residual: Floats, variance: Floats) -> float:
    """Size of the z value of a straight line through residuals."""
    position = np.arange(len(residual), dtype=float)
    centred = position - np.average(position, weights=variance)
    return float(abs((residual * centred).sum()) / np.sqrt((variance * centred**2).sum()))


def _binomial_chance(
    n: Floats, k: Floats, inside: NDArray[np.bool_], dispersion: float
) -> float:  # fmt: skip
    """Chance of so many on the smaller side, or of so few, at the rate of the larger one.

    Counts may be too small there for a normal distribution.
    """
    from scipy.stats import binom

    if n[:, inside].sum() > n[:, ~inside].sum():
        inside = ~inside
    rows, others = n[:, inside].sum(), n[:, ~inside].sum()
    rate = k[:, ~inside].sum() / others
    expected = rows * rate
    # what is beyond the rate of all is that much further beyond the rate of the others
    beyond = _residuals(n, k)[0][inside].sum() * (1 + rows / others)
    observed = min(max(expected + beyond, 0.0), rows)
    rows, observed, expected = rows / dispersion, observed / dispersion, expected / dispersion
    above = binom.sf(np.ceil(observed) - 1, np.ceil(rows), rate)
    below = binom.cdf(np.floor(observed), np.ceil(rows), rate)
    return float(2 * (above if observed > expected else below))
