"""Weekly totals on a smooth season of the year, a wandering level and any further columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from funnel.methods.season.grid import DRAWS, GridFit, fit_grid

N_HARMONICS = 14
HARMONIC_PRIOR = np.repeat(1 / np.arange(1, N_HARMONICS + 1) ** 2, 2)
SHRINKS = 10.0 ** np.arange(-1, 4)
WALKS = np.concatenate([[0.0], 10.0 ** np.arange(-3.5, 0.51, 0.5)])
_YEAR = 365.2425
_WEEK = 7


def harmonics(days: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Describe days by sines and cosines of their place in the year.

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


def week_totals(daily: pd.Series, worth: ArrayLike | None = None) -> pd.DataFrame:
    """Sum days to whole weeks, from Monday.

    Parameters
    ----------
    daily
        By day, without gaps in its index; missing where not known.
    worth
        What each day is worth (`DayWeights.of`), so that `exposure` takes working days, holidays
        and the quarter's end out; default: 1 each.

    Returns
    -------
    DataFrame
        Indexed by Monday, whole weeks known throughout with something to expect: `total`,
        `exposure`.

    Examples
    --------
    >>> week_totals(pd.Series(1.0, index=pd.date_range("2026-01-01", periods=12)))["total"].tolist()
    [7.0]
    """
    worth = np.ones(len(daily)) if worth is None else np.asarray(worth, dtype=float)
    lead = -int(daily.index[0].day_of_week) % _WEEK if len(daily) else 0
    n_weeks = max(len(daily) - lead, 0) // _WEEK
    inside = slice(lead, lead + n_weeks * _WEEK)
    weeks = pd.DataFrame(
        {
            "total": daily.to_numpy(float)[inside].reshape(n_weeks, _WEEK).sum(axis=1),
            "exposure": worth[inside].reshape(n_weeks, _WEEK).sum(axis=1),
        },
        index=daily.index[inside][::_WEEK],
    )
    return weeks[weeks["total"].notna() & (weeks["exposure"] > 0)]


def week_season(mondays: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Describe weeks by the mean harmonics of their days, shape (weeks, 28)."""
    days = mondays.repeat(_WEEK) + pd.to_timedelta(np.tile(np.arange(_WEEK), len(mondays)), "D")
    return harmonics(days).reshape(len(mondays), _WEEK, -1).mean(axis=1)


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
    """Fit log weekly totals on columns, the season of the year, and a level that wanders.

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
        Whether every third walk and every second prior variance will do, for a first look.
    seed, n_draws
        Of the draws.

    Returns
    -------
    GridFit
        Its coefficients are level, drift (per year), those of `columns` in their order, then the 28
        of `week_season`.

    Raises
    ------
    ParameterError
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
