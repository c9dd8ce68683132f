"""How sure a figure is: intervals, tests, and the rule that turns an interval into a verdict.

One rule for everybody: `verdict`. It reads an interval and nothing else, so that no side's figure
can be held to another standard. Arithmetic is scipy's and statsmodels' where they have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnel.errors import ParameterError

Interval = tuple[NDArray[np.float64], NDArray[np.float64]]
Verdict = Literal["moved", "did not move", "cannot tell"]

MOVED: Verdict = "moved"
DID_NOT_MOVE: Verdict = "did not move"
CANNOT_TELL: Verdict = "cannot tell"
NARROW = 0.1  # a change of at most this share of what it is compared with may be called none


def wilson(successes: ArrayLike, n: ArrayLike, level: float = 0.9) -> Interval:
    """Give the interval of a rate, by Wilson's score method.

    Parameters
    ----------
    successes, n
        Counts, one pair per rate; they are broadcast against each other.
    level
        Of the interval, above 0 and below 1.

    Returns
    -------
    tuple of ndarray
        Low and high ends, 0 to 1. Where `n` is 0 nothing is known: 0 and 1.

    Raises
    ------
    ParameterError
        If a count is negative or not a number, or more succeeded than there were.

    References
    ----------
    Wilson (1927), J. Am. Stat. Assoc. 22; recommended for all sizes by Brown, Cai and DasGupta
    (2001), Statistical Science 16.

    Examples
    --------
    >>> low, high = wilson(81, 263, level=0.95)
    >>> print(f"{low:.4f} {high:.4f}")
    0.2553 0.3662
    """
    from statsmodels.stats.proportion import proportion_confint

    successes, n = _rates(successes, n)
    low, high = proportion_confint(
        successes, np.where(n > 0, n, 1), alpha=1 - _checked(level), method="wilson"
    )
    low, high = np.asarray(low), np.asarray(high)
    return np.where(n > 0, low, 0.0)[()], np.where(n > 0, high, 1.0)[()]


def difference_of_rates(
    successes1: ArrayLike, n1: ArrayLike, successes0: ArrayLike, n0: ArrayLike, level: float = 0.9
) -> Interval:
    """Give the interval of a rate minus another, independent rate.

    Parameters
    ----------
    successes1, n1
        The rate looked at.
    successes0, n0
        The rate it is compared with, taken away from it.
    level
        Of the interval.

    Returns
    -------
    tuple of ndarray
        Low and high ends of the difference, -1 to 1.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10: two Wilson intervals squared
    and added. It has an answer for every count; the score method of statsmodels raises in many
    small samples.

    Examples
    --------
    >>> low, high = difference_of_rates(56, 70, 48, 80, level=0.95)
    >>> print(f"{low:.4f} {high:.4f}")
    0.0524 0.3339
    """
    successes1, n1 = _rates(successes1, n1)
    successes0, n0 = _rates(successes0, n0)
    rate1, rate0 = successes1 / np.where(n1 > 0, n1, 1), successes0 / np.where(n0 > 0, n0, 1)
    low, high = difference(
        rate1, *wilson(successes1, n1, level), rate0, *wilson(successes0, n0, level)
    )
    known = (n1 > 0) & (n0 > 0)
    return np.where(known, low, -1.0)[()], np.where(known, high, 1.0)[()]


def difference(
    value1: ArrayLike,
    low1: ArrayLike,
    high1: ArrayLike,
    value0: ArrayLike,
    low0: ArrayLike,
    high0: ArrayLike,
) -> Interval:
    """Give the interval of one independent figure minus another, from the interval of each.

    Parameters
    ----------
    value1, low1, high1
        The figure looked at, with its interval.
    value0, low0, high0
        The figure taken away from it, with its interval of the same level.

    References
    ----------
    The method of variance estimates recovery: Zou and Donner (2008), Statistics in Medicine 27,
    1693-1702.

    Examples
    --------
    >>> low, high = difference(5.0, 2.0, 9.0, 1.0, -3.0, 4.0)
    >>> print(f"{low:.3f} {high:.3f}")
    -0.243 9.657
    """
    value1, low1, high1, value0, low0, high0 = (
        np.asarray(given, float) for given in (value1, low1, high1, value0, low0, high0)
    )
    low = value1 - value0 - np.hypot(value1 - low1, high0 - value0)
    high = value1 - value0 + np.hypot(high1 - value1, value0 - low0)
    return low[()], high[()]


def poisson_interval(count: ArrayLike, level: float = 0.9) -> Interval:
    """Give the exact interval of the mean behind a count.

    Parameters
    ----------
    count
        Whole numbers, not negative.
    level
        Of the interval.

    References
    ----------
    Garwood (1936), Biometrika 28, 437-442.

    Examples
    --------
    >>> low, high = poisson_interval(10, level=0.95)
    >>> print(f"{low:.2f} {high:.2f}")
    4.80 18.39
    """
    from statsmodels.stats.rates import confint_poisson

    count = _counts(count)
    low, high = confint_poisson(count, 1, method="exact-c", alpha=1 - _checked(level))
    return np.asarray(low)[()], np.asarray(high)[()]


def ratio_of_counts(
    count1: ArrayLike,
    count0: ArrayLike,
    level: float = 0.9,
    *,
    exposure1: ArrayLike = 1.0,
    exposure0: ArrayLike = 1.0,
) -> Interval:
    """Give the interval of one count's rate over another's, both Poisson.

    Given their sum, the first count is binomial, and the ratio is a function of that binomial's
    rate; so the ends of Wilson's interval, turned into ratios, are those of the ratio.

    Parameters
    ----------
    count1, count0
        The count looked at, and the one it is divided by.
    level
        Of the interval.
    exposure1, exposure0
        Days, leads or whatever each was counted over; above 0.

    Returns
    -------
    tuple of ndarray
        Low and high ends of the ratio, 0 to infinity.

    References
    ----------
    Przyborowski and Wilenski (1940), Biometrika 31, for the conditioning; Price and Bonett
    (2000), Computational Statistics and Data Analysis 34, for its coverage.

    Examples
    --------
    >>> low, high = ratio_of_counts(90, 120, level=0.9)
    >>> print(f"{low:.2f} {high:.2f}")
    0.60 0.94
    """
    count1, count0 = _counts(count1), _counts(count0)
    exposure1, exposure0 = np.asarray(exposure1, float), np.asarray(exposure0, float)
    if not (np.all(exposure1 > 0) and np.all(exposure0 > 0)):
        raise ParameterError("ratio_of_counts: each exposure must be above 0.")
    low, high = wilson(count1, count1 + count0, level)
    scale = exposure0 / exposure1
    with np.errstate(divide="ignore"):
        return (scale * low / (1 - low))[()], (scale * np.divide(high, 1 - high))[()]


def resampled(
    counts: ArrayLike, draws: int, seed: int, *, strata: ArrayLike | None = None
) -> NDArray[np.int64]:
    """Draw bootstrap weights: how often each row, or group of equal rows, is taken in each draw.

    Parameters
    ----------
    counts
        Rows in each group; ones where each row stands for itself.
    draws
        Number of bootstrap samples.
    seed
        The plan's; the same seed gives the same weights.
    strata
        A label for each group. Each stratum keeps its number of rows in every draw.

    Returns
    -------
    ndarray
        Shape (draws, groups); each row adds up to the sum of `counts`.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapters 6 and 8.

    Examples
    --------
    >>> weights = resampled([3, 1, 2], draws=4, seed=1)
    >>> weights.shape, set(weights.sum(axis=1).tolist())
    ((4, 3), {6})
    """
    counts = _counts(counts).astype(np.int64)
    if draws < 1:
        raise ParameterError(f"draws={draws} must be at least 1.")
    random = np.random.default_rng(seed)
    labels = np.zeros(counts.size) if strata is None else np.asarray(strata)
    if labels.shape != counts.shape:
        raise ParameterError("resampled: each group needs one label in `strata`.")
    weights = np.zeros((draws, counts.size), dtype=np.int64)
    for _, members in _groups(labels):
        total = counts[members].sum()
        if total:
            weights[:, members] = random.multinomial(total, counts[members] / total, size=draws)
    return weights


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], ArrayLike],
    counts: ArrayLike,
    *,
    draws: int,
    seed: int,
    level: float = 0.9,
    strata: ArrayLike | None = None,
) -> Interval:
    """Give the percentile interval of any statistic of weighted rows.

    Parameters
    ----------
    statistic
        Takes the weights of the groups (shape: groups) and returns a number or an array.
    counts, draws, seed, strata
        As in `resampled`.
    level
        Of the interval.

    Returns
    -------
    tuple of ndarray
        Low and high ends, each of the statistic's shape. Draws in which the statistic is not a
        number are left out; where all are, so are the ends.

    Examples
    --------
    >>> value = np.arange(100.0)
    >>> low, high = bootstrap(lambda w: np.average(value, weights=w), np.ones(100),
    ...                       draws=500, seed=7)
    >>> bool(low < 49.5 < high)
    True
    """
    values = np.array(
        [statistic(weights) for weights in resampled(counts, draws, seed, strata=strata)], float
    )
    return percentiles(values, level)


def percentiles(draws: ArrayLike, level: float = 0.9) -> Interval:
    """Give the middle `level` of draws (first axis), leaving out those that are not a number.

    Examples
    --------
    >>> low, high = percentiles(np.arange(101.0), 0.9)
    >>> print(f"{low:.1f} {high:.1f}")
    5.0 95.0
    """
    values = np.asarray(draws, float)
    outside = (1 - _checked(level)) / 2
    known = np.isfinite(values).any(axis=0)
    safe = np.where(known, np.where(np.isfinite(values), values, np.nan), 0.0)
    low, high = np.nanquantile(safe, [outside, 1 - outside], axis=0)
    return np.where(known, low, np.nan)[()], np.where(known, high, np.nan)[()]


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p values for the number of looks, keeping the share of false findings.

    Parameters
    ----------
    p_values
        One per look, 0 to 1; not a number where a look could not be made.

    Returns
    -------
    ndarray
        Adjusted values: those at most *q* may be called findings, of which a share *q* is false
        on average. Looks that could not be made stay so and do not count.

    References
    ----------
    Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57, 289-300.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, np.nan, 0.03]).round(3).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    from scipy.stats import false_discovery_control

    p_values = np.asarray(p_values, float)
    adjusted = np.full(p_values.shape, np.nan)
    made = ~np.isnan(p_values)
    if ((p_values[made] < 0) | (p_values[made] > 1)).any():
        raise ParameterError("benjamini_hochberg: p values lie between 0 and 1.")
    if made.any():
        adjusted[made] = false_discovery_control(p_values[made], method="bh")
    return adjusted


def smallest_detectable(
    standard_error: ArrayLike, level: float = 0.9, power: float = 0.8
) -> NDArray[np.float64]:
    """Say how large a change must be for its interval to leave zero out, most of the time.

    Parameters
    ----------
    standard_error
        Of the change, in its own units.
    level
        Of the interval that decides.
    power
        How often such a change would be found.

    References
    ----------
    The normal approximation, as in Cohen (1988), Statistical Power Analysis, chapter 2.

    Examples
    --------
    >>> print(round(float(smallest_detectable(1.0, level=0.95)), 3))
    2.802
    """
    from scipy.special import ndtri

    if not 0.5 <= power < 1:
        raise ParameterError(f"power={power:g} must be at least 0.5 and below 1.")
    needed = ndtri((1 + _checked(level)) / 2) + ndtri(power)
    return (np.asarray(standard_error, float) * needed)[()]


def smallest_detectable_rate(
    rate: ArrayLike, n1: ArrayLike, n0: ArrayLike, level: float = 0.9, power: float = 0.8
) -> NDArray[np.float64]:
    """Say how large a difference of two rates must be to be found, most of the time.

    Parameters
    ----------
    rate
        What both would be if nothing differed, 0 to 1.
    n1, n0
        Their sizes; with a size of 0 no difference can be found (infinity).
    level, power
        As in `smallest_detectable`.

    Examples
    --------
    >>> print(round(float(smallest_detectable_rate(0.1, 1000, 1000)), 3))
    0.033
    """
    rate, n1, n0 = (np.asarray(given, float) for given in (rate, n1, n0))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(rate * (1 - rate) * (1 / n1 + 1 / n0))
    error = np.where((n1 > 0) & (n0 > 0), error, np.inf)
    return smallest_detectable(error, level, power)


def standard_error(low: ArrayLike, high: ArrayLike, level: float = 0.9) -> NDArray[np.float64]:
    """Read the standard error off an interval that is about symmetric.

    Examples
    --------
    >>> print(round(float(standard_error(-1.96, 1.96, 0.95)), 3))
    1.0
    """
    from scipy.special import ndtri

    width = np.asarray(high, float) - np.asarray(low, float)
    return (width / (2 * ndtri((1 + _checked(level)) / 2)))[()]


def verdict(low: float, high: float, narrow: float) -> Verdict:
    """Turn the interval of a change into the verdict that everybody gets.

    Parameters
    ----------
    low, high
        Ends of the interval, in any unit; not a number where there is none.
    narrow
        The largest change, up or down, that is called none; 0 or more, same unit.

    Returns
    -------
    str
        `moved` where the interval leaves zero out; `did not move` where it holds zero and lies
        within `narrow` of it on both sides; else `cannot tell`.

    Raises
    ------
    ParameterError
        If the ends are the wrong way round, or `narrow` is negative.

    References
    ----------
    The second is a test of equivalence: Schuirmann (1987), J. Pharmacokin. Biopharm. 15, 657-680.

    Examples
    --------
    >>> verdict(-0.08, -0.02, narrow=0.03)
    'moved'
    >>> verdict(-0.02, 0.01, narrow=0.03)
    'did not move'
    >>> verdict(-0.08, 0.01, narrow=0.03)
    'cannot tell'
    """
    if not narrow >= 0:
        raise ParameterError(f"narrow={narrow!r} must be a number, 0 or more.")
    if np.isnan(low) or np.isnan(high):
        return CANNOT_TELL
    if low > high:
        raise ParameterError(f"verdict: the low end {low:g} lies above the high end {high:g}.")
    if low > 0 or high < 0:
        return MOVED
    return DID_NOT_MOVE if max(-low, high) <= narrow else CANNOT_TELL


def _groups(labels: NDArray) -> list[tuple[int, NDArray[np.int64]]]:
    """Positions of each label, in order of the labels."""
    _, codes = np.unique(labels, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    return list(enumerate(np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)))


def _counts(given: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(given, float)
    if not np.all(values >= 0):
        raise ParameterError("Counts must be numbers and not negative.")
    return values


def _rates(successes: ArrayLike, n: ArrayLike) -> tuple[NDArray, NDArray]:
    successes, n = np.broadcast_arrays(_counts(successes), _counts(n))
    if not np.all(successes <= n):
        raise ParameterError("More succeeded than there were: each n must be the larger count.")
    return successes, n


def _checked(level: float) -> float:
    if not 0 < level < 1:
        raise ParameterError(f"level={level!r} must be above 0 and below 1; 0.9 is usual.")
    return level
