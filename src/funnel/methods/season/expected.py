"""Expected change between two windows by calendar and season, estimated from the days before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from funnel.methods.season.day_weights import DayWeights
from funnel.methods.season.exposure import (
    Exposure,
    Spans,
    draw_error,
    expose,
    month_spans,
    week_spans,
)
from funnel.methods.season.grid_regression import (
    DRAWS,
    InseparableError,
    are_small,
    working_levels,
)
from funnel.methods.season.monthly import (
    FEWEST_MONTHS,
    MOST_MONTHS,
    SEASON_LEVEL,
    MonthEffects,
    fit_month_effects,
    season_change_p_value,
    yearly_change,
)
from funnel.methods.season.weekly import find_steps, fit_weeks, harmonics, peak_columns

CALENDAR_DISCREPANCY = 0.004  # beyond the weights of days, standard deviation, log units
_IN_YEAR, _IN_WEEK = 12, 7


class Refusal(StrEnum):
    """Why a change, or the season in it, is not estimated."""

    NONE = ""
    BASELINE_LATE = "the baseline ends after the period begins"
    NOTHING_RECORDED = "nothing is recorded in the two windows"
    DAYS_MISSING = "days of the two windows are not recorded"
    WINDOW_EMPTY = "one of the two windows holds nothing"
    TOO_FEW_MONTHS = "too few months before the period"
    MONTHS_EMPTY = "the months before the period hold nothing"
    MONTHS_NEGATIVE = "months before the period are below 0"
    MONTHS_UNSEEN = "these months of the year were not seen before"
    TOO_WIDE = "too little is recorded to tell a tenfold change from none"
    INSEPARABLE = "too few of the months before the period are recorded to separate their effects"


@dataclass(frozen=True)
class Refused:
    """A refusal, and how many months or days it is about."""

    reason: Refusal
    n: int = 0


@dataclass(frozen=True, eq=False)
class Expected:
    """Expected change between two windows, in log units: figures, and draws around them.

    `draws` holds `calendar`, `season` and `usual` (both). Where the season is `refused`, only the
    calendar is there. `steps` are the days from which the level was another, with the step in log
    units; `change_p_value` is the p-value of a season that stands still.
    """

    calendar: float
    draws: dict[str, NDArray[np.float64]]
    season: float = float("nan")
    refused: Refused | None = None
    months: MonthEffects | None = None
    earlier_years: tuple[int, int] = (0, 0)
    steps: tuple[tuple[pd.Timestamp, float], ...] = ()
    change_p_value: float = float("nan")
    is_small_count: bool = False


def expected_between(
    history: pd.Series,
    inside: pd.DatetimeIndex,
    before: pd.DatetimeIndex,
    weights: DayWeights,
    *,
    grain: str,
    seed: int,
) -> Expected:
    """Expected change from a baseline to a window, estimated from the days before the window.

    Parameters
    ----------
    history
        By day, without gaps in its index, up to the day before the window.
    inside, before
        All days of the window and of its baseline.
    weights
        Weights of days.
    grain
        Of what was recorded: `day`, `week` or `month`. By month, only months are fitted.
    seed
        Of the draws.

    Notes
    -----
    Where both windows are whole months, months of the year and, if the series shows weeks,
    harmonics of weeks, both averaged quantile by quantile; else harmonics of weeks. The error of
    the weights of days is the same in earlier years and in the windows: it goes through both at
    once, so that what the season absorbs is not counted twice.
    """
    random = np.random.default_rng(seed)
    two = _windows(weights, inside, before)
    change = two[0].minus(two[1])
    calendar = float(change.log[0])
    off = CALENDAR_DISCREPANCY * weights.share_of_flows * random.standard_normal(DRAWS)
    months = month_spans(history, weights)
    refused = _refused(months, inside, before)
    if not refused:
        weeks = None if grain == "month" else week_spans(history, weights, weights.week_begins)
        try:
            steps, peaks, fit, low_weeks = _weekly_fit(weeks, seed)
            effects, low_months = _monthly_fit(months, steps, seed)
        except InseparableError:
            refused = Refused(Refusal.INSEPARABLE, months.when.size)
    if refused:
        (error,) = draw_error(weights, [change], DRAWS, random)
        return Expected(calendar, {"calendar": calendar + error + off}, refused=refused)
    whole = all(_is_whole_months(days) for days in (inside, before))
    grains = []
    if whole or fit is None:
        shares = [_month_shares(weights, days) for days in (inside, before)]
        drawn, gradient = _change_by_month(effects, shares)
        grains.append((drawn, months.exposure.weighted(effects.weights_of(gradient))))
    if fit is not None:
        drawn, gradient = _change_by_week(fit, peaks, weights, inside, before)
        grains.append((drawn, weeks.exposure.weighted(fit.weights_of(gradient))))
    left = [change.minus(history_part) for _, history_part in grains]
    errors = draw_error(weights, [change, *left], DRAWS, random)
    season = [drawn + both - errors[0] for (drawn, _), both in zip(grains, errors[1:], strict=True)]
    total = [drawn + both for (drawn, _), both in zip(grains, errors[1:], strict=True)]
    figure = float(np.median(_mean_quantiles([drawn for drawn, _ in grains])))
    change_p_value = season_change_p_value(effects, months.when)
    if change_p_value < SEASON_LEVEL:
        moved = _season_change_error(
            effects, months, weights, inside, before
        ) * random.standard_normal(DRAWS)
        season, total = ([each + moved for each in part] for part in (season, total))
    return Expected(
        calendar,
        {
            "calendar": calendar + errors[0] + off,
            "season": _mean_quantiles(season),
            "usual": calendar + _mean_quantiles([each + off for each in total]),
        },
        season=figure,
        months=effects,
        earlier_years=_earlier_years(months, weights, inside, before, figure),
        steps=_step_sizes(steps, fit),
        change_p_value=change_p_value,
        is_small_count=low_weeks or low_months,
    )


def _windows(
    weights: DayWeights, inside: pd.DatetimeIndex, before: pd.DatetimeIndex
) -> list[Exposure]:
    return [expose(weights, days, np.array([0])) for days in (inside, before)]


def _weekly_fit(weeks: Spans | None, seed: int):
    """Steps and peaks found, the fit of weeks with a column for each, whether counts are low."""
    if weeks is None:
        return (), (), None, False
    if are_small(weeks.total):
        level, noise = working_levels(
            weeks.total,
            np.exp(weeks.exposure.log),
            lambda level, noise: (
                fit_weeks(level, weeks.mondays, noise=noise, coarse=True, n_draws=0).fitted
            ),
        )
        return (), (), fit_weeks(level, weeks.mondays, noise=noise, seed=seed), True
    level = np.log(weeks.total) - weeks.exposure.log
    fit, at, peaks = find_steps(level, weeks.mondays, seed=seed)
    return tuple(weeks.mondays[at]), peaks, fit, False


def fit_months(months: Spans, seed: int) -> MonthEffects | Refused:
    """Fit of the season by month, or why there is none."""
    try:
        return _too_few(months) or _monthly_fit(months, (), seed)[0]
    except InseparableError:
        return Refused(Refusal.INSEPARABLE, months.when.size)


def _monthly_fit(months: Spans, steps: tuple, seed: int) -> tuple[MonthEffects, bool]:
    columns = _step_columns(months, steps)
    is_small_count = are_small(months.total)
    if not is_small_count:
        level = np.log(months.total) - months.exposure.log
        return fit_month_effects(level, months.when, seed=seed, columns=columns), False
    level, noise = working_levels(
        months.total,
        np.exp(months.exposure.log),
        lambda level, noise: (
            fit_month_effects(
                level, months.when, seed=seed, columns=columns, noise=noise, shrink=True, n_draws=0
            ).fit.fitted
        ),
    )
    fit = fit_month_effects(
        level, months.when, seed=seed, columns=columns, noise=noise, shrink=True
    )
    return fit, True


def _step_columns(months: Spans, steps: tuple) -> NDArray | None:
    """Share of each month that lies after each step, one column per step."""
    columns = []
    for step in steps:
        number = step.year * _IN_YEAR + step.month - 1
        column = (months.when > number).astype(float)
        column[months.when == number] = 1 - (step.day - 1) / step.days_in_month
        columns.append(column)
    return np.column_stack(columns) if columns and len(months.when) >= 2 * _IN_YEAR else None


def _step_sizes(steps: tuple, fit) -> tuple[tuple[pd.Timestamp, float], ...]:
    return tuple((step, float(fit.mean[2 + number])) for number, step in enumerate(steps))


def _is_whole_months(days: pd.DatetimeIndex) -> bool:
    return bool(days[0].day == 1 and days[-1].day == days[-1].days_in_month)


def _month_shares(weights: DayWeights, days: pd.DatetimeIndex) -> NDArray[np.float64]:
    weight = np.bincount(days.month - 1, weights.of(days), minlength=_IN_YEAR)
    return weight / weight.sum()


def _change_by_month(effects: MonthEffects, shares: list[NDArray]) -> tuple[NDArray, NDArray]:
    """Draws of the season's change between windows of months, and its gradient by the effects."""
    drawn, gradient = [], []
    for share in shares:
        seen = share > 0
        drawn.append(np.log(np.exp(effects.draws[:, seen]) @ share[seen]))
        at_mean = np.where(seen, share * np.exp(np.nan_to_num(effects.mean)), 0.0)
        gradient.append(at_mean / at_mean.sum())
    return drawn[0] - drawn[1], gradient[0] - gradient[1]


