"""How sure credit is: the bootstrap over journeys, as the law that its samples tend to.

A share moves a little with each journey: that is the journey's influence on it. Squared and added
up over journeys, influences give the spread that bootstrap samples have (the infinitesimal
jackknife), in one pass and without the noise of drawing. How sure the spread itself is follows
from the fourth powers: where it hangs on a few large deals, intervals are wider.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from funnel.methods.paths.coded_paths import CodedPaths
from funnel.stats import wilson

FEWEST_TO_RESAMPLE = 10
SAME = 1e-9
_TINY = 1e-12
_CELLS_AT_ONCE = 100_000  # of influences, so that they stay near the processor
_ROWS_AT_ONCE = 256
_FEWEST = 50_000  # paths on which the spread is measured at least
_MOST_CELLS = 1e7  # influences; beyond, the spread is measured on a part of the paths
_MOST_COMPARED = 64  # shares up to which it is known how each pair of them varies together

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moves:
    """How much one more journey of some kinds moves each share.

    Attributes
    ----------
    moves
        Kinds by shares.
    times
        Journeys of each kind.
    stands_for
        How many kinds like it each one stands for; 1 unless only a part was looked at.
    worth
        What one more journey adds to what is shared out.
    counts
        Whether the fourth powers are known: wins that are only counted together show none.
    """

    moves: Floats
    times: Floats
    stands_for: Floats
    worth: Floats
    counts: bool = True


@dataclass(frozen=True, eq=False)
class Sample:
    """Paths on which the spread is measured: their places, and how many each one stands for."""

    at: NDArray[np.int64]
    stands_for: Floats

    def in_blocks(self, columns: int) -> Iterator[Sample]:
        """Go through a few at a time, so that influences stay near the processor."""
        at_once = max(1, _CELLS_AT_ONCE // max(columns, 1))
        for start in range(0, len(self.at), at_once):
            yield self.taken(slice(start, start + at_once))

    def taken(self, chosen: NDArray | slice) -> Sample:
        """Keep some of them."""
        return Sample(self.at[chosen], self.stands_for[chosen])


@dataclass(frozen=True, eq=False)
class Measure:
    """What is shared out, path by path: wins, or their value.

    Attributes
    ----------
    worth
        Of one win of each path.
    spread
        Per path: how far the worths of its wins lie apart, as a sum of squares.
    """

    worth: Floats
    spread: Floats

    @classmethod
    def of(cls, ways: CodedPaths, *, of_value: bool) -> Measure:
        """Measure paths by what they are worth, or by their wins."""
        each = worth_of_one(ways, of_value=of_value)
        if not of_value or ways.squares is None:
            return cls(each, np.zeros(ways.n_paths))
        apart = ways.squares - ways.conversions * each**2
        return cls(each, np.where(apart > _TINY * np.maximum(ways.squares, 1.0), apart, 0.0))

    def of_wins(
        self, ways: CodedPaths, some: Sample, by_journey: Floats | float, by_worth: Floats
    ) -> Iterator[Moves]:
        """Lay the influence of won journeys out: that of the journey, and of what it is worth."""
        worth, spread = self.worth[some.at], self.spread[some.at]
        moves = by_journey + worth[:, None] * by_worth
        yield Moves(moves, ways.conversions[some.at], some.stands_for, worth)
        if spread.any():
            yield Moves(by_worth, spread, some.stands_for, np.ones(len(worth)), counts=False)


@dataclass(frozen=True, eq=False)
class Law:
    """How shares vary from sample to sample.

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

    def apart(self, one: int, other: int, by: float, level: float) -> bool:
        """Whether two shares that lie so far apart are told apart."""
        # as far as two can move against each other, where it is not known how they do
        together = -np.sqrt(self.variance[one] * self.variance[other])
        if self.covariance is not None:
            together = self.covariance[one, other]
        variance = self.variance[one] + self.variance[other] - 2 * together
        reach = _quantile(level, np.minimum(self.degrees[one], self.degrees[other]))
        return bool(by > reach * np.sqrt(max(variance, 0.0)))

    def and_one_that_is_sure(self) -> Law:
        """Put a share that does not vary behind the others."""
        covariance = None if self.covariance is None else np.pad(self.covariance, (0, 1))
        return Law(np.append(self.variance, 0.0), np.append(self.degrees, 1.0), covariance)


def law_of(blocks: Iterable[Moves], n: float) -> Law:
    """Add up the squares of influences over journeys.

    Parameters
    ----------
    blocks
        Influences, some kinds of journeys at a time.
    n
        Journeys that the sample is of.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 22, for the infinitesimal
    jackknife. Satterthwaite (1946), Biometrics Bulletin 2, 110-114, for the degrees of freedom.

    Examples
    --------
    >>> half = np.array([[0.005], [-0.005]])
    >>> moves = Moves(half, times=np.full(2, 50.0), stands_for=np.ones(2), worth=np.ones(2))
    >>> law_of([moves], 100).variance.round(6).tolist()
    [0.002525]
    """
    second, fourth, covariance = np.zeros(1), np.zeros(1), np.zeros((1, 1))
    for block in blocks:
        times = block.times * block.stands_for
        squares = block.moves * block.moves
        second = second + times @ squares
        if block.counts:
            fourth = fourth + (times * block.stands_for) @ np.square(squares, out=squares)
        if block.moves.shape[1] <= _MOST_COMPARED:
            covariance = covariance + _product(block.moves, block.moves * times[:, None])
    n = max(n, 1.0)
    told = np.divide(fourth, second**2, out=np.ones_like(second), where=second > 0) - 1 / n
    of_few = n / max(n - 1, 1.0)
    known = covariance * of_few if len(covariance) == len(second) else None
    degrees = np.maximum(2 / np.maximum(told, _TINY), 1.0)  # fewer would say nothing at all
    return Law(second * of_few, degrees, known)


