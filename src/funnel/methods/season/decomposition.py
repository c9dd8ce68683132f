"""A series taken apart for the picture, and the door to the statement about a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel.contract.errors import ParameterError
from funnel.contract.plan import Company
from funnel.methods.season.band import UsualBand, usual_band
from funnel.methods.season.comparisons import Comparisons, compared
from funnel.methods.season.quarter import InQuarter, in_quarter
from funnel.methods.season.regular_series import by_day, regular
from funnel.methods.season.share import ShareOfChange, Window
from funnel.methods.season.split import known_country, learn_days, share_of_change
from funnel.methods.season.workdays import DayWeights
from funnel.results import Result, formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PERIODS = {"month": (12,), "week": (52,), "day": (7, 365)}
_FEWEST = 5
# by day: smooth enough to fit at every 20th, and to be there after two rounds, as in R
_COARSE = {"trend_jump": 20, "low_pass_jump": 20, "inner_iter": 2}


@dataclass(frozen=True, eq=False, kw_only=True)
class Decomposition(Result):
    """A series as trend, season and residual.

    `table` has one row per span: `date` (its first day), `observed`, `trend`, `seasonal` (or
    `seasonal_7` and `seasonal_365` by day) and `resid`, which add up to `observed`. A gap has a
    trend and a season, but nothing observed.
    """

    observed: pd.Series
    grain: str = "month"
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """How long it is, and how much of its movement the season makes."""
        of = str(self.about.get("of", "series"))
        company = self.about.get("company") or Company()
        known = self.table.dropna(subset="observed")
        if known.empty:
            return f"There is nothing recorded of {of}."
        first, last = (formats.day(known["date"].iloc[end], company) for end in (0, -1))
        begin = f"{of.capitalize()} by {self.grain}, {first} to {last}"
        strength = self.strength
        if np.isnan(strength):
            return f"{begin}: shorter than two years, so the picture shows no season of the year."
        return (
            f"{begin}: the season makes {formats.share(strength, company)} of what moves around "
            "the trend."
        )

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
        """Say what part of a change the calendar and the usual season make.

        Parameters
        ----------
        period, baseline
            Each the first and last day; default: the plan's, where the series came from
            `seasonality.series`. A series by month needs windows of whole months.

        Returns
        -------
        ShareOfChange
            Rows `observed`, `calendar`, `season`, `usual` (calendar + season) and `rest`
            (observed - usual); a part that cannot be told is missing, and the headline says why.

        Raises
        ------
        ParameterError
            If no window is given and none is known, or one is not of whole months where the
            series is by month.

        Notes
        -----
        Only what came before the period is learnt from, so that a change which begins with the
        period cannot be taken for season. By day: what each kind of day is worth is learnt from
        days within weeks. By week or month: working days count alike. Months per unit of that
        worth then give the month-of-year effects. See `docs/seasonality.md`.

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
        period = period or self.about.get("period")
        baseline = baseline or self.about.get("baseline")
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
        country, _ = known_country(str(self.about.get("country", "")), self.observed.index)
        return share_of_change(
            by_day(self.observed, self.grain, country),
            period,
            baseline,
            grain=self.grain,
            about=self.about,
        )

    def comparisons(self) -> Comparisons:
        """Split the change against the previous period, and against a year ago.

        Returns
        -------
        Comparisons
            The rows of `share_of_change` for both.

        Raises
        ------
        ParameterError
            If the series does not come from `seasonality.series`, which knows both.
        """
        baselines = self.about.get("baselines")
        if not baselines:
            raise ParameterError(
                "comparisons: the series must come from `funnel.series`, which knows both periods."
            )
        shown = {each: self.share_of_change(baseline=at) for each, at in baselines.items()}
        return compared(shown)

    def usual_band(self, period: Window | None = None) -> UsualBand:
        """Give the band in which months usually lie, learnt from those before the period.

        Parameters
        ----------
        period
            As in `share_of_change`; without one, the last month is held out.

        Returns
        -------
        UsualBand
            One row per whole month.
        """
        daily, weights = self._days_before(period := self._held_out(period))
        level = float(self.about.get("level", 0.9))
        seed = int(self.about.get("seed", 0))
        table, refused = usual_band(daily, pd.Timestamp(period[0]), weights, level, seed)
        company = self.about.get("company") or Company()
        of = str(self.about.get("of", "series"))
        return UsualBand(
            table=table,
            as_of=self.as_of,
            level=level,
            units={"observed": str(self.about.get("unit", "units"))},
            of=of,
            refused=refused,
            company=company,
        )

    def in_quarter(self, period: Window | None = None) -> InQuarter:
        """Say where in a quarter it happens: by its months, and its last and first days.

        Parameters
        ----------
        period
            As in `share_of_change`: what came before it is asked.

        Returns
        -------
        InQuarter
            Rows for months, and by day for blocks of days too. Quarters are those of the company's
            fiscal year.
        """
        daily, weights = self._days_before(period := self._held_out(period))
        before = daily[daily.index < pd.Timestamp(period[0])]
        return in_quarter(before, weights, as_of=self.as_of, about=self.about)

    def _held_out(self, period: Window | None) -> Window:
        period = period or self.about.get("period")
        if period is not None:
            return period
        last = self.observed.index[-1] if len(self.observed) else pd.Timestamp(self.as_of)
        return last.replace(day=1).date(), last.date()

    def _days_before(self, period: Window) -> tuple[pd.Series, DayWeights]:
        """Give the series by day, and what days before the period are worth."""
        country, _ = known_country(str(self.about.get("country", "")), self.observed.index)
        daily = by_day(self.observed, self.grain, country)
        history = daily[daily.index < pd.Timestamp(period[0])]
        return daily, learn_days(history, country, self.grain, self.about)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the series with its trend, and trend with season."""
        from funnel.methods.season import charts

        return charts.decomposition(self, ax)

    def plot_years(self, ax: Axes | None = None) -> Axes:
        """Draw the years over each other, by month."""
        from funnel.methods.season import charts

        return charts.years(self, ax)


def decompose(
    series: pd.Series,
    *,
    robust: bool | None = None,
    settings: Mapping[str, Any] | None = None,
    **about: Any,
) -> Decomposition:
    """Take a series apart into trend, season and residual.

    Parameters
    ----------
    series
        By day, week or month: numbers with an index of days (the first of each span) or periods,
        each once; a gap may be missing or left out. `series(data)` makes one.
    robust
        Whether single outliers may not bend trend and season; default: yes by week and month,
        no by day, where it takes seconds.
    settings
        More for statsmodels' `STL` (such as `seasonal`, `trend`) and its `fit` (`inner_iter`,
        `outer_iter`), by month or week only.
    about
        What the statement needs to know, in place of what `series.attrs` says: `country`,
        `level`, `seed`, `as_of`, `of`, `unit`, `period`, `baseline`.

    Returns
    -------
    Decomposition
        For the picture; `.share_of_change()` makes the statement, by a model of its own.

    Raises
    ------
    ParameterError
        If the index is no index of days, holds a day twice, or the values are no numbers.

    Notes
    -----
    STL by month (12) and week (52), MSTL by day (7, and 365 from two years on). Without two years
    there is no season to take out. Gaps are bridged by straight lines for the fit.

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
    whole, grain = regular(series)
    known = {"of": series.name or "series", **series.attrs, **about}
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
        as_of=known.get("as_of") or newest,
        level=float(known.get("level", 0.9)),
        units={"observed": str(known.get("unit", "units"))},
        observed=whole,
        grain=grain,
        about=known,
    )


def _parts(
    whole: pd.Series, grain: str, *, robust: bool, settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    from statsmodels.nonparametric.smoothers_lowess import lowess
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
