"""Shares that had happened by a time, the young counted as far as they were followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from funnel.stats import wilson


def share_by(
    took: ArrayLike, watched: ArrayLike, days: float, level: float
) -> tuple[float, float, float, int]:
    """Estimate the share for which something had happened within some days.

    Parameters
    ----------
    took
        Days until it happened; not a number where it has not.
    watched
        Days that each could be followed for.
    days
        The time asked about; an event on its last moment counts.
    level
        Of the interval.

    Returns
    -------
    tuple
        Share (0 to 1), low, high, and how many were followed for so long or had it happen before.
        Not a number where nobody was.

    Notes
    -----
    One less the Kaplan-Meier estimate, as in statsmodels' `SurvfuncRight`; a row followed for less
    leaves the count when its time ends, so that the young are not late. Wilson's interval at the
    size at which a plain share has Greenwood's variance.

    References
    ----------
    Kaplan and Meier (1958), J. Am. Stat. Assoc. 53, 457-481; Dorey and Korn (1987), Statistics in
    Medicine 6, 679-687, for the effective size.

    Examples
    --------
    >>> share, low, high, n = share_by([1.0, 2.0, np.nan, np.nan], [9, 9, 9, 0.5], 3, 0.9)
    >>> print(f"{share:.3f} of {n}")
    0.667 of 3
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    took, watched = np.asarray(took, float), np.asarray(watched, float)
    happened = ~np.isnan(took)
    time = np.where(happened, took, watched)
    usable = ~np.isnan(time) & (time >= 0)
    time, happened = time[usable], happened[usable]
    known = (happened & (time <= days)) | (time >= days)
    n = int(known.sum())
    if not n:
        return np.nan, np.nan, np.nan, 0
    if not (happened & (time <= days)).any():
        low, high = wilson(0, n, level)
        return 0.0, float(low), float(high), n
    with np.errstate(divide="ignore", invalid="ignore"):  # the last error, where nobody is left
        fit = SurvfuncRight(time, happened.astype(int))
    at = int(np.searchsorted(fit.surv_times, days, side="right")) - 1
    left, error = float(fit.surv_prob[at]), float(fit.surv_prob_se[at])
    share = 1 - left
    plain = left * share
    size = plain / error**2 if error > 0 and plain > 0 else float(n)
    size = min(size, len(time)) if np.isfinite(size) else float(n)
    low, high = wilson(share * size, size, level)
    return share, float(low), float(high), n


def times_of(
    took: ArrayLike, watched: ArrayLike, shares: tuple[float, ...] = (0.25, 0.5, 0.75)
) -> list[float]:
    """Give the days within which such shares had it happen; not a number where they have not.

    Parameters
    ----------
    took, watched
        As in `share_by`.

    Examples
    --------
    >>> times_of([1.0, 2.0, 3.0, np.nan], [9, 9, 9, 9], (0.5, 0.9))
    [2.0, nan]
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    took, watched = np.asarray(took, float), np.asarray(watched, float)
    time = np.where(np.isnan(took), watched, took)
    usable = ~np.isnan(time) & (time >= 0)
    if not (usable & ~np.isnan(took)).any():
        return [np.nan] * len(shares)
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = SurvfuncRight(time[usable], (~np.isnan(took[usable])).astype(int))
    happened = 1 - np.asarray(fit.surv_prob)
    return [
        float(fit.surv_times[np.searchsorted(happened, share - 1e-12)])
        if happened[-1] >= share - 1e-12
        else np.nan
        for share in shares
    ]