def _change_by_week(
    fit, peaks: tuple, weights: DayWeights, inside: pd.DatetimeIndex, before: pd.DatetimeIndex
) -> tuple[NDArray, NDArray]:
    """Draws of the season's change between any windows, and its gradient by the coefficients."""
    n_first = fit.draws.shape[1] - harmonics(inside[:1]).shape[1] - len(peaks)
    drawn, gradient = [], []
    for days in (inside, before):
        starts = np.arange(0, len(days), _IN_WEEK)
        weight = weights.of(days)
        sums = np.add.reduceat(weight, starts)
        sums = np.maximum(sums, 1e-12)
        season = np.hstack([peak_columns(days, peaks), harmonics(days)])
        curve = np.add.reduceat(weight[:, None] * season, starts) / sums[:, None]
        share = sums / sums.sum()
        drawn.append(np.log(np.exp(fit.draws[:, n_first:] @ curve.T) @ share))
        at_mean = share * np.exp(curve @ fit.mean[n_first:])
        gradient.append(np.concatenate([np.zeros(n_first), at_mean @ curve / at_mean.sum()]))
    return drawn[0] - drawn[1], gradient[0] - gradient[1]


def _season_change_error(
    effects: MonthEffects,
    months: Spans,
    weights: DayWeights,
    inside: pd.DatetimeIndex,
    before: pd.DatetimeIndex,
) -> float:
    """Standard deviation of a changing season around its mean over earlier years.

    A step a year since the middle of the years seen, and one more in the window. What both windows
    share is no change between them.
    """
    n_years = len(months.when) // _IN_YEAR
    since = float(((np.arange(1, n_years) / n_years) ** 2).sum())
    shares = [_month_shares(weights, days) for days in (inside, before)]
    own = [np.maximum(a - b, 0.0) for a, b in (shares, shares[::-1])]
    squares = (1 + since) * (own[0] ** 2).sum() + since * (own[1] ** 2).sum()
    return float(np.sqrt(yearly_change(effects, months.when) * squares))


