"""Distribution of a quarter's total over its months and over its last and first days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnel.contract.periods import Fiscal, periods_between
from funnel.contract.workdays import is_workday
from funnel.methods.season import Decomposition
from funnel.methods.season.day_weights import DayWeights
from funnel.methods.season.series import Window
from funnel.methods.season.share import WIDEST
from funnel.results import Result

_FEWEST_QUARTERS = 3
_MOST_QUARTERS = 20
_MONTHS = ("first month", "second month", "third month")
_COLUMNS = ("kind", "place", "value", "value_low", "value_high", "by_days", "n")


@dataclass(frozen=True, eq=False, kw_only=True)
class InQuarter(Result):
    """How a quarter's total is spread over its months and its last and first days.

    `table` has one row per `place`. Of `kind` "month": `value` is its mean share of a quarter's
    total (0 to 1), `by_days` the share that its working days alone would have, `n` the quarters. Of
    `kind` "days" (by day only): `value` is the level of such a day relative to another of the same
    weekday (1: the same), `by_days` 1, `n` the days; missing where its
    interval spans a factor of ten. Intervals are `value_low` and `value_high`.

    Attributes
    ----------
    is_by_report
        Whether rows are recorded on one weekday only, so that single days cannot be compared.
    """

    of: str = "series"
    is_by_report: bool = False


def in_quarter(whole: Decomposition, period: Window | None = None) -> InQuarter:
    """Distribution within quarters of the company's fiscal year, before a period.

    Parameters
    ----------
    whole
        The series.
    period
        Only days before it count; default: the plan's, or without one the last month.
    """
    first = whole.held_out(period)[0]
    daily, weights = whole.days_before(first)
    daily = daily[daily.index < pd.Timestamp(first)]
    rows = _months(daily, weights.country, whole.context.fiscal, whole.level)
    is_by_report = weights.report_weekday is not None
    if rows and whole.grain == "day" and not is_by_report:
        rows += _days(daily, weights, whole.level)
    return InQuarter(
        table=pd.DataFrame(rows, columns=list(_COLUMNS)),
        as_of=whole.as_of,
        level=whole.level,
        company=whole.company,
        units={"value": "share of a quarter, or times another day"},
        of=whole.context.of,
        is_by_report=is_by_report,
    )


def _months(daily: pd.Series, country: str, fiscal: Fiscal, level: float) -> list[tuple]:
    """Rows of a quarter's three months: mean shares, with t intervals over the quarters."""
    from scipy.special import stdtrit

    days = daily.index
    if not len(days):
        return []
    begins = fiscal.period_of(days[0].date(), "quarter").start
    in_order = periods_between(fiscal, begins, days[-1].date(), "month")
    starts = pd.DatetimeIndex([month.start for month in in_order])
    number = starts.searchsorted(days, side="right") - 1
    length = np.array([month.n_days for month in in_order])[number]
    worked = pd.Series(is_workday(days, country), index=days).astype(float)
    by_month = pd.DataFrame(
        {"total": daily.to_numpy(), "worked": worked.to_numpy(), "n": 1.0, "in": length}
    ).groupby(number)
    months = by_month.agg({"total": lambda each: each.sum(skipna=False), "worked": "sum"})
    months = months[(by_month["n"].sum() == by_month["in"].first()) & months["total"].notna()]
    months = months.assign(quarter=months.index // 3, place=months.index % 3)
    sums = months.groupby("quarter")["total"].agg(["size", "sum"])
    whole = sums.index[(sums["size"] == 3) & (sums["sum"] > 0)][-_MOST_QUARTERS:]
    if len(whole) < _FEWEST_QUARTERS:
        return []
    kept = months[months["quarter"].isin(whole)]
    shares, worked = (
        kept.pivot_table(index="quarter", columns="place", values=name).to_numpy()
        for name in ("total", "worked")
    )
    shares = shares / shares.sum(axis=1, keepdims=True)
    worked = worked / worked.sum(axis=1, keepdims=True)
    half = stdtrit(len(shares) - 1, (1 + level) / 2) * shares.std(axis=0, ddof=1)
    half /= np.sqrt(len(shares))
    mean, by_days = shares.mean(axis=0), worked.mean(axis=0)
    return [
        ("month", name, *(float(x) for x in (at, at - off, at + off, even)), len(shares))
        for name, at, off, even in zip(_MONTHS, mean, half, by_days, strict=True)
    ]


def _days(daily: pd.Series, weights: DayWeights, level: float) -> list[tuple]:
    """Rows of the last and first days of a quarter, by the likeliest day model."""
    from scipy.special import ndtri

    if not weights.fitted:
        return []
    model, _, features = max(weights.each(daily.index), key=lambda each: each[0].share)
    spread = np.sqrt(np.diag(model.covariance))
    blocks = model.blocks
    kind = "working days" if blocks.by_workdays else "days"
    names = {
        -3: f"last {blocks.near} {kind} of a quarter",
        -2: f"the {blocks.before} {kind} before them",
        -1: f"first {blocks.first} {kind} of a quarter",
    }
    rows = []
    for column, name in names.items():
        at, half = model.coefficients[column], ndtri((1 + level) / 2) * spread[column]
        ends = [float(np.exp(at + sign * half)) for sign in (0, -1, 1)]
        if 2 * half > WIDEST:
            ends = [float("nan")] * 3
        rows.append(("days", name, *ends, 1.0, int(features[:, column].sum())))
    return rows
