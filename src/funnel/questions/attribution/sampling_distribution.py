"""Sampling distribution of shares of credit: from influences, or from bootstrap samples.

A share changes a little with each journey: that is the journey's influence on it. The squares of
the influences, added up over journeys, are the variance that bootstrap samples have (the
infinitesimal jackknife). Their fourth powers give the degrees of freedom of that variance: where
it depends on a few large deals, intervals are wider. Samples that are drawn and solved one by one
give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from funnel.methods.paths.coded_paths import CodedPaths
from funnel.stats import resampled, wilson

FEWEST_TO_RESAMPLE = 10
SAME = 1e-9
_TINY = 1e-12
_CELLS_AT_ONCE = 100_000  # of influences, so that they fit into the processor's cache
_ROWS_AT_ONCE = 256
_CELLS_DRAWN = 4_000_000  # of bootstrap samples at a time
_FEWEST = 50_000  # paths on which the variance is measured at least
_MOST_CELLS = 1e7  # influences; beyond, the variance is measured on a sample of the paths
_MOST_COMPARED = 64  # shares up to which their covariance is computed

Floats = NDArray[np.float64]
Solve = Callable[[Floats, Floats, Floats], Floats]


@dataclass(frozen=True, eq=False)
class Influence:
    """Influence of one more journey on each share, by kind of journey.

    Attributes
    ----------
    of_one
        Change of each share with one more journey: kinds by shares.
    times
        Journeys of each kind.
    stands_for
        Kinds that each row represents; 1 unless only a sample of the paths was used.
    worth
        What one more journey adds to the total that is credited.
    has_fourth_power
        Whether the fourth powers are known.
    """

    of_one: Floats
    times: Floats
    stands_for: Floats
    worth: Floats
    has_fourth_power: bool = True


@dataclass(frozen=True, eq=False)
class Sample:
    """Paths on which the variance is measured: their places, and how many each one represents."""

    at: NDArray[np.int64]
    stands_for: Floats

    def in_blocks(self, columns: int) -> Iterator[Sample]:
        """Blocks of a few paths, so that influences fit into the processor's cache."""
        at_once = max(1, _CELLS_AT_ONCE // max(columns, 1))
        for start in range(0, len(self.at), at_once):
            yield self.taken(slice(start, start + at_once))

    def taken(self, chosen: NDArray | slice) -> Sample:
        """Some of the paths."""
        return Sample(self.at[chosen], self.stands_for[chosen])


def of_wins(
    paths: CodedPaths, worth: Floats, some: Sample, by_journey: Floats | float, by_worth: Floats
) -> Influence:
    """Influence of won journeys of some paths: of the journey, and of what its win is worth."""
    each = worth[some.at]
    of_one = by_journey + each[:, None] * by_worth
    return Influence(of_one, paths.conversions[some.at], some.stands_for, each)


@dataclass(frozen=True, eq=False)
class SamplingDistribution:
    """Sampling distribution of shares.

    Attributes
    ----------
    variance
        Of each share.
    degrees
        Degrees of freedom of each variance, which is estimated too.
    covariance
        Of the shares, channels by channels; None where there are too many channels.
    """

    variance: Floats
    degrees: Floats
    covariance: Floats | None = None

    def differ(self, one: int, other: int, by: float, level: float) -> bool:
        """Whether the interval of the difference `by` of two shares excludes zero."""
        # the largest possible variance of the difference, where the covariance is not known
        together = -np.sqrt(self.variance[one] * self.variance[other])
        if self.covariance is not None:
            together = self.covariance[one, other]
        variance = self.variance[one] + self.variance[other] - 2 * together
        reach = _quantile(level, np.minimum(self.degrees[one], self.degrees[other]))
        return bool(by > reach * np.sqrt(max(variance, 0.0)))


def distribution_of(blocks: Iterable[Influence], n: float) -> SamplingDistribution:
    """Sampling distribution of shares from the influences on them of `n` journeys.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 22, for the infinitesimal
    jackknife. Satterthwaite (1946), Biometrics Bulletin 2, 110-114, for the degrees of freedom.

    Examples
    --------
    >>> half = np.array([[0.005], [-0.005]])
    >>> influence = Influence(half, times=np.full(2, 50.0), stands_for=np.ones(2), worth=np.ones(2))
    >>> distribution_of([influence], 100).variance.round(6).tolist()
    [0.002525]
    """
    second, fourth, covariance = np.zeros(1), np.zeros(1), np.zeros((1, 1))
    for block in blocks:
        times = block.times * block.stands_for
        squares = block.of_one * block.of_one
        second = second + times @ squares
        if block.has_fourth_power:
            fourth = fourth + (times * block.stands_for) @ np.square(squares, out=squares)
        if block.of_one.shape[1] <= _MOST_COMPARED:
            covariance = covariance + _product(block.of_one, block.of_one * times[:, None])
    n = max(n, 1.0)
    inverse = np.divide(fourth, second**2, out=np.ones_like(second), where=second > 0) - 1 / n
    of_few = n / max(n - 1, 1.0)
    known = covariance * of_few if len(covariance) == len(second) else None
    # below 1 the interval would be unbounded
    degrees = np.maximum(2 / np.maximum(inverse, _TINY), 1.0)
    return SamplingDistribution(second * of_few, degrees, known)


def distribution_of_samples(
    replicates: Floats, distribution: SamplingDistribution
) -> SamplingDistribution:
    """Distribution with the covariance of samples that were drawn; degrees of freedom stay."""
    known = replicates[np.isfinite(replicates).all(axis=1)]
    if len(known) < 2:
        return distribution
    covariance = np.atleast_2d(np.cov(known.T))
    return replace(distribution, variance=np.diag(covariance), covariance=covariance)


def samples(paths: CodedPaths, worth: Floats, solve: Solve, draws: int, seed: int) -> Floats:
    """Shares in each bootstrap sample of journeys (rows); the last share is not traced.

    `worth` is that of one win of each path. `solve` gives shares of the traced total, from wins,
    their worth and journeys without a win (samples by paths).

    Examples
    --------
    >>> paths = CodedPaths.of([["a"], ["b"]], conversions=[40, 40])
    >>> drawn = samples(paths, np.ones(2), lambda won, *_: won / 80, 500, 1)
    >>> drawn.std(axis=0).round(2).tolist()
    [0.06, 0.06, 0.0]
    """
    blocks = []
    for taken in _drawn(np.concatenate([paths.conversions, paths.nulls]), draws, seed):
        won, lost = np.hsplit(taken.astype("float64"), 2)
        booked = won * worth
        total = booked.sum(axis=1, keepdims=True)
        held = booked[:, paths.is_traced].sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = solve(won, booked, lost) * held / total
            blocks.append(np.hstack([shares, 1 - held / total]))
    return np.concatenate(blocks)


def sampled(paths: CodedPaths, worth: Floats, columns: int) -> Sample:
    """Paths on which the variance is measured: all, unless there are too many.

    Of too many, a systematic sample is drawn with probability proportional to size.
    `worth` is that of one win of each path, `columns` the number of shares.

    Examples
    --------
    >>> paths = CodedPaths.of([["a"], ["b"]], conversions=[2, 2])
    >>> chosen = sampled(paths, np.ones(2), 2)
    >>> chosen.at.tolist(), chosen.stands_for.tolist()
    ([0, 1], [1.0, 1.0])
    """
    n = paths.n_paths
    most = max(int(_MOST_CELLS / max(columns, 1)), _FEWEST)
    if n <= most:
        return Sample(np.arange(n), np.ones(n))
    went = paths.conversions + paths.nulls
    squares = paths.conversions * worth**2
    size = went / max(went.sum(), _TINY) + squares / max(squares.sum(), _TINY)
    chance = np.minimum(size * (most / size.sum()), 1.0)
    passed = np.floor(np.cumsum(chance) + 0.5)
    at = np.flatnonzero(np.diff(passed, prepend=0.0) > 0)
    return Sample(at, 1.0 / chance[at])


def intervals(
    share: Floats,
    distribution: SamplingDistribution | None,
    effective: float,
    n_wins: float,
    level: float,
    *,
    within: bool = True,
) -> tuple[Floats, Floats]:
    """Interval of each share: Wilson's, for the effective number of wins.

    Parameters
    ----------
    share
        One per channel.
    distribution
        Sampling distribution of the shares; None where nothing was won.
    effective
        Kish's effective sample size: wins of equal size with the same uncertainty. It is used
        where the distribution is not: below ten wins, and for a channel with all or nothing.
    n_wins
        Number of wins.
    level
        Of the interval.
    within
        Whether shares lie between 0 and 1. If not, intervals are Student's.

    References
    ----------
    Franco, Little, Louis and Slud (2019), Journal of Survey Statistics and Methodology 7, 334-364,
    for Wilson's interval with an effective sample size.

    Examples
    --------
    >>> nothing = SamplingDistribution(np.zeros(1), np.ones(1))
    >>> low, high = intervals(np.array([1.0]), nothing, 12, 12, 0.9)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.82], [1.0])
    """
    known = np.isfinite(share)
    inside = np.clip(np.where(known, share, 0.0), 0.0, 1.0)
    low, high = wilson(inside * effective, effective, level)
    varies = np.zeros(len(share), dtype=bool)
    if distribution is not None and n_wins >= FEWEST_TO_RESAMPLE:
        varies = (distribution.variance > SAME**2) & known
    if distribution is not None and varies.any():
        reach = np.where(varies, _quantile(level, distribution.degrees), 0.0)
        error = np.sqrt(distribution.variance)
        if within:
            size = inside * (1 - inside) / np.where(varies, (error * reach) ** 2, 1.0)
            size *= _quantile(level, np.array(np.inf)) ** 2
            ends = wilson(inside * size, size, level)
        else:
            ends = share - reach * error, share + reach * error
        low, high = (
            np.where(varies, end, kish) for end, kish in zip(ends, (low, high), strict=True)
        )
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def worth_of_one(paths: CodedPaths, *, of_value: bool) -> Floats:
    """Worth of one win of each path: its mean value, or one win; 0 without a win."""
    what = paths.value if of_value else paths.conversions
    return np.divide(what, paths.conversions, out=np.zeros_like(what), where=paths.conversions > 0)


def _drawn(counts: Floats, draws: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Bootstrap weights of groups, in blocks that fit into memory."""
    at_once = max(1, min(draws, _CELLS_DRAWN // max(len(counts), 1)))
    for start in range(0, draws, at_once):
        yield resampled(counts, min(at_once, draws - start), seed + start)


def _product(left: Floats, right: Floats) -> Floats:
    """Matrix product of tall thin tables, in blocks: several threads would be slower."""
    n = len(left) // _ROWS_AT_ONCE * _ROWS_AT_ONCE
    some, others = (each[:n].reshape(-1, _ROWS_AT_ONCE, each.shape[1]) for each in (left, right))
    return np.matmul(some.transpose(0, 2, 1), others).sum(axis=0) + left[n:].T @ right[n:]


def _quantile(level: float, degrees: Floats) -> Floats:
    from scipy.special import ndtri, stdtrit

    upper = 0.5 + level / 2
    some = np.minimum(degrees, 1e6)
    return np.where(degrees < 1e6, stdtrit(some, upper), ndtri(upper))
