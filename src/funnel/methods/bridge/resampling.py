"""Resamples of whole leads, as wide as the weeks of this company really vary."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_WEEK = 7 * 86_400.0
_BLOCK = 13  # weeks
_YEAR = 52
_FEWEST_PAIRS = 3
_FEWEST_A_WEEK = 5.0  # leads of a segment, below which it is pooled to measure its weeks
_ROUNDS = 25  # of fitting margins to each other
_STANDS_OUT = 0.01  # chance that the block of largest dispersion is only the largest


def weights(
    stays: pd.DataFrame,
    n_segments: int,
    end: float,
    *,
    weekly: Floats,
    is_usual: NDArray[np.bool_],
    draws: int,
    seed: int,
    at_once: int,
) -> Iterator[Floats]:
    """Give Poisson bootstrap weights, a few draws at a time; shape (units, draws).

    A unit keeps its weight wherever it is counted, so what two worlds share stays shared. Where
    weekly arrivals vary more than chance alone would have them, weeks (and each segment's weeks)
    get a random factor too, as in a negative binomial.

    Parameters
    ----------
    stays
        With `unit`, `segment` (both numbers from 0) and `entered`.
    n_segments
        Number of segments.
    end
        When the period ends; weeks are counted back from it.
    weekly
        Arrivals by week before the period and by segment, newest first, as far back as there are
        any: see `dispersion_of_weeks`.
    is_usual
        Weeks without a public holiday.
    draws, seed
        Number of draws, and where they start.
    at_once
        Draws in each piece.

    References
    ----------
    Hanley and MacGibbon (2006), Computer Methods and Programs in Biomedicine 83, 57-62 (Poisson
    weights). Field and Welsh (2007), J. R. Stat. Soc. B 69, 369-390 (resampling two levels).
    """
    random = np.random.default_rng(seed)
    n_units = int(stays["unit"].max()) + 1
    first = np.full(n_units, np.inf)
    np.minimum.at(first, stays["unit"].to_numpy(), stays["entered"].to_numpy())
    segment = np.zeros(n_units, np.int64)
    segment[stays["unit"].to_numpy()] = stays["segment"].to_numpy()
    # who came after the period counts with its last week
    week = np.maximum(np.floor((end - first) / _WEEK), 0).astype(np.int64)
    counts = np.zeros((week.max() + 1, n_segments))
    np.add.at(counts, (week, segment), 1.0)
    of_weeks = dispersion_of_weeks(weekly.sum(axis=1), is_usual)
    of_segments = dispersion_of_segments(weekly, is_usual)
    total = np.maximum(counts.sum(axis=1), 1.0)
    common = np.maximum(of_weeks - max(of_segments, 1.0), 0.0) / total
    own = np.maximum(of_segments - 1.0, 0.0) / np.maximum(counts, 1.0)
    for begin in range(0, draws, at_once):
        size = min(at_once, draws - begin)
        piece = random.poisson(1.0, (size, n_units)).astype(np.float64)
        if common.any():
            piece *= _unit_mean(random, common, size)[:, week]
        if own.any():
            piece *= _unit_mean(random, own.ravel(), size)[:, week * n_segments + segment]
        yield np.ascontiguousarray(piece.T)


def dispersion_of_weeks(weekly: Floats, is_usual: NDArray[np.bool_] | None = None) -> float:
    """Measure how much more weekly arrivals vary than chance would have them.

    Each thirteen weeks are held against the same weeks a year earlier, so that what comes every
    year does not count, and weeks with a public holiday, which move from year to year, are left
    out, and so is the one block that stands out from all others, which holds a change of its own.
    Where there are too few such pairs, weeks are held against a level and a slope of their own.

    Parameters
    ----------
    weekly
        Counts, newest week first.
    is_usual
        Weeks without a public holiday; all of them without.

    Returns
    -------
    float
        Variance over mean; 1 is Poisson.

    Examples
    --------
    >>> dispersion_of_weeks(np.tile(np.arange(1.0, 53.0), 3))
    0.0
    """
    is_usual = np.ones(len(weekly), bool) if is_usual is None else is_usual
    pairs = _year_pairs(weekly[:, None], is_usual)
    if pairs is not None:
        return _of_most(*_homogeneity(pairs[:, :, 0]))
    n_blocks = len(weekly) // _BLOCK
    squares, expected = 0.0, 0.0
    for block in range(n_blocks):
        here = slice(block * _BLOCK, (block + 1) * _BLOCK)
        seen = weekly[here][is_usual[here]]
        if len(seen) < 4:
            continue
        line = np.column_stack([np.ones(len(seen)), np.flatnonzero(is_usual[here])])
        fitted = line @ np.linalg.lstsq(line, seen, rcond=None)[0]
        squares += float(((seen - fitted) ** 2).sum())
        expected += float((len(seen) - 2) * seen.mean())
    return squares / expected if expected > 0 else 1.0


def dispersion_of_segments(counts: Floats, is_usual: NDArray[np.bool_] | None = None) -> float:
    """Measure how much more segments' weekly shares vary within thirteen weeks than chance.

    As `dispersion_of_weeks`, beside the same weeks a year earlier: a segment that has its own
    season is no less sure. Segments of few leads are taken together.

    Parameters
    ----------
    counts
        Weeks by segments, newest week first.
    is_usual
        Weeks without a public holiday; all of them without.

    Returns
    -------
    float
        Variance over mean, given the weeks' totals; 1 is Poisson.

    Examples
    --------
    >>> dispersion_of_segments(np.full((26, 2), 50.0))
    0.0
    """
    is_usual = np.ones(len(counts), bool) if is_usual is None else is_usual
    if not len(counts):
        return 1.0
    is_large = counts.mean(axis=0) >= _FEWEST_A_WEEK
    if not is_large.all():
        rest = counts[:, ~is_large].sum(axis=1, keepdims=True)
        counts = np.concatenate([counts[:, is_large], rest], axis=1)
    pairs = _year_pairs(counts, is_usual)
    if pairs is not None:
        return _of_most(*_interaction(pairs))
    n_blocks, n_segments = len(counts) // _BLOCK, counts.shape[1]
    counts = np.where(is_usual[:, None], counts, 0.0)[: n_blocks * _BLOCK]
    return _of_most(*_homogeneity(counts.reshape(n_blocks, _BLOCK, n_segments)))


def _year_pairs(counts: Floats, is_usual: NDArray[np.bool_]) -> Floats | None:
    """Blocks of weeks beside the year before, (block, week, segment, year), the newest first.

    Weeks that do not count, and those that were empty in one of the years, hold nothing in both.
    Nothing where there are too few blocks.
    """
    n_pairs = (len(counts) - _YEAR) // _BLOCK
    if n_pairs < _FEWEST_PAIRS:
        return None
    n_weeks = n_pairs * _BLOCK
    now, then = slice(0, n_weeks), slice(_YEAR, _YEAR + n_weeks)
    both = np.stack([counts[now], counts[then]], axis=-1)
    counted = is_usual[now] & is_usual[then] & (both.sum(axis=1) > 0).all(axis=1)
    both = np.where(counted[:, None, None], both, 0.0)
    both = both.reshape(n_pairs, _BLOCK, *both.shape[1:])
    known = counted.reshape(n_pairs, _BLOCK).sum(axis=1) > 1
    return both[known] if known.sum() >= _FEWEST_PAIRS else None


def _of_most(chi2: Floats, freedom: Floats) -> float:
    """Sum up chi-squared over degrees of freedom, without the one block that stands out.

    A block within which the level changed says nothing of how weeks vary.
    """
    from scipy.stats import f

    known = freedom > 0
    chi2, freedom = chi2[known], freedom[known]
    if not len(chi2):
        return 1.0
    most = int(np.argmax(chi2 / freedom))
    rest, freedom_of_rest = chi2.sum() - chi2[most], freedom.sum() - freedom[most]
    if rest > 0:
        ratio = chi2[most] / freedom[most] / (rest / freedom_of_rest)
        if f.sf(ratio, freedom[most], freedom_of_rest) < _STANDS_OUT / len(chi2):
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

    Expected is what holds all margins of two: a week's usual mix, a year's mix, a week's total.
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


def _unit_mean(random: np.random.Generator, variance: Floats, size: int) -> Floats:
    """Gamma factors of mean 1, shape (size, cells); 1 where there is no variance."""
    spread = np.maximum(variance, 1e-9)
    return np.where(variance > 0, random.gamma(1 / spread, spread, (size, len(spread))), 1.0)
