"""Regression with a random-walk level and shrunken columns, averaged over a grid of variances.

The season by month and by week and the effect of a promotion are fitted by it. Neither the variance
of the walk nor that of the prior is plugged in: each value is weighted by restricted likelihood.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnel.contract.errors import ParameterError

DRAWS = 2000
SMALL = 20  # a median count below this is modelled as a count, not by its logarithm
_TINY = 1e-12  # of the sum of squares, below which a fit is exact
_ROUNDS = 4
_FARTHEST = 4.0  # log units that a level may lie from the mean one
_PULL = 0.25  # of the mean, added for the first working level


class InseparableError(ParameterError):
    """Columns of a regression that its observations cannot separate."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Fits of a grid, one per (q, tau): estimates, roots of their covariance, weights."""

    solution: NDArray[np.float64]
    root: NDArray[np.float64]
    variance: NDArray[np.float64]
    weights: NDArray[np.float64]
    columns: NDArray[np.float64]  # in the eigenbasis of the walk
    spread: NDArray[np.float64]
    back: NDArray[np.float64]
    n_shrinks: int


@dataclass(frozen=True, eq=False)
class GridFit:
    """Coefficients of a regression, as draws from their distribution given the data.

    `draws` has shape (draws, fixed + shrunk columns), in the order given; `mean` and `covariance`
    are those of the same mixture, exact rather than drawn. `degrees` of freedom; `log_likelihood`
    is the restricted one, averaged over the grid, and compares fits with the same fixed columns;
    `walking` is the mean share q of the walk, `shrinking` the mean prior variance tau, both over
    the noise's variance; `scale` is the noise's mean standard deviation. `fitted` is the
    fitted value of each observation, its level included; `drawn_from` is each draw's cell.
    """

    draws: NDArray[np.float64]
    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]
    degrees: int
    log_likelihood: float
    walking: float
    shrinking: float
    scale: float
    fitted: NDArray[np.float64]
    cells: Cells
    drawn_from: NDArray[np.int64]

    def of(self, combination: ArrayLike) -> NDArray[np.float64]:
        """Draws of linear combinations of the coefficients.

        Parameters
        ----------
        combination
            Shape (columns,) or (combinations, columns); fixed columns first. Missing shrunken
            columns count 0.

        Returns
        -------
        ndarray
            Shape (draws,) or (draws, combinations).
        """
        wanted = np.asarray(combination, dtype=float)
        return self.draws[:, : wanted.shape[-1]] @ wanted.T

    def weights_of(self, combination: ArrayLike) -> NDArray[np.float64]:
        """Weight of each observation in the estimate of a combination, shape (n,)."""
        wanted = np.asarray(combination, dtype=float)
        cells = self.cells
        solved = np.swapaxes(cells.root, 1, 2) @ (cells.root @ wanted)[..., None]
        per_cell = (cells.columns @ solved)[..., 0] / cells.spread
        return cells.back @ (cells.weights @ per_cell)

    def p_value(self, columns: ArrayLike) -> float:
        """P-value of "these fixed columns have no coefficient": F tests, weighted over the grid."""
        from scipy.special import fdtrc

        which = np.asarray(columns)
        root = self.cells.root[:, :, which]
        covariance = np.swapaxes(root, 1, 2) @ root
        effect = self.cells.solution[:, which]
        solved = np.linalg.solve(covariance, effect[..., None])[..., 0]
        statistic = (effect * solved).sum(axis=1) / which.size / self.cells.variance
        return float(self.cells.weights @ fdtrc(which.size, self.degrees, statistic))


