"""Verdicts: the one rule that gives them, multiple testing, and the minimum detectable change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnel.contract.errors import ParameterError
from funnel.stats.arguments import checked_level
from funnel.stats.limits import NARROW

Verdict = Literal["moved", "did not move", "cannot tell"]
MOVED: Verdict = "moved"
DID_NOT_MOVE: Verdict = "did not move"
CANNOT_TELL: Verdict = "cannot tell"

__all__ = [
    "CANNOT_TELL",
    "DID_NOT_MOVE",
    "MOVED",
    "NARROW",
    "Verdict",
    "benjamini_hochberg",
    "holm",
    "smallest_detectable",
    "smallest_detectable_rate",
    "standard_error",
    "verdict",
]


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """P values adjusted for the number of tests, which keeps the share of false findings.

    Parameters
    ----------
    p_values
        One per test, 0 to 1; not a number where a test could not be made.

    Returns
    -------
    ndarray
        Adjusted values: those at most *q* may be called findings, of which a share *q* is false
        on average. Tests that could not be made stay so and do not count.

    References
    ----------
    Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57, 289-300.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, np.nan, 0.03]).round(3).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    from scipy.stats import false_discovery_control

    return _adjusted(p_values, lambda made: false_discovery_control(made, method="bh"))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """P values adjusted for the number of tests, which keeps the chance of any false finding.

    Parameters
    ----------
    p_values
        One per test, 0 to 1; not a number where a test could not be made.

    Returns
    -------
    ndarray
        Adjusted values: of those at most *q*, any is false with probability *q* at most, whatever
        else moved. Tests that could not be made stay so and do not count.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> holm([0.01, 0.04, np.nan, 0.03]).round(3).tolist()
    [0.03, 0.06, nan, 0.06]
    """

    def of_made(made: NDArray[np.float64]) -> NDArray[np.float64]:
        order = np.argsort(made)
        stepped = np.maximum.accumulate(made[order] * np.arange(len(made), 0, -1))
        return np.minimum(stepped, 1.0)[np.argsort(order)]

    return _adjusted(p_values, of_made)


def _adjusted(
    p_values: ArrayLike, adjust: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    p_values = np.asarray(p_values, float)
    adjusted = np.full(p_values.shape, np.nan)
    made = ~np.isnan(p_values)
    if ((p_values[made] < 0) | (p_values[made] > 1)).any():
        raise ParameterError("An adjustment for the number of tests takes p values from 0 to 1.")
    if made.any():
        adjusted[made] = adjust(p_values[made])
    return adjusted


def smallest_detectable(
    standard_error: ArrayLike, level: float = 0.9, power: float = 0.8
) -> NDArray[np.float64]:
    """Minimum detectable change: so large that its interval leaves zero out, most of the time.

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
    needed = ndtri((1 + checked_level(level)) / 2) + ndtri(power)
    return (np.asarray(standard_error, float) * needed)[()]


def smallest_detectable_rate(
    rate: ArrayLike, n1: ArrayLike, n0: ArrayLike, level: float = 0.9, power: float = 0.8
) -> NDArray[np.float64]:
    """Minimum detectable difference of two rates: so large that it is found, most of the time.

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
    rate, n1, n0 = (np.asarray(each, float) for each in (rate, n1, n0))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(rate * (1 - rate) * (1 / n1 + 1 / n0))
    error = np.where((n1 > 0) & (n0 > 0), error, np.inf)
    return smallest_detectable(error, level, power)


def standard_error(low: ArrayLike, high: ArrayLike, level: float = 0.9) -> NDArray[np.float64]:
    """Standard error of a figure, from its interval, which is about symmetric.

    Examples
    --------
    >>> print(round(float(standard_error(-1.96, 1.96, 0.95)), 3))
    1.0
    """
    from scipy.special import ndtri

    width = np.asarray(high, float) - np.asarray(low, float)
    return (width / (2 * ndtri((1 + checked_level(level)) / 2)))[()]


def verdict(low: float, high: float, narrow: float) -> Verdict:
    """Verdict on a change, from its interval: the same rule for everybody.

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
