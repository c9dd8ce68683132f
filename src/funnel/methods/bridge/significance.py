"""Tests of contributions, their adjustment for the number of tests, and verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.stats import CANNOT_TELL, MOVED, NARROW, Verdict, benjamini_hochberg, verdict

Floats = NDArray[np.float64]
_FEWEST_DEALS = 5
_LEAST_SHARE = 0.05  # of the wins, for a block or a segment to be tested
_OF_TOTAL, _OF_BLOCKS, _OF_SEGMENTS = 0.4, 0.4, 0.2  # of the error
_NORMALS = 4000  # drawn for the smallest p value
_SURELY_COUNTED = 50  # of these; smaller p values are scaled as Bonferroni's from there on
_INDEPENDENT = 0.05  # weight of no correlation: resamples are few


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


@dataclass(frozen=True)
class Parts:
    """Tests of parts of a driver: z, the resamples that they come from, and shares of the wins.

    `z` and `share` have shape (parts,), `draws` (resamples, parts).
    """

    z: Floats
    draws: Floats
    share: Floats

    def tested(self, error: float) -> Parts:
        """The parts that are large enough, `share` being what is spent on each of the error."""
        used = np.isfinite(self.z) & (self.share >= _LEAST_SHARE) & (self.draws.std(axis=0) > 1e-12)
        share = self.share[used]
        return Parts(self.z[used], self.draws[:, used], error * share / max(share.sum(), 1e-12))


def combined_p(
    total: Parts, blocks: Parts | None, segments: Parts | None, random: np.random.Generator
) -> float:
    """P value of a change of a driver in total, in any stage and block of time, or any segment.

    A change that began with the period is clear in the newest block, though only part of the wins
    passed there yet. One of a single segment may be hidden in the total by chance in another. Of
    the error, two parts in five are spent on the total, two on the stages and blocks and one on the
    segments, there in proportion to the wins. What all wins pass through is the total, and is not
    tested again. The tests share their leads, so that the smallest of their weighted p values is
    compared with that of normal variables correlated as the resamples are.

    Parameters
    ----------
    total, blocks, segments
        Tests of one driver.
    random
        Draws the normal variables.

    References
    ----------
    Genovese, Roeder and Wasserman (2006), Biometrika 93, 509-524 (weighted tests). Dudoit, Shaffer
    and Boldrick (2003), Statistical Science 18, 71-103 (the smallest p value of several).

    Examples
    --------
    >>> draws = np.random.default_rng(1).standard_normal((200, 3))
    >>> p = combined_p(Parts(np.array([0.5]), draws[:, :1], np.ones(1)), None,
    ...                Parts(np.array([4.0, 0.1]), draws[:, 1:], np.array([0.3, 0.7])),
    ...                np.random.default_rng(2))
    >>> bool(0.0002 < p < 0.002)
    True
    """
    if not np.isfinite(total.z).all():
        return np.nan
    groups = [(total, _OF_TOTAL), (blocks, _OF_BLOCKS), (segments, _OF_SEGMENTS)]
    parts = [each.tested(error) for each, error in groups if each is not None]
    parts = [each for each in parts[:1] if each.z.size] + [e for e in parts[1:] if e.z.size > 1]
    if len(parts) <= 1:
        return float(two_sided(total.z)[0])
    z, spent = (np.concatenate([getattr(e, name) for e in parts]) for name in ("z", "share"))
    spent /= spent.sum()
    smallest = float((two_sided(z) / spent).min())
    correlation = np.corrcoef(np.concatenate([each.draws for each in parts], axis=1).T)
    correlation += _INDEPENDENT * (np.eye(len(z)) - correlation)
    normal = random.standard_normal((_NORMALS, len(z))) @ np.linalg.cholesky(correlation).T
    by_chance = np.sort((two_sided(normal) / spent).min(axis=1))
    if smallest > by_chance[_SURELY_COUNTED - 1]:
        return float(np.searchsorted(by_chance, smallest, side="right") / _NORMALS)
    return smallest * _SURELY_COUNTED / _NORMALS / by_chance[_SURELY_COUNTED - 1]


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
