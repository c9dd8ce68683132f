"""Which contributions can be told from chance: one rule for every driver."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.stats import CANNOT_TELL, MOVED, Verdict, benjamini_hochberg, verdict

Floats = NDArray[np.float64]
_FEWEST_DEALS = 5
_LEAST_PASSING = 0.05  # of the wins, for a block to be looked at
_NARROW = 0.05  # of the baseline's value: the largest part that is called none


def two_sided(z: Floats) -> Floats:
    """Give the p value of a normal deviate; missing where it is.

    Examples
    --------
    >>> two_sided(np.array([1.96, np.nan])).round(3).tolist()
    [0.05, nan]
    """
    from scipy.special import ndtr

    return 2 * ndtr(-np.abs(z))


def deviates(contribution: Floats, draws: Floats) -> Floats:
    """Divide contributions by the spread of their resamples (first axis); missing where it is 0."""
    spread = draws.std(axis=0, ddof=1) if len(draws) > 1 else np.zeros(draws.shape[1:])
    return np.divide(
        contribution, spread, out=np.full(np.shape(contribution), np.nan), where=spread > 1e-12
    )


def in_all_or_a_block(p: Floats, p_blocks: Floats, passing: Floats) -> Floats:
    """Ask whether a driver changed in all, or in any block of time.

    A change that began with the period is plain in the newest block, though only part of the
    period's wins passed there yet; and leads that arrive are not drowned by deals without a lead.
    Half of the error is spent on the total and half on stages and blocks, in proportion to the
    wins that pass; where nearly all pass in one, the total is all there is.

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
    >>> in_all_or_a_block(np.array([0.3, 0.3]), np.array([[1e-4, 0.9], [0.9, 0.3]]),
    ...                   np.array([[0.2, 0.8], [0.0, 1.0]])).round(4).tolist()
    [0.001, 0.3]
    """
    weight = np.where(passing >= _LEAST_PASSING, passing, 0.0)
    known = np.isfinite(p_blocks) & (weight > 0)
    spent = np.divide(p_blocks, weight / 2, out=np.full(p_blocks.shape, np.inf), where=known)
    several = known.sum(axis=1) > 1
    return np.where(several, np.minimum(np.minimum(2 * p, spent.min(axis=1)), 1.0), p)


def adjusted(p_totals: Floats, p_segments: Floats, q: float) -> tuple[Floats, Floats, int]:
    """Adjust for all looks: drivers first, then the segments of those drivers that are found.

    Parameters
    ----------
    p_totals
        One per driver; missing where there was no look.
    p_segments
        Drivers by segments.
    q
        Share of false findings allowed.

    Returns
    -------
    tuple
        Adjusted values of drivers and of segments (missing where not looked at), both to be held
        against `q`; and the number of looks.

    References
    ----------
    Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57, 289-300; Benjamini and Bogomolov (2014),
    J. R. Stat. Soc. B 76, 297-318, for families that are looked into because they were found.
    """
    totals = benjamini_hochberg(p_totals)
    found = totals <= q
    segments = np.full(p_segments.shape, np.nan)
    made = np.isfinite(p_totals).sum()
    for i in np.flatnonzero(found):
        segments[i] = np.minimum(benjamini_hochberg(p_segments[i]) * made / found.sum(), 1.0)
    return totals, segments, int(made + np.isfinite(segments).sum())


def verdict_of(low: float, high: float, p_adjusted: float, q: float, baseline: float) -> Verdict:
    """Give the verdict: moved only where the interval and the adjusted look both say so."""
    if not np.isfinite(p_adjusted):
        return CANNOT_TELL
    given = verdict(low, high, _NARROW * abs(baseline))
    return CANNOT_TELL if given == MOVED and p_adjusted > q else given


def like_for_like(
    amounts: Floats, is_new: NDArray[np.bool_], strata: pd.DataFrame
) -> tuple[float, float]:
    """Compare the logarithm of deal sizes of two periods, held equal for what deals differ in.

    Parameters
    ----------
    amounts
        Of won deals; those of 0 or less are left out.
    is_new
        Whether a deal is of the period.
    strata
        One row per deal: `segment`, and `employees` where known.

    Returns
    -------
    tuple of float
        Difference in log units, and its deviate (t, by a variance that holds where spreads
        differ); missing where a period has fewer than five deals.

    References
    ----------
    MacKinnon and White (1985), Journal of Econometrics 29, 305-325 (HC3).
    """
    usable = np.isfinite(amounts) & (amounts > 0)
    amounts, is_new, strata = amounts[usable], is_new[usable], strata[usable]
    if min(is_new.sum(), (~is_new).sum()) < _FEWEST_DEALS:
        return np.nan, np.nan
    columns = [np.ones(len(amounts)), is_new.astype(float)]
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
    rest = (np.log(amounts) - design @ effect) / np.maximum(1 - leverage, 0.05)
    variance = (inverse @ (design * (rest**2)[:, None]).T @ design @ inverse)[1, 1]
    if not variance > 1e-24:
        return float(effect[1]), np.nan
    freedom = max(len(amounts) - design.shape[1], 1)
    return float(effect[1]), _as_normal(effect[1] / np.sqrt(variance), freedom)


def _as_normal(t: float, freedom: int) -> float:
    """Give the normal deviate that is as rare as a t of so many degrees of freedom."""
    from scipy.stats import norm
    from scipy.stats import t as student

    return float(np.sign(t) * -norm.ppf(max(student.sf(abs(t), freedom), 1e-300)))