def fit_grid(
    y: ArrayLike,
    fixed: ArrayLike,
    at: ArrayLike,
    *,
    walks: ArrayLike,
    shrunk: ArrayLike | None = None,
    prior: ArrayLike | None = None,
    shrinks: ArrayLike = (1.0,),
    noise: ArrayLike | None = None,
    seed: int = 0,
    n_draws: int = DRAWS,
) -> GridFit:
    """Fit of `y = fixed b + shrunk u + error` over a grid of walks and prior variances.

    Parameters
    ----------
    y
        Shape (n,), finite.
    fixed
        Shape (n, p), of full column rank, p < n: columns without a prior, the level among them.
    at
        Times of `y`, increasing; gaps are allowed.
    walks
        Values of q, the variance of the level's step from one time to the next over the noise's.
    shrunk, prior
        Columns with a prior, shape (n, k), and their relative prior variances, shape (k,).
    shrinks
        Values of tau, which multiply `prior`, over the noise's variance.
    noise
        Relative variances of the noise, shape (n,); default: all alike.
    seed
        Of the draws.
    n_draws
        How many.

    Raises
    ------
    InseparableError
        If a column is a combination of others, or as many columns as observations are given.

    Notes
    -----
    The error has covariance `s^2 (N + q min(i, j))`, N the noise and the second part a random walk,
    and u has `s^2 tau diag(prior)`. In the eigenbasis of the walk every q is a diagonal, so that
    one rotation serves the whole grid; Henderson's equations then give, per (q, tau), estimates,
    covariance and the restricted likelihood at once. Given (q, tau), coefficients follow a t
    distribution with n - p degrees of freedom; cells are drawn in proportion to their likelihood.

    References
    ----------
    Harville (1977), J. Am. Stat. Assoc. 72, 320-338; Henderson (1975), Biometrics 31, 423-447.

    Examples
    --------
    >>> x = np.column_stack([np.ones(40), np.arange(40) >= 20])
    >>> fit = fit_grid(3.0 + 0.5 * x[:, 1], x, range(40), walks=(0.0,))
    >>> fit.mean.round(6).tolist()
    [3.0, 0.5]
    """
    y, fixed, at = (np.asarray(each, dtype=float) for each in (y, fixed, at))
    n, p = fixed.shape
    random_columns = np.zeros((n, 0)) if shrunk is None else np.asarray(shrunk, dtype=float)
    prior = np.ones(random_columns.shape[1]) if prior is None else np.asarray(prior, dtype=float)
    if n <= p or np.linalg.matrix_rank(fixed) < p:
        raise InseparableError(
            f"{p} columns cannot be separated in {n} observations: one is a combination of the "
            "others, or there are too few observations."
        )
    root = np.ones(n) if noise is None else 1 / np.sqrt(np.asarray(noise, dtype=float))
    values, vectors = _walk(at.tobytes(), root.tobytes())
    rotated = vectors.T @ (root[:, None] * np.column_stack([fixed, random_columns, y]))
    q = np.asarray(walks, dtype=float)
    tau = np.asarray(shrinks if prior.size else (1.0,), dtype=float)
    spread = 1 + np.outer(q, values)  # (walks, n)
    cross = np.einsum("ni,qn,nj->qij", rotated, 1 / spread, rotated, optimize=True)
    left = np.repeat(cross[:, None, :-1, :-1], tau.size, axis=1)
    ridge = np.arange(p, p + prior.size)
    left[:, :, ridge, ridge] += 1 / np.outer(tau, prior)
    lower = np.linalg.cholesky(left)
    right_side = np.broadcast_to(cross[:, None, :-1, -1:], (*left.shape[:-1], 1))
    inverse = np.linalg.inv(lower)
    half = inverse @ right_side
    solution = (np.swapaxes(inverse, -1, -2) @ half)[..., 0]
    total = cross[:, None, -1, -1]
    rss = np.maximum(total - (half[..., 0] ** 2).sum(axis=-1), _TINY * max(float(y @ y), 1e-300))
    degrees = n - p
    score = -0.5 * (
        np.log(spread).sum(axis=1)[:, None]
        + np.log(np.outer(tau, prior)).sum(axis=1)
        + 2 * np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(axis=-1)
        + degrees * np.log(rss)
    )
    flat = score.ravel()
    weights = np.exp(flat - flat.max())
    evidence = float(flat.max() + np.log(weights.mean()))
    weights /= weights.sum()
    solution, inverse = solution.reshape(flat.size, -1), inverse.reshape(flat.size, *left.shape[2:])
    variance = rss.ravel() / degrees
    spread = np.repeat(spread, tau.size, axis=0)
    back = root[:, None] * vectors
    cells = Cells(solution, inverse, variance, weights, rotated[:, :-1], spread, back, tau.size)
    draws, drawn_from = _draws_of(cells, degrees, seed, n_draws)
    mean = weights @ solution
    widened = weights * variance * (degrees / max(degrees - 2, 1))
    covariance = np.einsum("c,cki,ckj->ij", widened, inverse, inverse, optimize=True)
    off = solution - mean
    covariance += (off * weights[:, None]).T @ off
    per_cell = weights.reshape(score.shape)
    residual = rotated[:, -1] - solution @ rotated[:, :-1].T
    noise_part = vectors @ (weights @ (residual / spread)) / root
    return GridFit(
        draws=draws,
        mean=mean,
        covariance=covariance,
        degrees=degrees,
        log_likelihood=evidence,
        walking=float(per_cell.sum(axis=1) @ q),
        shrinking=float(per_cell.sum(axis=0) @ tau),
        scale=float(np.sqrt(weights @ variance)),
        fitted=y - noise_part,
        cells=cells,
        drawn_from=drawn_from,
    )


