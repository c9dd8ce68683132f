"""Decomposition of a series into trend, season and residual, and the statement about a change."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.dataset.cache import shared
from funnel.methods.season.day_weights import DayWeights
from funnel.methods.season.series import Context, MeasureSeries, Window, by_day, regular, series
from funnel.methods.season.share import (
    ShareOfChange,
    known_country,
    share_of_change,
    weights_of_days,
)
from funnel.results import Result

if TYPE_CHECKING:
    from funnel.dataset import Tables

_PERIODS = {"month": (12,), "week": (52,), "day": (7, 365)}
_FEWEST = 5
# by day: smooth enough to fit at every 20th, and converged after two rounds, as in R
_COARSE = {"trend_jump": 20, "low_pass_jump": 20, "inner_iter": 2}


@dataclass(frozen=True, eq=False, kw_only=True)
class Decomposition(Result):
    """A series as trend, season and residual, for the chart; its statements have their own model.

    `table` has one row per span: `date` (its first day), `observed`, `trend`, `seasonal` (or
    `seasonal_7` and `seasonal_365` by day) and `resid`, which add up to `observed`. A gap has a
    trend and a season, but nothing observed.
    """

    observed: pd.Series
    grain: str = "month"
    context: Context = field(default_factory=Context)

    @property
    def strength(self) -> float:
        """Strength of the yearly season: 1 - var(resid) / var(resid + season), 0 to 1.

        References
        ----------
        Wang, Smith and Hyndman (2006), Data Mining and Knowledge Discovery 13, 335-364.
        """
        column = "seasonal_365" if self.grain == "day" else "seasonal"
        if column not in self.table or not self.table[column].any():
            return float("nan")
        both = self.table["resid"] + self.table[column]
        return float(max(0.0, 1 - self.table["resid"].var(ddof=0) / both.var(ddof=0)))

    def share_of_change(
        self, period: Window | None = None, baseline: Window | None = None
    ) -> ShareOfChange:
        """Share of a change that the calendar and the season account for.

        Parameters
        ----------
        period, baseline
            Each the first and last day; default: the plan's, where the series came from
            `season.series`. A series by month needs windows of whole months.

        Returns
        -------
        ShareOfChange
            Rows `observed`, `calendar`, `season`, `usual` (calendar + season) and `rest`
            (observed - usual); a part that is not known is missing, and the headline says why.

        Raises
        ------
        ParameterError
            If no window is passed and none is known, or one is not of whole months where the
            series is by month.

        Notes
        -----
        Only days before the period are used, so that a change which begins with the period is
        never taken for season. By day: the weight of each kind of day is estimated from days within
        weeks. By week or month: working days count alike. Month-of-year effects are then estimated
        from totals per unit of exposure. See `docs/seasonality.md`.

        Examples
        --------
        >>> days = pd.date_range("2022-01-01", "2025-12-31", freq="MS")
        >>> months = pd.Series(100.0 + 20 * (days.month == 3), index=days)
        >>> march = (pd.Timestamp("2025-03-01"), pd.Timestamp("2025-03-31"))
        >>> february = (pd.Timestamp("2025-02-01"), pd.Timestamp("2025-02-28"))
        >>> parts = decompose(months).share_of_change(march, february).table
        >>> parts["part"].tolist()
        ['observed', 'calendar', 'season', 'usual', 'rest']
        """
        period = period or self.context.period
        baseline = baseline or self.context.baseline
        if period is None or baseline is None:
            raise ParameterError(
                "share_of_change needs `period` and `baseline`, (first, last) day."
            )
        if self.grain == "month":
            for name, window in (("period", period), ("baseline", baseline)):
                first, last = (pd.Timestamp(day) for day in window)
                if first.day != 1 or last.day != last.days_in_month:
                    raise ParameterError(
                        f"{name}: {first.date()} to {last.date()} is not of whole months, and the "
                        "series is by month. Use whole months, or the series by day."
                    )
        country, _ = known_country(self.context.country, self.observed.index)
        daily = by_day(self.observed, self.grain, country)
        return share_of_change(daily, period, baseline, grain=self.grain, context=self.context)

    def held_out(self, period: Window | None = None) -> Window:
        """Window to hold out: the one passed, else the plan's period, else the last month."""
        period = period or self.context.period
        if period is not None:
            return period
        last = self.observed.index[-1] if len(self.observed) else pd.Timestamp(self.as_of)
        return last.replace(day=1).date(), last.date()

    def days_before(self, first: dt.date) -> tuple[pd.Series, DayWeights]:
        """Whole series by day, and the weights of days estimated from those before `first`."""
        country, _ = known_country(self.context.country, self.observed.index)
        daily = by_day(self.observed, self.grain, country)
        history = daily[daily.index < pd.Timestamp(first)]
        return daily, weights_of_days(history, country, self.grain, self.context)


