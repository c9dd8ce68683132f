"""Permutation tests: whether counts of two groups come from one distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnel.contract.errors import ParameterError
from funnel.stats.arguments import checked_counts

_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class SameDistribution:
    """How often permuted groups differ as much.

    `p_value` is of all groupings together; `p_values` holds one for each, by its name.
    """

    p_value: float
    p_values: dict[str, float]


def same_distribution(
    counts1: ArrayLike,
    counts0: ArrayLike,
    *,
    draws: int,
    seed: int,
    groupings: Mapping[str, ArrayLike] | None = None,
) -> SameDistribution:
    """P values of two groups being distributed alike over the same categories.

    Parameters
    ----------
    counts1, counts0
        Members of each group by category; the categories are the same, in the same order.
    draws
        Permutations of who is in which group, with both groups' sizes and all categories' kept.
    seed
        The plan's; the same seed gives the same p value.
    groupings
        Labels, one per category, under which categories are counted together: each is a test on
        the same permutations. Without any, the categories themselves are the one test.

    Returns
    -------
    SameDistribution
        The p value of all tests together is that of the smallest one, among the smallest ones of
        the permutations: many tests of the same members do not make a change out of none.

    Raises
    ------
    ParameterError
        If counts are no counts, or not as many in both groups.

    References
    ----------
    The statistic is G: Sokal and Rohlf (1995), Biometry, chapter 17. Permutations with fixed margins:
    Patefield (1981), Appl. Stat. 30, 91-97. The smallest p value: Westfall et al. (1993),
    Resampling-Based Multiple Testing, chapter 2.

    Examples
    --------
    >>> same_distribution([30, 10], [10, 30], draws=200, seed=1).p_value < 0.01
    True
    >>> same_distribution([20, 20], [21, 19], draws=200, seed=1).p_value > 0.5
    True
    """
    ones, zeros = (checked_counts(each).astype(np.int64) for each in (counts1, counts0))
    if ones.shape != zeros.shape:
        raise ParameterError("same_distribution: both groups need a count of each category.")
    tests = dict(groupings or {"": np.arange(ones.size)})
    totals = ones + zeros
    if not ones.sum() or not zeros.sum():
        return SameDistribution(1.0, dict.fromkeys(tests, 1.0))
    codes = {name: np.unique(np.asarray(labels), return_inverse=True)[1].ravel()
             for name, labels in tests.items()}  # fmt: skip
    random = np.random.default_rng(seed)
    drawn = {name: [_statistic(ones[None, :], totals, code)] for name, code in codes.items()}
    at_once = max(1, _CELLS_AT_ONCE // ones.size)
    for start in range(0, draws, at_once):
        permuted = random.multivariate_hypergeometric(
            totals, ones.sum(), size=min(at_once, draws - start), method="marginals"
        )
        for name, code in codes.items():
            drawn[name].append(_statistic(permuted, totals, code))
    ranks = {name: _ranks(np.concatenate(each)) for name, each in drawn.items()}
    smallest = np.min(list(ranks.values()), axis=0)
    return SameDistribution(
        float((smallest <= smallest[0]).mean()),
        {name: float(each[0]) for name, each in ranks.items()},
    )


def _statistic(
    ones: NDArray[np.int64], totals: NDArray[np.int64], codes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """G of each row of `ones`, categories counted together by their codes."""
    n_labels = codes.max() + 1
    columns = np.bincount(codes, totals, n_labels)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(n_labels))
    inside = np.add.reduceat(ones[:, order], starts, axis=1).astype(float)
    share = inside.sum(axis=1, keepdims=True) / totals.sum()
    g = np.zeros(len(ones))
    for observed, part in ((inside, share), (columns - inside, 1 - share)):
        expected = columns * part
        ratio = np.divide(
            observed, expected, out=np.ones_like(observed), where=(observed > 0) & (expected > 0)
        )
        g += 2 * (observed * np.log(ratio)).sum(axis=1)
    return np.round(g, 9)


def _ranks(statistics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of all draws, the observed one among them, that are at least as large as each."""
    ordered = np.sort(statistics)
    return (len(ordered) - np.searchsorted(ordered, statistics, side="left")) / len(ordered)