@functools.lru_cache(maxsize=64)
def _walk(at: bytes, root: bytes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues and vectors of a random walk at these times, in units of the noise."""
    from scipy.linalg import eigh_tridiagonal

    times, scale = np.frombuffer(at), np.frombuffer(root)
    if times.size == 1:
        return np.array([scale[0] ** 2]), np.eye(1)
    # a walk's inverse covariance is tridiagonal, and so is fast to decompose
    apart = 1 / np.diff(times, prepend=times[0] - 1)
    main = (apart + np.append(apart[1:], 0.0)) / scale**2
    off_diagonal = -apart[1:] / (scale[1:] * scale[:-1])
    inverse, vectors = eigh_tridiagonal(main, off_diagonal)
    return 1 / np.maximum(inverse, 1e-12), vectors


def _draws_of(cells: Cells, degrees: int, seed: int, n_draws: int) -> tuple[NDArray, NDArray]:
    """Draws from the mixture of t distributions, one per cell of the grid."""
    random = np.random.default_rng(seed)
    many = random.multinomial(n_draws, cells.weights)
    normal = random.standard_normal((n_draws, cells.solution.shape[1]))
    stretch = np.sqrt(degrees / random.chisquare(degrees, n_draws))
    ends = np.cumsum(many)
    drawn = np.empty_like(normal)
    for cell in np.flatnonzero(many):
        which = slice(ends[cell] - many[cell], ends[cell])
        spread = stretch[which, None] * np.sqrt(cells.variance[cell])
        drawn[which] = cells.solution[cell] + spread * (normal[which] @ cells.root[cell])
    return drawn, np.repeat(np.arange(many.size), many)


def are_small(totals: NDArray[np.float64]) -> bool:
    """Whether totals are counts too small for logarithms, or some are 0.

    Examples
    --------
    >>> are_small(np.array([200.0, 180.0])), are_small(np.array([200.0, 0.0]))
    (False, True)
    """
    if not totals.size:
        return False
    is_count = bool((totals == np.round(totals)).all())
    return bool((totals <= 0).any() or (is_count and np.median(totals) < SMALL))


def working_levels(
    totals: NDArray[np.float64],
    exposure: NDArray[np.float64],
    fitted: Callable[[NDArray, NDArray], NDArray],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Working log levels of small totals, with their relative noise.

    Parameters
    ----------
    totals
        Counts or amounts, 0 included; not all 0.
    exposure
        Exposure of each, above 0.
    fitted
        Fitted log level for a log level and its relative noise.

    Notes
    -----
    Penalised quasi-likelihood: around a fit of mean mu, the working level `log(mu) + (y - mu) / mu`
    has a variance in proportion to 1 / mu. The fit may hold the level and no season: then its test
    is a score test.

    References
    ----------
    Breslow and Clayton (1993), J. Am. Stat. Assoc. 88, 9-25.

    Examples
    --------
    >>> level, noise = working_levels(
    ...     np.array([0.0, 2.0]), np.ones(2), lambda level, noise: np.zeros(2)
    ... )
    >>> level.tolist(), noise.tolist()
    ([-1.0, 1.0], [1.0, 1.0])
    """
    mean = totals.sum() / exposure.sum()
    level = np.log((np.maximum(totals, 0.0) + _PULL * mean * exposure) / (1 + _PULL) / exposure)
    noise = exposure.mean() / exposure
    for _ in range(_ROUNDS):
        centre = np.clip(fitted(level, noise), np.log(mean) - _FARTHEST, np.log(mean) + _FARTHEST)
        expected = np.exp(centre) * exposure
        level = centre + (totals - expected) / expected
        noise = 1 / expected
        noise = noise / noise.mean()
    return level, noise
