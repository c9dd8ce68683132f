"""Stratified comparisons: whether, and how much, an outcome is more frequent within strata."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_ROUNDING = 1e-9  # a spread below this share of the largest is rounding


def ratio_of_rates(
    is_first: NDArray[np.bool_],
    outcome: NDArray[np.bool_],
    stratum: NDArray[np.int64],
    level: float = 0.9,
) -> tuple[float, float, float, int]:
    """Mantel and Haenszel's ratio of two groups' rates over strata, with its interval.

    Parameters
    ----------
    is_first, outcome
        Whether each row is of the first group, and whether it has the outcome.
    stratum
        Codes from 0, one per row.
    level
        Of the interval.

    Returns
    -------
    tuple
        Ratio, low, high (missing where a group has no outcome in any stratum that holds both),
        and the number of strata that hold both.

    References
    ----------
    Mantel and Haenszel (1959), J. Natl. Cancer Inst. 22, 719-748; Greenland and Robins (1985),
    Biometrics 41, 55-68, equation 13, for the variance.

    Examples
    --------
    >>> is_first, stratum = np.repeat([True, False], 100), np.zeros(200, int)
    >>> won = np.r_[np.arange(100) < 20, np.arange(100) < 10]
    >>> ratio, low, high, _ = ratio_of_rates(is_first, won, stratum)
    >>> print(f"{ratio:.2f} [{low:.2f} to {high:.2f}]")
    2.00 [1.11 to 3.62]
    """
    from scipy.special import ndtri

    n, events = _by_cell(is_first.astype(int), outcome, stratum, 2)
    both = (n > 0).all(axis=1)
    (n0, n1), (k0, k1) = n[both].T, events[both].T
    total = n1 + n0
    above, below = (k1 * n0 / total).sum(), (k0 * n1 / total).sum()
    if not (above > 0 and below > 0):
        return (*(np.nan,) * 3, int(both.sum()))
    spread = (n1 * n0 * (k1 + k0) - k1 * k0 * total) / total**2
    reach = np.exp(ndtri((1 + level) / 2) * np.sqrt(spread.sum() / (above * below)))
    ratio = above / below
    return float(ratio), float(ratio / reach), float(ratio * reach), int(both.sum())


def association_p(
    group: NDArray[np.int64],
    outcome: NDArray[np.bool_],
    stratum: NDArray[np.int64],
    scores: Floats | None = None,
) -> float:
    """P value of the test that an outcome is equally frequent in groups within strata.

    Parameters
    ----------
    group, stratum
        Codes from 0, one per row.
    outcome
        Whether each row has the outcome.
    scores
        A number for each group where groups are steps of one quantity: then the test is one for
        trend, with one degree of freedom. Without, for any difference.

    Returns
    -------
    float
        1 where nothing varies.

    References
    ----------
    Mantel and Haenszel (1959), J. Natl. Cancer Inst. 22, 719-748; for several groups, and for
    scores, Landis, Heyman and Koch (1978), Int. Stat. Review 46, 237-254.

    Examples
    --------
    >>> group, stratum = np.repeat([0, 1], 100), np.zeros(200, int)
    >>> won = np.r_[np.arange(100) < 10, np.arange(100) < 30]
    >>> round(association_p(group, won, stratum), 4)
    0.0004
    """
    from scipy.stats import chi2

    n, k = _by_cell(group, outcome, stratum, int(group.max()) + 1)
    total, events = n.sum(axis=1), k.sum(axis=1)
    usable = total > 1
    n, k, total, events = n[usable], k[usable], total[usable], events[usable]
    off = (k - n * (events / total)[:, None]).sum(axis=0)
    weight = events * (total - events) / (total**2 * (total - 1))
    variance = np.diag((weight * total) @ n) - (n * weight[:, None]).T @ n
    if scores is not None:
        spread = float(scores @ variance @ scores)
        statistic = float(scores @ off) ** 2 / spread if spread > 1e-12 else 0.0
        return float(chi2.sf(statistic, 1))
    # groups add up to nothing, so the last one says nothing new, and rounding cannot count it
    off, variance = off[:-1], variance[:-1, :-1]
    spreads = np.linalg.eigvalsh(variance) if len(off) else np.zeros(0)
    freedom = int((spreads > _ROUNDING * spreads.max(initial=0.0)).sum())
    if not freedom:
        return 1.0
    statistic = float(off @ np.linalg.pinv(variance, rcond=_ROUNDING, hermitian=True) @ off)
    return float(chi2.sf(statistic, freedom))


def _by_cell(
    group: NDArray[np.int64], outcome: NDArray[np.bool_], stratum: NDArray[np.int64], n_groups: int
) -> tuple[Floats, Floats]:
    """Rows, and those with the outcome, by stratum and group."""
    shape = int(stratum.max()) + 1, n_groups
    cell, size = stratum * n_groups + group, shape[0] * n_groups
    n, events = (np.bincount(cell, each, size).reshape(shape) for each in (None, outcome))
    return n.astype(float), events
