"""Intervals of rates and counts, and of their differences and ratios."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from funnel.contract.errors import ParameterError
from funnel.stats.arguments import Interval, checked_counts, checked_level, checked_rates


def wilson(successes: ArrayLike, n: ArrayLike, level: float = 0.9) -> Interval:
    """Interval of a rate, by Wilson's score method.

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
    from scipy.special import ndtri  # the function in statsmodels takes a second to import

    successes, n = checked_rates(successes, n)
    z2 = ndtri((1 + checked_level(level)) / 2) ** 2
    some = np.where(n > 0, n, 1)
    middle = successes + z2 / 2
    reach = np.sqrt(z2 * (successes * (some - successes) / some + z2 / 4))
    low, high = np.maximum(middle - reach, 0) / (n + z2), np.minimum((middle + reach) / (n + z2), 1)
    return np.where(n > 0, low, 0.0)[()], np.where(n > 0, high, 1.0)[()]


def difference_of_rates(
    successes1: ArrayLike, n1: ArrayLike, successes0: ArrayLike, n0: ArrayLike, level: float = 0.9
) -> Interval:
    """Interval of a rate minus another, independent rate.

    Parameters
    ----------
    successes1, n1
        The first rate.
    successes0, n0
        The rate it is compared with, subtracted from it.
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
    successes1, n1 = checked_rates(successes1, n1)
    successes0, n0 = checked_rates(successes0, n0)
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
    """Interval of one independent figure minus another, from the interval of each.

    Parameters
    ----------
    value1, low1, high1
        The first figure, with its interval.
    value0, low0, high0
        The figure subtracted from it, with its interval of the same level.

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
        np.asarray(each, float) for each in (value1, low1, high1, value0, low0, high0)
    )
    low = value1 - value0 - np.hypot(value1 - low1, high0 - value0)
    high = value1 - value0 + np.hypot(high1 - value1, value0 - low0)
    return low[()], high[()]


def median_interval(values: ArrayLike, level: float = 0.9) -> tuple[float, float, float]:
    """Median with its interval: the values at the ends of Wilson's interval of one half.

    Parameters
    ----------
    values
        At least one number, none missing.
    level
        Of the interval.

    References
    ----------
    Conover (1999), Practical Nonparametric Statistics, section 3.2: no distribution is assumed.

    Examples
    --------
    >>> median_interval(range(1, 102), level=0.95)
    (51.0, 41.0, 61.0)
    """
    values = np.asarray(values, float)
    low, high = wilson(values.size / 2, values.size, level)
    median = float(np.median(values))
    # the ends are values that were seen, and rounded away from the median
    ends = (np.quantile(values, at, method=to) for at, to in ((low, "lower"), (high, "higher")))
    return median, *(float(end) for end in ends)


def poisson_interval(count: ArrayLike, level: float = 0.9) -> Interval:
    """Exact interval of the mean behind a count.

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

    count = checked_counts(count)
    low, high = confint_poisson(count, 1, method="exact-c", alpha=1 - checked_level(level))
    return np.asarray(low)[()], np.asarray(high)[()]


def ratio_of_counts(
    count1: ArrayLike,
    count0: ArrayLike,
    level: float = 0.9,
    *,
    exposure1: ArrayLike = 1.0,
    exposure0: ArrayLike = 1.0,
) -> Interval:
    """Interval of one count's rate over another's, both Poisson.

    Given their sum, the first count is binomial, and the ratio is a function of that binomial's
    rate; so the ends of Wilson's interval, turned into ratios, are those of the ratio.

    Parameters
    ----------
    count1, count0
        The first count, and the one it is divided by.
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
    count1, count0 = checked_counts(count1), checked_counts(count0)
    exposure1, exposure0 = np.asarray(exposure1, float), np.asarray(exposure0, float)
    if not (np.all(exposure1 > 0) and np.all(exposure0 > 0)):
        raise ParameterError("ratio_of_counts: each exposure must be above 0.")
    low, high = wilson(count1, count1 + count0, level)
    scale = exposure0 / exposure1
    with np.errstate(divide="ignore"):
        return (scale * low / (1 - low))[()], (scale * np.divide(high, 1 - high))[()]