def law_of_samples(replicates: Floats, law: Law) -> Law:
    """Take the spread from samples that were drawn, in place of what they tend to."""
    known = replicates[np.isfinite(replicates).all(axis=1)]
    if len(known) < 2:
        return law
    covariance = np.atleast_2d(np.cov(known.T))
    return replace(law, variance=np.diag(covariance), covariance=covariance)


def sampled(ways: CodedPaths, measure: Measure, columns: int) -> Sample:
    """Choose the paths on which the spread is measured: all, unless they are too many.

    Of too many, paths are taken at even steps along the sum of their sizes, so that each stands
    for as many as it is small.

    Parameters
    ----------
    ways, measure
        Paths in numbers, and what is shared out.
    columns
        Shares to be followed.

    Examples
    --------
    >>> ways = CodedPaths.of([["a"], ["b"]], conversions=[2, 2])
    >>> chosen = sampled(ways, Measure.of(ways, of_value=False), 2)
    >>> chosen.at.tolist(), chosen.stands_for.tolist()
    ([0, 1], [1.0, 1.0])
    """
    n = ways.n_paths
    most = max(int(_MOST_CELLS / max(columns, 1)), _FEWEST)
    if n <= most:
        return Sample(np.arange(n), np.ones(n))
    went = ways.conversions + ways.nulls
    squares = ways.conversions * measure.worth**2 + measure.spread
    size = went / max(went.sum(), _TINY) + squares / max(squares.sum(), _TINY)
    chance = np.minimum(size * (most / size.sum()), 1.0)
    passed = np.floor(np.cumsum(chance) + 0.5)
    at = np.flatnonzero(np.diff(passed, prepend=0.0) > 0)
    return Sample(at, 1.0 / chance[at])


def intervals(
    share: Floats,
    law: Law | None,
    effective: float,
    n_wins: float,
    level: float,
    *,
    within: bool = True,
) -> tuple[Floats, Floats]:
    """Give each share's interval: Wilson's, for the wins that would be as certain.

    Parameters
    ----------
    share
        One per channel.
    law
        How they vary; None where nothing was won.
    effective
        Wins of equal size that would be as certain as all of them (Kish's effective sample size);
        it speaks where the law cannot: below ten wins, and for a channel with all or nothing.
    n_wins
        Wins that there are.
    level
        Of the interval.
    within
        Whether shares lie from 0 to 1; where not, intervals are Student's.

    References
    ----------
    Franco, Little, Louis and Slud (2019), Journal of Survey Statistics and Methodology 7, 334-364,
    for Wilson's interval with an effective sample size.

    Examples
    --------
    >>> nothing = Law(np.zeros(1), np.ones(1))
    >>> low, high = intervals(np.array([1.0]), nothing, 12, 12, 0.9)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.82], [1.0])
    """
    known = np.isfinite(share)
    inside = np.clip(np.where(known, share, 0.0), 0.0, 1.0)
    low, high = wilson(inside * effective, effective, level)
    varies = np.zeros(len(share), dtype=bool)
    if law is not None and n_wins >= FEWEST_TO_RESAMPLE:
        varies = (law.variance > SAME**2) & known
    if law is not None and varies.any():
        reach = np.where(varies, _quantile(level, law.degrees), 0.0)
        error = np.sqrt(law.variance)
        if within:
            as_sure = inside * (1 - inside) / np.where(varies, (error * reach) ** 2, 1.0)
            as_sure *= _quantile(level, np.array(np.inf)) ** 2
            ends = wilson(inside * as_sure, as_sure, level)
        else:
            ends = share - reach * error, share + reach * error
        low, high = (
            np.where(varies, end, usual) for end, usual in zip(ends, (low, high), strict=True)
        )
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def worth_of_one(ways: CodedPaths, *, of_value: bool) -> Floats:
    """Give what one win of each path is worth: its mean value, or one win; 0 without a win."""
    what = ways.value if of_value else ways.conversions
    return np.divide(what, ways.conversions, out=np.zeros_like(what), where=ways.conversions > 0)


def _product(left: Floats, right: Floats) -> Floats:
    """Multiply tall thin tables, a few rows at a time: for these, several threads take longer."""
    n = len(left) // _ROWS_AT_ONCE * _ROWS_AT_ONCE
    some, others = (each[:n].reshape(-1, _ROWS_AT_ONCE, each.shape[1]) for each in (left, right))
    return np.matmul(some.transpose(0, 2, 1), others).sum(axis=0) + left[n:].T @ right[n:]


def _quantile(level: float, degrees: Floats) -> Floats:
    from scipy.special import ndtri, stdtrit

    upper = 0.5 + level / 2
    some = np.minimum(degrees, 1e6)
    return np.where(degrees < 1e6, stdtrit(some, upper), ndtri(upper))
