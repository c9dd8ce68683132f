"""The season by month of the year, with its uncertainty, from earlier months only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from funnel.methods.season.grid_regression import DRAWS, GridFit, InseparableError, fit_grid

MOST_MONTHS = 60
FEWEST_MONTHS = 16
FEW_DEGREES = 8  # of freedom, below which hardly more than one earlier year is behind it
SEASON_LEVEL = 0.01  # p-value below which a season is claimed, and a change of it
WALKS = np.concatenate([[0.0], 10.0 ** np.arange(-3, 1.6, 0.5)])
SHRINKS = 10.0 ** np.arange(-1, 4)
YEARLY = 10.0 ** np.arange(-2, 1.1, 0.5)  # of a month's own step from year to year, over the noise
FEWEST_TO_SHIFT = 36  # months, three of each, that a change of their effects needs
_IN_YEAR = 12


@dataclass(frozen=True, eq=False)
class MonthEffects:
    """Month-of-year effects on the log scale: draws of shape (draws, 12), each of mean 0.

    `mean` of shape (12,), `degrees` of freedom left, `p_value` of "no month differs", `n_months`
    used, and `fit`, whose columns `columns` (12, columns) turns into effects. It was
    made from `log_level` with relative `noise`, around the month `middle`.
    """

    draws: NDArray[np.float64]
    mean: NDArray[np.float64]
    degrees: int
    p_value: float
    n_months: int
    fit: GridFit
    columns: NDArray[np.float64]
    log_level: NDArray[np.float64]
    noise: NDArray[np.float64]
    middle: float

    def design(self, at: NDArray[np.int64]) -> NDArray[np.float64]:
        """Columns of the fit for months, past or to come; without further ones."""
        time = (at - self.middle) / _IN_YEAR
        return np.column_stack([np.ones(at.size), time, self.columns[at % _IN_YEAR, 2:]])

    def weights_of(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weight of each month in a mean of effects; `shares` has shape (12,)."""
        return self.fit.weights_of(np.nan_to_num(shares @ np.nan_to_num(self.columns)))


def fit_month_effects(
    log_level: ArrayLike,
    at: ArrayLike,
    *,
    seed: int,
    columns: ArrayLike | None = None,
    noise: ArrayLike | None = None,
    shrink: bool = False,
    n_draws: int = DRAWS,
) -> MonthEffects:
    """Effects of the months of the year, beside a drift and a random-walk level.

    Parameters
    ----------
    log_level
        Log of each month's total over its exposure; finite.
    at
        Months since year 0 (12 * year + month - 1), increasing; gaps are allowed.
    seed, n_draws
        Of the draws.
    columns
        Further columns, shape (months, p), such as a step of the level.
    noise
        Relative variances of the noise.
    shrink
        Whether effects have a prior around none, where counts are too low to stand alone.

    Returns
    -------
    MonthEffects
        With a month of the year that never occurs, its effect is missing.

    Notes
    -----
    Generalised least squares on eleven month effects, level and drift, the error being noise plus
    a random walk of q times its variance: `sigma = I + q min(i, j)`. No single q is plugged in:
    0 and 10^-3 to 10^1.5 by half decades are weighted by their restricted likelihood, and draws
    are taken from the mixture of t distributions.

    References
    ----------
    Harville (1977), J. Am. Stat. Assoc. 72, 320-338; Harvey (1989), Forecasting, Structural Time
    Series Models and the Kalman Filter, chapter 2.
    """
    at = np.asarray(at)
    present = np.unique(at % _IN_YEAR)
    # each effect but the last is a column of its own; the last is what makes their sum 0
    effects = np.full((_IN_YEAR, present.size - 1), np.nan)
    effects[present] = np.vstack([np.eye(present.size - 1), -np.ones(present.size - 1)])
    time = (at - at.mean()) / _IN_YEAR
    others = [np.ones(at.size), time]
    if columns is not None:
        others.append(np.asarray(columns, dtype=float).reshape(at.size, -1))
    other = np.column_stack(others)
    common = {"at": at, "walks": WALKS, "noise": noise, "seed": seed, "n_draws": n_draws}
    fit = fit_grid(log_level, np.column_stack([other, effects[at % _IN_YEAR]]), **common)
    n_other = other.shape[1]
    p_value = fit.p_value(np.arange(n_other, n_other + present.size - 1))
    if shrink:
        effects = np.full((_IN_YEAR, present.size), np.nan)
        effects[present] = np.eye(present.size) - 1 / present.size
        shrunk = {"shrunk": effects[at % _IN_YEAR], "shrinks": SHRINKS}
        fit = fit_grid(log_level, other, **common, **shrunk)
    columns_of_fit = np.hstack([np.zeros((_IN_YEAR, n_other)), effects])
    return MonthEffects(
        draws=fit.draws @ columns_of_fit.T,
        mean=columns_of_fit @ fit.mean,
        degrees=at.size - n_other - present.size + 1,
        p_value=p_value,
        n_months=at.size,
        fit=fit,
        columns=columns_of_fit,
        log_level=np.asarray(log_level, dtype=float),
        noise=np.ones(at.size) if noise is None else np.asarray(noise, dtype=float),
        middle=float(at.mean()),
    )


