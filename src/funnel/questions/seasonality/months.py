"""Months of a measure: the range expected for each, and the years compared month by month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.season import Decomposition
from funnel.methods.season.expected import Refusal, Refused, fit_months
from funnel.methods.season.exposure import month_spans
from funnel.methods.season.monthly import WALKS, MonthEffects
from funnel.methods.season.series import Window
from funnel.results import Result

_MOST_YEARS = 5
_MONTHS = range(1, 13)


@dataclass(frozen=True, eq=False, kw_only=True)
class ExpectedBand(Result):
    """Months with the range expected for them.

    `table` has one row per whole month: `date` (its first day), `observed`, `expected` with `low`
    and `high`, and `held_out`: whether the range was estimated without this month. A range that is
    not known is missing; `refused` and `n_refused` then say why, as in `ShareOfChange`.
    """

    of: str = "series"
    refused: Refusal = Refusal.NONE
    n_refused: int = 0

    @property
    def held_out(self) -> pd.DataFrame:
        """Rows of the months that the range was estimated without."""
        return self.table[self.table["held_out"]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Years(Result):
    """The last years by month.

    `table` has one row per `year` and `month` (1 to 12): `value`, missing where the month is not
    recorded.
    """

    of: str = "series"


def expected_band(whole: Decomposition, period: Window | None = None) -> ExpectedBand:
    """Months of a series with the range that the months before the period let expect.

    Parameters
    ----------
    whole
        The series.
    period
        Held out; default: the plan's, or without one the last month.

    Notes
    -----
    The fit of the season by month, carried on: level and drift continue as they were at the end of
    the history, and the further from it, the wider the random walk makes the range (best linear
    prediction, in each cell of the grid). Before the period it is the fit with its noise.
    """
    first = pd.Timestamp(whole.held_out(period)[0])
    daily, weights = whole.days_before(first)
    shown = month_spans(daily, weights)
    dates = pd.Series((shown.when - 1970 * 12).astype("datetime64[M]").astype("datetime64[s]"))
    table = pd.DataFrame(
        {
            "date": dates,
            "observed": shown.total,
            "expected": np.nan,
            "low": np.nan,
            "high": np.nan,
            "held_out": (dates >= first).to_numpy(dtype=bool),
        }
    )
    seed, level = whole.context.seed, whole.level
    months = month_spans(daily[daily.index < first], weights)
    fit = fit_months(months, seed)
    is_refused = isinstance(fit, Refused)
    if not is_refused:
        drawn = _predicted(fit, months.when, shown.when, seed)
        at = (0.5, (1 - level) / 2, (1 + level) / 2)
        log = shown.exposure.log + np.array([np.percentile(drawn, 100 * p, axis=0) for p in at])
        table[["expected", "low", "high"]] = np.exp(log).T
    return ExpectedBand(
        table=table,
        as_of=whole.as_of,
        level=level,
        company=whole.company,
        units=whole.units,
        of=whole.context.of,
        refused=fit.reason if is_refused else Refusal.NONE,
        n_refused=fit.n if is_refused else 0,
    )


def _predicted(
    effects: MonthEffects, known: NDArray, wanted: NDArray, seed: int
) -> NDArray[np.float64]:
    """Draws of log levels of months, past or to come, with their noise."""
    fit, cells = effects.fit, effects.fit.cells
    random = np.random.default_rng([seed, 1])
    columns, old = effects.design(wanted), effects.design(known)
    since = known - known[0] + 1.0
    then = np.maximum(wanted - known[0] + 1.0, 0.0)
    drawn = np.empty((len(fit.draws), len(wanted)))
    for cell in np.unique(fit.drawn_from):
        which = fit.drawn_from == cell
        q = WALKS[cell // cells.n_shrinks]
        # the walk at the wanted months, given the residuals at the known ones
        walk = q * np.minimum.outer(since, since) + np.diag(effects.noise)
        across = q * np.minimum.outer(then, since)
        gain = np.linalg.solve(walk, across.T).T
        spread = 1 + np.maximum(q * then - (gain * across).sum(axis=1), 0.0)
        coefficients = fit.draws[which]
        residual = effects.log_level - coefficients @ old.T
        noise = random.standard_normal((int(which.sum()), len(wanted)))
        drawn[which] = coefficients @ columns.T + residual @ gain.T
        drawn[which] += noise * np.sqrt(cells.variance[cell] * spread)
    return drawn


def years(whole: Decomposition) -> Years:
    """Last five years of a series, by month."""
    observed = whole.observed.dropna()
    index = observed.index
    monthly = observed.groupby([index.year, index.month]).sum()
    newest = sorted({year for year, _ in monthly.index})[-_MOST_YEARS:]
    every = pd.MultiIndex.from_product([newest, _MONTHS], names=["year", "month"])
    table = monthly.reindex(every).rename("value").reset_index()
    return Years(
        table=table,
        as_of=whole.as_of,
        level=whole.level,
        company=whole.company,
        units={"value": whole.context.unit},
        of=whole.context.of,
    )