def _mean_quantiles(draws: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Draws averaged quantile by quantile; those of a single distribution keep their order."""
    return draws[0] if len(draws) == 1 else np.mean([np.sort(each) for each in draws], axis=0)


def _too_few(months: Spans) -> Refused | None:
    if months.when.size < FEWEST_MONTHS:
        return Refused(Refusal.TOO_FEW_MONTHS, months.when.size)
    if not months.total.any():
        return Refused(Refusal.MONTHS_EMPTY, months.when.size)
    if (months.total < 0).any():
        return Refused(Refusal.MONTHS_NEGATIVE, int((months.total < 0).sum()))
    return None


def _refused(months: Spans, inside: pd.DatetimeIndex, before: pd.DatetimeIndex) -> Refused | None:
    too_few = _too_few(months)
    if too_few:
        return too_few
    for days in (inside, before):
        own = set((days.year * _IN_YEAR + days.month - 1).tolist())
        wanted = {number % _IN_YEAR for number in own}
        if not wanted <= {int(number) % _IN_YEAR for number in months.when if number not in own}:
            return Refused(Refusal.MONTHS_UNSEEN)
    return None


def _earlier_years(
    months: Spans,
    weights: DayWeights,
    inside: pd.DatetimeIndex,
    before: pd.DatetimeIndex,
    season: float,
) -> tuple[int, int]:
    """Earlier years in which the same months moved in the season's direction, of how many.

    (0, 0) where both windows are the same months, which have no direction.
    """
    if set(inside.month) == set(before.month):
        return 0, 0
    rate = dict(zip(months.when.tolist(), months.total / np.exp(months.exposure.log), strict=True))
    shares = []
    for days in (inside, before):
        number = (days.year * _IN_YEAR + days.month - 1).to_numpy()
        weight = np.bincount(number - number[0], weights.of(days))
        shares.append({number[0] + place: each / weight.sum() for place, each in enumerate(weight)})
    agree = n_years = 0
    for back in range(_IN_YEAR, MOST_MONTHS + _IN_YEAR, _IN_YEAR):
        if all(number - back in rate for share in shares for number in share):
            levels = [sum(part * rate[at - back] for at, part in share.items()) for share in shares]
            n_years += 1
            agree += bool(np.sign(levels[0] - levels[1]) == np.sign(season))
    return agree, n_years
