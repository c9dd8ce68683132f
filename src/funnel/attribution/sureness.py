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

from funnel.attribution.coded import CodedPaths
from funnel.evidence import wilson

FEWEST_TO_RESAMPLE = 10
SAME = 1e-9
_TINY = 1e-12
_CELLS_AT_ONCE = 400_000  # of influences, so that they stay near the processor
_FEWEST = 1000  # paths on which the spread is measured at least
_MOST_WORK = 2e10  # multiplications; beyond, the spread is measured on a part of the paths

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moves:
    """How much one more journey of some paths moves each share.

    Attributes
    ----------
    at
        Which paths.
    by_journey
        Paths by shares: what the journey moves, won or not.
    by_worth
        Paths by shares: what each unit of a win's worth moves besides.
    """

    at: NDArray[np.int64]
    by_journey: Floats
    by_worth: Floats


@dataclass(frozen=True, eq=False)
class Law:
    """How shares vary from sample to sample.

    Attributes
    ----------
    covariance
        Of the shares, channels by channels.
    degrees
        Degrees of freedom of each share's variance, which is estimated too.
    """

    covariance: Floats
    degrees: Floats

    @property
    def variance(self) -> Floats:
        """Of each share."""
        return np.clip(np.diag(self.covariance), 0.0, None)

    def apart(self, one: int, other: int, by: float, level: float) -> bool:
        """Whether two shares that lie so far apart are told apart."""
        spread = self.covariance
        variance = spread[one, one] + spread[other, other] - 2 * spread[one, other]
        reach = _quantile(level, np.minimum(self.degrees[one], self.degrees[other]))
        return bool(by > reach * np.sqrt(max(variance, 0.0)))


def law_of(
    ways: CodedPaths, worth: Floats, spread: Floats, blocks: Iterable[Moves], factor: Floats
) -> Law:
    """Add up the squares of influences over journeys.

    Parameters
    ----------
    ways
        Paths in numbers.
    worth
        What one win of each path is worth.
    spread
        Per path: how far the worths of its wins lie apart, as a sum of squares.
    blocks
        Influences, some paths at a time.
    factor
        How many paths each one stands for, where the blocks hold only a part of them; 0 for those
        they leave out.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 22, for the infinitesimal
    jackknife. Satterthwaite (1946), Biometrics Bulletin 2, 110-114, for the degrees of freedom.

    Examples
    --------
    >>> ways = CodedPaths.of([["a"], ["b"]], conversions=[50, 50])
    >>> moves = Moves(np.arange(2), np.zeros((2, 1)), np.array([[0.005], [-0.005]]))
    >>> law_of(ways, np.ones(2), np.zeros(2), [moves], np.ones(2)).variance.round(6).tolist()
    [0.002525]
    """
    second, fourth = np.zeros((0, 0)), np.zeros(0)
    for block in blocks:
        at = block.at
        won = block.by_journey + worth[at, None] * block.by_worth
        for moves, times in (
            (won, ways.conversions[at]),
            (block.by_journey, ways.nulls[at]),
            (block.by_worth, spread[at]),
        ):
            if not times.any():
                continue
            weighted = moves * (times * factor[at])[:, None]
            squared = moves.T @ weighted
            weighted *= moves
            power = factor[at] @ (weighted * moves**2)
            second = second + squared if second.size else squared
            if moves is not block.by_worth:  # of wins that are counted together no more is known
                fourth = fourth + power if fourth.size else power
    n = max(float((ways.conversions + ways.nulls).sum()), 1.0)
    variance = np.diag(second)
    told = np.divide(fourth, variance**2, out=np.ones_like(variance), where=variance > 0) - 1 / n
    return Law(second * (n / max(n - 1, 1.0)), 2 / np.maximum(told, _TINY))


def law_of_samples(replicates: Floats, law: Law) -> Law:
    """Take the spread from samples that were drawn, in place of what they tend to."""
    known = replicates[np.isfinite(replicates).all(axis=1)]
    if len(known) < 2:
        return law
    return replace(law, covariance=np.atleast_2d(np.cov(known.T)))


def in_blocks(chosen: NDArray[np.int64], columns: int) -> Iterator[NDArray[np.int64]]:
    """Go through paths a few at a time, so that influences stay near the processor."""
    at_once = max(1, _CELLS_AT_ONCE // max(columns, 1))
    for start in range(0, len(chosen), at_once):
        yield chosen[start : start + at_once]


def measured(ways: CodedPaths, squares: Floats, columns: int) -> tuple[NDArray[np.int64], Floats]:
    """Choose the paths on which the spread is measured: all, unless they are too many.

    Of too many, paths are taken at even steps along the sum of their sizes, so that each stands
    for as many as it is small.

    Parameters
    ----------
    ways
        Paths in numbers.
    squares
        Per path: what the squared worths of its wins add up to.
    columns
        Shares to be followed.

    Returns
    -------
    tuple of ndarray
        The places of the chosen paths, and per path how many it stands for (0: not chosen).

    Examples
    --------
    >>> ways = CodedPaths.of([["a"], ["b"]], conversions=[2, 2])
    >>> places, factor = measured(ways, np.zeros(2), 2)
    >>> places.tolist(), factor.tolist()
    ([0, 1], [1.0, 1.0])
    """
    n = ways.n_paths
    most = max(int(_MOST_WORK / max(columns, 1) ** 2), _FEWEST)
    if n <= most:
        return np.arange(n), np.ones(n)
    size = (ways.conversions + ways.nulls) / max((ways.conversions + ways.nulls).sum(), _TINY)
    size += squares / max(squares.sum(), _TINY)
    chance = np.minimum(size * (most / size.sum()), 1.0)
    passed = np.floor(np.cumsum(chance) + 0.5)
    taken = np.diff(passed, prepend=0.0) > 0
    factor = np.divide(1.0, chance, out=np.zeros(n), where=taken)
    return np.flatnonzero(taken), factor


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
    >>> nothing = Law(np.zeros((1, 1)), np.ones(1))
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


def value_spread(ways: CodedPaths, each: Floats, *, of_value: bool) -> Floats:
    """Per path: how far the values of its wins lie apart, as a sum of squares."""
    if not of_value or ways.squares is None:
        return np.zeros(ways.n_paths)
    apart = ways.squares - ways.conversions * each**2
    return np.where(apart > _TINY * np.maximum(ways.squares, 1.0), apart, 0.0)


def _quantile(level: float, degrees: Floats) -> Floats:
    from scipy.special import ndtri, stdtrit

    upper = 0.5 + level / 2
    some = np.minimum(degrees, 1e6)
    return np.where(degrees < 1e6, stdtrit(some, upper), ndtri(upper))
