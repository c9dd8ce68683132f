"""Stratified association: whether an outcome is equally frequent in groups within strata."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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

    n_groups, n_strata = int(group.max()) + 1, int(stratum.max()) + 1
    cell = stratum * n_groups + group
    n = np.bincount(cell, minlength=n_groups * n_strata).reshape(n_strata, n_groups).astype(float)
    k = np.bincount(cell, outcome, minlength=n_groups * n_strata).reshape(n_strata, n_groups)
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
    freedom = int(np.linalg.matrix_rank(variance, hermitian=True))
    if not freedom:
        return 1.0
    statistic = float(off @ np.linalg.pinv(variance, hermitian=True) @ off)
    return float(chi2.sf(statistic, freedom))