def decompose(
    series: pd.Series | MeasureSeries,
    *,
    robust: bool | None = None,
    settings: Mapping[str, Any] | None = None,
    **context: Any,
) -> Decomposition:
    """Decomposition of a series into trend, season and residual.

    Parameters
    ----------
    series
        By day, week or month: numbers with an index of days (the first of each span) or periods,
        each once; a gap may be missing or left out. Or a measure of a dataset, as `season.series`
        returns it.
    robust
        Whether single outliers may not bend trend and season; default: yes by week and month,
        no by day, where it takes seconds.
    settings
        More for statsmodels' `STL` (such as `seasonal`, `trend`) and its `fit` (`inner_iter`,
        `outer_iter`), by month or week only.
    context
        Fields of `Context` that the statement needs to know: `country`, `level`, `seed`, `as_of`,
        `of`, `unit`, `company`, `checklist`, `period`, `baseline`.

    Returns
    -------
    Decomposition
        For the chart; `.share_of_change()` makes the statement, by a model of its own.

    Raises
    ------
    ParameterError
        If the index is no index of days, holds a day twice, or the values are no numbers.

    Notes
    -----
    STL by month (12) and week (52), MSTL by day (7, and 365 from two years on). With under two
    years there is no season. Gaps are bridged by straight lines for the fit.

    References
    ----------
    Cleveland, Cleveland, McRae and Terpenning (1990), J. Official Statistics 6, 3-73; Bandara,
    Hyndman and Bergmeir (2021), arXiv:2107.13462.

    Examples
    --------
    >>> months = pd.date_range("2022-01-01", periods=36, freq="MS")
    >>> parts = decompose(pd.Series(range(36), index=months)).table
    >>> parts.columns.tolist()
    ['date', 'observed', 'trend', 'seasonal', 'resid']
    """
    if not isinstance(series, MeasureSeries):
        series = MeasureSeries(series, "month", Context(of=str(series.name or "series")))
    known = dataclasses.replace(series.context, **context)
    whole, grain = regular(series.observed, series.grain)
    parts = _parts(
        whole,
        grain,
        robust=grain != "day" if robust is None else robust,
        settings=dict(settings or {}),
    )
    table = pd.DataFrame({"date": whole.index, "observed": whole.to_numpy()})
    for name, values in parts.items():
        table[name] = values
    table["resid"] = table["observed"] - sum(table[name] for name in parts)
    newest = whole.index[-1].date() if len(whole) else None
    return Decomposition(
        table=table,
        as_of=known.as_of or newest,
        level=known.level,
        company=known.company,
        units={"observed": known.unit},
        observed=whole,
        grain=grain,
        context=known,
    )


def without_parts(series: MeasureSeries) -> Decomposition:
    """A series for its statements alone: no trend or season is fitted, and there is no chart."""
    known = series.context
    whole, grain = regular(series.observed, series.grain)
    return Decomposition(
        table=pd.DataFrame({"date": whole.index, "observed": whole.to_numpy()}),
        as_of=known.as_of or whole.index[-1].date(),
        level=known.level,
        company=known.company,
        units={"observed": known.unit},
        observed=whole,
        grain=grain,
        context=known,
    )


@shared
def measure_decomposition(data: Tables, of: str, grain: str = "day") -> Decomposition:
    """Decomposition of a measure of a dataset; see `series` for the measures and grains."""
    return decompose(series(data, of, grain))


def _parts(
    whole: pd.Series, grain: str, *, robust: bool, settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    """STL or MSTL components of a series, gaps bridged."""
    from statsmodels.nonparametric.smoothers_lowess import lowess

    """STL or MSTL components of a series, gaps bridged."""
    from statsmodels.tsa.seasonal import MSTL, STL

    known = whole.notna().sum()
    if known < 2:
        return {"trend": whole.to_numpy(), "seasonal": np.zeros(len(whole))}
    bridged = whole.interpolate(limit_direction="both")
    # MSTL needs more than two rounds of a season, STL two
    needed = {p: 2 * p + (grain == "day") for p in _PERIODS[grain]}
    periods = [p for p, n in needed.items() if len(whole) >= n and known >= 2 * p * 0.75]
    if not periods:
        trend = np.full(len(whole), bridged.mean())
        if known >= _FEWEST:
            trend = lowess(
                bridged.to_numpy(), np.arange(len(whole)), frac=2 / 3, return_sorted=False
            )
        return {"trend": trend, "seasonal": np.zeros(len(whole))}
    if grain != "day":
        rounds = {name: settings.pop(name, None) for name in ("inner_iter", "outer_iter")}
        fit = STL(bridged, period=periods[0], robust=robust, **settings).fit(**rounds)
        return {"trend": fit.trend.to_numpy(), "seasonal": fit.seasonal.to_numpy()}
    if len(periods) == 1:
        fit = STL(bridged, period=7, robust=robust).fit()
        return {"trend": fit.trend.to_numpy(), "seasonal_7": fit.seasonal.to_numpy()}
    fit = MSTL(bridged, periods=periods, stl_kwargs={"robust": robust} | _COARSE).fit()
    seasons = np.asarray(fit.seasonal).reshape(len(whole), -1)
    named = {f"seasonal_{p}": seasons[:, number] for number, p in enumerate(periods)}
    return {"trend": np.asarray(fit.trend), **named}
