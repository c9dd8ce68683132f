"""Share of a change between two windows that the calendar and the season account for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.contract.errors import ParameterError
from funnel.contract.workdays import is_holiday
from funnel.methods.season.day_weights import DayWeights, fit_day_weights, special_days
from funnel.methods.season.expected import Expected, Refusal, Refused, expected_between
from funnel.methods.season.grid_regression import DRAWS
from funnel.methods.season.monthly import SEASON_LEVEL
from funnel.methods.season.series import Context, Window
from funnel.methods.season.span_weights import fit_span_weights, report_weights
from funnel.results import Result, Stated
from funnel.stats import percentiles

PARTS = ("observed", "calendar", "season", "usual", "rest")
WIDEST = float(np.log(10))  # an interval, in log units, beyond which nothing is shown
CLOSINGS = ("wins", "bookings")
_EXPECTED = {True: ("expected season", "usual"), False: ("expected calendar", "calendar")}
_QUARTER = 3  # months
_MOST_DAYS = 366 * 5  # that weights of days are estimated from


@dataclass(frozen=True)
class SpecialDay:
    """An item of the plan's checklist that touches the two windows.

    `n_earlier` is the number of its earlier days that its weight is estimated from; 0 where there
    are none, so that it is in the residual.
    """

    name: str
    begins: dt.date
    n_earlier: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class ShareOfChange(Result):
    """A change from a baseline to a period, in parts that add up.

    `table` has one row per `part`: `observed`; `calendar` (weekdays, public holidays, position in
    the quarter, length); `season` (month of year); `usual` (the expected change: both together);
    `rest` (the residual: observed less expected, growth included). `change` with `low` and `high`
    is in log units; `change_units` with `change_units_low`, `change_units_high` in units of the
    series. A part that is not known is missing.

    Attributes
    ----------
    value, value_baseline
        Totals of the two windows.
    season_is_claimed, p_value
        Whether months of the year differ beyond chance, and the p-value of their F test.
    n_months, degrees
        Months before the period that the season is estimated from, and degrees of freedom left.
    earlier_years
        Earlier years in which the same months moved in the season's direction, of how many.
    change_p_value
        P-value of a season that stands still.
    steps
        First days of a step of the level, each with the step in log units.
    is_small_count
        Whether weeks or months are small counts.
    refused, n_refused
        Why the season or the change is not estimated (empty if it is), and how many months or days
        that is about.
    unknown_country
        The plan's country, where its holidays are not known.
    special
        Items of the plan's checklist that touch the two windows.
    n_reports
        Where rows are recorded on one weekday only: how many such days the period and the baseline
        hold. Else 0.
    """

    period: Window
    baseline: Window
    of: str = "series"
    value: float = float("nan")
    value_baseline: float = float("nan")
    season_is_claimed: bool = False
    p_value: float = float("nan")
    n_months: int = 0
    degrees: int = 0
    earlier_years: tuple[int, int] = (0, 0)
    change_p_value: float = float("nan")
    steps: tuple[tuple[dt.date, float], ...] = ()
    is_small_count: bool = False
    refused: Refusal = Refusal.NONE
    n_refused: int = 0
    unknown_country: str = ""
    special: tuple[SpecialDay, ...] = ()
    n_reports: tuple[int, int] = (0, 0)

    @property
    def stated(self) -> tuple[Stated, ...]:
        """Totals of the two windows, the change between them, and what was expected of it."""
        kind, part = _EXPECTED[self.season_is_claimed]
        expected = self.table.set_index("part").loc[part, ["change", "low", "high"]]
        figures = np.expm1(expected.to_numpy(float))
        return (
            Stated(f"{self.of}, {kind}", self.period, self.baseline, *map(float, figures)),
            Stated(self.of, self.period, value=self.value),
            Stated(self.of, self.baseline, value=self.value_baseline),
            Stated(self.of, self.period, self.baseline, self.value - self.value_baseline),
        )


def share_of_change(
    daily: pd.Series,
    period: Window,
    baseline: Window,
    *,
    grain: str = "day",
    context: Context,
) -> ShareOfChange:
    """Parts of a change; see `Decomposition.share_of_change`, which calls this.

    Parameters
    ----------
    daily
        By day, without gaps in its index.
    period, baseline
        First and last day of each.
    grain
        Of what was recorded: `day`, `week` or `month`; coarser ones were allocated to days.
    context
        What is known of the series.
    """
    period, baseline = _window("period", period), _window("baseline", baseline)
    inside, before = _inside(daily, period), _inside(daily, baseline)
    value, earlier = inside.sum(skipna=False), before.sum(skipna=False)
    facts = {
        "as_of": context.as_of or (daily.index[-1].date() if len(daily) else period[1]),
        "rows": context.rows(period=period, baseline=baseline),
        "level": context.level,
        "company": context.company,
        "units": {"change": "log units", "change_units": context.unit},
        "period": period,
        "baseline": baseline,
        "of": context.of,
        "value": float(value),
        "value_baseline": float(earlier),
    }
    figures = dict.fromkeys(PARTS, np.nan)
    refused = _no_change(inside, before, period, baseline, value, earlier)
    if refused:
        return ShareOfChange(
            table=_table(figures, {}, value, earlier, context.level),
            refused=refused.reason,
            n_refused=refused.n,
            **facts,
        )
    country, unknown = known_country(context.country, daily.index)
    history = daily[daily.index < pd.Timestamp(period[0])]
    weights = weights_of_days(history, country, grain, context)
    expected = expected_between(
        history,
        inside.index,
        before.index,
        weights,
        grain=grain,
        seed=context.seed,
    )
    if context.source is not None and context.of in CLOSINGS:
        expected = _half_of_calendar(expected, period, baseline, context.seed)
    observed = float(np.log(value / earlier))
    figures |= {"observed": observed, "calendar": expected.calendar}
    draws = expected.draws | {"observed": np.full(DRAWS, observed)}
    refused, months = expected.refused, expected.months
    if any(_is_too_wide(each, context.level) for each in expected.draws.values()):
        refused, months = refused or Refused(Refusal.TOO_WIDE), None
        if _is_too_wide(expected.draws["calendar"], context.level):
            figures["calendar"] = np.nan
    if months is not None:
        both = expected.calendar + expected.season
        figures |= {"season": expected.season, "usual": both, "rest": observed - both}
        draws["rest"] = observed - expected.draws["usual"]
        facts |= {
            "season_is_claimed": months.p_value < SEASON_LEVEL,
            "p_value": months.p_value,
            "n_months": months.n_months,
            "degrees": months.degrees,
        }
    span = (min(period[0], baseline[0]), max(period[1], baseline[1]))
    return ShareOfChange(
        table=_table(figures, draws, value, earlier, context.level),
        earlier_years=expected.earlier_years,
        change_p_value=expected.change_p_value,
        steps=tuple((day.date(), step) for day, step in expected.steps),
        is_small_count=expected.is_small_count,
        refused=refused.reason if refused else Refusal.NONE,
        n_refused=refused.n if refused else 0,
        unknown_country=unknown,
        special=_special(context, weights, period[0], span),
        n_reports=_n_reports(weights, inside.index, before.index),
        **facts,
    )


def _half_of_calendar(expected: Expected, period: Window, baseline: Window, seed: int) -> Expected:
    """Expected change of closings, with half of what single days show of two whole quarters.

    A deal due on a holiday may close the day after, so a whole period may lose nothing of what
    single days show, or all of it. Between periods at the same place in the quarter, half of it is
    taken, with an interval that covers any share.
    """
    if (period[0].month - baseline[0].month) % _QUARTER:
        return expected
    share = 0.5 + np.random.default_rng([seed, 3]).standard_normal(DRAWS) / np.sqrt(12)
    off = (share - 1) * expected.calendar
    draws = {
        name: drawn + off if name in ("calendar", "usual") else drawn
        for name, drawn in expected.draws.items()
    }
    return replace(expected, calendar=expected.calendar / 2, draws=draws)


def _is_too_wide(draws: NDArray[np.float64], level: float) -> bool:
    """Whether the interval of a change, in log units, is too wide to say anything."""
    low, high = percentiles(draws, level)
    return bool(high - low > WIDEST)


def _n_reports(
    weights: DayWeights, inside: pd.DatetimeIndex, before: pd.DatetimeIndex
) -> tuple[int, int]:
    """Days of the two windows on which rows are recorded, where that is one day a week."""
    if weights.report_weekday is None:
        return 0, 0
    return tuple(
        int((days.day_of_week == weights.report_weekday).sum()) for days in (inside, before)
    )


def _window(name: str, days: Window) -> Window:
    start, end = (pd.Timestamp(day).date() for day in days)
    if start > end:
        raise ParameterError(f"{name}: it begins on {start}, after its end, {end}.")
    return start, end


def _inside(daily: pd.Series, window: Window) -> pd.Series:
    return daily.reindex(pd.date_range(*window, freq="D"))


def _no_change(
    inside: pd.Series,
    before: pd.Series,
    period: Window,
    baseline: Window,
    value: float,
    earlier: float,
) -> Refused | None:
    """Why no change can be computed; a day that is missing is not a day with 0."""
    if baseline[1] >= period[0]:
        return Refused(Refusal.BASELINE_LATE)
    if inside.isna().all() and before.isna().all():
        return Refused(Refusal.NOTHING_RECORDED)
    missing = int(inside.isna().sum() + before.isna().sum())
    if missing:
        return Refused(Refusal.DAYS_MISSING, missing)
    if value <= 0 or earlier <= 0:
        return Refused(Refusal.WINDOW_EMPTY)
    return None


def known_country(country: str, days: pd.DatetimeIndex) -> tuple[str, str]:
    """Country if its holidays are known, and the country if they are not; the other is empty."""
    try:
        is_holiday(days[:1], country)
    except ParameterError:
        return "", country
    return country, ""


def weights_of_days(history: pd.Series, country: str, grain: str, context: Context) -> DayWeights:
    """Weights of days, by day; by week or month, the effect of working days on totals."""
    if grain != "day":
        is_flow = context.source is not None
        return fit_span_weights(history, country, grain, is_flow=is_flow)
    by_report = report_weights(history, country)
    if by_report is not None:
        return by_report
    special = special_days(context.checklist)
    return fit_day_weights(history.iloc[-_MOST_DAYS:], country, special, context.fiscal)


def _special(
    context: Context, weights: DayWeights, history_ends: dt.date, span: Window
) -> tuple[SpecialDay, ...]:
    """Items of the checklist that touch the two windows, with the days they are estimated from."""
    found = {}
    for item in context.checklist:
        begin, end = item.from_ or item.to, item.to or item.from_
        if begin is None or end < span[0] or begin > span[1]:
            continue
        days = weights.special.get(item.name, pd.DatetimeIndex([]))
        n_earlier = int((days < pd.Timestamp(history_ends)).sum())
        found[item.name] = SpecialDay(item.name, begin, n_earlier)
    return tuple(found.values())


def _table(
    figures: Mapping[str, float],
    draws: Mapping[str, NDArray],
    value: float,
    earlier: float,
    level: float,
) -> pd.DataFrame:
    rows = []
    observed = figures["observed"]
    # the logarithmic mean turns log units into units so that the parts still add up
    per_log = (value - earlier) / observed if observed else earlier
    for part in PARTS:
        known = np.isfinite(figures[part])
        low, high = percentiles(draws[part], level) if known else (np.nan, np.nan)
        rows.append(
            {
                "part": part,
                "change": figures[part],
                "low": float(low),
                "high": float(high),
                "change_units": figures[part] * per_log,
                "change_units_low": low * per_log,
                "change_units_high": high * per_log,
            }
        )
    return pd.DataFrame(rows)
