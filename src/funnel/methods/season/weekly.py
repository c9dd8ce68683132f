"""Weekly totals on a smooth season of the year, a random-walk level, steps and yearly peaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from funnel.methods.season.grid_regression import DRAWS, GridFit, fit_grid
from funnel.methods.season.monthly import SHRINKS

N_HARMONICS = 14
HARMONIC_PRIOR = np.repeat(1 / np.arange(1, N_HARMONICS + 1) ** 2, 2)
WALKS = np.concatenate([[0.0], 10.0 ** np.arange(-3.5, 0.51, 0.5)])
STEP_FACTOR = 6.0  # log Bayes factor, above log(150) for as many weeks that a step could begin in
_STEP_SIZE = 0.5  # log units, prior standard deviation of a step
_EDGE = 8  # weeks at each end in which a step and the level are hard to separate
_FEWEST_WEEKS = 100
_MOST_STEPS = 2
_MOST_PEAKS = 4
_PEAK_DAYS = (7, 14, 21)
_STARTS = np.arange(0, 365 - _PEAK_DAYS[0], 7)  # days of the year that a peak may begin with
_EXACT = 1e-6  # noise below which a fit is exact, and no step is looked for
_EVERY = 2  # of the walks that a step is weighed against
_YEAR = 365.2425
_WEEK = 7


def harmonics(days: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Sines and cosines of days' place in the year.

    Returns
    -------
    ndarray
        Shape (days, 28): sine and cosine of 1 to 14 rounds a year; their prior variances,
        relative, are `HARMONIC_PRIOR`.

    Examples
    --------
    >>> harmonics(pd.DatetimeIndex(["2026-01-01"]))[0, :4].round(2).tolist()
    [0.01, 1.0, 0.02, 1.0]
    """
    place = days.day_of_year.to_numpy() - 0.5
    length = np.where(days.is_leap_year, 366.0, 365.0)
    angle = 2 * np.pi * np.outer(place / length, np.arange(1, N_HARMONICS + 1))
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(len(days), -1)