def season_change_p_value(effects: MonthEffects, at: ArrayLike) -> float:
    """P-value of a season that stands still against months that drift apart over the years.

    Parameters
    ----------
    effects
        The season, as fitted.
    at
        The months that it was fitted to.

    Returns
    -------
    float
        The p-value of "no month of the year moves against the others from year to year", an F test
        as that of the season itself; missing with fewer than 36 months, or where a month of the
        year was recorded too seldom to have a movement of its own.
    """
    at = np.asarray(at)
    if at.size < FEWEST_TO_SHIFT or np.unique(at % _IN_YEAR).size < _IN_YEAR:
        return float("nan")
    plain = _season_columns(at)
    fixed = np.column_stack([plain, plain[:, 1:2] * plain[:, 2:]])
    noise = effects.noise
    try:
        fit = fit_grid(effects.log_level, fixed, at, walks=WALKS, noise=noise, n_draws=0)
    except InseparableError:
        return float("nan")
    return fit.p_value(np.arange(fixed.shape[1] - _IN_YEAR + 1, fixed.shape[1]))


def yearly_change(effects: MonthEffects, at: ArrayLike) -> float:
    """Variance of a month's movement against the others from one year to the next.

    Parameters
    ----------
    effects
        The season, as fitted.
    at
        The months that it was fitted to.

    Returns
    -------
    float
        Variance of a month's step from year to year, in squared log units.

    Notes
    -----
    Each month of the year walks by a step a year, whose prior variance is weighted over a grid by
    restricted likelihood, beside noise and a random-walk level.
    """
    at = np.asarray(at)
    years = (at - at[0]) // _IN_YEAR
    steps = [
        ((at % _IN_YEAR == month) & (years >= year)).astype(float)
        for month in range(_IN_YEAR)
        for year in range(1, int(years[-1]) + 1)
    ]
    fit = fit_grid(
        effects.log_level, _season_columns(at), at, walks=WALKS, shrunk=np.column_stack(steps),
        shrinks=YEARLY, noise=effects.noise, n_draws=0,
    )  # fmt: skip
    cells = fit.cells
    tau = np.tile(YEARLY, len(WALKS))
    return float(cells.weights @ (tau * cells.variance))


def _season_columns(at: NDArray) -> NDArray[np.float64]:
    """Columns of a level, a drift and eleven contrasts of months of the year."""
    contrasts = np.vstack([np.eye(_IN_YEAR - 1), -np.ones(_IN_YEAR - 1)])[at % _IN_YEAR]
    return np.column_stack([np.ones(at.size), (at - at.mean()) / _IN_YEAR, contrasts])
