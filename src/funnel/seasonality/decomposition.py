"""A series taken apart for the picture, and the door to the statement about a change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from funnel import formats
from funnel.errors import ParameterError
from funnel.plan import Company
from funnel.results import Result
from funnel.seasonality.share import ShareOfChange, Window
from funnel.seasonality.split import share_of_change
from funnel.workdays import is_workday

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PERIODS = {"month": (12,), "week": (52,), "day": (7, 365)}
_FREQ = {"month": "MS", "week": "7D", "day": "D"}
_FEWEST = 5
_COARSE = {"trend_jump": 20, "low_pass_jump": 20}  # smooth enough to fit at every 20th day


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
        return share_of_change(
            _by_day(self.observed, self.grain, str(self.about.get("country", ""))),
            period,
            baseline,
            grain=self.grain,
            about=self.about,
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the series with its trend, and trend with season."""
        from funnel.plots import seasonality as pictures

        return pictures.decomposition(self, ax)

    def plot_years(self, ax: Axes | None = None) -> Axes:
        """Draw the years over each other, by month."""
        from funnel.plots import seasonality as pictures

        return pictures.years(self, ax)


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
        More for statsmodels' `STL` (such as `seasonal`, `trend`), by month or week only.
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
    whole, grain = _regular(series)
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


def _regular(series: pd.Series) -> tuple[pd.Series, str]:
    """Sort, check and fill the index; say which grain it has."""
    index = series.index
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if not isinstance(index, pd.DatetimeIndex):
        raise ParameterError("decompose: the series needs an index of days.")
    if index.has_duplicates:
        twice = index[index.duplicated()][0].date()
        raise ParameterError(
            f"decompose: {twice} is there more than once; each span needs one value."
        )
    try:
        values = pd.Series(series.to_numpy(float), index=index.tz_localize(None)).sort_index()
    except (TypeError, ValueError):
        raise ParameterError("decompose: the series must hold numbers.") from None
    if np.isinf(values).any():
        raise ParameterError("decompose: the series holds an infinite value.")
    if len(values) < 2:
        return values, str(series.attrs.get("grain", "month"))
    step = float(np.median(np.diff(values.index) / pd.Timedelta(days=1)))
    grain = "day" if step <= 3 else "week" if step <= 10 else "month"
    if grain == "month":
        values.index = values.index.to_period("M").start_time
        if values.index.has_duplicates:
            raise ParameterError("decompose: a month is there more than once.")
    whole = pd.date_range(values.index[0], values.index[-1], freq=_FREQ[grain])
    if not values.index.isin(whole).all():
        raise ParameterError(f"decompose: the {grain}s of the index do not begin on one weekday.")
    return values.reindex(whole), grain


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
        fit = STL(bridged, period=periods[0], robust=robust, **settings).fit()
        return {"trend": fit.trend.to_numpy(), "seasonal": fit.seasonal.to_numpy()}
    if len(periods) == 1:
        fit = STL(bridged, period=7, robust=robust).fit()
        return {"trend": fit.trend.to_numpy(), "seasonal_7": fit.seasonal.to_numpy()}
    fit = MSTL(bridged, periods=periods, stl_kwargs={"robust": robust} | _COARSE).fit()
    seasons = np.asarray(fit.seasonal).reshape(len(whole), -1)
    named = {f"seasonal_{p}": seasons[:, number] for number, p in enumerate(periods)}
    return {"trend": np.asarray(fit.trend), **named}


def _by_day(observed: pd.Series, grain: str, country: str) -> pd.Series:
    """Share weeks and months out over their working days."""
    if grain == "day" or observed.empty:
        return observed
    after = observed.index[-1] + (
        pd.DateOffset(months=1) if grain == "month" else pd.Timedelta(days=7)
    )
    days = pd.date_range(observed.index[0], after, freq="D", inclusive="left")
    span = observed.index.searchsorted(days, side="right") - 1
    worth = is_workday(days, country).astype(float)
    per_span = np.bincount(span, worth, minlength=len(observed))
    even = per_span[span] == 0
    worth[even] = 1.0
    per_span = np.bincount(span, worth, minlength=len(observed))
    return pd.Series(observed.to_numpy()[span] * worth / per_span[span], index=days)
