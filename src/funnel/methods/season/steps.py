"""A step of the level before the window, found and kept out of the season."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logsumexp

from funnel.methods.season.grid import GridFit
from funnel.methods.season.weekly import fit_weeks

SURE_STEP = 6.0  # log Bayes factor, above log(150) for as many weeks that it could begin in
_USUAL_STEP = 0.5  # log units, standard deviation of steps that are looked for
_EDGE = 8  # weeks at each end in which a step cannot be told from the level
_FEWEST = 100
_MOST_STEPS = 2
_EXACT = 1e-6  # noise below which there is nothing to tell a step from
_EVERY = 2  # of the walks that a step is weighed against


def find_steps(
    log_level: NDArray[np.float64],
    mondays: pd.DatetimeIndex,
    noise: NDArray | None = None,
    *,
    seed: int = 0,
) -> tuple[GridFit, NDArray[np.int64]]:
    """Find weeks from which the level is another, beyond what it wanders anyway.

    Parameters
    ----------
    log_level, mondays, noise, seed
        As in `fit_weeks`.

    Returns
    -------
    GridFit, ndarray
        The fit with a column for each step, and the steps: the week's number each begins with.

    Notes
    -----
    For each week, a step that begins with it, of standard deviation 0.5, is weighed against no step
    by its Bayes factor, averaged over how much the level wanders (a large walk needs no step). The
    best one is taken in above exp(6), and the search made again, for at most two.

    References
    ----------
    Kass and Raftery (1995), J. Am. Stat. Assoc. 90, 773-795.
    """
    found: list[int] = []
    fit = fit_weeks(log_level, mondays, noise=noise, seed=seed)
    if len(log_level) < _FEWEST or fit.scale < _EXACT:
        return fit, np.array([], dtype=np.int64)
    after = np.tri(len(log_level))[:, _EDGE:-_EDGE]
    while len(found) < _MOST_STEPS:
        factors = _log_factors(fit, log_level, after)
        best = int(np.argmax(factors))
        if factors[best] < SURE_STEP:
            break
        found.append(best + _EDGE)
        columns = np.tri(len(log_level))[:, found]
        fit = fit_weeks(log_level, mondays, columns, noise=noise, seed=seed)
    return fit, np.array(found, dtype=np.int64)


def _log_factors(fit: GridFit, log_level: NDArray, after: NDArray) -> NDArray[np.float64]:
    """Log Bayes factor of each step against none, at the likeliest shrinking of the season."""
    cells = fit.cells
    rotated = cells.back.T @ np.column_stack([after, log_level])
    likely = np.argmax(cells.weights) % cells.n_shrinks
    which = np.arange(likely, len(cells.weights), _EVERY * cells.n_shrinks)
    prior = np.log(np.maximum(cells.weights[which], 1e-300))
    logs = []
    for cell in which:
        weighted = rotated / cells.spread[cell][:, None]
        half = cells.root[cell] @ (cells.columns.T @ weighted)
        left = ((rotated * weighted).sum(axis=0) - (half**2).sum(axis=0))[:-1]
        with_y = weighted[:, :-1].T @ rotated[:, -1] - half[:, :-1].T @ half[:, -1]
        step, rss = np.maximum(left, 1e-9), cells.variance[cell] * fit.degrees
        wide = _USUAL_STEP**2 / cells.variance[cell]
        taken = np.minimum(with_y**2 / (step + 1 / wide) / rss, 1 - 1e-9)
        logs.append(-0.5 * np.log1p(wide * step) - 0.5 * fit.degrees * np.log1p(-taken))
    return logsumexp(np.array(logs) + prior[:, None], axis=0) - logsumexp(prior)
