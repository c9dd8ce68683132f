"""Least squares and log-odds, with the errors of their coefficients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_PRIOR = 2.5  # sd of a log-odds that is thought likely beforehand; keeps rare ones finite


def linear(features: Floats, values: Floats) -> tuple[Floats, Floats, float]:
    """Fit values by least squares: coefficients, their errors, and the share accounted for.

    Errors allow for spread that differs from lead to lead (White 1980).

    Examples
    --------
    >>> x = np.array([[-1.0], [0.0], [1.0]])
    >>> beta, error, share = linear(x, np.array([2.0, 4.0, 6.0]))
    >>> round(float(beta[0]), 6), round(share, 6)
    (2.0, 1.0)
    """
    centred = values - values.mean()
    inverse = np.linalg.pinv(features.T @ features)
    beta = inverse @ (features.T @ centred)
    rest = centred - features @ beta
    meat = (features * rest[:, None] ** 2).T @ features
    freedom = max(len(values) - features.shape[1] - 1, 1)
    error = np.sqrt(np.maximum(np.diag(inverse @ meat @ inverse), 0) * len(values) / freedom)
    total = float((centred**2).sum())
    return beta, error, 1 - float((rest**2).sum()) / total if total else float("nan")


def logistic(features: Floats, won: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Fit log-odds of a win, each coefficient thought beforehand to be about 0, sd 2.5 sd units.

    Examples
    --------
    >>> beta, error = logistic(np.repeat([[-0.5], [0.5]], 200, axis=0),
    ...                        np.r_[np.arange(200) < 50, np.arange(200) < 100])
    >>> round(float(beta[0]), 1), round(float(error[0]), 1)
    (1.1, 0.2)
    """
    spread = features.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(won)), features / spread])
    # about 0 with sd 2.5 where a column has a spread of a half, as in the source
    penalty = np.r_[0.0, np.full(features.shape[1], 1 / (2 * _PRIOR) ** 2)]
    beta = np.zeros(design.shape[1])
    beta[0] = np.log((won.mean() + 1e-9) / (1 - won.mean() + 1e-9))
    for _ in range(50):
        chance = 1 / (1 + np.exp(-np.clip(design @ beta, -30, 30)))
        slope = design.T @ (won - chance) - penalty * beta
        bend = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(penalty + 1e-9)
        step = np.linalg.solve(bend, slope)
        beta = beta + step / max(1.0, float(np.abs(step).max()) / 5)
        if np.abs(step).max() < 1e-8:
            break
    error = np.sqrt(np.diag(np.linalg.inv(bend)))
    return beta[1:] / spread, error[1:] / spread
