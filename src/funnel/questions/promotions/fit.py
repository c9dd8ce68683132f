"""Fit of a promotion's weeks: effect, pull-forward and the expected level, with a control."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from funnel.methods.season.grid_regression import GridFit, fit_grid
from funnel.methods.season.weekly import HARMONIC_PRIOR, week_season
from funnel.questions.promotions.study import A_YEAR, Study
from funnel.questions.promotions.weeks import Weeks

WALKS = (0.0, 1e-3, 1e-2, 10**-1.5, 1e-1, 1.0)
SHRINKS = (0.1, 1.0, 10.0, 100.0)
DRAWS = 2000
HALF = 0.5  # of one event, added before the logarithm, so that a week with none has one
DISCREPANCY = 0.02  # log units, standard deviation, of a span beyond the weights of days
LEAK = 1.96  # standard errors by which a control may move in the promotion's weeks
MOST_MOVED = 0.1  # log units by which a control may have moved, at most, to be called still
MOST_DRIFT = 0.2  # log units a year by which a control may drift from the promoted rows
MOVED, DRIFTS = "moved", "drifts"  # why a control is not used
_YEAR_WEEKS = 365.2425 / 7
_SPANS = ("during", "before", "after")


@dataclass(frozen=True, eq=False)
class Estimate:
    """Effect of a promotion in its weeks, and the shortfall in the weeks around them.

    `effect` and `pull_forward` hold the estimate and then its draws, in units of the series;
    `log_effect` and `log_error` (standard error) are per week of the promotion. `n_weeks` is how
    many weeks outside it the fit rests on. `seen` counts the
    weeks of each span; a span without one has no column. `expected` is the expected level of each
    week `touched` by a span.
    """

    log_effect: float
    log_error: float
    effect: NDArray[np.float64]
    pull_forward: NDArray[np.float64]
    expected: NDArray[np.float64]
    touched: NDArray[np.bool_]
    seen: dict[str, float]
    n_weeks: int

    @property
    def net(self) -> NDArray[np.float64]:
        """Effect less pull-forward; the first entry is the estimate, the others are draws."""
        return self.effect - self.pull_forward


def log_level(total: NDArray, exposure: NDArray, size: float = 1.0) -> NDArray[np.float64]:
    """Log of weekly totals per unit of exposure; `size` is that of one event.

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
    """Estimate from the weeks of a series, with columns for those of the promotion.

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
        If the promotion's weeks cannot be separated from others.

    Notes
    -----
    Columns: level, drift, weeks during, before and after, other promotions in those weeks, and the
    log of the control; shrunken: the season of the year, and the last and first days of the
    quarter. In a week of which the promotion has a part, the log effect is
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
    """Log effects in units: observed less expected; the estimate, then draws."""
    random = np.random.default_rng(seed)
    in_promo = weeks.during > 0
    touched = ~weeks.is_outside
    log_factor = np.zeros((1 + len(fit.draws), int(touched.sum())))
    for column, share in shares.values():
        off = DISCREPANCY * random.standard_normal(len(fit.draws))
        effects = np.concatenate([[fit.mean[column]], fit.draws[:, column] + off])
        log_factor += np.outer(effects, share[touched])
    factors = np.exp(-log_factor)  # expected over observed
    gap = (np.maximum(weeks.total[touched], 0.0) + HALF * size) * (1 - factors)
    is_promo = in_promo[touched]
    column = shares["during"][0]
    return Estimate(
        log_effect=float(fit.mean[column]),
        log_error=float(np.hypot(np.sqrt(fit.covariance[column, column]), DISCREPANCY)),
        effect=gap[:, is_promo].sum(axis=1),
        pull_forward=-gap[:, ~is_promo].sum(axis=1),
        expected=weeks.total[touched] - gap,
        touched=touched,
        seen={name: float(getattr(weeks, name).sum()) for name in _SPANS},
        n_weeks=int(weeks.is_outside.sum()),
    )


@dataclass(frozen=True, eq=False)
class StudyFit:
    """Estimates of a study: without a control, and with it where it passed its checks.

    `leak` is the control's own movement in the promotion's weeks (log units) with its standard
    error; `unfit` is why the control is not used: `moved`, `drifts`, or empty.
    """

    plain: Estimate
    controlled: Estimate | None = None
    leak: tuple[float, float] = (float("nan"), float("nan"))
    unfit: str = ""

    @property
    def chosen(self) -> Estimate:
        """With the control where there is one."""
        return self.controlled or self.plain


def fit_study(study: Study, *, seed: int, n_draws: int) -> StudyFit:
    """Fit without a control, and with it if it neither moved nor drifted.

    Parameters
    ----------
    study
        One that is not refused.
    seed, n_draws
        Of the draws.
    """
    assert study.weeks is not None
    plain = estimate(study.weeks, size=study.size, seed=seed, n_draws=n_draws)
    if study.control is None:
        return StudyFit(plain)
    level = log_level(study.control.total, study.control.exposure, study.size)
    alone = estimate(study.control, size=study.size, seed=seed, n_draws=2)
    leak = (alone.log_effect, alone.log_error)
    if abs(leak[0]) > LEAK * leak[1]:
        return StudyFit(plain, None, leak, MOVED)
    if _drifts(study.weeks, level, study.size, seed):
        return StudyFit(plain, None, leak, DRIFTS)
    both = estimate(study.weeks, level, size=study.size, seed=seed, n_draws=n_draws)
    return StudyFit(plain, both, leak)


def _drifts(weeks: Weeks, control: NDArray, size: float, seed: int) -> bool:
    """Whether the ratio of the promoted rows to the control drifts over the years."""
    ratio = log_level(weeks.total, weeks.exposure, size) - control
    at = ((weeks.starts - weeks.starts[0]).days / 7.0).to_numpy(float)
    columns = [np.ones(at.size), (at - at.mean()) / A_YEAR, weeks.during, weeks.before, weeks.after]
    kept = np.column_stack([each for each in columns if each.any()])
    fit = fit_grid(ratio, kept, at, walks=WALKS, seed=seed, n_draws=2)
    error = float(np.sqrt(fit.covariance[1, 1]))
    return bool(abs(fit.mean[1]) > max(MOST_DRIFT, LEAK * error))
