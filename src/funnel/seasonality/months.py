"""The usual season by month of year, with its uncertainty, from earlier months only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_MONTHS = 60
FEWEST_MONTHS = 16
FEW_DEGREES = 8
DRAWS = 2000
SURE = 0.01
_N_EFFECTS = 13  # level, eleven months, drift
_WANDERING = (0.0, *(10.0 ** (half / 2) for half in range(-6, 4)))


@dataclass(frozen=True, eq=False)
class MonthEffects:
    """Month-of-year effects on the log scale: draws of shape (draws, 12), each of mean 0.

    `degrees` of freedom left, `p_value` of "no month differs" and `n_months` used.
    """

    draws: NDArray[np.float64]
    degrees: int
    p_value: float
    n_months: int


def fit_month_effects(
    log_level: NDArray[np.float64], at: NDArray[np.int64], *, seed: int
) -> MonthEffects:
    """Estimate month effects beside a drift and a wandering level.

    Parameters
    ----------
    log_level
        Log of what each month brought per unit of exposure; finite.
    at
        Months since year 0 (12 * year + month - 1), increasing; gaps are allowed.
    seed
        Of the draws.

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
    from scipy.stats import f as f_distribution
    from statsmodels.regression.linear_model import GLS

    month = at % 12
    present = np.unique(month)
    contrasts = np.where(
        month[:, None] == present[-1], -1.0, (month[:, None] == present[:-1]).astype(float)
    )
    time = (at - at[0] + 1).astype(float)
    design = np.column_stack([np.ones(at.size), contrasts, time - time.mean()])
    degrees = at.size - design.shape[1]
    fits, scores = [], []
    for q in _WANDERING:
        sigma = np.eye(at.size) + q * np.minimum.outer(time, time)
        fit = GLS(log_level, design, sigma=sigma).fit()
        rss = max(fit.ssr, 1e-300)
        scores.append(
            -0.5 * np.linalg.slogdet(sigma)[1]
            + 0.5 * np.linalg.slogdet(fit.normalized_cov_params)[1]
            - 0.5 * degrees * np.log(rss)
        )
        fits.append(fit)
    weights = np.exp(np.array(scores) - max(scores))
    weights /= weights.sum()
    random = np.random.default_rng(seed)
    n_effects = present.size - 1
    which = slice(1, 1 + n_effects)
    drawn, p_values = [], []
    for fit, many in zip(fits, random.multinomial(DRAWS, weights), strict=True):
        cov = fit.normalized_cov_params[which, which]
        scale = fit.ssr / degrees
        effect = fit.params[which]
        statistic = effect @ np.linalg.solve(cov, effect) / n_effects / max(scale, 1e-300)
        p_values.append(f_distribution.sf(statistic, n_effects, degrees))
        if many:
            normal = random.standard_normal((many, n_effects)) @ np.linalg.cholesky(cov).T
            spread = np.sqrt(scale * degrees / random.chisquare(degrees, many))
            drawn.append(effect + spread[:, None] * normal)
    free = np.concatenate(drawn)
    draws = np.full((len(free), 12), np.nan)
    draws[:, present[:-1]] = free
    draws[:, present[-1]] = -free.sum(axis=1)
    return MonthEffects(draws, degrees, float(weights @ p_values), at.size)
