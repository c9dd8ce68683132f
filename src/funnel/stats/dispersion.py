"""How much more weekly counts vary than independent events do: one estimate for the package.

Intervals of counts take it as a factor on the variance. Variance over mean is 1 for independent
(Poisson) events, and more where campaigns, fairs or batches move whole weeks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_BLOCK = 13  # weeks
_YEAR = 52
_FEWEST_PAIRS = 3
_FEWEST_A_WEEK = 5.0  # events of a segment, below which it is pooled to measure its weeks
_FEWEST_COUNTS = 3
_FEWEST_DIFFERENCES = 6
_OF_NORMAL = 0.6745  # median of the absolute value of a standard normal
_ROUNDS = 25  # of fitting margins to each other
_OUTLYING = 0.01  # chance that the block of largest dispersion is only the largest


def pearson(residual: Floats, variance: Floats, n_fitted: int) -> tuple[float, int]:
    """Pearson's chi-squared over its degrees of freedom, and these.

    Parameters
    ----------
    residual, variance
        What was seen beyond what was expected, and its variance by chance, one per cell (a week,
        as a rule). A cell without variance does not count.
    n_fitted
        Parameters that the expected values were fitted with.

    Returns
    -------
    tuple
        1 and 0 without a degree of freedom.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, section 4.5.

    Examples
    --------
    >>> pearson(np.array([2.0, -2.0, 0.0]), np.array([1.0, 1.0, 1.0]), 1)
    (4.0, 2)
    """
    known = variance > 0
    freedom = int(known.sum()) - n_fitted
    if freedom <= 0:
        return 1.0, 0
    return float((residual[known] ** 2 / variance[known]).sum()) / freedom, freedom


def robust_dispersion(residual: Floats, variance: Floats) -> float:
    """Variance of one cell less the next over that by chance, at least 1; input as of `pearson`.

    The median of all differences: a level that changes a few times does not widen it.
    """
    known = variance > 0
    if known.sum() < _FEWEST_DIFFERENCES:
        return 1.0
    variance = variance[known]
    z = np.diff(residual[known]) / np.sqrt(variance[1:] + variance[:-1])
    return float(max((np.median(np.abs(z)) / _OF_NORMAL) ** 2, 1.0))


def count_dispersion(counts: Floats) -> float:
    """Variance over mean of a few counts at one level, at least 1; 1 for fewer than three.

    For the weeks (or days) right before a gap, too few to be compared with a year earlier.
    """
    counts = np.asarray(counts, float)
    if len(counts) < _FEWEST_COUNTS or not counts.mean() > 0:
        return 1.0
    return max(pearson(counts - counts.mean(), np.full(len(counts), counts.mean()), 1)[0], 1.0)


def weekly_dispersion(weekly: Floats, is_ordinary: NDArray[np.bool_] | None = None) -> float:
    """Variance over mean of weekly counts.

    Blocks of thirteen weeks are compared with the same weeks a year earlier, so that season and
    growth do not count. Weeks with a public holiday are excluded, because holidays move from year
    to year. So is one block that differs from all others, because it holds a change of its own.
    With fewer than three such pairs, each block is compared with its own level and slope.

    Parameters
    ----------
    weekly
        Counts, newest week first.
    is_ordinary
        Weeks without a public holiday; without it, all weeks.

    Returns
    -------
    float
        1 for independent events; 1 too where there is too little history.

    References
    ----------
    McCullagh and Nelder (1989), Generalized Linear Models, section 4.5: Pearson's chi-squared
    over its degrees of freedom.

    Examples
    --------
    >>> weekly_dispersion(np.tile(np.arange(1.0, 53.0), 3))
    0.0
    """
    is_ordinary = np.ones(len(weekly), bool) if is_ordinary is None else is_ordinary
    pairs = _year_pairs(weekly[:, None], is_ordinary)
    if pairs is not None:
        return _of_most(*_homogeneity(pairs[:, :, 0]))
    n_blocks = len(weekly) // _BLOCK
    squares, expected = 0.0, 0.0
    for block in range(n_blocks):
        here = slice(block * _BLOCK, (block + 1) * _BLOCK)
        seen = weekly[here][is_ordinary[here]]
        if len(seen) < 4:
            continue
        line = np.column_stack([np.ones(len(seen)), np.flatnonzero(is_ordinary[here])])
        fitted = line @ np.linalg.lstsq(line, seen, rcond=None)[0]
        squares += float(((seen - fitted) ** 2).sum())
        expected += float((len(seen) - 2) * seen.mean())
    return squares / expected if expected > 0 else 1.0


def segment_dispersion(counts: Floats, is_ordinary: NDArray[np.bool_] | None = None) -> float:
    """Variance over mean of segments' weekly counts, given the totals of the weeks.

    As `weekly_dispersion`, compared with the same weeks a year earlier, so that a segment's own
    season does not count. Segments with few events are pooled.

    Parameters
    ----------
    counts
        Weeks by segments, newest week first.
    is_ordinary
        Weeks without a public holiday; without it, all weeks.

    Returns
    -------
    float
        1 for independent events.

    Examples
    --------
    >>> segment_dispersion(np.full((26, 2), 50.0))
    0.0
    """
    is_ordinary = np.ones(len(counts), bool) if is_ordinary is None else is_ordinary
    if not len(counts):
        return 1.0
    is_large = counts.mean(axis=0) >= _FEWEST_A_WEEK
    if not is_large.all():
        rest = counts[:, ~is_large].sum(axis=1, keepdims=True)
        counts = np.concatenate([counts[:, is_large], rest], axis=1)
    pairs = _year_pairs(counts, is_ordinary)
    if pairs is not None:
        return _of_most(*_interaction(pairs))
    n_blocks, n_segments = len(counts) // _BLOCK, counts.shape[1]
    counts = np.where(is_ordinary[:, None], counts, 0.0)[: n_blocks * _BLOCK]
    return _of_most(*_homogeneity(counts.reshape(n_blocks, _BLOCK, n_segments)))


def _year_pairs(counts: Floats, is_ordinary: NDArray[np.bool_]) -> Floats | None:
    """Blocks of weeks of two years, (block, week, segment, year), the newest first.

    Excluded weeks, and weeks empty in both years, are zero in both. `None` where there are
    too few blocks.
    """
    n_pairs = (len(counts) - _YEAR) // _BLOCK
    if n_pairs < _FEWEST_PAIRS:
        return None
    n_weeks = n_pairs * _BLOCK
    now, then = slice(0, n_weeks), slice(_YEAR, _YEAR + n_weeks)
    both = np.stack([counts[now], counts[then]], axis=-1)
    counted = is_ordinary[now] & is_ordinary[then] & (both.sum(axis=1) > 0).any(axis=1)
    both = np.where(counted[:, None, None], both, 0.0)
    both = both.reshape(n_pairs, _BLOCK, *both.shape[1:])
    known = counted.reshape(n_pairs, _BLOCK).sum(axis=1) > 1
    return both[known] if known.sum() >= _FEWEST_PAIRS else None


def _of_most(chi2: Floats, freedom: Floats) -> float:
    """Chi-squared over degrees of freedom of all blocks, without the one that differs (F test).

    A block within which the level changed says nothing about how weeks vary.
    """
    from scipy.special import fdtrc  # scipy.stats takes a second to import

    known = freedom > 0
    chi2, freedom = chi2[known], freedom[known]
    if not len(chi2):
        return 1.0
    most = int(np.argmax(chi2 / freedom))
    rest, freedom_of_rest = chi2.sum() - chi2[most], freedom.sum() - freedom[most]
    if rest > 0:
        ratio = chi2[most] / freedom[most] / (rest / freedom_of_rest)
        if fdtrc(freedom[most], freedom_of_rest, ratio) < _OUTLYING / len(chi2):
            return float(rest / freedom_of_rest)
    return float(chi2.sum() / freedom.sum())


def _homogeneity(blocks: Floats) -> tuple[Floats, Floats]:
    """Pearson's chi-squared and its degrees of freedom, by block, of weeks by column."""
    of_week = blocks.sum(axis=2, keepdims=True)
    of_column = blocks.sum(axis=1, keepdims=True)
    total = of_week.sum(axis=1, keepdims=True)
    expected = of_week * of_column / np.maximum(total, 1)
    chi2 = np.divide(
        (blocks - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 0
    )
    n_weeks, n_columns = (of_week > 0).sum(axis=(1, 2)), (of_column > 0).sum(axis=(1, 2))
    return chi2.sum(axis=(1, 2)), np.maximum(n_weeks - 1, 0) * np.maximum(n_columns - 1, 0)


def _interaction(blocks: Floats) -> tuple[Floats, Floats]:
    """Pearson's chi-squared and its degrees of freedom, by block, of weeks by segments by years.

    The expected counts keep all margins of two: mix of a week, mix of a year, total of a week.
    """
    expected = np.ones_like(blocks)
    for _ in range(_ROUNDS):
        for axis in (1, 2, 3):
            margin, now = (each.sum(axis=axis, keepdims=True) for each in (blocks, expected))
            expected *= np.divide(margin, now, out=np.zeros_like(margin), where=now > 0)
    chi2 = np.divide(
        (blocks - expected) ** 2, expected, out=np.zeros_like(expected), where=expected > 1e-9
    )
    n_weeks = (blocks.sum(axis=(2, 3)) > 0).sum(axis=1)
    n_segments = (blocks.sum(axis=1) > 0).all(axis=2).sum(axis=1)
    freedom = np.maximum(n_weeks - 1, 0) * np.maximum(n_segments - 1, 0)
    return chi2.sum(axis=(1, 2, 3)), freedom
