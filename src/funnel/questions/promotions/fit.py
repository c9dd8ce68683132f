"""What a promotion's weeks brought above the usual, and the weeks around it below."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from funnel.methods.season.grid import GridFit, fit_grid
from funnel.methods.season.weekly import HARMONIC_PRIOR, week_season
from funnel.questions.promotions.weeks import Weeks

WALKS = (0.0, 1e-3, 1e-2, 10**-1.5, 1e-1, 1.0)
SHRINKS = (0.1, 1.0, 10.0, 100.0)
DRAWS = 2000
HALF = 0.5  # of one event, added before the logarithm, so that a week with none has one
DISCREPANCY = 0.02  # log units, standard deviation: what the days' worth leaves unsaid of a span
_YEAR_WEEKS = 365.2425 / 7
_SPANS = ("during", "before", "after")


@dataclass(frozen=True, eq=False)
class Estimate:
    """What is above the usual in a promotion's weeks, what is below it around them.

    `effect` and `pull_forward` hold the estimate and then its draws, in units of the series;
    `log_effect` and `log_error` (standard error) are per week of the promotion. `n_weeks` is how
    many weeks outside it the fit rests on. Where no week of a span was seen, nothing is taken for
    it, and `seen` says so. `usual` is what would be in each of the
    weeks `touched` by one of its spans.
    """

    log_effect: float
    log_error: float
    effect: NDArray[np.float64]
    pull_forward: NDArray[np.float64]
    usual: NDArray[np.float64]
    touched: NDArray[np.bool_]
    seen: dict[str, float]
    n_weeks: int

    @property
    def net(self) -> NDArray[np.float64]:
        """Effect less pull-forward; the first entry is the estimate, the others are draws."""
        return self.effect - self.pull_forward


def log_level(total: NDArray, exposure: NDArray, size: float = 1.0) -> NDArray[np.float64]:
    """Take the logarithm of what weeks brought per unit of exposure; `size` is that of one event.

    Examples
    --------
    >>> log_level(np.array([0.0]), np.array([1.0])).round(3).tolist()
    [-0.693]
    """
    return np.log((np.maximum(total, 0.0) + HALF * size) / exposure)


def estimate(
    weeks: Weeks,
    control: NDArray | None = None,
    *,
    size: float = 1.0,
    seed: int = 0,
    n_draws: int = DRAWS,
) -> Estimate:
    """Fit the weeks of a series, those of a promotion having columns of their own.

    Parameters
    ----------
    weeks
        With at least one week of the promotion.
    control
        Log level of a control in the same weeks.
    size
        Of one event, in units of the series.
    seed, n_draws
        Of the draws.

    Raises
    ------
    ParameterError
        If the promotion's weeks cannot be told apart from others.

    Notes
    -----
    Columns: level, drift, weeks during, before and after, other promotions in those weeks, and the
    log of the control; shrunken: the season of the year, and what the days' worth leaves of the
    quarter's last and first days. In a week of which the promotion has a part, the log effect is
    taken in proportion.
    """
    y = log_level(weeks.total, weeks.exposure, size)
    at = ((weeks.starts - weeks.starts[0]).days / 7.0).to_numpy(float)
    columns = [np.ones(at.size), (at - at.mean()) / _YEAR_WEEKS]
    shares = {}
    for name in _SPANS:
        share = getattr(weeks, name)
        if share.any():
            shares[name] = len(columns), share / share.max()
            columns.append(shares[name][1])
    if weeks.other.any():
        columns.append(weeks.other)
    if control is not None:
        columns.append(control - control.mean())
    season = week_season(weeks.starts)
    fit = fit_grid(
        y,
        np.column_stack(columns),
        at,
        walks=WALKS,
        shrunk=np.column_stack([season, weeks.quarter]),
        prior=np.concatenate([HARMONIC_PRIOR, np.ones(weeks.quarter.shape[1])]),
        shrinks=SHRINKS,
        seed=seed,
        n_draws=n_draws,
    )
    return _in_units(weeks, fit, shares, size, seed)


def _in_units(
    weeks: Weeks,
    fit: GridFit,
    shares: dict[str, tuple[int, NDArray[np.float64]]],
    size: float,
    seed: int,
) -> Estimate:
    """Turn log effects into units: what came, less what would be usual; estimate, then draws."""
    random = np.random.default_rng(seed)
    in_promo = weeks.during > 0
    touched = ~weeks.is_outside
    log_factor = np.zeros((1 + len(fit.draws), int(touched.sum())))
    for column, share in shares.values():
        off = DISCREPANCY * random.standard_normal(len(fit.draws))
        effects = np.concatenate([[fit.mean[column]], fit.draws[:, column] + off])
        log_factor += np.outer(effects, share[touched])
    factors = np.exp(-log_factor)  # of what came, so that it becomes the usual
    gap = (np.maximum(weeks.total[touched], 0.0) + HALF * size) * (1 - factors)
    is_promo = in_promo[touched]
    column = shares["during"][0]
    return Estimate(
        log_effect=float(fit.mean[column]),
        log_error=float(np.hypot(np.sqrt(fit.covariance[column, column]), DISCREPANCY)),
        effect=gap[:, is_promo].sum(axis=1),
        pull_forward=-gap[:, ~is_promo].sum(axis=1),
        usual=weeks.total[touched] - gap,
        touched=touched,
        seen={name: float(getattr(weeks, name).sum()) for name in _SPANS},
        n_weeks=int(weeks.is_outside.sum()),
    )


def is_told_apart(weeks: Weeks) -> bool:
    """Say whether weeks of the promotion are free of the others that run beside it."""
    free = np.where(weeks.other == 0, weeks.during, 0.0)
    return bool(free.sum() >= 1 or not weeks.other[weeks.during > 0].any())
