"""Tests of what scores say: whether rates rise with them, and whether chances come true."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_DRAWS = 999


def order_p(won: Floats, n: Floats, draws: int = _DRAWS, seed: int = 0) -> tuple[float, float]:
    """Test whether rates never fall from each group to the next.

    Parameters
    ----------
    won, n
        Counts by group, in the order in which the rate should rise.
    draws, seed
        Draws of the hardest case, in which all groups have one rate, and their seed.

    Returns
    -------
    tuple of float
        The likelihood ratio statistic (0 where no rate falls) and its p value.

    Examples
    --------
    >>> order_p(np.array([10.0, 20.0, 30.0]), np.array([100.0, 100.0, 100.0]))
    (0.0, 1.0)
    """
    from scipy.special import xlogy

    def statistic(k: Floats) -> float:
        rate, fitted = k / n, rising(k / n, n)
        gain = xlogy(k, rate) + xlogy(n - k, 1 - rate) - xlogy(k, fitted) - xlogy(n - k, 1 - fitted)
        return float(2 * gain.sum())

    found = statistic(won)
    if found < 1e-9:
        return 0.0, 1.0
    random = np.random.default_rng([seed, 5])
    drawn = random.binomial(n.astype(np.int64), won.sum() / n.sum(), size=(draws, len(n)))
    reached = sum(statistic(k.astype(float)) >= found for k in drawn)
    return found, float((reached + 1) / (draws + 1))


def rising(rate: Floats, weight: Floats) -> Floats:
    """Fit rates that never fall: the closest ones, by pooling neighbours that do.

    Examples
    --------
    >>> rising(np.array([0.1, 0.3, 0.2]), np.array([1.0, 1.0, 3.0])).round(3).tolist()
    [0.1, 0.225, 0.225]
    """
    from scipy.optimize import isotonic_regression

    return isotonic_regression(rate, weights=weight).x


def spiegelhalter(won: NDArray[np.bool_], chances: Floats) -> tuple[float, float]:
    """Test whether outcomes come as often as their chances say.

    Returns
    -------
    tuple of float
        Spiegelhalter's z and its two-sided p value; 0 and 1 where every chance is a half or sure.

    References
    ----------
    Spiegelhalter (1986), Statistics in Medicine 5, 421-433.

    Examples
    --------
    >>> z, p_value = spiegelhalter(np.arange(100) < 30, np.full(100, 0.2))
    >>> round(z, 2), round(p_value, 3)
    (2.5, 0.012)
    """
    from scipy.stats import norm

    spread = np.sqrt(((1 - 2 * chances) ** 2 * chances * (1 - chances)).sum())
    if not spread > 0:
        return 0.0, 1.0
    z = float(((won - chances) * (1 - 2 * chances)).sum() / spread)
    return z, float(2 * norm.sf(abs(z)))
