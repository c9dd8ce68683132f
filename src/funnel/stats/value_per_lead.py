"""How sure the value per lead is: few wins, and of very different size, make most of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_AS_WINS = 2  # how many wins the spread below counts as: with one or two, none can be seen
_USUAL_SPREAD = 1.0  # of log deal sizes
_LARGEST_SPREAD = 3.0**0.5  # the few wins of a small sample can seem to spread without bound


def value_interval(
    value: float,
    reached: tuple[float, float, float],
    wins: NDArray,
    n_effective: float,
    scatter: float,
    level: float = 0.9,
) -> tuple[float, float]:
    """Give the interval of the value per lead: the share won, times the mean of the wins.

    Parameters
    ----------
    value
        Value per lead, currency.
    reached
        Share won, and the ends of its interval, 0 to 1.
    wins
        The wins that are seen, currency each; missing amounts are 0.
    n_effective
        Wins of equal weight that would say as much as these do.
    scatter
        Variance of the mean win over its square, as counted from the wins.
    level
        Of the interval.

    Returns
    -------
    tuple
        Low and high end. Without any value the low end is it, and the high end is missing: what a
        win would bring is not known.

    Notes
    -----
    The mean win has a t interval on the log scale. Of a few deals the largest sizes are missing as
    a rule, and with them most of the variance: where the upper half of the wins spreads as a
    log-normal does that has more of it, its variance is taken. The share and the mean are then
    joined on the log scale, each end by its own distance (Zou and Donner 2008).

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702. Zhou and Gao (1997), Statistics
    in Medicine 16, 783-790, for means of log-normal amounts.

    Examples
    --------
    >>> wins = np.array([50.0, 100, 200, 400])
    >>> low, high = value_interval(75.0, (0.4, 0.2, 0.6), wins, 4, 0.17)
    >>> round(low), round(high)
    (19, 265)
    """
    from scipy.special import stdtrit

    if not value > 0:
        return value, float("nan")
    share, low, high = reached
    freedom = _AS_WINS + len(wins) - 1
    seen = scatter * len(wins) / max(len(wins) - 1, 1)
    implied = _log_normal_scatter(wins, freedom) / max(n_effective, 1.0)
    error = stdtrit(freedom, (1 + level) / 2) * np.sqrt(max(seen, implied))
    down = np.hypot(np.log(share / low), error) if low > 0 else np.inf
    up = np.hypot(np.log(high / share), error)
    return float(value * np.exp(-down)), float(value * np.exp(up))


def _log_normal_scatter(wins: NDArray, freedom: int) -> float:
    """Squared variation of wins that spread as the upper half does; some may have no amount."""
    logs = np.log(wins[wins > 0])
    above = np.maximum(logs - np.median(logs), 0.0)
    squares = _AS_WINS * _USUAL_SPREAD**2 + 2 * float((above**2).sum())
    spread = min(squares / freedom, _LARGEST_SPREAD**2)
    return float(np.exp(spread) * len(wins) / len(logs) - 1)