def week_season(mondays: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Mean harmonics of the days of weeks, shape (weeks, 28)."""
    return _of_weeks(mondays, harmonics)


def _of_weeks(
    mondays: pd.DatetimeIndex, of_days: Callable[[pd.DatetimeIndex], NDArray]
) -> NDArray[np.float64]:
    """Mean of columns of days over the days of weeks."""
    days = mondays.repeat(_WEEK) + pd.to_timedelta(np.tile(np.arange(_WEEK), len(mondays)), "D")
    return of_days(days).reshape(len(mondays), _WEEK, -1).mean(axis=1)


def fit_weeks(
    log_level: ArrayLike,
    mondays: pd.DatetimeIndex,
    columns: ArrayLike | None = None,
    *,
    noise: ArrayLike | None = None,
    coarse: bool = False,
    seed: int = 0,
    n_draws: int = DRAWS,
) -> GridFit:
    """Fit of log weekly totals on columns, the season of the year, and a random-walk level.

    Parameters
    ----------
    log_level
        Log of each week's total over its exposure, finite.
    mondays
        The weeks, increasing; gaps are allowed.
    columns
        Further columns, shape (weeks, p), without a prior: weeks of a promotion, weeks after it,
        log of a control. Level and drift are always there.
    noise
        Relative variances of the noise, such as one over what is expected of each week.
    coarse
        Whether every third walk and every second prior variance will do, for a first fit.
    seed, n_draws
        Of the draws.

    Returns
    -------
    GridFit
        Its coefficients are level, drift (per year), those of `columns` in their order, then the 28
        of `week_season`.

    Raises
    ------
    InseparableError
        If a column is a combination of others, or as many columns as weeks are given.

    Notes
    -----
    The season is fourteen harmonics shrunken towards none with prior variance tau / k^2, tau from
    0.1 to 1000 of the noise's variance; the level's walk q is 0 and 10^-3.5 to 10^0.5.

    References
    ----------
    Durbin and Koopman (2012), Time Series Analysis by State Space Methods, section 3.2.

    Examples
    --------
    >>> weeks = pd.date_range("2023-01-02", periods=150, freq="7D")
    >>> promo = np.isin(np.arange(150), [80, 81])
    >>> fit = fit_weeks(5 + 0.2 * promo, weeks, promo[:, None])
    >>> round(float(np.median(fit.of([0, 0, 1]))), 3)
    0.2
    """
    at = ((mondays - mondays[0]) / pd.Timedelta(days=_WEEK)).to_numpy(float)
    drift = (at - at.mean()) * _WEEK / _YEAR
    fixed = [np.ones(len(at)), drift]
    if columns is not None:
        fixed.append(np.asarray(columns, dtype=float))
    return fit_grid(
        log_level,
        np.column_stack(fixed),
        at,
        walks=WALKS[::3] if coarse else WALKS,
        shrunk=week_season(mondays),
        prior=HARMONIC_PRIOR,
        shrinks=SHRINKS[::2] if coarse else SHRINKS,
        noise=noise,
        seed=seed,
        n_draws=n_draws,
    )


Peak = tuple[int, int]  # day of the year that it begins with, from 0, and its days


def peak_columns(days: pd.DatetimeIndex, peaks: Sequence[Peak]) -> NDArray[np.float64]:
    """Whether days lie in each of the yearly peaks, shape (days, peaks).

    Examples
    --------
    >>> peak_columns(pd.DatetimeIndex(["2025-01-08", "2026-01-02"]), [(0, 7), (7, 7)]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    place = days.day_of_year.to_numpy()[:, None] - 1
    start, length = np.array(peaks, dtype=int).reshape(-1, 2).T
    return ((place >= start) & (place < start + length)).astype(float)


def find_steps(
    log_level: NDArray[np.float64],
    mondays: pd.DatetimeIndex,
    noise: NDArray | None = None,
    *,
    seed: int = 0,
) -> tuple[GridFit, NDArray[np.int64], tuple[Peak, ...]]:
    """Fit of weeks with a column for each step of the level and for each yearly peak.

    Parameters
    ----------
    log_level, mondays, noise, seed
        As in `fit_weeks`.

    Returns
    -------
    GridFit, ndarray, tuple
        The fit with a column for each step and then for each peak; the steps: the week's number
        each begins with; and the peaks: one to three weeks that stand out in most years, such as
        those of a fair, which the smooth season would level out.

    Notes
    -----
    For each week, a step that begins with it, of standard deviation 0.5, is weighed against no step
    by its Bayes factor, averaged over the variance of the walk (a large walk needs no step), and so
    is a peak in each week of the year. The best one gets a column if its factor is above exp(6),
    and the search is repeated, for at most two steps and four peaks.

    References
    ----------
    Kass and Raftery (1995), J. Am. Stat. Assoc. 90, 773-795.
    """
    fit = fit_weeks(log_level, mondays, noise=noise, seed=seed)
    if len(log_level) < _FEWEST_WEEKS or fit.scale < _EXACT:
        return fit, np.array([], dtype=np.int64), ()
    steps: list[int] = []
    peaks: list[int] = []
    after = np.tri(len(log_level))[:, _EDGE:-_EDGE]
    n_steps = after.shape[1]
    every = [(int(start), length) for length in _PEAK_DAYS for start in _STARTS]
    candidates = np.hstack([after, _of_weeks(mondays, lambda days: peak_columns(days, every))])
    while True:
        factors = _log_factors(fit, log_level, candidates)
        if len(steps) >= _MOST_STEPS:
            factors[:n_steps] = -np.inf
        if len(peaks) >= _MOST_PEAKS:
            factors[n_steps:] = -np.inf
        best = int(np.argmax(factors))
        if factors[best] < STEP_FACTOR:
            break
        (steps if best < n_steps else peaks).append(best)
        fit = fit_weeks(log_level, mondays, candidates[:, steps + peaks], noise=noise, seed=seed)
    at = np.array(steps, dtype=np.int64) + _EDGE
    return fit, at, tuple(every[best - n_steps] for best in peaks)


def _log_factors(fit: GridFit, log_level: NDArray, after: NDArray) -> NDArray[np.float64]:
    """Log Bayes factor of each step against none, at the likeliest prior of the season."""
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
        wide = _STEP_SIZE**2 / cells.variance[cell]
        taken = np.minimum(with_y**2 / (step + 1 / wide) / rss, 1 - 1e-9)
        logs.append(-0.5 * np.log1p(wide * step) - 0.5 * fit.degrees * np.log1p(-taken))
    return logsumexp(np.array(logs) + prior[:, None], axis=0) - logsumexp(prior)
