"""Where in a quarter it happens: its months, its last days, and what these take from the next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from funnel.contract.plan import Company
from funnel.contract.workdays import is_workday
from funnel.methods.season.workdays import DayWeights
from funnel.results import Result, formats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEWEST_QUARTERS = 3
_MOST_QUARTERS = 20
_MONTHS = ("first month", "second month", "third month")


@dataclass(frozen=True, eq=False, kw_only=True)
class InQuarter(Result):
    """How a quarter's sum is spread over its months and its last and first days.

    `table` has one row per `place`. Of `kind` "month": `value` is its mean share of a quarter's sum
    (0 to 1), `by_days` the share that its working days alone would give it, `n` the quarters. Of
    `kind` "days" (by day only): `value` is what such a day brings over another of the same weekday
    (1: the same), `by_days` 1, `n` the days. Intervals are `value_low` and `value_high`.
    """

    of: str = "series"
    company: Company = field(default_factory=Company)

    @property
    def headline(self) -> str:
        """How far the third month stands out, and the last days."""
        months = self.table[self.table["kind"] == "month"]
        if months.empty:
            return f"Whole quarters of {self.of} are too few to tell where in a quarter it happens."
        third = months.iloc[-1]
        share = formats.share_estimate(third, "value", self.company)
        by_days = formats.share(float(third["by_days"]), self.company, digits=1)
        says = (
            f"The third month of a quarter holds {share} of its {self.of}; by its working days "
            f"alone it would hold {by_days}"
        )
        days = self.table[self.table["kind"] == "days"]
        return (
            says + "".join(f"; {self._days(days.iloc[end])}" for end in (0, -1) if len(days)) + "."
        )

    def _days(self, row: pd.Series) -> str:
        times, *ends = (
            formats.number(float(row[name]), self.company, digits=2)
            for name in ("value", "value_low", "value_high")
        )
        return f"{row['place']}: {times} {formats.interval(*ends)} times another day"

    def shown(self) -> pd.DataFrame:
        """Give shares in per cent, and days in times another day."""
        rows = []
        for _, row in self.table.iterrows():
            is_month = row["kind"] == "month"
            value = (
                formats.share_estimate(row, "value", self.company)
                if is_month
                else formats.number_estimate(row, "value", self.company, digits=2)
            )
            by_days = (
                formats.share(float(row["by_days"]), self.company, digits=1) if is_month else "1"
            )
            rows.append((row["place"], value, by_days, int(row["n"])))
        return pd.DataFrame(
            rows, columns=["place", "share, or times another day", "by working days", "n"]
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the months' shares beside those of their working days."""
        from funnel.methods.season import charts

        return charts.in_quarter(self, ax)


def in_quarter(
    daily: pd.Series, weights: DayWeights, *, as_of: dt.date, about: Mapping[str, object]
) -> InQuarter:
    """Say where in a quarter it happens; see `Decomposition.in_quarter`, which calls this."""
    level = float(about.get("level", 0.9))
    company = about.get("company") or Company()
    rows = _months(daily, weights.country, company.fiscal_year_starts, level)
    if rows:
        rows += _days(daily, weights, level)
    columns = ["kind", "place", "value", "value_low", "value_high", "by_days", "n"]
    return InQuarter(
        table=pd.DataFrame(rows, columns=columns),
        as_of=as_of,
        level=level,
        units={"value": "share of a quarter, or times another day"},
        of=str(about.get("of", "series")),
        company=company,
    )


def _months(daily: pd.Series, country: str, year_starts: int, level: float) -> list[tuple]:
    from scipy.special import stdtrit

    days = daily.index
    number = days.year * 12 + days.month - year_starts
    worked = pd.Series(is_workday(days, country), index=days).astype(float)
    by_month = pd.DataFrame(
        {"total": daily.to_numpy(), "worked": worked.to_numpy(), "n": 1.0, "in": days.days_in_month}
    ).groupby(np.asarray(number))
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
    from scipy.special import ndtri

    if not weights.fitted:
        return []
    model, _, features = max(weights.each(daily.index), key=lambda each: each[0].share)
    spread = np.sqrt(np.diag(model.covariance))
    place, kind = model.place, "working days" if model.place.by_workdays else "days"
    names = {
        -3: f"last {place.near} {kind} of a quarter",
        -2: f"the {place.before} {kind} before them",
        -1: f"first {place.first} {kind} of a quarter",
    }
    rows = []
    for column, name in names.items():
        at, half = model.coefficients[column], ndtri((1 + level) / 2) * spread[column]
        ends = (float(np.exp(at + sign * half)) for sign in (0, -1, 1))
        rows.append(("days", name, *ends, 1.0, int(features[:, column].sum())))
    return rows
