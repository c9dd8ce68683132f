"""Tests of contributions, their adjustment for the number of tests, and verdicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.stats import CANNOT_TELL, MOVED, NARROW, Verdict, benjamini_hochberg, verdict

Floats = NDArray[np.float64]
_FEWEST_DEALS = 5
_LEAST_PASSING = 0.05  # of the wins, for a block to be tested


def two_sided(z: Floats) -> Floats:
    """Two-sided p value of z; missing where z is.

    Examples
    --------
    >>> two_sided(np.array([1.96, np.nan])).round(3).tolist()
    [0.05, nan]
    """
    from scipy.special import ndtr

    return 2 * ndtr(-np.abs(z))


def z_of_draws(contribution: Floats, draws: Floats) -> Floats:
    """Contribution over the standard deviation of its resamples (first axis); missing where 0.

    Examples
    --------
    >>> z_of_draws(np.array([3.0]), np.array([[1.0], [2.0], [3.0]])).tolist()
    [3.0]
    """
    spread = draws.std(axis=0, ddof=1) if len(draws) > 1 else np.zeros(draws.shape[1:])
    return np.divide(
        contribution, spread, out=np.full(np.shape(contribution), np.nan), where=spread > 1e-12
    )


def combined_over_blocks(p: Floats, p_blocks: Floats, passing: Floats) -> Floats:
    """P value of a change of a driver in total, or in any stage and block of time.

    A change that began with the period is clear in the newest block, though only part of the wins
    passed there yet. Half of the error is spent on the total and half on the stages and blocks, in
    proportion to the wins that pass there. Where all pass in one block, only the total is tested.

    Parameters
    ----------
    p
        One p value per driver, of its total.
    p_blocks, passing
        Drivers by stages and blocks: p values, and shares of wins, which add up to 1.

    References
    ----------
    Genovese, Roeder and Wasserman (2006), Biometrika 93, 509-524 (weighted tests).

    Examples
    --------
    >>> combined_over_blocks(np.array([0.3, 0.3]), np.array([[1e-4, 0.9], [0.9, 0.3]]),
    ...                      np.array([[0.2, 0.8], [0.0, 1.0]])).round(4).tolist()
    [0.001, 0.3]
    """
    weight = np.where(passing >= _LEAST_PASSING, passing, 0.0)
    known = np.isfinite(p_blocks) & (weight > 0)
    spent = np.divide(p_blocks, weight / 2, out=np.full(p_blocks.shape, np.inf), where=known)
    several = known.sum(axis=1) > 1
    return np.where(several, np.minimum(np.minimum(2 * p, spent.min(axis=1)), 1.0), p)


def adjusted(p_totals: Floats, p_segments: Floats, q: float) -> tuple[Floats, Floats, int]:
    """P values adjusted for the number of tests: drivers, then the segments of those found.

    Parameters
    ----------
    p_totals
        One per driver; missing where there was no test.
    p_segments
        Drivers by segments.
    q
        Share of false findings allowed.

    Returns
    -------
    tuple
        Adjusted values of drivers and of segments (missing where not tested), both to be compared
        with `q`; and the number of tests.

    References
    ----------
    Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57, 289-300; Benjamini and Bogomolov (2014),
    J. R. Stat. Soc. B 76, 297-318, for families that are tested because they were found.
    """
    totals = benjamini_hochberg(p_totals)
    found = totals <= q
    segments = np.full(p_segments.shape, np.nan)
    made = np.isfinite(p_totals).sum()
    for i in np.flatnonzero(found):
        segments[i] = np.minimum(benjamini_hochberg(p_segments[i]) * made / found.sum(), 1.0)
    return totals, segments, int(made + np.isfinite(segments).sum())


def verdict_of(low: float, high: float, p_adjusted: float, q: float, baseline: float) -> Verdict:
    """Verdict on a driver: `moved` only where the interval and the adjusted test agree.

    Parameters
    ----------
    low, high
        Of its contribution.
    p_adjusted, q
        Of its test, and the share of false findings allowed.
    baseline
        The earlier period's value; a tenth of it is the margin of `did not move`.
    """
    if not np.isfinite(p_adjusted):
        return CANNOT_TELL
    found = verdict(low, high, NARROW * abs(baseline))
    return CANNOT_TELL if found == MOVED and p_adjusted > q else found


def like_for_like(
    amounts: Floats, in_period: NDArray[np.bool_], strata: pd.DataFrame
) -> tuple[float, float]:
    """Difference of mean log deal size between two periods, for equal segments and firm sizes.

    Parameters
    ----------
    amounts
        Of won deals; those of 0 or less are excluded.
    in_period
        Whether a deal is of the period, else of the baseline.
    strata
        One row per deal: `segment`, and `employees` where known.

    Returns
    -------
    tuple of float
        Difference in log units, and its z (from a t with a variance for unequal spreads); missing
        where a period has fewer than five deals.

    References
    ----------
    MacKinnon and White (1985), Journal of Econometrics 29, 305-325 (HC3).
    """
    usable = np.isfinite(amounts) & (amounts > 0)
    amounts, in_period, strata = amounts[usable], in_period[usable], strata[usable]
    if min(in_period.sum(), (~in_period).sum()) < _FEWEST_DEALS:
        return np.nan, np.nan
    columns = [np.ones(len(amounts)), in_period.astype(float)]
    sizes = strata["segment"].value_counts()
    kept = sizes.index[sizes >= 2 * _FEWEST_DEALS][1:]
    columns += [(strata["segment"] == name).to_numpy(float) for name in kept]
    people = strata["employees"].to_numpy(float)
    known = np.isfinite(people) & (people > 0)
    if known.sum() >= 2 * _FEWEST_DEALS:
        logs = np.log(np.where(known, people, 1.0))
        columns += [np.where(known, logs - logs[known].mean(), 0.0)]
        columns += [(~known).astype(float)] * bool((~known).sum() > 0)
    design = np.column_stack(columns)
    inverse = np.linalg.pinv(design.T @ design)
    effect = inverse @ (design.T @ np.log(amounts))
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    residual = (np.log(amounts) - design @ effect) / np.maximum(1 - leverage, 0.05)
    variance = (inverse @ (design * (residual**2)[:, None]).T @ design @ inverse)[1, 1]
    if not variance > 1e-24:
        return float(effect[1]), np.nan
    freedom = max(len(amounts) - design.shape[1], 1)
    return float(effect[1]), _as_normal(effect[1] / np.sqrt(variance), freedom)


def _as_normal(t: float, freedom: int) -> float:
    """Z with the tail probability of a t of so many degrees of freedom."""
    from scipy.stats import norm
    from scipy.stats import t as student

    return float(np.sign(t) * -norm.ppf(max(student.sf(abs(t), freedom), 1e-300)))
